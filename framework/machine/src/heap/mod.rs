//! The modelled heap: an arena at a fixed address in which a freed byte stays freed.
//!
//! The arena is cut into slots. An execution takes the first slot without live blocks, so that addresses repeat from
//! one execution to the next, while blocks that an earlier execution of the batch left alive (epoch garbage) keep
//! theirs. Within a slot, blocks are laid out one after the other with redzones between them. Shadow memory, redzones,
//! poison and quarantine have the meanings of AddressSanitizer (Serebryany et al., USENIX ATC 2012).

pub(crate) mod allocator;
mod blocks;
pub(crate) mod leaks;
mod shadow;

use std::alloc::Layout;
use std::cell::UnsafeCell;

use crate::api::*;
use crate::stack::Stack;
use crate::state::state;
use blocks::Entry;
pub(crate) use shadow::{SHADOW, live};

pub(crate) const BASE: usize = 0x1000_0000_0000;
const SLOT: usize = 256 << 20;
const SLOTS: usize = 64;
const ARENA: usize = SLOT * SLOTS;
/// It ends where an offset in it needs more bits.
pub(crate) const ARENA_BITS: u32 = ARENA.trailing_zeros();
const _: () = assert!(ARENA.is_power_of_two());

/// Bytes before and after a block that belong to nobody.
const REDZONE: usize = 16;
const PAGE: usize = 4096;

/// What a freed byte reads as: not a canonical address eight times over, so following it faults.
const POISON: u8 = 0xdb;
/// What a fresh byte reads as, so that an uninitialised read is at least the same every time.
const FRESH: u8 = 0xa5;

/// Freed blocks that may be handed out again are remembered this far back.
const REUSABLE: usize = 32;

/// Pages protected at most at one time in a slot; the kernel limits the number of mappings.
const PROTECTED: usize = 20_000;

struct Heap {
    prepared: bool,
    slot: usize,
    /// First byte not yet handed out, relative to the slot.
    top: usize,
    slots: [Slot; SLOTS],
    reuse: bool,
    recent: [u32; REUSABLE],
    recents: usize,
    /// Without callbacks, every block has pages of its own, which are protected when it is freed.
    paged: bool,
    allocated: u64,
    freed: u64,
    live_bytes: usize,
    stacks: Vec<(u32, Stack, Stack)>,
}

#[derive(Clone, Copy)]
struct Slot {
    live: u32,
    used: usize,
    blocks: u32,
    protected: usize,
}

struct Global(UnsafeCell<Heap>);
// SAFETY: only the running thread uses the heap, as with the state.
unsafe impl Sync for Global {}

#[unsafe(link_section = "mapcheck_kept")]
static HEAP: Global = Global(UnsafeCell::new(Heap {
    prepared: false,
    slot: 0,
    top: 0,
    slots: [Slot { live: 0, used: 0, blocks: 0, protected: 0 }; SLOTS],
    reuse: false,
    recent: [0; REUSABLE],
    recents: 0,
    paged: false,
    allocated: 0,
    freed: 0,
    live_bytes: 0,
    stacks: Vec::new(),
}));

/// The heap, for the running thread while disarmed; the reference must not be held across a switch.
fn heap() -> &'static mut Heap {
    // SAFETY: see above.
    unsafe { &mut *HEAP.0.get() }
}

/// Whether the address lies in the arena.
#[inline(always)]
pub(crate) fn contains(addr: usize) -> bool {
    addr.wrapping_sub(BASE) < ARENA
}

/// Maps the arena, its shadow and its tables, once.
pub(crate) fn prepare() {
    let h = heap();
    if h.prepared {
        return;
    }
    map(BASE, ARENA);
    shadow::prepare();
    blocks::prepare();
    h.prepared = true;
}

/// Maps zeroed memory at a fixed address without reserving it.
///
/// # Panics
/// If something else is there, or the system refuses: both mean that mapcheck cannot run here.
pub(crate) fn map(addr: usize, size: usize) {
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE never replaces a mapping.
    let got = unsafe {
        libc::mmap(addr as *mut _, size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    };
    assert!(
        got.addr() == addr,
        "the machine cannot map its memory at {addr:#x}: {}",
        std::io::Error::last_os_error()
    );
}

/// Starts an execution: takes a slot without live blocks. With `forget`, what earlier executions left alive counts as
/// dead: nothing refers to it any more.
pub(crate) fn begin(reuse: bool, forget: bool) {
    let h = heap();
    if forget {
        h.slots.iter_mut().for_each(|slot| slot.live = 0);
    }
    h.paged = !crate::border::instrumented();
    h.slot = h.slots.iter().position(|s| s.live == 0).unwrap_or(SLOTS);
    assert!(
        h.slot < SLOTS,
        "every slot of the modelled heap holds blocks that earlier executions leaked"
    );
    let slot = &mut h.slots[h.slot];
    if slot.protected > 0 {
        protect(BASE + h.slot * SLOT, slot.used, libc::PROT_READ | libc::PROT_WRITE);
    }
    shadow::fill(BASE + h.slot * SLOT, slot.used, 0);
    *slot = Slot { live: 0, used: 0, blocks: 0, protected: 0 };
    h.top = 0;
    h.reuse = reuse;
    h.recents = 0;
    h.allocated = 0;
    h.freed = 0;
    h.live_bytes = 0;
    h.stacks.clear();
}

/// Whether a slot is left for another execution.
pub(crate) fn has_room() -> bool {
    heap().slots.iter().any(|s| s.live == 0)
}

/// Blocks allocated and freed in this execution.
pub(crate) fn counts() -> (u64, u64) {
    (heap().allocated, heap().freed)
}

/// Allocates from the arena; 0 if that fails, which only a fault makes it. The caller is disarmed.
fn allocate(layout: Layout) -> usize {
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    let h = heap();
    if happens(ChoiceKind::Allocation) {
        (s.abort_excused, s.allocation_failed) = (true, true);
        return 0;
    }
    let addr = match h.reusable(layout) {
        Some(block) if chosen_again() => h.take_again(block, s.stamp()),
        _ => h.carve(layout, s.stamp()),
    };
    if s.options.record {
        h.remember_stack();
        s.tell(Event::Alloc { at: s.stamp(), addr, size: layout.size() });
    }
    // SAFETY: the block was just carved out of the arena and is writable.
    unsafe { std::ptr::write_bytes(addr as *mut u8, FRESH, layout.size()) };
    addr
}

fn chosen_again() -> bool {
    happens(ChoiceKind::Reuse)
}

/// Whether a fault happens here; the caller is disarmed.
fn happens(kind: ChoiceKind) -> bool {
    crate::border::choose_disarmed(kind, 2) == 1
}

/// The layout of the block that starts at this address, live or freed.
pub(crate) fn layout_at(addr: usize) -> Option<Layout> {
    if !contains(addr) {
        return None;
    }
    blocks::at(addr, &heap().slots).map(|id| blocks::entry(id).layout())
}

/// Whether a live block of this layout starts at this address.
fn is_live(addr: usize, layout: Layout) -> bool {
    let id = blocks::at(addr, &heap().slots);
    id.map(blocks::entry)
        .is_some_and(|e| !e.freed && (e.size, e.align) == (layout.size(), layout.align()))
}

/// Frees a block. The caller is disarmed. A wrong address is a finding.
fn deallocate(addr: usize, layout: Layout) {
    let h = heap();
    let Some(id) = blocks::at(addr, &h.slots) else {
        refuse(Fact::InvalidFree {
            addr,
            size: layout.size(),
            align: layout.align(),
            block: describe(addr),
        });
        return;
    };
    let entry = blocks::entry(id);
    if entry.freed {
        refuse(Fact::DoubleFree { addr, block: describe_entry(id) });
    } else if entry.size != layout.size() || entry.align != layout.align() {
        let block = Some(describe_entry(id));
        refuse(Fact::InvalidFree { addr, size: layout.size(), align: layout.align(), block });
    } else {
        h.quarantine(id);
    }
}

/// A wrong deallocation ends an execution; outside of one there is nothing to end.
fn refuse(fact: Fact) {
    if crate::thread::on_virtual_thread() {
        crate::thread::stop(fact);
    }
}

impl Heap {
    /// Cuts a new block from the top of the slot.
    fn carve(&mut self, layout: Layout, stamp: Stamp) -> usize {
        let unit = if self.paged { PAGE } else { REDZONE };
        let align = layout.align().max(unit);
        let base = BASE + self.slot * SLOT;
        let mut start = (base + self.top + REDZONE).next_multiple_of(align);
        if happens(ChoiceKind::Alignment) {
            start = least_aligned(start, layout.align());
        }
        let end = start + layout.size();
        self.top = end.next_multiple_of(unit) + REDZONE - base;
        if self.top > SLOT || self.slots[self.slot].blocks as usize >= blocks::PER_SLOT {
            let allocated = self.slots[self.slot].used;
            crate::thread::stop(Fact::HeapExhausted { live: self.live_bytes, allocated });
        }
        let id = blocks::id(self.slot, self.slots[self.slot].blocks);
        self.enter(id, start, layout, stamp);
        start
    }

    fn enter(&mut self, id: u32, addr: usize, layout: Layout, stamp: Stamp) {
        *blocks::entry(id) = Entry::new(addr, layout, stamp);
        blocks::bind(addr, id);
        shadow::allow(addr, layout.size());
        let slot = &mut self.slots[self.slot];
        slot.used = slot.used.max(self.top.min(SLOT));
        slot.blocks += 1;
        slot.live += 1;
        self.allocated += 1;
        self.live_bytes += layout.size();
    }

    /// The most recently freed block of this layout, if reuse is on.
    fn reusable(&mut self, layout: Layout) -> Option<usize> {
        if !self.reuse {
            return None;
        }
        (0..self.recents).rev().find(|&i| {
            let entry = blocks::entry(self.recent[i]);
            entry.size == layout.size() && entry.align == layout.align()
        })
    }

    /// Hands a freed block out again, under a new entry: its old lifecycle stays on record.
    fn take_again(&mut self, recent: usize, stamp: Stamp) -> usize {
        let old = blocks::entry(self.recent[recent]);
        let (addr, layout) = (old.addr, old.layout());
        self.recent.copy_within(recent + 1..self.recents, recent);
        self.recents -= 1;
        let id = blocks::id(self.slot, self.slots[self.slot].blocks);
        self.enter(id, addr, layout, stamp);
        addr
    }

    fn quarantine(&mut self, id: u32) {
        // SAFETY: the running thread, disarmed.
        let s = unsafe { state() };
        let entry = blocks::entry(id);
        entry.freed = true;
        entry.free = s.stamp();
        let (addr, size, slot) = (entry.addr, entry.size, blocks::slot_of(id));
        // SAFETY: the block was live until now, so its bytes are writable.
        unsafe { std::ptr::write_bytes(addr as *mut u8, POISON, size) };
        shadow::fill(addr, size, 0);
        self.slots[slot].live -= 1;
        if slot == self.slot {
            self.freed += 1;
            self.live_bytes -= size;
            self.remember_recent(id);
        }
        if s.options.record {
            self.remember_free_stack(id);
            s.tell(Event::Free { at: s.stamp(), addr });
        }
        if self.paged && !self.reuse && self.slots[slot].protected < PROTECTED {
            self.slots[slot].protected += 1;
            protect(addr, size, libc::PROT_NONE);
        }
    }

    fn remember_recent(&mut self, id: u32) {
        if self.recents == REUSABLE {
            self.recent.copy_within(1.., 0);
            self.recents -= 1;
        }
        self.recent[self.recents] = id;
        self.recents += 1;
    }

    fn remember_stack(&mut self) {
        let id = blocks::id(self.slot, self.slots[self.slot].blocks - 1);
        self.stacks.push((id, Stack::capture(), Stack::default()));
    }

    fn remember_free_stack(&mut self, id: u32) {
        match self.stacks.iter_mut().find(|(of, ..)| *of == id) {
            Some((_, _, free)) => *free = Stack::capture(),
            None => self.stacks.push((id, Stack::default(), Stack::capture())),
        }
    }
}

/// The next address that is aligned to this and to no more; to 8 bytes where less is asked for, since shadow memory
/// knows no less.
fn least_aligned(addr: usize, align: usize) -> usize {
    let align = align.max(shadow::GRANULE);
    let even = addr.next_multiple_of(2 * align);
    if addr == even - align { addr } else { even + align }
}

fn protect(addr: usize, size: usize, protection: i32) {
    // SAFETY: whole pages of the arena that belong to one block, or to a slot without live blocks.
    unsafe {
        libc::mprotect((addr & !(PAGE - 1)) as *mut _, size.next_multiple_of(PAGE), protection)
    };
}

/// The block that an address lies in, or whose redzone it lies in; the latest where an address was reused.
pub(crate) fn describe(addr: usize) -> Option<Block> {
    blocks::around(addr, &heap().slots).map(describe_entry)
}

fn describe_entry(id: u32) -> Block {
    let h = heap();
    let entry = blocks::entry(id);
    let stacks = h.stacks.iter().find(|(of, ..)| *of == id);
    Block {
        addr: entry.addr,
        size: entry.size,
        align: entry.align,
        alloc: entry.alloc,
        free: entry.freed.then_some(entry.free),
        alloc_stack: stacks.map_or_else(Stack::default, |s| s.1.clone()),
        free_stack: stacks.map_or_else(Stack::default, |s| s.2.clone()),
        earlier_execution: blocks::slot_of(id) != h.slot,
    }
}
