//! `quick_cache@guard`: quick_cache through the calls that wait for a value which another caller is about to insert.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Unsupported, Value};
use quick_cache::sync::{EntryAction, EntryResult, GuardResult};

use crate::quick_cache::{ENOUGH, Even, of, profile};

/// A [`Cache`](quick_cache::sync::Cache) that is never full.
pub struct QuickCacheGuard(Even);

impl Map for QuickCacheGuard {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> QuickCacheGuard {
        QuickCacheGuard(of(ENOUGH))
    }

    /// Whoever gets no guard has waited for the value of another, or found one.
    ///
    /// An insert through a guard fails if its placeholder is gone, which `clear` alone can have removed here while
    /// this call lasted: that is as if the value had come and been cleared.
    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.get_value_or_guard(&key, None) {
            GuardResult::Guard(guard) => {
                let _ = guard.insert(value);
                Previous::Absent
            }
            _ => Previous::Refused,
        }
    }

    /// Docs of `Cache::entry`: it waits for a value that is being loaded. `Cache::remove` would remove the placeholder.
    fn remove(&self, key: &Key) -> Previous {
        match self.0.entry::<_, ()>(key, None, |_, _| EntryAction::Remove) {
            EntryResult::Removed(_, old) => Previous::Present(old.id()),
            _ => Previous::Absent,
        }
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.0.reserve(additional);
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        let keep = std::cell::RefCell::new(keep);
        self.0.retain(|key, value| (keep.borrow_mut())(key, value));
        Ok(())
    }
}
