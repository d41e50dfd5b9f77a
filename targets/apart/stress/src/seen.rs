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
        } else if OWN.iter().any(|start| line.starts_with(start)) {
            self.what.get_or_insert_with(|| line.to_owned());
        } else if let Some((_, place)) = line.split_once("panicked at ") {
            self.what
                .get_or_insert_with(|| format!("panic: {}", short(place.trim_end_matches(':'))));
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
    let (function, place) = rest.rsplit_once(" /")?;
    let place = place.split(" (").next().unwrap_or(place);
    let foreign = ["library/", "compiler-rt", "rustlib"];
    if foreign.iter().any(|word| place.contains(word)) {
        return None;
    }
    let function = function.split(" (.llvm").next().unwrap_or(function);
    Some(format!("{} {}", last_name(function), short(place)))
}

/// A path from its crate on.
fn short(place: &str) -> String {
    if let Some((_, in_registry)) = place.split_once("registry/src/") {
        return in_registry.split_once('/').map_or(in_registry, |(_, path)| path).to_owned();
    }
    let mut parts: Vec<&str> = place.rsplit('/').take(3).collect();
    parts.reverse();
    parts.join("/")
}

/// The last part of a function's path, without what stands in angle brackets.
fn last_name(function: &str) -> String {
    let mut depth = 0_u32;
    let outside = function.chars().filter(|&c| {
        depth += u32::from(c == '<');
        let outside = depth == 0;
        depth = depth.saturating_sub(u32::from(c == '>'));
        outside
    });
    let outside: String = outside.collect();
    outside.rsplit("::").find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::{FOUND, Seen};

    fn seen(lines: &str) -> Seen {
        let mut seen = Seen::default();
        lines.lines().for_each(|line| seen.line(line));
        seen
    }

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_use_after_free_is_told_with_the_map_s_frames() {
        let seen = seen(
            "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x7c at pc 0x56\n\
             READ of size 8 at 0x7c thread T10\n    \
             #0 0x56 in atomic_load<u64> /rustc/e5/library/core/src/sync/atomic.rs:39:24\n    \
             #1 0x56 in <m::Map<K, V> as m::Get>::get::<u64> /x/registry/src/index/m-0.1.2/src/raw/mod.rs:14:31",
        );
        let what = seen.found(exited(1)).unwrap();
        assert_eq!(what, "AddressSanitizer: heap-use-after-free; get m-0.1.2/src/raw/mod.rs:14:31");
    }

    #[test]
    fn a_data_race_alone_is_no_finding() {
        let seen = seen(
            "WARNING: ThreadSanitizer: data race (pid=1)\n    #0 f<u64> /x/a/src/b.rs:1 (p+0x1)",
        );
        assert_eq!((seen.races, seen.first_race.as_str()), (1, "f a/src/b.rs:1"));
        // The exit code of a process in which ThreadSanitizer reported something.
        assert_eq!(seen.found(exited(66)), None);
    }

    #[test]
    fn what_this_program_finds_itself_is_a_finding() {
        let seen = seen("contract: an iteration showed an element twice");
        let what = seen.found(exited(FOUND)).unwrap();
        assert_eq!(what, "contract: an iteration showed an element twice");
    }

    #[test]
    fn a_signal_is_a_finding_and_a_quiet_end_is_none() {
        assert_eq!(Seen::default().found(ExitStatus::from_raw(11)).as_deref(), Some("signal 11"));
        assert_eq!(Seen::default().found(exited(0)), None);
    }
}
