//! Published concurrent sets, slabs, interners and what only grows, as targets of mapcheck, one file each.
//!
//! A set is a map whose keys carry their values. What gives numbers for elements is driven through a table of numbers
//! (`table.rs`), an interner through a table of handles (`interned.rs`).
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mapcheck::Target;

use self::arc_interner::OfArcInterner;
use self::boxcar::Boxcar;
use self::cachemap2::CacheMap2;
use self::concurrent_arena::ConcurrentArena;
use self::crossbeam_skipset::CrossbeamSkipset;
use self::dashset::Dashset;
use self::elsa::Elsa;
use self::elsa_lock_free::ElsaLockFree;
use self::flurry_hashset::FlurryHashSet;
use self::interned::Interned;
use self::internment::OfInternment;
use self::lasso::{Lasso, LassoIterating, LassoLimited};
use self::once_map::OnceMapOf;
use self::papaya_hashset::PapayaHashSet;
use self::scc_hashset::SccHashSet;
use self::sharded_slab::ShardedSlab;
use self::sharded_slab_pool::ShardedSlabPool;
use self::spread::Spread;
use self::symbol_table::Symbols;

mod arc_interner;
mod boxcar;
mod cachemap2;
mod concurrent_arena;
mod crossbeam_skipset;
mod dashset;
mod elsa;
mod elsa_lock_free;
mod flurry_hashset;
mod interned;
mod internment;
mod lasso;
mod names;
mod once_map;
mod papaya_hashset;
mod scc_hashset;
mod sharded_slab;
mod sharded_slab_pool;
#[path = "../../../src/spread.rs"]
mod spread;
mod symbol_table;
mod table;

const LOCK: &str = include_str!("../Cargo.lock");

const TARGETS: &[Target] = &[
    Target::of::<Dashset>("dashset", "dashmap", LOCK),
    Target::of::<PapayaHashSet>("papaya-hashset", "papaya", LOCK),
    Target::of::<FlurryHashSet>("flurry-hashset", "flurry", LOCK),
    Target::of::<SccHashSet>("scc-hashset", "scc", LOCK),
    Target::of::<CrossbeamSkipset>("crossbeam-skipset", "crossbeam-skiplist", LOCK),
    Target::of::<ShardedSlab>("sharded-slab", "sharded-slab", LOCK),
    Target::of::<ShardedSlabPool>("sharded-slab@pool", "sharded-slab", LOCK),
    Target::of::<ConcurrentArena>("concurrent_arena", "concurrent_arena", LOCK),
    Target::of::<Interned<OfInternment>>("internment", "internment", LOCK),
    Target::of::<Interned<OfArcInterner>>("arc-interner", "arc-interner", LOCK),
    Target::of::<Lasso>("lasso", "lasso", LOCK),
    Target::of::<LassoIterating>("lasso@iterating", "lasso", LOCK),
    Target::of::<LassoLimited>("lasso@limited", "lasso", LOCK),
    Target::of::<Symbols>("symbol_table", "symbol_table", LOCK),
    Target::of::<Boxcar>("boxcar", "boxcar", LOCK),
    Target::of::<Elsa>("elsa", "elsa", LOCK),
    Target::of::<ElsaLockFree>("elsa@lock-free", "elsa", LOCK),
    Target::of::<OnceMapOf>("once_map", "once_map", LOCK),
    Target::of::<CacheMap2>("cachemap2", "cachemap2", LOCK),
];

fn main() -> ExitCode {
    mapcheck::runner::main(TARGETS)
}

#[cfg(test)]
mod tests {
    use super::TARGETS;

    #[test]
    fn the_adapters_do_on_one_thread_what_the_trait_asks_for() {
        for target in TARGETS {
            assert_eq!((target.self_check)(), Ok(()), "{}", target.name);
        }
    }
}
