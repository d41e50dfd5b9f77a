//! Worker processes, and the memory they share with their parent.

mod common;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::*;
use mapcheck_machine::*;

tests! {
    a_worker_exits_with_code_0,
    a_worker_that_panics_exits_with_code_70,
    a_process_exit_inside_an_execution_ends_the_worker_with_its_code,
    a_signal_outside_an_execution_kills_the_worker,
    an_abort_outside_an_execution_kills_the_worker,
    a_worker_can_be_killed,
    a_worker_ignores_what_a_terminal_sends,
    the_first_interrupt_is_noted_and_the_second_ends_the_process,
    shared_memory_survives_the_death_of_a_worker,
    shared_words_and_text_are_cut_to_their_room,
    a_worker_runs_executions_after_its_parent_has,
    an_endless_loop_in_a_worker_of_a_worker_is_stuck,
    a_process_of_one_thread_knows_it,
    an_execution_in_a_process_of_several_threads_ignores_their_ticks,
}

/// How a worker with this body ends.
fn ends(mut body: impl FnMut()) -> Exit {
    wait(&mut Worker::fork(&mut body).unwrap()).expect("it ends")
}

fn a_worker_exits_with_code_0() {
    assert_eq!(ends(|| ()), Exit::Code(0));
}

fn a_worker_that_panics_exits_with_code_70() {
    assert_eq!(ends(|| panic!("on purpose")), Exit::Code(70));
}

fn a_process_exit_inside_an_execution_ends_the_worker_with_its_code() {
    let exit = ends(|| {
        run_under(Turns(1), || concurrently(2, &|_| std::process::exit(9)));
    });
    assert_eq!(exit, Exit::Code(9));
}

fn a_signal_outside_an_execution_kills_the_worker() {
    let exit = ends(|| {
        run_under(InOrder, || ());
        // SAFETY: the fault is what is tested.
        unsafe { std::hint::black_box(8 as *const u8).read_volatile() };
    });
    assert_eq!(exit, Exit::Signal(libc::SIGSEGV));
}

fn an_abort_outside_an_execution_kills_the_worker() {
    let exit = ends(|| {
        run_under(InOrder, || ());
        std::process::abort();
    });
    assert_eq!(exit, Exit::Signal(libc::SIGABRT));
}

fn a_worker_can_be_killed() {
    let mut worker = Worker::fork(&mut || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    })
    .unwrap();
    assert_eq!(worker.poll(), None);
    assert_eq!(worker.kill(), Exit::Signal(libc::SIGKILL));
    assert_eq!(worker.poll(), Some(Exit::Signal(libc::SIGKILL)));
    assert_eq!(worker.kill(), Exit::Signal(libc::SIGKILL));
}

fn raise(signal: i32) {
    // SAFETY: no preconditions.
    unsafe { libc::raise(signal) };
}

fn a_worker_ignores_what_a_terminal_sends() {
    let exit = ends(|| {
        raise(libc::SIGINT);
        raise(libc::SIGTERM);
        std::process::exit(7);
    });
    assert_eq!(exit, Exit::Code(7));
    assert!(ends(|| raise(libc::SIGKILL)).from_outside() && !exit.from_outside());
}

fn the_first_interrupt_is_noted_and_the_second_ends_the_process() {
    let exit = ends(|| {
        heed_interrupts();
        assert!(!interrupted());
        raise(libc::SIGTERM);
        assert!(interrupted());
        raise(libc::SIGINT);
    });
    assert_eq!(exit, Exit::Code(130));
}

fn shared_memory_survives_the_death_of_a_worker() {
    let shared = Shared::new(&[100], 100).unwrap();
    let exit = ends(|| {
        shared.set_counter(3, 33);
        shared.push(0, 1);
        shared.push(0, 2);
        shared.set_text("half-way: é");
        std::process::abort();
    });
    assert_eq!(exit, Exit::Signal(libc::SIGABRT));
    assert_eq!((shared.counter(3), shared.counter(0)), (33, 0));
    assert_eq!((shared.words(0), shared.text().as_str()), (vec![1, 2], "half-way: é"));
    shared.clear(0);
    assert!(shared.words(0).is_empty());
}

fn shared_words_and_text_are_cut_to_their_room() {
    let shared = Shared::new(&[2], 3).unwrap();
    (0..5).for_each(|i| shared.push(0, i));
    assert!(shared.full(0));
    shared.set_text("abcdef");
    assert_eq!((shared.words(0), shared.text().as_str()), (vec![0, 1], "abc"));
    shared.set_text("z");
    assert_eq!(shared.text(), "z");
}

/// An execution with threads, a panic and a finding at will.
fn busy() -> Execution {
    run_under(Random(1), || {
        let lock = Mutex::new(0);
        concurrently(4, &|_| {
            let _ = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(1)));
            *lock.lock().unwrap() += 1;
        });
        assert_eq!(*lock.lock().unwrap(), 4);
    })
}

fn a_worker_runs_executions_after_its_parent_has() {
    let before = busy();
    assert!(before.reusable);
    let forked = Worker::fork(&mut || {
        let after = busy();
        assert_eq!((after.steps, after.switches), (before.steps, before.switches));
        assert!(run_under(Random(2), || concurrently(9, &|_| point())).reusable);
    });
    match forked {
        Ok(mut worker) => assert_eq!(wait(&mut worker), Some(Exit::Code(0))),
        Err(error) => assert_eq!(error.to_string(), "fork workers before the first execution"),
    }
    assert!(busy().reusable, "the parent goes on");
}

fn an_endless_loop_in_a_worker_of_a_worker_is_stuck() {
    let exit = ends(|| {
        let found = finds(InOrder, || {
            loop {
                std::hint::black_box(1);
            }
        });
        assert!(matches!(found.fact, Fact::Stuck));
    });
    assert_eq!(exit, Exit::Code(0));
}

fn a_process_of_one_thread_knows_it() {
    assert!(single_threaded());
    let other = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(300)));
    assert!(!single_threaded());
    other.join().unwrap();
}

fn an_execution_in_a_process_of_several_threads_ignores_their_ticks() {
    let runner = std::thread::spawn(|| {
        let start = Instant::now();
        let found = finds(InOrder, || {
            concurrently(1, &|_| {
                loop {
                    std::hint::black_box(1);
                }
            });
        });
        assert!(matches!(found.fact, Fact::Stuck), "{found:?}");
        start.elapsed()
    });
    assert!(runner.join().unwrap() < Duration::from_secs(12));
}
