//! Functions of libc that the executable defines itself, so that blocking, time, randomness and threads of the code
//! under test pass through the machine. Outside executions each does what libc's does.

pub(crate) mod bytes;
#[cfg(target_env = "gnu")]
mod conditions;
mod futex;
pub(crate) mod keys;
mod loader;
#[cfg(target_env = "gnu")]
mod locks;
#[cfg(target_env = "gnu")]
mod malloc;
mod processors;
pub(crate) mod pthread;
mod std_calls;
mod time;

use std::ffi::{CStr, c_long, c_void};
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use crate::api::*;
use crate::state::{armed, disarmed, give_way, step};

/// A function of libc that we hide, looked up once.
pub(crate) struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Real {
    pub(crate) const fn new(name: &'static CStr) -> Real {
        Real { name, found: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// As [`Real::new`], of a name with a zero at its end.
    #[cfg(target_env = "gnu")]
    const fn named(name: &'static str) -> Real {
        match CStr::from_bytes_with_nul(name.as_bytes()) {
            Ok(name) => Real::new(name),
            Err(_) => panic!("the name does not end with its only zero"),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> *mut c_void {
        let found = self.found.load(Relaxed);
        if found.is_null() { self.look_up() } else { found }
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        assert!(!found.is_null(), "libc lacks {:?}", self.name);
        self.found.store(found, Relaxed);
        found
    }
}

/// Defines functions of libc that return an error number or the like. Within executions each does what is written
/// beside it, and where its condition, if there is one, does not hold, what libc's does; so too outside.
#[cfg(target_env = "gnu")]
macro_rules! replaced {
    ($($name:ident($($argument:ident: $type:ty),*) $(if $when:block)? = $inside:expr;)*) => {
        $(
            #[doc = concat!("Replaces libc's `", stringify!($name), "`.")]
            ///
            /// # Safety
            /// As libc's.
            #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
            unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                #[unsafe(link_section = "mapcheck_kept")]
                static REAL: $crate::shim::Real =
                    $crate::shim::Real::named(concat!(stringify!($name), "\0"));
                type Function = unsafe extern "C" fn($($type),*) -> c_int;
                if !$crate::state::armed() $(|| !$when)? {
                    // SAFETY: the function has this type; the arguments are the caller's.
                    return unsafe {
                        std::mem::transmute::<*mut std::ffi::c_void, Function>(REAL.get())(
                            $($argument),*
                        )
                    };
                }
                // SAFETY: the arguments are the caller's.
                unsafe { $inside }
            }
        )*
        $crate::watch::entries_with_sites! { $($name)* }
    };
}
#[cfg(target_env = "gnu")]
use replaced;

/// A system call as the kernel knows it: a negative result is an error number.
///
/// # Safety
/// As the call itself.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn raw_syscall(number: c_long, a: [usize; 6]) -> isize {
    let result;
    // SAFETY: by the caller's promise; the kernel clobbers rcx and r11 only.
    unsafe {
        std::arch::asm!(
            "syscall", inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _, options(nostack)
        );
    }
    result
}

/// As above.
///
/// # Safety
/// As the call itself.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn raw_syscall(number: c_long, a: [usize; 6]) -> isize {
    let result;
    // SAFETY: by the caller's promise.
    unsafe {
        std::arch::asm!(
            "svc 0", in("x8") number, inlateout("x0") a[0] => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack)
        );
    }
    result
}

/// Turns a kernel result into libc's form.
fn as_libc(result: isize) -> c_long {
    if (-4095..0).contains(&result) {
        set_errno(-result as i32);
        return -1;
    }
    result as c_long
}

fn set_errno(error: i32) {
    // SAFETY: errno is thread-local and always there.
    unsafe { *libc::__errno_location() = error };
}

const SYNC: Access = Access { kind: Kind::Sync, addr: 0, size: 0, order: Order::SeqCst };

/// Replaces libc's `syscall`, through which the standard library and parking_lot block.
///
/// # Safety
/// As the system call that is asked for.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    n: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    if armed() {
        match n {
            libc::SYS_futex => {
                // SAFETY: passed on.
                let result = unsafe { futex::futex(a, b, c as u32, d, e, f as u32) };
                return as_libc(result);
            }
            libc::SYS_getrandom => {
                // SAFETY: passed on.
                let result = unsafe { getrandom(a as *mut c_void, b, c as u32) };
                return result as c_long;
            }
            libc::SYS_sched_yield => return sched_yield().into(),
            libc::SYS_membarrier => return membarrier(a),
            _ => {}
        }
    }
    // SAFETY: passed on.
    as_libc(unsafe { raw_syscall(n, [a, b, c, d, e, f]) })
}

/// All virtual threads share one processor at a time, so a barrier on all of them is a step that orders nothing more.
fn membarrier(command: usize) -> c_long {
    step(&Access { kind: Kind::Fence, ..SYNC });
    if command != 0 && crate::watch::watching() {
        crate::watch::ordered(Edge::Barrier);
    }
    // The query answers the commands that are known: global, private expedited and its registration.
    if command == 0 { 1 | 8 | 16 } else { 0 }
}

/// Replaces libc's `sched_yield`.
#[unsafe(no_mangle)]
extern "C" fn sched_yield() -> i32 {
    if armed() {
        give_way(Reason::Yield, &Access::NONE);
        return 0;
    }
    // SAFETY: no preconditions.
    unsafe { raw_syscall(libc::SYS_sched_yield, [0; 6]) as i32 }
}

/// Replaces libc's `getrandom`: inside executions the bytes are a function of the seed.
///
/// # Safety
/// `buffer` must have room for `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, size: usize, flags: u32) -> isize {
    if !armed() {
        let arguments = [buffer.addr(), size, flags as usize, 0, 0, 0];
        // SAFETY: passed on.
        return as_libc(unsafe { raw_syscall(libc::SYS_getrandom, arguments) }) as isize;
    }
    disarmed(|s| {
        for i in 0..size {
            // SAFETY: within the buffer.
            unsafe { *buffer.cast::<u8>().add(i) = s.random_byte() };
        }
    });
    size as isize
}
