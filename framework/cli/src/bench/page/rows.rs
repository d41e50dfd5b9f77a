//! Figures of one unit as rows, each with its bar, its spread and its samples, on one scale.

use maud::{Markup, html};

use super::colour;
use super::scale::Scale;
use crate::bench::claims::at;
use crate::bench::distinct;
use crate::bench::lines::{Better, Figure};
use crate::bench::statistics::Spread;
use crate::bench::words::number;

/// The width of a bar's room.
const WIDTH: f64 = 1000.0;
/// More samples than this are no dots any more: so many of them are shown, evenly from the smallest to the largest.
const DOTS: usize = 60;

/// The rows of one unit; `variants` have the colours, in order.
pub fn table(figures: &[&Figure], unit: &str, variants: &[&str]) -> Markup {
    let medians: Vec<f64> = figures.iter().map(|f| Spread::of(&f.samples).median).collect();
    let samples: Vec<f64> = figures.iter().flat_map(|f| f.samples.iter().copied()).collect();
    let scale = Scale::of_samples(&medians, &samples);
    let better = match figures.iter().find_map(|figure| figure.better) {
        Some(Better::More) => "more is better",
        Some(Better::Less) => "less is better",
        None => "",
    };
    html! {
        h3 {
            (unit) @if !better.is_empty() { ", " (better) }
            @if scale.logarithmic { ", on a logarithmic scale" }
        }
        div.box.rows {
            table role="table" {
                (head(&scale))
                @for subject in distinct(figures.iter().map(|figure| figure.subject.as_str())) {
                    tbody role="rowgroup" {
                        tr.subject role="row" {
                            th scope="rowgroup" role="rowheader" colspan="6" { (subject) }
                        }
                        @for figure in figures.iter().filter(|figure| figure.subject == subject) {
                            (row(figure, &scale, &colour(variants, &figure.variant)))
                        }
                    }
                }
            }
        }
    }
}

fn head(scale: &Scale) -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" {
                th scope="col" role="columnheader" aria-label="variant" {}
                th.plot scope="col" role="columnheader" {
                    span.axis {
                        @for tick in &scale.ticks {
                            span style=(format!("left:{:.2}%", scale.place(*tick) * 100.0)) { (scale.label(*tick)) }
                        }
                    }
                }
                th.number scope="col" role="columnheader" { "median" }
                th.spread scope="col" role="columnheader" { "quartiles" }
                th.spread.range scope="col" role="columnheader" { "range" }
                th.number.count scope="col" role="columnheader" { "samples" }
            }
        }
    }
}

fn row(figure: &Figure, scale: &Scale, colour: &str) -> Markup {
    let spread = Spread::of(&figure.samples);
    let at = at(figure);
    let between = |low: f64, high: f64| format!("{} … {}", number(low), number(high));
    let some = spread.samples > 1;
    html! {
        tr class=(colour) role="row" {
            th.name scope="row" role="rowheader" {
                span.swatch {} (figure.variant) @if !at.is_empty() { ", " (at) }
                @if let Some(text) = &figure.text { small.remark { (text) } }
            }
            td.plot role="cell" { (bar(figure, &spread, scale)) }
            td.number.median role="cell" { (number(spread.median)) }
            td.spread role="cell" { @if some { (between(spread.lower, spread.upper)) } }
            td.spread.range role="cell" { @if some { (between(spread.min, spread.max)) } }
            td.number.count.spread role="cell" { (spread.samples) }
        }
    }
}

/// The bar with everything on it.
fn bar(figure: &Figure, spread: &Spread, scale: &Scale) -> Markup {
    let place = |value: f64| scale.place(value) * WIDTH;
    let zero = if scale.logarithmic { 0.0 } else { place(0.0) };
    let (lower, median, upper) = (place(spread.lower), place(spread.median), place(spread.upper));
    let grid: String =
        scale.ticks.iter().map(|tick| format!("M{:.1} 0V22", place(*tick))).collect();
    let dots: String =
        dots(&figure.samples).into_iter().map(|s| format!("M{:.1} 11h0.01", place(s))).collect();
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 22" preserveAspectRatio="none"
            aria-hidden="true" {
            title {
                (figure.variant) ": median " (number(spread.median)) " " (figure.unit) ", quartiles "
                (number(spread.lower)) " and " (number(spread.upper))
            }
            path.grid d=(grid) {}
            // A length says nothing where there is no zero.
            @if scale.logarithmic {
                path.stem d=(format!("M0 11H{median:.1}")) {}
            } @else {
                rect.bar x=(format!("{:.1}", zero.min(median))) y="4" height="14"
                    width=(format!("{:.1}", (median - zero).abs())) {}
                path.base d=(format!("M{zero:.1} 0V22")) {}
            }
            path.sample d=(dots) {}
            path.whisker d=(format!("M{lower:.1} 11H{upper:.1}")) {}
            path.middle d=(format!("M{median:.1} 3V19")) {}
        }
    }
}

/// The samples that are shown as dots.
fn dots(samples: &[f64]) -> Vec<f64> {
    if samples.len() <= DOTS {
        return samples.to_vec();
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    (0..DOTS).map(|dot| sorted[dot * (sorted.len() - 1) / (DOTS - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_samples_some_are_shown_with_both_ends() {
        let samples: Vec<f64> = (0..1000).rev().map(f64::from).collect();
        let shown = dots(&samples);
        assert_eq!((shown.len(), shown[0], shown[DOTS - 1]), (DOTS, 0.0, 999.0));
        assert_eq!(dots(&samples[..3]), [999.0, 998.0, 997.0]);
    }
}
