//! The maps, each in a few lines: what it can do, and how it is done.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use crate::ways::{Watch, Way};

/// What all maps with hashes hash with: the same function with the same seed.
type Sip = BuildHasherDefault<DefaultHasher>;

/// What the maps hold: the key again, to tell a value from other bytes, and a word for marks and updates.
pub struct Value {
    key: u64,
    /// The lowest bit is the mark, the others count updates.
    word: AtomicU64,
}

impl Value {
    const MARK: u64 = 1;

    pub fn new(key: u64) -> Value {
        Value { key, word: AtomicU64::new(0) }
    }

    /// Whether this is the value that was inserted with this key.
    pub fn is_of(&self, key: u64) -> bool {
        self.key == key
    }

    /// Deletes it for readers; sweeping takes it out.
    pub fn mark(&self) {
        self.word.fetch_or(Value::MARK, Relaxed);
    }

    pub fn is_marked(&self) -> bool {
        self.word.load(Relaxed) & Value::MARK != 0
    }

    pub fn update(&self) {
        self.word.fetch_add(2 * Value::MARK, Relaxed);
    }
}

/// A map that threads delete from.
pub trait Subject: Sync + Sized {
    const NAME: &'static str;
    /// The ways of deleting that it has.
    const WAYS: &'static [Way] = &[Way::Retain, Way::Collect, Way::Mark];
    /// Whether its documentation allows an iteration to show an element twice.
    const MAY_REPEAT: bool = false;

    /// An empty map.
    fn new() -> Self;
    /// Puts in a key that is not there.
    fn insert(&self, key: u64);
    /// Takes the key out; whether it was there.
    fn remove(&self, key: u64) -> bool;
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R>;
    fn for_each(&self, visit: impl FnMut(u64, &Value));

    /// One iteration that removes the doomed as it meets them, of maps that allow it. The watch times the removals
    /// alone.
    fn within(&self, _doomed: impl FnMut(u64, &Value) -> bool, _watch: &mut Watch) {
        unreachable!("{} does not list it", Self::NAME);
    }

    /// The map's own `retain`, of maps that have one.
    fn retain(&self, _keep: impl FnMut(u64, &Value) -> bool) {
        unreachable!("{} does not list it", Self::NAME);
    }

    /// Lets go of what this thread has retired, as far as the map offers a way.
    fn settle(&self) {}

    /// Gives back room that it does not need. Whether it can.
    fn shrink(&self) -> bool {
        false
    }
}

/// All four ways.
const ALL: &[Way] = &[Way::Within, Way::Retain, Way::Collect, Way::Mark];
/// Without `retain`.
const NO_RETAIN: &[Way] = &[Way::Within, Way::Collect, Way::Mark];

/// It would wait for itself in an iteration that removes: the iterator holds its shard's lock.
pub struct DashMap(dashmap::DashMap<u64, Value, Sip>);

impl Subject for DashMap {
    const NAME: &'static str = "dashmap";
    fn new() -> Self {
        DashMap(dashmap::DashMap::with_hasher(Sip::default()))
    }
    fn insert(&self, key: u64) {
        self.0.insert(key, Value::new(key));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.remove(&key).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.get(&key).map(|value| read(&value))
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.iter().for_each(|entry| visit(*entry.key(), entry.value()));
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.0.retain(|key, value| keep(*key, value));
    }
    fn shrink(&self) -> bool {
        self.0.shrink_to_fit();
        true
    }
}

pub struct Papaya(papaya::HashMap<u64, Value, Sip>);

impl Subject for Papaya {
    const NAME: &'static str = "papaya";
    const WAYS: &'static [Way] = ALL;
    fn new() -> Self {
        Papaya(papaya::HashMap::with_hasher(Sip::default()))
    }
    fn insert(&self, key: u64) {
        self.0.pin().insert(key, Value::new(key));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.pin().remove(&key).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.pin().get(&key).map(read)
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.pin().iter().for_each(|(key, value)| visit(*key, value));
    }
    fn within(&self, mut doomed: impl FnMut(u64, &Value) -> bool, watch: &mut Watch) {
        let map = self.0.pin();
        for (key, _) in map.iter().filter(|(key, value)| doomed(**key, value)) {
            watch.removal(|| map.remove(key).is_some());
        }
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.0.pin().retain(|key, value| keep(*key, value));
    }
    fn settle(&self) {
        use papaya::Guard as _;
        self.0.guard().flush();
    }
}

pub struct SccHashMap(scc::HashMap<u64, Value, Sip>);

impl Subject for SccHashMap {
    const NAME: &'static str = "scc HashMap";
    const WAYS: &'static [Way] = ALL;
    fn new() -> Self {
        SccHashMap(scc::HashMap::with_hasher(Sip::default()))
    }
    fn insert(&self, key: u64) {
        self.0.upsert_sync(key, Value::new(key));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.remove_sync(&key).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.read_sync(&key, |_, value| read(value))
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.iter_sync(|key, value| {
            visit(*key, value);
            true
        });
    }
    fn within(&self, mut doomed: impl FnMut(u64, &Value) -> bool, watch: &mut Watch) {
        self.0.iter_mut_sync(|entry| {
            if doomed(*entry.key(), &entry) {
                watch.time(|| drop(entry.consume()));
            }
            true
        });
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.0.retain_sync(|key, value| keep(*key, value));
    }
    fn settle(&self) {
        scc::Guard::new().accelerate();
    }
}

/// Its documentation says that growth may leave a reader with an old copy of a value, where a mark gets lost. So the
/// map holds pointers to the values.
pub struct SccHashIndex(scc::HashIndex<u64, Arc<Value>, Sip>);

impl Subject for SccHashIndex {
    const NAME: &'static str = "scc HashIndex";
    const WAYS: &'static [Way] = ALL;
    const MAY_REPEAT: bool = true;
    fn new() -> Self {
        SccHashIndex(scc::HashIndex::with_hasher(Sip::default()))
    }
    fn insert(&self, key: u64) {
        let _ = self.0.insert_sync(key, Arc::new(Value::new(key)));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.remove_sync(&key)
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.peek_with(&key, |_, value| read(value))
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.iter(&scc::Guard::new()).for_each(|(key, value)| visit(*key, value));
    }
    fn within(&self, mut doomed: impl FnMut(u64, &Value) -> bool, watch: &mut Watch) {
        for (key, _) in self.0.iter(&scc::Guard::new()).filter(|(key, value)| doomed(**key, value))
        {
            watch.removal(|| self.0.remove_sync(key));
        }
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.0.retain_sync(|key, value| keep(*key, value));
    }
    fn settle(&self) {
        scc::Guard::new().accelerate();
    }
}

/// As [`SccHashIndex`], where a leaf is split.
pub struct SccTreeIndex(scc::TreeIndex<u64, Arc<Value>>);

impl Subject for SccTreeIndex {
    const NAME: &'static str = "scc TreeIndex";
    const WAYS: &'static [Way] = NO_RETAIN;
    fn new() -> Self {
        SccTreeIndex(scc::TreeIndex::new())
    }
    fn insert(&self, key: u64) {
        let _ = self.0.insert_sync(key, Arc::new(Value::new(key)));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.remove_sync(&key)
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.peek_with(&key, |_, value| read(value))
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.iter(&scc::Guard::new()).for_each(|(key, value)| visit(*key, value));
    }
    fn within(&self, mut doomed: impl FnMut(u64, &Value) -> bool, watch: &mut Watch) {
        for (key, _) in self.0.iter(&scc::Guard::new()).filter(|(key, value)| doomed(**key, value))
        {
            watch.removal(|| self.0.remove_sync(key));
        }
    }
    fn settle(&self) {
        scc::Guard::new().accelerate();
    }
}

pub struct Flurry(flurry::HashMap<u64, Value, Sip>);

impl Subject for Flurry {
    const NAME: &'static str = "flurry";
    const WAYS: &'static [Way] = ALL;
    fn new() -> Self {
        Flurry(flurry::HashMap::with_hasher(Sip::default()))
    }
    fn insert(&self, key: u64) {
        self.0.pin().insert(key, Value::new(key));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.pin().remove(&key).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.pin().get(&key).map(read)
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.pin().iter().for_each(|(key, value)| visit(*key, value));
    }
    fn within(&self, mut doomed: impl FnMut(u64, &Value) -> bool, watch: &mut Watch) {
        let map = self.0.pin();
        for (key, _) in map.iter().filter(|(key, value)| doomed(**key, value)) {
            watch.removal(|| map.remove(key).is_some());
        }
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.0.pin().retain(|key, value| keep(*key, value));
    }
    fn settle(&self) {
        self.0.guard().flush();
    }
}

pub struct SkipMap(crossbeam_skiplist::SkipMap<u64, Value>);

impl Subject for SkipMap {
    const NAME: &'static str = "crossbeam-skiplist";
    const WAYS: &'static [Way] = NO_RETAIN;
    fn new() -> Self {
        SkipMap(crossbeam_skiplist::SkipMap::new())
    }
    fn insert(&self, key: u64) {
        self.0.insert(key, Value::new(key));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.remove(&key).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.get(&key).map(|entry| read(entry.value()))
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.iter().for_each(|entry| visit(*entry.key(), entry.value()));
    }
    fn within(&self, mut doomed: impl FnMut(u64, &Value) -> bool, watch: &mut Watch) {
        for entry in self.0.iter().filter(|entry| doomed(*entry.key(), entry.value())) {
            watch.removal(|| entry.remove());
        }
    }
    fn settle(&self) {
        crossbeam_epoch::pin().flush();
    }
}

pub struct RwLockMap(RwLock<HashMap<u64, Value, Sip>>);

impl RwLockMap {
    fn read<R>(&self, f: impl FnOnce(&HashMap<u64, Value, Sip>) -> R) -> R {
        f(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
    fn write<R>(&self, f: impl FnOnce(&mut HashMap<u64, Value, Sip>) -> R) -> R {
        f(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subject for RwLockMap {
    const NAME: &'static str = "RwLock<HashMap>";
    fn new() -> Self {
        RwLockMap(RwLock::default())
    }
    fn insert(&self, key: u64) {
        self.write(|map| map.insert(key, Value::new(key)));
    }
    fn remove(&self, key: u64) -> bool {
        self.write(|map| map.remove(&key)).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.read(|map| map.get(&key).map(read))
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.read(|map| map.iter().for_each(|(key, value)| visit(*key, value)));
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.write(|map| map.retain(|key, value| keep(*key, value)));
    }
    fn shrink(&self) -> bool {
        self.write(HashMap::shrink_to_fit);
        true
    }
}

/// Its lock without its runtime: a thread that waits for it parks.
pub struct TokioRwLockMap(tokio::sync::RwLock<HashMap<u64, Value, Sip>>);

impl Subject for TokioRwLockMap {
    const NAME: &'static str = "tokio RwLock<HashMap>";
    fn new() -> Self {
        TokioRwLockMap(tokio::sync::RwLock::default())
    }
    fn insert(&self, key: u64) {
        self.0.blocking_write().insert(key, Value::new(key));
    }
    fn remove(&self, key: u64) -> bool {
        self.0.blocking_write().remove(&key).is_some()
    }
    fn get<R>(&self, key: u64, read: impl FnOnce(&Value) -> R) -> Option<R> {
        self.0.blocking_read().get(&key).map(read)
    }
    fn for_each(&self, mut visit: impl FnMut(u64, &Value)) {
        self.0.blocking_read().iter().for_each(|(key, value)| visit(*key, value));
    }
    fn retain(&self, mut keep: impl FnMut(u64, &Value) -> bool) {
        self.0.blocking_write().retain(|key, value| keep(*key, value));
    }
    fn shrink(&self) -> bool {
        self.0.blocking_write().shrink_to_fit();
        true
    }
}
