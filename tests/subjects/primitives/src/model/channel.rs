//! The channel: without bound, with room for so many, and without room, where each waits for the other.

use super::{Done, State};
use crate::program::{Channel, Op, told};

impl State {
    pub(super) fn channel(&mut self, kind: Channel, me: usize, op: Op) -> Option<Done> {
        if op == Op::HangUp {
            self.hang_up(me);
            return Some(Done::Silently);
        }
        let room = match kind {
            Channel::Bounded(0) => return self.meet(me, op),
            Channel::Bounded(room) => usize::from(room),
            _ => usize::MAX,
        };
        match op {
            Op::Send(_) | Op::TrySend(_) if !self.receiver => Some(Done::Tells(told::GONE)),
            Op::Send(number) | Op::TrySend(number) if self.queue.len() < room => {
                self.queue.push(number);
                Some(Done::Tells(told::YES))
            }
            Op::TrySend(_) => Some(Done::Tells(told::BUSY)),
            Op::Send(_) => None,
            _ => self.receive(me, op),
        }
    }

    fn receive(&mut self, me: usize, op: Op) -> Option<Done> {
        if !self.queue.is_empty() {
            return Some(Done::Tells(self.queue.remove(0)));
        }
        if self.senders == 0 {
            return Some(Done::Tells(told::GONE));
        }
        match op {
            Op::TryRecv => Some(Done::Tells(told::BUSY)),
            Op::RecvFor(time) if self.actors[me].phase == 0 => {
                self.wait_for(me, time);
                Some(Done::Part(1))
            }
            _ => self.actors[me].late.then_some(Done::Tells(told::LATE)),
        }
    }

    fn hang_up(&mut self, me: usize) {
        if me == 0 {
            self.receiver = false;
            self.queue.clear();
            for (sender, _) in std::mem::take(&mut self.offers) {
                self.give(sender.into(), told::GONE);
            }
            return;
        }
        self.senders -= 1;
        if self.senders == 0 && self.receiving {
            self.give(0, told::GONE);
            self.receiving = false;
        }
    }

    /// Ends the wait of the other side.
    fn give(&mut self, other: usize, what: u8) {
        self.actors[other].given = Some(what);
        self.actors[other].deadline = 0;
    }

    /// A channel without room.
    fn meet(&mut self, me: usize, op: Op) -> Option<Done> {
        if self.actors[me].phase == 1 {
            return self.met(me);
        }
        match op {
            Op::Send(number) | Op::TrySend(number) => self.offer(me, number, op),
            _ => self.ask(me, op),
        }
    }

    /// The wait for the other side ends.
    fn met(&mut self, me: usize) -> Option<Done> {
        let given = self.actors[me].given;
        if given.is_none() && self.actors[me].late {
            self.receiving = false;
            return Some(Done::Tells(told::LATE));
        }
        given.map(Done::Tells)
    }

    fn offer(&mut self, me: usize, number: u8, op: Op) -> Option<Done> {
        if self.receiving {
            self.give(0, number);
            self.receiving = false;
            return Some(Done::Tells(told::YES));
        }
        if !self.receiver {
            return Some(Done::Tells(told::GONE));
        }
        if matches!(op, Op::TrySend(_)) {
            return Some(Done::Tells(told::BUSY));
        }
        self.offers.push((me as u8, number));
        Some(Done::Part(1))
    }

    fn ask(&mut self, me: usize, op: Op) -> Option<Done> {
        if !self.offers.is_empty() {
            let (sender, number) = self.offers.remove(0);
            self.give(sender.into(), told::YES);
            return Some(Done::Tells(number));
        }
        if self.senders == 0 {
            return Some(Done::Tells(told::GONE));
        }
        match op {
            Op::TryRecv => return Some(Done::Tells(told::BUSY)),
            Op::RecvFor(time) => self.wait_for(me, time),
            _ => {}
        }
        self.receiving = true;
        Some(Done::Part(1))
    }
}
