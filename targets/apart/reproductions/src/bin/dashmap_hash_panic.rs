//! dashmap 6.2.1: after a hash that panics while a shard is tidied up, elements are gone.
//!
//! Safe code, one thread. Maps are filled, emptied, and filled again; a hash panics in one of the inserts, and the
//! panic is caught. Says in how many of the maps elements are gone whose inserts had returned.

use std::hash::{BuildHasherDefault, DefaultHasher};

use dashmap::DashMap;
use mapcheck_reproductions::{Key, panic_at, panicked, silence_panics};

fn main() {
    silence_panics();
    let (mut maps, mut with_losses, mut gone) = (0, 0, 0);
    for fill in (20..120).step_by(4) {
        for n in 0..120 {
            let map: DashMap<Key, u64, BuildHasherDefault<DefaultHasher>> =
                DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), 2);
            (1000..1000 + fill).for_each(|k| _ = map.insert(Key(k), k));
            map.clear();
            let mut inserted = Vec::new();
            let cut_short = panicked(|| {
                panic_at(n);
                for k in 0..fill / 2 {
                    map.insert(Key(k), k);
                    inserted.push(k);
                }
            });
            if !cut_short {
                break;
            }
            maps += 1;
            let lost = inserted.iter().filter(|&&k| map.get(&Key(k)).is_none()).count();
            with_losses += u32::from(lost > 0);
            gone += lost;
        }
    }
    println!(
        "of {maps} maps that had met a panic in a hash, {with_losses} had lost {gone} elements in all"
    );
}
