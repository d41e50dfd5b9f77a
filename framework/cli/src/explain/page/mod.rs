//! An explanation as a page: one file that needs nothing else, and reads well without its script, which adds what
//! moves: the timeline and the memory at a step.

mod parts;

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use crate::explain::Explanation;

const STYLE: &str = include_str!("page.css");
/// The script's parts, in the order in which they stand in the page.
const SCRIPT: [&str; 4] = [
    include_str!("model.js"),
    include_str!("timeline.js"),
    include_str!("graph.js"),
    include_str!("page.js"),
];

/// The page of an explanation and of the object that it was read from.
pub fn page(explanation: &Explanation, value: &Value) -> Markup {
    let title = format!("{}: {}", explanation.class, explanation.target);
    let body = html! {
        (parts::bar())
        main {
            (parts::headline(explanation))
            @if explanation.steps > 0 || !explanation.walk.is_empty() {
                div.desk.alone[explanation.walk.is_empty()] {
                    (parts::walk(explanation))
                    (parts::execution(explanation))
                }
            }
            (parts::sources(explanation))
            (parts::reasons(explanation))
            (parts::report(explanation))
        }
        (parts::foot(explanation))
        (parts::keys())
        script type="application/json" id="explanation" { (PreEscaped(embedded(value))) }
        script type="module" { (PreEscaped(SCRIPT.concat())) }
    };
    crate::html::page(&title, STYLE, &body)
}

/// JSON that may stand in a script element, whatever its strings hold.
fn embedded(value: &Value) -> String {
    // A `<` stands in strings alone, where it may be written like this.
    value.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::tests::smallest;

    fn page_of(value: &Value) -> String {
        page(&Explanation::read(value).unwrap(), value).into_string()
    }

    #[test]
    fn the_page_stands_alone() {
        // What begins with a `#` is in the page itself.
        let page = page_of(&smallest()).replace("url(#", "");
        assert!(page.starts_with("<!DOCTYPE html>"));
        for word in ["src=", "@import", "url(", "fetch(", "<link"] {
            assert!(!page.contains(word), "{word} loads from elsewhere");
        }
        let no_names = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!no_names.contains("http"), "no address but the name of SVG");
    }

    #[test]
    fn what_is_told_cannot_end_the_script_or_become_markup() {
        let mut value = smallest();
        value["message"] = json!("</script><script>alert(1)</script><!-- \" ' &amp;");
        let page = page_of(&value);
        assert_eq!(page.matches("</script>").count(), 2, "those of the page itself");
        assert!(!page.contains("alert(1)<") && page.contains("\\u003c/script>"), "{page}");
        let start = page.find("id=\"explanation\">").unwrap() + "id=\"explanation\">".len();
        let end = start + page[start..].find("</script>").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&page[start..end]).unwrap(), value);
    }

    #[test]
    fn a_finding_about_no_block_has_no_empty_boxes() {
        let page = page_of(&smallest());
        for id in ["walk", "memory", "suspects", "why", "order", "execution"] {
            assert!(!page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        assert!(page.contains("it passed over key 3") && page.contains("id=\"source\""));
    }

    #[test]
    fn a_step_of_the_walk_leads_to_its_step_and_shows_its_line() {
        let mut value = smallest();
        value["steps"] = json!(12);
        value["walk"] = json!([{"role": "used", "thread": 0, "step": 9, "operation": "iterate", "note": "",
            "what": "read 8 bytes", "places": [{"site": "a/src/lib.rs:5", "function": "a::next"}]}]);
        let page = page_of(&value);
        assert!(page.contains("href=\"#step=9\"") && page.contains("<code>five</code>"), "{page}");
        assert!(page.contains("thread 0 (setup) read 8 bytes"), "{page}");
    }
}
