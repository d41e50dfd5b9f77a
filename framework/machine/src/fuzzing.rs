//! What libFuzzer needs in its own process: counters that it looks at beside those of branches.

use std::ffi::{CString, c_char, c_int};
use std::ops::Range;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How many counters there are.
pub const EXTRA_COUNTERS: usize = 1 << 16;

/// libFuzzer knows them by the section: what makes one of them larger than before is new coverage. It sets them to zero
/// before each input.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static EXTRA: [AtomicU8; EXTRA_COUNTERS] = [const { AtomicU8::new(0) }; EXTRA_COUNTERS];

/// Shows libFuzzer that the input has made something happen, `times` times.
///
/// # Panics
/// When `what` is not below [`EXTRA_COUNTERS`].
pub fn show(what: usize, times: u8) {
    EXTRA[what].store(EXTRA[what].load(Relaxed).saturating_add(times), Relaxed);
}

/// Readies a program that libFuzzer's main function runs, before anything else is done in it. `instrumented` says
/// whether its crates were built by `cargo mapcheck`; nobody else can know.
pub fn prepare_fuzzing(instrumented: bool) {
    crate::memory::find_counters(instrumented);
}

/// Hands the process to libFuzzer, which is linked in, with the process's own arguments; to be called from `main`.
/// Returns the exit code.
///
/// A program whose `main` is libFuzzer's own lacks what the standard library does before `main`: its threads begin in
/// fewer steps there than in tests, and what was found in such a program would not be found where it is replayed.
// Inlined, so that only who calls it asks the linker for libFuzzer.
#[inline]
pub fn libfuzzer_main() -> i32 {
    unsafe extern "C" {
        fn LLVMFuzzerRunDriver(
            argc: *mut c_int,
            argv: *mut *mut *mut c_char,
            test: unsafe extern "C" fn(*const u8, usize) -> c_int,
        ) -> c_int;
        fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> c_int;
    }
    let words = std::env::args_os().filter_map(|word| CString::new(word.into_vec()).ok());
    let mut words: Vec<*mut c_char> = words.map(CString::into_raw).collect();
    let mut count = words.len() as c_int;
    words.push(std::ptr::null_mut());
    let mut start = words.as_mut_ptr();
    // SAFETY: as many strings as it says, with a null after them, which all live as long as the process.
    unsafe { LLVMFuzzerRunDriver(&mut count, &mut start, LLVMFuzzerTestOneInput) }
}

/// Where they lie. They are no globals of the code under test, which are saved and restored.
pub(crate) fn extra_counters() -> Range<usize> {
    let start = EXTRA.as_ptr().addr();
    start..start + EXTRA_COUNTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_says_how_often_and_stops_at_255() {
        show(7, 250);
        show(7, 3);
        assert_eq!(EXTRA[7].load(Relaxed), 253);
        show(7, 9);
        assert_eq!(EXTRA[7].load(Relaxed), 255);
        assert_eq!(EXTRA[8].load(Relaxed), 0);
    }
}
