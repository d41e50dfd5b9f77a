//! `chashmap`: open addressing with a lock for each bucket, and one for the table.

use std::cell::RefCell;

use chashmap::CHashMap;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A [`CHashMap`] of 8 buckets.
pub struct Chashmap(CHashMap<Key, Value>);

impl Map for Chashmap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "chashmap 2.2 has no iterators but owning ones",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: false, clear: true, retain: false },
            // The seventh element makes more than 85 in a hundred of 8 buckets.
            grows_at: 6,
            write_in_visit: false,
            knobs: "8 buckets, the fewest, instead of 256",
        }
    }

    fn new() -> Chashmap {
        Chashmap(CHashMap::with_capacity(0))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|value| read(&value)).is_some()
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Chashmap, Unsupported> {
        Ok(Chashmap(elements.into_iter().collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.0.reserve(additional);
        Ok(())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.0.shrink_to_fit();
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        let keep = RefCell::new(keep);
        self.0.retain(|key, value| keep.borrow_mut()(key, value));
        Ok(())
    }
}
