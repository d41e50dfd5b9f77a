//! The page's parts, as they stand in it.

use maud::{Markup, html};

use crate::explain::{Event, Explanation, Place, Source, Suspect};

/// Bytes of a message that is no headline any more.
const LONG: usize = 90;

/// The line on top: what this is, and how it is shown.
pub fn bar() -> Markup {
    html! {
        header.top {
            span.product { b { "mapcheck" } " explains a finding" }
            button #theme type="button" hidden title="Light, dark, or as the system has it" { "Theme" }
        }
    }
}

/// What was found, in a few sentences, and where to look.
pub fn headline(explanation: &Explanation) -> Markup {
    html! {
        section.headline {
            p.class { (explanation.class) }
            h1.long[explanation.message.len() > LONG] { (prose(&explanation.message)) }
            (subject(explanation))
            div.lead {
                div {
                    @for sentence in &explanation.summary { p.summary { (prose(sentence)) } }
                    @for sentence in &explanation.injected { p.injected { (prose(sentence)) } }
                    (replay(explanation))
                }
                (suspects(explanation))
            }
        }
    }
}

/// What was run.
fn subject(explanation: &Explanation) -> Markup {
    let (first, rest) =
        explanation.versions.split_once(", ").unwrap_or((&explanation.versions, ""));
    html! {
        div.of {
            b { (explanation.target) } " " span.quiet { (first) }
            @if !rest.is_empty() {
                details.quiet { summary { "and what it depends on" } (rest) }
            }
            div { span.quiet { "scenario " } code { (explanation.scenario) } }
            @if let Some(mutant) = &explanation.mutant {
                div { span.quiet { "mutant " } code { (mutant) } }
            }
        }
    }
}

fn suspects(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.suspects.is_empty() {
            aside #suspects aria-labelledby="suspects-title" {
                h2 #suspects-title { "Look here first" }
                ol { @for suspect in &explanation.suspects { (one_suspect(explanation, suspect)) } }
            }
        }
    }
}

fn one_suspect(explanation: &Explanation, suspect: &Suspect) -> Markup {
    html! {
        li {
            p { (prose(&suspect.why)) }
            (places(explanation, &suspect.places))
        }
    }
}

fn replay(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.replay.is_empty() {
            p.replay {
                code #command { (explanation.replay) }
                button #copy type="button" hidden { "Copy" }
            }
        }
    }
}

/// The line of code at a place, where there is an excerpt of it.
fn line_of(explanation: &Explanation, place: &Place) -> Markup {
    html! {
        @if let Some(line) = explanation.line_at(&place.site) { span.code { code { (line) } } }
    }
}

/// Where it is.
fn place(place: &Place) -> Markup {
    html! {
        span.place {
            span.site { (breakable(&place.site)) }
            @if !place.function.is_empty() { " " span.function { (breakable(&place.function)) } }
        }
    }
}

/// The innermost of the places that there is an excerpt of, with its line; and all of them on request.
fn places(explanation: &Explanation, places: &[Place]) -> Markup {
    let has_line = |place: &&Place| explanation.line_at(&place.site).is_some();
    html! {
        @if let Some(shown) = places.iter().find(has_line).or(places.first()) {
            (line_of(explanation, shown))
            (place(shown))
        }
        @if places.len() > 1 {
            details.stack {
                summary { "all " (places.len()) " places of the stack" }
                @for one in places { (place(one)) }
            }
        }
    }
}

/// A path, which may be broken where it has a separator.
fn breakable(path: &str) -> Markup {
    html! {
        @for part in path.split_inclusive(['/', ':']) { (part) @if part.ends_with('/') || part == ":" { wbr; } }
    }
}

/// A sentence, in which code stands between backticks.
fn prose(sentence: &str) -> Markup {
    let Some((text, (code, rest))) =
        sentence.split_once('`').and_then(|(text, rest)| Some((text, rest.split_once('`')?)))
    else {
        return html! { (sentence) };
    };
    html! { (text) code { (code) } (prose(rest)) }
}

/// What befell the block, from its use back to its allocation.
pub fn walk(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.walk.is_empty() {
            section #walk aria-labelledby="walk-title" {
                h2 #walk-title { (walk_title(explanation)) }
                ol.walk {
                    @for (event, number) in explanation.walk.iter().zip(1..) {
                        (walk_step(explanation, event, number))
                    }
                }
            }
        }
    }
}

fn walk_title(explanation: &Explanation) -> &'static str {
    let used = explanation.walk.first().is_some_and(|event| event.role == "used");
    match explanation.block {
        None => "What led to it",
        Some(_) if used => "Back from the use",
        Some(_) => "What befell the block",
    }
}

fn walk_step(explanation: &Explanation, event: &Event, number: usize) -> Markup {
    html! {
        li data-event=(number) {
            a.step href={ "#step=" (event.step) } {
                span.number aria-hidden="true" { (number) }
                span.role.danger[is_fatal(&event.role)] { (event.role) }
                span.at { "step " (event.step) }
            }
            p {
                (explanation.thread(event.thread)) " " (prose(&event.what))
                @if !event.operation.is_empty() { ", in " code { (event.operation) } }
            }
            (places(explanation, &event.places))
            @if !event.note.is_empty() { p.note { (prose(&event.note)) } }
        }
    }
}

/// Whether an event of this role is what must not have been.
fn is_fatal(role: &str) -> bool {
    matches!(role, "used" | "freed")
}

/// The room that the script fills: the timeline, and the memory at a step.
pub fn execution(explanation: &Explanation) -> Markup {
    let of_memory = !explanation.blocks.is_empty();
    html! {
        @if explanation.steps > 0 {
            section #execution aria-labelledby="execution-title" {
                h2 #execution-title { "The execution" }
                noscript { p { "The timeline and the memory need JavaScript; all else is here." } }
                (controls(explanation))
                div #timeline {}
                p #now role="status" {}
                ul #here {}
                div.memory.alone[!of_memory] hidden {
                    @if of_memory {
                        section #memory aria-labelledby="memory-title" {
                            h3 #memory-title { "Memory at this step" }
                            div #graph {}
                        }
                    }
                    section aria-labelledby="threads-title" {
                        h3 #threads-title { "Threads at this step" }
                        ul #threads {}
                    }
                }
                div #code {}
            }
        }
    }
}

/// What each button does, and the key that does the same.
fn controls(explanation: &Explanation) -> Markup {
    let has = |role: &str| explanation.walk.iter().any(|event| event.role == role);
    html! {
        div #controls.controls role="toolbar" aria-label="Choose a step" hidden {
            span.group {
                (button("previous-event", "\u{21e4}", "Previous event", "p"))
                (button("previous", "\u{2190}", "One step back", "Left"))
                output #step { "0" }
                (button("next", "\u{2192}", "One step on", "Right"))
                (button("next-event", "\u{21e5}", "Next event", "n"))
            }
            @if has("freed") { (button("to-free", "free", "To the step that freed the block", "f")) }
            @if has("used") && explanation.block.is_some() {
                (button("to-use", "use", "To the step that used it", "u"))
            }
            span.group.zoom {
                (button("out", "\u{2212}", "Show more steps", "-"))
                (button("fit", "fit", "Show all steps", "0"))
                (button("in", "+", "Show fewer steps", "+"))
            }
            (button("help", "?", "The keys", "?"))
        }
    }
}

fn button(id: &str, text: &str, what: &str, key: &str) -> Markup {
    html! { button type="button" data-do=(id) aria-label=(what) title={ (what) " (" (key) ")" } { (text) } }
}

/// The lines of code that are spoken of.
pub fn sources(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.sources.is_empty() {
            section #source aria-labelledby="source-title" {
                h2 #source-title { "The code" }
                div.excerpts { @for source in &explanation.sources { (excerpt(source)) } }
            }
        }
    }
}

fn excerpt(source: &Source) -> Markup {
    html! {
        figure.excerpt {
            figcaption { (breakable(&source.file)) }
            div.lines tabindex="0" role="group" aria-label={ "Lines of " (source.file) } {
                @for (line, number) in source.lines.iter().zip(source.first..) {
                    (source_line(source, line, number))
                }
            }
        }
    }
}

fn source_line(source: &Source, line: &str, number: u64) -> Markup {
    let marks: Vec<&str> = source
        .marks
        .iter()
        .filter(|mark| mark.line == number)
        .map(|mark| mark.role.as_str())
        .collect();
    html! {
        div.line.marked[!marks.is_empty()] data-site={ (source.file) ":" (number) } {
            span.n { (number) }
            code { (line) }
            @for role in marks { span.role.danger[is_fatal(role)] { (role) } }
        }
    }
}

/// Why it was taken for free, and which order of steps it needs.
pub fn reasons(explanation: &Explanation) -> Markup {
    let ordered = !explanation.order.is_empty() || !explanation.inflection.is_empty();
    html! {
        @if !explanation.why.is_empty() || ordered {
            div.reasons {
                @if !explanation.why.is_empty() {
                    section #why {
                        h2 { @if explanation.block.is_some() { "Why it was taken for free" } @else { "Why" } }
                        @for sentence in &explanation.why { p { (prose(sentence)) } }
                    }
                }
                @if ordered { (order(explanation)) }
            }
        }
    }
}

fn order(explanation: &Explanation) -> Markup {
    html! {
        section #order {
            h2 { "The order it needs" }
            @if !explanation.order.is_empty() {
                ul { @for sentence in &explanation.order { li { (prose(sentence)) } } }
            }
            @if !explanation.inflection.is_empty() {
                p {
                    b { "From where on it cannot be avoided: " } (prose(&explanation.inflection))
                    @if let Some(step) = explanation.inflection_step {
                        " " a href={ "#step=" (step) } { "Step " (step) }
                    }
                }
            }
        }
    }
}

/// The report that `check` prints.
pub fn report(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.report.is_empty() {
            details.report {
                summary { "The full report, as " code { "check" } " prints it" }
                pre tabindex="0" { (explanation.report) }
            }
        }
    }
}

/// What made the page, and of what.
pub fn foot(explanation: &Explanation) -> Markup {
    html! {
        footer { "mapcheck " (explanation.mapcheck) ", of " code { (breakable(&explanation.repro)) } }
    }
}

/// The keys, as `?` shows them.
pub fn keys() -> Markup {
    let keys = [
        ("\u{2190} \u{2192}", "one step back, one step on"),
        ("p n", "previous and next event; \u{2191} \u{2193} in the timeline"),
        ("Home End", "first and last step, in the timeline"),
        ("f", "to the step that freed the block"),
        ("u", "to the step that used it"),
        ("+ \u{2212} 0", "fewer steps, more steps, all steps; Ctrl and the wheel, too"),
        ("?", "these keys"),
    ];
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keys" }
            dl { @for (key, what) in keys { dt { kbd { (key) } } dd { (what) } } }
            form method="dialog" { button { "Close" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        let shown = |sentence: &str| prose(sentence).into_string();
        assert_eq!(shown("a `b` <c> `d`"), "a <code>b</code> &lt;c&gt; <code>d</code>");
        assert_eq!(shown("a ` b"), "a ` b", "one alone is none");
    }

    #[test]
    fn a_path_may_be_broken_after_its_separators() {
        assert_eq!(breakable("a/b::c").into_string(), "a/<wbr>b::<wbr>c");
    }
}
