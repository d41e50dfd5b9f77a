//! Writable globals of the executable: saved before the first execution, restored before each, so that every execution
//! finds the program as it was loaded, whatever the executions before it initialised, counted up or left behind.
//!
//! The machine's own statics are kept: they lie in a section of their own, whose name is one that C allows, so that the
//! linker defines symbols for its bounds.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::OnceLock;

unsafe extern "C" {
    #[link_name = "__start_mapcheck_kept"]
    static KEPT_START: u8;
    #[link_name = "__stop_mapcheck_kept"]
    static KEPT_END: u8;
}

/// Bytes of the executable that are not the machine's, and what they held.
struct Saved {
    start: usize,
    bytes: Vec<u8>,
}

#[unsafe(link_section = "mapcheck_kept")]
static SAVED: OnceLock<Vec<Saved>> = OnceLock::new();

/// Saves the globals, the first time it is called.
pub(crate) fn save() {
    SAVED.get_or_init(|| writable().into_iter().map(saved).collect());
}

fn saved(range: Range<usize>) -> Saved {
    // SAFETY: the range is a part of a writable segment of the executable, and nothing else runs.
    let bytes = unsafe { std::slice::from_raw_parts(range.start as *const u8, range.len()) };
    Saved { start: range.start, bytes: bytes.to_vec() }
}

/// Whether these bytes are some of the globals that were saved.
pub(crate) fn contain(addr: usize, size: usize) -> bool {
    let all = SAVED.get().map(Vec::as_slice).unwrap_or_default();
    all.iter().any(|s| addr >= s.start && addr + size <= s.start + s.bytes.len())
}

/// Gives the globals the values that were saved. Nothing else of the process may run.
pub(crate) fn restore() {
    for saved in SAVED.get().map(Vec::as_slice).unwrap_or_default() {
        // SAFETY: as in `saved`. Whatever the code under test kept in them is dead: its threads have ended, or are
        // never resumed.
        unsafe {
            std::ptr::copy_nonoverlapping(
                saved.bytes.as_ptr(),
                saved.start as *mut u8,
                saved.bytes.len(),
            );
        }
    }
}

/// Where the globals lie that are restored.
pub(crate) fn ranges() -> Vec<Range<usize>> {
    let saved = SAVED.get().map(Vec::as_slice).unwrap_or_default();
    saved.iter().map(|saved| saved.start..saved.start + saved.bytes.len()).collect()
}

/// Writable memory of the libraries that the executable has loaded.
pub(crate) fn of_libraries() -> Vec<Range<usize>> {
    let mut found = (0usize, Vec::<Range<usize>>::new());
    // SAFETY: the callback gets a valid pointer to `found`.
    unsafe { libc::dl_iterate_phdr(Some(later_object), (&raw mut found).cast()) };
    found.1
}

/// Adds the writable segments of an object, unless it is the first one reported.
unsafe extern "C" fn later_object(
    info: *mut libc::dl_phdr_info,
    _: usize,
    out: *mut c_void,
) -> c_int {
    // SAFETY: dl_iterate_phdr passes a valid description, and `of_libraries` a pointer to a number and a list.
    unsafe {
        let (number, segments) = &mut *out.cast::<(usize, Vec<Range<usize>>)>();
        *number += 1;
        for i in (0..(*info).dlpi_phnum).filter(|_| *number > 1) {
            let header = &*(*info).dlpi_phdr.add(i.into());
            if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W != 0 {
                let start = ((*info).dlpi_addr + header.p_vaddr) as usize;
                segments.push(start..start + header.p_memsz as usize);
            }
        }
    }
    0
}

/// The executable's writable memory, without what the loader has made read-only since and without the machine's own.
fn writable() -> Vec<Range<usize>> {
    let mut found = (Vec::<Range<usize>>::new(), Vec::<Range<usize>>::new());
    // SAFETY: the callback gets a valid pointer to `found`.
    unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut found).cast()) };
    let (segments, mut holes) = found;
    holes.push((&raw const KEPT_START).addr()..(&raw const KEPT_END).addr());
    holes.push(crate::fuzzing::extra_counters());
    holes.into_iter().fold(segments, |ranges, hole| {
        ranges.into_iter().flat_map(|range| without(&range, &hole)).collect()
    })
}

/// What is left of a range outside a hole.
fn without(range: &Range<usize>, hole: &Range<usize>) -> Vec<Range<usize>> {
    if hole.end <= range.start || hole.start >= range.end {
        return vec![range.clone()];
    }
    let parts = [range.start..hole.start, hole.end..range.end];
    parts.into_iter().filter(|r| r.start < r.end).collect()
}

/// The first object reported is the executable: its writable segments, and those made read-only after relocation.
unsafe extern "C" fn first_object(
    info: *mut libc::dl_phdr_info,
    _: usize,
    out: *mut c_void,
) -> c_int {
    const PAGE: usize = 4096;
    // SAFETY: dl_iterate_phdr passes a valid description, and `writable` a pointer to a pair of lists.
    unsafe {
        let (segments, holes) = &mut *out.cast::<(Vec<Range<usize>>, Vec<Range<usize>>)>();
        for i in 0..(*info).dlpi_phnum {
            let header = &*(*info).dlpi_phdr.add(i.into());
            let start = ((*info).dlpi_addr + header.p_vaddr) as usize;
            let end = start + header.p_memsz as usize;
            if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W != 0 {
                segments.push(start..end);
            } else if header.p_type == libc::PT_GNU_RELRO {
                // The loader protects whole pages.
                holes.push(start..end.next_multiple_of(PAGE));
            }
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_cuts_a_range_in_two() {
        let left =
            |hole| without(&(10..20), &hole).iter().map(|r| (r.start, r.end)).collect::<Vec<_>>();
        assert_eq!(left(12..15), [(10, 12), (15, 20)]);
        assert_eq!(left(0..12), [(12, 20)]);
        assert_eq!(left(0..99), []);
        assert_eq!(left(20..30), [(10, 20)]);
    }

    #[test]
    fn the_machine_s_own_statics_are_not_restored() {
        let own = std::ptr::from_ref(&SAVED).addr();
        assert!(writable().iter().all(|range| !range.contains(&own)));
        static OTHER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let other = std::ptr::from_ref(&OTHER).addr();
        assert!(writable().iter().any(|range| range.contains(&other)));
    }
}
