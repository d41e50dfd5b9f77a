//! masstree 0.9.5: a `remove` beside an insert that splits the leaf says that a key is not there which is, and
//! leaves it.
//!
//! Two threads: one inserts the key that splits a full leaf of 15, the other removes one of the upper half. Nobody
//! else touches that key, so it must be found. Exit code 1 where it was not.

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use masstree::MassTree15;

const ROUNDS: u64 = 200_000;

/// Whether the removal found nothing, and whether the key is there still.
fn round(start: &Barrier) -> (bool, bool) {
    let tree = MassTree15::<u64>::new();
    let present = (0..14).chain([15]);
    present.for_each(|key: u64| _ = tree.insert(&key.to_be_bytes(), key));
    let missed = thread::scope(|s| {
        s.spawn(|| {
            start.wait();
            tree.insert(&14_u64.to_be_bytes(), 14);
        });
        start.wait();
        tree.remove(&9_u64.to_be_bytes()) == Ok(None)
    });
    (missed, tree.contains_key(&9_u64.to_be_bytes()))
}

fn main() -> ExitCode {
    let start = Barrier::new(2);
    let (mut missed, mut stayed) = (0, 0);
    for _ in 0..ROUNDS {
        let (was_missed, is_there) = round(&start);
        missed += u64::from(was_missed);
        stayed += u64::from(was_missed && is_there);
    }
    println!("of {ROUNDS} removals {missed} found nothing, and {stayed} of these left the key");
    ExitCode::from(u8::from(missed != 0))
}
