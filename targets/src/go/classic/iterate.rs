//! `for k, v := range m`.
//!
//! An iterator walks the array that it began with, in which entries stay readable, and never a
//! later one. Where an entry has moved on, the iterator looks its key up again; so it takes any
//! number of growths.

use mapcheck::model::{Engine, Ptr};

use super::call::Call;
use super::layout::{Bmap, SLOTS, extra, flags, hmap, top};
use super::mutants::{F1B, F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F11B, F11C, F24, F29};
use crate::go::Fatal;
use crate::go::runtime::Frame;

/// An iterator. It lies on the stack of the goroutine that ranges: its pointers are slots of a
/// frame there.
#[derive(Debug)]
pub struct Hiter {
    /// `hmap.B` when the iteration began.
    b: u64,
    /// The bucket that it began with.
    start_bucket: u64,
    /// Where it begins in each bucket.
    offset: usize,
    /// Whether it came to the end of the array, and went on at its beginning.
    wrapped: bool,
    /// The next bucket.
    bucket: u64,
    /// The next cell of the current bucket, before the offset.
    i: usize,
    /// Where it walks an old bucket whose entries will go to two: the one of them that it is there
    /// for.
    check_bucket: Option<u64>,
    /// It is over.
    done: bool,
    slots: Slots,
}

/// The slots of an iterator's pointers.
#[derive(Debug)]
struct Slots {
    /// `hmap.buckets` when the iteration began.
    buckets: usize,
    /// The current bucket; nil before the first, and after each chain.
    bptr: usize,
    /// The current key.
    key: usize,
    /// The current elem.
    elem: usize,
}

impl Hiter {
    fn bptr<E: Engine>(&self, frame: &Frame<'_, E>) -> Option<Bmap> {
        let ptr = frame.get(self.slots.bptr);
        (!ptr.is_null()).then_some(Bmap(ptr))
    }
}

/// What a step of an iterator needs: the call, and the frame that the iterator lies in.
pub(super) struct Step<'c, 'm, E: Engine> {
    pub call: &'c Call<'m, E>,
    pub frame: &'c Frame<'c, E>,
}

impl<E: Engine> Step<'_, '_, E> {
    /// Begins an iteration, at a random place.
    pub fn mapiterinit(&self) -> Hiter {
        let call = self.call;
        let keep = |ptr| self.frame.keep(ptr);
        let slots = Slots {
            buckets: keep(call.load(hmap::BUCKETS)),
            bptr: keep(Ptr::NULL),
            key: keep(Ptr::NULL),
            elem: keep(Ptr::NULL),
        };
        let (b, r) = (call.get(hmap::B), E::random());
        let start_bucket = r & call.bucket_mask();
        let done = call.get(hmap::COUNT) == 0;
        if !done {
            self.keep_overflow();
            self.set_flags();
        }
        let offset = (r >> b) as usize % SLOTS;
        let (bucket, i, wrapped, check_bucket) = (start_bucket, 0, false, None);
        Hiter { b, start_bucket, offset, wrapped, bucket, i, check_bucket, done, slots }
    }

    /// Where buckets hold no pointers, the iterator itself keeps their overflow buckets alive: when
    /// its array is old and done with, the map no longer does.
    fn keep_overflow(&self) {
        if self.call.map.shape.pointers || F24.on() {
            return;
        }
        self.frame.keep(self.call.create_overflow());
        self.frame.load(self.call.need_extra().at(extra::OLDOVERFLOW));
    }

    /// Tells the evacuation to leave both arrays' entries in place. For good: no iterator says that
    /// it is done.
    fn set_flags(&self) {
        let both = flags::ITERATOR | flags::OLD_ITERATOR;
        if !F1B.on() {
            self.call.set(hmap::FLAGS, self.call.get(hmap::FLAGS) | both);
        }
    }

    /// Goes to the next entry, and returns its key and elem.
    pub fn mapiternext(&self, it: &mut Hiter) -> Result<Option<(u64, u64)>, Fatal> {
        if self.call.has(flags::HASH_WRITING) && !F29.on() {
            return Err(Fatal::ConcurrentIterationAndWrite);
        }
        while !it.done {
            let Some(b) = it.bptr(self.frame) else {
                self.enter_next_bucket(it);
                continue;
            };
            if let Some(found) = self.next_in(it, b) {
                return Ok(Some(self.yielded(it, found)));
            }
        }
        Ok(None)
    }

    /// Goes to the next chain, or to the end.
    fn enter_next_bucket(&self, it: &mut Hiter) {
        if it.bucket == it.start_bucket && it.wrapped && !F11.on() {
            it.done = true;
            return;
        }
        let (b, check_bucket) = self.chain_for(it);
        self.frame.set(it.slots.bptr, b.0);
        (it.check_bucket, it.i) = (check_bucket, 0);
        it.bucket += 1;
        if it.bucket == 1 << if F6.on() { self.call.get(hmap::B) } else { it.b } {
            (it.bucket, it.wrapped) = (0, true);
        }
    }

    /// Where the entries of the next bucket are: still in the old bucket, among others that are not
    /// of this bucket; or in the iterator's own array.
    fn chain_for(&self, it: &Hiter) -> (Bmap, Option<u64>) {
        let call = self.call;
        if self.may_be_in_old(it) {
            let oldbucket = it.bucket & (call.noldbuckets() - 1);
            let old = call.bucket(call.load(hmap::OLDBUCKETS), oldbucket);
            if !call.evacuated(old) {
                return (old, Some(it.bucket));
            }
        }
        let buckets = match F5.on() {
            true => call.load(hmap::BUCKETS),
            false => self.frame.get(it.slots.buckets),
        };
        (call.bucket(buckets, it.bucket), None)
    }

    /// Whether the growth under way fills the array that the iterator began with, or empties it.
    ///
    /// Go compares `B` alone. That takes a second growth to the same size for the first one's; the
    /// key that it finds again there may have been yielded already, if the map was emptied in
    /// between and has a new `hash0`.
    fn may_be_in_old(&self, it: &Hiter) -> bool {
        let call = self.call;
        if !call.growing() || F8.on() || (call.get(hmap::B) != it.b && !F7.on()) {
            return false;
        }
        let own = self.frame.get(it.slots.buckets);
        let mine = own == call.load(hmap::BUCKETS) || own == call.load(hmap::OLDBUCKETS);
        mine || !call.has(flags::SAME_SIZE_GROW)
    }

    /// The next entry of the current bucket. After its last cell, goes on to the overflow bucket.
    fn next_in(&self, it: &mut Hiter, b: Bmap) -> Option<(Bmap, usize)> {
        while it.i < SLOTS {
            let Some(slot) = slot(it) else { break };
            let is = self.call.tophash(b, slot);
            if is == top::EMPTY_ONE && F10.on() {
                self.frame.set(it.slots.bptr, Ptr::NULL);
                return None;
            }
            let found = self.visit(it, b, slot, is);
            if found.is_none() || !F11B.on() {
                it.i += 1;
            }
            if found.is_some() {
                return found;
            }
        }
        self.frame.set(it.slots.bptr, self.call.overflow(b).map_or(Ptr::NULL, |next| next.0));
        it.i = 0;
        None
    }

    /// Where the entry of a cell is, if it has one that is to be yielded.
    fn visit(&self, it: &Hiter, b: Bmap, i: usize, is: u64) -> Option<(Bmap, usize)> {
        if top::is_empty(is) || is == top::EVACUATED_EMPTY || !self.belongs(it, b, i) {
            return None;
        }
        if !top::is_moved(is) || F2.on() {
            return Some((b, i));
        }
        if F3.on() {
            return None;
        }
        // It may have been changed, removed, or removed and inserted again since it moved.
        let key_id = self.call.key_id(self.call.word(self.call.key_at(b, i)));
        self.call.find(key_id, F9.on())
    }

    /// Whether an entry of an old bucket will go to the bucket that the iterator is there for. (In
    /// Go a key that does not equal itself, a NaN, has no place to be found at again, and goes by
    /// the low bit of its tophash. There are none here.)
    fn belongs(&self, it: &Hiter, b: Bmap, i: usize) -> bool {
        let Some(bucket) = it.check_bucket.filter(|_| !F4.on()) else { return true };
        if self.call.has(flags::SAME_SIZE_GROW) {
            return true;
        }
        let key_id = self.call.key_id(self.call.word(self.call.key_at(b, i)));
        self.call.hash(key_id) & ((1 << it.b) - 1) == bucket
    }

    /// Points the iterator's key and elem at an entry, as the body of the loop finds them, and
    /// loads them.
    fn yielded(&self, it: &Hiter, (b, i): (Bmap, usize)) -> (u64, u64) {
        let (key, elem) = (self.call.key_at(b, i), self.call.elem_at(b, i));
        self.frame.set(it.slots.key, key);
        self.frame.set(it.slots.elem, elem);
        (self.call.map.word(self.frame, key), self.call.map.word(self.frame, elem))
    }
}

/// The cell that is next. `None` is beyond the bucket, for a mutant only.
fn slot(it: &Hiter) -> Option<usize> {
    let slot = it.i + it.offset;
    let slot = if F11C.on() { slot } else { slot % SLOTS };
    (slot < SLOTS).then_some(slot)
}
