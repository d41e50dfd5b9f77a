//! Concurrent trees, tries and skip lists, in the versions that the lock file has them in: one file each.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mapcheck::Target;

mod concurrent_map;
mod concurrent_map_owned;
mod congee;
mod contrie;
mod contrie_set;
mod crossbeam_skiplist_fd;
mod ferntree;
mod indexset;
mod indexset_set;
mod masstree;
mod rart;
mod scc_treeindex_read;
#[path = "../../../src/spread.rs"]
mod spread;

const LOCK: &str = include_str!("../Cargo.lock");

const TARGETS: &[Target] = &[
    Target::of::<contrie::Contrie>("contrie", "contrie", LOCK),
    Target::of::<contrie_set::ContrieSet>("contrie@set", "contrie", LOCK),
    Target::of::<concurrent_map::Cloned>("concurrent-map", "concurrent-map", LOCK),
    Target::of::<concurrent_map_owned::Owned>("concurrent-map@owned", "concurrent-map", LOCK),
    Target::of::<congee::Congee<true>>("congee", "congee", LOCK)
        // Its readers look at a node without a lock, and ask afterwards whether a writer was there.
        .accepting_races(&["congee::"]),
    Target::of::<congee::Congee<false>>("congee@unpinned", "congee", LOCK)
        .accepting_races(&["congee::"]),
    Target::of::<ferntree::Ferntree<false>>("ferntree", "ferntree", LOCK)
        // ferntree 0.7 docs, module optimistic, Latent UB in the existing safe paths.
        .accepting_races(&["ferntree::"]),
    Target::of::<ferntree::Ferntree<true>>("ferntree@optimistic", "ferntree", LOCK)
        .accepting_races(&["ferntree::"]),
    // Its readers look at a leaf without a lock, and ask for its version afterwards.
    Target::of::<masstree::Masstree>("masstree", "masstree", LOCK).accepting_races(&["masstree::"]),
    Target::of::<indexset::Indexset<false>>("indexset", "indexset", LOCK),
    Target::of::<indexset::Indexset<true>>("indexset@collected", "indexset", LOCK),
    Target::of::<indexset_set::IndexsetSet>("indexset@set", "indexset", LOCK),
    Target::of::<crossbeam_skiplist_fd::SkiplistFd>(
        "crossbeam-skiplist-fd",
        "crossbeam-skiplist-fd",
        LOCK,
    ),
    Target::of::<rart::Rart>("rart", "rart", LOCK),
    Target::of::<scc_treeindex_read::SccTreeIndexRead>("scc-treeindex@read", "scc", LOCK),
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
    fn the_manifest_names_the_targets_in_their_order() {
        let manifest = include_str!("../Cargo.toml");
        let listed =
            manifest.lines().filter_map(|line| line.strip_prefix("    \"")?.strip_suffix("\","));
        assert!(listed.eq(TARGETS.iter().map(|target| target.name)));
    }
}
