//! What was measured as a page: one file that needs nothing else, no script either. Each plot stands in the table of
//! its figures, or beside it.

mod claims;
mod curves;
mod rows;
mod scale;

use maud::{Markup, html};

use super::lines::{Figure, Verdict};
use super::{Results, distinct, title};

const STYLE: &str = include_str!("page.css");
/// How many colours the series of a plot have.
const COLOURS: usize = 6;

/// The page of what was measured.
pub fn page(results: &Results) -> Markup {
    let groups = results.groups();
    let body = html! {
        header.top { span { b { "mapcheck" } " measured" } span { (results.machine.started) } }
        main {
            (headline(results))
            nav aria-label="Groups" {
                @for group in &groups { a href={ "#" (anchor(group)) } { (title(group)) } }
            }
            (claims::section(&results.claims()))
            @for group in &groups { (section(results, group)) }
            (failed(results))
        }
        (foot())
    };
    crate::html::page("mapcheck, measured", STYLE, &body)
}

fn headline(results: &Results) -> Markup {
    let load = |load: Option<f64>| load.map_or("unknown".into(), |load| format!("{load:.2}"));
    html! {
        section.headline {
            h1 { (results.tally().words()) }
            p.lede {
                "What is compared was measured by turns, in one run of one command: "
                code { "cargo mapcheck bench" } "."
            }
            dl.machine {
                @for (name, told) in results.machine.told() { dt { (name) } dd { (told) } }
                dt { "load" }
                dd {
                    (load(results.machine.load)) " at the start, " (load(results.load))
                    " at the end, measuring included"
                }
            }
            @if let Some(warning) = results.machine.warning() {
                p.warning role="note" { b { "Beware: " } (warning) "." }
            }
        }
    }
}

/// The name of a group's section: what may stand in an address.
fn anchor(group: &str) -> String {
    group.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn section(results: &Results, group: &str) -> Markup {
    let figures = results.figures_of(group);
    let colours = distinct(figures.iter().map(|figure| figure.variant.as_str()));
    let (curves, rows): (Vec<&Figure>, Vec<&Figure>) =
        figures.iter().partition(|figure| is_of_curve(figure, &figures));
    let verdicts: Vec<&Verdict> = results.verdicts.iter().filter(|v| v.group == group).collect();
    html! {
        section id=(anchor(group)) {
            h2 { (title(group)) @if title(group) != group { small { (group) } } }
            @for unit in distinct(rows.iter().map(|figure| figure.unit.as_str())) {
                (rows::table(&of_unit(&rows, unit), unit, &colours))
            }
            @for (number, (subject, unit)) in
                distinct(curves.iter().map(|f| (&*f.subject, &*f.unit))).into_iter().enumerate() {
                @let own: Vec<&Figure> = of_unit(&curves, unit)
                    .into_iter().filter(|figure| figure.subject == subject).collect();
                (curves::panel(&own, &format!("{}-{number}", anchor(group)), &colours))
            }
            @if !verdicts.is_empty() { (words(&verdicts)) }
            (skipped(results, group))
        }
    }
}

/// Whether a figure has a place on a curve that has others.
fn is_of_curve(figure: &Figure, figures: &[&Figure]) -> bool {
    let same = |other: &&&Figure| {
        (&other.subject, &other.variant, &other.unit)
            == (&figure.subject, &figure.variant, &figure.unit)
    };
    figure.x.is_some() && figures.iter().filter(same).count() > 1
}

fn of_unit<'a>(figures: &[&'a Figure], unit: &str) -> Vec<&'a Figure> {
    figures.iter().copied().filter(|figure| figure.unit == unit).collect()
}

/// The class with the colour of a variant.
fn colour(variants: &[&str], variant: &str) -> String {
    let place = variants.iter().position(|known| *known == variant).unwrap_or_default();
    format!("s{}", place % COLOURS)
}

/// The cells that are words.
fn words(verdicts: &[&Verdict]) -> Markup {
    let variants = distinct(verdicts.iter().map(|verdict| verdict.variant.as_str()));
    let class = |kept: Option<bool>| match kept {
        Some(true) => "kept",
        Some(false) => "broken",
        None => "",
    };
    html! {
        h3 { "In words" }
        div.box.words {
            div.wide {
                table {
                    thead { tr { td {} @for variant in &variants { th scope="col" { (variant) } } } }
                    tbody {
                        @for subject in distinct(verdicts.iter().map(|v| v.subject.as_str())) {
                            tr {
                                th scope="row" { (subject) }
                                @for variant in &variants {
                                    td {
                                        @for v in verdicts.iter().filter(|v| {
                                            v.subject == subject && v.variant == *variant
                                        }) { div class=(class(v.kept)) { (v.text) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn skipped(results: &Results, group: &str) -> Markup {
    let own: Vec<_> = results.skipped.iter().filter(|one| one.group == group).collect();
    html! {
        @if !own.is_empty() {
            ul.notes {
                @for one in own {
                    @let of = [&*one.subject, &*one.variant];
                    @let of: Vec<&str> = of.into_iter().filter(|part| !part.is_empty()).collect();
                    li { b { "Not measured: " } @if !of.is_empty() { (of.join(", ")) ": " } (one.why) }
                }
            }
        }
    }
}

fn failed(results: &Results) -> Markup {
    html! {
        @if !results.failed.is_empty() {
            section #failed {
                h2 { "What went wrong" }
                ul.notes.failed {
                    @for one in &results.failed {
                        li { b { (one.producer) } @if !one.group.is_empty() { " (" (one.group) ")" } ": " (one.how) }
                    }
                }
            }
        }
    }
}

fn foot() -> Markup {
    html! {
        footer {
            p {
                "How to read it. Each dot is a sample, the thin line goes from the first quartile to the third, the \
                 thick one is the median. A ratio is the median of the ratios of samples that were taken in one turn, \
                 where there are as many of both; else it is the ratio of the medians, without a spread."
            }
            p {
                "A growth is the power law that is nearest to the medians, by least squares of logarithms. "
                code { "cargo mapcheck bench --format json" } " prints every sample."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples;

    #[test]
    fn the_page_stands_alone_and_escapes_what_is_told() {
        let page = page(&samples::results()).into_string();
        assert!(page.starts_with("<!DOCTYPE html>"));
        let no_names = page.replace("http://www.w3.org/2000/svg", "");
        for word in ["http", "src=", "@import", "url(", "<link", "<script"] {
            assert!(!no_names.contains(word), "{word}");
        }
        assert!(page.contains("map &lt;a&gt;") && !page.contains("map <a>"), "markup of a name");
    }

    #[test]
    fn the_claims_stand_before_the_figures() {
        let page = page(&samples::results()).into_string();
        let at = |what: &str| page.find(what).unwrap_or_else(|| panic!("no {what}"));
        assert!(at("1 of 2 limits reached") < at("at least 3"));
        assert!(at("at least 3") < at("id=\"scale\"") && at("id=\"scale\"") < at("id=\"peers\""));
        assert!(page.contains("not measured") && page.contains("ThreadSanitizer: no toolchain"));
    }
}
