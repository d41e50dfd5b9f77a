//! Hash maps beside those that mapcheck's own targets are: current releases, driven by `cargo mapcheck`.

use std::process::ExitCode;

use mapcheck::{Async, Target};

mod chashmap;
mod clashmap;
mod concread;
mod concread_trie;
mod concurrent_hashmap;
mod dashmap_7;
mod evmap;
mod flashmap;
mod kovan_hopscotch;
mod kovan_map;
mod left_right;
mod lockfree;
mod lockfree_cuckoohash;
mod moka_cht;
mod moka_cht_segmented;
mod scc_hashmap_iter;
mod shardmap;
#[path = "../../../src/spread.rs"]
mod spread;
mod stored;
mod whirlwind;

const LOCK: &str = include_str!("../Cargo.lock");

/// All of them.
const TARGETS: &[Target] = &[
    Target::of::<dashmap_7::Dashmap7>("dashmap@7", "dashmap", LOCK),
    Target::of::<clashmap::Clashmap>("clashmap", "clashmap", LOCK),
    Target::of::<evmap::Evmap>("evmap", "evmap", LOCK),
    Target::of::<left_right::LeftRight>("left-right", "left-right", LOCK),
    Target::of::<flashmap::Flashmap>("flashmap", "flashmap", LOCK),
    Target::of::<kovan_map::KovanMap>("kovan-map", "kovan-map", LOCK),
    Target::of::<kovan_hopscotch::KovanHopscotch>("kovan-map@hopscotch", "kovan-map", LOCK),
    Target::of::<concread::Concread>("concread", "concread", LOCK),
    Target::of::<concread_trie::ConcreadTrie>("concread@hashtrie", "concread", LOCK),
    Target::of::<moka_cht::MokaCht>("moka-cht", "moka-cht", LOCK),
    Target::of::<moka_cht_segmented::MokaChtSegmented>("moka-cht@segmented", "moka-cht", LOCK),
    Target::of::<Async<whirlwind::Whirlwind>>("whirlwind", "whirlwind", LOCK),
    Target::of::<shardmap::Shardmap>("shardmap", "shardmap", LOCK),
    Target::of::<lockfree::Lockfree>("lockfree", "lockfree", LOCK),
    Target::of::<lockfree_cuckoohash::Cuckoo>("lockfree-cuckoohash", "lockfree-cuckoohash", LOCK),
    Target::of::<chashmap::Chashmap>("chashmap", "chashmap", LOCK),
    Target::of::<concurrent_hashmap::ConcurrentHashmap>(
        "concurrent-hashmap",
        "concurrent-hashmap",
        LOCK,
    ),
    Target::of::<Async<scc_hashmap_iter::SccHashMapIter>>("scc-hashmap@iter", "scc", LOCK),
];

fn main() -> ExitCode {
    mapcheck::runner::main(TARGETS)
}

#[cfg(test)]
mod tests {
    use super::TARGETS;

    #[test]
    fn each_adapter_does_on_one_thread_what_the_trait_asks_for() {
        for target in TARGETS {
            assert_eq!((target.self_check)(), Ok(()), "{}", target.name);
        }
    }

    #[test]
    fn the_manifest_names_each_target() {
        let manifest = include_str!("../Cargo.toml");
        for target in TARGETS {
            assert!(manifest.contains(&format!("\"{}\"", target.name)), "{}", target.name);
        }
    }
}
