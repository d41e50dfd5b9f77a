//! Fuzzing with libFuzzer: its bytes are a scenario and decisions, its coverage is where threads communicated.
//!
//! libFuzzer keeps what it knows in globals and memory of its own process, which the machine restores before each
//! execution. So executions have a process of their own, which is handed each input, and hands back what it has shown.
//! What kills it is a finding like any other.
//!
//! A fuzz target for some maps is a file of one line, see [`fuzz_maps!`](crate::fuzz_maps).

mod import;
mod input;
mod mutate;
mod serve;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use mapcheck_machine as machine;

pub(crate) use import::{file as import, is_for, whose};
use input::{Gene, Input};
use mutate::{Mutator, Spot};
use serve::Server;

use crate::campaign::Subject;
use crate::repro::Repro;
use crate::scenario::{self, Scenario};
use crate::settings::Settings;
use crate::worker::{At, State};
use crate::{Target, campaign, exit, in_test, runner};

/// Set to `0`, the fuzzer is not told where threads communicated, only which branches were taken.
pub const INTERLEAVINGS: &str = "MAPCHECK_INTERLEAVINGS";
/// The names of the targets to fuzz, of those that a program has, separated by commas.
pub const TARGETS: &str = "MAPCHECK_TARGETS";

/// A file that libFuzzer wrote: it is imported, see `cargo mapcheck import`, and nothing is fuzzed.
pub const IMPORT: &str = "MAPCHECK_IMPORT";

/// Files that libFuzzer may have written, as of a path: those for what this program fuzzes are told, as a runner's
/// `whose` does, and nothing is fuzzed.
pub const WHOSE: &str = "MAPCHECK_WHOSE";

/// The folder beside a program with what is known, if no variable names another.
const BESIDE: &str = "mapcheck-known";

/// What an input shows that is for no target of this program.
const UNUSABLE: usize = 0;
/// And one that asks for too much work.
const UNREASONABLE: usize = 1;

/// A fuzzer of some targets, in libFuzzer's process.
struct Fuzzer {
    mutator: Mutator<'static>,
    server: Server,
    /// What is known of each subject.
    known: Vec<Vec<Repro>>,
}

thread_local! {
    /// libFuzzer calls from one thread.
    static FUZZER: RefCell<Option<Fuzzer>> = const { RefCell::new(None) };
}

/// Makes a fuzz target for libFuzzer of a list of [`Target`](crate::Target)s: all that a file in `fuzz_targets/` needs.
/// Its crate depends on `libfuzzer-sys`.
///
/// ```text
/// mapcheck::fuzz_maps!(my_map_checks::targets());
/// ```
///
/// Settings come from the environment, see [`Settings`](crate::Settings): faults, which mutant, what is known already.
/// `MAPCHECK_TARGETS` names some of the targets. Where `MAPCHECK_KNOWN` is not set, a folder `mapcheck-known` beside
/// the program says what is known, in the form of a corpus.
#[macro_export]
macro_rules! fuzz_maps {
    ($targets:expr) => {
        $crate::__fuzz_target!(|instrumented| $crate::fuzz::start($targets, instrumented));
    };
}

/// The same of closures that tests [`explore`](crate::explore), each under the name of its test, with the modules
/// around it, as `cargo test -- --list` shows it: there its repros are replayed.
///
/// ```text
/// mapcheck::fuzz_tests!("entries_are_moved_whole" => my_map_checks::entries_are_moved_whole);
/// ```
#[macro_export]
macro_rules! fuzz_tests {
    ($($name:expr => $body:expr),+ $(,)?) => {
        $crate::__fuzz_target!(|instrumented| $crate::fuzz::start_tests(
            vec![$(($name, $body as fn())),+],
            concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
            instrumented,
        ));
    };
}

/// What both have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! __fuzz_target {
    (|$instrumented:ident| $start:expr) => {
        fn main() {
            #[allow(unexpected_cfgs, reason = "only `cargo mapcheck` sets it, or knows it")]
            let $instrumented = cfg!(mapcheck_instrumented);
            $start;
            ::std::process::exit($crate::fuzz::main());
        }
        ::libfuzzer_sys::fuzz_target!(|data: &[u8]| -> ::libfuzzer_sys::Corpus {
            match $crate::fuzz::run(data) {
                true => ::libfuzzer_sys::Corpus::Keep,
                false => ::libfuzzer_sys::Corpus::Reject,
            }
        });
        ::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8],
                                        size: usize,
                                        max_size: usize,
                                        seed: u32| {
            $crate::fuzz::mutate(data, size, max_size, seed)
        });
        ::libfuzzer_sys::fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
            $crate::fuzz::cross(one, other, out, seed)
        });
    };
}

/// Hands the process to libFuzzer, and returns the exit code. Called by [`fuzz_maps!`](crate::fuzz_maps).
#[inline]
pub fn main() -> i32 {
    machine::libfuzzer_main()
}

/// Readies the process; ends it with a message where that is not possible. `instrumented` says whether the crate that
/// calls was built by `cargo mapcheck`. Called by [`fuzz_maps!`](crate::fuzz_maps).
pub fn start(targets: Vec<Target>, instrumented: bool) {
    let targets: &'static [Target] = targets.leak();
    ready(instrumented, |settings| subjects(targets, settings));
}

/// The same for closures: names of tests and what they explore, and the package and version of the tests. Called by
/// [`fuzz_tests!`](crate::fuzz_tests).
pub fn start_tests(tests: Vec<(&'static str, fn())>, package: &str, instrumented: bool) {
    let subject = |(name, body): &(&str, fn())| test(name, *body, package);
    ready(instrumented, |_| Ok(tests.iter().map(subject).collect()));
}

/// A closure as what is fuzzed.
fn test(name: &str, body: fn(), package: &str) -> Subject<'static> {
    let run = move |_: &Scenario| scenario::guarded(body);
    let runner = package.split(' ').next().unwrap_or_default().to_owned();
    // It lives as long as the process.
    let subject = in_test::subject(name, Vec::new(), Box::leak(Box::new(run)));
    Subject { versions: package.to_owned(), runner, ..subject }
}

/// Begins to fuzz what the settings make of it, or imports the file that the environment names, and ends.
fn ready(
    instrumented: bool,
    subjects: impl FnOnce(&Settings) -> Result<Vec<Subject<'static>>, (u8, String)>,
) {
    machine::fix_addresses();
    supervisor().into_iter().for_each(machine::stop_with_parent);
    if machine::interrupted() {
        // libFuzzer hears of it only from now on.
        std::process::exit(exit::BUDGET.into());
    }
    machine::prepare_fuzzing(instrumented);
    let started = settings().map_err(|what| (exit::USAGE, what)).and_then(|settings| {
        let subjects = subjects(&settings)?;
        if let Some(paths) = std::env::var_os(WHOSE) {
            let names: Vec<&str> = subjects.iter().map(|subject| &*subject.target).collect();
            let paths: Vec<PathBuf> = std::env::split_paths(&paths).collect();
            return whose(&paths, &names).map(Some).map_err(|what| (exit::USAGE, what));
        }
        match std::env::var_os(IMPORT) {
            Some(path) => import(Path::new(&path), subjects, &settings).map(Some),
            None => begin(settings, subjects).map(|()| None).map_err(|what| (exit::INTERNAL, what)),
        }
    });
    let code = match started {
        Ok(None) => return,
        Ok(Some(code)) => code,
        Err((code, what)) => {
            eprintln!("error: {what}");
            code
        }
    };
    std::process::exit(code.into());
}

/// What the environment says. Who starts a copy of the program elsewhere, as ClusterFuzz does, cannot say there what is
/// known: then the folder beside it does.
fn settings() -> Result<Settings, String> {
    let mut settings = Settings::from_env()?;
    if std::env::var_os("MAPCHECK_KNOWN").is_none() {
        let program = std::env::current_exe().ok();
        settings.known.extend(program.and_then(|program| known_beside(&program)));
    }
    Ok(settings)
}

/// The folder beside a program with what is known.
fn known_beside(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.join(BESIDE)).filter(|folder| folder.is_dir())
}

/// The process with which this one is to end, if it is one of `cargo mapcheck`: libFuzzer starts processes of its own
/// when it merges inputs.
fn supervisor() -> Option<u32> {
    let supervisor = runner::supervisor()?;
    let is_inner = std::env::args().any(|word| word.starts_with("-merge_inner="));
    Some(if is_inner { std::os::unix::process::parent_id() } else { supervisor })
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
        if let Err(what) = subject.restrict(settings).and_then(|()| subject.bears(&settings.faults))
        {
            refused = Some(what);
            continue;
        }
        subjects.push(subject);
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

/// A point as a mutator knows it; `None` where that cannot tell it.
fn spot_of(input: &Input, at: At) -> Option<Spot> {
    let op = match input.scenario.threads.is_empty() {
        true => 0,
        // The root has the setup and the teardown to itself.
        false => {
            at.label.checked_sub(input.scenario.first_label(at.thread.checked_sub(1)? as usize))?
        }
    };
    let offset = u16::try_from(at.offset).ok()?;
    Some(Spot { thread: u8::try_from(at.thread).ok()?, op: u8::try_from(op).ok()?, offset })
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
        if !self.server.is_executed(&input, at) {
            machine::show(UNREASONABLE, 1);
            return true;
        }
        match self.server.execute(bytes, !self.mutator.knows(&input)) {
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
        let spot = |at: At| spot_of(input, at);
        let spots: Vec<Spot> = self.server.passed().filter_map(spot).collect();
        if !self.mutator.knows(input) {
            self.mutator.learn(input, spots);
        }
        if let Some(made) = self.server.made().filter(|_| input.drift > 0) {
            let gene = |(at, to): (At, u32)| {
                let Spot { thread, op, offset } = spot_of(input, at)?;
                Some(Gene { thread, op, offset, to: to as u8 })
            };
            // Where one cannot be told, the others would make another execution.
            self.mutator.freeze(input, made.into_iter().map(gene).collect());
        }
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
    fn what_is_known_lies_beside_a_program_that_was_copied() {
        let dir = std::env::temp_dir().join(format!("mapcheck-beside-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let program = dir.join("maps");
        assert_eq!(known_beside(&program), None);
        let folder = dir.join("mapcheck-known");
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(known_beside(&program), Some(folder));
        std::fs::remove_dir_all(&dir).unwrap();
    }

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
