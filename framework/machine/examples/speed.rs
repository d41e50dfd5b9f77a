//! Measures what a schedule point, a switch and an execution cost. Run it optimised:
//! `cargo run --release -p mapcheck-machine --example speed`.

use std::time::Instant;

use mapcheck_machine::*;

unsafe extern "C" {
    fn __tsan_atomic64_load(addr: *const u64, order: i32) -> u64;
    fn __tsan_atomic64_fetch_add(addr: *mut u64, value: u64, order: i32) -> u64;
    fn __sanitizer_cov_load8(addr: usize);
    fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8);
}

/// Takes turns of so many points.
struct Turns(u64);

impl Decider for Turns {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let n = consult.threads.len() as u32;
        let next = (1..=n)
            .map(|i| (consult.current + i) % n)
            .find(|&t| consult.threads[t as usize].runnable);
        Slice::new(next.unwrap_or(0), self.0)
    }
    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

const POINTS: u64 = 1_000_000;
const REPETITIONS: usize = 15;

fn run(turns: u64, root: &mut dyn FnMut()) -> Execution {
    let options = Options { max_steps: u64::MAX, ..Options::default() };
    let ended = execute(&options, &mut Turns(turns), &mut NoObserver, root);
    assert!(ended.found.is_none(), "{:?}", ended.found);
    ended
}

/// The median of the nanoseconds that `f` tells.
fn median(mut f: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..REPETITIONS).map(|_| f()).collect();
    all.sort_by(f64::total_cmp);
    all[REPETITIONS / 2]
}

/// Nanoseconds that one of `POINTS` calls of `point` takes on a block of the modelled heap.
fn point_cost(point: &dyn Fn(*mut u64)) -> f64 {
    median(|| {
        let mut nanos = 0;
        run(u64::MAX, &mut || {
            let block = Box::into_raw(Box::new(0_u64));
            let mut start = None;
            outside(&mut || start = Some(Instant::now()));
            (0..POINTS).for_each(|_| point(block));
            outside(&mut || nanos = start.unwrap().elapsed().as_nanos());
            // SAFETY: the block of this execution.
            drop(unsafe { Box::from_raw(block) });
        });
        nanos as f64 / POINTS as f64
    })
}

fn switch_cost() -> f64 {
    median(|| {
        let start = Instant::now();
        let ended = run(1, &mut || {
            concurrently(2, &|_| (0..POINTS / 4).for_each(|_| point()));
        });
        start.elapsed().as_nanos() as f64 / ended.switches as f64
    })
}

fn executions_a_second() -> f64 {
    let nanos = median(|| {
        let start = Instant::now();
        for _ in 0..1000 {
            run(3, &mut || {
                concurrently(3, &|i| {
                    let block = Box::new(i);
                    (0..5).for_each(|_| point());
                    drop(std::hint::black_box(block));
                });
            });
        }
        start.elapsed().as_nanos() as f64 / 1000.0
    });
    1e9 / nanos
}

fn main() {
    // SAFETY: the counters are not read. This makes the heap lay blocks out as for instrumented code.
    unsafe { __sanitizer_cov_8bit_counters_init(std::ptr::null_mut(), std::ptr::null_mut()) };
    // SAFETY: the block is live.
    let load = point_cost(&|block| unsafe {
        *block += 1;
        __tsan_atomic64_load(block, 0);
    });
    // SAFETY: as above.
    let spin = point_cost(&|block| unsafe {
        __tsan_atomic64_load(block, 0);
    });
    // SAFETY: as above.
    let add = point_cost(&|block| unsafe {
        __tsan_atomic64_fetch_add(block, 1, 0);
    });
    // SAFETY: as above.
    let plain = point_cost(&|block| unsafe { __sanitizer_cov_load8(block.addr()) });
    println!("plain load             {plain:8.1} ns");
    println!("atomic load            {load:8.1} ns");
    println!("atomic load, spinning  {spin:8.1} ns");
    println!("atomic add             {add:8.1} ns");
    println!("switch, decided        {:8.1} ns", switch_cost());
    println!("executions a second    {:8.0}", executions_a_second());
}
