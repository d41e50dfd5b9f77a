//! `c-map`: a hash map in C (`targets/c`), driven through its C interface.
//!
//! A panic never passes through C's frames, which would leave locks held. Each callback catches it and tells the map
//! that it has failed, so that the map ends its operation in order; when C has returned, the panic goes on.

use std::alloc::{Layout, handle_alloc_error};
use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::hash::BuildHasher as _;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use crate::Spread;

pub mod mutants;

/// C's `struct cmap`.
#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

/// C's `struct cmap_type`.
#[repr(C)]
struct Type {
    hash: extern "C" fn(*const Key, *mut u64) -> c_int,
    equal: extern "C" fn(*const Key, *const Key) -> c_int,
    release: extern "C" fn(*mut Key, *mut Value),
}

type Visit = extern "C" fn(*const Key, *mut Value, *mut c_void) -> c_int;

/// What a visitor answers besides 0.
const STOP: c_int = 1;
const ERASE: c_int = 2;
/// What operations return.
const DONE: c_int = 0;
const PRESENT: c_int = 2;

#[expect(improper_ctypes, reason = "C knows keys and values by their addresses alone")]
unsafe extern "C" {
    static mut cmap_mistake: c_int;
    fn cmap_new(elements: *const Type) -> *mut Raw;
    fn cmap_free(map: *mut Raw);
    fn cmap_insert(map: *mut Raw, key: *mut Key, value: *mut Value) -> c_int;
    fn cmap_remove(map: *mut Raw, key: *const Key, taken: Visit, context: *mut c_void) -> c_int;
    fn cmap_get(map: *mut Raw, key: *const Key, read: Visit, context: *mut c_void) -> c_int;
    fn cmap_each(map: *mut Raw, visit: Visit, context: *mut c_void) -> c_int;
    fn cmap_count(map: *mut Raw) -> usize;
    fn cmap_resize(map: *mut Raw, elements: usize) -> c_int;
    fn cmap_reclaim(map: *mut Raw);
}

static ELEMENTS: Type = Type { hash, equal, release };

thread_local! {
    /// The first panic of the callbacks of the C function under way.
    static PANIC: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
}

/// Runs a callback of C; `failed` is what it returns if it panics.
fn called<R>(failed: R, callback: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(callback)).unwrap_or_else(|payload| {
        PANIC.set(PANIC.take().or(Some(payload)));
        failed
    })
}

/// C has returned this: goes on with the panic of a callback, if there was one.
fn returned<R>(result: R) -> R {
    match PANIC.take() {
        Some(payload) => resume_unwind(payload),
        None => result,
    }
}

extern "C" fn hash(key: *const Key, out: *mut u64) -> c_int {
    called(-1, || {
        // SAFETY: C passes a key that the map owns or was called with, and room for the hash.
        unsafe { *out = Spread::default().hash_one(&*key) };
        0
    })
}

extern "C" fn equal(a: *const Key, b: *const Key) -> c_int {
    // SAFETY: C passes keys that the map owns or was called with.
    called(-1, || c_int::from(unsafe { *a == *b }))
}

extern "C" fn release(key: *mut Key, value: *mut Value) {
    // SAFETY: both were boxes when the map took them, and it gives them back once.
    called((), || drop(unsafe { (Box::from_raw(key), Box::from_raw(value)) }));
}

/// A closure as C's context.
struct Visitor<'a>(&'a mut dyn FnMut(&Key, &Value) -> c_int);

impl Visitor<'_> {
    fn context(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

extern "C" fn visit(key: *const Key, value: *mut Value, context: *mut c_void) -> c_int {
    called(STOP, || {
        // SAFETY: the context is the visitor that the operation under way was given; the element is valid for as long
        // as this runs, by the map's promise.
        unsafe { ((*context.cast::<Visitor<'_>>()).0)(&*key, &*value) }
    })
}

/// A `struct cmap`.
pub struct CMap(NonNull<Raw>);

// SAFETY: by the map's promise any thread may call it, any number at a time.
unsafe impl Send for CMap {}
// SAFETY: as above.
unsafe impl Sync for CMap {}

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
        returned(unsafe { cmap_free(self.raw()) });
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
        CMap(map.unwrap_or_else(|| handle_alloc_error(Layout::new::<usize>())))
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
            map.insert(key, value);
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
        returned(unsafe { cmap_reclaim(self.raw()) });
        Ok(())
    }
}
