//! Snapshots: what an iteration read, if it read all of it at one moment.

use super::linearizability::{Held, Known};
use crate::scenario::history::History;

/// What must have been held for an iteration to show what it showed, or not to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Required {
    /// An entry, or the place of one among those that are searched over.
    pub place: usize,
    pub held: Held,
}

/// What an iteration required of the entries: that it showed some, and, if it ran to its end, hid the others.
pub(super) fn required(history: &History<Known>, number: usize, complete: bool) -> Vec<Required> {
    let mut hidden = vec![complete; history.entries().len()];
    let mut required = Vec::with_capacity(hidden.len());
    for seen in &history.iteration(number).seen {
        // What was never written at all is a ghost, and was told as one.
        if let Some(place) = history.find(seen.key) {
            hidden[place] = false;
            required.push(Required { place, held: Some(seen.value) });
        }
    }
    let hidden = (0..hidden.len()).filter(|at| hidden[*at]);
    required.extend(hidden.map(|place| Required { place, held: None }));
    required
}

/// Whether all of it is held.
pub(super) fn fits(required: &[Required], state: &[Held]) -> bool {
    required.iter().all(|r| state[r.place] == r.held)
}
