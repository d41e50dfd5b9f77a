//! The standard library comes compiled, without callbacks. In instrumented programs the linker puts a call of this
//! before each of its functions that synchronises threads, and after those that take a word at their end.

use crate::api::*;
use crate::state::{armed, step};

/// What stands for the word of every thread that parks, or is unparked.
#[unsafe(link_section = "mapcheck_kept")]
static PARKING: u64 = 0;

/// A schedule point before or after a function of the standard library, which is about `size` bytes at `addr`; 0 for
/// parking.
///
/// It stands for whatever the function does there, so that schedulers see what it conflicts with, and observers what it
/// orders.
#[unsafe(no_mangle)]
extern "C" fn mapcheck_before_std(addr: usize, size: usize) {
    if armed() {
        let (addr, size) = if size == 0 { ((&raw const PARKING).addr(), 8) } else { (addr, size) };
        // What the function has done, it may have done in another order than before there was this point: between what
        // an inlined part of it saw and what the rest of it does, others may have run.
        super::futex::order(addr);
        step(&Access { kind: Kind::Write, addr, size, order: Order::SeqCst });
    }
}
