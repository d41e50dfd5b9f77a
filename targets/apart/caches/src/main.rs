//! Published concurrent caches as targets of mapcheck, one file each.
//!
//! A cache without a bound, or with one that no scenario reaches, must keep what it is given like any map. The targets
//! `@small` have a bound that every scenario reaches, and may drop elements at any time.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mapcheck::{Async, Target};

use self::hashers::Identity;
use self::mini_moka::{MiniMoka, MiniMokaSmall};
use self::moka::{Moka, MokaSmall};
use self::moka_async::MokaAsync;
use self::moka_clearing::MokaClearing;
use self::moka_entry::MokaEntry;
use self::moka_expiring::MokaExpiring;
use self::moka_segmented::MokaSegmented;
use self::quick_cache::{QuickCache, QuickCacheSmall};
use self::quick_cache_async::QuickCacheAsync;
use self::quick_cache_guard::QuickCacheGuard;
use self::scc_hashcache::SccHashCache;
use self::scc_hashcache_async::SccHashCacheAsync;
use self::spread::Spread;

mod hashers;
mod mini_moka;
mod moka;
mod moka_async;
mod moka_clearing;
mod moka_entry;
mod moka_expiring;
mod moka_segmented;
mod quick_cache;
mod quick_cache_async;
mod quick_cache_guard;
mod scc_hashcache;
mod scc_hashcache_async;
#[path = "../../../src/spread.rs"]
mod spread;

const LOCK: &str = include_str!("../Cargo.lock");

const TARGETS: &[Target] = &[
    Target::of::<Moka>("moka", "moka", LOCK),
    Target::of::<MokaSegmented>("moka@segmented", "moka", LOCK),
    Target::of::<MokaEntry>("moka@entry", "moka", LOCK),
    Target::of::<MokaClearing>("moka@clearing", "moka", LOCK),
    Target::of::<Async<MokaAsync>>("moka@async", "moka", LOCK),
    Target::of::<MokaSmall<false>>("moka@small", "moka", LOCK),
    Target::of::<MokaSmall<true>>("moka@weighed", "moka", LOCK),
    Target::of::<MokaExpiring>("moka@expiring", "moka", LOCK),
    Target::of::<MiniMoka>("mini-moka", "mini-moka", LOCK),
    Target::of::<MiniMokaSmall<false>>("mini-moka@small", "mini-moka", LOCK),
    Target::of::<MiniMokaSmall<true>>("mini-moka@weighed", "mini-moka", LOCK),
    Target::of::<QuickCache>("quick_cache", "quick_cache", LOCK),
    Target::of::<QuickCacheGuard>("quick_cache@guard", "quick_cache", LOCK),
    Target::of::<Async<QuickCacheAsync>>("quick_cache@async", "quick_cache", LOCK),
    Target::of::<QuickCacheSmall>("quick_cache@small", "quick_cache", LOCK),
    Target::of::<SccHashCache>("scc-hashcache", "scc", LOCK),
    Target::of::<Async<SccHashCacheAsync>>("scc-hashcache@async", "scc", LOCK),
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
