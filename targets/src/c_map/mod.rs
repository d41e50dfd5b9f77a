//! `c-map`: a hash map in C (`targets/c`), driven through its C interface.

use std::alloc::{Layout, handle_alloc_error};
use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::ptr::NonNull;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use self::border::{ELEMENTS, ERASE, Elements, STOP, Visit, Visitor, returned, visit};

pub mod border;
pub mod mutants;

/// C's `struct cmap`.
#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

/// What operations return.
const DONE: c_int = 0;
const PRESENT: c_int = 2;

#[expect(improper_ctypes, reason = "C knows keys and values by their addresses alone")]
unsafe extern "C" {
    static mut cmap_mistake: c_int;
    fn cmap_new(elements: *const Elements) -> *mut Raw;
    fn cmap_free(map: *mut Raw);
    fn cmap_insert(map: *mut Raw, key: *mut Key, value: *mut Value) -> c_int;
    fn cmap_remove(map: *mut Raw, key: *const Key, taken: Visit, context: *mut c_void) -> c_int;
    fn cmap_get(map: *mut Raw, key: *const Key, read: Visit, context: *mut c_void) -> c_int;
    fn cmap_each(map: *mut Raw, visit: Visit, context: *mut c_void) -> c_int;
    fn cmap_count(map: *mut Raw) -> usize;
    fn cmap_resize(map: *mut Raw, elements: usize) -> c_int;
    fn cmap_reclaim(map: *mut Raw);
}

/// A `struct cmap`.
pub struct CMap(NonNull<Raw>);

// SAFETY: by the map's promise any thread may call it, any number at a time.
unsafe impl Send for CMap {}
// SAFETY: as above.
unsafe impl Sync for CMap {}

/// Ends the process as Rust does where there is no way to tell the caller.
fn no_memory() -> ! {
    handle_alloc_error(Layout::new::<usize>())
}

impl CMap {
    fn raw(&self) -> *mut Raw {
        self.0.as_ptr()
    }

    fn each(&self, each: &mut dyn FnMut(&Key, &Value) -> c_int) {
        // SAFETY: the map lives, and the visitor outlives the call; here and below.
        returned(unsafe { cmap_each(self.raw(), visit, Visitor(each).context()) });
    }

    /// Makes room for so many elements. If memory is short, the table stays as it is, which is no harm.
    fn resize(&self, elements: usize) {
        // SAFETY: the map lives.
        returned(unsafe { cmap_resize(self.raw(), elements) });
    }

    fn count(&self) -> usize {
        // SAFETY: the map lives.
        unsafe { cmap_count(self.raw()) }
    }
}

impl Drop for CMap {
    fn drop(&mut self) {
        // SAFETY: the map lives, and nobody else has it any more.
        unsafe { cmap_free(self.raw()) };
        returned(());
    }
}

impl Map for CMap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "targets/c/cmap.h",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 4,
            write_in_visit: true,
            knobs: "4 buckets; what was removed is released when nobody is inside",
        }
    }

    fn new() -> CMap {
        if let Some(mistake) = mutants::mistake() {
            // SAFETY: C reads it, and a run with a mutant makes one map at a time.
            unsafe { cmap_mistake = mistake };
        }
        // SAFETY: the functions are what the map asks for.
        let map = NonNull::new(unsafe { cmap_new(&raw const ELEMENTS) });
        CMap(map.unwrap_or_else(|| no_memory()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let (key, value) = (Box::into_raw(Box::new(key)), Box::into_raw(Box::new(value)));
        // SAFETY: the map lives; both are boxes.
        let result = unsafe { cmap_insert(self.raw(), key, value) };
        if result != DONE {
            // SAFETY: the map has not taken them.
            drop(unsafe { (Box::from_raw(key), Box::from_raw(value)) });
        }
        returned(match result {
            DONE => Previous::Absent,
            PRESENT => Previous::Refused,
            _ => Previous::Failed,
        })
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Absent;
        let mut taken = |_: &Key, value: &Value| {
            old = Previous::Present(value.id());
            0
        };
        // SAFETY: the map and the key live, and the visitor outlives the call.
        returned(unsafe { cmap_remove(self.raw(), key, visit, Visitor(&mut taken).context()) });
        old
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let mut read = |_: &Key, value: &Value| {
            read(value);
            0
        };
        // SAFETY: as for `remove`.
        let result = unsafe { cmap_get(self.raw(), key, visit, Visitor(&mut read).context()) };
        returned(result) == DONE
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.each(&mut |key, value| if visit(key, value).is_break() { STOP } else { 0 });
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<CMap, Unsupported> {
        let map = CMap::new();
        map.resize(elements.len());
        for (key, value) in elements {
            if map.insert(key, value) == Previous::Failed {
                no_memory();
            }
        }
        Ok(map)
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.count())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.resize(self.count() + additional);
        Ok(())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.resize(0);
        Ok(())
    }

    /// Removes the elements, one after the other.
    fn clear(&self) -> Result<(), Unsupported> {
        self.each(&mut |_, _| ERASE);
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.each(&mut |key, value| if keep(key, value) { 0 } else { ERASE });
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        // SAFETY: the map lives.
        unsafe { cmap_reclaim(self.raw()) };
        returned(());
        Ok(())
    }
}
