//! Runs a scenario against a map.

use std::any::Any;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use mapcheck_machine as machine;

use super::history::{Answer, Effect, Seen, Ticket, Wiped};
use super::{Keys, Op, Scenario, Visit};
use crate::engine::ThreadBody;
use crate::fault::{self, Ending, Fault, GivenUp, Injected};
use crate::map::{Key, Map, Unsupported, Value};
use crate::oracle::{self, Past, Promises};
use crate::{element, engine, model};

/// What the threads of a scenario share.
struct Shared<M> {
    /// On the heap under test: what the map keeps in itself is memory that its threads share. There is none before the
    /// scenario begins and after it has ended.
    map: Option<Box<M>>,
    promises: Promises,
    /// Threads that have done all they had to do.
    done: AtomicUsize,
}

impl<M: Map> Past for Shared<M> {
    fn promises(&self) -> &Promises {
        &self.promises
    }
}

/// Runs a scenario on the root virtual thread of an execution: builds the map, sets it up, runs the threads, tears
/// down and drops the map.
///
/// Each operation sets its label, see [`Scenario::operation`], and begins with a schedule point. Operations that the
/// map does not support are skipped. A panic on any of its threads ends the execution with the finding `panic`, and so
/// does a broken promise of the map with a finding of its class.
///
/// Outside of executions the threads run one after the other.
///
/// # Panics
/// Outside of executions, when an operation panics or a promise is broken.
pub fn run<M: Map>(scenario: &Scenario) {
    fault::exclude(M::excludes());
    element::begin_execution(scenario.collide);
    if oracle::promises::looks_for_leaks() {
        machine::forbid_leaks();
    }
    machine::spare(true);
    if M::nonblocking() {
        machine::judge_stalls();
    }
    model::judge_again();
    let mut shared = shared::<M>(scenario);
    // The first execution of a process finds no memory to use again. That must not be what it is known by.
    machine::forget_edges();
    let built = survived(&shared.promises, || build::<M>(scenario, &shared.promises));
    let Some((map, done)) = built else { return outside(|| drop(shared)) };
    outside(|| alone(&mut shared).map = Some(map));
    shared.operate_all(&scenario.setup[done..], 1 + done as u32);
    let before = element::dropped();
    let threads = scenario.threads.len();
    engine::concurrently(threads, &|i| shared.thread(i), &|| shared.body());
    let first_label = scenario.first_label(threads);
    shared.operate_all(&scenario.teardown, first_label);
    FREED.store(element::dropped().saturating_sub(before), Relaxed);
    begin(scenario.last_label());
    let map = outside(|| alone(&mut shared).map.take());
    survived(&shared.promises, || {
        in_map(|| drop(map)).unwrap_or_else(go_on_unwinding);
        reclaim::<M>();
    });
    conclude(shared);
    machine::set_label(0);
}

/// What the threads of the execution that begins share, in the memory of what those of an earlier one have shared.
fn shared<M: Map>(scenario: &Scenario) -> Arc<Shared<M>> {
    let (profile, after_panic) = (M::profile(), M::after_panic());
    let spare = outside(|| {
        let spare: Arc<dyn Any + Send + Sync> = oracle::promises::spare()?;
        spare.downcast::<Shared<M>>().ok()
    });
    let Some(mut shared) = spare else {
        let promises = Promises::new(scenario, &profile, after_panic, M::oracles);
        return outside(|| Arc::new(Shared { map: None, promises, done: AtomicUsize::new(0) }));
    };
    let own = outside(|| alone(&mut shared));
    *own.done.get_mut() = 0;
    own.promises.begin(scenario, &profile, after_panic, M::oracles);
    shared
}

/// What threads share, while there are none.
fn alone<M>(shared: &mut Arc<Shared<M>>) -> &mut Shared<M> {
    Arc::get_mut(shared).expect("all threads have ended")
}

/// Drives collectors that outlive the map, as long as they hold values of it. What they then still hold can be reached
/// from them, and is no leak.
fn reclaim<M: Map>() {
    for _ in 0..ROUNDS {
        if machine::current_thread().is_none() || element::left().1 == 0 {
            return;
        }
        let _: Result<(), Unsupported> = M::new().reclaim();
    }
}

/// One more; not inlined, so that it is no access of the code under test.
#[inline(never)]
fn count(n: &AtomicUsize) -> usize {
    1 + n.fetch_add(1, Relaxed)
}

/// Ends the execution if more elements are left than the map holds and may still have to drop.
#[inline(never)]
fn tell_garbage(held: usize, bound: usize) {
    let garbage = (element::left().1 as usize).saturating_sub(held);
    if garbage > bound {
        let message = format!(
            "with one thread stalled for good, the others have reclaimed what they can, and {garbage} elements that \
             were removed are not dropped; the map promises at most {bound}"
        );
        machine::fail("leak", message, 0);
    }
}

/// Iterates when the thread's local variables are destroyed.
fn iterate_at_exit<M: Map>(shared: &Arc<Shared<M>>) {
    let shared = Arc::clone(shared);
    at_exit(outside(|| {
        Box::new(move || {
            survived(&shared.promises, || shared.iterate(true, None, 0));
        })
    }));
}

/// What a thread does when its local variables are destroyed, the latest first.
struct AtExit(RefCell<Vec<Box<dyn FnOnce()>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        while let Some(last) = self.0.get_mut().pop() {
            last();
        }
    }
}

/// Does this when the local variables of the current thread are destroyed.
#[inline(never)]
fn at_exit(last: Box<dyn FnOnce()>) {
    thread_local! {
        static AT_EXIT: AtExit = const { AtExit(RefCell::new(Vec::new())) };
    }
    AT_EXIT.with(|all| machine::outside(&mut || all.0.borrow_mut().reserve(1)));
    AT_EXIT.with(|all| all.0.borrow_mut().push(last));
}

/// What unwinds out of a call.
type Payload = Box<dyn Any + Send>;

/// Calls the map: faults are injected while it runs, and not where the framework's own code does. The error is what it
/// unwound with because of a fault.
fn in_map<R>(call: impl FnOnce() -> R) -> Result<R, Payload> {
    let spared = machine::spare(false);
    let result = catch_unwind(AssertUnwindSafe(call));
    machine::spare(spared);
    match result {
        Err(payload)
            if !payload.is::<Injected>()
                && !payload.is::<GivenUp>()
                && !machine::allocation_failed() =>
        {
            resume_unwind(payload)
        }
        result => result,
    }
}

/// Runs what the map was given to call. It may panic on the map's account before it does anything.
fn in_callback<R>(body: impl FnOnce() -> R) -> R {
    fault::may_panic(Fault::PanicInVisitor);
    let spared = machine::spare(true);
    let result = body();
    machine::spare(spared);
    result
}

/// What a call unwound with goes on, unless that was only to leave the call.
fn go_on_unwinding(payload: Payload) {
    if !payload.is::<GivenUp>() {
        resume_unwind(payload);
    }
}

/// Runs `body`, and survives a panic that was injected, or that follows from one: then it returns `None`.
fn survived<R>(promises: &Promises, body: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => return Some(result),
        Err(payload) if payload.is::<Injected>() => {}
        // What does not abort may panic.
        Err(_) if machine::allocation_failed() || promises.is_unspecified() => {}
        Err(payload) => tell(payload),
    }
    machine::spare(true);
    None
}

/// Runs `f` as the framework's own code: what threads share is not part of what they do.
fn outside<R>(f: impl FnOnce() -> R) -> R {
    let (mut f, mut result) = (Some(f), None);
    machine::outside(&mut || result = f.take().map(|f| f()));
    result.expect("`outside` runs what it is given")
}

/// The scenario has ended. Not inlined, so that its store is none of the code under test.
#[inline(never)]
fn conclude(past: Arc<dyn Past>) {
    INCONCLUSIVE.store(oracle::promises::finish(past), Relaxed);
}

/// Times that reclamation is driven at the end.
const ROUNDS: u32 = 2;

/// See [`freed_by_map`].
static FREED: AtomicU64 = AtomicU64::new(0);
/// See [`inconclusive`].
static INCONCLUSIVE: AtomicU64 = AtomicU64::new(0);

/// Values that the threads and the teardown of the last [`run`] made the map drop, with the blocks
/// they were in: where a map frees in batches there may be none before it is dropped itself.
pub fn freed_by_map() -> u64 {
    FREED.load(Relaxed)
}

/// Keys of the last [`run`] of which it is not known whether what the map returned for them is linearizable, because
/// finding out would have taken too long.
pub fn inconclusive() -> u64 {
    INCONCLUSIVE.load(Relaxed)
}

/// Runs `body` and returns its result. A panic in it ends the execution with the finding `panic`.
///
/// For the root thread and each thread that [`machine::concurrently`] starts.
///
/// # Panics
/// When called outside an execution and `body` panics.
pub fn guarded<R>(body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| tell(payload))
}

/// Ends the execution with the finding `panic`.
fn tell(payload: Payload) -> ! {
    let text = text_of(&*payload).unwrap_or("a payload that is not a string");
    machine::fail("panic", text.to_owned(), 0)
}

/// The text of a panic, if it has one.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
}

/// A map, and how many operations of the setup are in it already.
fn build<M: Map>(scenario: &Scenario, promises: &Promises) -> (Box<M>, usize) {
    if scenario.elements {
        begin(1);
        let (elements, done) = leading_elements(&scenario.setup);
        let made = in_map(|| M::from_elements(elements).map(Box::new));
        if let Ok(map) = made.unwrap_or_else(|payload| resume_unwind(payload)) {
            note_elements(&scenario.setup[..done], promises);
            return (map, done);
        }
    }
    let map = in_map(|| Box::new(M::new()));
    (map.unwrap_or_else(|payload| resume_unwind(payload)), 0)
}

/// The elements of the inserts that a setup begins with, and the number of those inserts.
fn leading_elements(setup: &[Op]) -> (Vec<(Key, Value)>, usize) {
    let mut elements = Vec::new();
    let mut done = 0;
    while let Some(Op::Insert(keys)) = setup.get(done) {
        done += 1;
        let element = |key| (Key::new(u64::from(key)), Value::new(value_id(key, done as u32)));
        elements.extend(keys.iter().map(element));
    }
    (elements, done)
}

/// Tells of these inserts, of which a map was made.
fn note_elements(inserts: &[Op], promises: &Promises) {
    for (label, op) in (1..).zip(inserts) {
        let Op::Insert(keys) = op else { continue };
        for key in keys.iter() {
            promises.made_with(label, key.into(), value_id(key, label));
        }
    }
}

/// The id of the value that the operation with this label puts under this key; no two are the same.
fn value_id(key: u32, label: u32) -> u64 {
    u64::from(key) << 32 | u64::from(label)
}

fn begin(label: u32) {
    machine::set_label(label);
    engine::point();
}

impl<M: Map> Shared<M> {
    /// What the thread of this number does.
    fn thread(self: &Arc<Self>, i: usize) {
        machine::spare(true);
        let ending = fault::ending();
        if ending == Ending::IteratingLast {
            iterate_at_exit(self);
        }
        let scenario = self.promises.scenario();
        self.operate_all(&scenario.threads[i], scenario.first_label(i));
        self.judge_garbage();
        match ending {
            Ending::IteratingFirst => iterate_at_exit(self),
            Ending::Abandoning => self.abandon(),
            Ending::IteratingLast | Ending::Plain => {}
        }
    }

    /// The same, for engines that keep it.
    fn body(self: &Arc<Self>) -> ThreadBody {
        let shared = Arc::clone(self);
        Arc::new(move |i| shared.thread(i))
    }

    fn map(&self) -> &M {
        self.map.as_deref().expect("the scenario is under way")
    }

    fn operate_all(self: &Arc<Self>, ops: &[Op], first_label: u32) {
        for (label, op) in (first_label..).zip(ops) {
            begin(label);
            survived(&self.promises, || {
                self.force();
                self.operate(op, label);
            });
        }
        machine::set_label(0);
    }

    fn operate(self: &Arc<Self>, op: &Op, label: u32) {
        match *op {
            Op::Insert(keys) => self.insert(keys, label),
            Op::Remove(keys) => self.remove(keys, label),
            Op::ExitRemove(keys) => self.remove_at_exit(keys, label),
            Op::Get { key, hold } => self.get(key, label, hold, false),
            Op::GetRemove(key) => self.get(key, label, false, true),
            Op::Iterate { hold, visit } => self.iterate(hold, visit, label),
            Op::Reserve(additional) => self.reserve(additional as usize),
            Op::Shrink => self.call(|| self.map().shrink()),
            Op::Clear => self.clear(label),
            Op::RetainEven => self.retain_even(label),
            Op::Reclaim => self.reclaim(),
            Op::Len => self.len(label),
        }
    }

    /// Calls the map for something of which nothing is promised. What it lacks is skipped: the report lists its
    /// capabilities.
    fn call(&self, call: impl FnOnce() -> Result<(), Unsupported>) {
        let called: Result<Result<(), Unsupported>, Payload> = in_map(call);
        _ = called.map_err(go_on_unwinding);
    }

    fn reserve(&self, additional: usize) {
        self.call(|| self.map().reserve(additional));
    }

    fn reclaim(&self) {
        if !fault::delays() {
            self.call(|| self.map().reclaim());
        }
    }

    /// Whether the threads but the one that has stalled could reclaim what they have removed, if all of them are done.
    fn judge_garbage(&self) {
        let done = count(&self.done);
        let Some(bound) = M::garbage_bound() else { return };
        if done + 1 < self.promises.scenario().threads.len() || !machine::someone_has_stalled() {
            return;
        }
        survived(&self.promises, || {
            for _ in 0..ROUNDS {
                self.call(|| self.map().reclaim());
            }
            if let Ok(Ok(held)) = in_map(|| self.map().len()) {
                tell_garbage(held, bound);
            }
        });
    }

    fn abandon(&self) {
        machine::tolerate_leaks();
        survived(&self.promises, || self.call(|| self.map().abandon()));
    }

    /// Makes the map do what it would do sooner or later, if that is decided here.
    fn force(&self) {
        match fault::forced() {
            Some(Fault::ForcedGrowth) => self.reserve(2 * M::profile().grows_at as usize),
            Some(Fault::ForcedShrink) => self.call(|| self.map().shrink()),
            Some(_) => self.call(|| self.map().reclaim()),
            None => {}
        }
    }

    /// A call on a key returns, or was given up.
    fn returned(&self, ticket: Ticket, answer: Result<Answer, Payload>) {
        match answer {
            Ok(answer) => self.promises.respond(ticket, answer),
            Err(payload) => {
                self.promises.respond(ticket, Answer::GivenUp);
                go_on_unwinding(payload);
            }
        }
        machine::completed();
    }

    fn insert(&self, keys: Keys, label: u32) {
        for key in keys.iter() {
            let id = value_id(key, label);
            let (k, value) = (Key::new(key.into()), Value::new(id));
            let ticket = self.promises.invoke(label, key.into(), Effect::Insert(id));
            let previous = in_map(|| self.map().insert(k, value));
            self.returned(ticket, previous.map(Answer::Wrote));
        }
    }

    fn remove(&self, keys: Keys, label: u32) {
        for key in keys.iter() {
            self.remove_key(&Key::new(key.into()), key.into(), label);
        }
    }

    fn remove_at_exit(self: &Arc<Self>, keys: Keys, label: u32) {
        if !matches!(machine::current_thread(), Some(1..)) {
            return self.remove(keys, label);
        }
        let shared = Arc::clone(self);
        at_exit(outside(|| {
            Box::new(move || {
                survived(&shared.promises, || shared.remove(keys, label));
            })
        }));
    }

    fn remove_key(&self, key: &Key, id: u64, label: u32) {
        let ticket = self.promises.invoke(label, id, Effect::Remove);
        let previous = in_map(|| self.map().remove(key));
        self.returned(ticket, previous.map(Answer::Wrote));
    }

    fn get(&self, id: u32, label: u32, hold: bool, remove: bool) {
        let (key, mut read) = (Key::new(id.into()), None);
        let ticket = self.promises.invoke(label, id.into(), Effect::Get);
        let got = in_map(|| {
            self.map().get(&key, &mut |value| {
                in_callback(|| {
                    read = Some(value.id());
                    if remove {
                        self.remove(Keys::one(id), label);
                        value.check();
                    }
                    if hold {
                        engine::point();
                        value.check();
                    }
                });
            })
        });
        self.returned(ticket, got.map(|_| Answer::Read(read)));
    }

    /// What became of an operation on many keys; if it was given up, once `end` knows, it unwinds.
    fn wiped(&self, result: Result<Result<(), Unsupported>, Payload>, end: impl FnOnce(Wiped)) {
        match result {
            Ok(Ok(())) => end(Wiped::All),
            Ok(Err(Unsupported)) => end(Wiped::Nothing),
            Err(payload) => {
                end(Wiped::Some);
                go_on_unwinding(payload);
            }
        }
    }

    fn clear(&self, label: u32) {
        let began = self.promises.begin_wipe(label, false);
        let result = in_map(|| self.map().clear());
        self.wiped(result, |done| self.promises.end_wipe(label, began, false, done));
    }

    fn len(&self, label: u32) {
        let began = self.promises.begin_len(label);
        let result = in_map(|| self.map().len());
        let len = result.as_ref().ok().and_then(|len| len.ok());
        self.promises.end_len(label, began, len);
        _ = result.map_err(go_on_unwinding);
    }

    fn retain_even(&self, label: u32) {
        let began = self.promises.begin_wipe(label, true);
        let result = in_map(|| {
            self.map().retain(&mut |key, value| {
                in_callback(|| {
                    value.check();
                    key.id() % 2 == 0
                })
            })
        });
        self.wiped(result, |done| self.promises.end_wipe(label, began, true, done));
    }

    fn iterate(&self, hold: bool, visit: Option<Visit>, label: u32) {
        let mut visited = Visited::new(visit);
        let mut stopped = false;
        let number = self.promises.begin_iteration(label);
        let mut since = self.promises.step();
        let result = in_map(|| {
            self.map().for_each(&mut |key, value| {
                in_callback(|| {
                    let (id, value_id) = (key.id(), value.id());
                    visited.note(key);
                    self.promises.visited(number, Seen { key: id, value: value_id, since });
                    machine::progressed();
                    if let Some(visit) = visit {
                        self.act(visit, &visited, (key, id), label);
                    }
                    let delayed = fault::delays();
                    if delayed {
                        machine::stall();
                    }
                    if hold || delayed {
                        engine::point();
                        key.check();
                        value.check();
                    }
                    stopped = visit == Some(Visit::Stop { at: visited.count });
                    since = self.promises.step();
                    if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
            });
        });
        self.promises.ended(label, number, result.is_ok() && !stopped);
        result.unwrap_or_else(go_on_unwinding);
    }

    /// Does what the visitor is to do at this visit.
    fn act(&self, visit: Visit, visited: &Visited, (current, id): (&Key, u64), label: u32) {
        let due = |at: u32| at == visited.count;
        match visit {
            Visit::RemoveCurrent { at } if due(at) => self.remove_key(current, id, label),
            Visit::RemoveVisited { at } if due(at) => {
                self.remove_key(&Key::new(visited.first), visited.first, label);
            }
            Visit::RemoveUnvisited { at, .. } if due(at) => {
                visited.unvisited().into_iter().for_each(|k| self.remove(Keys::one(k), label));
            }
            Visit::Remove { keys, at } if due(at) => self.remove(keys, label),
            Visit::Insert { keys, at } if due(at) => self.insert(keys, label),
            Visit::Nested => self.iterate(false, None, label),
            Visit::NestedRemove { at } => {
                self.iterate(false, Some(Visit::RemoveCurrent { at }), label);
            }
            Visit::Clear { at } if due(at) => self.clear(label),
            Visit::Refill { keys, at } if due(at) => {
                self.clear(label);
                self.insert(keys, label);
            }
            Visit::Outgrow { keys, at } if due(at) => {
                self.insert(keys.following(), label);
                self.clear(label);
                self.insert(keys, label);
                self.reclaim();
            }
            Visit::Reclaim { at } if due(at) => self.reclaim(),
            Visit::Churn { keys, at } if due(at) => {
                self.insert(keys, label);
                self.remove(keys, label);
            }
            _ => {}
        }
    }
}

/// What an iteration has seen so far, without memory of its own on the heap under test.
struct Visited {
    count: u32,
    first: u64,
    /// The keys of which a set is kept, the first 128 of them.
    tracked: Option<Keys>,
    set: u128,
}

impl Visited {
    fn new(visit: Option<Visit>) -> Visited {
        let tracked = match visit {
            Some(Visit::RemoveUnvisited { keys, .. }) => Some(keys),
            _ => None,
        };
        Visited { count: 0, first: 0, tracked, set: 0 }
    }

    fn note(&mut self, key: &Key) {
        let id = key.id();
        self.count += 1;
        if self.count == 1 {
            self.first = id;
        }
        let offset = self.tracked.and_then(|keys| id.checked_sub(keys.first.into()));
        self.set |= offset.filter(|&o| o < 128).map_or(0, |o| 1 << o);
    }

    /// The first tracked key that has not been visited.
    fn unvisited(&self) -> Option<u32> {
        self.tracked?.iter().zip(0..128).find(|(_, o)| self.set >> o & 1 == 0).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    use std::sync::{Mutex, RwLock};

    use super::*;
    use crate::map::{Iteration, Previous, Profile};
    use crate::scenario::families;

    /// Keys that the last map held when it was dropped.
    static LEFT: Mutex<Vec<u64>> = Mutex::new(Vec::new());

    struct Plain(RwLock<BTreeMap<Key, Value>>);

    impl Map for Plain {
        fn profile() -> Profile {
            let iteration = Iteration::Snapshot;
            Profile {
                iteration,
                promised_by: "this test",
                consistency: crate::map::Consistency::Linearizable,
                atomic: crate::map::Atomic::NONE,
                grows_at: 8,
                write_in_visit: true,
                knobs: "",
            }
        }
        fn new() -> Plain {
            Plain(RwLock::default())
        }
        fn insert(&self, key: Key, value: Value) -> Previous {
            let old = self.0.write().unwrap().insert(key, value);
            old.map_or(Previous::Absent, |v| Previous::Present(v.id()))
        }
        fn remove(&self, key: &Key) -> Previous {
            let old = self.0.write().unwrap().remove(key);
            old.map_or(Previous::Absent, |v| Previous::Present(v.id()))
        }
        fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
            // The reader may write to the map, so no lock is held while it runs.
            let value = self.0.read().unwrap().get(key).cloned();
            value.as_ref().map(read).is_some()
        }
        fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
            let snapshot = self.0.read().unwrap().clone();
            let _ = snapshot.iter().try_for_each(|(key, value)| visit(key, value));
        }
    }

    impl Drop for Plain {
        fn drop(&mut self) {
            *LEFT.lock().unwrap() = self.0.get_mut().unwrap().keys().map(Key::id).collect();
        }
    }

    /// The keys left when a thread has done this to a map of the keys 0 to 3.
    fn left_by(op: &str) -> Vec<u64> {
        let setup = vec!["insert 0..4".parse().unwrap()];
        run::<Plain>(&Scenario {
            setup,
            threads: vec![vec![op.parse().unwrap()]],
            ..Scenario::default()
        });
        LEFT.lock().unwrap().clone()
    }

    /// For how many of the keys 0 to 5 the hash is that of key 0, in a scenario that makes so many collide.
    fn alike(collide: u32) -> usize {
        run::<Plain>(&Scenario { collide, ..Scenario::default() });
        let hash = |id| BuildHasherDefault::<DefaultHasher>::default().hash_one(Key::new(id));
        (0..6).filter(|id| hash(*id) == hash(0)).count()
    }

    #[test]
    fn operations_do_what_their_text_says_and_unsupported_ones_nothing() {
        assert_eq!(left_by("iterate remove-unvisited 0..4 at 2"), [0, 1, 3]);
        assert_eq!(left_by("iterate remove-visited 2"), [1, 2, 3]);
        assert_eq!(left_by("iterate hold remove-current 3"), [0, 1, 3]);
        assert_eq!(left_by("iterate remove 0..2 at 4"), [2, 3]);
        assert_eq!(left_by("iterate insert 7 at 1"), [0, 1, 2, 3, 7]);
        assert_eq!(left_by("iterate insert 7 at 5"), [0, 1, 2, 3]);
        assert_eq!(left_by("iterate outgrow 0..4 at 2"), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(left_by("iterate nested"), [0, 1, 2, 3]);
        // At each visit of the outer iteration, of a snapshot, the inner one removes the second of what is left.
        assert_eq!(left_by("iterate nested remove-current 2"), [0]);
        assert_eq!(left_by("exit remove 1..3"), [0, 3]);
        assert_eq!(left_by("remove 1..3"), [0, 3]);
        assert_eq!(left_by("clear"), [0, 1, 2, 3]);
        assert_eq!([0, 1, 2, 4, 12].map(alike), [1, 1, 2, 4, 6]);
        // In the same test, because the maps of tests that run beside this one would be mistaken for its own.
        families::all(&Plain::profile(), 0).iter().for_each(run::<Plain>);
    }
}
