//! Adapters for published concurrent maps, one file each.
//!
//! They are what an adapter for your own map looks like: a wrapper, a [`Profile`](mapcheck::Profile) that says what the
//! map promises and where it grows, and a line or two an operation. What small scenarios need, few shards, small
//! batches, is turned down in `new`.
#![deny(unsafe_code)]

use mapcheck::model::{Loom, Native, Shuttle};
use mapcheck::{Async, Target};

use self::c_map::CMap;
use self::go::adapter::{GoMap, GoSwissMap, RacingGoMap};
use self::lock_free::{Epochs, Hazards, LockFree};

/// A map in C, with its mutants.
#[expect(unsafe_code, reason = "calls into C are unsafe by nature")]
pub mod c_map;
pub mod closures;
mod crossbeam_skiplist;
mod dashmap;
mod flurry;
/// Models of Go's maps and of the runtime under them.
pub mod go;
/// A model of a lock-free map in the style of Rust's, with its mutants.
pub mod lock_free;
mod papaya;
mod papaya_blocking;
/// What fuzzers and tests hold of mapcheck's own parsers.
#[cfg(any(test, feature = "fuzz-parsers"))]
#[doc(hidden)]
pub mod parsers;
mod rwlock_hashmap;
mod scc_hashindex;
mod scc_hashindex_async;
mod scc_hashmap;
mod scc_hashmap_async;
mod scc_treeindex;
mod scc_treeindex_async;
mod spread;
mod tokio_rwlock_hashmap;

pub use self::crossbeam_skiplist::CrossbeamSkiplist;
pub use self::dashmap::Dashmap;
pub use self::flurry::Flurry;
pub use self::papaya::Papaya;
pub use self::papaya_blocking::PapayaBlocking;
pub use self::rwlock_hashmap::RwLockHashMap;
pub use self::scc_hashindex::SccHashIndex;
pub use self::scc_hashindex_async::SccHashIndexAsync;
pub use self::scc_hashmap::SccHashMap;
pub use self::scc_hashmap_async::SccHashMapAsync;
pub use self::scc_treeindex::SccTreeIndex;
pub use self::scc_treeindex_async::SccTreeIndexAsync;
pub use self::spread::Spread;
pub use self::tokio_rwlock_hashmap::TokioRwLockHashMap;

const LOCK: &str = include_str!("../../Cargo.lock");
/// The crate of the models, which depend on no map.
const HERE: &str = env!("CARGO_PKG_NAME");
const NONE: &str = "";

/// The targets, in the order of this package's manifest.
pub fn all() -> Vec<Target> {
    [published(), foreign(), go_models(), lock_free_models()].concat()
}

/// The published maps.
pub fn published() -> Vec<Target> {
    vec![
        Target::of::<Dashmap>("dashmap", "dashmap", LOCK),
        Target::of::<Papaya>("papaya", "papaya", LOCK),
        // More than 31 keys of one hash never come in, and its hasher gives 27 the same already.
        Target::of::<PapayaBlocking>("papaya@blocking", "papaya", LOCK).without_collisions(),
        Target::of::<SccHashMap>("scc-hashmap", "scc", LOCK),
        Target::of::<Async<SccHashMapAsync>>("scc-hashmap@async", "scc", LOCK),
        Target::of::<SccHashIndex>("scc-hashindex", "scc", LOCK),
        Target::of::<Async<SccHashIndexAsync>>("scc-hashindex@async", "scc", LOCK),
        Target::of::<SccTreeIndex>("scc-treeindex", "scc", LOCK),
        Target::of::<Async<SccTreeIndexAsync>>("scc-treeindex@async", "scc", LOCK),
        Target::of::<Flurry>("flurry", "flurry", LOCK),
        Target::of::<CrossbeamSkiplist>("crossbeam-skiplist", "crossbeam-skiplist", LOCK),
        Target::of::<RwLockHashMap>("rwlock-hashmap", "std", LOCK),
        Target::of::<Async<TokioRwLockHashMap>>("tokio-rwlock-hashmap", "tokio", LOCK),
    ]
}

/// The maps in other languages.
pub fn foreign() -> Vec<Target> {
    vec![
        Target::of::<CMap>("c-map", HERE, NONE)
            .with_mutants(c_map::mutants::ALL)
            .where_mutants_need(c_map::mutants::NEEDS),
    ]
}

/// The models of Go's maps.
pub fn go_models() -> Vec<Target> {
    vec![
        Target::of::<GoMap<Native>>("go-map", HERE, NONE)
            .on_shuttle::<GoMap<Shuttle>>()
            .on_loom::<GoMap<Loom>>()
            .with_mutants(go::classic::mutants::OF_PROGRAMS),
        Target::of::<RacingGoMap<Native>>("go-map@racing", HERE, NONE)
            .on_shuttle::<RacingGoMap<Shuttle>>()
            // The program is wrong: its readers take no lock, and the map's own checks are what is looked at.
            .racing()
            .with_mutants(go::classic::mutants::OF_RACES),
        Target::of::<GoSwissMap<Native>>("go-swiss-map", HERE, NONE)
            .on_shuttle::<GoSwissMap<Shuttle>>()
            .on_loom::<GoSwissMap<Loom>>()
            .with_mutants(go::swiss::mutants::ALL),
    ]
}

/// The models of a lock-free map.
pub fn lock_free_models() -> Vec<Target> {
    vec![
        Target::of::<LockFree<Native, Epochs>>("lock-free-map", HERE, NONE)
            .on_shuttle::<LockFree<Shuttle, Epochs>>()
            .on_loom::<LockFree<Loom, Epochs>>()
            .with_mutants(lock_free::mutants::OF_EPOCHS),
        Target::of::<LockFree<Native, Hazards>>("lock-free-map@hazards", HERE, NONE)
            .on_shuttle::<LockFree<Shuttle, Hazards>>()
            .on_loom::<LockFree<Loom, Hazards>>()
            .with_mutants(lock_free::mutants::OF_HAZARDS_ALONE),
    ]
}
