//! Code that runs on tokio, as it is: its clocks are virtual, and its waits are schedule points.

use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mapcheck::Settings;
use tokio::runtime::Builder;
use tokio::sync::Mutex;
use tokio::time::{interval, sleep, timeout};

/// Waits for a future on a runtime of the calling thread's own.
fn block_on<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// As `mapcheck::explore`, with repros out of the way.
#[track_caller]
fn explore(body: impl Fn()) {
    let out = env!("CARGO_TARGET_TMPDIR").into();
    Settings { out, ..Settings::for_tests() }.explore(body);
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn an_hour_of_tokio_s_time_passes_at_once() {
    Settings::for_tests().executions(50).explore(|| {
        let began = Instant::now();
        block_on(async {
            sleep(HOUR).await;
            assert!(timeout(HOUR, std::future::pending::<()>()).await.is_err());
            let mut ticks = interval(HOUR);
            ticks.tick().await;
            ticks.tick().await;
        });
        let passed = began.elapsed();
        assert!((3 * HOUR..4 * HOUR).contains(&passed), "{passed:?} passed");
    });
}

/// How a wait for a lock, which another thread holds for as long as the wait may last, ended: `None` if there was none.
fn lock_in_time() -> Option<bool> {
    const LONG: Duration = Duration::from_millis(10);
    let lock = Arc::new(Mutex::new(()));
    let of_holder = Arc::clone(&lock);
    let holder = thread::spawn(move || {
        block_on(async {
            let _guard = of_holder.lock().await;
            sleep(LONG).await;
        });
    });
    // Without instrumentation there is no schedule point in the attempt.
    thread::yield_now();
    let waited = lock.try_lock().is_err();
    let locked = block_on(async { timeout(LONG, lock.lock()).await.is_ok() });
    holder.join().unwrap();
    waited.then_some(locked)
}

#[test]
fn whether_a_timeout_or_a_lock_comes_first_is_no_failure_of_either() {
    explore(|| _ = lock_in_time());
}

#[test]
#[should_panic(expected = "left: Some(true)")]
fn a_lock_that_is_free_as_a_timeout_ends_is_taken_in_some_executions() {
    explore(|| assert_ne!(lock_in_time(), Some(true)));
}

#[test]
#[should_panic(expected = "left: Some(false)")]
fn a_lock_that_is_free_as_a_timeout_ends_is_given_up_in_some_executions() {
    explore(|| assert_ne!(lock_in_time(), Some(false)));
}
