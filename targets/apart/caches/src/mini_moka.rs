//! `mini-moka`: dashmap 5, with the order of uses and of writes in lists behind a lock, fed through channels.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use mini_moka::sync::{Cache, ConcurrentCacheExt};

use crate::Identity;

fn profile(consistency: Consistency, knobs: &'static str) -> Profile {
    Profile {
        iteration: Iteration::WeaklyConsistent,
        promised_by: "assumed; mini-moka 0.10 docs, sync::Cache::iter, names dashmap's iterator",
        consistency,
        atomic: Atomic::NONE,
        // A shard's table holds 3 elements, then 7, then 14.
        grows_at: 3,
        // Docs of `Cache::iter`, Locking behavior: it may deadlock.
        write_in_visit: false,
        knobs,
    }
}

/// What both targets do.
struct Inner(Cache<Key, Value, Identity>);

impl Inner {
    /// It does not tell what it replaced.
    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        Previous::Unknown
    }

    /// It does not tell what it removed.
    fn remove(&self, key: &Key) -> Previous {
        self.0.invalidate(key);
        Previous::Unknown
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|entry| visit(entry.key(), entry.value()));
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.invalidate_all();
        Ok(())
    }

    /// Applies what is recorded of reads and writes, and removes what was invalidated.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.sync();
        Ok(())
    }
}

/// An unbounded [`Cache`].
pub struct MiniMoka(Inner);

impl Map for MiniMoka {
    fn profile() -> Profile {
        profile(Consistency::Linearizable, "a hasher that leads all keys to one shard")
    }

    fn new() -> MiniMoka {
        MiniMoka(Inner(Cache::builder().build_with_hasher(Identity::default())))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(visit);
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear()
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim()
    }
}

/// A [`Cache`] of three elements, or of a weight of three where it weighs them.
pub struct MiniMokaSmall<const WEIGHS: bool>(Inner);

impl<const WEIGHS: bool> Map for MiniMokaSmall<WEIGHS> {
    fn profile() -> Profile {
        let knobs = "3 elements; a hasher that leads all keys to one shard";
        profile(Consistency::LinearizableMayEvict, knobs)
    }

    fn new() -> Self {
        let weigh = |key: &Key, _: &Value| if WEIGHS { key.id() as u32 % 2 + 1 } else { 1 };
        let builder = Cache::builder().max_capacity(3).weigher(weigh);
        MiniMokaSmall(Inner(builder.build_with_hasher(Identity::default())))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(visit);
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear()
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim()
    }
}
