//! Arrays of buckets, and the overflow buckets that lengthen chains.

use mapcheck::model::{Engine, Layout, Ptr};

use super::call::Call;
use super::layout::{Bmap, extra, hmap, slice};
use super::mutants::{F19, F19B, F23};

/// How many overflow buckets an array has after its `2^b` buckets.
fn spare(b: u64) -> u64 {
    if b < 4 { 0 } else { 1 << (b - 4) }
}

impl<E: Engine> Call<'_, E> {
    /// A new array of `2^b` buckets, and its first preallocated overflow bucket, or nil.
    ///
    /// A nil overflow pointer of a preallocated bucket means that more of them follow. The last
    /// one's points to the array: just something that is not nil.
    pub fn make_bucket_array(&self, b: u64) -> (Ptr, Ptr) {
        let array = self.allocate(self.map.shape.array((1 << b) + spare(b) as usize));
        (array, self.prepare_spare(array, b))
    }

    /// Marks the last preallocated bucket, and returns the first.
    pub fn prepare_spare(&self, array: Ptr, b: u64) -> Ptr {
        let base = 1 << b;
        if spare(b) == 0 {
            return Ptr::NULL;
        }
        self.set_overflow(self.bucket(array, base + spare(b) - 1), array);
        self.bucket(array, base).0
    }

    /// Appends an overflow bucket to the chain that ends with `b`: a preallocated one while there
    /// are any.
    pub fn new_overflow(&self, b: Bmap) -> Bmap {
        let ovf = self
            .take_preallocated()
            .unwrap_or_else(|| Bmap(self.allocate(self.map.shape.array(1))));
        self.set(hmap::NOVERFLOW, self.get(hmap::NOVERFLOW) + 1);
        if !self.map.shape.pointers {
            self.record_overflow(ovf);
        }
        self.set_overflow(b, ovf.0);
        ovf
    }

    fn take_preallocated(&self) -> Option<Bmap> {
        let extra = self.load(hmap::EXTRA);
        if extra.is_null() {
            return None;
        }
        let ovf = self.load_from(extra.at(extra::NEXT_OVERFLOW));
        if ovf.is_null() {
            return None;
        }
        let ovf = Bmap(ovf);
        let last = self.overflow(ovf).is_some();
        if last && !F19B.on() {
            self.set_overflow(ovf, Ptr::NULL);
        }
        if !F19.on() {
            let next = if last { Ptr::NULL } else { self.map.shape.after(ovf).0 };
            self.store_extra(extra, extra::NEXT_OVERFLOW, next);
        }
        Some(ovf)
    }

    /// The `extra` block, made when it is first needed.
    pub fn need_extra(&self) -> Ptr {
        let extra = self.load(hmap::EXTRA);
        if !extra.is_null() {
            return extra;
        }
        let extra = self.allocate(extra::LAYOUT);
        self.store(hmap::EXTRA, extra);
        extra
    }

    pub fn store_extra(&self, extra: Ptr, field: usize, new: Ptr) {
        self.map.runtime.write_pointer(extra.at(field), new);
    }

    /// The slice of overflow buckets, made when it is first needed.
    pub fn create_overflow(&self) -> Ptr {
        let extra = self.need_extra();
        let header = self.load_from(extra.at(extra::OVERFLOW));
        if !header.is_null() {
            return header;
        }
        let header = self.allocate(slice::LAYOUT);
        self.store_extra(extra, extra::OVERFLOW, header);
        header
    }

    /// Keeps a bucket alive that the collector cannot see from its chain.
    fn record_overflow(&self, ovf: Bmap) {
        let header = self.create_overflow();
        if !F23.on() {
            self.append(header, ovf.0);
        }
    }

    /// Appends to a slice. A full array is replaced by one of twice the size.
    fn append(&self, header: Ptr, new: Ptr) {
        let len = self.heap().read(header.at(slice::LEN)) as usize;
        let mut array = self.load_from(header.at(slice::ARRAY));
        let capacity = self.heap().layout(array).map_or(0, |layout| layout.pointers);
        if len == capacity {
            array = self.doubled(array, len);
            self.map.runtime.write_pointer(header.at(slice::ARRAY), array);
        }
        self.map.runtime.write_pointer(array.at(len), new);
        self.heap().write(header.at(slice::LEN), len as u64 + 1);
    }

    fn doubled(&self, old: Ptr, len: usize) -> Ptr {
        let layout = Layout { pointers: (2 * len).max(1), ..Layout::default() };
        let new = self.allocate(layout);
        if len > 0 {
            self.map.runtime.copy(new, old, len);
        }
        new
    }
}
