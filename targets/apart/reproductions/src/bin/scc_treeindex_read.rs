//! scc 3.8.8: `TreeIndex::read_sync` and `read_async` never return once the last element has been removed.
//!
//! One thread, no timing: the reader loops on a root that is retired and that nothing takes out. It hangs in every run;
//! the main thread waits ten seconds for it. Exit code 1 where it hangs.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use scc::TreeIndex;

fn emptied() -> TreeIndex<u64, String> {
    let tree = TreeIndex::new();
    tree.insert_sync(0, "zero".to_owned()).expect("it is empty");
    assert!(tree.remove_sync(&0));
    assert!(
        tree.peek_with(&0, |_, value| value.clone()).is_none(),
        "peek returns, and finds nothing"
    );
    tree
}

/// Whether a read comes back within ten seconds.
fn returns(name: &str, read: impl FnOnce() + Send + 'static) -> bool {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        read();
        let _ = done.send(());
    });
    let returned = wait.recv_timeout(Duration::from_secs(10)).is_ok();
    println!("{name} {}", if returned { "returned" } else { "did not return within 10 s" });
    returned
}

fn main() -> ExitCode {
    let sync = returns("read_sync", || drop(emptied().read_sync(&0, |_, value| value.clone())));
    let poll = returns("the first poll of read_async", || {
        let tree = emptied();
        let mut read = pin!(tree.read_async(&0, |_, value| value.clone()));
        let _ = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
    ExitCode::from(u8::from(!(sync && poll)))
}
