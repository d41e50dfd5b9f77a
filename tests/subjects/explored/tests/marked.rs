//! Tests as they were before anybody thought of mapcheck: only the line that imports the attribute is new.

use mapcheck::test;

use std::num::ParseIntError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use mapcheck_explored::RacyCounter;

/// Runs the body on two threads.
fn twice(body: impl Fn() + Sync) {
    thread::scope(|s| {
        s.spawn(&body);
        s.spawn(&body);
    });
}

#[test]
fn ok_a_mutex_counts() {
    let n = Mutex::new(0);
    twice(|| *n.lock().unwrap() += 1);
    assert_eq!(n.into_inner().unwrap(), 2);
}

#[test]
fn found_a_counter_loses_counts() {
    let counter = RacyCounter::default();
    twice(|| counter.add());
    assert_eq!(counter.get(), 2);
}

#[test]
#[should_panic]
fn ok_it_panics_always() {
    let n = Mutex::new(0);
    twice(|| *n.lock().unwrap() += 1);
    assert_eq!(n.into_inner().unwrap(), 3);
}

#[test]
#[should_panic(expected = "left: 2")]
fn ok_it_panics_always_with_the_text() {
    let n = AtomicU64::new(0);
    twice(|| _ = n.fetch_add(1, Ordering::Relaxed));
    assert_eq!(n.into_inner(), 3);
}

#[test]
#[should_panic = "left: 2"]
fn found_it_panics_with_another_text_if_a_count_is_lost() {
    let counter = RacyCounter::default();
    twice(|| counter.add());
    assert_eq!(counter.get(), 3);
}

#[should_panic(expected = "lost")]
#[test]
fn found_it_panics_only_if_a_count_is_lost() {
    let counter = RacyCounter::default();
    twice(|| counter.add());
    assert_eq!(counter.get(), 2, "lost");
}

#[cfg_attr(all(), should_panic(expected = "of course"))]
#[test]
#[cfg_attr(not(debug_assertions), ignore)]
#[cfg_attr(all(), doc = "What is conditional is resolved.")]
fn ok_it_panics_under_a_condition() {
    panic!("of course it panics");
}

#[test]
fn ok_it_returns_no_error() -> Result<(), ParseIntError> {
    let n = Mutex::new("1".parse::<u32>()?);
    twice(|| *n.lock().unwrap() += 1);
    assert_eq!(*n.lock().unwrap(), 3);
    Ok(())
}

#[test]
fn found_it_returns_an_error_if_a_count_is_lost() -> Result<(), Box<dyn std::error::Error>> {
    let counter = RacyCounter::default();
    twice(|| counter.add());
    if counter.get() < 2 { Err(format!("lost: {}", counter.get()))? } else { Ok(()) }
}

#[test]
#[cfg_attr(all(), ignore = "only if it is asked for")]
fn ignored_a_test_that_would_fail() {
    panic!("nobody asked for it");
}

#[test]
#[cfg(any())]
fn a_test_that_is_not_there() {
    nothing_of_this_name_is_anywhere();
}

/// It says what it is about.
#[test]
#[allow(non_snake_case, clippy::unit_cmp)]
pub(crate) fn ok_It_has_documentation_and_lints() {
    assert_eq!((), ok_helper());
}

fn ok_helper() {}

#[mapcheck::test(executions = 33, seed = 5, scheduler = "random")]
fn ok_it_has_settings_of_its_own() {
    let (sender, receiver) = mpsc::sync_channel(0);
    let late = receiver.recv_timeout(Duration::from_secs(3600));
    assert_eq!(late, Err(mpsc::RecvTimeoutError::Timeout));
    let sending = thread::spawn(move || (0..3).for_each(|i| sender.send(i).unwrap()));
    assert_eq!(receiver.iter().sum::<i32>(), 3);
    sending.join().unwrap();
}

mod below {
    use super::*;
    use mapcheck::test;

    #[test]
    fn ok_in_a_module_below() {
        let shared = Arc::new(Mutex::new(1));
        let other = Arc::clone(&shared);
        thread::spawn(move || *other.lock().unwrap() = 2).join().unwrap();
        assert_eq!(*shared.lock().unwrap(), 2);
    }
}
