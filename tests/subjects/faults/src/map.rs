//! What the subjects share: a map of a few rows, most of which a subject leaves as it is.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A key and its value.
pub struct Row {
    pub key: Key,
    pub value: Value,
}

/// All rows of a map. Clones share them, so that nobody's `Clone` is called.
pub type Rows = Vec<Arc<Row>>;

/// Locks, also after a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of the row with this key.
pub fn position(rows: &[Arc<Row>], key: &Key) -> Option<usize> {
    rows.iter().position(|row| row.key == *key)
}

/// Puts a row into its place, and returns the one that was there.
pub fn put(rows: &mut Rows, row: Arc<Row>) -> Option<Arc<Row>> {
    match position(rows, &row.key) {
        Some(at) => Some(std::mem::replace(&mut rows[at], row)),
        None => {
            rows.push(row);
            None
        }
    }
}

/// Takes a row out.
pub fn take(rows: &mut Rows, key: &Key) -> Option<Arc<Row>> {
    position(rows, key).map(|at| rows.swap_remove(at))
}

/// The id of the value of a row that is given up.
pub fn id(row: Option<Arc<Row>>) -> Option<u64> {
    row.map(|row| row.value.id())
}

/// A map with one thing in it that a fault is about. What writes returns the id of the value that was there before.
pub trait Subject: Default + Send + Sync + 'static {
    /// What it promises of iterations.
    const ITERATION: Iteration = Iteration::Snapshot;
    /// Whether it says that no operation waits for another.
    const NONBLOCKING: bool = false;
    /// How much it says that a thread that has stalled can keep from being freed.
    const GARBAGE: Option<usize> = None;
    /// Puts a row into its place.
    fn insert(&self, row: Arc<Row>) -> Option<u64>;
    /// Takes a row out.
    fn remove(&self, key: &Key) -> Option<u64>;
    /// All rows of one moment.
    fn snapshot(&self) -> Rows;
    /// Calls `read` with the value under `key`.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let rows = self.snapshot();
        position(&rows, key).map(|at| read(&rows[at].value)).is_some()
    }
    /// Visits rows until `visit` says no.
    fn visit(&self, visit: &mut dyn FnMut(&Row) -> bool) {
        self.snapshot().iter().all(|row| visit(row));
    }
    /// Makes room.
    fn reserve(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Gives room back.
    fn shrink(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
    /// Frees what nobody can see any more.
    fn reclaim(&self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
}

/// How a subject inserts that is a lock around its rows.
macro_rules! writes_as_usual {
    () => {
        fn insert(&self, row: Arc<Row>) -> Option<u64> {
            let old = put(&mut lock(&self.0), row);
            id(old)
        }
    };
}
pub(crate) use writes_as_usual;

/// How such a subject removes, and shows all of its rows.
macro_rules! removes_as_usual {
    () => {
        fn remove(&self, key: &Key) -> Option<u64> {
            let old = take(&mut lock(&self.0), key);
            id(old)
        }

        fn snapshot(&self) -> Rows {
            lock(&self.0).clone()
        }
    };
}
pub(crate) use removes_as_usual;

/// The adapter of a subject.
pub struct Of<S>(S);

fn previous(id: Option<u64>) -> Previous {
    id.map_or(Previous::Absent, Previous::Present)
}

impl<S: Subject> Map for Of<S> {
    fn profile() -> Profile {
        Profile {
            iteration: S::ITERATION,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 4,
            write_in_visit: S::ITERATION != Iteration::Locked,
            knobs: "",
        }
    }

    fn new() -> Of<S> {
        Of(S::default())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        previous(self.0.insert(Arc::new(Row { key, value })))
    }

    fn remove(&self, key: &Key) -> Previous {
        previous(self.0.remove(key))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.visit(&mut |row| visit(&row.key, &row.value).is_continue());
    }

    fn nonblocking() -> bool {
        S::NONBLOCKING
    }

    fn garbage_bound() -> Option<usize> {
        S::GARBAGE
    }

    fn len(&self) -> Result<usize, Unsupported> {
        // Of those whose garbage is counted.
        S::GARBAGE.map(|_| self.0.snapshot().len()).ok_or(Unsupported)
    }

    fn reserve(&self, _: usize) -> Result<(), Unsupported> {
        self.0.reserve()
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.0.shrink()
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim()
    }
}
