//! The schedule of an execution as a table: a column a thread, time downwards, the preemptions marked.

use std::fmt::Write as _;

use mapcheck_machine::{Event, Observer, Reason, ThreadId};

use crate::oracle::WaitFor;
use crate::scenario::Scenario;

/// Columns of text that a report may take.
pub(crate) const WIDTH: usize = 100;
/// Rows shown from the end of a long schedule.
const ROWS: usize = 60;
/// Threads that get a column; the execution may have more.
const COLUMNS: usize = 6;

/// Keeps of a recorded execution what its report tells.
#[derive(Default)]
pub(crate) struct Trace {
    events: Vec<Event>,
    /// Who waits for whom.
    pub wait_for: WaitFor,
    /// Switches that left a thread which could have gone on.
    pub preemptions: u64,
}

impl Observer for Trace {
    fn event(&mut self, event: &Event) {
        self.wait_for.event(event);
        match event {
            // Too many to keep, and no row tells of one.
            Event::Step { .. } | Event::Change { .. } => {}
            Event::Switch { reason: Reason::Point, .. } => {
                self.preemptions += 1;
                self.events.push(event.clone());
            }
            other => self.events.push(other.clone()),
        }
    }
}

/// What happened to a thread, told in its column.
struct Row {
    thread: ThreadId,
    text: String,
}

/// Turns events into rows.
struct Teller<'a> {
    scenario: &'a Scenario,
    /// The address of the block that the finding is about; 0 for none.
    block: usize,
    /// What each thread is doing, by thread.
    doing: Vec<String>,
    /// Whether a thread goes on after a switch and has no row yet.
    resumed: bool,
    /// The step of the last switch.
    since: u64,
    rows: Vec<Row>,
}

impl Teller<'_> {
    fn push(&mut self, thread: ThreadId, text: impl Into<String>) {
        self.rows.push(Row { thread, text: text.into() });
        self.resumed = false;
    }

    fn doing(&mut self, thread: ThreadId) -> &mut String {
        let thread = thread as usize;
        if self.doing.len() <= thread {
            self.doing.resize(thread + 1, String::new());
        }
        &mut self.doing[thread]
    }

    /// Tells that a thread goes on with what it was doing, where nothing else has told that it runs.
    fn told(&mut self, thread: ThreadId) {
        if self.resumed {
            let doing = self.doing(thread).clone();
            let text =
                if doing.is_empty() { "(goes on)".to_owned() } else { format!(".. {doing}") };
            self.push(thread, text);
        }
    }

    fn event(&mut self, event: &Event) {
        match *event {
            Event::Label { at } => {
                let text = self.scenario.operation(at.label).map_or_else(String::new, |o| o.text);
                if !text.is_empty() && at.label > 0 {
                    self.push(at.thread, text.clone());
                }
                *self.doing(at.thread) = text;
            }
            Event::Switch { from, to: _, step, reason } => {
                self.told(from);
                let ran = step - self.since;
                if reason == Reason::Point {
                    self.push(from, format!("! after {}", steps(ran)));
                } else if !self.doing(from).is_empty() && reason == Reason::Blocked {
                    self.push(from, "waits");
                }
                self.since = step;
                self.resumed = true;
            }
            Event::Alloc { at, addr, .. } if addr == self.block => {
                self.told(at.thread);
                self.push(at.thread, "+ allocates it");
            }
            Event::Free { at, addr } if addr == self.block => {
                self.told(at.thread);
                self.push(at.thread, "- frees it");
            }
            _ => {}
        }
    }
}

fn steps(n: u64) -> String {
    format!("{n} step{}", if n == 1 { "" } else { "s" })
}

/// The table. `end` is the last row: which thread, and what was found. `names` are the threads'.
pub(crate) fn table(
    trace: &Trace,
    scenario: &Scenario,
    names: &[String],
    block: usize,
    end: (ThreadId, String),
) -> String {
    let mut teller =
        Teller { scenario, block, doing: Vec::new(), resumed: false, since: 0, rows: Vec::new() };
    trace.events.iter().for_each(|event| teller.event(event));
    teller.told(end.0);
    teller.push(end.0, end.1);
    render(&teller.rows, names)
}

fn render(rows: &[Row], names: &[String]) -> String {
    let columns = names.len().clamp(1, COLUMNS);
    let width = (WIDTH - 3) / columns - 3;
    let mut out = String::new();
    let mut line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|c| cell(c, width)).collect();
        // Writing to a string does not fail.
        let _ = writeln!(out, "  | {} |", cells.join(" | "));
    };
    line(&names[..columns.min(names.len())]);
    let hidden = rows.len().saturating_sub(ROWS);
    if hidden > 0 {
        let mut cells = vec![String::new(); columns];
        cells[0] = format!("({hidden} rows not shown)");
        line(&cells);
    }
    for row in &rows[hidden..] {
        let mut cells = vec![String::new(); columns];
        let column = (row.thread as usize).min(columns - 1);
        cells[column] = row.text.clone();
        line(&cells);
    }
    out
}

/// The text, cut or padded to a width in characters.
fn cell(text: &str, width: usize) -> String {
    if text.chars().count() > width {
        let cut: String = text.chars().take(width.saturating_sub(2)).collect();
        return format!("{cut}..");
    }
    format!("{text:<width$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::scenario;
    use mapcheck_machine::Stamp;

    fn stamp(thread: ThreadId, label: u32, step: u64) -> Stamp {
        Stamp { thread, label, step }
    }

    #[test]
    fn a_thread_has_a_column_and_a_preemption_a_mark() {
        let mut trace = Trace::default();
        let switch = |from, to, step, reason| Event::Switch { from, to, step, reason };
        for event in [
            Event::Label { at: stamp(0, 1, 0) },
            Event::Alloc { at: stamp(0, 1, 4), addr: 64, size: 8 },
            switch(0, 1, 9, Reason::Blocked),
            Event::Label { at: stamp(1, 2, 9) },
            switch(1, 2, 12, Reason::Point),
            Event::Label { at: stamp(2, 3, 12) },
            Event::Free { at: stamp(2, 3, 15), addr: 64 },
            switch(2, 1, 20, Reason::Blocked),
        ] {
            trace.event(&event);
        }
        assert_eq!(trace.preemptions, 1);
        let names = ["setup", "1: iterator", "2: remover"].map(str::to_owned);
        let table = table(&trace, &scenario(), &names, 64, (1, "x read 8 bytes".into()));
        let rows: Vec<String> = table
            .lines()
            .map(|l| l.split('|').map(str::trim).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(
            rows,
            [
                "|setup|1: iterator|2: remover|",
                "|insert 0..8|||",
                "|+ allocates it|||",
                "|waits|||",
                "||iterate||",
                "||! after 3 steps||",
                "|||remove 3|",
                "|||- frees it|",
                "|||waits|",
                "||.. iterate||",
                "||x read 8 bytes||",
            ]
        );
        assert!(table.lines().all(|l| l.chars().count() <= WIDTH));
    }

    #[test]
    fn a_long_schedule_shows_its_end() {
        let row = |i: usize| Row { thread: 0, text: i.to_string() };
        let table = render(&(0..500).map(row).collect::<Vec<_>>(), &["a".to_owned()]);
        assert_eq!(table.lines().count(), ROWS + 2);
        assert!(table.contains("(440 rows not shown)") && table.contains("| 499"));
    }
}
