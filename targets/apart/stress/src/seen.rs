//! What an attempt showed, from its exit status and from what it wrote.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use crate::FOUND;

/// What an attempt has written so far, judged line by line.
#[derive(Default)]
pub struct Seen {
    /// What was found, first of all.
    what: Option<String>,
    /// Data races that ThreadSanitizer reported.
    pub races: u64,
    /// Where the first of them is: the innermost frames of both sides.
    pub first_race: String,
    /// What the frames that follow belong to.
    reading: Reading,
    frames: usize,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Reading {
    #[default]
    Nothing,
    Finding,
    FirstRace,
}

/// Frames of a stack that are told, besides those of the sanitizer itself.
const FRAMES: usize = 2;

impl Seen {
    /// Looks at another line.
    pub fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(report) = report(line) {
            self.begin(report);
        } else if let Some(frame) = frame(line) {
            self.frame(&frame);
        } else if is_side(line) {
            self.frames = 0;
        } else if OWN.iter().any(|start| line.starts_with(start)) || line.contains("panicked at") {
            self.what.get_or_insert_with(|| line.to_owned());
        }
    }

    fn begin(&mut self, report: &str) {
        self.frames = 0;
        self.reading = Reading::Nothing;
        if report.contains("data race") {
            self.races += 1;
            if self.races == 1 {
                self.reading = Reading::FirstRace;
            }
        } else if self.what.is_none() {
            self.what = Some(report.to_owned());
            self.reading = Reading::Finding;
        }
    }

    fn frame(&mut self, frame: &str) {
        self.frames += 1;
        let text = match self.reading {
            Reading::Nothing => return,
            Reading::Finding => self.what.get_or_insert_default(),
            Reading::FirstRace => &mut self.first_race,
        };
        if self.frames <= FRAMES {
            let between = if text.is_empty() { "" } else { "; " };
            text.push_str(between);
            text.push_str(frame);
        }
    }

    /// Whether there is nothing to wait for.
    pub fn is_done(&self) -> bool {
        self.what.is_some() && self.frames >= 3 * FRAMES
    }

    /// What was found, once the process has ended.
    pub fn found(&self, status: ExitStatus) -> Option<String> {
        let ended = match (status.signal(), status.code()) {
            (Some(signal), _) => Some(format!("signal {signal}")),
            (_, Some(0 | 66)) => None,
            (_, Some(FOUND)) => Some("it ended".to_owned()),
            (_, code) => Some(format!("exit code {}", code.unwrap_or(-1))),
        };
        self.what.clone().or(ended)
    }
}

/// How lines begin that this program writes when it finds something.
const OWN: [&str; 3] = ["canary: ", "contract: ", "hang: "];

/// The first line of a sanitizer's report, without numbers of processes and addresses.
fn report(line: &str) -> Option<&str> {
    let begin =
        ["AddressSanitizer: ", "ThreadSanitizer: ", "AddressSanitizer:", "ThreadSanitizer:"];
    let is_one =
        line.contains("ERROR: ") || line.starts_with("WARNING: ") || line.contains("DEADLYSIGNAL");
    if !is_one || line.contains("SUMMARY") {
        return None;
    }
    let at = begin.iter().find_map(|word| line.find(word))?;
    let report = &line[at..];
    let end =
        [" on address", " on unknown", " (pid="].iter().filter_map(|word| report.find(word)).min();
    Some(&report[..end.unwrap_or(report.len())])
}

/// Whether a line begins another stack of the same report.
fn is_side(line: &str) -> bool {
    ["Previous ", "READ ", "WRITE ", "Read ", "Write ", "freed by", "previously "]
        .iter()
        .any(|word| line.starts_with(word))
}

/// A frame of code that is not the sanitizer's or the standard library's: its function, and the file with the line.
fn frame(line: &str) -> Option<String> {
    let rest = line.strip_prefix('#')?.split_once(' ')?.1;
    let rest = rest.split_once(" in ").map_or(rest, |(_, rest)| rest);
    let (function, place) =
        rest.rsplit_once(" /").map_or((rest, ""), |(function, place)| (function, place));
    let place = place.split(" (").next().unwrap_or("");
    let foreign = ["library/", "sanitizer", "interceptor", "rustlib"];
    if place.is_empty() || foreign.iter().any(|word| place.contains(word)) {
        return None;
    }
    // The last three parts of the path name the crate, the folder and the file.
    let parts: Vec<&str> = place.rsplit('/').take(3).collect();
    let short: Vec<&str> = parts.into_iter().rev().collect();
    let function = function.split("::<").next().unwrap_or(function);
    let function = function.rsplit("::").next().unwrap_or(function);
    Some(format!("{function} {}", short.join("/")))
}
