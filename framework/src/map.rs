//! The adapter: how mapcheck drives a map it knows nothing about.

use std::fmt;
use std::ops::ControlFlow;

pub use crate::element::{Key, Value};
use crate::fault::Fault;
use crate::oracle::Oracle;

/// What a map held under a key before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// Nothing: the key was new, or there was nothing to remove.
    Absent,
    /// The value with this [`Value::id`].
    Present(u64),
    /// The map does not tell.
    Unknown,
    /// The map refused the write because the key was present.
    Refused,
    /// The map could not do it, for want of memory, and is as it was before.
    Failed,
    /// The map cannot do it at all, and is as it was before: nothing can be removed from one that only grows, such as an
    /// interner.
    Unsupported,
}

/// The map lacks this capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported;

/// What the map's documentation promises about iteration that runs beside writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iteration {
    /// The elements of one moment.
    Snapshot,
    /// Each element that stays is visited exactly once; others may or may not be.
    WeaklyConsistent,
    /// As `WeaklyConsistent`, but an element may be visited more than once.
    WeaklyConsistentMayRepeat,
    /// The Go language specification's range statement.
    Go,
    /// All writers wait until the iteration ends, so that it shows the elements of one moment. A lock of a part of the
    /// map, such as a shard, is not meant.
    Locked,
    /// There is none: [`Map::for_each`] keeps its default.
    None,
}

impl fmt::Display for Iteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Iteration::Snapshot => "snapshot",
            Iteration::WeaklyConsistent => "weakly consistent",
            Iteration::WeaklyConsistentMayRepeat => "weakly consistent, may repeat",
            Iteration::Go => "Go's",
            Iteration::Locked => "locked",
            Iteration::None => "none",
        })
    }
}

/// What insert, remove and get of one key promise about their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Each takes effect at one moment between call and return.
    Linearizable,
    /// As `Linearizable`, but an element may be gone at any moment, as from a cache that evicts. No iteration has to show
    /// it then, and operations on the whole map are not judged.
    LinearizableMayEvict,
    /// They take effect in some order that keeps the order of each thread's own calls, with the setup before all
    /// threads and the teardown after them. What one thread did another may see late, and keys are not ordered among
    /// each other.
    SequentialPerKey,
    /// Nothing: only iteration is judged.
    None,
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Consistency::Linearizable => "linearizable",
            Consistency::LinearizableMayEvict => "linearizable, may evict",
            Consistency::SequentialPerKey => "sequential per key",
            Consistency::None => "none",
        })
    }
}

/// Which operations on the whole map take effect at one moment between call and return, for all keys at once.
/// Judged of maps that are [`Consistency::Linearizable`].
///
/// Of the others, `len` is not judged, and `clear` and `retain` count as removing each key on its own, once or more
/// while they last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Atomic {
    /// [`Map::len`].
    pub len: bool,
    /// [`Map::clear`].
    pub clear: bool,
    /// [`Map::retain`].
    pub retain: bool,
}

impl Atomic {
    /// None of them.
    pub const NONE: Atomic = Atomic { len: false, clear: false, retain: false };
    /// All of them.
    pub const ALL: Atomic = Atomic { len: true, clear: true, retain: true };

    /// The names of those that do.
    pub fn names(self) -> Vec<&'static str> {
        let all = [("len", self.len), ("clear", self.clear), ("retain", self.retain)];
        all.into_iter().filter(|operation| operation.1).map(|operation| operation.0).collect()
    }
}

/// What a map promises of itself once a callback of its user has panicked, in a hash say, and the panic was caught. In
/// any case it must not read or free what is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterPanic {
    /// It goes on as before: the operation took effect or did not.
    Usable,
    /// Nothing: what it holds is not judged any more, and later calls may panic too, as those of a poisoned lock do.
    Unspecified,
}

/// Facts about a target that scenarios are shaped by.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What is promised about iteration.
    pub iteration: Iteration,
    /// Where the promise is written, or `assumed`.
    pub promised_by: &'static str,
    /// What is promised about insert, remove and get.
    pub consistency: Consistency,
    /// Which operations on the whole map are promised to be atomic.
    pub atomic: Atomic,
    /// The most elements that a fresh map holds without growing: the next insert makes it grow.
    /// Scenarios work just below it, at it and above it.
    pub grows_at: u32,
    /// Whether the visitor of an iteration may write to the same map from the same thread without deadlock.
    pub write_in_visit: bool,
    /// Size knobs that were turned down so that small scenarios reach growth and reclamation, in words; empty if none.
    pub knobs: &'static str,
}

/// An adapter. Implement it for a wrapper around your map; about fifteen lines.
///
/// Every method may be called from many threads at once. A method with a default is a capability that maps may lack.
#[expect(clippy::len_without_is_empty, reason = "a capability, not a collection's interface")]
pub trait Map: Send + Sync + Sized + 'static {
    /// What scenarios and oracles must know about the map.
    fn profile() -> Profile;
    /// An empty map with its smallest capacity.
    fn new() -> Self;
    /// Puts `value` under `key`.
    fn insert(&self, key: Key, value: Value) -> Previous;
    /// Removes `key`; [`Previous::Unsupported`] where nothing can be removed.
    fn remove(&self, key: &Key) -> Previous;
    /// Calls `read` with the value under `key` and returns true, or returns false.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool;
    /// Visits elements until `visit` breaks. A map that cannot be iterated over leaves this out, and says
    /// [`Iteration::None`].
    fn for_each(&self, _visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {}
    /// What is promised once a callback has panicked: a matter of the faults that make them.
    fn after_panic() -> AfterPanic {
        AfterPanic::Usable
    }
    /// Faults that the map's documentation says must not happen: they are not injected.
    fn excludes() -> &'static [Fault] {
        &[]
    }
    /// Whether no operation ever waits for another thread, wherever that has stalled: a matter of the fault
    /// `stalled-thread`.
    fn nonblocking() -> bool {
        false
    }
    /// How many elements, at most, have been removed and are not dropped when one thread has stalled and the others,
    /// done with all they had to do, have driven [`Map::reclaim`]: a matter of the fault `stalled-thread`. `None` where
    /// one thread can hold up the reclamation of everything, as with epochs. Needs [`Map::len`].
    fn garbage_bound() -> Option<usize> {
        None
    }
    /// Oracles that judge executions of this map besides mapcheck's own, fresh ones for each execution.
    fn oracles() -> Vec<Box<dyn Oracle>> {
        Vec::new()
    }
    /// A map made from elements in one go (`FromIterator`).
    fn from_elements(_elements: Vec<(Key, Value)>) -> Result<Self, Unsupported> {
        Err(Unsupported)
    }
    /// Number of elements.
    fn len(&self) -> Result<usize, Unsupported> {
        Err(Unsupported)
    }
    /// Makes room for `additional` more elements.
    fn reserve(&self, _additional: usize) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Gives back memory.
    fn shrink(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Removes all elements.
    fn clear(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Keeps the elements for which `keep` returns true.
    fn retain(&self, _keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Drives memory reclamation as far as the calling thread can: flush its batch, advance the epoch.
    ///
    /// Most maps free in batches (seize 32 to 128 nodes, crossbeam-epoch 64); without this, or size knobs turned down
    /// in [`Map::new`], a small scenario never frees anything.
    fn reclaim(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Leaves behind what an iteration of the calling thread holds, a guard or an iterator, with [`std::mem::forget`]:
    /// a matter of the fault `thread-exit`. Not for maps whose iterations hold locks, which would be held for ever.
    fn abandon(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
}

/// The optional capabilities, in the order of the trait, and whether `M` has them.
///
/// It finds out by trying each on a fresh map.
pub fn capabilities<M: Map>() -> Vec<(&'static str, bool)> {
    let map = M::new();
    map.insert(Key::new(1), Value::new(1));
    vec![
        ("from_elements", M::from_elements(Vec::new()).is_ok()),
        ("len", map.len().is_ok()),
        ("reserve", map.reserve(1).is_ok()),
        ("shrink", map.shrink().is_ok()),
        ("retain", map.retain(&mut |_, _| true).is_ok()),
        ("clear", map.clear().is_ok()),
        ("reclaim", map.reclaim().is_ok()),
    ]
}

/// Tries the adapter on one thread: what it inserts must be found, counted, visited and removed.
/// Findings against a map whose adapter fails this would be the adapter's own.
///
/// Where the map may evict, what is missing is not held against it.
///
/// # Errors
/// A sentence that names the method that does not do what it is documented to do.
///
/// # Panics
/// When the map does.
pub fn self_check<M: Map>() -> Result<(), String> {
    let map = M::new();
    expect("insert", map.insert(Key::new(1), value(1, 1)), &[Previous::Absent])?;
    let over = [Previous::Present(value(1, 1).id()), Previous::Refused, Previous::Absent];
    let refused = map.insert(Key::new(1), value(1, 2));
    expect("insert", refused, if evicts::<M>() { &over } else { &over[..2] })?;
    let current = if refused == Previous::Refused { value(1, 1) } else { value(1, 2) }.id();
    map.insert(Key::new(2), value(2, 1));
    check_reads(&map, current)?;
    check_visits(&map)?;
    check_bulk(&map)?;
    check_removal(&map, current)?;
    check_rest(&map)
}

/// Whether an element may be gone that nothing removed.
fn evicts<M: Map>() -> bool {
    M::profile().consistency == Consistency::LinearizableMayEvict
}

fn has<M: Map>(map: &M, key: u64) -> bool {
    map.get(&Key::new(key), &mut Value::check)
}

/// Whether a key is gone that must be there.
fn lacks<M: Map>(map: &M, key: u64) -> bool {
    !has(map, key) && !evicts::<M>()
}

fn value(key: u64, n: u64) -> Value {
    Value::new(key << 32 | n)
}

fn expect(method: &str, got: Previous, wanted: &[Previous]) -> Result<(), String> {
    if matches!(got, Previous::Unknown | Previous::Unsupported) || wanted.contains(&got) {
        return Ok(());
    }
    Err(format!("`{method}` returned {got:?}, and not {:?} or Unknown", wanted[0]))
}

/// Reads a map of the keys 1 and 2, where key 1 has the value `current`.
fn check_reads<M: Map>(map: &M, current: u64) -> Result<(), String> {
    let mut read = None;
    let found = map.get(&Key::new(1), &mut |value| read = Some(value.id()));
    let right = found && read == Some(current);
    if !right && (found || read.is_some() || !evicts::<M>()) {
        return Err(format!("`get` returned {found} and read {read:?}, and not {current}"));
    }
    if has(map, 3) {
        return Err("`get` finds a key that was never inserted".to_owned());
    }
    match map.len() {
        Ok(n) if n != 2 && !evicts::<M>() => Err(format!("`len` returned {n}, and not 2")),
        _ => Ok(()),
    }
}

/// Iterates over a map of the keys 1 and 2.
fn check_visits<M: Map>(map: &M) -> Result<(), String> {
    let expected = match M::profile().iteration {
        Iteration::None => Vec::new(),
        _ => vec![1, 2],
    };
    let mut seen = Vec::new();
    map.for_each(&mut |key, value| {
        value.check();
        seen.push(key.id());
        ControlFlow::Continue(())
    });
    seen.sort_unstable();
    let some = evicts::<M>() && [1, 2].iter().filter(|key| seen.contains(key)).eq(&seen);
    if seen != expected && !some {
        return Err(format!("`for_each` visits the keys {seen:?}, and not {expected:?}"));
    }
    let mut visits = 0;
    map.for_each(&mut |_, _| {
        visits += 1;
        ControlFlow::Break(())
    });
    if visits > 1 {
        return Err(format!("`for_each` went on to {visits} visits after a break"));
    }
    Ok(())
}

/// What changes no element must leave a map of the keys 1 and 2 as it is.
fn check_bulk<M: Map>(map: &M) -> Result<(), String> {
    // What the map lacks cannot be wrong.
    let _ = (map.reserve(16), map.shrink(), map.reclaim(), map.retain(&mut |_, _| true));
    match [1, 2].into_iter().find(|key| lacks(map, *key)) {
        Some(key) => Err(format!("key {key} is lost by reserve, shrink, reclaim or retain")),
        None => Ok(()),
    }
}

/// Removes key 1, which has the value `current`.
fn check_removal<M: Map>(map: &M, current: u64) -> Result<(), String> {
    let removed = map.remove(&Key::new(1));
    let absent = [Previous::Present(current), Previous::Absent];
    expect("remove", removed, if evicts::<M>() { &absent } else { &absent[..1] })?;
    expect("remove", map.remove(&Key::new(1)), &absent[1..])?;
    match (removed, has(map, 1)) {
        (Previous::Unsupported, false) if lacks(map, 1) => {
            Err("`remove` removes, and says that it cannot".to_owned())
        }
        (Previous::Unsupported, _) | (_, false) => Ok(()),
        (_, true) => Err("`get` finds a key that was removed".to_owned()),
    }
}

/// A map of key 2, at most of key 1 besides: retain, clear, and a map made from elements.
fn check_rest<M: Map>(map: &M) -> Result<(), String> {
    map.insert(Key::new(5), value(5, 1));
    if map.retain(&mut |key, _| key.id() == 5).is_ok() && (has(map, 2) || lacks(map, 5)) {
        return Err("`retain` does not keep exactly what it is asked to keep".to_owned());
    }
    if map.clear().is_ok() && (has(map, 2) || has(map, 5)) {
        return Err("`clear` leaves an element".to_owned());
    }
    let elements = vec![(Key::new(7), value(7, 1)), (Key::new(8), value(8, 1))];
    match M::from_elements(elements) {
        Ok(made) if lacks(&made, 7) || lacks(&made, 8) => {
            Err("`from_elements` loses an element".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use super::*;
    use crate::element::Member;

    /// A set that keeps `KEPT` members, says that it may evict if `EVICTS`, and that it cannot remove unless `REMOVES`.
    struct Set<const KEPT: usize, const EVICTS: bool, const REMOVES: bool>(Mutex<HashSet<Member>>);

    impl<const KEPT: usize, const EVICTS: bool, const REMOVES: bool> Map
        for Set<KEPT, EVICTS, REMOVES>
    {
        fn profile() -> Profile {
            let consistency = match EVICTS {
                true => Consistency::LinearizableMayEvict,
                false => Consistency::Linearizable,
            };
            Profile {
                iteration: Iteration::None,
                promised_by: "this test",
                consistency,
                atomic: Atomic::NONE,
                grows_at: 3,
                write_in_visit: false,
                knobs: "",
            }
        }
        fn new() -> Self {
            Set(Mutex::default())
        }
        fn insert(&self, key: Key, value: Value) -> Previous {
            let mut set = self.0.lock().unwrap();
            if set.len() == KEPT && !set.contains(&key) {
                set.clear();
            }
            if set.insert(Member::new(key, value)) { Previous::Absent } else { Previous::Refused }
        }
        fn remove(&self, key: &Key) -> Previous {
            if !REMOVES {
                return Previous::Unsupported;
            }
            let old = self.0.lock().unwrap().take(key);
            old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
        }
        fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
            self.0.lock().unwrap().get(key).map(|member| read(member.value())).is_some()
        }
    }

    #[test]
    fn a_set_without_iteration_that_evicts_or_cannot_remove_passes_if_it_says_so() {
        assert_eq!(self_check::<Set<9, false, true>>(), Ok(()));
        assert_eq!(self_check::<Set<9, false, false>>(), Ok(()));
        assert_eq!(self_check::<Set<1, true, true>>(), Ok(()));
        assert_eq!(self_check::<Set<1, true, false>>(), Ok(()));
        let told = self_check::<Set<1, false, true>>().unwrap_err();
        assert_eq!(told, "`get` returned false and read None, and not 4294967297");
    }
}
