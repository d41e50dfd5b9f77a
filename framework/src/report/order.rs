//! The order of steps that a finding needs, as sentences.

use super::push_wrapped;
use crate::worker::survey::Doing;

/// A switch without which there is no failure, and between which steps it has to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switch {
    pub from: u32,
    pub to: u32,
    /// Whether the thread that is left could have gone on.
    pub preempts: bool,
    /// What the thread that is left has to have done.
    pub made: Option<Doing>,
    /// What it must not have done yet.
    pub not_yet: Option<Doing>,
    /// What the other has to have done before it goes on.
    pub back: Option<Doing>,
}

/// From where on every continuation that was tried fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inflection {
    /// Schedule points until then; 0 if it always fails.
    pub step: u64,
    /// Schedule points of the execution.
    pub of: u64,
    pub continuations: u64,
    /// Who made the last of them, and what it was.
    pub thread: u32,
    pub made: Option<Doing>,
}

/// What a finding needs of the order of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub switches: Vec<Switch>,
    pub inflection: Option<Inflection>,
}

impl Doing {
    /// In the past tense: `loaded at src/map.rs:12, in insert 3`.
    fn told(&self) -> String {
        let Doing { verb, site, operation } = self;
        let verb = if verb.is_empty() { "passed" } else { verb };
        match (site.is_empty(), operation.is_empty()) {
            (false, false) => format!("{verb} at {site} in `{operation}`"),
            (false, true) => format!("{verb} at {site}"),
            (true, false) if verb == "passed" => format!("passed a point in `{operation}`"),
            (true, false) => format!("{verb} memory in `{operation}`"),
            (true, true) => "was between operations".to_owned(),
        }
    }
}

impl Switch {
    fn sentence(&self) -> String {
        let Switch { from, to, preempts, made, not_yet, back } = self;
        if !preempts {
            return format!("thread {to} goes on first where thread {from} waits");
        }
        let mut text = format!("thread {to} goes on ");
        text += &match (made, not_yet) {
            (Some(made), Some(not_yet)) => {
                format!("after thread {from} {} and before it {}", made.told(), not_yet.told())
            }
            (Some(made), None) => format!("after thread {from} {}", made.told()),
            (None, Some(not_yet)) => format!("before thread {from} {}", not_yet.told()),
            (None, None) => format!("at some step of thread {from}"),
        };
        if let Some(back) = back {
            text += &format!("; thread {from} goes on after thread {to} {}", back.told());
        }
        text
    }
}

impl Inflection {
    fn sentence(&self) -> String {
        let Inflection { step, of, continuations, thread, made } = self;
        if *step == 0 {
            return format!(
                "none: it fails in all {continuations} executions tried with other switches"
            );
        }
        let who = made.as_ref().map_or_else(String::new, |made| {
            format!(", the last by thread {thread}, which {}", made.told())
        });
        format!(
            "after {step} of {of} steps{who}: from there it fails in all {continuations} continuations tried, \
             from one step earlier not in all"
        )
    }
}

impl Order {
    /// A sentence for each switch.
    pub(crate) fn sentences(&self) -> Vec<String> {
        self.switches.iter().map(Switch::sentence).collect()
    }

    /// A sentence about the inflection point; empty where it is not known.
    pub(crate) fn inflection(&self) -> String {
        self.inflection.as_ref().map_or_else(String::new, Inflection::sentence)
    }
}

/// The end of a report: these sentences.
pub(super) fn section(order: &[String], inflection: &str) -> String {
    let mut out = String::new();
    for (sentence, i) in order.iter().zip(0..) {
        let start = if i == 0 { "  order:      " } else { "              " };
        push_wrapped(&mut out, start, sentence, "                ");
    }
    if !inflection.is_empty() {
        push_wrapped(&mut out, "  inflection: ", inflection, "                ");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::WIDTH;

    fn doing(verb: &str, line: u32) -> Option<Doing> {
        let site = format!("a-1.0.0/src/map.rs:{line}");
        Some(Doing { verb: verb.into(), site, operation: "insert 3".into() })
    }

    #[test]
    fn an_order_tells_what_comes_before_what_within_the_width() {
        let switch = Switch {
            from: 1,
            to: 2,
            preempts: true,
            made: doing("loaded", 12),
            not_yet: doing("stored", 13),
            back: doing("loaded", 12),
        };
        let waits = Switch { preempts: false, from: 0, ..switch.clone() };
        let inflection =
            Inflection { step: 7, of: 90, continuations: 51, thread: 2, made: doing("freed", 40) };
        let order = Order { switches: vec![waits, switch], inflection: Some(inflection) };
        assert_eq!(
            order.sentences(),
            [
                "thread 2 goes on first where thread 0 waits",
                "thread 2 goes on after thread 1 loaded at a-1.0.0/src/map.rs:12 in `insert 3` and before it stored \
                 at a-1.0.0/src/map.rs:13 in `insert 3`; thread 1 goes on after thread 2 loaded at \
                 a-1.0.0/src/map.rs:12 in `insert 3`",
            ]
        );
        assert_eq!(
            order.inflection(),
            "after 7 of 90 steps, the last by thread 2, which freed at a-1.0.0/src/map.rs:40 in `insert 3`: from \
             there it fails in all 51 continuations tried, from one step earlier not in all"
        );
        let section = section(&order.sentences(), &order.inflection());
        assert!(section.lines().all(|line| line.chars().count() <= WIDTH), "{section}");
        assert!(section.contains("\n  inflection: after 7 of 90"), "{section}");
    }

    #[test]
    fn what_always_fails_has_no_inflection_point() {
        let inflection = Inflection { step: 0, of: 9, continuations: 51, thread: 0, made: None };
        let order = Order { switches: Vec::new(), inflection: Some(inflection) };
        let wanted =
            "  inflection: none: it fails in all 51 executions tried with other switches\n";
        assert_eq!(section(&order.sentences(), &order.inflection()), wanted);
        assert_eq!(section(&[], ""), "");
    }
}
