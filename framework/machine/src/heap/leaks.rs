//! Blocks that nothing refers to any more, by the principle of LeakSanitizer: what cannot be reached from the globals,
//! directly or through other blocks, will never be freed. Garbage that a global collector still holds can be reached.
//!
//! Any word counts as a reference that points into a block or to its end, whatever tag it carries in the bits that an
//! address leaves free: the lowest ones move it within the block, the highest are masked.

use std::array;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::blocks;
use crate::api::{Fact, Lost};

/// Blocks that a fact tells of one by one.
const TOLD: usize = 64;

/// Bits of an address.
const ADDRESS: usize = (1 << 48) - 1;

const WORD: usize = size_of::<usize>();

/// Blocks of the system's heap that are searched all the same: where they start and end.
#[unsafe(link_section = "mapcheck_kept")]
static SEARCHED: [[AtomicUsize; 2]; 16] = [const { [const { AtomicUsize::new(0) }; 2] }; 16];
/// Whether what is allocated now is to be among them.
#[unsafe(link_section = "mapcheck_kept")]
static NOTING: AtomicBool = AtomicBool::new(false);

/// Runs `make` outside of executions. What it allocates, at most 16 blocks of it, is searched for references when leaks
/// are looked for: lists that libraries keep, and that code under test adds to.
#[inline(never)]
pub fn searched(make: &mut dyn FnMut()) {
    NOTING.store(true, Relaxed);
    make();
    NOTING.store(false, Relaxed);
}

/// The system's heap has handed out a block.
#[inline(always)]
pub(super) fn handed_out(block: *mut u8, size: usize) {
    if NOTING.load(Relaxed)
        && let Some([start, end]) = SEARCHED.iter().find(|place| place[0].load(Relaxed) == 0)
    {
        start.store(block.addr(), Relaxed);
        end.store(block.addr() + size, Relaxed);
    }
}

/// Code under test gives a block back to the system's heap.
pub(super) fn given_back(block: *mut u8) {
    let of = |place: &&[AtomicUsize; 2]| place[0].load(Relaxed) == block.addr();
    if let Some(place) = SEARCHED.iter().find(of) {
        place.iter().for_each(|word| word.store(0, Relaxed));
    }
}

fn of_system() -> [Range<usize>; SEARCHED.len()] {
    array::from_fn(|i| SEARCHED[i][0].load(Relaxed)..SEARCHED[i][1].load(Relaxed))
}

/// A live block.
struct Live {
    start: usize,
    size: usize,
    id: u32,
    reached: bool,
}

impl Live {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.size
    }
}

/// The live blocks.
struct Graph {
    /// By address.
    all: Vec<Live>,
    /// Those that were reached and not searched yet.
    found: Vec<usize>,
}

/// That of the last execution, whose memory the next one uses.
#[unsafe(link_section = "mapcheck_kept")]
static GRAPH: Mutex<Graph> = Mutex::new(Graph { all: Vec::new(), found: Vec::new() });

/// Where the globals lie: always in the same places.
#[unsafe(link_section = "mapcheck_kept")]
static GLOBALS: OnceLock<Vec<Range<usize>>> = OnceLock::new();

/// The blocks of this execution that cannot be reached from the globals, as a fact; none if all can.
pub(crate) fn find() -> Option<Fact> {
    let h = super::heap();
    if h.slots[h.slot].live == 0 {
        return None;
    }
    let mut graph = GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    graph.fill(h);
    graph.mark(GLOBALS.get_or_init(crate::globals::ranges));
    if graph.is_complete(h.slot) {
        return None;
    }
    // Rarely what matters: the C library was asked to keep something.
    graph.mark(&of_system());
    graph.mark(&crate::globals::of_libraries());
    graph.mark(&crate::thread::storage());
    (!graph.is_complete(h.slot)).then(|| graph.lost(h.slot))
}

impl Graph {
    fn fill(&mut self, h: &super::Heap) {
        self.all.clear();
        for (slot, s) in h.slots.iter().enumerate().filter(|(_, s)| s.live > 0) {
            let live = (0..s.blocks).map(|n| blocks::id(slot, n)).filter_map(|id| {
                let blocks::Entry { addr: start, size, freed, .. } = *blocks::entry(id);
                (!freed).then_some(Live { start, size, id, reached: false })
            });
            self.all.extend(live.take(s.live as usize));
        }
        // Blocks that were handed out again have later ids than their neighbours.
        self.all.sort_unstable_by_key(|block| block.start);
    }

    /// Whether all blocks of the slot are reached.
    fn is_complete(&self, slot: usize) -> bool {
        self.all.iter().all(|block| block.reached || blocks::slot_of(block.id) != slot)
    }

    /// Marks what can be reached from these ranges.
    fn mark(&mut self, roots: &[Range<usize>]) {
        roots.iter().for_each(|range| self.scan(range));
        self.follow();
    }

    /// Marks what can be reached from the blocks that were found, and finds no more.
    fn follow(&mut self) {
        while let Some(at) = self.found.pop() {
            self.scan(&self.all[at].range());
        }
    }

    /// Marks the blocks that the words of a range refer to, and finds those that were not marked before.
    fn scan(&mut self, range: &Range<usize>) {
        let mut at = range.start.next_multiple_of(WORD);
        while at + WORD <= range.end {
            // SAFETY: a live block, of either heap, or a writable segment, which is mapped, and nothing else of the
            // process runs.
            // Whatever the bytes are, they make a word.
            let word = unsafe { (at as *const usize).read_volatile() } & ADDRESS;
            if super::contains(word)
                && let Some(block) = self.at(word)
                && !std::mem::replace(&mut self.all[block].reached, true)
            {
                self.found.push(block);
            }
            at += WORD;
        }
    }

    /// The block that an address lies in or at the end of.
    fn at(&self, addr: usize) -> Option<usize> {
        let after = self.all.partition_point(|block| block.start <= addr);
        let at = after.checked_sub(1)?;
        (addr <= self.all[at].start + self.all[at].size).then_some(at)
    }

    /// What is not reached, as a fact: first the blocks that no other lost one refers to, or one of each circle.
    fn lost(&mut self, slot: usize) -> Fact {
        let lost = |b: &Live| !b.reached && blocks::slot_of(b.id) == slot;
        let mut all: Vec<usize> = (0..self.all.len()).filter(|&at| lost(&self.all[at])).collect();
        // Ids are in the order of allocation.
        all.sort_unstable_by_key(|&at| self.all[at].id);
        let heads = self.heads(&all);
        let (count, bytes) = (all.len(), all.iter().map(|&at| self.all[at].size).sum());
        let held = |at: &usize| !heads.contains(at);
        all.sort_by_key(held);
        let told = all.iter().take(TOLD).map(|at| told(&self.all[*at], held(at)));
        Fact::Leaked { blocks: told.collect(), count, bytes }
    }

    /// Those of these blocks to which no other refers, and one of each circle, from which all can be reached.
    fn heads(&mut self, all: &[usize]) -> Vec<usize> {
        for &at in all {
            let before = std::mem::replace(&mut self.all[at].reached, true);
            self.scan(&self.all[at].range());
            self.found.clear();
            self.all[at].reached = before;
        }
        let mut heads: Vec<usize> =
            all.iter().copied().filter(|&at| !self.all[at].reached).collect();
        all.iter().for_each(|&at| self.all[at].reached = heads.contains(&at));
        self.found.extend(&heads);
        self.follow();
        for &at in all {
            if !std::mem::replace(&mut self.all[at].reached, true) {
                self.found.push(at);
                self.follow();
                heads.push(at);
            }
        }
        heads
    }
}

fn told(block: &Live, held: bool) -> Lost {
    let mut head = [0; 2];
    for (word, at) in head.iter_mut().zip(block.range().step_by(WORD)) {
        if at + WORD <= block.range().end {
            // SAFETY: within a live block.
            *word = unsafe { (at as *const u64).read_unaligned() };
        }
    }
    Lost { block: super::describe_entry(block.id), held, head }
}
