//! Loops in which a thread waits for another one by reading again and again.
//!
//! The machine reports a thread that has read the same value at the same address 25 times in a row. A thread that yields
//! by itself spins if it has made the same reads, and nothing but reads, since its last yield as between the two before.
//! One round of such a loop is like another, so a write of another thread falls before the first read, between the
//! first two, or after the round; the places in between are not explored. Then the thread waits: it goes on when
//! another thread has written to what it has read, or when no other thread can run. In one alternative it goes on at
//! once, as if nobody else were scheduled, for [`ROUNDS`] rounds: a loop that counts its rounds and then parks does so
//! in it.

use std::ops::Range;

use mapcheck_machine::{Access, Kind};

use super::op::Op;

/// Reads of the same value in a row that the machine takes for spinning, at least.
const READS: usize = 25;
/// Of these, the first so many may have a write of another thread before them.
const TOLD_APART: usize = 2;
/// Rounds that a thread goes on for, at most.
const ROUNDS: u32 = 8;

/// Whether a thread spins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Runs,
    /// For a write by another thread.
    Waits,
    /// Though it spins.
    GoesOn,
}

/// What a thread has done since it last yielded.
#[derive(Debug, Default)]
pub(super) struct Spin {
    round: Vec<Access>,
    /// The events of the round.
    events: Vec<usize>,
    last: Vec<Access>,
    rounds: u32,
    watched: Vec<Range<usize>>,
    state: State,
}

impl Spin {
    /// The thread has taken a step that is not one of being resumed.
    pub(super) fn note(&mut self, op: &Op, event: usize) {
        if op.access.kind != Kind::None {
            self.round.push(op.access);
            self.events.push(event);
        }
    }

    pub(super) fn waits(&self) -> bool {
        self.state == State::Waits
    }

    /// Whether the thread, which has just yielded, may go on though it spins.
    pub(super) fn may_go_on(&self) -> bool {
        self.waits() && self.rounds == 1
    }

    pub(super) fn goes_on(&self) -> bool {
        self.state == State::GoesOn
    }

    pub(super) fn go_on(&mut self) {
        self.state = State::GoesOn;
    }

    /// The thread has yielded, at this access if the machine took it for spinning. Returns the events that need no
    /// alternatives, for they are like those before.
    pub(super) fn yielded(&mut self, at: Option<Access>) -> Vec<usize> {
        let alike = at.is_some() || self.is_like_the_last();
        self.rounds = if alike { self.rounds + 1 } else { 0 };
        self.state = match self.state {
            _ if !alike => State::Runs,
            State::GoesOn if self.rounds <= ROUNDS => State::GoesOn,
            _ => State::Waits,
        };
        let settled = match at {
            Some(at) if self.rounds == 1 => self.after_the_first_reads(at),
            _ if alike => std::mem::take(&mut self.events),
            _ => Vec::new(),
        };
        let read = at.as_ref().map_or(&self.round[..], std::slice::from_ref);
        self.watched = read.iter().map(|a| a.addr..a.addr + a.size).collect();
        self.last = std::mem::take(&mut self.round);
        self.events.clear();
        settled
    }

    fn is_like_the_last(&self) -> bool {
        let reads = |a: &Access| {
            matches!(a.kind, Kind::Read | Kind::AtomicLoad | Kind::AtomicRmw | Kind::Fence)
        };
        !self.round.is_empty() && self.round == self.last && self.round.iter().all(reads)
    }

    /// The events after the first two of the last 25 reads of this address.
    fn after_the_first_reads(&self, at: Access) -> Vec<usize> {
        let reads = (0..self.round.len()).filter(|&i| self.round[i].addr == at.addr);
        let kept = reads.rev().nth(READS - 1 - (TOLD_APART - 1)).map_or(0, |i| i + 1);
        self.events[kept..].to_vec()
    }

    /// Another thread has taken a step. Whether that ends the waiting.
    pub(super) fn seen(&mut self, op: &Op) -> bool {
        let bytes = op.bytes();
        let ends = self.state != State::Runs
            && op.writes()
            && self.watched.iter().any(|w| w.start.max(bytes.start) < w.end.min(bytes.end));
        if ends {
            (self.state, self.rounds) = (State::Runs, 0);
        }
        ends
    }
}
