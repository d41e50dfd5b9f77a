//! What must hold of mapcheck's own parsers, whatever they are given: one function a fuzz target, which panics where it
//! does not. The tests call them with a few inputs that have once gone wrong.

mod flags;
mod json;
mod repro_file;

use arbitrary::Unstructured;

pub use flags::flags;
pub use json::json;
pub use repro_file::repro_file;

/// What bytes are drawn into; where they end, zeros follow.
type Bytes<'a, 'b> = &'a mut Unstructured<'b>;

/// Whether one of so many times.
fn one_in(n: u8, bytes: Bytes<'_, '_>) -> bool {
    bytes.int_in_range(1..=n).is_ok_and(|drawn| drawn == n)
}

/// One of these.
fn one_of<T: Copy>(all: &[T], bytes: Bytes<'_, '_>) -> T {
    all[bytes.choose_index(all.len()).unwrap_or_default()]
}

/// A number, often one at which something ends.
fn number(bytes: Bytes<'_, '_>) -> u64 {
    const EDGES: [u64; 8] = [
        0,
        1,
        2,
        u32::MAX as u64,
        u32::MAX as u64 + 1,
        i64::MAX as u64,
        i64::MAX as u64 + 1,
        u64::MAX,
    ];
    if one_in(2, bytes) { one_of(&EDGES, bytes) } else { bytes.arbitrary().unwrap_or_default() }
}

/// As many as the bytes say, and at most this many.
fn some<T>(most: usize, bytes: Bytes<'_, '_>, mut one: impl FnMut(Bytes<'_, '_>) -> T) -> Vec<T> {
    let n = bytes.int_in_range(0..=most).unwrap_or_default();
    (0..n).map_while(|_| (!bytes.is_empty()).then(|| one(bytes))).collect()
}

/// Any text.
fn text(bytes: Bytes<'_, '_>) -> String {
    bytes.arbitrary().unwrap_or_default()
}

/// Fails where an error is not one line that begins like this.
#[track_caller]
fn assert_fragment(error: &str, begin: &str) {
    assert!(error.starts_with(begin), "{error:?} does not begin with {begin:?}");
    assert!(!error.contains(char::is_control), "{error:?} is not one line");
}

#[cfg(test)]
mod tests;
