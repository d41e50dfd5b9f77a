//! What C code is called with: functions for elements, and visitors.
//!
//! A panic never passes through C's frames, which would leave locks held. Each callback catches it and tells the map
//! that it has failed, so that the map ends its operation in order; when C has returned, the panic goes on.

use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::hash::BuildHasher as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use mapcheck::{Key, Value};

use crate::Spread;

/// What a map in C does with elements: C's `struct cmap_type`.
#[repr(C)]
pub struct Elements {
    hash: extern "C" fn(*const Key, *mut u64) -> c_int,
    equal: extern "C" fn(*const Key, *const Key) -> c_int,
    release: extern "C" fn(*mut Key, *mut Value),
}

/// With keys and values that are boxes.
pub static ELEMENTS: Elements = Elements { hash, equal, release };

/// C's type of a visitor.
pub type Visit = unsafe extern "C" fn(*const Key, *mut Value, *mut c_void) -> c_int;

/// What a visitor answers besides 0: visit no more.
pub const STOP: c_int = 1;
/// Remove the element.
pub const ERASE: c_int = 2;

type Payload = Box<dyn Any + Send>;

thread_local! {
    /// The first panic of the callbacks of the C function under way; null for none. A plain pointer, since the map may
    /// be called when the thread's variables are being destroyed: one with a destructor might be gone.
    static PANIC: Cell<*mut Payload> = const { Cell::new(ptr::null_mut()) };
}

fn keep(payload: Payload) {
    if PANIC.get().is_null() {
        PANIC.set(Box::into_raw(Box::new(payload)));
    }
}

fn kept() -> Option<Payload> {
    let payload = PANIC.replace(ptr::null_mut());
    // SAFETY: a box of `keep`, which is taken once.
    (!payload.is_null()).then(|| *unsafe { Box::from_raw(payload) })
}

/// Runs a callback of C; `failed` is what it returns if it panics.
fn called<R>(failed: R, callback: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(callback)).unwrap_or_else(|payload| {
        keep(payload);
        failed
    })
}

/// C has returned this.
///
/// # Panics
/// If a callback did: its panic goes on.
pub fn returned<R>(result: R) -> R {
    match kept() {
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

/// A closure as C's context, for [`visit`].
pub struct Visitor<'a>(pub &'a mut dyn FnMut(&Key, &Value) -> c_int);

impl Visitor<'_> {
    /// What C is to pass to [`visit`] while this lives.
    pub fn context(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

/// Shows an element to the [`Visitor`] that the context is.
///
/// # Safety
/// The context must be of a [`Visitor`] that lives, and the element valid, for as long as this runs.
pub unsafe extern "C" fn visit(key: *const Key, value: *mut Value, context: *mut c_void) -> c_int {
    called(STOP, || {
        // SAFETY: the context is the visitor that the operation under way was given, and the element is valid, by the
        // map's promise.
        unsafe { ((*context.cast::<Visitor<'_>>()).0)(&*key, &*value) }
    })
}
