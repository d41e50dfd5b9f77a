//! Lines of JSON, which mapcheck writes, and reads back from journals, summaries and runners.

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use cargo_mapcheck::fuzzing;
use mapcheck::parsers::{self, Field};
use serde_json::{Map, Value, json};

use super::{Bytes, number, one_in, one_of, some, text};

/// Writes lines of what the bytes say, and reads the bytes as lines.
pub fn json(bytes: &[u8]) {
    read(bytes);
    let mut bytes = Unstructured::new(bytes);
    let fields = some(6, &mut bytes, field);
    written(&fields);
    let lines = some(4, &mut bytes, |bytes| line(bytes).to_string());
    read(lines.join("\n").as_bytes());
}

/// Reads lines, which may be anything.
pub(super) fn read(lines: &[u8]) {
    let shown = String::from_utf8_lossy(lines);
    let told = fuzzing::lines(lines);
    // A matrix has a cell for each target and each pattern that any line has; all else is as long as what was read, but
    // for what pages have in any case.
    let empty = fuzzing::lines(b"").len();
    let cells = lines.split(|byte| *byte == b'\n').count().pow(2);
    let allowed = empty + 2000 + 100 * cells + 400 * lines.len();
    assert!(told.len() <= allowed, "{} bytes of {}", told.len(), lines.len());
    let _ = parsers::journal(&shown);
    for line in shown.lines() {
        assert_ne!(parsers::journal_line_reads_back(line), Some(false), "{line}");
        if let Some(read) = parsers::line(line) {
            // What ours takes for a line is one.
            assert_eq!(serde_json::from_str(line).ok(), Some(as_json(read)), "{line:?}");
        }
    }
}

/// Whatever is written in a line, all readers read the same back.
pub(super) fn written(fields: &[(String, Field)]) {
    let line = parsers::written(fields);
    assert!(!line.contains(|c| c < ' '), "{line:?} is not one line");
    let wanted: BTreeMap<String, Field> = fields.iter().cloned().collect();
    assert_eq!(parsers::line(&line).as_ref(), Some(&wanted), "{line}");
    let read: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
    assert_eq!(read, as_json(wanted), "{line}");
}

fn as_json(fields: BTreeMap<String, Field>) -> Value {
    let value = |field| match field {
        Field::Text(text) => json!(text),
        Field::Number(number) => json!(number),
        Field::Flag(flag) => json!(flag),
        Field::Texts(texts) => json!(texts),
    };
    Value::Object(fields.into_iter().map(|(key, field)| (key, value(field))).collect())
}

fn field(bytes: Bytes<'_, '_>) -> (String, Field) {
    let field = match bytes.int_in_range(0..=3).unwrap_or_default() {
        0 => Field::Text(text(bytes)),
        1 => Field::Number(number(bytes)),
        2 => Field::Flag(one_in(2, bytes)),
        _ => Field::Texts(some(3, bytes, text)),
    };
    (text(bytes), field)
}

/// Keys that some reader looks for.
const KEYS: [&str; 58] = [
    "type",
    "target",
    "targets",
    "executions",
    "goal",
    "wall_ms",
    "time_ms",
    "findings",
    "known",
    "interrupted",
    "accepted_races",
    "schedule_points",
    "interleavings",
    "news",
    "remaining",
    "exhausted",
    "fault",
    "scenario",
    "terminates",
    "complete",
    "consistent",
    "pointer",
    "found",
    "expected",
    "as_expected",
    "engine",
    "note",
    "name",
    "class",
    "operations",
    "decisions",
    "execution",
    "finding",
    "repro",
    "message",
    "order",
    "first",
    "count",
    "outcome",
    "points",
    "switches",
    "freed",
    "outlived",
    "unjudged",
    "accepted",
    "said",
    "learnt",
    "cpu_ms",
    "number",
    "site",
    "replay",
    "notes",
    "shrunk",
    "format",
    "settings",
    "mapcheck",
    "strange",
    "",
];

/// Values that some reader looks for.
const VALUES: [&str; 18] = [
    "summary",
    "progress",
    "fault",
    "finding",
    "cell",
    "job",
    "told",
    "saved",
    "end",
    "campaign",
    "finished",
    "spent",
    "found",
    " | ",
    "1 2 | 3",
    "1@2>3",
    "",
    "out/t/a.toml",
];

/// A finding as a journal has it, which any line of it may lack.
const FINDING: [&str; 16] = [
    "class = \"crash\"",
    "message = \"m\"",
    "site = \"a:1\"",
    "report = \"r\"",
    "threads = 2",
    "operations = 1",
    "preemptions = 0",
    "waits = [\"w\"]",
    "left-behind = 1",
    "order = []",
    "inflection = \"\"",
    "race-low = 1",
    "race-high = \"18446744073709551615\"",
    "earlier-step = 7",
    "earlier-site = \"b:2\"",
    "functions = [\"f\"]",
];

/// An object as runners and journals have them.
fn line(bytes: Bytes<'_, '_>) -> Value {
    let mut line = Map::new();
    match bytes.int_in_range(0..=3).unwrap_or_default() {
        0 => for_job(&mut line),
        1 => for_telling(&mut line),
        _ => {}
    }
    for (key, value) in some(8, bytes, |bytes| (one_of(&KEYS, bytes).to_owned(), value(bytes))) {
        line.insert(key, value);
    }
    Value::Object(line)
}

fn numbers(line: &mut Map<String, Value>, keys: &[&str]) {
    keys.iter().for_each(|key| drop(line.insert((*key).to_owned(), json!(1))));
}

fn for_job(line: &mut Map<String, Value>) {
    line.extend([("type".to_owned(), json!("job"))]);
    let words = [("outcome", "found"), ("said", ""), ("learnt", "1 | 2"), ("interleavings", "3")];
    line.extend(words.map(|(key, value)| (key.to_owned(), json!(value))));
    line.insert("finding".to_owned(), json!(FINDING.join("\n")));
    let counts = [
        "order",
        "first",
        "count",
        "execution",
        "executions",
        "points",
        "switches",
        "freed",
        "outlived",
    ];
    numbers(line, &counts);
    numbers(line, &["unjudged", "accepted", "wall_ms", "cpu_ms"]);
}

fn for_telling(line: &mut Map<String, Value>) {
    line.extend([("type".to_owned(), json!("told")), ("notes".to_owned(), json!(["n"]))]);
    let words = ["scenario", "repro", "replay"].map(|key| (key.to_owned(), json!(key)));
    line.extend(words);
    line.insert("finding".to_owned(), json!(FINDING.join("\n")));
    numbers(line, &["order", "execution", "number", "cpu_ms", "wall_ms", "decisions"]);
}

fn value(bytes: Bytes<'_, '_>) -> Value {
    match bytes.int_in_range(0..=9).unwrap_or_default() {
        0..=2 => json!(number(bytes)),
        3 => json!(one_of(&VALUES, bytes)),
        4 => json!(one_in(2, bytes)),
        5 => json!(some(3, bytes, |bytes| one_of(&VALUES, bytes))),
        6 => json!(bytes.arbitrary::<f64>().unwrap_or_default()),
        7 => json!(text(bytes)),
        8 => json!(some(16, bytes, |bytes| one_of(&FINDING, bytes)).join("\n")),
        _ => one_of(&[Value::Null, json!({"a": [1]})].each_ref(), bytes).clone(),
    }
}
