//! Where a virtual thread continues, and the switch from one to another.
//!
//! On the carrier a context is a stack pointer and a thread pointer (FS base): switching costs no system call. In baton
//! mode every virtual thread stays on its operating-system thread and waits for the baton in a futex.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};

/// A place to continue.
#[repr(C)]
pub(crate) struct Context {
    stack: usize,
    thread_pointer: usize,
    baton: AtomicU32,
}

impl Context {
    pub const fn new() -> Context {
        Context { stack: 0, thread_pointer: 0, baton: AtomicU32::new(0) }
    }

    /// Binds the context to the thread that calls.
    pub fn adopt_caller(&mut self) {
        self.thread_pointer = arch::thread_pointer();
    }
}

#[unsafe(link_section = "mapcheck_kept")]
static BATON: AtomicBool = AtomicBool::new(false);

/// Chooses how threads are switched; must not change while donors exist.
pub(crate) fn use_baton(forced: bool) -> bool {
    let baton = forced || !arch::can_set_thread_pointer();
    BATON.store(baton, Relaxed);
    baton
}

/// Whether the baton is in use.
pub(crate) fn use_baton_in_force() -> bool {
    BATON.load(Relaxed)
}

/// Saves the caller into `from` and continues at `to`. Returns when something switches back to `from`.
///
/// # Safety
/// Both must be valid; `to` must have been saved by a switch or a donation, and must not be running.
pub(crate) unsafe fn switch(from: *mut Context, to: *mut Context) {
    if BATON.load(Relaxed) {
        // SAFETY: both contexts are valid, by the caller's promise.
        unsafe { hand_over(&(*from).baton, &(*to).baton) }
    } else {
        // SAFETY: as above.
        unsafe { arch::switch(from, to) }
    }
}

/// Gives the calling thread away: on the carrier its stack and thread pointer, with the thread itself asleep on
/// `side_stack`; in baton mode the thread waits for the baton. Returns when the context is switched to.
///
/// # Safety
/// `context` and `donated` must stay valid for ever, `side_stack` must be the end of at least 256 unused bytes.
pub(crate) unsafe fn donate(context: *mut Context, side_stack: usize, donated: *const AtomicU32) {
    if BATON.load(Relaxed) {
        // SAFETY: valid by the caller's promise.
        unsafe {
            (*donated).store(1, Release);
            futex_wake(&*donated);
            wait_for(&(*context).baton);
        }
    } else {
        // SAFETY: as the caller promises.
        unsafe { arch::donate(context, side_stack, donated) }
    }
}

fn hand_over(from: &AtomicU32, to: &AtomicU32) {
    to.store(1, Release);
    futex_wake(to);
    wait_for(from);
}

fn wait_for(baton: &AtomicU32) {
    while baton.swap(0, Acquire) == 0 {
        futex_wait(baton, 0);
    }
}

/// Sleeps while `word` holds `value`; the operating system's futex, not the modelled one.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    let op = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the word is a valid futex for the duration of the call.
    unsafe {
        crate::shim::raw_syscall(
            libc::SYS_futex,
            [ptr::from_ref(word).addr(), op, value as usize, 0, 0, 0],
        )
    };
}

fn futex_wake(word: &AtomicU32) {
    let op = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the word is a valid futex for the duration of the call.
    unsafe {
        crate::shim::raw_syscall(libc::SYS_futex, [ptr::from_ref(word).addr(), op, 1, 0, 0, 0])
    };
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use super::{AtomicU32, Context};
    use std::arch::{asm, naked_asm};

    /// Bit 1 of AT_HWCAP2: user mode may write the FS base.
    const HWCAP2_FSGSBASE: u64 = 2;

    pub fn can_set_thread_pointer() -> bool {
        // SAFETY: getauxval has no preconditions.
        unsafe { libc::getauxval(libc::AT_HWCAP2) & HWCAP2_FSGSBASE != 0 }
    }

    pub fn thread_pointer() -> usize {
        let tp: usize;
        // SAFETY: the System V ABI keeps the thread pointer in the first word of the thread control block.
        unsafe { asm!("mov {}, fs:[0]", out(reg) tp, options(nostack, readonly)) };
        tp
    }

    /// # Safety
    /// As for the portable `switch`.
    #[unsafe(naked)]
    pub unsafe extern "C" fn switch(_from: *mut Context, _to: *mut Context) {
        naked_asm!(
            "push rbp",
            "push rbx",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "mov [rdi], rsp",
            "mov rsp, [rsi]",
            "mov rax, [rsi + 8]",
            "wrfsbase rax",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbx",
            "pop rbp",
            "ret",
        )
    }

    /// # Safety
    /// As for the portable `donate`.
    #[unsafe(naked)]
    pub unsafe extern "C" fn donate(
        _context: *mut Context,
        _side_stack: usize,
        _donated: *const AtomicU32,
    ) {
        naked_asm!(
            "push rbp",
            "push rbx",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "mov [rdi], rsp",
            "lea rsp, [rsi - 64]",
            "mov qword ptr [rsp], 0",
            "mov dword ptr [rdx], 1",
            // wake the creator
            "mov eax, 202",
            "mov rdi, rdx",
            "mov esi, 129",
            "mov edx, 1",
            "xor r10d, r10d",
            "syscall",
            // sleep for ever on a word that stays 0
            "2:",
            "mov eax, 202",
            "mov rdi, rsp",
            "mov esi, 128",
            "xor edx, edx",
            "xor r10d, r10d",
            "syscall",
            "jmp 2b",
        )
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod arch {
    use super::{AtomicU32, Context};

    pub fn can_set_thread_pointer() -> bool {
        false
    }

    pub fn thread_pointer() -> usize {
        0
    }

    /// # Safety
    /// Never called: without a carrier the baton is used.
    pub unsafe fn switch(_: *mut Context, _: *mut Context) {
        unreachable!("no carrier on this platform")
    }

    /// # Safety
    /// Never called: without a carrier the baton is used.
    pub unsafe fn donate(_: *mut Context, _: usize, _: *const AtomicU32) {
        unreachable!("no carrier on this platform")
    }
}
