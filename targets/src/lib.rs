//! Adapters for published concurrent maps, one file each.
//!
//! They are what an adapter for your own map looks like: a wrapper, a [`Profile`](mapcheck::Profile) that says what the
//! map promises and where it grows, and a line or two an operation. What small scenarios need, few shards, small
//! batches, is turned down in `new`.
#![forbid(unsafe_code)]

use mapcheck::Target;

mod crossbeam_skiplist;
mod dashmap;
mod flurry;
/// Models of Go's maps and of the runtime under them.
pub mod go;
mod papaya;
mod rwlock_hashmap;
mod scc_hashindex;
mod scc_hashmap;
mod scc_treeindex;
mod spread;

pub use self::crossbeam_skiplist::CrossbeamSkiplist;
pub use self::dashmap::Dashmap;
pub use self::flurry::Flurry;
pub use self::papaya::Papaya;
pub use self::rwlock_hashmap::RwLockHashMap;
pub use self::scc_hashindex::SccHashIndex;
pub use self::scc_hashmap::SccHashMap;
pub use self::scc_treeindex::SccTreeIndex;
pub use self::spread::Spread;

const LOCK: &str = include_str!("../../Cargo.lock");

/// The targets, in the order of this package's manifest.
pub fn all() -> Vec<Target> {
    vec![
        Target::of::<Dashmap>("dashmap", "dashmap", LOCK),
        Target::of::<Papaya>("papaya", "papaya", LOCK),
        Target::of::<SccHashMap>("scc-hashmap", "scc", LOCK),
        Target::of::<SccHashIndex>("scc-hashindex", "scc", LOCK),
        Target::of::<SccTreeIndex>("scc-treeindex", "scc", LOCK),
        Target::of::<Flurry>("flurry", "flurry", LOCK),
        Target::of::<CrossbeamSkiplist>("crossbeam-skiplist", "crossbeam-skiplist", LOCK),
        Target::of::<RwLockHashMap>("rwlock-hashmap", "std", LOCK),
    ]
}
