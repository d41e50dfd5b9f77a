//! A small map with one mistake: who reads a value does not keep the lock that protects it.

use std::sync::{Mutex, PoisonError};

/// Keys and their values, in no order.
pub struct Shelf<K, V>(Mutex<Vec<(K, *mut V)>>);

// SAFETY: the pointers are boxes of the map's own.
unsafe impl<K: Send, V: Send> Send for Shelf<K, V> {}
// SAFETY: as above, and readers get shared references.
unsafe impl<K: Send, V: Send + Sync> Sync for Shelf<K, V> {}

impl<K: Eq, V> Shelf<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Self(Mutex::new(Vec::with_capacity(4)))
    }

    /// Puts a value under a key, and returns the one that was there.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let value = Box::into_raw(Box::new(value));
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match places.iter_mut().find(|place| place.0 == key) {
            // SAFETY: the map's own box, which nothing refers to any more.
            Some(place) => Some(*unsafe { Box::from_raw(std::mem::replace(&mut place.1, value)) }),
            None => {
                places.push((key, value));
                None
            }
        }
    }

    /// Takes a value out.
    pub fn remove(&self, key: &K) -> Option<V> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = places.iter().position(|place| place.0 == *key)?;
        // SAFETY: the map's own box, which nothing refers to any more.
        Some(*unsafe { Box::from_raw(places.swap_remove(at).1) })
    }

    /// Reads a value.
    pub fn read<R>(&self, key: &K, read: impl FnOnce(&V) -> R) -> Option<R> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = places.iter().find(|place| place.0 == *key)?.1;
        drop(places);
        // SAFETY: it is in the map, or was just now, which is the mistake.
        Some(read(unsafe { &*value }))
    }

    /// Shows all elements, until `visit` says that it is enough.
    pub fn for_each(&self, mut visit: impl FnMut(&K, &V) -> bool) {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: they are in the map while the lock is held.
        let _ = places.iter().all(|(key, value)| visit(key, unsafe { &**value }));
    }
}

impl<K: Eq, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Drop for Shelf<K, V> {
    fn drop(&mut self) {
        for (_, value) in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: the map's own box, and nobody has the map any more.
            drop(unsafe { Box::from_raw(*value) });
        }
    }
}
