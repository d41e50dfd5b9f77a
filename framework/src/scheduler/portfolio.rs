//! Several schedulers that share what they learn.

use super::changes::{At, Changes};
use super::guided::{Guided, Policy};
use super::pos::Pos;
use super::surw::Surw;
use super::uniform::Uniform;
use super::walk::Walk;

/// Change points of an execution, at most, of the members that have any.
const CHANGES: u64 = 3;

/// A scheduler that gives each execution to one of seven: there is none that finds everything soon. Those that have
/// brought more news of late get more executions, see [`super::turns`].
pub(super) fn portfolio(seed: u64) -> Guided {
    let members: [Box<dyn Policy>; 7] = [
        Box::new(Uniform::default()),
        Box::new(Changes::new(At::Points, CHANGES)),
        Box::new(Changes::new(At::Accesses, CHANGES)),
        Box::new(Changes::new(At::Granules, CHANGES)),
        Box::new(Pos::default()),
        Box::new(Surw::default()),
        Box::new(Walk::default()),
    ];
    Guided::new(seed, members.into())
}
