//! Plain accesses of instrumented code, announced by the compiler's coverage callbacks and then made by the code
//! itself.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::api::*;
use crate::heap;
use crate::state::{armed, disarm, step, step_lightly};
use crate::thread::stop;
use crate::watch;

/// A plain access is about to happen.
#[inline(always)]
pub(crate) fn plain(kind: Kind, addr: usize, size: usize) {
    if heap::contains(addr) && !step_lightly(addr, size) && armed() {
        plain_at(kind, addr, size, watch::site());
    }
}

/// A plain access to the modelled heap, made by the code at this address; the caller is armed.
#[cold]
#[inline(never)]
pub(crate) fn plain_at(kind: Kind, addr: usize, size: usize, site: usize) {
    let access = Access { kind, addr, size, order: Order::Relaxed };
    let mut touch = Touch::by(access, site);
    step(&touch.access);
    check(&touch.access);
    if watch::watching() {
        watch::touched(&mut touch);
    }
}

/// Ends the execution if the access touches a byte that is not part of a live block.
#[inline(always)]
pub(crate) fn check(access: &Access) {
    if !heap::live(access.addr, access.size) {
        bad(access);
    }
}

#[cold]
#[inline(never)]
fn bad(access: &Access) -> ! {
    disarm();
    stop(Fact::BadAccess { access: *access, block: heap::describe(access.addr) })
}

/// See [`crate::peek`].
pub(crate) fn peek(addr: usize, size: usize) -> Option<u64> {
    // SAFETY: mapped and readable in each of these cases.
    is_known(addr, size).then(|| unsafe { read(addr, size) })
}

/// Whether these bytes are of a live block, a global of the program or a thread's stack.
pub(crate) fn is_known(addr: usize, size: usize) -> bool {
    if heap::contains(addr) {
        return heap::live(addr, size);
    }
    crate::globals::contain(addr, size) || crate::thread::stacks_contain(addr, size)
}

/// # Safety
/// The bytes must be readable.
unsafe fn read(addr: usize, size: usize) -> u64 {
    let mut bytes = [0; 16];
    // Byte by byte: what is read may be a part of the stack that this function has now.
    for (i, byte) in bytes.iter_mut().enumerate().take(size) {
        // SAFETY: by the caller's promise; no access is wider.
        *byte = unsafe { (addr as *const u8).add(i).read_volatile() };
    }
    let wide = u128::from_ne_bytes(bytes);
    (wide ^ (wide >> 64)) as u64
}

/// As [`watch::entries_with_sites`], for plain accesses: most of them end here. It is [`step_lightly`] once more, in
/// the words of the processor, since a function cannot know its caller without keeping it at each call: what is not
/// armed, live and unremarkable is left to the function of that name.
macro_rules! short_entries {
    ($($name:ident $size:literal)*) => {
        #[cfg(target_arch = "x86_64")]
        mod short {$(
            /// The access of that many bytes, if it is a light one; else notes where it was called from, and goes on as
            /// the function of this name.
            ///
            /// # Safety
            /// As that function.
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            unsafe extern "C" fn $name() {
                // Only registers are used that a call may change, the argument's stays, and so does the stack.
                core::arch::naked_asm!(
                    // In the arena?
                    "movabs rax, {arena}",
                    "mov rcx, rdi",
                    "sub rcx, rax",
                    "mov rax, rcx",
                    "shr rax, {arena_bits}",
                    "jnz 3f",
                    // Armed, and nobody to be told or asked?
                    "cmp byte ptr [rip + {mode}], {armed}",
                    "jne 2f",
                    // Are all bytes live, as one granule, or as the first bytes of one and no other?
                    "movabs rax, {shadow}",
                    "shr rcx, 3",
                    "movzx ecx, byte ptr [rax + rcx]",
                    "mov eax, edi",
                    "and eax, 7",
                    "add eax, {size}",
                    "cmp eax, ecx",
                    "ja 2f",
                    // Not the last point of the slice?
                    "mov rax, [rip + {left}]",
                    "dec rax",
                    "jz 2f",
                    "mov [rip + {left}], rax",
                    "3: ret",
                    "2: mov rax, [rsp]",
                    "mov [rip + {site}], rax",
                    "jmp {function}",
                    arena = const $crate::heap::BASE,
                    arena_bits = const $crate::heap::ARENA_BITS,
                    mode = sym $crate::state::MODE,
                    armed = const $crate::state::ARMED,
                    shadow = const $crate::heap::SHADOW,
                    size = const $size,
                    left = sym $crate::state::LEFT,
                    site = sym $crate::watch::SITE,
                    function = sym super::$name,
                )
            }
        )*}
    };
}

macro_rules! plain_callbacks {
    ($($load:ident $store:ident $size:literal;)*) => {$(
        #[doc = concat!("Called before a plain load of ", stringify!($size), " bytes.")]
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        extern "C" fn $load(addr: usize) {
            plain(Kind::Read, addr, $size);
        }
        #[doc = concat!("Called before a plain store of ", stringify!($size), " bytes.")]
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        extern "C" fn $store(addr: usize) {
            plain(Kind::Write, addr, $size);
        }
    )*};
}

plain_callbacks! {
    __sanitizer_cov_load1 __sanitizer_cov_store1 1;
    __sanitizer_cov_load2 __sanitizer_cov_store2 2;
    __sanitizer_cov_load4 __sanitizer_cov_store4 4;
    __sanitizer_cov_load8 __sanitizer_cov_store8 8;
    __sanitizer_cov_load16 __sanitizer_cov_store16 16;
}
short_entries! {
    __sanitizer_cov_load1 1 __sanitizer_cov_store1 1 __sanitizer_cov_load2 2 __sanitizer_cov_store2 2
    __sanitizer_cov_load4 4 __sanitizer_cov_store4 4 __sanitizer_cov_load8 8 __sanitizer_cov_store8 8
}
// More than a granule.
watch::entries_with_sites! { __sanitizer_cov_load16 __sanitizer_cov_store16 }

/// Called by the constructors of instrumented modules; nothing to set up.
#[unsafe(no_mangle)]
extern "C" fn __tsan_init() {}

/// Called on entry of functions: of C code, and of Rust code when the wrapper's flag against it is not known to the
/// compiler.
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_entry(_: usize) {}

/// The counterpart of `__tsan_func_entry`.
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_exit() {}

/// Instrumented modules that were linked in.
#[unsafe(link_section = "mapcheck_kept")]
static MODULES: AtomicUsize = AtomicUsize::new(0);

/// The first and the last counter of all of them: the linker puts them in a row.
#[unsafe(link_section = "mapcheck_kept")]
static COUNTERS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// Announces the edge counters of an instrumented module, before `main`.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(export_name = "__sanitizer_cov_8bit_counters_init"))]
extern "C" fn counters_init(start: *mut u8, stop: *mut u8) {
    let first = MODULES.fetch_add(1, Relaxed) == 0;
    let so_far = COUNTERS[0].load(Relaxed);
    COUNTERS[0].store(if first { start.addr() } else { so_far.min(start.addr()) }, Relaxed);
    COUNTERS[1].fetch_max(stop.addr(), Relaxed);
}

// The name that the compiler calls, weak: libFuzzer has a function of this name too, and where it is linked in, its own
// is the one that is called.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".weak __sanitizer_cov_8bit_counters_init",
    ".type __sanitizer_cov_8bit_counters_init, @function",
    "__sanitizer_cov_8bit_counters_init:",
    "jmp {init}",
    init = sym counters_init,
);

/// Takes the counters from where the linker put them, if nobody announced any: where libFuzzer is linked in, it is
/// told of them instead. `instrumented` says whether the modules have the other callbacks as well.
pub(crate) fn find_counters(instrumented: bool) {
    if modules() > 0 {
        return;
    }
    let [start, stop] = bounds();
    COUNTERS[0].store(start, Relaxed);
    COUNTERS[1].store(stop, Relaxed);
    MODULES.store(usize::from(instrumented), Relaxed);
}

/// Where the linker put the counters; zeros where there are none.
#[cfg(target_arch = "x86_64")]
fn bounds() -> [usize; 2] {
    let (start, stop): (usize, usize);
    // SAFETY: reads two entries of the global offset table; those of weak symbols that nobody defines are zero.
    unsafe {
        std::arch::asm!(
            ".weak __start___sancov_cntrs",
            ".weak __stop___sancov_cntrs",
            "mov {0}, qword ptr [rip + __start___sancov_cntrs@GOTPCREL]",
            "mov {1}, qword ptr [rip + __stop___sancov_cntrs@GOTPCREL]",
            out(reg) start, out(reg) stop, options(nostack, pure, readonly)
        );
    }
    [start, stop]
}

/// As above: nobody has tried it on this platform.
#[cfg(not(target_arch = "x86_64"))]
fn bounds() -> [usize; 2] {
    [0, 0]
}

/// The edge counters of all instrumented modules, one a branch of the program: how often it was taken, modulo 256.
pub(crate) fn counters() -> &'static [u8] {
    let [start, stop] = [COUNTERS[0].load(Relaxed), COUNTERS[1].load(Relaxed)];
    if start == 0 {
        return &[];
    }
    // SAFETY: the section that the linker made of the modules' counters; each module named its bounds. Only
    // instrumented code writes to it, and none runs while this is borrowed: the caller is the carrier between
    // executions.
    unsafe { std::slice::from_raw_parts(start as *const u8, stop - start) }
}

/// No branch has been taken yet. What the process had taken before, or the one that forked it, is not this execution's.
pub(crate) fn forget_branches() {
    let [start, stop] = [COUNTERS[0].load(Relaxed), COUNTERS[1].load(Relaxed)];
    if start > 0 {
        // SAFETY: as in `counters`; the caller is the carrier, before an execution, or the running thread in one.
        unsafe { std::ptr::write_bytes(start as *mut u8, 0, stop - start) };
    }
}

/// Instrumented modules linked in.
pub(crate) fn modules() -> usize {
    MODULES.load(Relaxed)
}
