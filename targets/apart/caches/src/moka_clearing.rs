//! `moka@clearing`: moka's cache, all of whose elements may be invalidated at once.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Unsupported, Value};
use moka::sync::Cache;

use crate::Identity;
use crate::moka::{builder, collect, profile};

/// An unbounded [`Cache`].
///
/// Apart from `moka`, because elements that were invalidated are still removed: [`Cache::remove`] returns them. Nothing
/// is asked here of what was removed.
pub struct MokaClearing(Cache<Key, Value, Identity>);

impl Map for MokaClearing {
    /// Docs of `Cache::invalidate_all`: `get` and other retrieval methods are guaranteed not to return what was
    /// inserted before or at the invalidation time.
    fn profile() -> Profile {
        profile()
    }

    fn new() -> MokaClearing {
        MokaClearing(builder().build_with_hasher(Identity::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        Previous::Unknown
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.invalidate(key);
        Previous::Unknown
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.invalidate_all();
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.run_pending_tasks();
        collect();
        Ok(())
    }
}
