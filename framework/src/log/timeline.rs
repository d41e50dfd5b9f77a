//! The layer that makes notes of events and spans.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mapcheck_machine::{self as machine, Stamp};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;

use super::{Log, Note};
use crate::scenario::Scenario;

/// The fields that tell where one of the machine's own events stands.
pub(super) const THREAD: &str = "mapcheck.thread";
pub(super) const STEP: &str = "mapcheck.step";
pub(super) const LABEL: &str = "mapcheck.label";
/// What the targets of the machine's own events begin with.
const OWN: &str = "mapcheck::";
/// Columns that the name of an operation gets in the log.
const OPERATION: usize = 16;

/// Given back what it held before each execution, which is nothing.
static NOTES: Mutex<Vec<Note>> = Mutex::new(Vec::new());

/// See [`super::take_notes`].
pub(super) fn take() -> Vec<Note> {
    std::mem::take(&mut *locked(&NOTES))
}

/// What is under these locks is whole at any time.
fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A layer that puts the events of the map under test on the timeline of the execution: each becomes a [`Note`] that
/// says which virtual thread told it, and after how many steps. So does each entry into a span, and each exit.
///
/// mapcheck has one at work in each execution that it records. Events outside of executions are passed over.
///
/// ```
/// use mapcheck::log::{Timeline, take_notes};
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let subscriber = tracing_subscriber::registry().with(Timeline::default());
/// tracing::subscriber::with_default(subscriber, || tracing::info!("nobody runs this under a schedule"));
/// assert!(take_notes().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Timeline {
    /// What spans are called, by their numbers.
    spans: Mutex<BTreeMap<u64, Called>>,
    /// Where notes are printed, in the place of being kept.
    log: Option<Printer>,
}

/// What a span is called: its name, which the metadata has, and its fields.
#[derive(Debug)]
struct Called {
    metadata: &'static Metadata<'static>,
    fields: String,
}

/// Prints notes.
#[derive(Debug)]
struct Printer {
    filter: Targets,
    scenario: Scenario,
    out: File,
}

impl Timeline {
    /// One that prints what passes the filter, and keeps nothing. `None` if there is nothing to print to.
    pub(super) fn log(log: &Log<'_>, filter: Targets) -> Option<Timeline> {
        let (scenario, out) = (log.scenario.clone(), log.out.try_clone().ok()?);
        Some(Timeline { log: Some(Printer { filter, scenario, out }), ..Timeline::default() })
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        match &self.log {
            Some(printer) => printer.filter.would_enable(metadata.target(), metadata.level()),
            None => !metadata.target().starts_with(OWN),
        }
    }

    fn note(&self, at: Stamp, metadata: &Metadata<'_>, text: String) {
        let note = Note {
            thread: at.thread,
            step: at.step,
            label: at.label,
            level: name_of(*metadata.level()),
            target: metadata.target().to_owned(),
            text,
        };
        match &self.log {
            Some(printer) => printer.print(&note),
            None => locked(&NOTES).push(note),
        }
    }

    /// A span is entered or left.
    fn passes(&self, id: &Id, inwards: bool) {
        let spans = locked(&self.spans);
        if let (Some(called), Some(at)) = (spans.get(&id.into_u64()), machine::now()) {
            let Called { metadata, fields } = called;
            let name = metadata.name();
            let text = if inwards { format!("> {name}{fields}") } else { format!("< {name}") };
            self.note(at, metadata, text);
        }
    }
}

/// Outside of the execution, whoever calls.
fn outside(mut tell: impl FnMut()) {
    machine::outside(&mut tell);
}

impl<S: Subscriber> Layer<S> for Timeline {
    fn on_new_span(&self, span: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let metadata = span.metadata();
        if self.wants(metadata) {
            outside(|| {
                let fields = words(&mut |words| span.record(words)).text;
                locked(&self.spans).insert(id.into_u64(), Called { metadata, fields });
            });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        outside(|| {
            if let Some(called) = locked(&self.spans).get_mut(&id.into_u64()) {
                called.fields += &words(&mut |words| values.record(words)).text;
            }
        });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if self.wants(metadata) {
            outside(|| {
                let told = words(&mut |words| event.record(words));
                let own = metadata.target().starts_with(OWN);
                let at = if own { Some(told.at) } else { machine::now() };
                let text = told.text.trim_start().to_owned();
                at.into_iter().for_each(|at| self.note(at, metadata, text.clone()));
            });
        }
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        outside(|| self.passes(id, true));
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        outside(|| self.passes(id, false));
    }
}

impl Printer {
    /// A line. That nobody reads it is no reason to stop.
    fn print(&self, note: &Note) {
        let operation = self.scenario.operation(note.label).map_or_else(String::new, |o| o.text);
        let _ = (&self.out).write_all(line(note, &operation).as_bytes());
    }
}

/// `step 123  thread 1  iterate | my_map::raw: resize from=8 to=16`
fn line(note: &Note, operation: &str) -> String {
    let Note { step, thread, target, text, .. } = note;
    format!("step {step:<5} thread {thread}  {operation:<OPERATION$} | {target}: {text}\n")
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// The message and the fields, each with a space before it, in a line.
#[derive(Default)]
struct Words {
    text: String,
    /// Where one of the machine's own events says that it stands.
    at: Stamp,
}

/// What formatting gives. It is the map's code that formats; if it panics, that is not to end in the midst of this.
fn words(record: &mut dyn FnMut(&mut Words)) -> Words {
    let mut words = Words::default();
    if catch_unwind(AssertUnwindSafe(|| record(&mut words))).is_err() {
        words.text += " (a panic while this was formatted)";
    }
    words
}

impl Words {
    fn push(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let value = value.to_string().replace('\r', "\\r").replace('\n', "\\n");
        // Writing to a string does not fail. What came by way of the `log` crate has fields about that.
        let _ = match field.name() {
            "message" => write!(self.text, " {value}"),
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.text, " {name}={value}"),
        };
    }
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format_args!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            THREAD => self.at.thread = value as u32,
            STEP => self.at.step = value,
            LABEL => self.at.label = value as u32,
            _ => self.push(field, format_args!("{value}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.push(field, format_args!("{value}")),
            _ => self.push(field, format_args!("{value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_a_line_of_the_log() {
        let (target, text) = ("my_map::raw".to_owned(), "resize from=8 to=16".to_owned());
        let note = Note { thread: 1, step: 123, label: 2, level: "debug", target, text };
        let told = line(&note, "iterate");
        assert_eq!(
            told,
            "step 123   thread 1  iterate          | my_map::raw: resize from=8 to=16\n"
        );
    }

    #[test]
    fn formatting_that_panics_leaves_what_it_had_written() {
        let told = words(&mut |words| {
            words.text += " so far";
            std::panic::resume_unwind(Box::new(()));
        });
        assert_eq!(told.text, " so far (a panic while this was formatted)");
    }
}
