//! Modelled memory on shuttle.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use ::shuttle::rand::RngCore;
use ::shuttle::sync::atomic::AtomicBool;
use mapcheck_machine::Access;

use super::engine::{Engine, Lock};
use super::lock;
use crate::engine::{Engine as Which, under_way};

/// shuttle: sequentially consistent, random schedules. Each access is a schedule point; outside executions of shuttle
/// it is plain memory.
#[derive(Debug)]
pub enum Shuttle {}

thread_local! {
    /// What a schedule point loads. Unlike shuttle's yield, which lets every other thread go first, this is a point
    /// like any other.
    static POINT: AtomicBool = const { AtomicBool::new(false) };
}

#[inline]
fn under_way() -> bool {
    under_way::engine() == Some(Which::Shuttle)
}

impl Engine for Shuttle {
    type Word = AtomicU64;
    type Lock = ShuttleLock;
    const SWITCHES_IN_WORD: bool = false;

    fn access(_: Access) {
        Shuttle::point();
    }

    fn point() {
        if under_way() {
            under_way::step();
            POINT.with(|point| point.load(SeqCst));
        }
    }

    fn thread() -> u64 {
        if !under_way() {
            return 0;
        }
        ::shuttle::current::get_current_task().map_or(0, |task| usize::from(task) as u64)
    }

    fn random() -> u64 {
        if under_way() { ::shuttle::rand::thread_rng().next_u64() } else { 0 }
    }
}

/// A lock of [`Shuttle`].
#[derive(Debug)]
pub struct ShuttleLock {
    inside: ::shuttle::sync::Mutex<()>,
    outside: Mutex<()>,
}

impl Lock for ShuttleLock {
    fn new() -> ShuttleLock {
        ShuttleLock { inside: ::shuttle::sync::Mutex::new(()), outside: Mutex::default() }
    }

    fn with<R>(&self, body: impl FnOnce() -> R) -> R {
        if under_way() {
            return lock::under(self.inside.lock().unwrap_or_else(PoisonError::into_inner), body);
        }
        lock::under(self.outside.lock().unwrap_or_else(PoisonError::into_inner), body)
    }
}
