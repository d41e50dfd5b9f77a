//! The command line, and the settings that travel to runners as variables.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;

use arbitrary::Unstructured;
use cargo_mapcheck::fuzzing::{self, Asked};
use mapcheck::{Settings, scheduler};

use super::{Bytes, assert_fragment, number, one_in, one_of, some};

/// Words that mean something to the command, and values that mean something to a setting.
const WORDS: [&str; 59] = [
    "mapcheck",
    "list",
    "check",
    "test",
    "replay",
    "shrink",
    "review",
    "faults",
    "matrix",
    "bench",
    "help",
    "--help",
    "--version",
    "--",
    "--executions",
    "--time",
    "--seed",
    "--workers",
    "--out",
    "--format",
    "--scenario",
    "--scheduler",
    "--engine",
    "--fault",
    "--bound",
    "--shard",
    "--threads",
    "--steps",
    "--patience",
    "--obstruction-freedom",
    "--accept-race",
    "--keep-going",
    "--resume",
    "--add",
    "--known",
    "--times",
    "--corpus",
    "--accept",
    "--reject",
    "--because",
    "--html",
    "--seeds",
    "dashmap",
    "json",
    "text",
    "pct",
    "portfolio",
    "native",
    "loom",
    "all",
    "panics,address-reuse",
    "2/8",
    "30s",
    "0ms",
    "a.toml",
    "18446744073709551615h",
    "a,",
    ",",
    "",
];

/// Reads the bytes as a command line, and as the values of variables.
pub fn flags(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    if one_in(3, &mut bytes) {
        from_variables(&mut bytes);
    } else {
        let mut words = some(12, &mut bytes, word);
        if one_in(2, &mut bytes) {
            words.splice(0..0, ["cargo-mapcheck", "check", "dashmap"].map(OsString::from));
        }
        command_line(words);
    }
}

/// A word: one that means something, a number, an option with a value, or any bytes but zeros, of which no process gets
/// any.
fn word(bytes: Bytes<'_, '_>) -> OsString {
    match bytes.int_in_range(0..=7).unwrap_or_default() {
        0..=3 => one_of(&WORDS, bytes).into(),
        4 => number(bytes).to_string().into(),
        5 => format!("{}={}", one_of(&WORDS, bytes), number(bytes)).into(),
        6 => {
            format!("{}{}", number(bytes), one_of(&["ms", "s", "m", "h", "/3", "d"], bytes)).into()
        }
        _ => {
            let any: Vec<u8> = bytes.arbitrary().unwrap_or_default();
            OsString::from_vec(any.into_iter().filter(|byte| *byte != 0).collect())
        }
    }
}

/// Reads a command line.
pub(super) fn command_line(words: Vec<OsString>) {
    match fuzzing::arguments(words.clone()) {
        Asked::Said(text, code) => said(&text, code),
        Asked::Test(rest) => {
            assert!(words.ends_with(&rest), "{rest:?} of {words:?}");
            assert_eq!(words[words.len() - rest.len() - 1], "test", "{rest:?} of {words:?}");
        }
        Asked::Run(variables) => handed_on(&variables),
    }
}

/// What is said instead of doing anything is a usage error with a message, or what was asked for.
fn said(text: &str, code: i32) {
    assert!(!text.trim().is_empty());
    match code {
        0 => assert!(!text.starts_with("error: "), "{text}"),
        1 => assert!(text.starts_with("error: ") || text.contains("Usage: "), "{text}"),
        code => panic!("code {code}: {text}"),
    }
}

/// What the command hands on, runners understand, or they say which variable they do not.
fn handed_on(variables: &[(OsString, OsString)]) {
    let value = |name: &str| variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let settings = match Settings::default().overridden_by(&value) {
        Ok(settings) => settings,
        Err(error) => {
            let name = error.split(':').next().unwrap_or_default();
            assert!(value(name).is_some(), "{error}");
            // The command has checked these, and builds for minutes before a runner does.
            let checked =
                ["EXECUTIONS", "TIME", "SEED", "BOUND", "STEPS", "PATIENCE", "WORKERS", "FORMAT"];
            let checked = checked.map(|name| format!("MAPCHECK_{name}"));
            assert!(!checked.iter().any(|checked| checked == name), "{error}");
            return assert_fragment(&error, "MAPCHECK_");
        }
    };
    sane(&settings);
    let number = |name| value(name).and_then(|v: OsString| v.to_str()?.parse::<u64>().ok());
    assert_eq!(number("MAPCHECK_SEED").unwrap_or(0), settings.seed);
    assert_eq!(number("MAPCHECK_BOUND"), settings.bound);
    if let Some(executions) = number("MAPCHECK_EXECUTIONS") {
        assert_eq!((executions, true), (settings.executions, settings.counted));
    }
    if let Some(out) = value("MAPCHECK_OUT") {
        assert_eq!(settings.out.as_os_str(), out);
    }
}

/// What every setting keeps to.
fn sane(settings: &Settings) {
    assert!((1..=1024).contains(&settings.workers));
    assert!(settings.threads.is_none_or(|n| (1..=64).contains(&n)));
    assert!(1 <= settings.shard.0 && settings.shard.0 <= settings.shard.1);
    assert!(settings.max_steps > 0 && settings.patience > 0);
    assert!(scheduler::NAMES.iter().any(|name| name.0 == settings.scheduler));
    // What is in every name would accept every race.
    assert!(settings.accept_races.iter().all(|name| !name.is_empty()));
    assert!(settings.known.iter().all(|folder| folder.as_os_str() != OsStr::new("")));
}

/// Reads variables of which each has any value, or none.
fn from_variables(bytes: Bytes<'_, '_>) {
    let bytes = RefCell::new(bytes);
    let asked = RefCell::new(String::new());
    let variable = |name: &str| {
        *asked.borrow_mut() = name.to_owned();
        let bytes = &mut **bytes.borrow_mut();
        one_in(4, bytes).then(|| word(bytes))
    };
    match Settings::default().overridden_by(&variable) {
        Ok(settings) => sane(&settings),
        Err(error) => assert_fragment(&error, &format!("{}: `", asked.borrow())),
    }
}
