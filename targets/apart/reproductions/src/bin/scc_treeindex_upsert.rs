//! scc 3.8.8: `TreeIndex::remove_if_sync` beside an `upsert_sync` of the same key says that the key is not there.
//!
//! The key is there before both begin, and nobody but the removal takes it away; so the removal must find it, in
//! whichever order the two take effect. The condition sleeps, long enough for the upsert to happen: it fails in every
//! run. Without the sleep, 0 of 300,000 rounds of two plain threads did. Exit code 1 where it did not find the key.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use scc::TreeIndex;

fn main() -> ExitCode {
    let tree = TreeIndex::<u64, String>::new();
    tree.upsert_sync(0, "old".to_owned());
    let removed = thread::scope(|s| {
        let remover = s.spawn(|| {
            tree.remove_if_sync(&0, |value| {
                println!("the condition is asked about {value:?}");
                thread::sleep(Duration::from_millis(200));
                true
            })
        });
        thread::sleep(Duration::from_millis(100));
        tree.upsert_sync(0, "new".to_owned());
        remover.join().expect("it does not panic")
    });
    let left = tree.peek_with(&0, |_, value| value.clone());
    println!("remove_if_sync returned {removed}; the key holds {left:?}");
    ExitCode::from(u8::from(!removed))
}
