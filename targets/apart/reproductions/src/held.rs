//! A thread that stops in the midst of a map's method: in a comparison or a clone of a key.

use std::cell::Cell;
use std::cmp::Ordering;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

thread_local! {
    static STOP: Cell<Option<Stop>> = const { Cell::new(None) };
}

/// Where a thread stops, once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// In the comparison of keys that comes after so many others.
    Comparison(u64),
    /// In a comparison with this key.
    Key(u64),
    /// In a clone of a key.
    Clone,
}

impl At {
    fn is_comparison(&mut self, one: u64, other: u64) -> bool {
        match self {
            At::Comparison(before) => {
                let is_reached = *before == 0;
                *before = before.wrapping_sub(1);
                is_reached
            }
            At::Key(key) => *key == one || *key == other,
            At::Clone => false,
        }
    }
}

struct Stop {
    at: At,
    reached: SyncSender<()>,
    go_on: Receiver<()>,
}

/// A thread that has stopped.
pub struct Held {
    go_on: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Held {
    /// Lets it go on, to its end.
    pub fn finish(self) {
        self.go_on.send(()).expect("it waits");
        self.thread.join().expect("it does not panic");
    }
}

/// Runs the closure on a thread of its own, until that gets there.
///
/// # Panics
///
/// If it does not get there.
pub fn run_until(at: At, run: impl FnOnce() + Send + 'static) -> Held {
    let (reached, is_reached) = sync_channel(0);
    let (go_on, may_go_on) = sync_channel(0);
    let thread = thread::spawn(move || {
        STOP.set(Some(Stop { at, reached, go_on: may_go_on }));
        run();
        STOP.set(None);
    });
    is_reached.recv().expect("the thread gets there");
    Held { go_on, thread }
}

fn maybe_stop(is_reached: impl FnOnce(&mut At) -> bool) {
    let Some(mut stop) = STOP.take() else { return };
    if is_reached(&mut stop.at) {
        stop.reached.send(()).expect("somebody waits");
        stop.go_on.recv().expect("it is let go on");
    } else {
        STOP.set(Some(stop));
    }
}

/// A key in whose comparison or clone a thread may stop.
#[derive(Debug, PartialEq, Eq)]
pub struct Key(pub u64);

impl Clone for Key {
    fn clone(&self) -> Key {
        maybe_stop(|at| *at == At::Clone);
        Key(self.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        maybe_stop(|at| at.is_comparison(self.0, other.0));
        self.0.cmp(&other.0)
    }
}

/// Polls a future once, by hand.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
