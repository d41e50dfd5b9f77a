//! ferntree 0.7.0: an insert that finds its leaf full may throw its value away and say that the key was new.
//!
//! Two threads insert the same key into a tree whose leaf is full; both say `None`, and one value is nowhere. What each
//! insert of a linearizable map returns must chain: the one that came second returns the value of the first.
//! Exit code 1 where it happened.

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use ferntree::GenericTree;

const ROUNDS: u64 = 200_000;
const LEAF: usize = 4;

/// Whether both inserts found nothing.
fn round(start: &Barrier, tree: &GenericTree<u64, u64, LEAF, LEAF>) -> bool {
    let insert = |value| {
        start.wait();
        tree.insert(9, value)
    };
    thread::scope(|s| {
        let other = s.spawn(|| insert(1));
        insert(2).is_none() & other.join().expect("it does not panic").is_none()
    })
}

fn main() -> ExitCode {
    let start = Barrier::new(2);
    let lost = (0..ROUNDS).filter(|_| {
        let tree = GenericTree::new();
        (0..LEAF as u64).for_each(|key| _ = tree.insert(key, 0));
        round(&start, &tree)
    });
    let lost = lost.count();
    println!("an insert was lost in {lost} of {ROUNDS} rounds");
    ExitCode::from(u8::from(lost != 0))
}
