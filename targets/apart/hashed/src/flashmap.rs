//! `flashmap`: two hash tables as evmap's, with one word that tells readers which of them is theirs.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

use flashmap::{Builder, ReadHandle, WriteHandle};
use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

/// A flashmap that is published after each write.
pub struct Flashmap {
    writer: Mutex<WriteHandle<Key, Value>>,
    reader: ReadHandle<Key, Value>,
}

impl Flashmap {
    fn writer(&self) -> MutexGuard<'_, WriteHandle<Key, Value>> {
        self.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Map for Flashmap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "flashmap 0.2 crate docs, Examples: read guards see a snapshot",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, clear: false, retain: false },
            // Each of the two tables is one of hashbrown's.
            grows_at: 3,
            // The next guard for writing waits for all readers, the calling thread's too.
            write_in_visit: false,
            knobs: "published after each write",
        }
    }

    /// flashmap 0.2 docs, `TrustedHashEq`, Safety: keys must hash and compare deterministically, which no key does that
    /// panics once and not the next time.
    ///
    /// flashmap 0.2 docs, `WriteHandle::synchronize`: it blocks until all readers see the same version. A visitor that
    /// keeps what it was given until no other thread can go on keeps waiting those who wait for it.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInEq, Fault::DelayedReclamation]
    }

    fn new() -> Flashmap {
        // SAFETY: keys hash and compare as their numbers do.
        let (writer, reader) = unsafe { Builder::new().build_assert_trusted() };
        Flashmap { writer: Mutex::new(writer), reader }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let mut writer = self.writer();
        let mut map = writer.guard();
        map.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut writer = self.writer();
        let mut map = writer.guard();
        map.remove(key.clone()).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    /// Each read has a handle of its own, as each thread's should be.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.reader.clone().guard().get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let reader = self.reader.clone();
        let _ = reader.guard().iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.reader.guard().len())
    }

    /// Waits for the readers of the old table, and applies to it what the other has.
    fn reclaim(&self) -> Result<(), Unsupported> {
        drop(self.writer().guard());
        Ok(())
    }
}
