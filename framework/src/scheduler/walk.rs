//! A random walk with few switches.

use mapcheck_machine::{Consult, Reason, Slice};

use super::guided::Policy;
use super::profile::Profile;
use super::random::any_runnable;
use super::{Dice, UNBOUNDED};

/// Assumed length of the first execution, in schedule points.
const FIRST_LENGTH: u64 = 1000;

/// At each access to what is shared another thread goes on with the same probability, so that it does some two, four,
/// eight or sixteen times in an execution. Where nothing is known, at any schedule point.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// One in so many accesses, or points, is a switch.
    one_in: u64,
    /// Whether nothing is known.
    blind: bool,
    /// Whether it was asked before in this execution.
    began: bool,
}

impl Policy for Walk {
    fn begin(&mut self, dice: &mut Dice, profile: &Profile) {
        self.blind = profile.shared().is_empty();
        let length = match (self.blind, profile.length) {
            (true, 0) => FIRST_LENGTH,
            (true, length) => length,
            (false, _) => profile.accesses(),
        };
        self.one_in = (length >> (1 + dice.below(4))).max(2);
        self.began = false;
    }

    fn schedule(&mut self, consult: &Consult<'_>, _: u64, dice: &mut Dice) -> Slice {
        let current = consult.current;
        let stays = consult.reason == Reason::Point && consult.threads[current as usize].runnable;
        let switches = !stays || !self.began || self.blind || dice.below(self.one_in) == 0;
        self.began = true;
        let thread = match switches {
            true => any_runnable(consult, dice, Some(current)),
            false => current,
        };
        let points = if self.blind { 1 + dice.below(2 * self.one_in) } else { UNBOUNDED };
        Slice::new(thread, points)
    }
}
