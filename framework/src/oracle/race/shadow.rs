//! What is remembered of each place of the memory: who accessed it last, and who allocated it.

use std::collections::BTreeMap;

use super::clocks::Epoch;

/// Bytes that share a place as long as all accesses to them are alike.
pub(super) const GRANULE: usize = 8;
/// Places that are made together.
pub(super) const PAGE: usize = 512;
/// Pages whose index is at hand; a power of two.
const RECENT: usize = 256;

/// An access: whose and when, in which step, and the lower half of its site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, packed(4))]
pub(super) struct Spot {
    /// The site above the step: two parts that are copied as one stall the processor if they were just written.
    at: u64,
    pub epoch: Epoch,
}

impl Spot {
    #[inline]
    pub(super) fn new(epoch: Epoch, step: u64, site: usize) -> Spot {
        Spot { at: (site as u64) << 32 | step & u64::from(u32::MAX), epoch }
    }

    pub(super) fn step(self) -> u64 {
        self.at & u64::from(u32::MAX)
    }

    pub(super) fn site(self) -> usize {
        (self.at >> 32) as usize
    }
}

/// A block of the heap: the first byte, the one after the last, and its allocation.
#[derive(Clone, Copy, Debug)]
struct Block {
    start: usize,
    end: usize,
    spot: Spot,
}

/// A plain access to many bytes at once, which touches no places of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub start: usize,
    pub end: usize,
    pub spot: Spot,
    pub writes: bool,
}

/// Which places of a page the execution has touched, a bit a place; what the others hold is of no account.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    execution: u32,
    pub bits: [u64; PAGE / 64],
    /// What of the page was accessed in ranges.
    pub ranges: Vec<Range>,
}

/// Some bytes: the last write to them, and what has read them since.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Which of the granule's bytes, a bit a byte; none while nothing but the allocation has touched it.
    pub mask: u8,
    pub allocated: bool,
    pub write: Spot,
    pub read: Spot,
    /// Where reads that are in no order with each other are listed, plus one; 0 if the last comes after all others.
    pub readers: u32,
    /// Where the bytes have places of their own, plus one, because accesses to them are not alike.
    pub split: u32,
    /// Where the atomic words that begin in the granule are listed, plus one.
    pub words: u32,
}

/// The places of an execution, by address.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    execution: u32,
    /// Blocks by address, and one that was asked for lately.
    blocks: Vec<Block>,
    near: usize,
    /// Places by page, and the pages by address.
    pub places: Vec<Place>,
    pub touched: Vec<Touched>,
    pages: BTreeMap<usize, u32>,
    recent: Vec<(usize, u32)>,
}

impl Shadow {
    /// An execution begins: all is forgotten.
    pub(super) fn begin(&mut self) {
        self.execution += 1;
        self.blocks.clear();
        self.recent.resize(RECENT, (usize::MAX, 0));
    }

    /// A block is allocated, perhaps where another was.
    pub(super) fn allocate(&mut self, start: usize, end: usize, spot: Spot) {
        let before = self.blocks.partition_point(|block| block.start < start);
        let block = Block { start, end, spot };
        match self.blocks.get_mut(before) {
            Some(old) if old.start == start => *old = block,
            _ => self.blocks.insert(before, block),
        }
    }

    /// The allocation of the block that these bytes, or some of them, lie in.
    #[inline]
    pub(super) fn allocation(&mut self, start: usize, end: usize) -> Spot {
        match self.blocks.get(self.near) {
            Some(block) if block.start < end && start < block.end => block.spot,
            _ => self.other_allocation(start, end),
        }
    }

    fn other_allocation(&mut self, start: usize, end: usize) -> Spot {
        let before = self.blocks.partition_point(|block| block.start < end);
        let Some(last) = before.checked_sub(1) else { return Spot::default() };
        self.near = last;
        let block = self.blocks[last];
        if block.end > start { block.spot } else { Spot::default() }
    }

    /// The place of the granule that this byte lies in.
    #[inline]
    pub(super) fn granule(&mut self, addr: usize) -> usize {
        let (page, bit) = (self.page_of(addr), addr / GRANULE % PAGE);
        let index = page * PAGE + bit;
        let bits = &mut self.touched[page].bits[bit / 64];
        if *bits >> (bit % 64) & 1 == 0 {
            *bits |= 1 << (bit % 64);
            self.places[index] = self.untouched(addr);
        }
        index
    }

    /// What is known of a place that has not been touched: who allocated it.
    pub(super) fn untouched(&mut self, addr: usize) -> Place {
        let granule = addr & !(GRANULE - 1);
        let write = self.allocation(granule, granule + GRANULE);
        Place { allocated: write.epoch > 0, write, ..Place::default() }
    }

    /// The page that this byte lies in, empty if the execution has not touched it.
    #[inline]
    pub(super) fn page_of(&mut self, addr: usize) -> usize {
        let page = addr / (PAGE * GRANULE);
        let recent = self.recent[page % RECENT];
        let index = if recent.0 == page { recent.1 } else { self.page(page) } as usize;
        if self.touched[index].execution != self.execution {
            self.renew(index);
        }
        index
    }

    #[cold]
    fn renew(&mut self, page: usize) {
        let touched = &mut self.touched[page];
        (touched.execution, touched.bits) = (self.execution, Default::default());
        touched.ranges.clear();
    }

    #[cold]
    fn page(&mut self, page: usize) -> u32 {
        let next = self.pages.len() as u32;
        let index = *self.pages.entry(page).or_insert(next);
        if index == next {
            self.places.resize(self.pages.len() * PAGE, Place::default());
            self.touched.resize(self.pages.len(), Touched::default());
        }
        self.recent[page % RECENT] = (page, index);
        index
    }
}

/// A byte of each page of a range.
pub(super) fn pages(start: usize, end: usize) -> impl Iterator<Item = usize> {
    const BYTES: usize = PAGE * GRANULE;
    let first = start & !(BYTES - 1);
    (first..end).step_by(BYTES).map(move |at| at.max(start))
}

/// The bytes of a granule from `start` to before `end`, a bit a byte.
#[inline]
pub(super) fn mask_of(start: usize, end: usize) -> u8 {
    let offset = start % GRANULE;
    (((1u32 << (end - start)) - 1) << offset) as u8
}
