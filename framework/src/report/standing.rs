//! Where the threads of an execution stand that gets nowhere, and who waits for whom.

use mapcheck_machine::{Fact, Repeated, Stamp, Waiting, WaitsFor};

use super::{Diagnosis, places, push_places, push_wrapped};
use crate::oracle::{self, Edge, Touch, Why};

/// Columns that a line about a thread is indented by, below its first.
const INDENT: &str = "             ";

impl Diagnosis<'_> {
    /// The threads that have not ended, where the finding is about them.
    pub(super) fn standing(&self) -> &[Waiting] {
        match &self.found.fact {
            Fact::Deadlock { waiting } => waiting,
            Fact::Livelock { threads, .. } | Fact::Obstructed { threads, .. } => threads,
            _ => &[],
        }
    }

    /// Who waits for whom, as far as the trace tells.
    pub(super) fn edges(&self) -> Vec<Edge> {
        self.trace.map_or_else(Vec::new, |trace| trace.wait_for.edges(self.standing()))
    }

    /// A sentence for each thread that waits.
    pub(super) fn waits(&self) -> Vec<String> {
        let all = self.standing().iter().zip(self.edges());
        let waiting = all.filter(|(w, _)| w.on != WaitsFor::Nothing);
        let sentence = |(w, edge): (&Waiting, Edge)| {
            let (doing, what) = (self.doing(w), self.what_for(w, Some(&edge)));
            let comma = if doing.contains('`') { "," } else { "" };
            format!("{doing}{comma} waits {what}")
        };
        waiting.map(sentence).collect()
    }

    fn doing(&self, waiting: &Waiting) -> String {
        let (role, operation) = self.who(&oracle::stamp(waiting));
        operation.map_or(role.clone(), |o| format!("{role}, in `{o}`"))
    }

    /// The thread and its operation, for a headline.
    pub(super) fn named(&self, at: &Stamp) -> String {
        let name = self.thread_name(at.thread);
        let operation = self.scenario.operation(at.label);
        operation.map_or(name.clone(), |o| format!("{name} in `{}`", o.text))
    }

    /// What a thread waits for, a fragment.
    fn what_for(&self, waiting: &Waiting, edge: Option<&Edge>) -> String {
        let by = |touches: &[Touch], verb: &str| {
            let all = touches.iter().map(|t| self.touch(t, waiting, verb));
            all.collect::<Vec<_>>().join(" and ")
        };
        match (waiting.on, edge.map(|e| &e.why)) {
            (WaitsFor::Nothing, _) => String::new(),
            (WaitsFor::End(thread), _) => format!("for the end of thread {thread}"),
            (WaitsFor::Time, _) => "for time to pass".to_owned(),
            (_, Some(Why::Taken(word, taken))) if taken.iter().all(|t| t.sure) => {
                format!("for the lock at {word:#x}, which {}", by(taken, "took"))
            }
            (_, Some(Why::Taken(word, taken))) => {
                format!("on the word at {word:#x}, last changed by {}", by(taken, ""))
            }
            (WaitsFor::Futex(addr), Some(Why::Parked(word, last))) => format!(
                "parked (futex at {addr:#x}); it looked last at the word at {word:#x}, last changed by {}",
                by(last, "")
            ),
            (WaitsFor::Futex(addr), Some(Why::Lost(others))) if !others.is_empty() => format!(
                "for a lock or condition (futex at {addr:#x}) that nobody is seen to have taken; last touched by {}",
                by(others, "")
            ),
            (WaitsFor::Futex(addr), _) => format!("for a lock or condition (futex at {addr:#x})"),
        }
    }

    /// Who did something to a word, in which operation, where, and whether it has ended since.
    fn touch(&self, touch: &Touch, waiting: &Waiting, verb: &str) -> String {
        let thread = touch.at.thread;
        let mut text = match (thread == waiting.thread, verb) {
            (true, "") => "itself".to_owned(),
            (true, verb) => format!("it {verb} itself"),
            (false, verb) => format!("{} {verb}", self.thread_name(thread)).trim_end().to_owned(),
        };
        if let Some(operation) = self.scenario.operation(touch.at.label) {
            text += &format!(" in `{}`", operation.text);
        }
        if let Some(place) = self.site(&places(&touch.stack)) {
            text += &format!(" ({place})");
        }
        if self.standing().iter().all(|w| w.thread != thread) {
            text += if verb == "took" {
                " and never gave back: it has ended"
            } else {
                ", which has ended"
            };
        }
        text
    }

    /// Tells where each thread stands.
    pub(super) fn threads_stand(&self, out: &mut String) {
        let edges = self.edges();
        for (i, waiting) in self.standing().iter().enumerate() {
            let verb = match (&self.found.fact, waiting.on) {
                (Fact::Obstructed { stalled: Some(t), .. }, _) if *t == waiting.thread => "stalled",
                (Fact::Obstructed { thread, stalled: None, .. }, _)
                    if *thread == waiting.thread =>
                {
                    "alone"
                }
                (Fact::Obstructed { stalled: None, .. }, on) if !matches!(on, WaitsFor::End(_)) => {
                    "suspended"
                }
                (_, WaitsFor::Nothing) => "goes on",
                _ => "waits",
            };
            let what = self.what_for(waiting, edges.get(i));
            let comma = if what.is_empty() { "" } else { ", " };
            let line = format!("{}{comma}{what}", self.doing(waiting));
            push_wrapped(out, &format!("  {verb:<10} "), &line, INDENT);
            if !waiting.joins() {
                push_places(out, &places(&waiting.stack));
            }
            self.again_and_again(out, waiting);
        }
    }

    /// What a thread of a livelock did most often.
    fn again_and_again(&self, out: &mut String, waiting: &Waiting) {
        let Fact::Livelock { repeated, .. } = &self.found.fact else { return };
        let Some(most) = repeated.iter().find(|r| r.thread == waiting.thread) else { return };
        let Repeated { access, times, block, .. } = most;
        let verb = oracle::verb_of(access.kind);
        let plural = if access.size == 1 { "" } else { "s" };
        let mut words =
            format!("{verb} the {} byte{plural} at {:#x} {times} times", access.size, access.addr);
        if let Some(block) = block {
            let (role, operation) = self.who(&block.alloc);
            let operation = operation.map_or_else(String::new, |o| format!(" in `{o}`"));
            let at = access.addr.wrapping_sub(block.addr);
            words += &format!(
                ", {at} into a block of {} bytes that {role} allocated{operation}",
                block.size
            );
        }
        push_wrapped(out, "  again      ", &words, INDENT);
    }
}
