//! ferntree 0.7.0: a `remove` beside a `clear` panics with `must have parent`.
//!
//! Two threads, one element. Exit code 1 where it panicked.

use std::panic;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use ferntree::GenericTree;

const ROUNDS: u64 = 200_000;

fn panics(start: &Barrier) -> bool {
    let tree = GenericTree::<u64, u64, 4, 4>::new();
    tree.insert(0, 0);
    thread::scope(|s| {
        let remover = s.spawn(|| {
            start.wait();
            tree.remove(&0)
        });
        start.wait();
        tree.clear();
        remover.join().is_err()
    })
}

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| ()));
    let start = Barrier::new(2);
    let panicked = (0..ROUNDS).filter(|_| panics(&start)).count();
    println!("remove panicked in {panicked} of {ROUNDS} rounds");
    ExitCode::from(u8::from(panicked != 0))
}
