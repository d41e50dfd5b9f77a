//! Fatal signals and endless loops of the code under test become findings.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::api::*;
use crate::heap;
use crate::shim::raw_syscall;
use crate::state::{armed, disarm, state};
use crate::thread::{
    GUARD, give_up, on_virtual_thread, os_thread, running_os_thread, stack_of, stop,
};

/// Bytes of the stack that handlers run on: resolving a backtrace needs room.
const ALTERNATE: usize = 256 << 10;

/// CPU time without a schedule point after which the code under test counts as stuck, in seconds; seen at the next
/// tick, so at most twice as much passes.
const STUCK_SECONDS: i64 = 2;

/// Installs the handlers of the process, once.
pub(crate) fn install() {
    alternate_stack();
    for signal in
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP]
    {
        handle(signal, on_fault);
    }
    handle(libc::SIGVTALRM, on_tick);
}

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

fn handle(signal: i32, handler: Handler) {
    // SAFETY: the action is fully initialised, and the handlers do not return into a broken state: they leave the
    // execution for good, or fall back to the default action.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

/// Gives the calling thread a stack for handlers.
pub(crate) fn alternate_stack() {
    let memory = Box::leak(vec![0u8; ALTERNATE].into_boxed_slice());
    let stack =
        libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: ALTERNATE };
    // SAFETY: the memory is leaked, so it stays valid.
    unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
}

/// Starts or stops the watch on CPU time.
pub(crate) fn watch(on: bool) {
    if WATCHING.swap(usize::from(on), Relaxed) == usize::from(on) || !on {
        return;
    }
    if TICKING.swap(true, Relaxed) {
        return;
    }
    let every = libc::timeval { tv_sec: STUCK_SECONDS, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    let arguments = [ITIMER_VIRTUAL, (&raw const timer).addr(), 0, 0, 0, 0];
    // SAFETY: the timer is initialised, and nobody wants the old one.
    unsafe { raw_syscall(libc::SYS_setitimer, arguments) };
}

/// A forked child has no timer.
pub(crate) fn after_fork() {
    TICKING.store(false, Relaxed);
}

/// The timer that counts the process's CPU time in user mode.
const ITIMER_VIRTUAL: usize = 1;

#[unsafe(link_section = "mapcheck_kept")]
static TICKING: AtomicBool = AtomicBool::new(false);
#[unsafe(link_section = "mapcheck_kept")]
static WATCHING: AtomicUsize = AtomicUsize::new(0);
#[unsafe(link_section = "mapcheck_kept")]
static SEEN_LEFT: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_tick(signal: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if !armed() || !on_virtual_thread() {
        return;
    }
    let running = running_os_thread();
    if running != os_thread() {
        // The system picks any thread of the process, but only the running one can leave the execution.
        pass_on(signal, running);
        return;
    }
    // SAFETY: the handler interrupts the running thread; it only reads, unless it leaves for good.
    let now = unsafe { state() }.fingerprint();
    if SEEN_LEFT.swap(now, Relaxed) == now {
        disarm();
        stop(Fact::Stuck)
    }
}

fn pass_on(signal: i32, os_thread: i32) {
    // SAFETY: no preconditions.
    unsafe {
        let process = raw_syscall(libc::SYS_getpid, [0; 6]) as usize;
        raw_syscall(libc::SYS_tgkill, [process, os_thread as usize, signal as usize, 0, 0, 0])
    };
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    if !armed() || !on_virtual_thread() || running_os_thread() != os_thread() {
        default(signal);
        return;
    }
    disarm();
    // SAFETY: the running thread, disarmed.
    if signal == libc::SIGABRT && unsafe { state() }.abort_excused {
        give_up();
    }
    // SAFETY: the kernel passes a valid description.
    let addr = if signal == libc::SIGABRT { 0 } else { unsafe { (*info).si_addr() }.addr() };
    stop(fact(signal, addr, context))
}

fn fact(signal: i32, addr: usize, context: *mut libc::c_void) -> Fact {
    if heap::contains(addr) && !heap::live(addr, 1) {
        let kind = if is_write(context) { Kind::Write } else { Kind::Read };
        let access = Access { kind, addr, size: 1, order: Order::Relaxed };
        return Fact::BadAccess { access, block: heap::describe(addr) };
    }
    // SAFETY: the running thread, disarmed.
    let current = unsafe { state() }.current;
    let low = stack_of(current);
    if signal == libc::SIGSEGV && addr + GUARD >= low && addr < low + GUARD {
        return Fact::StackOverflow;
    }
    Fact::Signal { signal, addr }
}

/// Bit 1 of the page fault's error code tells a write.
#[cfg(target_arch = "x86_64")]
fn is_write(context: *mut libc::c_void) -> bool {
    // SAFETY: the kernel passes a ucontext to the handler.
    unsafe {
        (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_ERR as usize] & 2 != 0
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn is_write(_: *mut libc::c_void) -> bool {
    false
}

/// A fault of code that is not under test: let the process die of it.
fn default(signal: i32) {
    // SAFETY: restoring the default action has no preconditions; returning repeats the fault.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    if signal == libc::SIGABRT {
        // SAFETY: as above.
        unsafe { libc::raise(signal) };
    }
}
