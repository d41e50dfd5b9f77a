//! Donors: operating-system threads that lend their stack and thread-local storage to virtual threads.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering::*};

use super::context::{self, Context};
use super::tls;

/// Bytes of stack of a virtual thread, as the standard library's default.
pub(super) const STACK: usize = 2 << 20;
/// Bytes below a stack that nobody may touch.
pub(crate) const GUARD: usize = 64 << 10;
const SIDE_STACK: usize = 4096;

/// Where the stacks lie, one every stride. The addresses are fixed so that those of local and thread-local variables
/// repeat in every worker, whatever its parent had mapped before. A guard lies in each stride below the stack, which
/// also keeps the stack from being one aligned huge page.
const STACKS: usize = 0x1400_0000_0000;
const STRIDE: usize = 4 << 20;

/// One donor. Never freed: the operating-system thread refers to it for ever.
pub(crate) struct Donor {
    pub context: Context,
    /// The thread's pthread handle.
    pub handle: libc::pthread_t,
    /// The operating system's number for the thread.
    pub task: i32,
    /// First byte of its stack.
    pub stack: usize,
    pub tls: tls::Block,
    /// Destructors of thread-local variables that the virtual thread on it has registered.
    pub destructors: Vec<super::Destructor>,
    donated: AtomicU32,
}

impl Donor {
    /// What thread-local storage the executable and the C library have for the thread: it lies at the end of the stack.
    pub fn storage(&self) -> std::ops::Range<usize> {
        self.tls.start()..self.stack + STACK
    }
}

/// Makes the donor of this index and waits until it has given itself away.
///
/// # Panics
/// If the system has no more threads or the place of its stack is taken.
pub(crate) fn create(index: usize) -> &'static mut Donor {
    let stack = map_stack(index);
    let donor = Box::into_raw(Box::new(Donor {
        context: Context::new(),
        handle: 0,
        task: 0,
        stack,
        tls: tls::Block::default(),
        destructors: Vec::new(),
        donated: AtomicU32::new(0),
    }));
    // SAFETY: the attributes are initialised before use, and `donor` is leaked, so the thread may keep it for ever.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstack(&mut attributes, stack as *mut c_void, STACK);
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

/// Maps a stack with a guard below it and returns its first byte.
fn map_stack(index: usize) -> usize {
    let guard = STACKS + index * STRIDE;
    crate::heap::map(guard, GUARD + STACK);
    // SAFETY: the pages were just mapped and nothing refers to them.
    unsafe { libc::mprotect(guard as *mut c_void, GUARD, libc::PROT_NONE) };
    guard + GUARD
}

extern "C" fn donor_main(donor: *mut c_void) -> *mut c_void {
    let donor: *mut Donor = donor.cast();
    // SAFETY: `create` passes a leaked donor and does not touch it until it is donated.
    unsafe {
        (*donor).handle = libc::pthread_self();
        (*donor).task = super::os_thread();
        (*donor).context.adopt_caller();
        (*donor).tls = tls::Block::of_caller();
        if context::use_baton_in_force() {
            crate::signals::alternate_stack();
        } else {
            block_signals();
        }
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
