//! The maps, with the same settings as mapcheck's adapters in `targets/known-bad/`, so that the version is the same and
//! the way to the mistake as short.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZeroU64;

use crate::element::Element;

/// A map under stress.
pub trait Suspect: Sync + Sized + 'static {
    /// Its name as a target of mapcheck.
    const TARGET: &'static str;
    /// Whether a visitor may write to the map.
    const WRITES_IN_VISIT: bool = true;
    fn new() -> Self;
    /// From an iterator that does not tell how long it is, of maps that can be made so.
    fn from_keys(_keys: std::ops::Range<u64>) -> Option<Self> {
        None
    }
    fn insert(&self, key: u64);
    fn remove(&self, key: u64);
    /// Looks a key up, and at its value before and after something else, while a reference to it is held.
    fn hold(&self, key: u64, meanwhile: impl FnOnce()) -> bool;
    fn for_each(&self, visit: impl FnMut(u64));
    /// Frees what this thread has retired, as far as there is a way.
    fn flush(&self) {}
}

fn element(key: u64) -> (Element, Element) {
    (Element::new(key), Element::new(key))
}

fn look(value: &Element, meanwhile: impl FnOnce()) {
    let before = value.number();
    meanwhile();
    assert_eq!(before, value.number(), "the value changed under a reference");
}

pub struct Flurry(flurry::HashMap<Element, Element, RandomState>);

impl Suspect for Flurry {
    const TARGET: &'static str = "flurry@0.4.0";
    fn new() -> Self {
        let one = NonZeroU64::new(1);
        let collector = seize_of_flurry::Collector::new().batch_size(1).epoch_frequency(one);
        let map = flurry::HashMap::default().with_collector(collector);
        map.pin().reserve(2);
        Flurry(map)
    }
    fn from_keys(keys: std::ops::Range<u64>) -> Option<Self> {
        Some(Flurry(keys.map(element).collect()))
    }
    fn insert(&self, key: u64) {
        self.0.pin().insert(Element::new(key), Element::new(key));
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&Element::new(key));
    }
    fn hold(&self, key: u64, meanwhile: impl FnOnce()) -> bool {
        self.0.pin().get(&Element::new(key)).map(|value| look(value, meanwhile)).is_some()
    }
    fn for_each(&self, mut visit: impl FnMut(u64)) {
        self.0.pin().iter().for_each(|(key, value)| look(value, || visit(key.number())));
    }
    fn flush(&self) {
        self.0.guard().flush();
    }
}

pub struct Papaya01(papaya_0_1::HashMap<Element, Element>);

impl Suspect for Papaya01 {
    const TARGET: &'static str = "papaya@0.1.2";
    fn new() -> Self {
        let collector = papaya_0_1::Collector::new().batch_size(1);
        Papaya01(papaya_0_1::HashMap::builder().capacity(6).collector(collector).build())
    }
    fn from_keys(keys: std::ops::Range<u64>) -> Option<Self> {
        let promised = keys.start..keys.end.min(keys.start + 3);
        let others = (promised.end..keys.end).filter(|_| true);
        Some(Papaya01(promised.chain(others).map(element).collect()))
    }
    fn insert(&self, key: u64) {
        self.0.pin().insert(Element::new(key), Element::new(key));
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&Element::new(key));
    }
    fn hold(&self, key: u64, meanwhile: impl FnOnce()) -> bool {
        self.0.pin().get(&Element::new(key)).map(|value| look(value, meanwhile)).is_some()
    }
    fn for_each(&self, mut visit: impl FnMut(u64)) {
        self.0.pin().iter().for_each(|(key, value)| look(value, || visit(key.number())));
    }
    fn flush(&self) {
        use papaya_0_1::Guard as _;
        self.0.guard().flush();
    }
}

pub struct Papaya024(papaya::HashMap<Element, Element, Crowded>);

impl Suspect for Papaya024 {
    const TARGET: &'static str = "papaya@0.2.4";
    fn new() -> Self {
        let collector = seize_of_papaya::Collector::new().batch_size(1);
        let map = papaya::HashMap::builder().hasher(Crowded::default()).collector(collector);
        Papaya024(map.resize_mode(papaya::ResizeMode::Blocking).build())
    }
    fn insert(&self, key: u64) {
        self.0.pin().insert(Element::new(key), Element::new(key));
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&Element::new(key));
    }
    fn hold(&self, key: u64, meanwhile: impl FnOnce()) -> bool {
        self.0.pin().get(&Element::new(key)).map(|value| look(value, meanwhile)).is_some()
    }
    fn for_each(&self, mut visit: impl FnMut(u64)) {
        self.0.pin().iter().for_each(|(key, value)| look(value, || visit(key.number())));
    }
    fn flush(&self) {
        use papaya::Guard as _;
        self.0.guard().flush();
    }
}

/// Gives the first keys one hash: the hasher of mapcheck's adapter `papaya@blocking`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crowded(u64);

/// Keys of the crowd: more than 31 of one hash never come in.
const CROWD: u64 = 27;

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

    fn finish(&self) -> u64 {
        if self.0 < CROWD { 0 } else { self.0 ^ self.0.reverse_bits() }
    }
}

/// It takes plain numbers alone.
pub struct Leapfrog(leapfrog::LeapMap<u64, u64>);

impl Suspect for Leapfrog {
    const TARGET: &'static str = "leapfrog@0.3.3";
    fn new() -> Self {
        Leapfrog(leapfrog::LeapMap::new())
    }
    fn insert(&self, key: u64) {
        self.0.insert(key, key);
    }
    fn remove(&self, key: u64) {
        self.0.remove(&key);
    }
    fn hold(&self, key: u64, meanwhile: impl FnOnce()) -> bool {
        let mut found = self.0.get(&key);
        meanwhile();
        found.as_mut().and_then(|found| found.value()).is_some()
    }
    fn for_each(&self, mut visit: impl FnMut(u64)) {
        self.0.iter().filter_map(|mut found| found.key_value()).for_each(|(key, _)| visit(key));
    }
}

/// It reads elements while they are written: it gets numbers.
pub struct BPlusTree(bplustree::GenericBPlusTree<u64, u64, 4, 4>);

impl Suspect for BPlusTree {
    const TARGET: &'static str = "bplustree@0.1.0";
    const WRITES_IN_VISIT: bool = false;
    fn new() -> Self {
        BPlusTree(bplustree::GenericBPlusTree::new())
    }
    fn insert(&self, key: u64) {
        self.0.insert(key, key);
    }
    fn remove(&self, key: u64) {
        self.0.remove(&key);
    }
    fn hold(&self, key: u64, meanwhile: impl FnOnce()) -> bool {
        let there = self.0.lookup(&key, |_| ()).is_some();
        meanwhile();
        there
    }
    fn for_each(&self, mut visit: impl FnMut(u64)) {
        let mut elements = self.0.raw_iter();
        elements.seek_to_first();
        while let Some((key, _)) = elements.next() {
            visit(*key);
        }
    }
}
