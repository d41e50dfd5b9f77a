//! Runs a scenario against a map.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mapcheck_machine as machine;

use super::{Keys, Op, Scenario, Visit};
use crate::element;
use crate::map::{Key, Map, Unsupported, Value};

/// Runs a scenario on the root virtual thread of an execution: builds the map, sets it up, runs the threads, tears
/// down and drops the map.
///
/// Each operation sets its label, see [`Scenario::operation`], and begins with a schedule point. Operations that the
/// map does not support are skipped. A panic on any of its threads ends the execution with the finding `panic`.
///
/// Outside of executions the threads run one after the other.
///
/// # Panics
/// Outside of executions, when an operation panics.
pub fn run<M: Map>(scenario: &Scenario) {
    element::begin_execution();
    let (map, done) = guarded(|| build::<M>(scenario));
    guarded(|| operate_all(&map, &scenario.setup[done..], 1 + done as u32));
    let before = element::dropped();
    let threads = &scenario.threads;
    machine::concurrently(threads.len(), &|i| {
        guarded(|| operate_all(&map, &threads[i], scenario.first_label(i)));
    });
    guarded(|| operate_all(&map, &scenario.teardown, scenario.first_label(threads.len())));
    FREED.store(element::dropped().saturating_sub(before), Relaxed);
    begin(scenario.last_label());
    guarded(|| drop(map));
    machine::set_label(0);
}

/// See [`freed_by_map`].
static FREED: AtomicU64 = AtomicU64::new(0);

/// Values that the threads and the teardown of the last [`run`] made the map drop, with the blocks
/// they were in: where a map frees in batches there may be none before it is dropped itself.
pub fn freed_by_map() -> u64 {
    FREED.load(Relaxed)
}

/// Runs `body` and returns its result. A panic in it ends the execution with the finding `panic`.
///
/// For the root thread and each thread that [`machine::concurrently`] starts.
///
/// # Panics
/// When called outside an execution and `body` panics.
pub fn guarded<R>(body: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            machine::fail("panic", text.unwrap_or("a payload that is not a string").to_owned(), 0)
        }
    }
}

/// A map, and how many operations of the setup are in it already.
fn build<M: Map>(scenario: &Scenario) -> (M, usize) {
    if scenario.elements {
        begin(1);
        let (elements, done) = leading_elements(&scenario.setup);
        if let Ok(map) = M::from_elements(elements) {
            return (map, done);
        }
    }
    (M::new(), 0)
}

/// The elements of the inserts that a setup begins with, and the number of those inserts.
fn leading_elements(setup: &[Op]) -> (Vec<(Key, Value)>, usize) {
    let mut elements = Vec::new();
    let mut done = 0;
    while let Some(Op::Insert(keys)) = setup.get(done) {
        done += 1;
        elements.extend(keys.iter().map(|key| (Key::new(key.into()), value(key, done as u32))));
    }
    (elements, done)
}

/// The value that the operation with this label puts under this key; no two are the same.
fn value(key: u32, label: u32) -> Value {
    Value::new(u64::from(key) << 32 | u64::from(label))
}

fn begin(label: u32) {
    machine::set_label(label);
    machine::point();
}

fn operate_all<M: Map>(map: &M, ops: &[Op], first_label: u32) {
    for (label, op) in (first_label..).zip(ops) {
        begin(label);
        // What a map lacks is skipped: the report lists its capabilities.
        let _: Result<(), Unsupported> = operate(map, op, label);
    }
    machine::set_label(0);
}

fn operate<M: Map>(map: &M, op: &Op, label: u32) -> Result<(), Unsupported> {
    match *op {
        Op::Insert(keys) => insert(map, keys, label),
        Op::Remove(keys) => remove(map, keys),
        Op::Get { key, hold } => get(map, key, hold),
        Op::Iterate { hold, visit } => iterate(map, hold, visit, label),
        Op::Reserve(additional) => map.reserve(additional as usize)?,
        Op::Shrink => map.shrink()?,
        Op::Clear => map.clear()?,
        Op::RetainEven => map.retain(&mut |key, value| {
            value.check();
            key.id() % 2 == 0
        })?,
        Op::Reclaim => map.reclaim()?,
        Op::Len => drop(map.len()?),
    }
    Ok(())
}

fn insert<M: Map>(map: &M, keys: Keys, label: u32) {
    for key in keys.iter() {
        map.insert(Key::new(key.into()), value(key, label));
    }
}

fn remove<M: Map>(map: &M, keys: Keys) {
    for key in keys.iter() {
        map.remove(&Key::new(key.into()));
    }
}

fn get<M: Map>(map: &M, key: u32, hold: bool) {
    map.get(&Key::new(key.into()), &mut |value| {
        value.check();
        if hold {
            machine::point();
            value.check();
        }
    });
}

fn iterate<M: Map>(map: &M, hold: bool, visit: Option<Visit>, label: u32) {
    let mut visited = Visited::new(visit);
    map.for_each(&mut |key, value| {
        key.check();
        value.check();
        visited.note(key);
        if let Some(visit) = visit {
            act(map, visit, &visited, key, label);
        }
        if hold {
            machine::point();
            key.check();
            value.check();
        }
        ControlFlow::Continue(())
    });
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

/// Does what the visitor is to do at this visit.
fn act<M: Map>(map: &M, visit: Visit, visited: &Visited, current: &Key, label: u32) {
    let due = |at: u32| at == visited.count;
    match visit {
        Visit::RemoveCurrent { at } if due(at) => drop(map.remove(current)),
        Visit::RemoveVisited { at } if due(at) => drop(map.remove(&Key::new(visited.first))),
        Visit::RemoveUnvisited { at, .. } if due(at) => {
            visited.unvisited().map_or((), |k| remove(map, Keys::one(k)))
        }
        Visit::Remove { keys, at } if due(at) => remove(map, keys),
        Visit::Insert { keys, at } if due(at) => insert(map, keys, label),
        Visit::Nested => iterate(map, false, None, label),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
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
            self.0.read().unwrap().get(key).map(read).is_some()
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

    #[test]
    fn operations_do_what_their_text_says_and_unsupported_ones_nothing() {
        assert_eq!(left_by("iterate remove-unvisited 0..4 at 2"), [0, 1, 3]);
        assert_eq!(left_by("iterate remove-visited 2"), [1, 2, 3]);
        assert_eq!(left_by("iterate hold remove-current 3"), [0, 1, 3]);
        assert_eq!(left_by("iterate remove 0..2 at 4"), [2, 3]);
        assert_eq!(left_by("iterate insert 7 at 1"), [0, 1, 2, 3, 7]);
        assert_eq!(left_by("iterate insert 7 at 5"), [0, 1, 2, 3]);
        assert_eq!(left_by("iterate nested"), [0, 1, 2, 3]);
        assert_eq!(left_by("remove 1..3"), [0, 3]);
        assert_eq!(left_by("clear"), [0, 1, 2, 3]);
        // In the same test, because the maps of tests that run beside this one would be mistaken for its own.
        families::all(&Plain::profile()).iter().for_each(run::<Plain>);
    }
}
