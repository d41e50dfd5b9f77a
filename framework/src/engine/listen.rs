//! Hears what a search on shuttle or loom finds.
//!
//! Both tell a finding with a panic, unwind, and abort if a destructor on the way panics as well. So the search runs on
//! a thread of its own, and the panic hook hands the first message over before anything unwinds.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Explored, under_way};
use crate::oracle::Class;
use crate::report::short_file;

/// What a search tells while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An execution began.
    Began,
    /// Something was found. The search waits until this was taken in.
    Found(Class, String),
}

/// What a panic of a search means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Found(Class, String),
    /// The engine cannot go on.
    Limit(String),
}

/// What comes from the search's thread.
enum Word {
    Panicked(Meaning),
    /// It has ended, and was exhausted or not.
    Ended(bool),
}

/// What a panic starts with that says what an engine cannot do.
pub(super) const LIMIT: &str = "limit: ";

/// How often executions are counted.
const TICK: Duration = Duration::from_millis(5);

/// There is one panic hook in a process, so there is one search.
static ONE: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A thread that has nothing to do with the search.
    Other,
    Searcher,
    /// The searcher once it has panicked: what it still says is not worth hearing.
    Told,
}

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Other) };
}

/// Runs a search, which returns whether it was exhausted.
pub(super) fn run(
    search: Box<dyn FnOnce() -> bool + Send>,
    tell: &mut dyn FnMut(Event),
) -> Explored {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    under_way::BEGUN.store(0, Relaxed);
    let (say, hear) = channel();
    let (answer, answered) = channel();
    let before = Arc::new(panic::take_hook());
    listen(before.clone(), say.clone(), answered);
    let searcher = thread::spawn(move || {
        ROLE.set(Role::Searcher);
        let ended = panic::catch_unwind(AssertUnwindSafe(search));
        // Nobody hears it only if the caller has panicked.
        if ended.is_err() && ROLE.get() == Role::Searcher {
            let limit = "the engine gave up without a word, perhaps for want of stack".to_owned();
            let _ = say.send(Word::Panicked(Meaning::Limit(limit)));
        }
        let _ = say.send(Word::Ended(ended.unwrap_or(false)));
    });
    let mut hearing = Hearing { explored: Explored::default(), tell, answer };
    while hearing.go_on(hear.recv_timeout(TICK)) {}
    // What it has to say it has said.
    let _ = searcher.join();
    panic::set_hook(Box::new(move |info| before(info)));
    hearing.explored
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Makes the panic hook hand over the first panic of the search's thread, and wait for an answer.
fn listen(before: Arc<Hook>, say: Sender<Word>, answered: Receiver<()>) {
    let answered = Mutex::new(answered);
    panic::set_hook(Box::new(move |info| match ROLE.get() {
        Role::Other => before(info),
        Role::Told => {}
        Role::Searcher if ends_a_coroutine(info) => {}
        Role::Searcher => {
            ROLE.set(Role::Told);
            under_way::end();
            if say.send(Word::Panicked(meaning(info))).is_ok() {
                let answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = answered.recv();
            }
        }
    }));
}

/// The caller's side.
struct Hearing<'a> {
    explored: Explored,
    tell: &'a mut dyn FnMut(Event),
    answer: Sender<()>,
}

impl Hearing<'_> {
    /// Takes in what was heard; whether there is more to come.
    fn go_on(&mut self, heard: Result<Word, RecvTimeoutError>) -> bool {
        self.count();
        match heard {
            Ok(Word::Panicked(meaning)) => self.take(meaning),
            Ok(Word::Ended(exhausted)) => {
                self.explored.exhausted = exhausted;
                return false;
            }
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {}
        }
        true
    }

    fn count(&mut self) {
        for _ in self.explored.executions..under_way::BEGUN.load(Relaxed) {
            self.explored.executions += 1;
            (self.tell)(Event::Began);
        }
    }

    fn take(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Found(class, message) => {
                (self.tell)(Event::Found(class, message.clone()));
                self.explored.found = Some((class, message));
            }
            Meaning::Limit(limit) => self.explored.limit = Some(limit),
        }
        let _ = self.answer.send(());
    }
}

fn meaning(info: &PanicHookInfo<'_>) -> Meaning {
    let text = text(info).unwrap_or("a payload that is not a string");
    let place = info.location().map_or(("", 0), |l| (l.file(), l.line()));
    meaning_of(text, place.0, place.1)
}

fn text<'a>(info: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Whether this is how loom's coroutines end, all of them: with a panic that is no text.
fn ends_a_coroutine(info: &PanicHookInfo<'_>) -> bool {
    text(info).is_none() && info.location().is_some_and(|l| is_in(l.file(), &["generator-0."]))
}

/// The crates of the engines, as their directories in cargo's registry begin.
const ENGINE_CRATES: [&str; 3] = ["shuttle-", "loom-0.", "generator-0."];

/// What a panic with this text, at this place, means.
fn meaning_of(text: &str, file: &str, line: u32) -> Meaning {
    if let Some(limit) = text.strip_prefix(LIMIT) {
        return Meaning::Limit(limit.to_owned());
    }
    if is_in(file, &ENGINE_CRATES) {
        return of_the_engine(text);
    }
    if let Some((class, message)) = text.split_once(": ")
        && let Ok(class) = class.parse()
    {
        return Meaning::Found(class, message.to_owned());
    }
    Meaning::Found(Class::Panic, format!("{}:{line}: {text}", short_file(file)))
}

/// Whether a file lies in a directory whose name starts so.
fn is_in(file: &str, crates: &[&str]) -> bool {
    Path::new(file).components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        crates.iter().any(|name| part.starts_with(name))
    })
}

/// What an engine's own panics mean: some are findings, the others say that it cannot go on.
fn of_the_engine(text: &str) -> Meaning {
    const FINDINGS: [(&str, Class, &str); 3] = [
        ("deadlock", Class::Deadlock, "every thread waits for another"),
        ("exceeded max_steps", Class::Livelock, "took more steps than an execution may"),
        ("Causality violation", Class::DataRace, ""),
    ];
    if let Some((_, class, message)) = FINDINGS.into_iter().find(|f| text.starts_with(f.0)) {
        let message = if message.is_empty() { text } else { message };
        return Meaning::Found(class, message.to_owned());
    }
    Meaning::Limit(if text.starts_with("Model exceeded maximum number of branches") {
        "an execution is longer than loom can explore".to_owned()
    } else {
        format!("the engine gave up: {text}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(class: Class, message: &str) -> Meaning {
        Meaning::Found(class, message.to_owned())
    }

    #[test]
    fn a_panic_that_starts_with_a_class_is_of_that_class_and_any_other_is_a_panic() {
        let own = "framework/machine/src/border.rs";
        assert_eq!(meaning_of("double-free: again", own, 1), found(Class::DoubleFree, "again"));
        assert_eq!(meaning_of("oh: no", "src/a.rs", 7), found(Class::Panic, "src/a.rs:7: oh: no"));
    }

    #[test]
    fn what_an_engine_says_of_itself_is_told_from_what_it_found() {
        let loom = "/r/loom-0.7.3/src/rt/execution.rs";
        let deadlock = meaning_of("deadlock; threads = []", loom, 1);
        assert_eq!(deadlock, found(Class::Deadlock, "every thread waits for another"));
        let outside = meaning_of("deadlock; threads = []", "src/loom.rs", 1);
        assert_eq!(outside, found(Class::Panic, "src/loom.rs:1: deadlock; threads = []"));
        let limits = ["Model exceeded maximum number of branches. This", "attempt to add"];
        for text in limits {
            assert!(matches!(meaning_of(text, loom, 1), Meaning::Limit(_)), "{text}");
        }
        assert!(
            matches!(meaning_of("limit: five", "src/a.rs", 1), Meaning::Limit(l) if l == "five")
        );
    }
}
