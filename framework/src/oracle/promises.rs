//! Watches a map while a scenario runs, and ends the execution when it breaks a promise.
//!
//! It lives beside the execution and must not disturb it: its memory is not the modelled heap's, and it adds no
//! schedule point. Nothing here is generic, so that none of it is compiled into instrumented crates.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapcheck_machine as machine;

use super::iteration::{self, Contract, Told};
use super::linearizability::{self, Known};
use super::own::{self, Event, Oracle, Own};
use super::whole::World;
use super::{Violation, sequential};
use crate::fault;
use crate::map::{AfterPanic, Atomic, Consistency, Iteration, Previous, Profile};
use crate::model;
use crate::scenario::Scenario;
use crate::scenario::history::{
    Answer, Calls, Deed, Effect, Entry, History, Moment, Seen, Ticket, Wiped,
};

/// The history of one run of a scenario, and what is promised about it.
pub(crate) struct Promises {
    scenario: Scenario,
    promised: Promised,
    /// Whether the map's author has oracles too.
    own: bool,
    /// What is promised once a callback has panicked.
    after_panic: AfterPanic,
    watched: Mutex<Watched>,
}

/// What is kept of a scenario that has ended in an execution.
pub(crate) trait Past: Any + Send + Sync {
    /// What happened.
    fn promises(&self) -> &Promises;
}

/// A place for it.
type Place = Mutex<Option<Arc<dyn Past>>>;

fn locked(place: &Place) -> MutexGuard<'_, Option<Arc<dyn Past>>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of the last scenario that has ended in an execution, until it is asked for.
static ENDED: Place = Mutex::new(None);

/// Of an earlier one.
static SPARE: Place = Mutex::new(None);

/// What was kept of the scenario of the execution that has ended.
pub(crate) fn ended() -> Option<Arc<dyn Past>> {
    locked(&ENDED).take()
}

/// The execution that begins may use the memory of an earlier one. It is given that anew each time, since globals are
/// given back what they held before.
pub(crate) fn reuse(past: Option<Arc<dyn Past>>) {
    *locked(&SPARE) = past;
}

/// What was kept of an earlier execution, to be used again.
#[inline(never)]
pub(crate) fn spare() -> Option<Arc<dyn Past>> {
    locked(&SPARE).take()
}

/// The scenario has ended: judges what can be judged only now. The number of keys on which no verdict was reached, and
/// one more if there is none on the map as a whole. In an execution what happened is kept for [`ended`].
#[inline(never)]
pub(crate) fn finish(past: Arc<dyn Past>) -> u64 {
    let inconclusive = past.promises().finish();
    let keep = machine::current_thread().is_some();
    outside(move || {
        if keep {
            *locked(&ENDED) = Some(past);
        }
    });
    inconclusive
}

/// Whether histories are judged.
static JUDGING: AtomicBool = AtomicBool::new(true);

/// Whether leaks are looked for.
static LEAKS: AtomicBool = AtomicBool::new(true);

/// Switches the judging of histories and the search for leaks on or off, for the rest of the process.
pub(crate) fn switch(judging: bool, leaks: bool) {
    JUDGING.store(judging, Relaxed);
    LEAKS.store(leaks, Relaxed);
}

/// Whether leaks are looked for. Not inlined, so that it is no access of the code under test.
#[inline(never)]
pub(crate) fn looks_for_leaks() -> bool {
    LEAKS.load(Relaxed)
}

/// Whether they are on. Not inlined, so that it is no access of the code under test.
#[inline(never)]
pub(crate) fn judging() -> bool {
    JUDGING.load(Relaxed)
}

/// What is promised.
#[derive(Clone, Copy)]
struct Promised {
    consistency: Consistency,
    contract: Contract,
    /// Which operations on the whole map take effect at one moment.
    atomic: Atomic,
    /// Whether an iteration shows the elements of one moment.
    snapshots: bool,
    /// Whether no document says so.
    assumed: bool,
}

impl Promised {
    fn by(profile: &Profile) -> Promised {
        let linearizable = profile.consistency == Consistency::Linearizable;
        let may_evict = profile.consistency == Consistency::LinearizableMayEvict;
        let of_one_moment = matches!(profile.iteration, Iteration::Snapshot | Iteration::Locked);
        Promised {
            consistency: profile.consistency,
            contract: Contract {
                iteration: profile.iteration,
                linearizable: linearizable || may_evict,
                may_evict,
            },
            // Moments of operations on all keys are told by those of the calls on each.
            atomic: if linearizable { profile.atomic } else { Atomic::NONE },
            snapshots: linearizable && of_one_moment,
            assumed: profile.promised_by == "assumed",
        }
    }

    fn linearizable(self) -> bool {
        self.contract.linearizable
    }

    /// Whether operations on the whole map are judged.
    fn of_the_whole(self) -> bool {
        self.snapshots || self.atomic != Atomic::NONE
    }
}

/// What has happened, and what is known of it.
struct Watched {
    history: History<Known>,
    world: World,
    own: Own,
}

impl Watched {
    /// Another execution begins.
    fn clear(&mut self) {
        self.history.clear();
        self.world.clear();
    }
}

/// What a call is to do, as an author's oracle sees it; `None` for what operations on the whole map do to a key.
fn call_of(effect: Effect) -> Option<own::Call> {
    match effect {
        Effect::Insert(value) => Some(own::Call::Insert(value)),
        Effect::Remove => Some(own::Call::Remove),
        Effect::Get => Some(own::Call::Get),
        _ => None,
    }
}

/// What a call answered, as an author's oracle sees it.
fn answer_of(answer: Answer) -> Option<own::Answer> {
    match answer {
        Answer::Wrote(previous) => Some(own::Answer::Wrote(previous)),
        Answer::Read(read) => Some(own::Answer::Read(read)),
        Answer::None | Answer::GivenUp => None,
    }
}

/// Runs `f` as the framework's own code.
fn outside<R>(f: impl FnOnce() -> R) -> R {
    let (mut f, mut result) = (Some(f), None);
    machine::outside(&mut || result = f.take().map(|f| f()));
    result.expect("`outside` runs what it is given")
}

impl Promises {
    /// Of a map with this profile.
    #[inline(never)]
    pub(crate) fn new(
        scenario: &Scenario,
        profile: &Profile,
        after_panic: AfterPanic,
        oracles: fn() -> Vec<Box<dyn Oracle>>,
    ) -> Promises {
        let promised = Promised::by(profile);
        let mut promises = outside(|| {
            let (history, world, own) = (History::new(), World::default(), Own::default());
            let watched = Mutex::new(Watched { history, world, own });
            let scenario = scenario.clone();
            Promises { scenario, promised, own: false, after_panic, watched }
        });
        promises.begin(scenario, profile, after_panic, oracles);
        promises
    }

    /// Another execution begins, perhaps of another scenario: nothing has happened yet.
    #[inline(never)]
    pub(crate) fn begin(
        &mut self,
        scenario: &Scenario,
        profile: &Profile,
        after_panic: AfterPanic,
        oracles: fn() -> Vec<Box<dyn Oracle>>,
    ) {
        (self.promised, self.after_panic) = (Promised::by(profile), after_panic);
        outside(|| {
            if self.scenario != *scenario {
                self.scenario = scenario.clone();
            }
            let oracles = oracles();
            self.own = !oracles.is_empty();
            let watched = self.watched.get_mut().unwrap_or_else(PoisonError::into_inner);
            watched.clear();
            watched.own = Own(oracles);
        });
        self.show(&Event::Began(scenario));
    }

    /// Shows an event to the oracles of the map's author.
    fn show(&self, event: &Event<'_>) {
        if !self.own {
            return;
        }
        self.settle(outside(|| self.watched().own.show(event)));
    }

    fn is_silent(&self) -> bool {
        model::abandoned() || !judging() || self.is_unspecified()
    }

    /// Whether a callback has panicked after which nothing is promised.
    #[inline(never)]
    pub(crate) fn is_unspecified(&self) -> bool {
        self.after_panic == AfterPanic::Unspecified && fault::cut_short()
    }

    /// What runs.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Never held across a schedule point; a panic under it is mapcheck's own.
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the execution with what was found.
    fn settle(&self, violation: Option<Violation>) {
        if let Some(Violation { class, mut message }) = violation {
            outside(|| {
                if self.promised.assumed {
                    message +=
                        "; the contract is assumed: the map's documentation promises nothing";
                }
            });
            machine::fail(class.name(), message, 0);
        }
    }

    /// A call on one key begins.
    #[inline(never)]
    pub(crate) fn invoke(&self, label: u32, key: u64, effect: Effect) -> Ticket {
        if let Some(call) = call_of(effect) {
            self.show(&Event::Called { operation: label, key, call });
        }
        outside(|| self.watched().history.invoke(label, key, effect))
    }

    /// It returns.
    #[inline(never)]
    pub(crate) fn respond(&self, ticket: Ticket, answer: Answer) {
        self.settle(outside(|| {
            let mut watched = self.watched();
            let at = watched.history.respond(ticket, answer);
            let (call, key) = watched.history.call(ticket);
            let violation = match (call_of(call.effect), answer_of(answer)) {
                (Some(of), Some(answer)) => {
                    let operation = call.label;
                    watched.own.show(&Event::Returned { operation, key, call: of, answer })
                }
                _ => None,
            };
            let violation = violation.or_else(|| self.judge_key(&mut watched, at));
            violation.or_else(|| self.judge_whole(&mut watched))
        }));
    }

    /// The map was made from elements, of which this is one.
    #[inline(never)]
    pub(crate) fn made_with(&self, label: u32, key: u64, value: u64) {
        // Which of several values under a key stays is the map's choice.
        let ticket = self.invoke(label, key, Effect::Insert(value));
        self.respond(ticket, Answer::Wrote(Previous::Unknown));
    }

    /// An operation begins that removes all keys, or all odd ones.
    #[inline(never)]
    pub(crate) fn begin_wipe(&self, label: u32, odd_only: bool) -> Moment {
        self.show(&Event::WholeBegan { operation: label });
        let Atomic { clear, retain, .. } = self.promised.atomic;
        outside(|| {
            let history = &mut self.watched().history;
            let began = history.begin_wipe(label, odd_only);
            if if odd_only { retain } else { clear } {
                history.begin_whole(label, began);
            }
            began
        })
    }

    /// It returns.
    #[inline(never)]
    pub(crate) fn end_wipe(&self, label: u32, began: Moment, odd_only: bool, done: Wiped) {
        self.show(&Event::WholeEnded { operation: label, len: None });
        self.settle(outside(|| {
            let mut watched = self.watched();
            watched.history.end_wipe(began, done);
            let deed = match (done, odd_only) {
                (Wiped::All, false) => Deed::Clear,
                (Wiped::All, true) => Deed::RetainEven,
                _ => Deed::Nothing,
            };
            watched.history.end_whole(began, deed);
            watched.world.given_up |= done == Wiped::Some;
            let entries = 0..watched.history.entries().len();
            let violation = entries.into_iter().find_map(|at| self.judge_key(&mut watched, at));
            violation.or_else(|| self.judge_whole(&mut watched))
        }));
    }

    /// `len` is called.
    #[inline(never)]
    pub(crate) fn begin_len(&self, label: u32) -> Moment {
        self.show(&Event::WholeBegan { operation: label });
        if !self.promised.atomic.len {
            return 0;
        }
        outside(|| self.watched().history.begin_whole_now(label))
    }

    /// It returns; `None` if the map has no `len`.
    #[inline(never)]
    pub(crate) fn end_len(&self, label: u32, began: Moment, len: Option<usize>) {
        self.show(&Event::WholeEnded { operation: label, len });
        if self.promised.atomic.len {
            self.end_whole(began, len.map_or(Deed::Nothing, Deed::Len));
        }
    }

    fn end_whole(&self, began: Moment, deed: Deed) {
        self.settle(outside(|| {
            let mut watched = self.watched();
            watched.history.end_whole(began, deed);
            self.judge_whole(&mut watched)
        }));
    }

    /// An iteration begins.
    #[inline(never)]
    pub(crate) fn begin_iteration(&self, label: u32) -> usize {
        self.show(&Event::WholeBegan { operation: label });
        outside(|| {
            let history = &mut self.watched().history;
            let number = history.begin_iteration(label);
            if self.promised.snapshots {
                history.begin_whole(label, history.now());
            }
            number
        })
    }

    /// The moment at which its first step begins, or, when the visitor returns, the next.
    #[inline(never)]
    pub(crate) fn step(&self) -> Moment {
        // The others may show what was there when they began.
        if !self.promised.contract.current() {
            return 0;
        }
        outside(|| self.watched().history.now())
    }

    /// It shows an element, in a step that began at this moment.
    #[inline(never)]
    pub(crate) fn visited(&self, number: usize, seen: Seen) {
        self.settle(outside(|| {
            let Watched { history, own, .. } = &mut *self.watched();
            history.visit(number, seen);
            if self.is_silent() {
                return None;
            }
            let told = self.told(history, number);
            let (operation, Seen { key, value, .. }) = (told.iterating.label, seen);
            let violation = own.show(&Event::Visited { operation, key, value });
            let calls = history.calls(seen.key);
            violation.or_else(|| iteration::visited(self.promised.contract, told, calls))
        }));
    }

    /// It has run to its end, or its visitor has stopped it.
    #[inline(never)]
    pub(crate) fn ended(&self, label: u32, number: usize, complete: bool) {
        self.show(&Event::WholeEnded { operation: label, len: None });
        if complete {
            self.settle(outside(|| {
                let history = &mut self.watched().history;
                history.complete(number);
                self.judge_hidden(history, number)
            }));
        }
        if self.promised.snapshots {
            let began = outside(|| self.watched().history.iteration(number).began);
            self.end_whole(began, Deed::Iterate(number, complete));
        }
    }

    /// Judges what an iteration has not shown.
    fn judge_hidden(&self, history: &History<Known>, number: usize) -> Option<Violation> {
        if self.is_silent() {
            return None;
        }
        let told = self.told(history, number);
        let hidden = history.entries().iter().enumerate().filter(|e| !e.1.shown_last_by(number));
        hidden
            .map(|(at, entry)| (entry.key, history.calls_of(at)))
            .find_map(|(key, calls)| iteration::missed(self.promised.contract, told, key, calls))
    }

    /// See [`finish`].
    fn finish(&self) -> u64 {
        self.show(&Event::Ended);
        let (violation, inconclusive) = outside(|| self.judge_rest());
        self.settle(violation);
        inconclusive
    }

    /// What can be judged only now, and how much could not be.
    fn judge_rest(&self) -> (Option<Violation>, u64) {
        if self.is_silent() {
            return (None, 0);
        }
        let Watched { history, world, .. } = &*self.watched();
        match self.promised.consistency {
            Consistency::Linearizable | Consistency::LinearizableMayEvict => {
                let left = |k: &&Entry<Known>| k.known.given_up || k.recent > 0;
                let keys = history.entries().iter().filter(left).count();
                let whole = world.given_up || self.promised.of_the_whole() && !history.is_quiet();
                (None, keys as u64 + u64::from(whole))
            }
            Consistency::SequentialPerKey => sequential::judge_all(history, &self.scenario),
            Consistency::None => (None, 0),
        }
    }

    /// What `judge` makes of the calls on a key, the latest first.
    pub(crate) fn calls_on<R>(&self, key: u64, judge: impl FnOnce(Calls<'_>) -> R) -> R {
        judge(self.watched().history.calls(key))
    }

    fn told<'a>(&'a self, history: &'a History<Known>, number: usize) -> Told<'a> {
        let (iterating, all) = (history.iteration(number), history.iterations());
        Told { scenario: &self.scenario, iterating, all }
    }

    /// Judges the calls on a key since it was quiet last, if it is now.
    fn judge_key(&self, watched: &mut Watched, at: usize) -> Option<Violation> {
        if !self.promised.linearizable() || self.is_silent() {
            return None;
        }
        let evicts = self.promised.contract.may_evict;
        match linearizability::judge_entry(&mut watched.history, at, &self.scenario, evicts) {
            Ok(Some(before)) if self.promised.of_the_whole() => watched.world.learned(at, before),
            Ok(_) => {}
            Err(violation) => return Some(violation),
        }
        None
    }

    /// Judges what happened since nothing was under way, if that is so again.
    fn judge_whole(&self, watched: &mut Watched) -> Option<Violation> {
        if !self.promised.of_the_whole() || self.is_silent() {
            return None;
        }
        watched.world.judge(&mut watched.history, &self.scenario)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::oracle::Class;

    fn profile(consistency: Consistency, atomic: Atomic) -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "this test",
            consistency,
            atomic,
            grows_at: 8,
            write_in_visit: true,
            knobs: "",
        }
    }

    /// What is held against a map with this profile; nothing ends an execution here but a panic.
    fn found(profile: &Profile, calls: impl FnOnce(&Promises)) -> Option<String> {
        let scenario = Scenario {
            setup: vec!["insert 0".parse().unwrap()],
            threads: vec![vec!["len".parse().unwrap()], vec!["get 0".parse().unwrap()]],
            ..Scenario::default()
        };
        let promises = Promises::new(&scenario, profile, AfterPanic::Usable, Vec::new);
        let run = AssertUnwindSafe(|| {
            calls(&promises);
            assert_eq!(promises.finish(), 0);
        });
        catch_unwind(run).err().map(|payload| *payload.downcast::<String>().unwrap())
    }

    /// Key 0 is inserted, `len` returns this, and key 0 is not found.
    fn calls(len: usize) -> impl Fn(&Promises) {
        move |promises| {
            let insert = promises.invoke(1, 0, Effect::Insert(1));
            promises.respond(insert, Answer::Wrote(Previous::Absent));
            let began = promises.begin_len(2);
            promises.end_len(2, began, Some(len));
            let get = promises.invoke(3, 0, Effect::Get);
            promises.respond(get, Answer::Read(None));
        }
    }

    /// Holds it against the map that key 0 is read twice.
    #[derive(Default)]
    struct Once(u32);

    impl Oracle for Once {
        fn see(&mut self, event: &Event<'_>) -> Option<Violation> {
            let Event::Called { key: 0, call: own::Call::Get, .. } = event else { return None };
            self.0 += 1;
            let message = format!("key 0 is read for the {}nd time", self.0);
            (self.0 == 2).then_some(Violation { class: Class::GhostElement, message })
        }
    }

    #[test]
    fn an_oracle_of_the_author_s_sees_the_calls_and_its_verdict_counts() {
        let scenario =
            Scenario { threads: vec![vec!["get 0".parse().unwrap()]], ..Scenario::default() };
        let oracles = || vec![Box::<Once>::default() as Box<dyn Oracle>];
        let profile = profile(Consistency::None, Atomic::NONE);
        let promises = Promises::new(&scenario, &profile, AfterPanic::Usable, oracles);
        let get = || {
            let get = promises.invoke(1, 0, Effect::Get);
            promises.respond(get, Answer::Read(None));
        };
        get();
        let payload = catch_unwind(AssertUnwindSafe(get)).unwrap_err();
        let said = payload.downcast::<String>().unwrap();
        assert_eq!(*said, "ghost-element: key 0 is read for the 2nd time");
    }

    #[test]
    fn calls_are_judged_by_what_is_promised_of_them_and_by_nothing_else() {
        let found = |consistency, atomic, len| found(&profile(consistency, atomic), calls(len));
        let class = |consistency, atomic, len| {
            found(consistency, atomic, len).map(|told| told.split(':').next().unwrap().to_owned())
        };
        let linearizable = Consistency::Linearizable;
        let told = found(linearizable, Atomic::ALL, 7).unwrap();
        assert!(told.contains("`len` by thread 1 returned 7"), "{told}");
        let told = found(linearizable, Atomic::NONE, 7).unwrap();
        assert!(told.contains("`get 0` by thread 2 read nothing"), "{told}");
        assert!(found(linearizable, Atomic::ALL, 1).is_some());
        let sequential = class(Consistency::SequentialPerKey, Atomic::ALL, 7);
        assert_eq!(sequential.unwrap(), "not-sequential");
        assert_eq!(class(Consistency::None, Atomic::ALL, 7), None);
    }

    #[test]
    fn an_execution_in_the_memory_of_an_earlier_one_knows_nothing_of_it() {
        let (none, all) = (Consistency::None, Consistency::Linearizable);
        let [none, all] = [none, all].map(|consistency| profile(consistency, Atomic::ALL));
        let first = Scenario { setup: vec!["insert 0".parse().unwrap()], ..Scenario::default() };
        let mut promises = Promises::new(&first, &none, AfterPanic::Usable, Vec::new);
        for scenario in [&first, &Scenario::default(), &first] {
            promises.begin(scenario, &all, AfterPanic::Usable, Vec::new);
            let get = promises.invoke(2, 0, Effect::Get);
            promises.respond(get, Answer::Read(None));
            let insert = promises.invoke(1, 0, Effect::Insert(1));
            promises.respond(insert, Answer::Wrote(Previous::Absent));
            let began = promises.begin_len(3);
            promises.end_len(3, began, Some(1));
            assert_eq!((promises.scenario(), promises.finish()), (scenario, 0));
            // The next knows nothing of a call without an end either.
            promises.invoke(2, 0, Effect::Remove);
            promises.begin_len(3);
        }
    }

    #[test]
    fn a_contract_that_nobody_wrote_down_is_called_assumed() {
        let assumed = |promised_by| {
            let profile = profile(Consistency::Linearizable, Atomic::NONE);
            let told = found(&Profile { promised_by, ..profile }, calls(1)).unwrap();
            told.ends_with("; the contract is assumed: the map's documentation promises nothing")
        };
        assert_eq!([assumed("assumed"), assumed("its docs")], [true, false]);
    }

    #[test]
    fn an_iteration_that_is_stopped_is_judged_for_what_it_showed() {
        let iterate = |complete, value| {
            found(&profile(Consistency::Linearizable, Atomic::NONE), |promises| {
                for key in [0, 1] {
                    let insert = promises.invoke(1, key, Effect::Insert(10 + key));
                    promises.respond(insert, Answer::Wrote(Previous::Absent));
                }
                let number = promises.begin_iteration(2);
                let seen = Seen { key: 0, value, since: promises.step() };
                promises.visited(number, seen);
                promises.ended(2, number, complete);
            })
        };
        assert_eq!(iterate(false, 10), None);
        assert!(iterate(true, 10).unwrap().contains("passed over key 1"));
        assert!(iterate(false, 11).unwrap().starts_with("ghost-element"));
    }
}
