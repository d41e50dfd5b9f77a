//! Data races: two accesses of different threads to the same bytes, at least one a write and at least one not atomic,
//! that nothing orders.
//!
//! What orders them is the happens-before relation of C11 as Rust has it, kept as vector clocks: release and acquire
//! accesses with their release sequences, fences, thread start and join, futex calls. Allocation is a write of the
//! whole block, and so is deallocation: a block that is freed while nothing orders an earlier read before that is a
//! race, and is told as premature reclamation. The last write and the last read of each place are kept as *epochs*, one
//! clock of one thread, which is all that is needed most of the time (Flanagan and Freund, *FastTrack*, PLDI 2009).
//! Executions are interleavings, but what is judged is the order, so a race is seen also where the two accesses are far
//! apart.
//!
//! # Code without callbacks
//!
//! The standard library is compiled without callbacks, and its slow paths write to words that inlined fast paths read:
//! a mutex that was contended, a `Once`. Nothing may be held against a map that such a write orders. It is noticed by
//! its effect: a word then holds what no access that was seen has left there. Four rules follow, each of which can
//! only hide a race, and none invent one.
//!
//! - Who finds such a value may have got it from any thread, so that all they did comes before.
//! - Who wrote it may have read the word before, so that what was released there came before what any thread does next.
//! - Once a word is known to be written like that, or is a futex, calls on any futex stand for accesses to it by
//!   threads that have met it: a condition that is waited for unlocks its mutex, and locks it again.
//! - If a word holds such a value when a race is about to be told, and the missing order may have come through it, then
//!   there is no race.
//!
//! # What is not seen
//!
//! - That a block is freed before its allocation, if nobody has touched it: such blocks are the standard library's own.
//! - Races past an atomic access to a part of what others access atomically in another size: what that finds was left
//!   by no access of its size, and the rules above hold. The halves of a 16-byte word are an exception for plain
//!   accesses.

use std::sync::{Mutex, PoisonError};

use mapcheck_machine::{self as machine, Access, Change, Earlier, Edge, Fact, Kind, Order, Touch};

use super::{Class, Violation, verb_of};
use crate::reused::Reused;

mod clocks;
#[cfg(test)]
mod reference;
mod shadow;
#[cfg(test)]
mod tests;

use clocks::{CLOCKS, Clocks, Epoch, NOBODY, SEVERAL, THREADS, epoch, thread_of};
use shadow::{GRANULE, PAGE, Place, Range, Shadow, Spot, mask_of, pages};

/// Bytes from which on an access is kept as a range; there are many where objects are moved, and few that differ.
const LONG: usize = 64;
/// Bytes of a futex.
const FUTEX: usize = 4;
/// Ranges of a page that are kept at most.
const RANGES: usize = 16;
/// Whether a sequentially consistent read-modify-write is a fence as well. The language does not say so; on this
/// processor it is one instruction that is, and collectors of garbage are written to that (crossbeam-epoch and its like
/// have a fence in its place on all others).
const FULL_BARRIER: bool = cfg!(any(target_arch = "x86_64", target_arch = "x86"));

#[derive(Debug, Default)]
struct Thread {
    /// What comes before what it does next.
    clocks: Clocks,
    /// What its relaxed loads have met: an acquire fence puts it before what follows.
    met: Clocks,
    /// What came before its last release fence: its relaxed stores release it.
    fenced: Clocks,
    /// When that was.
    fenced_by: Epoch,
}

/// Some bytes that are accessed atomically.
#[derive(Debug, Default)]
struct Word {
    addr: usize,
    size: usize,
    /// What an acquire load of it puts before what follows.
    released: Clocks,
    /// When that was released, or [`NOBODY`], or [`SEVERAL`]: whoever comes after has acquired it.
    by: Epoch,
    /// What the last access that was seen has left there, if that is known: a plain write does not say.
    value: Option<u64>,
    /// Whether code without callbacks writes to it.
    unseen: bool,
    /// The last loads and stores, one a thread.
    loads: Vec<Spot>,
    stores: Vec<Spot>,
    /// Whose access was the last, if that was a load after which nothing could have come of the next.
    idle: Epoch,
    /// Another one that begins with the same byte, plus one.
    next: u32,
    /// The wide word that this is the second half of, plus one.
    whole: u32,
}

impl Thread {
    /// It begins, as the one with this number.
    fn begin(&mut self, number: usize) {
        [&mut self.clocks, &mut self.met, &mut self.fenced].into_iter().for_each(Clocks::clear);
        self.clocks.set(number, 1);
        self.fenced_by = NOBODY;
    }
}

impl Word {
    /// Whether a thread has accessed it.
    fn met(&self, thread: usize) -> bool {
        self.loads.iter().chain(&self.stores).any(|spot| thread_of(spot.epoch) == thread)
    }
}

/// The oracle of a process, which judges one execution after the other.
#[derive(Debug, Default)]
pub(crate) struct Races {
    threads: Reused<Thread>,
    shadow: Shadow,
    /// Eight places of single bytes at a time.
    bytes: Vec<Place>,
    readers: Reused<Vec<Spot>>,
    words: Reused<Word>,
    /// The words of a granule by the byte with which they begin, plus one.
    beginning: Vec<[u32; GRANULE]>,
    /// Pairs of sites that are known and accepted, and how often one was met.
    accepted: Vec<Pair>,
    met: u64,
    /// Whether the execution is judged no further.
    given_up: bool,
    /// What the bytes at an address hold, where that is known.
    peek: Option<fn(usize, usize) -> Option<u64>>,
}

/// The sites of two accesses, the smaller first.
pub(crate) type Pair = (usize, usize);

/// An access that is being judged.
#[derive(Clone, Copy)]
struct Now {
    spot: Spot,
    kind: Kind,
    site: usize,
}

impl Now {
    fn writes(&self) -> bool {
        matches!(self.kind, Kind::Write | Kind::Free | Kind::AtomicStore | Kind::AtomicRmw)
    }

    fn thread(&self) -> usize {
        thread_of(self.spot.epoch)
    }

    /// Whether the thread has made such an access to this place, and released nothing since.
    fn repeats(&self, place: &Place) -> bool {
        let last = if self.writes() { place.write.epoch } else { place.read.epoch };
        // What is told is better told of a write than of the allocation.
        last == self.spot.epoch && !(place.allocated && self.writes())
    }
}

/// Which place: of a granule, or of a byte.
#[derive(Clone, Copy)]
enum Where {
    Granule(usize),
    Byte(usize),
}

impl Races {
    /// With pairs of sites that are accepted.
    pub(crate) fn accepting(accepted: Vec<Pair>) -> Races {
        Races { accepted, peek: Some(machine::peek), ..Races::default() }
    }

    /// An execution begins.
    pub(crate) fn begin(&mut self) {
        self.shadow.begin();
        self.threads.clear();
        self.bytes.clear();
        self.readers.clear();
        self.words.clear();
        self.beginning.clear();
        (self.met, self.given_up) = (0, false);
    }

    /// How often an accepted race was met in the execution.
    pub(crate) fn met(&self) -> u64 {
        self.met
    }

    /// Whether the execution had more threads than can be told apart.
    pub(crate) fn given_up(&self) -> bool {
        self.given_up
    }

    /// Judges a step.
    #[inline]
    pub(crate) fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        let thread = touch.thread as usize;
        self.know(thread);
        if self.given_up {
            return None;
        }
        let epoch = epoch(thread, self.threads[thread].clocks.of(thread));
        let spot = Spot::new(epoch, touch.step, touch.site);
        // By reference: it was made just now, and a copy would wait for its parts.
        let access = &touch.access;
        let now = Now { spot, kind: access.kind, site: touch.site };
        if let Change::Atomic { found, left } = touch.change {
            return self.atomic(now, access, found, left);
        }
        match access.kind {
            Kind::Fence => self.fence(thread, access.order),
            Kind::Alloc => self.allocate(now, access),
            Kind::Free => return self.free(now, access),
            _ => return self.range(now, access.addr, access.size),
        }
        None
    }

    /// Takes note of what orders threads.
    pub(crate) fn order(&mut self, edge: &Edge) {
        match *edge {
            Edge::Start { parent, child } => self.start(parent as usize, child as usize),
            Edge::Join { thread, ended } => self.join(thread as usize, ended as usize),
            Edge::Futex { thread, addr } => self.futex(thread as usize, addr),
            Edge::Barrier => {
                (0..self.threads.len()).for_each(|t| self.fence(t, Order::SeqCst));
            }
        }
    }

    /// Makes room for a thread.
    #[inline]
    fn know(&mut self, thread: usize) {
        while self.threads.len() <= thread {
            let next = self.threads.len();
            self.given_up |= next >= THREADS;
            self.threads.add().begin(next);
        }
    }

    /// What a thread does from now on is not part of what it has released.
    fn tick(&mut self, thread: usize) {
        let clocks = &mut self.threads[thread].clocks;
        clocks.set(thread, clocks.of(thread) + 1);
        self.given_up |= clocks.of(thread) >= CLOCKS;
    }

    fn start(&mut self, parent: usize, child: usize) {
        self.know(parent.max(child));
        self.comes_after(child, parent);
        self.tick(parent);
    }

    fn join(&mut self, thread: usize, ended: usize) {
        self.know(thread.max(ended));
        self.comes_after(thread, ended);
    }

    /// What one thread does next comes after what another has done.
    fn comes_after(&mut self, thread: usize, before: usize) {
        let both = self.threads.as_mut_slice().get_disjoint_mut([thread, before]);
        let [thread, before] = both.expect("no thread waits for itself");
        thread.clocks.join(&before.clocks);
    }

    /// A call stands for an access to the word as well, and to each that code without callbacks writes to and that the
    /// thread has met: a condition that is waited for unlocks its mutex, and nobody sees more than that it is free.
    fn futex(&mut self, thread: usize, addr: usize) {
        self.know(thread);
        let place = self.shadow.granule(addr);
        let word = self.word(place, addr, FUTEX, None);
        self.words[word].unseen = true;
        let t = &mut self.threads[thread];
        let words = self.words.as_mut_slice();
        let may_have = |(at, w): &(usize, &mut Word)| *at == word || w.unseen && w.met(thread);
        for (_, w) in words.iter_mut().enumerate().filter(may_have) {
            t.clocks.join(&w.released);
        }
        for (_, w) in words.iter_mut().enumerate().filter(may_have) {
            w.released.copy(&t.clocks);
            w.by = epoch(thread, t.clocks.of(thread));
        }
        self.tick(thread);
    }

    fn fence(&mut self, thread: usize, order: Order) {
        let t = &mut self.threads[thread];
        if acquires(order) {
            t.clocks.join(&t.met);
        }
        if releases(order) {
            t.fenced.copy(&t.clocks);
            t.fenced_by = epoch(thread, t.clocks.of(thread));
            self.tick(thread);
        }
    }

    fn atomic(
        &mut self,
        now: Now,
        access: &Access,
        found: u64,
        left: Option<u64>,
    ) -> Option<Earlier> {
        let place = self.shadow.granule(access.addr);
        let word = self.word(place, access.addr, access.size, Some(found));
        let w = &mut self.words[word];
        let loads = access.kind == Kind::AtomicLoad && acquires(access.order);
        if loads && w.idle == now.spot.epoch && w.value == Some(found) && self.met == 0 {
            return None;
        }
        w.idle = if loads { now.spot.epoch } else { 0 };
        if w.value.is_some_and(|value| value != found) {
            self.written_unseen(word);
        }
        if FULL_BARRIER && access.kind == Kind::AtomicRmw && access.order == Order::SeqCst {
            self.fence(now.thread(), Order::SeqCst);
        }
        self.synchronise(now, access, left.is_some(), word);
        self.words[word].value = Some(left.unwrap_or(found));
        if access.size > GRANULE {
            self.second_half(now, access, left.is_some(), word);
        }
        let kind = if left.is_none() { Kind::AtomicLoad } else { access.kind };
        let conflict = self.against_plain(Now { kind, ..now }, place, access.addr, access.size);
        if left.is_some() && releases(access.order) {
            self.tick(now.thread());
        }
        conflict
    }

    /// Plain accesses to the second half of a wide word meet it as a word of its own.
    #[cold]
    fn second_half(&mut self, now: Now, access: &Access, writes: bool, whole: usize) {
        let addr = access.addr + GRANULE;
        let place = self.shadow.granule(addr);
        let half = self.word(place, addr, access.size - GRANULE, None);
        self.words[half].whole = whole as u32 + 1;
        self.synchronise(now, access, writes, half);
        if writes {
            self.words[half].value = None;
        }
    }

    /// What an atomic access acquires from a word, and releases to it.
    fn synchronise(&mut self, now: Now, access: &Access, writes: bool, word: usize) {
        let (w, t) = (&mut self.words[word], &mut self.threads[now.thread()]);
        let stores = access.kind == Kind::AtomicStore;
        if !stores && !t.clocks.cover(w.by) {
            let to = if acquires(access.order) { &mut t.clocks } else { &mut t.met };
            to.join(&w.released);
        }
        if writes {
            let (out, by) = match releases(access.order) {
                true => (&t.clocks, epoch(now.thread(), t.clocks.of(now.thread()))),
                false => (&t.fenced, t.fenced_by),
            };
            // No store of another thread, nor a relaxed one of this, goes on with a release sequence.
            let includes_all = releases(access.order) && acquires(access.order);
            if stores || includes_all || w.by == NOBODY {
                w.released.copy(out);
                w.by = by;
            } else if by != NOBODY {
                w.released.join(out);
                w.by = SEVERAL;
            }
        }
        note(if writes { &mut w.stores } else { &mut w.loads }, now.spot);
    }

    /// The word of these bytes, which if it is new holds what was found.
    #[inline]
    fn word(&mut self, place: usize, addr: usize, size: usize, found: Option<u64>) -> usize {
        let byte = addr % GRANULE;
        if self.shadow.places[place].words == 0 {
            self.beginning.push([0; GRANULE]);
            self.shadow.places[place].words = self.beginning.len() as u32;
        }
        let list = self.shadow.places[place].words as usize - 1;
        let first = self.beginning[list][byte];
        let mut next = first;
        while next > 0 {
            let word = &self.words[next as usize - 1];
            if word.size == size {
                return next as usize - 1;
            }
            next = word.next;
        }
        let word = self.new_word(addr, size, found, first);
        self.beginning[list][byte] = word as u32 + 1;
        word
    }

    #[cold]
    fn new_word(&mut self, addr: usize, size: usize, found: Option<u64>, next: u32) -> usize {
        let word = self.words.add();
        (word.addr, word.size, word.value) = (addr, size, found);
        (word.next, word.idle, word.whole) = (next, 0, 0);
        word.released.clear();
        (word.by, word.unseen) = (NOBODY, false);
        word.loads.clear();
        word.stores.clear();
        self.words.len() - 1
    }

    /// Does something for each word that begins in a granule.
    fn each_word(&mut self, place: usize, mut f: impl FnMut(&mut Word)) {
        let Some(list) = self.shadow.places[place].words.checked_sub(1) else { return };
        for mut next in self.beginning[list as usize] {
            while next > 0 {
                let word = &mut self.words[next as usize - 1];
                next = word.next;
                f(word);
            }
        }
    }

    /// Code without callbacks has written to a word: see the module.
    fn written_unseen(&mut self, word: usize) {
        let w = &mut self.words[word];
        for thread in self.threads.as_mut_slice() {
            thread.clocks.join(&w.released);
        }
        for thread in self.threads.as_slice() {
            w.released.join(&thread.clocks);
        }
        (w.unseen, w.by) = (true, SEVERAL);
        (0..self.threads.len()).for_each(|thread| self.tick(thread));
    }

    /// Whether a missing order may have come through a word that code without callbacks has written to; if so it is
    /// there from now on.
    fn ordered_unseen(&mut self, thread: usize, earlier: Epoch) -> bool {
        let Some(peek) = self.peek else { return false };
        let unseen = |w: &Word| {
            w.value.is_some_and(|seen| peek(w.addr, w.size).is_some_and(|value| value != seen))
        };
        let mut words = self.words.as_slice().iter();
        let Some(word) = words.find(|w| w.released.cover(earlier) && unseen(w)) else {
            return false;
        };
        self.threads[thread].clocks.join(&word.released);
        true
    }

    /// An atomic access against the plain ones.
    #[inline]
    fn against_plain(
        &mut self,
        now: Now,
        index: usize,
        addr: usize,
        size: usize,
    ) -> Option<Earlier> {
        let (p, clocks) = (&self.shadow.places[index], &self.threads[now.thread()].clocks);
        let in_order = clocks.cover(p.write.epoch) && clocks.cover(p.read.epoch);
        let ranges = &self.shadow.touched[index / PAGE].ranges;
        if in_order
            && p.split | p.readers == 0
            && addr % GRANULE + size <= GRANULE
            && ranges.iter().all(|r| clocks.cover(r.spot.epoch))
        {
            return None;
        }
        self.against_all_plain(now, addr, size)
    }

    fn against_all_plain(&mut self, now: Now, addr: usize, size: usize) -> Option<Earlier> {
        self.each_granule(addr, size, |races, at, place, mask| {
            let p = &races.shadow.places[place];
            if p.split == 0 && p.mask != 0 && p.mask & mask == 0 {
                let others = races.shadow.untouched(at);
                return races.against(now, others.write, Kind::Alloc);
            }
            races.each_place(place, mask, |races, at| races.judge(now, at))
        })
        .or_else(|| self.against_ranges(now, addr, (addr, addr + size)))
    }

    fn allocate(&mut self, now: Now, access: &Access) {
        let (start, end) = (access.addr, access.addr + access.size);
        self.shadow.allocate(start, end, now.spot);
        self.each_touched(start, end, |races, page, bit, _| {
            races.shadow.touched[page].bits[bit / 64] &= !(1 << (bit % 64));
            races.each_word(page * PAGE + bit, |word| word.value = None);
            None
        });
        for at in pages(start, end) {
            let page = self.shadow.page_of(at);
            self.shadow.touched[page].ranges.retain(|r| r.end <= start || end <= r.start);
        }
    }

    fn free(&mut self, now: Now, access: &Access) -> Option<Earlier> {
        let (start, end) = (access.addr, access.addr + access.size);
        let conflict = self.each_touched(start, end, |races, page, bit, mask| {
            races.against_place(now, (start, end), page * PAGE + bit, mask)
        });
        conflict
            .or_else(|| pages(start, end).find_map(|at| self.against_ranges(now, at, (start, end))))
    }

    /// Does something for each place of a range that the execution has touched, until it returns something.
    fn each_touched(
        &mut self,
        start: usize,
        end: usize,
        mut f: impl FnMut(&mut Races, usize, usize, u8) -> Option<Earlier>,
    ) -> Option<Earlier> {
        let mut at = start & !(GRANULE - 1);
        while at < end {
            let (page, bit) = (self.shadow.page_of(at), at / GRANULE % PAGE);
            let left = self.shadow.touched[page].bits[bit / 64] >> (bit % 64);
            if left & 1 == 1 {
                let mask = mask_of(at.max(start), (at + GRANULE).min(end));
                if let conflict @ Some(_) = f(self, page, bit, mask) {
                    return conflict;
                }
            }
            // The next bit that is set, or the next word of bits.
            let skip = (left >> 1).trailing_zeros() as usize + 1;
            at += skip.min(64 - bit % 64) * GRANULE;
        }
        None
    }

    /// A plain access.
    #[inline]
    fn range(&mut self, now: Now, addr: usize, size: usize) -> Option<Earlier> {
        if self.is_plain_and_simple(now, addr, size) {
            return None;
        }
        self.range_in_full(now, addr, size)
    }

    /// Judges most accesses, and takes note of them: to one granule, always in the same way, in order. False if there
    /// is more to it; then nothing has happened.
    #[inline]
    fn is_plain_and_simple(&mut self, now: Now, addr: usize, size: usize) -> bool {
        if addr % GRANULE + size > GRANULE {
            return false;
        }
        let index = self.shadow.granule(addr);
        let clocks = &self.threads[now.thread()].clocks;
        let touched = &self.shadow.touched[index / PAGE];
        let place = &mut self.shadow.places[index];
        let mask = mask_of(addr, addr + size);
        if place.mask == 0 {
            place.mask = mask;
        }
        if place.mask != mask || place.split | place.readers != 0 {
            return false;
        }
        if now.repeats(place) && place.words == 0 && self.met == 0 {
            return true;
        }
        let in_order = clocks.cover(place.write.epoch) && clocks.cover(place.read.epoch);
        if !in_order
            || place.words > 0
            || !touched.ranges.iter().all(|r| clocks.cover(r.spot.epoch))
        {
            return false;
        }
        if now.writes() {
            (place.write, place.allocated) = (now.spot, false);
            place.read = Spot::default();
        } else {
            place.read = now.spot;
        }
        true
    }

    fn range_in_full(&mut self, now: Now, addr: usize, size: usize) -> Option<Earlier> {
        let range = (addr, addr + size);
        if size > LONG && self.has_room_for(range) {
            return self.long(now, range);
        }
        let conflict = self.each_granule(addr, size, |races, at, place, mask| {
            let p = &races.shadow.places[place];
            if p.split == 0 && p.mask != mask {
                races.divide(place, mask, at);
            }
            races.plain(now, range, place, mask)
        });
        conflict.or_else(|| pages(addr, range.1).find_map(|at| self.against_ranges(now, at, range)))
    }

    /// Whether each page of a range can keep one more.
    fn has_room_for(&mut self, (start, end): (usize, usize)) -> bool {
        pages(start, end).all(|at| {
            let page = self.shadow.page_of(at);
            self.shadow.touched[page].ranges.len() < RANGES
        })
    }

    /// A plain access that is kept as a range.
    fn long(&mut self, now: Now, (start, end): (usize, usize)) -> Option<Earlier> {
        let conflict = self.each_touched(start, end, |races, page, bit, mask| {
            races.against_place(now, (start, end), page * PAGE + bit, mask)
        });
        if conflict.is_some() {
            return conflict;
        }
        let allocation = self.shadow.allocation(start, end);
        if let conflict @ Some(_) = self.against(now, allocation, Kind::Alloc) {
            return conflict;
        }
        let new = Range { start, end, spot: now.spot, writes: now.writes() };
        pages(start, end).find_map(|at| {
            let conflict = self.against_ranges(now, at, (start, end));
            let page = self.shadow.page_of(at);
            let ranges = &mut self.shadow.touched[page].ranges;
            // Who races with one of these races with the new one too.
            ranges.retain(|old| {
                let within = start <= old.start && old.end <= end;
                let own = thread_of(old.spot.epoch) == now.thread() && !old.writes;
                !(within && (new.writes || own))
            });
            ranges.push(new);
            conflict
        })
    }

    /// An access to some bytes of a page against the ranges there; `at` is any byte of the page.
    #[inline]
    fn against_ranges(
        &mut self,
        now: Now,
        at: usize,
        (start, end): (usize, usize),
    ) -> Option<Earlier> {
        let page = self.shadow.page_of(at);
        for i in 0..self.shadow.touched[page].ranges.len() {
            let range = self.shadow.touched[page].ranges[i];
            let apart = range.end <= start || end <= range.start;
            let harmless = !range.writes && !now.writes();
            if apart || harmless || self.threads[now.thread()].clocks.cover(range.spot.epoch) {
                continue;
            }
            let kind = if range.writes { Kind::Write } else { Kind::Read };
            if let conflict @ Some(_) = self.against(now, range.spot, kind) {
                return conflict;
            }
        }
        None
    }

    /// A plain access to a range, as far as it concerns one granule.
    #[inline]
    fn plain(
        &mut self,
        now: Now,
        (start, end): (usize, usize),
        place: usize,
        mask: u8,
    ) -> Option<Earlier> {
        let p = &self.shadow.places[place];
        let alike = p.mask == mask && p.split == 0 && p.words == 0;
        if alike && now.repeats(p) && self.met == 0 {
            return None;
        }
        let conflict = self.against_place(now, (start, end), place, mask);
        self.each_place(place, mask, |races, at| {
            races.keep(now, at);
            None
        });
        conflict
    }

    /// A plain access to a range, or a deallocation of it, against all accesses to one granule.
    fn against_place(
        &mut self,
        now: Now,
        (start, end): (usize, usize),
        place: usize,
        mask: u8,
    ) -> Option<Earlier> {
        if self.shadow.places[place].words > 0
            && let conflict @ Some(_) = self.against_words(now, (start, end), place)
        {
            return conflict;
        }
        let p = &self.shadow.places[place];
        if p.split == 0 && p.mask != 0 && p.mask & mask == 0 {
            return None;
        }
        self.each_place(place, mask, |races, at| races.judge(now, at))
    }

    /// A plain access against the atomic ones to the words that begin in a granule.
    fn against_words(
        &mut self,
        now: Now,
        (start, end): (usize, usize),
        place: usize,
    ) -> Option<Earlier> {
        let list = self.shadow.places[place].words as usize - 1;
        for mut next in self.beginning[list] {
            while next > 0 {
                let index = next as usize - 1;
                let word = &self.words[index];
                next = word.next;
                if word.addr + word.size <= start || end <= word.addr {
                    continue;
                }
                if let conflict @ Some(_) = self.against_word(now, index) {
                    return conflict;
                }
                if now.writes() {
                    self.overwritten(index);
                }
            }
        }
        None
    }

    /// Gives the bytes of a granule places of their own, unless this is the first access to it.
    fn divide(&mut self, place: usize, mask: u8, addr: usize) {
        let p = &mut self.shadow.places[place];
        if p.split > 0 {
            return;
        }
        if p.mask == 0 {
            p.mask = mask;
            return;
        }
        let (p, others) = (*p, self.shadow.untouched(addr));
        for byte in 0..GRANULE {
            let mut of_byte = if p.mask >> byte & 1 == 1 { p } else { others };
            if of_byte.readers > 0 {
                // From now on each has readers of its own.
                let readers = std::mem::take(&mut self.readers[p.readers as usize - 1]);
                self.readers.add().clone_from(&readers);
                self.readers[p.readers as usize - 1] = readers;
                of_byte.readers = self.readers.len() as u32;
            }
            self.bytes.push(of_byte);
        }
        self.shadow.places[place].split = (self.bytes.len() - GRANULE) as u32 + 1;
    }

    /// A plain write leaves in a word what nobody knows, and ends what was released.
    fn overwritten(&mut self, word: usize) {
        let w = &mut self.words[word];
        w.value = None;
        w.released.clear();
        w.by = NOBODY;
        if let Some(whole) = w.whole.checked_sub(1) {
            self.overwritten(whole as usize);
        }
    }

    /// A plain access against the atomic ones to a word.
    fn against_word(&mut self, now: Now, word: usize) -> Option<Earlier> {
        let w = &self.words[word];
        let clocks = &self.threads[now.thread()].clocks;
        let ordered = |list: &[Spot]| list.iter().all(|spot| clocks.cover(spot.epoch));
        if ordered(&w.stores) && (!now.writes() || ordered(&w.loads)) {
            return None;
        }
        let (stores, loads) = (w.stores.len(), if now.writes() { w.loads.len() } else { 0 });
        let stored = (0..stores)
            .find_map(|i| self.against(now, self.words[word].stores[i], Kind::AtomicStore));
        stored.or_else(|| {
            (0..loads).find_map(|i| self.against(now, self.words[word].loads[i], Kind::AtomicLoad))
        })
    }

    /// An access against the plain ones to a place.
    #[inline]
    fn judge(&mut self, now: Now, at: Where) -> Option<Earlier> {
        let (place, clocks) = (self.place(at), &self.threads[now.thread()].clocks);
        let read = !now.writes() || place.readers == 0 && clocks.cover(place.read.epoch);
        if read && clocks.cover(place.write.epoch) {
            return None;
        }
        self.against_each(now, *place)
    }

    fn against_each(&mut self, now: Now, place: Place) -> Option<Earlier> {
        let written = if place.allocated { Kind::Alloc } else { Kind::Write };
        if let conflict @ Some(_) = self.against(now, place.write, written) {
            return conflict;
        }
        if !now.writes() {
            return None;
        }
        let Some(list) = (place.readers as usize).checked_sub(1) else {
            return self.against(now, place.read, Kind::Read);
        };
        let readers = self.readers[list].len();
        (0..readers).find_map(|i| self.against(now, self.readers[list][i], Kind::Read))
    }

    /// An access against an earlier one.
    #[inline]
    fn against(&mut self, now: Now, earlier: Spot, kind: Kind) -> Option<Earlier> {
        let thread = now.thread();
        if self.threads[thread].clocks.cover(earlier.epoch) {
            return None;
        }
        // Both lie in the same program, so the upper halves are alike.
        let upper = now.site & !(u32::MAX as usize);
        let site = if earlier.site() == 0 { 0 } else { upper | earlier.site() };
        if self.accepted.contains(&pair(now.site, site)) {
            self.met += 1;
            return None;
        }
        if self.ordered_unseen(thread, earlier.epoch) {
            return None;
        }
        let thread = thread_of(earlier.epoch) as u32;
        Some(Earlier { thread, step: earlier.step(), site, kind })
    }

    /// Takes note of a plain access.
    #[inline]
    fn keep(&mut self, now: Now, at: Where) {
        if now.writes() {
            let place = self.place_mut(at);
            (place.write, place.allocated) = (now.spot, false);
            (place.read, place.readers) = (Spot::default(), 0);
            return;
        }
        let clocks = &self.threads[now.thread()].clocks;
        let in_order = clocks.cover(self.place(at).read.epoch);
        let list = self.place(at).readers as usize;
        if list > 0 {
            note(&mut self.readers[list - 1], now.spot);
            self.place_mut(at).read = now.spot;
        } else if in_order {
            self.place_mut(at).read = now.spot;
        } else {
            let before = self.place(at).read;
            let readers = self.readers.add();
            readers.clear();
            readers.extend([before, now.spot]);
            let list = self.readers.len() as u32;
            let place = self.place_mut(at);
            (place.read, place.readers) = (now.spot, list);
        }
    }

    fn place(&self, at: Where) -> &Place {
        match at {
            Where::Granule(i) => &self.shadow.places[i],
            Where::Byte(i) => &self.bytes[i],
        }
    }

    fn place_mut(&mut self, at: Where) -> &mut Place {
        match at {
            Where::Granule(i) => &mut self.shadow.places[i],
            Where::Byte(i) => &mut self.bytes[i],
        }
    }

    /// Does something for the place of a granule, or for those of some of its bytes, until it returns something.
    #[inline]
    fn each_place(
        &mut self,
        place: usize,
        mask: u8,
        mut f: impl FnMut(&mut Races, Where) -> Option<Earlier>,
    ) -> Option<Earlier> {
        match self.shadow.places[place].split as usize {
            0 => f(self, Where::Granule(place)),
            first => (0..GRANULE)
                .filter(|byte| mask >> byte & 1 == 1)
                .find_map(|byte| f(self, Where::Byte(first - 1 + byte))),
        }
    }

    /// Does something for each granule of a range with the bytes of it that lie in the range.
    #[inline]
    fn each_granule(
        &mut self,
        addr: usize,
        size: usize,
        mut f: impl FnMut(&mut Races, usize, usize, u8) -> Option<Earlier>,
    ) -> Option<Earlier> {
        let (mut at, end) = (addr, addr + size);
        while at < end {
            let next = ((at / GRANULE + 1) * GRANULE).min(end);
            let place = self.shadow.granule(at);
            let conflict = f(self, at, place, mask_of(at, next));
            if conflict.is_some() {
                return conflict;
            }
            at = next;
        }
        None
    }
}

/// Pairs that are accepted in this process and in the workers that it forks.
static ACCEPTED: Mutex<Vec<Pair>> = Mutex::new(Vec::new());

/// From now on a race between these sites is counted, and not told.
pub(crate) fn accept(pair: Pair) {
    ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
}

/// Another subject begins, in which nothing is accepted yet.
pub(crate) fn accept_none() {
    ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The pairs that are accepted.
pub(crate) fn accepted() -> Vec<Pair> {
    ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The verdict on a fact that is a race.
pub(super) fn judge(fact: &Fact) -> Option<Violation> {
    let Fact::Race { access, earlier, block, .. } = fact else { return None };
    let what = match (access.kind, block) {
        (Kind::Free, Some(block)) => format!("freed a block of {} bytes", block.size),
        (kind, _) => format!("{} {} bytes", verb_of(kind), access.size),
    };
    let before = if earlier.kind == Kind::Write { "written" } else { verb_of(earlier.kind) };
    let message =
        format!("{what} that thread {} had {before}, and nothing orders the two", earlier.thread);
    // Whoever frees what another may still use has reclaimed it too early, wherever the two happen to lie.
    let class =
        if access.kind == Kind::Free { Class::PrematureReclamation } else { Class::DataRace };
    Some(Violation { class, message })
}

/// Replaces a thread's access in a list by a later one.
fn note(list: &mut Vec<Spot>, spot: Spot) {
    match list.iter_mut().find(|s| thread_of(s.epoch) == thread_of(spot.epoch)) {
        Some(own) => *own = spot,
        None => list.push(spot),
    }
}

fn acquires(order: Order) -> bool {
    matches!(order, Order::Acquire | Order::AcqRel | Order::SeqCst)
}

fn releases(order: Order) -> bool {
    matches!(order, Order::Release | Order::AcqRel | Order::SeqCst)
}

/// Two sites as a pair.
pub(crate) fn pair(a: usize, b: usize) -> Pair {
    (a.min(b), a.max(b))
}
