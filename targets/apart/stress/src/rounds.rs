//! What threads do to a map, again and again, each time to a new one: the patterns of mapcheck's built-in scenarios,
//! with a few keys and with many.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::maps::Suspect;

/// Operations that all threads have done, more or less: it stands still when none gets on.
pub static PROGRESS: AtomicU64 = AtomicU64::new(0);

/// Says what was found and ends the process.
pub fn found(what: &str) -> ! {
    eprintln!("contract: {what}");
    std::process::exit(crate::FOUND);
}

/// Stresses the map until it fails.
pub fn forever<S: Suspect>() -> ! {
    for number in 0.. {
        match number % 4 {
            0 => made_from_elements::<S>(number),
            1 => emptied::<S>(number),
            _ => growing::<S>(number),
        }
    }
    unreachable!("numbers do not run out")
}

/// A generator of numbers (Marsaglia, Xorshift RNGs, 2003).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn draw(round: u64, thread: u64) -> Draw {
    Draw((4 * round + thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Counts an operation now and then, so that threads do not meet at the counter.
fn count(operation: u64) {
    if operation.is_multiple_of(16) {
        PROGRESS.fetch_add(16, Relaxed);
    }
}

/// Keys of a round: few, some, many.
fn size(round: u64) -> u64 {
    [8, 64, 1024][(round / 4 % 3) as usize]
}

/// Even keys stay, odd ones come and go, and those beyond make it grow.
fn growing<S: Suspect>(round: u64) {
    let map = S::new();
    (0..size(round)).for_each(|key| map.insert(key));
    four_threads(&map, round);
}

fn made_from_elements<S: Suspect>(round: u64) {
    if let Some(map) = S::from_keys(0..size(round)) {
        four_threads(&map, round);
    }
}

fn four_threads<S: Suspect>(map: &S, round: u64) {
    let size = size(round);
    at_once(vec![
        Box::new(move || iterate(map, size)),
        Box::new(move || grow(map, size)),
        Box::new(move || churn(map, size, draw(round, 2))),
        Box::new(move || hold(map, size, draw(round, 3))),
    ]);
    map.flush();
    iterated(map, size, |_| {});
}

/// Keys of one hash, where the map knows such a hash, come and go in a map that is almost empty.
fn emptied<S: Suspect>(round: u64) {
    let map = S::new();
    (0..26).for_each(|key| map.insert(key));
    (0..26).for_each(|key| map.remove(key));
    let map = &map;
    let thread = |thread| -> Box<dyn FnOnce() + Send> {
        Box::new(move || come_and_go(map, draw(round, thread)))
    };
    at_once((0..4).map(thread).collect());
}

fn come_and_go<S: Suspect>(map: &S, mut draw: Draw) {
    for i in 0..256 {
        let key = draw.below(40);
        if draw.below(2) == 0 {
            map.insert(key)
        } else {
            map.remove(key)
        }
        count(i);
    }
    map.flush();
}

/// Runs each on a thread of its own, and joins them one by one: what a scope waits for in the end happens inside of the
/// standard library, where ThreadSanitizer does not see it.
fn at_once(threads: Vec<Box<dyn FnOnce() + Send + '_>>) {
    std::thread::scope(|scope| {
        let threads: Vec<_> = threads.into_iter().map(|thread| scope.spawn(thread)).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a panic ends the process"));
    });
}

/// Iterates and deletes what comes and goes: what it meets, or, where visitors may not write, afterwards.
fn iterate<S: Suspect>(map: &S, size: u64) {
    for _ in 0..8 {
        let mut doomed = Vec::new();
        iterated(map, size, |key| match S::WRITES_IN_VISIT {
            true => map.remove(key),
            false => doomed.push(key),
        });
        doomed.into_iter().for_each(|key| map.remove(key));
    }
    map.flush();
}

/// Iterates, shows what comes and goes, and looks whether each key that stays was shown once.
fn iterated<S: Suspect>(map: &S, size: u64, mut volatile: impl FnMut(u64)) {
    let mut seen = vec![0_u8; size as usize];
    map.for_each(|key| {
        count(key);
        match seen.get_mut(key as usize) {
            Some(times) if key % 2 == 0 => *times = times.saturating_add(1),
            Some(_) => volatile(key),
            None if key < 4 * size => {}
            None => found(&format!("an iteration showed {key}, which was never inserted")),
        }
    });
    let stable = || seen.iter().step_by(2);
    if stable().any(|&times| times == 0) {
        found("an iteration missed an element that stays");
    }
    if stable().any(|&times| times > 1) {
        found("an iteration showed an element twice");
    }
}

fn grow<S: Suspect>(map: &S, size: u64) {
    for key in size..4 * size {
        map.insert(key);
        count(key);
    }
    (size..4 * size).for_each(|key| map.remove(key));
    map.flush();
}

fn churn<S: Suspect>(map: &S, size: u64, mut draw: Draw) {
    for i in 0..4 * size {
        let key = draw.below(size) | 1;
        if draw.below(2) == 0 {
            map.insert(key)
        } else {
            map.remove(key)
        }
        count(i);
    }
    map.flush();
}

/// Holds references while others delete.
fn hold<S: Suspect>(map: &S, size: u64, mut draw: Draw) {
    for i in 0..4 * size {
        let key = draw.below(size);
        // Now and then the others get the processor meanwhile; not often, since on a busy machine that takes long.
        let yields = i.is_multiple_of(size);
        let pause = || if yields { std::thread::yield_now() } else { std::hint::spin_loop() };
        let there = map.hold(key, pause);
        if key.is_multiple_of(2) && !there {
            found("a read missed an element that stays");
        }
        count(i);
    }
}
