//! Ranges: how an iterator keeps the language's promise while the map changes under it.
//!
//! It goes round the directory from a random entry and round each table from a random slot. A table that it is in may
//! be replaced. Then it stays in the old one, which still tells which keys are left to visit, and looks each of them
//! up again for what became of it. So no key is met twice, in the old place and in the new, and none is passed over.

use mapcheck::model::{Engine, Ptr};

use super::directory;
use super::group::{Group, Groups, SLOTS};
use super::header::Header;
use super::locals::Locals;
use super::mutants::{F31, F31B, F32, F32B, F32C};
use super::table::Table;
use super::{SwissMap, small};
use crate::go::Fatal;
use crate::go::runtime::Frame;

/// Whether all keys of this model are equal to themselves. Go has others, such as NaN, which no lookup finds.
const KEYS_EQUAL_THEMSELVES: bool = true;

/// The iterator of a range. It lies on the goroutine's stack, and its pointers in slots of a frame.
#[derive(Debug)]
pub struct Range {
    walk: Walk,
    /// A random slot to start at, the same for all tables.
    entry_offset: usize,
    /// The slot that is next, counted from there.
    entry_idx: usize,
    /// The clears before the range.
    clear_seq: u64,
    roots: Roots,
}

/// What a range goes round.
#[derive(Debug)]
enum Walk {
    /// A map that was empty at first: nothing.
    Nothing,
    /// A map that was small at first: its group, however large the map grows.
    Small(Group),
    /// The directory.
    Directory(Place),
}

/// Where in the directory a range is.
#[derive(Debug)]
struct Place {
    /// A random directory entry to start at.
    dir_offset: usize,
    /// The entry of the current table, counted from there.
    dir_idx: usize,
    /// The globalDepth that both of them are meant for.
    global_depth: u64,
    /// The current table, stale or not; `None` before it is entered.
    table: Option<(Table, Groups)>,
}

/// Slots of the frame that a range lives in.
#[derive(Clone, Copy, Debug)]
struct Roots {
    /// The small map's group, or the current table.
    place: usize,
    key: usize,
    elem: usize,
}

impl Range {
    /// A range over the map, before its first step.
    pub(super) fn new<E: Engine>(
        header: Header,
        locals: &Locals<'_, E>,
        frame: &Frame<'_, E>,
    ) -> Range {
        let [place, key, elem] = [(); 3].map(|()| frame.keep(Ptr::NULL));
        let roots = Roots { place, key, elem };
        let walk = if header.used(locals) == 0 {
            Walk::Nothing
        } else if header.dir_len(locals) == 0 {
            let group = small::group(header, locals);
            frame.set(place, group.block());
            Walk::Small(group)
        } else {
            let (dir_offset, global_depth) = (E::random() as usize, header.global_depth(locals));
            Walk::Directory(Place { dir_offset, dir_idx: 0, global_depth, table: None })
        };
        let clear_seq = header.clear_seq(locals);
        Range { walk, entry_offset: E::random() as usize, entry_idx: 0, clear_seq, roots }
    }
}

/// A step of a range.
pub(super) struct Step<'a, E: Engine> {
    pub map: &'a SwissMap<E>,
    pub locals: &'a Locals<'a, E>,
    /// The frame that the range lives in.
    pub frame: &'a Frame<'a, E>,
}

impl<E: Engine> Step<'_, E> {
    /// The next key and elem.
    pub(super) fn next(&self, range: &mut Range) -> Result<Option<(u64, u64)>, Fatal> {
        if matches!(range.walk, Walk::Nothing) {
            return Ok(None);
        }
        if self.map.header.is_writing(self.locals) {
            return Err(Fatal::ConcurrentIterationAndWrite);
        }
        let found = match range.walk {
            Walk::Small(group) => self.next_small(range, group),
            _ => self.next_in_directory(range),
        };
        Ok(found.map(|(key, elem)| self.keep(range.roots, key, elem)))
    }

    /// Keeps a key and an elem until the next step.
    fn keep(&self, roots: Roots, key: u64, elem: u64) -> (u64, u64) {
        if self.locals.kind().pointers {
            self.frame.set(roots.key, Ptr::from_word(key));
            self.frame.set(roots.elem, Ptr::from_word(elem));
        }
        (key, elem)
    }

    /// Of a map that was small at first.
    fn next_small(&self, range: &mut Range, group: Group) -> Option<(u64, u64)> {
        let grown = self.map.header.dir_len(self.locals) > 0;
        while range.entry_idx < SLOTS {
            let slot = range.entry_offset.wrapping_add(range.entry_idx) % SLOTS;
            range.entry_idx += 1;
            if let Some(found) = self.visit(range.clear_seq, (group, slot), grown) {
                return Some(found);
            }
        }
        None
    }

    /// Of a map with a directory.
    fn next_in_directory(&self, range: &mut Range) -> Option<(u64, u64)> {
        let Range { walk: Walk::Directory(place), roots, .. } = range else { return None };
        self.follow_directory(place);
        while place.dir_idx < self.map.header.dir_len(self.locals) {
            let (table, groups) = match place.table {
                Some(entered) => entered,
                None => self.enter(place, *roots),
            };
            let slots = groups.length() * SLOTS;
            while range.entry_idx < slots {
                let entry = range.entry_offset.wrapping_add(range.entry_idx) % slots;
                range.entry_idx += 1;
                let slot = (groups.group(entry / SLOTS), entry % SLOTS);
                let replaced = table.is_stale(self.locals) && !F31.on();
                if let Some(found) = self.visit(range.clear_seq, slot, replaced) {
                    return Some(found);
                }
            }
            self.leave(place, table);
            range.entry_idx = 0;
        }
        None
    }

    /// Where the directory has doubled since the last step, the range's entry is at twice its place.
    fn follow_directory(&self, place: &mut Place) {
        let global_depth = self.map.header.global_depth(self.locals);
        let doublings = global_depth.wrapping_sub(place.global_depth) as u32;
        if doublings > 0 && !F32B.on() {
            place.dir_idx = place.dir_idx.wrapping_shl(doublings);
            place.dir_offset = place.dir_offset.wrapping_shl(doublings);
        }
        place.global_depth = global_depth;
    }

    /// Enters the table at the range's directory entry.
    fn enter(&self, place: &mut Place, roots: Roots) -> (Table, Groups) {
        let entries = self.map.header.dir_len(self.locals);
        let index = place.dir_idx.wrapping_add(place.dir_offset) & (entries - 1);
        let table = directory::table_at(self.map.header, self.locals, index);
        // Only a range's first entry, a random one, may be amid those of a table. From there on it goes from first
        // entry to first entry, so that at the end it is back at the table it began with, and neither skips nor
        // repeats one.
        let first = table.index(self.locals);
        if first != index && !F32C.on() {
            place.dir_offset = place.dir_offset.wrapping_sub(index.wrapping_sub(first));
        }
        let groups = table.groups(self.locals);
        self.frame.set(roots.place, table.block());
        place.table = Some((table, groups));
        (table, groups)
    }

    /// Goes on to the entry after those of a table. If it is stale, tables that took its place may be in them; the
    /// range has visited what they have of it.
    fn leave(&self, place: &mut Place, table: Table) {
        place.dir_idx += match F32.on() {
            true => 1,
            false => directory::entries_of(self.map.header, self.locals, table),
        };
        place.table = None;
    }

    /// What a range tells of a slot: nothing where it is not full. Where the group was `replaced`, the slot's key is
    /// looked up again, since changes come only to the new groups.
    fn visit(
        &self,
        clear_seq: u64,
        (group, slot): (Group, usize),
        replaced: bool,
    ) -> Option<(u64, u64)> {
        if !group.controls(self.locals).is_full(slot) {
            return None;
        }
        let key = group.key(self.locals, slot);
        if !replaced || F31B.on() {
            return Some((key, group.elem(self.locals, slot)));
        }
        self.look_up_again(key).or_else(|| {
            // A key that is not found is gone, but for one that is not equal to itself: no delete can have removed
            // that, only a clear.
            let cleared = clear_seq != self.map.header.clear_seq(self.locals);
            let gone = cleared || KEYS_EQUAL_THEMSELVES;
            (!gone).then(|| (key, group.elem(self.locals, slot)))
        })
    }

    /// The key and the elem as they are now.
    fn look_up_again(&self, key: u64) -> Option<(u64, u64)> {
        let (group, slot) = self.map.find(self.locals, self.locals.id_of(key))?;
        Some((group.key(self.locals, slot), group.elem(self.locals, slot)))
    }
}
