//! A tokio runtime for each virtual thread.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    /// Made when the thread first waits, and dropped when it ends. Without I/O it parks on a condition variable, which
    /// the machine knows.
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().build().expect("nothing is asked of the system");
}

/// Waits for a future on the calling thread's runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.with(|runtime| runtime.block_on(future))
}
