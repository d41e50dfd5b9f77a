//! What executions do that are measured: schedule points of one kind, switches, threads. This crate is instrumented, so
//! each access of memory is what its line says.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// A word that lies in no block of the modelled heap.
static GLOBAL: AtomicU64 = AtomicU64::new(0);

/// Stores and loads of an atomic global: points that touch no modelled memory, so that nothing is looked up for them.
pub fn global(points: u64) {
    for i in 0..points / 2 {
        GLOBAL.store(i, Relaxed);
        black_box(GLOBAL.load(Relaxed));
    }
}

/// Plain stores and loads of a word in a block of the modelled heap.
pub fn plain(points: u64) {
    let mut word = Box::new(0);
    for i in 0..points / 2 {
        *black_box(&mut *word) = i;
        black_box(*black_box(&*word));
    }
}

/// Atomic ones.
pub fn atomic(points: u64) {
    let word = Box::new(AtomicU64::new(0));
    for i in 0..points / 2 {
        word.store(i, Relaxed);
        black_box(word.load(Relaxed));
    }
}

/// Half of them atomic, half plain, in two blocks.
pub fn mixed(points: u64) {
    let (atomic, mut plain) = (Box::new(AtomicU64::new(0)), Box::new(0));
    for i in 0..points / 4 {
        atomic.store(i, Relaxed);
        *black_box(&mut *plain) = i;
        black_box(atomic.load(Relaxed));
        black_box(*black_box(&*plain));
    }
}

/// Two threads that yield to each other, so many times in all.
pub fn yields(switches: u64) {
    at_once(2, move || (0..switches / 2).for_each(|_| thread::yield_now()));
}

/// Threads that pass such points at once, so many in all.
pub fn mixed_at_once(threads: u64, points: u64) {
    at_once(threads, move || mixed(points / threads));
}

/// Threads that do nothing.
pub fn threads(n: u64) {
    at_once(n, || ());
}

/// The same as scenarios start them: without the standard library's part.
pub fn scenario_threads(n: u64) {
    mapcheck::bench::threads(n as usize, &|_| ());
}

/// So many blocks that are live at once.
pub fn blocks(n: u64) {
    let all: Vec<Box<u64>> = (0..n).map(|i| black_box(Box::new(i))).collect();
    drop(black_box(all));
}

fn at_once(n: u64, body: impl Fn() + Send + Copy + 'static) {
    let all: Vec<_> = (0..n).map(|_| thread::spawn(body)).collect();
    all.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
}
