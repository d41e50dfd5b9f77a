//! What mapcheck reads back of what it has written, for those who fuzz it. Each of these is private otherwise: nobody
//! else has a use for it, and it may change with the files.

use std::collections::BTreeMap;

pub use crate::campaign::line::Field;

use crate::campaign::journal;
use crate::campaign::line::Line;
use crate::decision::Replayer;
use crate::report::{Finding, Object};
use crate::repro::Repro;
use crate::scenario::{Op, Scenario};
use crate::text::{self, Writer};
use crate::worker;

/// The line of a flat object.
pub fn written(fields: &[(String, Field)]) -> String {
    let add = |object: Object, (key, field): &(String, Field)| match field {
        Field::Text(text) => object.text(key, text),
        Field::Number(number) => object.number(key, *number),
        Field::Flag(flag) => object.flag(key, *flag),
        Field::Texts(texts) => object.texts(key, texts),
    };
    fields.iter().fold(Object::default(), add).line()
}

/// What a line is read as; `None` where it is none.
pub fn line(text: &str) -> Option<BTreeMap<String, Field>> {
    Line::read(text).map(|line| line.0)
}

/// How many jobs, findings and repros the text of a journal tells of.
///
/// # Errors
/// A fragment that goes on after the file's name.
pub fn journal(text: &str) -> Result<[usize; 3], &'static str> {
    journal::told_by(text)
}

/// Whether a line of a journal, written anew as it was understood, is understood the same; `None` where it is not.
pub fn journal_line_reads_back(line: &str) -> Option<bool> {
    journal::reads_back(line)
}

/// Whether a finding, written anew, is read the same.
///
/// # Errors
/// A fragment that says what is wrong with it.
pub fn finding_reads_back(text: &str) -> Result<bool, String> {
    let finding = text::parse(text, Finding::read)?;
    let mut to = Writer::default();
    finding.write(&mut to);
    Ok(text::parse(&to.0, Finding::read).as_ref() == Ok(&finding))
}

/// Does with a repro what replaying and shrinking do before the first execution.
pub fn prepare(repro: &Repro) {
    if let Some(history) = &repro.history {
        worker::recall(history, &repro.faults);
    }
    drop(Replayer::new(&repro.decisions));
    measure(&repro.scenario);
}

/// Does with a scenario what showing and shrinking do with it.
fn measure(scenario: &Scenario) {
    for label in 0..=scenario.last_label() {
        drop(scenario.operation(label));
    }
    let threads = scenario.threads.iter();
    for op in threads.flatten().chain(&scenario.setup).chain(&scenario.teardown) {
        measure_operation(op);
    }
}

fn measure_operation(op: &Op) {
    let size = |op: &Op| (op.keys(), op.complexity(), op.numbers());
    for smaller in op.smaller() {
        assert!(size(&smaller) < size(op), "`{smaller}` is not smaller than `{op}`");
        assert_eq!(smaller.to_string().parse().as_ref(), Ok(&smaller), "a repro could not hold it");
    }
}
