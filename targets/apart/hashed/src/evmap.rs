//! `evmap`: two hash tables that share their values, one for readers and one for the writer, who swaps them.

use std::hash::RandomState;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

use evmap::handles::{ReadHandle, WriteHandle};
use mapcheck::{
    AfterPanic, Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported,
    Value,
};

use crate::stored::Stored;

/// An evmap that is published after each write, with at most one value under a key.
pub struct Evmap {
    writer: Mutex<WriteHandle<Key, Stored, (), RandomState>>,
    // Each thread needs a handle of its own, and evmap 11 makes none of the factories that it has.
    reader: Mutex<ReadHandle<Key, Stored>>,
}

impl Evmap {
    /// The only writer. What a panic leaves is judged, and not forbidden by the mutex, which is not evmap's.
    fn writer(&self) -> MutexGuard<'_, WriteHandle<Key, Stored, (), RandomState>> {
        self.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A handle for one read.
    fn reader(&self) -> ReadHandle<Key, Stored> {
        self.reader.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

/// What readers, and the writer between its writes, find under a key.
fn previous(read: &ReadHandle<Key, Stored>, key: &Key) -> Previous {
    read.get_one(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

impl Map for Evmap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "evmap 11 crate docs, Examples: all the reviews or none of them, since publishing is atomic",
            // "They can refresh the map after every write to emulate a regular concurrent `HashMap`."
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, clear: true, retain: false },
            // Each of the two tables is one of hashbrown's.
            grows_at: 3,
            // Publishing waits for all readers, the calling thread's too.
            write_in_visit: false,
            knobs: "published after each write",
        }
    }

    /// evmap 11 docs, `new_assert_stable`, Safety: keys and values must hash and compare deterministically, which no
    /// key does that panics once and not the next time.
    ///
    /// evmap 11 docs, `ReadHandle::enter`: while the reference lives, changes cannot be published. A visitor that keeps
    /// what it was given until no other thread can go on keeps waiting those who wait for it.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInEq, Fault::DelayedReclamation]
    }

    /// The documentation is silent; the mutex around left-right's list of readers is poisoned by a panic while it
    /// publishes, and later calls panic.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn new() -> Evmap {
        // SAFETY: keys and values hash and compare as their numbers do.
        let (writer, reader) = unsafe { evmap::new_assert_stable() };
        Evmap { writer: Mutex::new(writer), reader: Mutex::new(reader) }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let mut writer = self.writer();
        let old = previous(&writer, &key);
        writer.update(key, Stored(value)).publish();
        old
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut writer = self.writer();
        let old = previous(&writer, key);
        writer.remove_entry(key.clone()).publish();
        old
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.reader().get_one(key).map(|value| read(&value.0)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let reader = self.reader();
        let Some(elements) = reader.enter() else { return };
        let _ = elements
            .iter()
            .try_for_each(|(key, bag)| bag.iter().try_for_each(|value| visit(key, &value.0)));
    }

    /// Published once: until then the writes go to one table alone, which the other becomes a copy of.
    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Evmap, Unsupported> {
        let map = Evmap::new();
        let mut writer = map.writer();
        // What extends it adds to the values of a key that it has.
        for (key, value) in elements {
            writer.update(key, Stored(value));
        }
        writer.publish();
        drop(writer);
        Ok(map)
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.reader().len())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.writer().fit_all().publish();
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.writer().purge().publish();
        Ok(())
    }

    /// What is published first is applied to the other table by the next publication.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.writer().publish();
        Ok(())
    }
}
