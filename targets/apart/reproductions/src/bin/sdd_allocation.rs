//! sdd 4.8.11, the collector of scc 3.8.8: a failed allocation is written to.
//!
//! Safe code but for the allocator, one thread. The allocator refuses one allocation, another each time, in a child process
//! of its own. Says how the children ended: scc's documentation says that its maps are impervious to out-of-memory errors, so
//! a panic or an abort by `handle_alloc_error` would do, and a segmentation fault does not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

struct Refusing;

/// Allocations until one is refused; none is below zero.
static LEFT: AtomicI64 = AtomicI64::new(-1);

// SAFETY: all is handed on to the system's allocator, but for an allocation that fails, as any may.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LEFT.load(SeqCst) >= 0 && LEFT.fetch_sub(1, SeqCst) == 0 {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

fn child(n: i64) {
    LEFT.store(n, SeqCst);
    let map = scc::HashMap::<u64, u64>::new();
    for key in 0..200 {
        let _ = map.insert_sync(key, key);
    }
    for key in 0..200 {
        map.remove_sync(&key);
    }
    LEFT.store(-1, SeqCst);
}

fn main() {
    if let Some(n) = std::env::args().nth(1).and_then(|n| n.parse().ok()) {
        return child(n);
    }
    let itself = std::env::current_exe().expect("the system knows what it runs");
    let mut ends = BTreeMap::new();
    for n in 0..64 {
        let mut command = Command::new(&itself);
        let status = command.arg(n.to_string()).stderr(Stdio::null()).status().expect("it runs");
        let end = match (status.code(), status.signal()) {
            (Some(0), _) => "as if nothing had happened".to_owned(),
            (Some(code), _) => format!("with exit code {code}, a panic's is 101"),
            (_, signal) => {
                format!("by signal {}, 6 is an abort and 11 a bad pointer", signal.unwrap_or(0))
            }
        };
        *ends.entry(end).or_insert(0) += 1;
    }
    ends.into_iter().for_each(|(end, count)| println!("{count} of 64 ended {end}"));
}
