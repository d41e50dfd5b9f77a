//! An explanation as text: Markdown that reads well on a terminal, too.

use crate::explain::{Event, Explanation};

/// The headline, the summary, and the walk from the use back to the allocation.
pub fn text(explanation: &Explanation) -> String {
    let mut out = format!("# {}: {}\n\n", explanation.class, explanation.message);
    out.push_str(&format!("{} ({})\n", explanation.target, explanation.versions));
    for sentence in &explanation.summary {
        out.push_str(&format!("\n{sentence}"));
    }
    out.push('\n');
    for (event, number) in explanation.walk.iter().zip(1..) {
        out.push_str(&format!("\n{number}. {}", step(explanation, event)));
    }
    out.trim_end().to_owned() + "\n"
}

/// A step of the walk.
fn step(explanation: &Explanation, event: &Event) -> String {
    let thread = explanation.thread(event.thread);
    let mut out = format!("**{}** at step {}: {thread} {}", event.role, event.step, event.what);
    if !event.operation.is_empty() {
        out.push_str(&format!(" in `{}`", event.operation));
    }
    if let Some(place) = event.places.first() {
        out.push_str(&format!("\n   at {} in `{}`", place.site, place.function));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::tests::smallest;

    #[test]
    fn the_text_tells_the_walk_step_by_step() {
        let mut value = smallest();
        value["walk"] = json!([{"role": "used", "thread": 0, "step": 9, "operation": "iterate", "note": "",
            "what": "read 8 bytes", "places": [{"site": "a.rs:1", "function": "a::next"}]}]);
        let text = text(&Explanation::read(&value).unwrap());
        assert!(text.starts_with("# missed-element: it passed over key 3\n"), "{text}");
        let step = "1. **used** at step 9: thread 0 (setup) read 8 bytes in `iterate`\n   at a.rs:1 in `a::next`\n";
        assert!(text.ends_with(step), "{text}");
    }
}
