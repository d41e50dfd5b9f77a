//! papaya 0.2.5 with `ResizeMode::Blocking`: the insert of the 32nd key of one hash does not return.
//!
//! Safe code, one thread. Says how many keys came in, with blocking resizes and with incremental ones.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use mapcheck_reproductions::ends_within;
use papaya::ResizeMode;

/// All keys have the hash 0.
#[derive(Default)]
struct Zero;

impl Hasher for Zero {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        0
    }
}

fn main() {
    for (name, mode) in [("incremental", ResizeMode::default()), ("blocking", ResizeMode::Blocking)]
    {
        let inserted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&inserted);
        let ended = ends_within(Duration::from_secs(3), move || {
            let map = papaya::HashMap::<u64, u64>::builder();
            let map = map.hasher(BuildHasherDefault::<Zero>::default()).resize_mode(mode).build();
            for key in 0..64 {
                map.pin().insert(key, key);
                counted.fetch_add(1, SeqCst);
            }
        });
        let what = if ended { "all keys came in" } else { "an insert had not returned after 3 s" };
        println!("{name} resizes: {what}, {} of 64", inserted.load(SeqCst));
    }
    std::process::exit(0);
}
