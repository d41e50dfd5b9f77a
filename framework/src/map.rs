//! The adapter: how mapcheck drives a map it knows nothing about.

use std::ops::ControlFlow;

pub use crate::element::{Key, Value};

/// What a map held under a key before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// Nothing: the key was new, or there was nothing to remove.
    Absent,
    /// The value with this [`Value::id`].
    Present(u64),
    /// Something, but the map does not tell what.
    Unknown,
    /// The map refused the write because the key was present.
    Refused,
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
    /// Writers wait until the iteration ends.
    Locked,
}

/// Facts about a target that scenarios are shaped by.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What is promised about iteration.
    pub iteration: Iteration,
    /// Where the promise is written, or `assumed`.
    pub promised_by: &'static str,
    /// Elements at which a fresh map grows; scenarios work just below, at and above it.
    pub grows_at: u32,
    /// Whether the visitor of an iteration may write to the same map from the same thread without deadlock.
    pub write_in_visit: bool,
    /// Size knobs that were turned down so that small scenarios reach growth and reclamation, in words; empty if none.
    pub knobs: &'static str,
}

/// An adapter. Implement it for a wrapper around your map; about fifteen lines.
///
/// Every method may be called from many threads at once. A method with a default is a capability that maps may lack.
pub trait Map: Send + Sync + Sized + 'static {
    /// What scenarios and oracles must know about the map.
    fn profile() -> Profile;
    /// An empty map with its smallest capacity.
    fn new() -> Self;
    /// Puts `value` under `key`.
    fn insert(&self, key: Key, value: Value) -> Previous;
    /// Removes `key`.
    fn remove(&self, key: &Key) -> Previous;
    /// Calls `read` with the value under `key` and returns true, or returns false.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool;
    /// Visits elements until `visit` breaks.
    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>);
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
}
