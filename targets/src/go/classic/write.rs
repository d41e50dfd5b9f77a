//! `m[k] = v` and `delete(m, k)`.

use mapcheck::model::{Engine, Ptr};

use super::call::Call;
use super::layout::{Bmap, SLOTS, hmap, top};
use super::mutants::{F12, F12B, F13, F14, F22B, F26, F27, F30};
use crate::go::Fatal;

/// Where a key is, or where it may go.
#[derive(Default)]
struct Found {
    /// The cell that holds it.
    cell: Option<(Bmap, usize)>,
    /// The first empty cell of the chain.
    free: Option<(Bmap, usize)>,
    /// The last bucket looked at: the end of the chain, where there is no empty cell.
    last: Option<Bmap>,
}

impl<E: Engine> Call<'_, E> {
    /// Finds or makes the cell of a key, and returns the address of its elem: the *caller* stores
    /// the elem, when the map has already declared the write over.
    pub fn mapassign(&self, key: u64) -> Result<Ptr, Fatal> {
        self.begin_write()?;
        let key_id = self.key_id(key);
        if self.load(hmap::BUCKETS).is_null() {
            self.store(hmap::BUCKETS, self.allocate(self.map.shape.array(1)));
        }
        let hash = self.hash(key_id);
        let (b, i) = loop {
            let found = self.find_for_assign(hash, key_id);
            if let Some(cell) = found.cell {
                break cell;
            }
            if !self.growing() && self.must_grow() {
                self.hash_grow();
                continue; // The chain has moved.
            }
            break self.insert(&found, key, top::of(hash));
        };
        self.end_write()?;
        Ok(self.elem_at(b, i))
    }

    /// Helps the growth along, then searches the whole chain: the first empty cell is no reason to
    /// stop, since the key may come after it.
    fn find_for_assign(&self, hash: u64, key_id: u64) -> Found {
        let bucket = hash & self.bucket_mask();
        if self.growing() {
            self.grow_work(bucket);
        }
        let mut found = Found::default();
        let mut chain = Some(self.bucket(self.load(hmap::BUCKETS), bucket));
        while let Some(b) = chain {
            found.last = chain;
            for i in 0..SLOTS {
                let is = self.tophash(b, i);
                if top::is_empty(is) && found.free.is_none() {
                    found.free = Some((b, i));
                }
                if is == top::EMPTY_REST || (F14.on() && found.free.is_some()) {
                    return found;
                }
                if is == top::of(hash) && self.holds(b, i, key_id) {
                    found.cell = Some((b, i));
                    return found;
                }
            }
            chain = self.overflow(b);
        }
        found
    }

    /// Puts a new key into the first empty cell of its chain.
    fn insert(&self, found: &Found, key: u64, top: u64) -> (Bmap, usize) {
        let (b, i) = found.free.unwrap_or_else(|| {
            let last = found.last.expect("a chain has at least one bucket");
            (self.new_overflow(last), 0)
        });
        // The key before its tophash, so that nobody finds a cell whose key is not there yet.
        if F30.on() {
            self.set_tophash(b, i, top);
            self.store_key(b, i, key);
        } else {
            self.store_key(b, i, key);
            self.set_tophash(b, i, top);
        }
        self.set(hmap::COUNT, self.get(hmap::COUNT) + 1);
        (b, i)
    }

    fn store_key(&self, b: Bmap, i: usize, key: u64) {
        let (at, runtime) = (self.key_at(b, i), &self.map.runtime);
        match self.map.shape.pointers {
            true if F27.on() => runtime.write_pointer_without_barrier(at, Ptr::from_word(key)),
            true => runtime.write_pointer(at, Ptr::from_word(key)),
            false => self.heap().write(at, key),
        }
    }

    /// Removes a key. Its bucket stays: no bucket of a map is ever freed by a deletion.
    pub fn mapdelete(&self, key_id: u64) -> Result<(), Fatal> {
        if self.get(hmap::COUNT) == 0 {
            return Ok(());
        }
        self.begin_write()?;
        let hash = self.hash(key_id);
        let bucket = hash & self.bucket_mask();
        if self.growing() {
            self.grow_work(bucket);
        }
        let head = self.bucket(self.load(hmap::BUCKETS), bucket);
        if let Some((b, i)) = self.find_in(head, hash, key_id) {
            self.clear_cell(b, i);
            self.set_tophash(b, i, top::EMPTY_ONE);
            if self.nothing_follows(b, i) {
                self.extend_empty_rest(head, b, i);
            }
            let count = self.get(hmap::COUNT) - 1;
            self.set(hmap::COUNT, count);
            if count == 0 || F22B.on() {
                // Makes collisions harder to provoke; possible only since nothing depends on the
                // old one.
                self.set(hmap::HASH0, self.map.random_seed());
            }
        }
        self.end_write()
    }

    /// Clears the key if it is a pointer, and the elem in any case: whoever assigns to the cell
    /// next may read it first, as `m[k]++` does.
    fn clear_cell(&self, b: Bmap, i: usize) {
        if self.map.shape.pointers {
            self.clear_word(self.key_at(b, i));
        }
        if !F13.on() {
            self.clear_word(self.elem_at(b, i));
        }
    }

    fn clear_word(&self, at: Ptr) {
        let runtime = &self.map.runtime;
        match self.map.shape.pointers {
            true if F26.on() => runtime.write_pointer_without_barrier(at, Ptr::NULL),
            true => runtime.write_pointer(at, Ptr::NULL),
            false => self.heap().write(at, 0),
        }
    }

    /// Whether all cells after this one are empty, in the whole chain.
    fn nothing_follows(&self, b: Bmap, i: usize) -> bool {
        if i + 1 < SLOTS {
            return F12.on() || self.tophash(b, i + 1) == top::EMPTY_REST;
        }
        F12B.on() || self.overflow(b).is_none_or(|next| self.tophash(next, 0) == top::EMPTY_REST)
    }

    /// Turns this cell, and the empty ones before it, into the empty rest of the chain: backwards,
    /// bucket by bucket.
    fn extend_empty_rest(&self, head: Bmap, mut b: Bmap, mut i: usize) {
        loop {
            self.set_tophash(b, i, top::EMPTY_REST);
            if i > 0 {
                i -= 1;
            } else if b == head {
                return;
            } else {
                (b, i) = (self.before(head, b), SLOTS - 1);
            }
            if self.tophash(b, i) != top::EMPTY_ONE {
                return;
            }
        }
    }

    /// The bucket that `b` is the overflow of.
    fn before(&self, head: Bmap, b: Bmap) -> Bmap {
        let mut previous = head;
        while let Some(next) = self.overflow(previous).filter(|next| *next != b) {
            previous = next;
        }
        previous
    }
}
