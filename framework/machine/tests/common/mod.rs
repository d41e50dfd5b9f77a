//! A harness that runs every test twice, on the carrier and with the baton, each time in a worker of its own.

#![allow(dead_code)]

use std::time::{Duration, Instant};

use mapcheck_machine::*;

/// A test: its name, a sentence that states a fact, and its body, which panics if the fact is wrong.
pub type Test = (&'static str, fn());

/// Builds the table of tests from the names of functions.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        fn main() {
            common::main(&[$((stringify!($name), $name as fn())),*]);
        }
    };
}

const TIME_LIMIT: Duration = Duration::from_secs(15);

/// Runs the table, or those tests of it whose name contains one of the arguments.
pub fn main(table: &[Test]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--list") {
        table.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let filters: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(*f));
    let (mut passed, mut failed) = (0, 0);
    for (name, body) in table.iter().filter(|(name, _)| chosen(name)) {
        for switching in [Switching::Auto, Switching::Baton] {
            let trouble = run_in_worker(switching, *body);
            println!("test {name} ({switching:?}) ... {}", trouble.as_deref().unwrap_or("ok"));
            *(if trouble.is_none() { &mut passed } else { &mut failed }) += 1;
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed\n");
    std::process::exit(if failed == 0 { 0 } else { 101 });
}

fn run_in_worker(switching: Switching, body: fn()) -> Option<String> {
    let mut worker = Worker::fork(&mut || {
        REQUESTED.set(switching).expect("chosen once");
        body();
    })
    .expect("a worker");
    match wait(&mut worker) {
        Some(Exit::Code(0)) => None,
        Some(exit) => Some(format!("FAILED: {exit:?}")),
        None => Some("FAILED: it hangs".into()),
    }
}

/// The end of a worker, if it comes soon enough.
pub fn wait(worker: &mut Worker) -> Option<Exit> {
    let start = Instant::now();
    while start.elapsed() < TIME_LIMIT {
        if let Some(exit) = worker.poll() {
            return Some(exit);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    None
}

/// How this worker switches threads.
pub fn switching() -> Switching {
    *REQUESTED.get().expect("chosen by the harness")
}

static REQUESTED: std::sync::OnceLock<Switching> = std::sync::OnceLock::new();

/// Lets each thread run until it cannot go on.
pub struct InOrder;

impl Decider for InOrder {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        Slice::new(consult.default_thread(), u64::MAX)
    }
    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

/// Lets threads take turns, a fixed number of points each.
pub struct Turns(pub u64);

impl Decider for Turns {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let n = consult.threads.len() as u32;
        let next = (1..=n)
            .map(|i| (consult.current + i) % n)
            .find(|&t| consult.threads[t as usize].runnable);
        Slice::new(next.expect("a runnable thread"), self.0)
    }
    fn choose(&mut self, kind: ChoiceKind, _: ThreadId, _: u64, n: u32) -> u32 {
        if kind == ChoiceKind::Suspend { 0 } else { n - 1 }
    }
}

/// Decides at random, from a seed.
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % n as u64) as usize
    }
}

impl Decider for Random {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let runnable: Vec<usize> =
            (0..consult.threads.len()).filter(|&i| consult.threads[i].runnable).collect();
        let thread = runnable[self.below(runnable.len())] as u32;
        Slice::new(thread, self.below(7) as u64 + 1)
    }
    fn choose(&mut self, kind: ChoiceKind, _: ThreadId, _: u64, n: u32) -> u32 {
        if kind == ChoiceKind::Suspend {
            return 0;
        }
        self.below(n as usize) as u32
    }
}

/// Keeps the events, as text.
#[derive(Default)]
pub struct Trace(pub Vec<String>);

impl Observer for Trace {
    fn event(&mut self, event: &Event) {
        self.0.push(format!("{event:?}"));
    }
}

/// Runs an execution with these options and this decider, in the mode under test.
pub fn run_with(options: &Options, decider: &mut dyn Decider, mut root: impl FnMut()) -> Execution {
    use_switching(REQUESTED.get().copied().unwrap_or_default());
    execute(options, decider, &mut NoObserver, &mut root)
}

/// Runs an execution under this decider.
pub fn run_under(mut decider: impl Decider, root: impl FnMut()) -> Execution {
    run_with(&Options::default(), &mut decider, root)
}

/// Runs an execution and expects no finding, in order and with threads that take turns at every point.
#[track_caller]
pub fn holds(mut root: impl FnMut()) {
    for turns in [u64::MAX, 1, 3] {
        let ended = run_under(Turns(turns), &mut root);
        assert!(ended.found.is_none(), "turns of {turns}: {:?}", ended.found);
        assert!(ended.reusable);
    }
    for seed in 0..20 {
        let ended = run_under(Random(seed), &mut root);
        assert!(ended.found.is_none(), "seed {seed}: {:?}", ended.found);
    }
}

/// Runs an execution and returns what it found.
#[track_caller]
pub fn finds(decider: impl Decider, root: impl FnMut()) -> Found {
    let ended = run_under(decider, root);
    assert!(!ended.reusable, "a finding leaves the process spent");
    ended.found.expect("a finding")
}

/// Runs an execution with a full recording and returns its events as text.
pub fn trace(
    decider: &mut dyn Decider,
    options: Options,
    mut root: impl FnMut(),
) -> (Execution, Vec<String>) {
    use_switching(REQUESTED.get().copied().unwrap_or_default());
    let mut trace = Trace::default();
    let options = Options { record: true, ..options };
    let ended = execute(&options, decider, &mut trace, &mut root);
    (ended, trace.0)
}

/// A number that is the same for the same text.
pub fn digest(text: &[String]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.iter().flat_map(|line| line.bytes().chain([b'\n'])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash
}

/// The callbacks of instrumented code, called by hand.
pub mod callbacks {
    #[allow(missing_docs)]
    unsafe extern "C" {
        pub fn __tsan_atomic64_load(addr: *const u64, order: i32) -> u64;
        pub fn __tsan_atomic64_store(addr: *mut u64, value: u64, order: i32);
        pub fn __tsan_atomic64_exchange(addr: *mut u64, value: u64, order: i32) -> u64;
        pub fn __tsan_atomic64_fetch_add(addr: *mut u64, value: u64, order: i32) -> u64;
        pub fn __tsan_atomic64_compare_exchange_val(
            addr: *mut u64,
            expected: u64,
            value: u64,
            success: i32,
            failure: i32,
        ) -> u64;
        pub fn __tsan_atomic32_load(addr: *const u32, order: i32) -> u32;
        pub fn __tsan_atomic8_fetch_or(addr: *mut u8, value: u8, order: i32) -> u8;
        pub fn __tsan_atomic_thread_fence(order: i32);
        pub fn __sanitizer_cov_load1(addr: usize);
        pub fn __sanitizer_cov_load8(addr: usize);
        pub fn __sanitizer_cov_load16(addr: usize);
        pub fn __sanitizer_cov_store8(addr: usize);
        pub fn __sanitizer_cov_store4(addr: usize);
    }

    /// An atomic load as instrumented code makes it.
    pub fn load(cell: &u64) -> u64 {
        // SAFETY: the reference is valid.
        unsafe { __tsan_atomic64_load(cell, 0) }
    }
}
