//! The lines that producers print: one JSON object each, of a type that says what it is.

use serde::Deserialize;
use serde_json::Value;

/// A line that is shown. Those of other types are kept in JSON, and nothing else is made of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// What was measured.
    Figure(Figure),
    /// Two figures to be compared.
    Ratio(Ask),
    /// A cell that is a word.
    Verdict(Verdict),
    /// What was not measured.
    Skipped(Skipped),
    /// What keeps a producer from measuring.
    Failed(Failed),
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// A rate.
    More,
    /// A cost.
    Less,
}

/// One thing that was measured, some times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Figure {
    /// What it belongs to.
    pub group: String,
    /// What is measured: a row.
    pub subject: String,
    /// How: a column, or a series of a plot.
    pub variant: String,
    /// What the samples are in.
    pub unit: String,
    /// Which way is better; `None` where neither is.
    pub better: Option<Better>,
    /// Where on a curve it is, if it is on one.
    pub x: Option<f64>,
    /// What `x` is in.
    pub x_unit: Option<String>,
    /// Every sample, in the order measured; at least one, each finite.
    pub samples: Vec<f64>,
    /// What the median has to reach.
    pub limit: Option<f64>,
    /// A remark.
    pub text: Option<String>,
}

/// A ratio that is asked for, of two figures of one subject.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Ask {
    /// The figures' group.
    pub group: String,
    /// Their subject.
    pub subject: String,
    /// The variant whose ratio it is.
    pub of: String,
    /// The variant that is 1.
    pub to: String,
    /// The figures' unit; the first that both have, unless given.
    pub unit: Option<String>,
    /// Where on their curves; at each place that both have, unless given.
    pub x: Option<f64>,
    /// What the ratio has to reach.
    pub limit: Option<f64>,
    /// A remark.
    pub text: Option<String>,
}

/// A cell that is a word.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Verdict {
    /// What it belongs to.
    pub group: String,
    /// The row.
    pub subject: String,
    /// The column.
    pub variant: String,
    /// The word, or a sentence.
    pub text: String,
    /// Whether that is as promised, if anything was.
    pub kept: Option<bool>,
}

/// Something that was not measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Skipped {
    /// What it belongs to.
    pub group: String,
    /// The row; empty for all.
    #[serde(default)]
    pub subject: String,
    /// The column; empty for all.
    #[serde(default)]
    pub variant: String,
    /// Why not.
    pub why: String,
}

/// A producer that could not measure.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Failed {
    /// Its name.
    pub producer: String,
    /// What it was to measure.
    #[serde(default)]
    pub group: String,
    /// What went wrong.
    pub how: String,
}

impl Line {
    /// Reads a line; `None` for one of another type.
    ///
    /// # Errors
    /// What is wrong with a line of one of these types.
    pub fn read(value: &Value) -> Result<Option<Self>, String> {
        fn as_<T: for<'a> Deserialize<'a>>(value: &Value, kind: &str) -> Result<T, String> {
            T::deserialize(value).map_err(|e| format!("is no {kind}: {e}"))
        }
        Ok(Some(match value["type"].as_str() {
            Some("figure") => Self::Figure(checked(as_(value, "figure")?)?),
            Some("ratio") => Self::Ratio(as_(value, "ratio")?),
            Some("verdict") => Self::Verdict(as_(value, "verdict")?),
            Some("skipped") => Self::Skipped(as_(value, "skipped")?),
            Some("failed") => Self::Failed(as_(value, "failed")?),
            _ => return Ok(None),
        }))
    }
}

/// A figure without samples has no median, and JSON's numbers may be too large for ours.
fn checked(figure: Figure) -> Result<Figure, String> {
    match &figure.samples[..] {
        [] => Err("is no figure: it has no samples".into()),
        all if all.iter().any(|sample| !sample.is_finite()) => {
            Err("is no figure: a sample is no number".into())
        }
        _ => Ok(figure),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_needs_samples() {
        let mut line = json!({"type": "figure", "group": "g", "subject": "s", "variant": "v", "unit": "ns",
            "better": "less", "x": null, "samples": [1.5, 2]});
        let Ok(Some(Line::Figure(figure))) = Line::read(&line) else { panic!("{line}") };
        assert_eq!((figure.samples, figure.better), (vec![1.5, 2.0], Some(Better::Less)));
        line["samples"] = json!([]);
        assert_eq!(Line::read(&line), Err("is no figure: it has no samples".into()));
        line["samples"] = json!(["fast"]);
        assert!(Line::read(&line).unwrap_err().starts_with("is no figure: invalid type"));
    }

    #[test]
    fn a_line_of_another_type_is_none_of_ours() {
        assert_eq!(Line::read(&json!({"type": "machine"})), Ok(None));
        assert_eq!(Line::read(&json!(7)), Ok(None));
    }
}
