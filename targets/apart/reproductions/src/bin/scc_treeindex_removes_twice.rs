//! scc 3.8.8: one call of `TreeIndex::remove_if_async` removes two entries: what was there, and what came after it.
//!
//! Safe code, no sleeps. A thread is held in `remove_range_sync`, by a comparison of keys, with the root locked, and
//! the root has no child left but one. `remove_if_async` is polled by hand: it removes the entry, cannot lock the root
//! to clean it up, and waits. The key is inserted again, the thread is let go, and the next poll removes that, too.
//! Says what the condition was asked about, and what is left. Exit code 1 where the second entry is gone; it was in 20
//! of 20 runs.

use std::cell::RefCell;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use mapcheck_reproductions::held::{At, Key, poll_once, run_until};
use scc::TreeIndex;

/// Enough for a root with two children. The last leaf is not full.
const LAST: u64 = 399;

fn main() -> ExitCode {
    let tree = Arc::new(TreeIndex::<Key, String>::new());
    for k in 0..=LAST {
        tree.insert_sync(Key(k), "first".to_owned()).unwrap();
    }
    let others = Arc::clone(&tree);
    let held = run_until(At::Key(LAST), move || others.remove_range_sync(..Key(LAST - 1)));

    let (key, asked) = (Key(LAST), RefCell::new(Vec::new()));
    let mut removal = pin!(tree.remove_if_async(&key, |value: &String| {
        asked.borrow_mut().push(value.clone());
        true
    }));
    assert!(poll_once(removal.as_mut()).is_pending(), "it waits for the root");
    let inserted = tree.insert_sync(Key(LAST), "second".to_owned());
    assert!(inserted.is_ok(), "the first is gone");
    held.finish();
    println!("remove_if_async: {:?}, having asked about {asked:?}", poll_once(removal.as_mut()));

    let left = tree.peek_with(&key, |_, value| value.clone());
    println!("left of the second: {left:?}");
    ExitCode::from(u8::from(left.is_none()))
}
