//! Being asked to stop: the signals of a terminal and of batch systems, and the death of who started this process.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What a shell says of a command that Ctrl-C ended.
const KILLED: i32 = 130;

/// How often this process was asked to stop.
#[unsafe(link_section = "mapcheck_kept")]
static ASKED: AtomicU32 = AtomicU32::new(0);

/// From now on SIGINT and SIGTERM do not end this process: [`interrupted`] tells of the first of them, so that what was
/// found can be saved. The second ends the process at once, with code 130.
pub fn heed_interrupts() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the action is fully initialised, and the handler does nothing that a handler must not.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_interrupt as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

/// Whether this process was asked to stop. False for ever without [`heed_interrupts`].
pub fn interrupted() -> bool {
    ASKED.load(Relaxed) > 0
}

extern "C" fn on_interrupt(_: i32) {
    if ASKED.fetch_add(1, Relaxed) > 0 {
        // SAFETY: no preconditions; it runs no exit handlers, and workers die with their parent.
        unsafe { libc::_exit(KILLED) };
    }
}

/// Asks this process to stop when its parent dies, or at once if that is not `parent` any more.
pub fn stop_with_parent(parent: u32) {
    // SAFETY: no preconditions.
    let now = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        libc::getppid()
    };
    if now != parent as libc::pid_t {
        ASKED.fetch_add(1, Relaxed);
    }
}

/// In a worker: only its parent ends it. A terminal signals every process of a command, and a worker that died of that
/// would look like a crash of the code under test.
pub(crate) fn ignore_interrupts() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: ignoring a signal has no preconditions.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
