//! The global allocator: the modelled heap for code under test, the system's for everything else.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{contains, leaks};
use crate::api::{Access, Change, Kind, Order};
use crate::state::{arm, armed, disarm, step};
use crate::watch::{told, watching};

/// The allocator that a program with mapcheck in it uses.
#[derive(Debug)]
pub struct ModelledHeap;

/// Allocations of the system's heap so far.
#[unsafe(link_section = "mapcheck_kept")]
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[inline(always)]
fn count() {
    // Threads of a program that are no virtual ones may count at the same time: that it is exact matters within
    // executions, where there are none.
    ALLOCATIONS.store(ALLOCATIONS.load(Relaxed) + 1, Relaxed);
}

/// Allocations that all but code under test has made of the system's heap so far, reallocations included. For
/// benchmarks: it is exact while one thread runs at a time.
#[inline(never)]
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

fn access(kind: Kind, addr: usize, size: usize) -> Access {
    Access { kind, addr, size, order: Order::Relaxed }
}

// SAFETY: blocks of the arena are disjoint, aligned and large enough; everything else is the system allocator's. A
// block goes back to where it came from, told by its address.
unsafe impl GlobalAlloc for ModelledHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !armed() {
            // SAFETY: passed on.
            let block = unsafe { System.alloc(layout) };
            count();
            leaks::handed_out(block, layout.size());
            return block;
        }
        step(access(Kind::Alloc, 0, layout.size()));
        disarm();
        let addr = super::allocate(layout);
        if watching() && addr != 0 {
            told(access(Kind::Alloc, addr, layout.size()), 0, Change::Plain);
        }
        arm();
        addr as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !contains(block.addr()) {
            if armed() {
                leaks::given_back(block);
            }
            // SAFETY: not from the arena, so from the system.
            return unsafe { System.dealloc(block, layout) };
        }
        let was_armed = armed();
        if was_armed {
            step(access(Kind::Free, block.addr(), layout.size()));
            disarm();
            if watching() && super::is_live(block.addr(), layout) {
                told(access(Kind::Free, block.addr(), layout.size()), 0, Change::Plain);
            }
        }
        super::deallocate(block.addr(), layout);
        if was_armed {
            arm();
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !armed() {
            count();
            // SAFETY: passed on.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: passed on; the block has the layout's size.
        unsafe {
            let block = self.alloc(layout);
            if block.is_null() {
                return block;
            }
            disarm();
            std::ptr::write_bytes(block, 0, layout.size());
            arm();
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !armed() && !contains(block.addr()) {
            count();
            // SAFETY: passed on.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller promises a valid new size; the old block is live, or its copy is a finding.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if new.is_null() {
                return new;
            }
            std::ptr::copy_nonoverlapping(block, new, size.min(layout.size()));
            self.dealloc(block, layout);
            new
        }
    }
}
