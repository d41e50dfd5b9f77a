//! `urcu-lfht`: the lock-free hash table of liburcu, through C functions of this crate (`c/lfht.c`).
//!
//! liburcu itself is what the system has: compiled without callbacks. Threads switch where it calls back, locks, waits
//! or allocates, and in the functions between; its own accesses are no schedule points and are not checked.

use std::alloc::{Layout, handle_alloc_error};
use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::ptr::NonNull;

use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Target, Unsupported,
    Value,
};

use self::border::{ELEMENTS, ERASE, Elements, STOP, Visit, Visitor, returned, visit};
use self::spread::Spread;

/// What all targets in C are called with.
#[path = "../../../src/c_map/border.rs"]
mod border;
#[path = "../../../src/spread.rs"]
mod spread;

/// The library is none of cargo's, and has its version from the system.
const TARGET: Target = Target::of::<Lfht>("urcu-lfht", "liburcu", include_str!("../Cargo.lock"))
    // What the library orders is unseen, and all that its callers do would be in no order.
    .racing();

fn main() -> ExitCode {
    mapcheck::runner::main(&[TARGET])
}

#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

const DONE: c_int = 0;
const REPLACED: c_int = 3;

#[expect(improper_ctypes, reason = "C knows keys and values by their addresses alone")]
unsafe extern "C" {
    fn lfht_new(elements: *const Elements) -> *mut Raw;
    fn lfht_free(map: *mut Raw);
    fn lfht_insert(
        map: *mut Raw,
        key: *mut Key,
        value: *mut Value,
        replaced: Visit,
        context: *mut c_void,
    ) -> c_int;
    fn lfht_remove(map: *mut Raw, key: *const Key, taken: Visit, context: *mut c_void) -> c_int;
    fn lfht_get(map: *mut Raw, key: *const Key, read: Visit, context: *mut c_void) -> c_int;
    fn lfht_each(map: *mut Raw, visit: Visit, context: *mut c_void) -> c_int;
}

/// A `struct cds_lfht`.
struct Lfht(NonNull<Raw>);

// SAFETY: the table is made for any number of threads.
unsafe impl Send for Lfht {}
// SAFETY: as above.
unsafe impl Sync for Lfht {}

impl Lfht {
    fn each(&self, each: &mut dyn FnMut(&Key, &Value) -> c_int) {
        // SAFETY: the map lives, and the visitor outlives the call.
        returned(unsafe { lfht_each(self.0.as_ptr(), visit, Visitor(each).context()) });
    }
}

impl Drop for Lfht {
    fn drop(&mut self) {
        // SAFETY: the map lives, and nobody else has it any more.
        returned(unsafe { lfht_free(self.0.as_ptr()) });
    }
}

impl Map for Lfht {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 4,
            write_in_visit: true,
            knobs: "4 buckets; a grace period after each operation that removed something",
        }
    }

    fn new() -> Lfht {
        // SAFETY: the functions are what the map asks for.
        let map = NonNull::new(unsafe { lfht_new(&raw const ELEMENTS) });
        Lfht(map.unwrap_or_else(|| handle_alloc_error(Layout::new::<usize>())))
    }

    /// liburcu takes no answer from a comparison but yes or no.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let (key, value) = (Box::into_raw(Box::new(key)), Box::into_raw(Box::new(value)));
        let mut old = Previous::Absent;
        let mut replaced = |_: &Key, value: &Value| {
            old = Previous::Present(value.id());
            0
        };
        let context = &mut Visitor(&mut replaced);
        // SAFETY: the map lives; both are boxes.
        let result = unsafe { lfht_insert(self.0.as_ptr(), key, value, visit, context.context()) };
        if result == DONE || result == REPLACED {
            returned(());
            return old;
        }
        // SAFETY: the map has not taken them.
        drop(unsafe { (Box::from_raw(key), Box::from_raw(value)) });
        returned(Previous::Failed)
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Absent;
        let mut taken = |_: &Key, value: &Value| {
            old = Previous::Present(value.id());
            0
        };
        let mut taken = Visitor(&mut taken);
        // SAFETY: the map and the key live, and the visitor outlives the call.
        returned(unsafe { lfht_remove(self.0.as_ptr(), key, visit, taken.context()) });
        old
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let mut read = |_: &Key, value: &Value| {
            read(value);
            0
        };
        let mut read = Visitor(&mut read);
        // SAFETY: as for `remove`.
        returned(unsafe { lfht_get(self.0.as_ptr(), key, visit, read.context()) }) == DONE
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.each(&mut |key, value| if visit(key, value).is_break() { STOP } else { 0 });
    }

    /// Removes the elements, one after the other, by their keys: another may have come in the place of the one visited.
    fn clear(&self) -> Result<(), Unsupported> {
        self.each(&mut |key, _| {
            self.remove(key);
            0
        });
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.each(&mut |key, value| if keep(key, value) { 0 } else { ERASE });
        Ok(())
    }
}
