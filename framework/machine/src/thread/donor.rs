//! Donors: operating-system threads that lend their stack and thread-local storage to virtual threads.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering::*};

use super::context::{self, Context};
use super::tls;

/// Bytes of stack of a virtual thread, as the standard library's default.
pub(crate) const STACK: usize = 2 << 20;
const SIDE_STACK: usize = 4096;

/// One donor. Never freed: the operating-system thread refers to it for ever.
pub(crate) struct Donor {
    pub context: Context,
    /// The thread's pthread handle.
    pub handle: libc::pthread_t,
    /// Bounds of its stack.
    pub stack: (usize, usize),
    pub tls: tls::Block,
    donated: AtomicU32,
}

/// Makes a donor and waits until it has given itself away.
pub(crate) fn create() -> &'static mut Donor {
    let donor = Box::into_raw(Box::new(Donor {
        context: Context::new(),
        handle: 0,
        stack: (0, 0),
        tls: tls::Block::default(),
        donated: AtomicU32::new(0),
    }));
    // SAFETY: the attributes are initialised before use, and `donor` is leaked, so the thread may keep it for ever.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstacksize(&mut attributes, STACK);
        let mut handle = 0;
        let failed =
            crate::shim::pthread::real_create(&mut handle, &attributes, donor_main, donor.cast());
        assert!(failed == 0, "no more threads: pthread_create failed with error {failed}");
        while (*donor).donated.load(Acquire) == 0 {
            context::futex_wait(&(*donor).donated, 0);
        }
        &mut *donor
    }
}

extern "C" fn donor_main(donor: *mut c_void) -> *mut c_void {
    let donor: *mut Donor = donor.cast();
    // SAFETY: `create` passes a leaked donor and does not touch it until it is donated.
    unsafe {
        (*donor).handle = libc::pthread_self();
        (*donor).stack = stack_bounds();
        (*donor).context.adopt_caller();
        (*donor).tls = tls::Block::of_caller();
        if !context::use_baton_in_force() {
            block_signals();
        }
        crate::signals::alternate_stack();
        let side = Box::leak(Box::new([0u128; SIDE_STACK / 16]));
        let top = ptr::from_mut(side).addr() + SIDE_STACK;
        context::donate(&raw mut (*donor).context, top, &raw const (*donor).donated);
    }
    super::run_for_ever()
}

/// A donor asleep in the kernel must not be picked to handle the process's signals: its stack is in use elsewhere.
fn block_signals() {
    // SAFETY: the set is initialised by sigfillset.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, ptr::null_mut());
    }
}

fn stack_bounds() -> (usize, usize) {
    let (mut low, mut size) = (ptr::null_mut(), 0);
    // SAFETY: pthread_getattr_np initialises the attributes that are read and destroyed here.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_getattr_np(libc::pthread_self(), &mut attributes);
        libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
    }
    (low.addr(), low.addr() + size)
}
