use super::Results;
use maud::{Markup, html};
pub fn page(_: &Results) -> Markup {
    html! {}
}
