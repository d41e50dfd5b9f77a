//! Worker processes and the memory shared with them: the flight recorder.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::*};
use std::time::Duration;

use crate::shim::raw_syscall;

const COUNTERS: usize = 16;

/// Memory shared between a process and the workers it forks. It survives the death of a worker at any moment.
#[derive(Debug)]
pub struct Shared {
    base: *mut u8,
    /// Words that fit into each log.
    logs: Vec<usize>,
    text: usize,
}

// SAFETY: the mapping belongs to no thread, and everything in it is reached through atomic operations.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps room for logs of so many words each, and for `text` bytes of text. What is not used costs no memory.
    ///
    /// # Errors
    /// When the system has no memory to map.
    pub fn new(logs: &[usize], text: usize) -> io::Result<Shared> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let size = Self::text_offset(logs) + text;
        // SAFETY: a new anonymous mapping.
        let base = unsafe {
            libc::mmap(ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Shared { base: base.cast(), logs: logs.to_vec(), text })
    }

    /// Where what follows these logs begins, in words: each log has its length before it.
    fn start(logs: &[usize]) -> usize {
        COUNTERS + 1 + logs.iter().map(|words| words + 1).sum::<usize>()
    }

    fn text_offset(logs: &[usize]) -> usize {
        Self::start(logs) * size_of::<u64>()
    }

    /// The length of a log, and where its words begin.
    fn log(&self, log: usize) -> (&AtomicU64, usize) {
        let start = Self::start(&self.logs[..log]);
        (self.word(start), start + 1)
    }

    fn word(&self, i: usize) -> &AtomicU64 {
        // SAFETY: the mapping is zeroed, aligned, lives as long as `self`, and the callers stay within it.
        unsafe { &*self.base.cast::<AtomicU64>().add(i) }
    }

    /// The `i`th of 16 counters.
    #[inline(never)]
    pub fn counter(&self, i: usize) -> u64 {
        assert!(i < COUNTERS, "there are {COUNTERS} counters");
        self.word(i).load(Acquire)
    }

    /// Sets a counter.
    #[inline(never)]
    pub fn set_counter(&self, i: usize, value: u64) {
        assert!(i < COUNTERS, "there are {COUNTERS} counters");
        self.word(i).store(value, Release);
    }

    /// Waits until a counter is no longer `value`, at most so long. May return sooner without a reason.
    #[inline(never)]
    pub fn wait_while(&self, i: usize, value: u64, most: Duration) {
        if self.counter(i) != value {
            return;
        }
        let most = libc::timespec {
            tv_sec: most.as_secs() as libc::time_t,
            tv_nsec: most.subsec_nanos().into(),
        };
        // The kernel compares the low half.
        let expected = value as u32 as usize;
        let arguments =
            [self.half(i), libc::FUTEX_WAIT as usize, expected, (&raw const most).addr(), 0, 0];
        // SAFETY: the word is mapped and aligned, and the time is valid; both outlive the call.
        unsafe { raw_syscall(libc::SYS_futex, arguments) };
    }

    /// Sets a counter and wakes who waits for that. What changes must be within its low 32 bits.
    #[inline(never)]
    pub fn set_and_wake(&self, i: usize, value: u64) {
        self.set_counter(i, value);
        let arguments = [self.half(i), libc::FUTEX_WAKE as usize, i32::MAX as usize, 0, 0, 0];
        // SAFETY: the word is mapped and aligned.
        unsafe { raw_syscall(libc::SYS_futex, arguments) };
    }

    /// The address of a counter's low half.
    fn half(&self, i: usize) -> usize {
        std::ptr::from_ref(self.word(i)).addr() + if cfg!(target_endian = "big") { 4 } else { 0 }
    }

    /// Appends a word to a log; drops it silently when the room is used up (see [`Shared::full`]).
    #[inline(never)]
    pub fn push(&self, log: usize, value: u64) {
        let (length, start) = self.log(log);
        let n = length.load(Relaxed) as usize;
        if n < self.logs[log] {
            self.word(start + n).store(value, Relaxed);
            length.store(n as u64 + 1, Release);
        }
    }

    /// The words pushed to a log since the last [`Shared::clear`].
    pub fn words(&self, log: usize) -> Vec<u64> {
        let (length, start) = self.log(log);
        let n = length.load(Acquire) as usize;
        (0..n).map(|i| self.word(start + i).load(Relaxed)).collect()
    }

    /// Whether no more words fit into a log.
    pub fn full(&self, log: usize) -> bool {
        self.log(log).0.load(Acquire) as usize == self.logs[log]
    }

    /// Forgets the words of a log.
    #[inline(never)]
    pub fn clear(&self, log: usize) {
        self.log(log).0.store(0, Release);
    }

    fn text_bytes(&self) -> &[AtomicU8] {
        // SAFETY: the text area is the rest of the mapping, zeroed, and lives as long as `self`.
        unsafe {
            std::slice::from_raw_parts(
                self.base.add(Self::text_offset(&self.logs)).cast(),
                self.text,
            )
        }
    }

    /// Replaces the text, cut to the room there is.
    #[inline(never)]
    pub fn set_text(&self, text: &str) {
        let cut = text.len().min(self.text);
        for (cell, byte) in self.text_bytes().iter().zip(&text.as_bytes()[..cut]) {
            cell.store(*byte, Relaxed);
        }
        self.word(COUNTERS).store(cut as u64, Release);
    }

    /// The text; empty if none was set.
    pub fn text(&self) -> String {
        let n = self.word(COUNTERS).load(Acquire) as usize;
        let bytes: Vec<u8> = self.text_bytes()[..n].iter().map(|b| b.load(Relaxed)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; nothing refers to it any more.
        unsafe { libc::munmap(self.base.cast(), Self::text_offset(&self.logs) + self.text) };
    }
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

impl Exit {
    /// Whether somebody else ended it: such a signal is none that code brings upon itself by a mistake.
    pub fn from_outside(self) -> bool {
        matches!(self, Exit::Signal(libc::SIGKILL))
    }
}

/// A forked worker process.
#[derive(Debug)]
pub struct Worker {
    pid: libc::pid_t,
    exit: Option<Exit>,
}

/// How often this process and those it descends from were forked from each other.
#[unsafe(link_section = "mapcheck_kept")]
static FORKS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn forks() -> u32 {
    FORKS.load(Relaxed)
}

impl Worker {
    /// Forks. The child runs `body` and exits with code 0; it dies when its parent does.
    ///
    /// The calling process should be single-threaded: a child inherits every lock that another thread holds.
    ///
    /// # Errors
    /// When the system refuses another process, or when this process has run executions that hand a baton between
    /// threads: the child would lack them.
    pub fn fork(body: &mut dyn FnMut()) -> io::Result<Worker> {
        if crate::thread::needs_its_threads() {
            return Err(io::Error::other("fork workers before the first execution"));
        }
        // SAFETY: no preconditions.
        let parent = unsafe { libc::getpid() };
        // SAFETY: the child only runs `body` and leaves without running the parent's exit handlers.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                FORKS.fetch_add(1, Relaxed);
                die_with(parent);
                crate::interrupt::ignore_interrupts();
                crate::signals::after_fork();
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
                // SAFETY: no preconditions.
                unsafe { libc::_exit(if ended.is_ok() { 0 } else { 70 }) }
            }
            pid => Ok(Worker { pid, exit: None }),
        }
    }

    /// How it ended, or `None` while it runs.
    pub fn poll(&mut self) -> Option<Exit> {
        self.wait(libc::WNOHANG)
    }

    /// CPU time that it has used so far; nothing once it has been waited for.
    pub fn cpu_time(&self) -> Duration {
        if self.exit.is_some() {
            return Duration::ZERO;
        }
        let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
        // SAFETY: the child has not been waited for, so its pid is still its own; both are plain data to be filled.
        let known = unsafe {
            libc::clock_getcpuclockid(self.pid, &mut clock) == 0
                && libc::clock_gettime(clock, &mut time) == 0
        };
        if known { Duration::new(time.tv_sec as u64, time.tv_nsec as u32) } else { Duration::ZERO }
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) -> Exit {
        if self.exit.is_none() {
            // SAFETY: the child has not been waited for, so its pid is still its own.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
        }
        self.wait(0).unwrap_or(Exit::Signal(libc::SIGKILL))
    }

    fn wait(&mut self, flags: i32) -> Option<Exit> {
        if self.exit.is_none() {
            let mut status = 0;
            // SAFETY: the child has not been waited for yet.
            if unsafe { libc::waitpid(self.pid, &mut status, flags) } == self.pid {
                self.exit = Some(if libc::WIFSIGNALED(status) {
                    Exit::Signal(libc::WTERMSIG(status))
                } else {
                    Exit::Code(libc::WEXITSTATUS(status))
                });
            }
        }
        self.exit
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The calling process dies when its parent does, be it dead already.
fn die_with(parent: libc::pid_t) {
    // SAFETY: no preconditions.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            libc::_exit(70);
        }
    }
}

/// Whether the process has one thread only.
pub fn single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

const FIXED: &str = "MAPCHECK_ADDRESSES_FIXED";

/// Whether stack and code addresses are the same in each process of this program, see [`fix_addresses`].
pub fn addresses_fixed() -> bool {
    std::env::var_os(FIXED).is_some()
}

unsafe extern "C" {
    /// Every linker defines it: where the executable begins.
    #[link_name = "__executable_start"]
    static EXECUTABLE: u8;
}

/// Where the kernel loads an executable while address-space randomisation is off.
const UNMOVED: usize = 0x5555_5555_4000;

/// What an address of the executable's code is while address-space randomisation is off. So a place of the code has the
/// same number in each process, where containers do not let [`fix_addresses`] switch it off.
#[inline]
pub fn unmoved(address: usize) -> usize {
    address.wrapping_sub((&raw const EXECUTABLE).addr()).wrapping_add(UNMOVED)
}

/// Makes stack and code addresses the same from run to run: switches address-space randomisation off and runs the
/// program anew. Does nothing if that is done already, or not permitted; executions are then reproducible within one
/// process and its forks, and across processes as far as the code under test does not depend on addresses.
pub fn fix_addresses() {
    if std::env::var_os(FIXED).is_some() {
        return;
    }
    // SAFETY: personality has no preconditions.
    let permitted = unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) } != -1;
    if permitted {
        use std::os::unix::process::CommandExt;
        let mut arguments = std::env::args_os();
        let name = arguments.next();
        let mut command = std::process::Command::new("/proc/self/exe");
        if let Some(name) = name {
            command.arg0(name);
        }
        // The standard library would read debug information for a backtrace of a failed allocation, in the midst of an
        // execution; reports have backtraces of their own. Not even "0": it would allocate to read that, with its lock
        // held that the stack of a race beside it is waited for with.
        command.env_remove("RUST_BACKTRACE");
        let _refused = command.args(arguments).env(FIXED, "1").exec();
    }
}
