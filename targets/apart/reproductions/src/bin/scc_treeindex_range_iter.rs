//! scc 3.8.8: beside `TreeIndex::remove_range_sync` an iteration shows what is gone: to `remove_sync` and `peek`, which
//! returned before the iteration began, and for `insert_sync`, which has put another value in its place.
//!
//! Safe code, no sleeps: a thread is held in `remove_range_sync` by its second comparison of keys. Exit code 1 where a
//! key is shown that was gone, or twice; both were in 20 of 20 runs.

use std::process::ExitCode;
use std::sync::Arc;

use mapcheck_reproductions::held::{At, Key, run_until};
use scc::{Guard, TreeIndex};

fn main() -> ExitCode {
    let tree = Arc::new(TreeIndex::<Key, String>::new());
    for k in 0..1000 {
        tree.insert_sync(Key(k), "first".to_owned()).unwrap();
    }
    let others = Arc::clone(&tree);
    let held = run_until(At::Comparison(1), move || others.remove_range_sync(..Key(900)));

    let guard = Guard::new();
    println!("remove_sync(0): {}", tree.remove_sync(&Key(0)));
    println!("peek(0): {:?}", tree.peek(&Key(0), &guard));
    let of_zero = || tree.iter(&guard).filter(|(key, _)| key.0 == 0).collect::<Vec<_>>();
    let gone = of_zero();
    println!("an iteration that begins now shows of it: {gone:?}");
    println!("insert_sync(0): {:?}", tree.insert_sync(Key(0), "second".to_owned()));
    let twice = of_zero();
    println!("an iteration that begins now shows of it: {twice:?}");
    held.finish();
    ExitCode::from(u8::from(!gone.is_empty() || twice.len() > 1))
}
