//! ferntree 0.7.0: a tree that is dropped or cleared frees nothing of what is in it.
//!
//! One thread. It counts values by an `Arc`, and drives crossbeam's epochs long enough for all that was deferred.
//! Fails in every run. Exit code 1 where values are left.

use std::process::ExitCode;
use std::sync::Arc;

use ferntree::Tree;

const ELEMENTS: u64 = 200;

fn settle() {
    (0..1000).for_each(|_| crossbeam_epoch::pin().flush());
}

fn filled(value: &Arc<String>) -> Tree<u64, Arc<String>> {
    let tree = Tree::new();
    (0..ELEMENTS).for_each(|key| drop(tree.insert(key, Arc::clone(value))));
    tree
}

fn main() -> ExitCode {
    let dropped = Arc::new("value".to_owned());
    drop(filled(&dropped));
    settle();
    let cleared = Arc::new("value".to_owned());
    let tree = filled(&cleared);
    tree.clear();
    settle();
    let left = [&dropped, &cleared].map(|value| Arc::strong_count(value) - 1);
    println!("of {ELEMENTS} values each: {} left after drop, {} after clear", left[0], left[1]);
    ExitCode::from(u8::from(left != [0, 0]))
}
