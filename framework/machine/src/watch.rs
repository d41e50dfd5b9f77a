//! Telling the observer what touches memory and what orders threads, while [`Options::watch`] is set: at full speed,
//! unlike recording.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::api::*;
use crate::stack::Stack;
use crate::state::{WATCHING, arm, armed, disarm, is_on, state, turn};

/// Where the last callback of the compiler was called from, see [`entries_with_sites`].
#[unsafe(link_section = "mapcheck_kept")]
pub(crate) static SITE: AtomicUsize = AtomicUsize::new(0);

/// The caller of the callback that runs, as an address of code; to be read before anything switches threads.
#[inline(always)]
pub(crate) fn site() -> usize {
    SITE.load(Relaxed)
}

#[inline(always)]
pub(crate) fn watching() -> bool {
    is_on(WATCHING)
}

pub(crate) fn watch(on: bool) {
    turn(WATCHING, on);
}

/// Tells of an access, a fence, an allocation or a deallocation of the running thread, which is armed.
#[inline(always)]
pub(crate) fn touched(access: Access, site: usize, change: Change) {
    // Made where the parts are at hand, and passed on by reference: a copy so soon after would wait for the parts.
    tell_armed(&mut Touch { thread: 0, step: 0, label: 0, site, access, change });
}

/// As [`touched`], for machine code.
#[inline(always)]
pub(crate) fn told(access: Access, site: usize, change: Change) {
    tell(&mut Touch { thread: 0, step: 0, label: 0, site, access, change });
}

#[inline(never)]
fn tell_armed(touch: &mut Touch) {
    disarm();
    tell(touch);
    arm();
}

/// Says who and when, and passes it on.
fn tell(touch: &mut Touch) {
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    let step = s.exact_steps();
    if s.options.stack_at == Some(step) {
        s.earlier = Some((s.stamp(), Stack::capture()));
    }
    let Some(observer) = s.observer else { return };
    (touch.thread, touch.step) = (s.current as ThreadId, step);
    touch.label = s.views[s.current].label;
    // SAFETY: `execute` set the pointer from a reference that outlives the execution.
    if let Some(earlier) = unsafe { (*observer).touch(touch) } {
        conflict(touch.access, touch.site, earlier);
    }
}

/// Two accesses of different threads that nothing orders. Told at the end of the execution, unless it shows something
/// worse before: what the race leads to says more than that there is one.
#[cold]
fn conflict(access: Access, site: usize, earlier: Earlier) {
    watch(false);
    let block = crate::heap::describe(access.addr);
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    let stack = if s.options.stacks { Stack::capture() } else { Stack::default() };
    let (earlier_at, earlier_stack) = match s.earlier.take() {
        Some((at, stack)) if at.step == earlier.step => (at, stack),
        _ => {
            let at = Stamp { thread: earlier.thread, label: 0, step: earlier.step };
            (at, Stack::default())
        }
    };
    let fact = Fact::Race { access, site, earlier, earlier_at, earlier_stack, block };
    s.race = Some(Found { fact, at: s.stamp(), stack });
}

/// Tells what orders the threads otherwise.
#[inline(never)]
pub(crate) fn ordered(edge: Edge) {
    let was_armed = armed();
    disarm();
    // SAFETY: the running thread, disarmed.
    if let Some(observer) = unsafe { state() }.observer {
        // SAFETY: as in `tell`.
        unsafe { (*observer).order(&edge) };
    }
    if was_armed {
        arm();
    }
}

/// Defines the names that the compiler calls, for functions of the parent module that are called the same. Each notes
/// where it was called from, at the price of two moves, and goes on: an observer can then tell places of the code apart
/// without a stack. Only for platforms where somebody has tried it; on others the functions have those names
/// themselves.
macro_rules! entries_with_sites {
    ($($name:ident)*) => {
        #[cfg(target_arch = "x86_64")]
        mod entries {$(
            /// Notes where it was called from, and goes on as the function of this name.
            ///
            /// # Safety
            /// As that function.
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            unsafe extern "C" fn $name() {
                // The register carries no argument, and the stack stays as the caller left it.
                core::arch::naked_asm!(
                    "mov rax, [rsp]",
                    "mov [rip + {site}], rax",
                    "jmp {function}",
                    site = sym $crate::watch::SITE,
                    function = sym super::$name,
                )
            }
        )*}
    };
}
pub(crate) use entries_with_sites;
