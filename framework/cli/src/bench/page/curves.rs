//! What grows: a plot of all variants of one subject, with the table of its figures beside it.

use maud::{Markup, html};

use super::colour;
use super::scale::Scale;
use crate::bench::distinct;
use crate::bench::lines::Figure;
use crate::bench::statistics::Spread;
use crate::bench::text::curves;
use crate::bench::words::{exact, number};

/// The plot's size, and the room that it leaves for numbers.
const SIZE: (f64, f64) = (440.0, 270.0);
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 40.0;
/// From so many times on x is on a logarithmic scale, and then so is y.
const WIDE: f64 = 16.0;

/// More places on x than this have no room for their numbers.
const PLACES: usize = 8;

/// The scales of a plot.
struct Plane {
    x: Scale,
    y: Scale,
}

impl Plane {
    fn of(figures: &[&Figure]) -> Self {
        let xs: Vec<f64> = figures.iter().filter_map(|figure| figure.x).collect();
        let ys: Vec<f64> = figures.iter().flat_map(|f| f.samples.iter().copied()).collect();
        let ends = |values: &[f64]| {
            values.iter().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), v| {
                (low.min(*v), high.max(*v))
            })
        };
        let ((x_low, x_high), (y_low, y_high)) = (ends(&xs), ends(&ys));
        if x_low <= 0.0 || x_high / x_low < WIDE {
            return Self { x: Scale::of(&xs), y: Scale::of(&ys) };
        }
        let mut x = Scale::logarithmic(x_low, x_high);
        let places = distinct(xs);
        if x_high / x_low < 1000.0 && places.len() <= PLACES {
            // Few powers of ten: the places themselves are the lines.
            x.ticks = places;
        }
        let y = if y_low > 0.0 { Scale::logarithmic(y_low, y_high) } else { Scale::of(&ys) };
        Self { x, y }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across(x), TOP + (1.0 - self.y.place(y)) * (SIZE.1 - TOP - BOTTOM))
    }

    fn across(&self, x: f64) -> f64 {
        LEFT + self.x.place(x) * (SIZE.0 - LEFT - RIGHT)
    }
}

/// The figures of one subject and unit; `id` is the plot's own.
pub fn panel(figures: &[&Figure], id: &str, colours: &[&str]) -> Markup {
    let Some(first) = figures.first() else { return html! {} };
    let x_unit = first.x_unit.as_deref().unwrap_or("x");
    let said: Vec<String> = curves(figures).collect();
    html! {
        div.box.curve {
            h3 { (first.subject) }
            figure { (plot(figures, id, colours, x_unit, &said)) }
            div {
                @if !said.is_empty() { ul.growth { @for said in &said { li { (said) "." } } } }
                (table(figures, colours, x_unit))
            }
        }
    }
}

fn plot(figures: &[&Figure], id: &str, colours: &[&str], x_unit: &str, said: &[String]) -> Markup {
    let plane = Plane::of(figures);
    let first = figures[0];
    let kind = |scale: &Scale| if scale.logarithmic { "logarithmic" } else { "linear" };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } role="img"
            aria-labelledby={ "t-" (id) } aria-describedby={ "d-" (id) } {
            title id={ "t-" (id) } { (first.subject) ", in " (first.unit) ", by " (x_unit) }
            desc id={ "d-" (id) } { (said.join(". ")) }
            (lines(&plane))
            text x="0" y="11" { (first.unit) }
            text x=(SIZE.0 - RIGHT) y=(SIZE.1 - 5.0) text-anchor="end" {
                (x_unit) ", " (kind(&plane.x)) "; " (first.unit) ", " (kind(&plane.y))
            }
            @for variant in distinct(figures.iter().map(|figure| figure.variant.as_str())) {
                @let own = sorted(figures, variant);
                g class=(colour(colours, variant)) { (series(&own, &plane)) }
            }
        }
    }
}

/// The lines behind the plot, with their numbers.
fn lines(plane: &Plane) -> Markup {
    let (bottom, right) = (SIZE.1 - BOTTOM, SIZE.0 - RIGHT);
    html! {
        @for tick in &plane.y.ticks {
            @let y = plane.at(1.0, *tick).1;
            path.grid d=(format!("M{LEFT} {y:.1}H{right}")) {}
            text x=(LEFT - 6.0) y=(format!("{:.1}", y + 4.0)) text-anchor="end" { (plane.y.label(*tick)) }
        }
        @for tick in &plane.x.ticks {
            @let x = format!("{:.1}", plane.across(*tick));
            path.grid d=(format!("M{x} {TOP}V{bottom}")) {}
            text x=(x) y=(bottom + 15.0) text-anchor="middle" { (plane.x.label(*tick)) }
        }
    }
}

/// The figures of one variant, from the smallest x on.
fn sorted<'a>(figures: &[&'a Figure], variant: &str) -> Vec<(f64, Spread, &'a Figure)> {
    let own = figures.iter().copied().filter(|figure| figure.variant == variant);
    let mut own: Vec<_> =
        own.filter_map(|figure| Some((figure.x?, Spread::of(&figure.samples), figure))).collect();
    own.sort_by(|a, b| a.0.total_cmp(&b.0));
    own
}

/// One curve: the range from quartile to quartile, the medians, and a mark at each.
fn series(own: &[(f64, Spread, &Figure)], plane: &Plane) -> Markup {
    let point = |x: f64, y: f64| {
        let (x, y) = plane.at(x, y);
        format!("{x:.1} {y:.1}")
    };
    let medians: Vec<String> = own.iter().map(|(x, s, _)| point(*x, s.median)).collect();
    let there = own.iter().map(|(x, s, _)| point(*x, s.lower));
    let back = own.iter().rev().map(|(x, s, _)| point(*x, s.upper));
    let band: Vec<String> = there.chain(back).collect();
    html! {
        path.band d=(format!("M{}Z", band.join("L"))) {}
        path.line d=(format!("M{}", medians.join("L"))) {}
        @for (x, spread, figure) in own {
            @let (cx, cy) = plane.at(*x, spread.median);
            circle.mark cx=(format!("{cx:.1}")) cy=(format!("{cy:.1}")) r="3.5" {
                title { (figure.variant) ", " (exact(*x)) ": " (number(spread.median)) " " (figure.unit) }
            }
        }
    }
}

/// A row for each x, a column for each variant.
fn table(figures: &[&Figure], colours: &[&str], x_unit: &str) -> Markup {
    let variants = distinct(figures.iter().map(|figure| figure.variant.as_str()));
    let mut xs: Vec<f64> = distinct(figures.iter().filter_map(|figure| figure.x));
    xs.sort_by(f64::total_cmp);
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th.number scope="col" { (x_unit) }
                        @for variant in &variants {
                            th.number.{ (colour(colours, variant)) } scope="col" { span.swatch {} (variant) }
                        }
                    }
                }
                tbody {
                    @for x in &xs {
                        tr {
                            th.number scope="row" { (exact(*x)) }
                            @for variant in &variants { (cell(figures, variant, *x)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell(figures: &[&Figure], variant: &str, x: f64) -> Markup {
    let figure = figures.iter().find(|figure| figure.variant == variant && figure.x == Some(x));
    let spread = figure.map(|figure| Spread::of(&figure.samples));
    html! {
        td.number {
            @if let Some(spread) = spread {
                span.median { (number(spread.median)) }
                @if spread.samples > 1 {
                    " " span.spread { (number(spread.lower)) "…" (number(spread.upper)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples;

    #[test]
    fn a_wide_curve_is_on_logarithmic_scales_and_says_how_it_grows() {
        let results = samples::results();
        let figures: Vec<&Figure> = results.figures_of("scale");
        let panel = panel(&figures, "scale-0", &["random"]).into_string();
        assert!(panel.contains("threads, logarithmic; ns, logarithmic"), "{panel}");
        assert!(panel.contains("random: does not grow with threads"), "{panel}");
        assert_eq!(panel.matches("<circle").count(), 3);
    }

    #[test]
    fn a_narrow_curve_begins_at_zero() {
        let mut results = samples::results();
        results.figures.retain(|figure| figure.group == "scale" && figure.x != Some(64.0));
        let figures: Vec<&Figure> = results.figures.iter().collect();
        let plane = Plane::of(&figures);
        assert!(!plane.x.logarithmic && !plane.y.logarithmic);
        assert_eq!(plane.at(0.0, 0.0), (LEFT, SIZE.1 - BOTTOM));
    }
}
