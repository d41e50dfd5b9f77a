//! `moka@expiring`: moka's cache with elements that expire, and with a listener.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use mapcheck::{Consistency, Key, Map, Previous, Profile, Unsupported, Value};
use moka::sync::Cache;

use crate::Identity;
use crate::moka::{builder, collect, profile};

/// A [`Cache`] whose elements live for as long as some hundred schedule points last, with maintenance after each write.
pub struct MokaExpiring(Cache<Key, Value, Identity>);

impl Map for MokaExpiring {
    fn profile() -> Profile {
        Profile {
            consistency: Consistency::LinearizableMayEvict,
            knobs: "elements expire after 20 microseconds, and after 10 without use; maintenance after each write \
                instead of after 64; else as of `moka`",
            ..profile()
        }
    }

    fn new() -> MokaExpiring {
        let listener = |key: Arc<Key>, value: Value, _| {
            key.check();
            value.check();
        };
        let builder = builder()
            .time_to_live(Duration::from_micros(20))
            .time_to_idle(Duration::from_micros(10))
            .eviction_listener(listener);
        MokaExpiring(builder.build_with_hasher(Identity::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        self.0.run_pending_tasks();
        Previous::Unknown
    }

    /// `Cache::remove` returns elements that have expired: nothing is asked here of what was removed.
    fn remove(&self, key: &Key) -> Previous {
        self.0.invalidate(key);
        self.0.run_pending_tasks();
        Previous::Unknown
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.run_pending_tasks();
        collect();
        Ok(())
    }
}
