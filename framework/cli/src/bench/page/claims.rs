//! The ratios and the limits, each with a gauge: the limit in the middle of all of them, better to the right.

use maud::{Markup, html};

use super::anchor;
use crate::bench::claims::Claim;
use crate::bench::lines::Better;
use crate::bench::words::number;
use crate::bench::{distinct, title};

/// The width of a gauge.
const WIDTH: f64 = 1000.0;
/// The most and the fewest times the limit that a gauge reaches.
const REACH: (f64, f64) = (2.0, 10.0);

/// All claims, by group.
pub fn section(claims: &[Claim<'_>]) -> Markup {
    let reach = reach(claims);
    html! {
        @if !claims.is_empty() {
            section #claims {
                h2 { "Ratios and limits" }
                p.note {
                    "The upright line is the limit, and what is to the right of it is better. A gauge ends at "
                    (number(reach).trim_end_matches(".0")) " times the limit, on a logarithmic scale."
                }
                div.box.rows.claims {
                    table role="table" {
                        (head())
                        @for group in distinct(claims.iter().map(|claim| claim.group)) {
                            tbody role="rowgroup" {
                                tr.subject role="row" {
                                    th scope="rowgroup" role="rowheader" colspan="6" {
                                        a href={ "#" (anchor(group)) } { (title(group)) }
                                    }
                                }
                                @for claim in claims.iter().filter(|claim| claim.group == group) {
                                    (row(claim, reach))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn head() -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" {
                th scope="col" role="columnheader" aria-label="what" {}
                th.number scope="col" role="columnheader" { "median" }
                th.spread scope="col" role="columnheader" { "quartiles" }
                th.plot scope="col" role="columnheader" aria-label="gauge" {}
                th.spread scope="col" role="columnheader" { "limit" }
                th.spread scope="col" role="columnheader" aria-label="reached or missed" {}
            }
        }
    }
}

fn row(claim: &Claim<'_>, reach: f64) -> Markup {
    let spread = claim.spread.filter(|spread| spread.samples > 1);
    html! {
        tr role="row" {
            th.name scope="row" role="rowheader" {
                b { (claim.subject) } " " span { (claim.what()) }
                @if let Some(text) = claim.text { small.remark { (text) } }
            }
            td.number.median role="cell" {
                @if let Some(spread) = claim.spread { (value(spread.median, claim.unit)) } @else { "\u{2013}" }
            }
            td.spread role="cell" {
                @if let Some(spread) = spread { (number(spread.lower)) " … " (number(spread.upper)) }
            }
            td.plot role="cell" { (gauge(claim, reach)) }
            td.limit.spread role="cell" { (claim.limit_words()) }
            td.verdict role="cell" {
                @let word = claim.word();
                @if !word.is_empty() { span.word.{ (word.replace(' ', "-")) } { (word) } }
            }
        }
    }
}

/// A ratio as people write it, or a value with its unit, which may be a few words.
fn value(value: f64, unit: &str) -> Markup {
    html! {
        @if unit == "times" { (number(value)) "×" } @else { (number(value)) " " span.unit { (unit) } }
    }
}

/// How many times its limit a value is, the better way; `None` without a limit and a better way.
fn times(claim: &Claim<'_>, value: f64) -> Option<f64> {
    let limit = claim.limit?;
    if limit == value {
        return Some(1.0);
    }
    let times = match claim.better? {
        Better::More => value / limit,
        Better::Less => limit / value,
    };
    times.is_finite().then_some(times.max(0.0))
}

/// How many times the limit the gauges reach: as far as the medians need, within bounds.
fn reach(claims: &[Claim<'_>]) -> f64 {
    let all = claims.iter().filter_map(|claim| times(claim, claim.spread?.median));
    let ways = all.map(|times| if times < 1.0 { 1.0 / times } else { times });
    ways.fold(REACH.0, f64::max).min(REACH.1)
}

fn gauge(claim: &Claim<'_>, reach: f64) -> Markup {
    let place = |times: f64| {
        let way = times.max(f64::MIN_POSITIVE).ln() / reach.ln();
        (0.5 + 0.5 * way).clamp(0.0, 1.0) * WIDTH
    };
    let places = claim.spread.and_then(|spread| {
        let at = |value| times(claim, value).map(place);
        Some((at(spread.lower)?, at(spread.median)?, at(spread.upper)?))
    });
    let middle = WIDTH / 2.0;
    html! {
        @if let Some((lower, median, upper)) = places {
            svg.gauge.{ (claim.word()) } xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 22"
                preserveAspectRatio="none" aria-hidden="true" {
                title { (claim.what()) ": " (claim.word()) ", " (claim.limit_words()) }
                path.grid d="M0 11H1000" {}
                rect.bar x=(format!("{:.1}", median.min(middle))) y="6" height="10"
                    width=(format!("{:.1}", (median - middle).abs())) {}
                path.goal d="M500 1V21" {}
                path.whisker d=(format!("M{lower:.1} 11H{upper:.1}")) {}
                path.dot d=(format!("M{median:.1} 11h0.01")) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples;

    #[test]
    fn better_is_to_the_right_of_the_limit() {
        let results = samples::results();
        let mut claim = results.claims()[0].clone();
        assert_eq!(times(&claim, 6.0), Some(2.0));
        claim.better = Some(Better::Less);
        assert_eq!(times(&claim, 6.0), Some(0.5));
        assert_eq!((times(&claim, 3.0), times(&claim, 0.0)), (Some(1.0), None));
        claim.limit = Some(0.0);
        assert_eq!(times(&claim, 0.0), Some(1.0), "nothing where nothing is allowed");
        claim.limit = None;
        assert_eq!(times(&claim, 6.0), None);
    }

    #[test]
    fn the_gauges_reach_as_far_as_the_medians_within_bounds() {
        let results = samples::results();
        let mut claims = results.claims();
        assert_eq!(reach(&claims), 2.0);
        claims[0].limit = Some(0.5);
        assert_eq!(reach(&claims), 7.0);
        claims[0].limit = Some(0.001);
        assert_eq!(reach(&claims), 10.0);
    }
}
