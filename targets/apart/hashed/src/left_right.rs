//! `left-right`: the primitive under evmap, around two plain hash tables.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

use left_right::{Absorb, ReadHandleFactory, WriteHandle};
use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

/// Two hash tables, published after each write.
pub struct LeftRight {
    writer: Mutex<WriteHandle<Table, Write>>,
    readers: ReadHandleFactory<Table>,
}

/// One of the two. Both hash alike: the second is a clone of the first.
#[derive(Clone, Default)]
struct Table(HashMap<Key, Value>);

/// An entry of the operational log.
enum Write {
    Insert(Key, Value),
    Remove(Key),
    Clear,
}

impl Absorb<Write> for Table {
    fn absorb_first(&mut self, write: &mut Write, _: &Table) {
        match write {
            Write::Insert(key, value) => drop(self.0.insert(key.clone(), value.clone())),
            Write::Remove(key) => drop(self.0.remove(key)),
            Write::Clear => self.0.clear(),
        }
    }

    fn absorb_second(&mut self, write: Write, _: &Table) {
        match write {
            Write::Insert(key, value) => drop(self.0.insert(key, value)),
            Write::Remove(key) => drop(self.0.remove(&key)),
            Write::Clear => self.0.clear(),
        }
    }

    fn sync_with(&mut self, first: &Table) {
        self.0.clone_from(&first.0);
    }
}

impl LeftRight {
    fn writer(&self) -> MutexGuard<'_, WriteHandle<Table, Write>> {
        self.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Does a write, and tells what was under its key.
    fn write(&self, key: Option<&Key>, write: Write) -> Previous {
        let mut writer = self.writer();
        let table = writer.enter().expect("the writer is there");
        let old = key.and_then(|key| table.0.get(key)).map(Value::id);
        drop(table);
        writer.append(write).publish();
        old.map_or(Previous::Absent, Previous::Present)
    }
}

impl Map for LeftRight {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "left-right 0.11 docs, WriteHandle::publish: all operations until then become visible at once",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, clear: true, retain: false },
            grows_at: 3,
            // Publishing waits for all readers, the calling thread's too.
            write_in_visit: false,
            knobs: "published after each write",
        }
    }

    /// left-right 0.11 docs, `Absorb`: absorbing must be deterministic, which it is not where it panics once.
    ///
    /// left-right 0.11 crate docs: as long as a guard lives, publishing is blocked. A visitor that keeps what it was
    /// given until no other thread can go on keeps waiting those who wait for it.
    fn excludes() -> &'static [Fault] {
        &[
            Fault::PanicInHash,
            Fault::PanicInEq,
            Fault::PanicInClone,
            Fault::PanicInDrop,
            Fault::DelayedReclamation,
        ]
    }

    fn new() -> LeftRight {
        let (writer, reader) = left_right::new_from_empty(Table::default());
        LeftRight { writer: Mutex::new(writer), readers: reader.factory() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let found = key.clone();
        self.write(Some(&found), Write::Insert(key, value))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.write(Some(key), Write::Remove(key.clone()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let reader = self.readers.handle();
        let table = reader.enter().expect("the writer is there");
        table.0.get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let reader = self.readers.handle();
        let table = reader.enter().expect("the writer is there");
        let _ = table.0.iter().try_for_each(|(key, value)| visit(key, value));
    }

    /// Published once: until then the writes go to one table alone, which the other becomes a copy of.
    fn from_elements(elements: Vec<(Key, Value)>) -> Result<LeftRight, Unsupported> {
        let map = LeftRight::new();
        let writes = elements.into_iter().map(|(key, value)| Write::Insert(key, value));
        map.writer().extend(writes);
        map.writer().publish();
        Ok(map)
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.readers.handle().enter().expect("the writer is there").0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.write(None, Write::Clear);
        Ok(())
    }

    /// What is published first is applied to the other table by the next publication.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.writer().publish();
        Ok(())
    }
}
