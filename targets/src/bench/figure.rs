//! Figures, and the lines that tell them.

use std::fmt::Write as _;
use std::io::Write as _;

use super::ask::Ask;

/// Which samples are the better ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// What is measured, and of what.
#[derive(Clone)]
pub struct Figure {
    group: &'static str,
    subject: String,
    variant: String,
    unit: &'static str,
    better: Option<Better>,
    x: Option<(f64, &'static str)>,
    limit: Option<f64>,
    text: Option<String>,
}

impl Figure {
    pub fn new(
        group: &'static str,
        subject: impl Into<String>,
        variant: impl Into<String>,
        unit: &'static str,
    ) -> Figure {
        let (subject, variant) = (subject.into(), variant.into());
        let better = Some(if unit.ends_with("/cpu-s") { Better::More } else { Better::Less });
        Figure { group, subject, variant, unit, better, x: None, limit: None, text: None }
    }

    /// A point of a curve.
    pub fn at(self, x: u64, unit: &'static str) -> Figure {
        Figure { x: Some((x as f64, unit)), ..self }
    }

    /// What the median has to reach.
    pub fn limit(self, limit: f64) -> Figure {
        Figure { limit: Some(limit), ..self }
    }

    /// A remark.
    pub fn text(self, text: impl Into<String>) -> Figure {
        Figure { text: Some(text.into()), ..self }
    }

    /// Neither more nor less is better.
    pub fn neutral(self) -> Figure {
        Figure { better: None, ..self }
    }

    fn line(&self, samples: &[f64]) -> String {
        let better = self.better.map(|better| match better {
            Better::More => "more",
            Better::Less => "less",
        });
        let line = Line::of_type("figure", self.group, &self.subject)
            .text("variant", Some(&self.variant))
            .text("unit", Some(self.unit))
            .text("better", better)
            .number("x", self.x.map(|x| x.0));
        let line = self.x.iter().fold(line, |line, x| line.text("x_unit", Some(x.1)));
        let line = self.limit.iter().fold(line, |line, limit| line.number("limit", Some(*limit)));
        let line = self.text.iter().fold(line, |line, text| line.text("text", Some(text)));
        line.numbers("samples", samples).end()
    }

    fn skipped(&self, why: &str) -> String {
        let line = Line::of_type("skipped", self.group, &self.subject);
        line.text("variant", Some(&self.variant)).text("why", Some(why)).end()
    }
}

/// What one measurement takes: a sample for each of the figures.
pub struct Series<'a> {
    pub figures: Vec<Figure>,
    pub measure: Box<dyn Fn() -> Result<Vec<f64>, String> + 'a>,
}

impl<'a> Series<'a> {
    pub fn new(
        figures: Vec<Figure>,
        measure: impl Fn() -> Result<Vec<f64>, String> + 'a,
    ) -> Series<'a> {
        Series { figures, measure: Box::new(measure) }
    }
}

/// Takes the samples of all series by turns, and prints the figures. A series that fails is told as skipped, with why.
pub fn by_turns(ask: &Ask, series: &[Series<'_>]) {
    let mut taken: Vec<Result<Vec<Vec<f64>>, String>> = vec![Ok(Vec::new()); series.len()];
    for turn in 0..ask.samples() {
        for (series, taken) in series.iter().zip(&mut taken) {
            if turn == 0 {
                let Figure { subject, variant, .. } = &series.figures[0];
                ask.progress(&format!("{subject}: {variant}"));
            }
            if let Ok(samples) = taken {
                match (series.measure)() {
                    Ok(sample) => samples.push(sample),
                    Err(why) => *taken = Err(why),
                }
            }
        }
    }
    series.iter().zip(&taken).for_each(|(series, taken)| tell(series, taken));
}

fn tell(series: &Series<'_>, taken: &Result<Vec<Vec<f64>>, String>) {
    for (i, figure) in series.figures.iter().enumerate() {
        match taken {
            Ok(samples) => {
                let samples: Vec<f64> = samples.iter().map(|sample| sample[i]).collect();
                print(&figure.line(&samples));
            }
            Err(why) => print(&figure.skipped(why)),
        }
    }
}

/// Asks for the ratio of two figures.
pub fn ratio(group: &str, subject: &str, of: &str, to: &str, limit: Option<f64>) {
    let line = Line::of_type("ratio", group, subject).text("of", Some(of)).text("to", Some(to));
    let line = limit.iter().fold(line, |line, limit| line.number("limit", Some(*limit)));
    print(&line.end());
}

/// A cell that is a word.
pub fn verdict(group: &str, subject: &str, variant: &str, text: &str) {
    let line = Line::of_type("verdict", group, subject).text("variant", Some(variant));
    print(&line.text("text", Some(text)).end());
}

/// A cell that is empty, and why.
pub fn skipped(group: &str, subject: &str, variant: &str, why: &str) {
    let line = Line::of_type("skipped", group, subject).text("variant", Some(variant));
    print(&line.text("why", Some(why)).end());
}

fn print(line: &str) {
    let mut stdout = std::io::stdout();
    // Who does not want to hear it need not.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// A JSON object under construction.
struct Line(String);

impl Line {
    fn of_type(name: &str, group: &str, subject: &str) -> Line {
        let line = Line(String::new()).text("type", Some(name));
        line.text("group", Some(group)).text("subject", Some(subject))
    }

    fn key(mut self, key: &str) -> Line {
        let before = if self.0.is_empty() { '{' } else { ',' };
        // Writing to a string does not fail.
        let _ = write!(self.0, "{before}\"{key}\":");
        self
    }

    fn text(self, key: &str, value: Option<&str>) -> Line {
        let mut line = self.key(key);
        let Some(value) = value else { return line.push("null") };
        line.0.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => line.0.extend(['\\', c]),
                c if c < ' ' => line.0.push(' '),
                c => line.0.push(c),
            }
        }
        line.push("\"")
    }

    fn number(self, key: &str, value: Option<f64>) -> Line {
        let text = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        self.key(key).push(&text)
    }

    fn numbers(self, key: &str, values: &[f64]) -> Line {
        let texts: Vec<String> = values.iter().map(f64::to_string).collect();
        self.key(key).push(&format!("[{}]", texts.join(",")))
    }

    fn push(mut self, text: &str) -> Line {
        self.0.push_str(text);
        self
    }

    fn end(self) -> String {
        self.0 + "}"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_line_of_json_with_all_its_samples() {
        let figure = Figure::new("cost", "a \"point\"", "plain", "ns").limit(8.0);
        let wanted =
            r#"{"type":"figure","group":"cost","subject":"a \"point\"","variant":"plain","#;
        let rest = r#""unit":"ns","better":"less","x":null,"limit":8,"samples":[2.5,1]}"#;
        assert_eq!(figure.line(&[2.5, 1.0]), format!("{wanted}{rest}"));
        let curve = Figure::new("scale", "s", "v", "executions/cpu-s").at(64, "threads").text("t");
        let wanted = r#""better":"more","x":64,"x_unit":"threads","text":"t","samples":[]}"#;
        assert!(curve.line(&[]).ends_with(wanted), "{}", curve.line(&[]));
        let neutral = Figure::new("exhaust", "s", "v", "executions").neutral();
        assert!(neutral.line(&[]).contains(r#""better":null"#));
        let skipped = figure.skipped("two\nlines");
        assert!(
            skipped.starts_with(r#"{"type":"skipped""#)
                && skipped.ends_with(r#""why":"two lines"}"#)
        );
    }
}
