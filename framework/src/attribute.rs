//! What `#[mapcheck::test]` expands to: a test that keeps its promise in every execution.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use mapcheck_machine as machine;

use crate::report::short_file;
use crate::scenario::text_of;
use crate::settings::Settings;
use crate::worker;

/// What a test may return.
#[diagnostic::on_unimplemented(
    message = "a test that is explored returns nothing, or a `Result<(), E>` with an `E` that is `Debug`",
    label = "this test returns `{Self}`"
)]
pub trait TestResult {
    /// What is wrong, if the test has failed.
    fn failure(&self) -> Option<String>;
}

impl TestResult for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

impl<T: TestResult, E: fmt::Debug> TestResult for Result<T, E> {
    fn failure(&self) -> Option<String> {
        match self {
            Ok(result) => result.failure(),
            Err(error) => Some(format!("the test returned the error {error:?}")),
        }
    }
}

/// Explores a test that must neither panic nor return an error, in any execution.
#[track_caller]
#[doc(hidden)]
pub fn explore_test<T: TestResult>(settings: Settings, body: impl Fn() -> T) {
    let place = place();
    settings.explore(|| {
        if let Some(failure) = body().failure() {
            fail(&format!("{place}: {failure}"));
        }
    });
}

/// Explores a test that must panic in every execution, with a text that has `expected` in it.
#[track_caller]
#[doc(hidden)]
pub fn explore_panic(settings: Settings, body: impl Fn(), expected: &str) {
    let place = place();
    settings.explore(|| {
        let Err(payload) = catch_unwind(AssertUnwindSafe(&body)) else {
            fail(&format!("{place}: the test did not panic, as it should in every execution"));
        };
        if !expected.is_empty() && !text_of(&*payload).is_some_and(|t| t.contains(expected)) {
            let last = worker::last_panic().unwrap_or_else(|| place.clone());
            fail(&format!("{last} (the test should panic with `{expected}`)"));
        }
    });
}

/// Where the attribute stands.
#[track_caller]
fn place() -> String {
    let place = Location::caller();
    format!("{}:{}:{}", short_file(place.file()), place.line(), place.column())
}

/// Ends the execution with this finding, whatever panics the code under test has caught before.
fn fail(message: &str) -> ! {
    worker::forget_panics();
    machine::fail("panic", message.to_owned(), 0)
}
