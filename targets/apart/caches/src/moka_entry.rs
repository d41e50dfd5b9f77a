//! `moka@entry`: moka's cache through its entries, where one caller makes the value and the others wait for it.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Unsupported, Value};
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use crate::Identity;
use crate::moka::{builder, collect, profile};

/// An unbounded [`Cache`] that is written through [`Cache::entry`].
pub struct MokaEntry(Cache<Key, Value, Identity>);

impl Map for MokaEntry {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> MokaEntry {
        MokaEntry(builder().build_with_hasher(Identity::default()))
    }

    /// Docs of `Cache::entry` and `OwnedKeyEntrySelector::or_insert_with`: concurrent calls on a key that is not there
    /// are coalesced into one evaluation of `init`.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let entry = self.0.entry(key).or_insert_with(|| value);
        if entry.is_fresh() { Previous::Absent } else { Previous::Refused }
    }

    /// Docs of `OwnedKeyEntrySelector::and_compute_with`: calls on a key are serialised, and it tells what it removed.
    fn remove(&self, key: &Key) -> Previous {
        match self.0.entry(key.clone()).and_compute_with(|_| Op::Remove) {
            CompResult::Removed(entry) => Previous::Present(entry.value().id()),
            _ => Previous::Absent,
        }
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
