//! `papaya` with blocking resizes, and keys that crowd one place of the table.
//!
//! `known-bad/papaya-0.2.4` has this same file as its adapter.

use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use papaya::{Guard, HashMap, ResizeMode};
use seize_of_papaya::Collector;

/// A papaya [`HashMap`] whose writers wait for each other's copies.
pub struct PapayaBlocking(HashMap<Key, Value, Crowded>);

/// Keys of the crowd. The probe limit of papaya's 32 slots lets 26 keys of one hash in, and that of 64 slots 31: a
/// crowd of 32 would be copied to another 64 slots again and again.
const CROWD: u64 = 27;

/// Gives the first keys one hash, and consecutive ones to all others.
///
/// Keys of one hash use up the slots that a key may be in long before the table is full, the more so as removed keys
/// leave theirs used. So a resize may begin while the map is almost empty, which then makes a smaller table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crowded(u64);

impl BuildHasher for Crowded {
    type Hasher = Crowded;

    fn build_hasher(&self) -> Crowded {
        Crowded(0)
    }
}

impl Hasher for Crowded {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.rotate_left(8) ^ n;
    }

    /// The low bits say where a key goes, the high ones are what papaya compares first.
    fn finish(&self) -> u64 {
        if self.0 < CROWD { 0 } else { self.0 ^ self.0.reverse_bits() }
    }
}

impl Map for PapayaBlocking {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "papaya 0.2 crate docs, Consistency: a weak snapshot",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // Of the 32 slots of the first table, as many as the probe limit lets the crowd have.
            grows_at: 26,
            // Guards block nobody, and copies are completed before an iteration begins.
            write_in_visit: true,
            knobs: "ResizeMode::Blocking; keys 0 to 26 have one hash; seize batch size 1 instead of 32",
        }
    }

    fn new() -> PapayaBlocking {
        let collector = Collector::new().batch_size(1);
        let map = HashMap::builder().hasher(Crowded::default()).collector(collector);
        PapayaBlocking(map.resize_mode(ResizeMode::Blocking).build())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let map = self.0.pin();
        map.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let map = self.0.pin();
        map.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.pin().get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.pin().iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.0.pin().reserve(additional);
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.pin().clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.pin().retain(|key, value| keep(key, value));
        Ok(())
    }

    /// Hands this thread's batch to the active threads; the last of them that unpins frees it.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.guard().flush();
        Ok(())
    }
}
