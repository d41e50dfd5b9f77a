//! What the pages have in common: each is one file that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The colours, the letters, and what every page has.
const BASE: &str = include_str!("base.css");

/// A page with what it has of its own style.
pub fn page(title: &str, style: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(BASE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    }
}
