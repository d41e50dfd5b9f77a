//! Mutexes, the lock, the condition, parking, the barrier and the cells.

use super::{Cell, Done, State};
use crate::program::{Op, told};

impl State {
    fn take(&mut self, me: usize, m: usize) -> u8 {
        (self.taken[m], self.actors[me].held[m]) = (true, true);
        self.guarded[m] += 1;
        self.guarded[m] - 1
    }

    pub(super) fn mutex(&mut self, me: usize, op: Op) -> Option<Done> {
        match op {
            Op::Lock(m) if self.taken[usize::from(m)] => None,
            Op::TryLock(m) if self.taken[usize::from(m)] => Some(Done::Tells(told::BUSY)),
            Op::Lock(m) | Op::TryLock(m) => Some(Done::Tells(self.take(me, m.into()))),
            Op::Unlock(m) => {
                let held = &mut self.actors[me].held[usize::from(m)];
                self.taken[usize::from(m)] &= !*held;
                *held = false;
                Some(Done::Silently)
            }
            _ => unreachable!(),
        }
    }

    fn write(&mut self, me: usize) -> Done {
        (self.writer, self.actors[me].writes) = (true, true);
        self.waiting &= !(1 << me);
        self.written += 1;
        Done::Tells(self.written - 1)
    }

    pub(super) fn lock(&mut self, me: usize, op: Op) -> Option<Done> {
        let free = self.readers == 0 && !self.writer;
        match op {
            Op::Read if self.writer || self.waiting != 0 => None,
            Op::Read => {
                self.readers += 1;
                self.actors[me].reads = true;
                Some(Done::Tells(self.written))
            }
            Op::Write | Op::TryWrite if free => Some(self.write(me)),
            Op::TryWrite => Some(Done::Tells(told::BUSY)),
            Op::Write if self.waiting & 1 << me != 0 => None,
            Op::Write => {
                self.waiting |= 1 << me;
                Some(Done::Part(1))
            }
            _ => {
                self.release(me);
                Some(Done::Silently)
            }
        }
    }

    fn release(&mut self, me: usize) {
        let actor = &mut self.actors[me];
        let had = actor.reads || actor.writes;
        self.readers -= u8::from(actor.reads);
        self.writer &= !actor.writes;
        (actor.reads, actor.writes) = (false, false);
        if had && self.readers == 0 {
            // A writer is woken; until it comes to wait again, it keeps nobody out.
            self.waiting = 0;
        }
    }

    pub(super) fn condition(&mut self, me: usize, op: Op, spurious: bool) -> Option<Done> {
        match op {
            // First it is told to those that are about to sleep, then the sleepers are woken.
            Op::NotifyOne | Op::NotifyAll if self.actors[me].phase == 0 => {
                self.notified += 1;
                return Some(Done::Part(1));
            }
            Op::NotifyOne => {
                if !self.asleep.is_empty() {
                    let first = self.asleep.remove(0);
                    self.wake(first.into());
                }
            }
            Op::NotifyAll => {
                for sleeper in std::mem::take(&mut self.asleep) {
                    self.wake(sleeper.into());
                }
            }
            _ => return self.wait(me, op, spurious),
        }
        Some(Done::Silently)
    }

    fn wake(&mut self, sleeper: usize) {
        self.actors[sleeper].woken = true;
        self.actors[sleeper].deadline = 0;
    }

    fn wait(&mut self, me: usize, op: Op, spurious: bool) -> Option<Done> {
        match self.actors[me].phase {
            0 => {
                self.actors[me].memo = self.notified;
                (self.taken[0], self.actors[me].held[0]) = (false, false);
                Some(Done::Part(1))
            }
            1 if self.actors[me].memo != self.notified => Some(Done::Part(3)),
            1 => {
                self.asleep.push(me as u8);
                if let Op::WaitFor(time) = op {
                    self.wait_for(me, time);
                }
                Some(Done::Part(2))
            }
            2 if spurious && !self.actors[me].woken && !self.actors[me].late => {
                self.asleep.retain(|t| usize::from(*t) != me);
                self.actors[me].deadline = 0;
                Some(Done::Part(3))
            }
            2 => (self.actors[me].woken || self.actors[me].late).then_some(Done::Part(3)),
            _ if self.taken[0] => None,
            _ => {
                (self.taken[0], self.actors[me].held[0]) = (true, true);
                let late = u8::from(self.actors[me].late);
                Some(Done::Tells(self.guarded[0] << 1 | late))
            }
        }
    }

    pub(super) fn parking(&mut self, me: usize, op: Op, spurious: bool) -> Option<Done> {
        if let Op::Unpark(other) = op {
            self.actors[usize::from(other)].token = true;
            return Some(Done::Silently);
        }
        let Actor { token, late, phase, .. } = self.actors[me].clone();
        match op {
            _ if token || late => {
                self.actors[me].token = false;
                Some(Done::Silently)
            }
            // A park without a time begins anew.
            Op::ParkFor(_) if phase == 1 && spurious => Some(Done::Silently),
            Op::ParkFor(time) if phase == 0 => {
                self.wait_for(me, time);
                Some(Done::Part(1))
            }
            _ => None,
        }
    }

    /// Two at a time.
    pub(super) fn arrive(&mut self, me: usize) -> Option<Done> {
        if self.actors[me].phase == 1 {
            let passed = self.actors[me].memo != self.generation;
            return passed.then_some(Done::Tells(told::NO));
        }
        self.arrived += 1;
        if self.arrived == 2 {
            (self.arrived, self.generation) = (0, self.generation + 1);
            return Some(Done::Tells(told::YES));
        }
        self.actors[me].memo = self.generation;
        Some(Done::Part(1))
    }

    pub(super) fn cell(&mut self, me: usize, op: Op) -> Option<Done> {
        let which = match op {
            Op::Init | Op::Set(_) | Op::Get => 0,
            Op::Force => 1,
            _ => 2,
        };
        let cell = self.cells[which];
        match op {
            Op::Get => Some(Done::Tells(if let Cell::Full(n) = cell { n } else { told::BUSY })),
            Op::Called => {
                Some(Done::Tells(u8::from(cell != Cell::Empty && cell != Cell::UnderWay)))
            }
            _ => self.make(me, op, which),
        }
    }

    /// Takes a step of filling a cell: who comes second waits until it is full.
    fn make(&mut self, me: usize, op: Op, which: usize) -> Option<Done> {
        let tells = |n: u8, mine: bool| match op {
            Op::Set(_) => Done::Tells(mine.into()),
            Op::CallOnce => Done::Silently,
            _ => Done::Tells(n),
        };
        match (self.cells[which], self.actors[me].phase) {
            (Cell::Full(n), _) => Some(tells(n, false)),
            (Cell::Empty, _) => {
                self.cells[which] = Cell::UnderWay;
                Some(Done::Part(1))
            }
            (Cell::UnderWay, 0) => None,
            (Cell::UnderWay, 1) => {
                self.actors[me].memo = match op {
                    Op::Set(number) => 100 + number,
                    _ => self.add(which.min(1)) + 1,
                };
                Some(Done::Part(2))
            }
            (Cell::UnderWay, _) => {
                let made = self.actors[me].memo;
                self.cells[which] = Cell::Full(made);
                Some(tells(made, true))
            }
        }
    }
}

use super::Actor;
