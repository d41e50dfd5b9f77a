//! The faults that a finding needs, as sentences.

use mapcheck_machine::{ChoiceKind, operation_and_number};

use super::push_wrapped;
use crate::decision::{Decision, DecisionKind};
use crate::fault::{self, Fault};
use crate::repro::Repro;
use crate::scenario::Scenario;

/// The part of a report that tells which faults were injected, and where; empty if none was.
pub(super) fn section(repro: &Repro) -> String {
    let mut out = String::new();
    for (sentence, i) in injected(repro).into_iter().zip(0..) {
        let start = if i == 0 { "  injected:   " } else { "              " };
        push_wrapped(&mut out, start, &sentence, "                ");
    }
    out
}

/// A sentence for each fault that was injected.
pub(crate) fn injected(repro: &Repro) -> Vec<String> {
    repro.decisions.0.iter().filter_map(|d| injects(repro, d)).collect()
}

/// What a decision injects; `None` for one that injects nothing.
pub(crate) fn injects(repro: &Repro, decision: &Decision) -> Option<String> {
    sentence(&repro.scenario, &repro.faults, decision)
}

/// The same, of an execution of this scenario under these faults.
pub(crate) fn sentence(
    scenario: &Scenario,
    faults: &[Fault],
    decision: &Decision,
) -> Option<String> {
    let DecisionKind::Choice(kind) = decision.kind else { return None };
    let (label, number) = operation_and_number(decision.index);
    let (nth, choice) = (nth(number + 1), decision.choice);
    let during = during(scenario, decision.thread, label as u32);
    Some(match kind {
        ChoiceKind::Data | ChoiceKind::Suspend => return None,
        ChoiceKind::Panic => format!("{during}, the {nth} callback that may panic does"),
        ChoiceKind::Allocation => format!("{during}, the {nth} allocation fails"),
        ChoiceKind::Reuse => {
            format!("{during}, the {nth} allocation that can be served by a freed block is")
        }
        ChoiceKind::Alignment => {
            format!("{during}, the {nth} block is aligned to no more than was asked for")
        }
        ChoiceKind::WeakCas => {
            format!("{during}, the {nth} weak compare-exchange fails for nothing")
        }
        ChoiceKind::Wake => format!("{during}, the {nth} futex wait ends though nobody woke it"),
        ChoiceKind::Stall => format!(
            "{during}, the thread stalls after {choice} schedule points until no other can go on"
        ),
        ChoiceKind::Force => format!("before {during}, {}", forced(faults, choice)),
        ChoiceKind::Delay => {
            format!(
                "{during}, what may be put off is so for the {nth} time: a visitor stays, or reclamation is not driven"
            )
        }
        ChoiceKind::Exit => format!("thread {} {}", decision.thread, exit(choice)),
        ChoiceKind::Cancel => format!("{during}, the future is dropped at its {nth} wait"),
    })
}

/// The operation: `in "insert 3" of thread 1`.
fn during(scenario: &Scenario, thread: u32, label: u32) -> String {
    match scenario.operation(label) {
        Some(operation) if operation.thread.is_some() => {
            format!("in `{}` of thread {thread}", operation.text)
        }
        Some(operation) => format!("in `{}` of {}", operation.text, operation.role),
        None if thread == 0 => "outside of operations".to_owned(),
        None => format!("outside of operations of thread {thread}"),
    }
}

fn nth(n: u64) -> String {
    let suffix = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

fn forced(faults: &[Fault], choice: u32) -> &'static str {
    match fault::nth_forced(faults, choice) {
        Some(Fault::ForcedGrowth) => "the map is made to grow",
        Some(Fault::ForcedShrink) => "the map is made to shrink",
        _ => "reclamation is driven",
    }
}

fn exit(choice: u32) -> &'static str {
    match choice {
        1 => "ends with a guard that it has left behind",
        2 => "iterates when its thread-local variables are destroyed, after the map's own",
        _ => "iterates when its thread-local variables are destroyed, before the map's own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::WIDTH;

    fn told(decisions: &str) -> String {
        let mut repro = crate::repro::tests::repro();
        repro.scenario = crate::report::tests::scenario();
        repro.faults = vec![Fault::ForcedShrink, Fault::ForcedReclaim];
        repro.decisions = decisions.parse().unwrap();
        section(&repro)
    }

    #[test]
    fn a_fault_is_told_by_its_operation_and_its_number_there() {
        let text = told("1@7>2 panic:1@2.2=1 force:2@3.0=2 exit:1@0.0=1");
        assert!(text.starts_with("  injected:   in `"), "{text}");
        assert!(text.contains("the 3rd callback that may panic does"), "{text}");
        assert!(
            text.contains("reclamation is driven") && text.contains("has left behind"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn what_is_no_fault_is_not_told() {
        assert_eq!(told("1@7>2 data:0@0=1 suspend:0@0=9"), "");
    }

    #[test]
    fn numbers_are_told_as_people_do() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(nth).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 112th"
        );
    }
}
