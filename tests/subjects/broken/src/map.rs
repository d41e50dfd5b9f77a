//! A map that would be correct, were it not for its bug.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Value};

/// What is wrong with a map. The self-check of adapters uses no key 0, so a bug that shows with that key alone is met
/// by the campaign.
pub trait Bug: Send + Sync + 'static {
    /// Whether the map says that visitors may write to it. They cannot.
    const CLAIMS_WRITE_IN_VISIT: bool = false;
    /// What happens before each insertion and each removal.
    fn write() {}
    /// What happens before key 0 is inserted.
    fn insert() {}
    /// What happens before key 0 is removed.
    fn remove() {}
    /// What becomes of a key and a value that were removed.
    fn give_up(_key: Key, _value: Value) {}
}

/// A `HashMap` behind a `Mutex`, with a bug.
pub struct Broken<B>(Mutex<HashMap<Key, Value>>, PhantomData<B>);

impl<B> Broken<B> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Value>> {
        self.0.lock().expect("poisoned by a panic that was reported")
    }
}

impl<B: Bug> Map for Broken<B> {
    fn profile() -> Profile {
        let (iteration, write_in_visit) = match B::CLAIMS_WRITE_IN_VISIT {
            true => (Iteration::WeaklyConsistent, true),
            false => (Iteration::Locked, false),
        };
        Profile {
            iteration,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 7,
            write_in_visit,
            knobs: "",
        }
    }

    fn new() -> Broken<B> {
        Broken(Mutex::new(HashMap::with_capacity(7)), PhantomData)
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        B::write();
        if key.id() == 0 {
            B::insert();
        }
        let old = self.lock().insert(key, value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        B::write();
        if key.id() == 0 {
            B::remove();
        }
        let old = self.lock().remove_entry(key);
        old.map_or(Previous::Absent, |(key, old)| {
            let id = old.id();
            B::give_up(key, old);
            Previous::Present(id)
        })
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.lock().get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.lock().iter().try_for_each(|(key, value)| visit(key, value));
    }
}

/// An adapter whose `get` finds nothing, ever.
pub struct Liar(Broken<crate::bugs::None>);

impl Map for Liar {
    fn profile() -> Profile {
        Broken::<crate::bugs::None>::profile()
    }

    fn new() -> Liar {
        Liar(Broken::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key)
    }

    fn get(&self, _: &Key, _: &mut dyn FnMut(&Value)) -> bool {
        false
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(visit);
    }
}
