//! What the map must hold, and what a range over it must yield.
//!
//! Entries are told apart by *incarnation*: a key that was deleted and inserted again is another
//! entry.

use std::collections::{BTreeMap, BTreeSet};

/// An entry.
#[derive(Clone, Copy)]
struct Entry {
    incarnation: u64,
    value: u64,
}

/// What the map must hold.
#[derive(Default)]
pub struct Model {
    entries: BTreeMap<u64, Entry>,
    values: u64,
    incarnations: u64,
}

impl Model {
    /// A value that was never there.
    pub fn new_value(&mut self) -> u64 {
        self.values += 1;
        1000 + self.values
    }

    pub fn insert(&mut self, key: u64, value: u64) -> Option<u64> {
        self.incarnations += 1;
        let new = Entry { incarnation: self.incarnations, value };
        let entry = self.entries.entry(key).or_insert(new);
        let old = (entry.incarnation != new.incarnation).then_some(entry.value);
        entry.value = value;
        old
    }

    pub fn delete(&mut self, key: u64) {
        self.entries.remove(&key);
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn get(&self, key: u64) -> Option<u64> {
        self.entries.get(&key).map(|entry| entry.value)
    }

    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// A range begins.
    pub fn begin(&self) -> Seen {
        let there = self.entries.values().map(|entry| entry.incarnation).collect();
        Seen { there, yielded: BTreeSet::new() }
    }
}

/// What a range has yielded.
pub struct Seen {
    /// The incarnations that were there when it began.
    there: BTreeSet<u64>,
    yielded: BTreeSet<u64>,
}

impl Seen {
    /// It yields an entry: one that is there, with its value, and for the first time.
    pub fn visit(&mut self, model: &Model, key: u64, value: u64) -> Result<(), String> {
        let Some(entry) = model.entries.get(&key) else {
            return Err(format!("ghost-element: key {key}"));
        };
        if entry.value != value {
            return Err(format!("ghost-element: key {key} with value {value}"));
        }
        if !self.yielded.insert(entry.incarnation) {
            return Err(format!("duplicate-element: key {key}"));
        }
        Ok(())
    }

    /// It ends: what was there all the time was yielded.
    pub fn end(&self, model: &Model) -> Result<(), String> {
        for (key, entry) in &model.entries {
            let missed = !self.yielded.contains(&entry.incarnation);
            if missed && self.there.contains(&entry.incarnation) {
                return Err(format!("missed-element: key {key}"));
            }
        }
        Ok(())
    }
}
