//! Fuzzing with libFuzzer: its bytes are a scenario and decisions, its coverage is where threads communicated.
//!
//! libFuzzer keeps what it knows in globals and memory of its own process, which the machine restores before each
//! execution. So executions have a process of their own, which is handed each input, and hands back what it has shown.
//! What kills it is a finding like any other.
//!
//! A fuzz target for some maps is a file of three lines, see [`fuzz_maps!`](crate::fuzz_maps).

mod import;
mod input;
mod mutate;
mod serve;

use std::cell::RefCell;

use mapcheck_machine as machine;

pub(crate) use import::{import, is_for};
use input::Input;
use mutate::{Mutator, Spot};
use serve::Server;

use crate::campaign::Subject;
use crate::repro::Repro;
use crate::settings::Settings;
use crate::worker::State;
use crate::{Target, campaign, exit, runner};

/// Set to `0`, the fuzzer is not told where threads communicated, only which branches were taken.
pub const INTERLEAVINGS: &str = "MAPCHECK_INTERLEAVINGS";
/// The names of the targets to fuzz, of those that a program has, separated by commas.
pub const TARGETS: &str = "MAPCHECK_TARGETS";

/// What an input shows that is for no target of this program.
const UNUSABLE: usize = 0;
/// And one that asks for too much work.
const UNREASONABLE: usize = 1;

/// A fuzzer of some targets, in libFuzzer's process.
struct Fuzzer {
    mutator: Mutator,
    server: Server,
    /// What is known of each subject.
    known: Vec<Vec<Repro>>,
}

thread_local! {
    /// libFuzzer calls from one thread.
    static FUZZER: RefCell<Option<Fuzzer>> = const { RefCell::new(None) };
}

/// Makes a fuzz target for libFuzzer of a list of [`Target`](crate::Target)s: the main function of a file in
/// `fuzz_targets/` that begins with `#![no_main]`. Its crate depends on `libfuzzer-sys`.
///
/// ```text
/// #![no_main]
/// mapcheck::fuzz_maps!(my_map_checks::targets());
/// ```
///
/// Settings come from the environment, see [`Settings`](crate::Settings): faults, which mutant, what is known already.
/// `MAPCHECK_TARGETS` names some of the targets.
#[macro_export]
macro_rules! fuzz_maps {
    ($targets:expr) => {
        ::libfuzzer_sys::fuzz_target!(
            init: $crate::fuzz::start($targets, {
                #[allow(unexpected_cfgs, reason = "only `cargo mapcheck` sets it, or knows it")]
                const INSTRUMENTED: bool = cfg!(mapcheck_instrumented);
                INSTRUMENTED
            }),
            |data: &[u8]| -> ::libfuzzer_sys::Corpus {
                match $crate::fuzz::run(data) {
                    true => ::libfuzzer_sys::Corpus::Keep,
                    false => ::libfuzzer_sys::Corpus::Reject,
                }
            }
        );
        ::libfuzzer_sys::fuzz_mutator!(
            |data: &mut [u8], size: usize, max_size: usize, seed: u32| {
                $crate::fuzz::mutate(data, size, max_size, seed)
            }
        );
        ::libfuzzer_sys::fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
            $crate::fuzz::cross(one, other, out, seed)
        });
    };
}

/// Readies the process; ends it with a message where that is not possible. `instrumented` says whether the crate that
/// calls was built by `cargo mapcheck`. Called by [`fuzz_maps!`](crate::fuzz_maps).
pub fn start(targets: Vec<Target>, instrumented: bool) {
    machine::fix_addresses();
    machine::prepare_fuzzing(instrumented);
    let targets: &'static [Target] = targets.leak();
    let started = Settings::from_env().map_err(|what| (exit::USAGE, what)).and_then(|settings| {
        let subjects = subjects(targets, &settings)?;
        begin(settings, subjects).map_err(|what| (exit::INTERNAL, what))
    });
    if let Err((code, what)) = started {
        eprintln!("error: {what}");
        std::process::exit(code.into());
    }
}

fn begin(settings: Settings, subjects: Vec<Subject<'static>>) -> Result<(), String> {
    let known = |subject: &Subject<'_>| campaign::known(&settings, &subject.target);
    let known = subjects.iter().map(known).collect();
    let server = Server::start(settings, subjects)?;
    let mutator = Mutator::new(server.kinds());
    FUZZER.set(Some(Fuzzer { mutator, server, known }));
    Ok(())
}

/// The targets that are wanted, and have the mutant that is.
fn subjects(
    targets: &'static [Target],
    settings: &Settings,
) -> Result<Vec<Subject<'static>>, (u8, String)> {
    let wanted = std::env::var(TARGETS).ok();
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|w| w.split(',').any(|w| w == name));
    let (mut subjects, mut refused) = (Vec::new(), None);
    for target in targets.iter().filter(|target| is_wanted(target.name)) {
        let mut subject = runner::subject(target, settings.seed, Vec::new());
        match subject.restrict(settings).and_then(|()| subject.bears(&settings.faults)) {
            Ok(()) => subjects.push(subject),
            Err(what) => refused = Some(what),
        }
        let wrong = runner::self_check(target).map_err(|what| (exit::INTERNAL, what))?;
        if let Some(what) = wrong {
            let what = format!("the adapter of {} is wrong: {what}", target.name);
            return Err((exit::ADAPTER, what));
        }
    }
    match (subjects.is_empty(), refused) {
        (false, _) => Ok(subjects),
        (true, Some(what)) => Err((exit::USAGE, what)),
        (true, None) => {
            let names: Vec<&str> = targets.iter().map(|target| target.name).collect();
            let what = format!("{TARGETS} names none of the targets here: {}", names.join(", "));
            Err((exit::USAGE, what))
        }
    }
}

/// Executes an input; false if libFuzzer is not to keep it. Called by [`fuzz_maps!`](crate::fuzz_maps).
///
/// # Panics
/// With the finding, when there is one that is not known already: libFuzzer then saves the input. And before [`start`].
pub fn run(bytes: &[u8]) -> bool {
    FUZZER.with_borrow_mut(|fuzzer| fuzzer.as_mut().expect("`start` comes first").run(bytes))
}

/// Changes an input within `data`, and returns its new size. Called by [`fuzz_maps!`](crate::fuzz_maps).
///
/// # Panics
/// Before [`start`].
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let changed = FUZZER.with_borrow(|fuzzer| {
        let mutator = &fuzzer.as_ref().expect("`start` comes first").mutator;
        mutator.mutate(&data[..size], seed.into()).encode()
    });
    put(&changed, &mut data[..max_size], size)
}

/// Makes an input of two, in `out`, and returns its size. Called by [`fuzz_maps!`](crate::fuzz_maps).
///
/// # Panics
/// Before [`start`].
pub fn cross(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let crossed = FUZZER.with_borrow(|fuzzer| {
        let mutator = &fuzzer.as_ref().expect("`start` comes first").mutator;
        mutator.cross(one, other, seed.into()).encode()
    });
    put(&crossed, out, 0)
}

/// Writes it where it is wanted, if there is room; otherwise what is there stays.
fn put(bytes: &[u8], out: &mut [u8], size: usize) -> usize {
    match out.get_mut(..bytes.len()) {
        Some(room) => {
            room.copy_from_slice(bytes);
            bytes.len()
        }
        None => size.min(out.len()),
    }
}

impl Fuzzer {
    fn run(&mut self, bytes: &[u8]) -> bool {
        let Some((input, at)) = self.server.read(bytes) else {
            machine::show(UNUSABLE, 1);
            return true;
        };
        if !input.is_reasonable() && !self.server.is_closure(at) {
            machine::show(UNREASONABLE, 1);
            return true;
        }
        match self.server.execute(bytes) {
            State::Found => self.found(&input, at),
            State::Broken => panic!("mapcheck itself went wrong: {}", self.server.text()),
            State::Running | State::Finished | State::Spent => {
                self.take_in(&input);
                true
            }
        }
    }

    /// Tells libFuzzer what the execution has shown, and the mutator where it could have been switched.
    fn take_in(&mut self, input: &Input) {
        for feature in self.server.shown() {
            machine::show(feature as usize % machine::EXTRA_COUNTERS, 1);
        }
        let spot = |(thread, label, offset): (u32, u32, u64)| {
            let op = match thread.checked_sub(1).map(|t| t as usize) {
                Some(t) if t < input.scenario.threads.len() => {
                    label.checked_sub(input.scenario.first_label(t))?
                }
                _ => 0,
            };
            let offset = u16::try_from(offset).ok()?;
            Some(Spot { thread: thread as u8, op: u8::try_from(op).ok()?, offset })
        };
        self.mutator.learn(input, self.server.passed().filter_map(spot).collect());
    }

    /// Ends the process with what was found, for libFuzzer to save the input; false if that is known.
    fn found(&self, input: &Input, at: usize) -> bool {
        let (repro, finding) = match self.server.repro(input, at) {
            Ok(both) => both,
            Err(what) => panic!("{what}"),
        };
        if !repro.site.is_empty() && self.known[at].iter().any(|known| known.same_mistake(&repro)) {
            return false;
        }
        let place =
            if finding.site.is_empty() { String::new() } else { format!(" at {}", finding.site) };
        panic!(
            "{}: {}{place}: {}\nthe whole story: cargo mapcheck import FILE, with the file that libFuzzer writes now",
            repro.target, finding.class, finding.message
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_leaves_what_was_there() {
        let mut out = *b"abcdef";
        assert_eq!(put(b"xyz", &mut out, 6), 3);
        assert_eq!(&out, b"xyzdef");
        assert_eq!(put(b"1234567", &mut out, 6), 6);
        assert_eq!(put(b"1234567", &mut out, 0), 0);
        assert_eq!(&out, b"xyzdef");
    }
}
