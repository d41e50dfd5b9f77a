//! ferntree 0.7.0: an iteration beside removals passes over elements that stay, or shows one twice.
//!
//! One thread removes the smallest keys of a tree of three levels, another goes through it. The greatest keys stay and
//! must be shown once each. Exit code 1 where they were not.

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use ferntree::GenericTree;

const ROUNDS: u64 = 200_000;
const ELEMENTS: u64 = 40;
const REMOVED: u64 = 24;

/// How often each key that stays was shown.
fn shown(tree: &GenericTree<u64, u64, 4, 4>) -> Vec<u32> {
    let mut times = vec![0; ELEMENTS as usize];
    let mut elements = tree.raw_iter();
    elements.seek_to_first();
    while let Some((&key, _)) = elements.next() {
        times[key as usize] += 1;
    }
    times.split_off(REMOVED as usize)
}

fn main() -> ExitCode {
    let start = Barrier::new(2);
    let (mut missed, mut repeated) = (0, 0);
    for _ in 0..ROUNDS {
        let tree = GenericTree::new();
        (0..ELEMENTS).for_each(|key| _ = tree.insert(key, key));
        let times = thread::scope(|s| {
            s.spawn(|| {
                start.wait();
                (0..REMOVED).for_each(|key| _ = tree.remove(&key));
            });
            start.wait();
            shown(&tree)
        });
        missed += u64::from(times.contains(&0));
        repeated += u64::from(times.iter().any(|&n| n > 1));
    }
    println!(
        "of {ROUNDS} iterations {missed} passed over an element that stayed, {repeated} repeated one"
    );
    ExitCode::from(u8::from(missed + repeated != 0))
}
