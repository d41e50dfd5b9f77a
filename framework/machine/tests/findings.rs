//! Crashes, endless loops and limits of the code under test are findings, and the process survives to tell them.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use mapcheck_machine::*;

tests! {
    a_read_through_null_is_a_signal,
    a_read_through_null_in_a_later_thread_names_that_thread,
    a_wild_pointer_is_a_signal,
    a_poisoned_pointer_is_a_signal,
    an_abort_is_a_signal,
    a_panic_in_a_function_that_cannot_unwind_is_a_signal,
    an_illegal_instruction_is_a_signal,
    an_overflow_of_the_stack_is_found,
    an_overflow_of_the_stack_of_a_spawned_thread_is_found,
    an_endless_loop_without_schedule_points_is_stuck,
    short_executions_are_never_stuck,
    an_endless_loop_with_schedule_points_reaches_the_limit,
    the_limit_counts_the_points_of_all_threads,
    a_failure_told_from_above_ends_the_execution,
    a_failure_told_about_a_block_names_it,
    a_failure_told_outside_an_execution_panics,
    a_finding_captures_its_stack_when_asked,
    a_finding_leaves_the_process_spent,
    a_panic_is_reported_while_others_hold_locks_of_the_report,
}

#[track_caller]
fn signal(root: impl FnMut()) -> (i32, usize) {
    let found = finds(InOrder, root);
    let Fact::Signal { signal, addr } = found.fact else { panic!("{found:?}") };
    (signal, addr)
}

fn read(addr: usize) {
    // SAFETY: the fault is what is tested.
    unsafe { std::hint::black_box(addr as *const u8).read_volatile() };
}

fn a_read_through_null_is_a_signal() {
    assert_eq!(signal(|| read(16)), (libc::SIGSEGV, 16));
}

fn a_read_through_null_in_a_later_thread_names_that_thread() {
    let found = finds(Turns(1), || {
        concurrently(3, &|i| {
            point();
            set_label(i as u32);
            if i == 2 {
                read(0);
            }
        });
    });
    assert!(matches!(found.fact, Fact::Signal { signal: libc::SIGSEGV, addr: 0 }), "{found:?}");
    assert_eq!((found.at.thread, found.at.label), (3, 2));
}

fn a_wild_pointer_is_a_signal() {
    assert_eq!(signal(|| read(0x2000_0000_0008)), (libc::SIGSEGV, 0x2000_0000_0008));
}

fn a_poisoned_pointer_is_a_signal() {
    let poison = 0xdbdb_dbdb_dbdb_dbdb_u64 as usize;
    assert_eq!(signal(|| read(poison)).0, libc::SIGSEGV);
}

fn an_abort_is_a_signal() {
    assert_eq!(signal(|| std::process::abort()), (libc::SIGABRT, 0));
}

extern "C" fn cannot_unwind() {
    panic!("on purpose");
}

fn a_panic_in_a_function_that_cannot_unwind_is_a_signal() {
    assert_eq!(signal(|| cannot_unwind()).0, libc::SIGABRT);
}

fn an_illegal_instruction_is_a_signal() {
    // SAFETY: the fault is what is tested.
    let ended = signal(|| unsafe { std::arch::asm!("ud2") });
    assert_eq!(ended.0, libc::SIGILL);
}

#[allow(unconditional_recursion)]
fn bottomless(n: usize) -> usize {
    let room = std::hint::black_box([n; 100]);
    bottomless(n + 1) + room[n % 100]
}

fn an_overflow_of_the_stack_is_found() {
    let found = finds(InOrder, || {
        bottomless(1);
    });
    assert!(matches!(found.fact, Fact::StackOverflow), "{found:?}");
}

fn an_overflow_of_the_stack_of_a_spawned_thread_is_found() {
    let found = finds(InOrder, || {
        thread::spawn(|| bottomless(1)).join().unwrap();
    });
    assert!(matches!(found.fact, Fact::StackOverflow), "{found:?}");
    assert_eq!(found.at.thread, 1);
}

fn an_endless_loop_without_schedule_points_is_stuck() {
    let start = Instant::now();
    let found = finds(InOrder, || {
        thread::spawn(|| {
            loop {
                std::hint::black_box(1);
            }
        })
        .join()
        .unwrap();
    });
    assert!(matches!(found.fact, Fact::Stuck), "{found:?}");
    assert_eq!(found.at.thread, 1);
    assert!(start.elapsed() < Duration::from_secs(12));
}

fn short_executions_are_never_stuck() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        let ended = run_under(InOrder, || {
            let spun = Instant::now();
            while spun.elapsed() < Duration::from_nanos(100) {}
        });
        assert!(ended.found.is_none(), "{:?}", ended.found);
    }
}

fn an_endless_loop_with_schedule_points_reaches_the_limit() {
    let options = Options { max_steps: 1234, ..Options::default() };
    let ended = run_with(&options, &mut InOrder, || {
        loop {
            point();
        }
    });
    assert!(matches!(ended.found.unwrap().fact, Fact::StepLimit { steps: 1234 }));
    assert_eq!(ended.steps, 1234);
}

fn the_limit_counts_the_points_of_all_threads() {
    let options = Options { max_steps: 100_000, ..Options::default() };
    let ended = run_with(&options, &mut Random(1), || {
        concurrently(3, &|_| {
            loop {
                point();
            }
        });
    });
    assert!(matches!(ended.found.unwrap().fact, Fact::StepLimit { steps: 100_000 }));
    assert!(ended.switches > 10_000);
}

fn a_failure_told_from_above_ends_the_execution() {
    let found = finds(InOrder, || {
        set_label(3);
        fail("torn-value", "half of it".into(), 0);
    });
    let Fact::Told { class, message, addr, block } = found.fact else { panic!("{found:?}") };
    assert_eq!((class, message.as_str(), addr), ("torn-value", "half of it", 0));
    assert!(block.is_none() && found.at.label == 3);
}

fn a_failure_told_about_a_block_names_it() {
    let found = finds(InOrder, || {
        let block = Box::new([0_u64; 5]);
        let addr = (&raw const *block).addr();
        drop(block);
        fail("torn-value", String::new(), addr + 8);
    });
    let Fact::Told { block: Some(block), .. } = found.fact else { panic!("{found:?}") };
    assert!(block.size == 40 && block.free.is_some());
}

fn a_failure_told_outside_an_execution_panics() {
    let error = std::panic::catch_unwind(|| fail("leak", "of 3".into(), 0)).unwrap_err();
    assert_eq!(error.downcast_ref::<String>().unwrap(), "leak: of 3");
}

fn a_finding_captures_its_stack_when_asked() {
    let options = Options { stacks: true, ..Options::default() };
    let ended = run_with(&options, &mut InOrder, || read(0));
    let frames = ended.found.unwrap().stack.frames();
    assert!(frames.iter().any(|f| f.function.contains("findings::read")), "{frames:?}");
}

fn a_finding_leaves_the_process_spent() {
    finds(InOrder, || fail("leak", String::new(), 0));
    let again = std::panic::catch_unwind(|| run_under(InOrder, || ()));
    assert!(again.is_err());
}

fn a_panic_is_reported_while_others_hold_locks_of_the_report() {
    // SAFETY: the worker has one thread.
    unsafe { std::env::set_var("RUST_BACKTRACE", "full") };
    for turns in [1, 2, 3] {
        let ended = run_under(Turns(turns), || {
            let children: Vec<_> = (0..3).map(|_| thread::spawn(|| panic!("on purpose"))).collect();
            children.into_iter().for_each(|c| assert!(c.join().is_err()));
        });
        assert!(ended.found.is_none(), "{:?}", ended.found);
    }
}
