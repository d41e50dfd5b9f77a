//! `v, ok := m[k]`.

use mapcheck::model::Engine;

use super::call::Call;
use super::layout::{Bmap, SLOTS, flags, hmap, top};
use super::mutants::F17;
use crate::go::Fatal;

impl<E: Engine> Call<'_, E> {
    /// The cell of a key. Reading never helps a growth along.
    pub fn mapaccess(&self, key_id: u64) -> Result<Option<(Bmap, usize)>, Fatal> {
        if self.get(hmap::COUNT) == 0 {
            return Ok(None);
        }
        if self.has(flags::HASH_WRITING) {
            return Err(Fatal::ConcurrentReadAndWrite);
        }
        Ok(self.find(key_id, F17.on()))
    }

    /// The cell of a key: in its old bucket as long as that was not evacuated, else in the new one.
    pub fn find(&self, key_id: u64, ignore_old: bool) -> Option<(Bmap, usize)> {
        let hash = self.hash(key_id);
        let mask = self.bucket_mask();
        let mut head = self.bucket(self.load(hmap::BUCKETS), hash & mask);
        let oldbuckets = self.load(hmap::OLDBUCKETS);
        if !oldbuckets.is_null() && !ignore_old {
            let same_size = self.has(flags::SAME_SIZE_GROW);
            let oldmask = if same_size { mask } else { mask >> 1 };
            let old = self.bucket(oldbuckets, hash & oldmask);
            if !self.evacuated(old) {
                head = old;
            }
        }
        self.find_in(head, hash, key_id)
    }

    /// Searches a chain, up to where its empty rest begins.
    pub fn find_in(&self, head: Bmap, hash: u64, key_id: u64) -> Option<(Bmap, usize)> {
        let mut chain = Some(head);
        while let Some(b) = chain {
            for i in 0..SLOTS {
                let is = self.tophash(b, i);
                if is == top::EMPTY_REST {
                    return None;
                }
                if is == top::of(hash) && self.holds(b, i, key_id) {
                    return Some((b, i));
                }
            }
            chain = self.overflow(b);
        }
        None
    }
}
