//! What the primitives are documented to do, and all that a program may show.
//!
//! Each operation is one step, or a few where others may come between them: a wait gives its mutex up, falls asleep, is
//! woken and takes the mutex again. What the documentation leaves open is as the standard library has it on Linux:
//! waiters of a condition are woken in the order in which they fell asleep, a notification reaches any number of those
//! that have not fallen asleep yet besides, and a reader waits behind a writer that waits.
//!
//! Steps take no time. When no thread can take a step, time leaps to the next moment that one waits for; if there is
//! none, it is a deadlock.

mod channel;
mod sync;

use std::collections::{BTreeSet, HashSet};

use crate::program::{DEADLOCK, Op, Outcome, Program, left, tell};

/// States of a program that is enumerated, at most.
const STATES: usize = 60_000;

/// What a program may show.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// All outcomes.
    pub outcomes: BTreeSet<Outcome>,
    /// States that were visited.
    pub states: usize,
}

/// A thread under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Actor {
    /// The next operation, and which step of it.
    at: u8,
    phase: u8,
    log: u64,
    /// Mutexes that it has.
    held: [bool; 2],
    reads: bool,
    writes: bool,
    /// Whether it was unparked.
    token: bool,
    /// When its wait ends, 0 for never; and whether it has ended by that.
    deadline: u32,
    late: bool,
    /// What the operation under way must remember.
    memo: u8,
    woken: bool,
    /// What the other side of a channel without room has done for it.
    given: Option<u8>,
}

/// A cell that is made once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Cell {
    #[default]
    Empty,
    UnderWay,
    Full(u8),
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    actors: Vec<Actor>,
    atomics: [u8; 2],
    taken: [bool; 2],
    guarded: [u8; 2],
    readers: u8,
    writer: bool,
    /// Writers that wait and keep readers out, as bits.
    waiting: u8,
    written: u8,
    /// Notifications so far, and who sleeps.
    notified: u8,
    asleep: Vec<u8>,
    queue: Vec<u8>,
    /// Senders that wait for a receiver, of a channel without room; whether the receiver waits for one.
    offers: Vec<(u8, u8)>,
    receiving: bool,
    senders: u8,
    receiver: bool,
    arrived: u8,
    generation: u8,
    /// The cell, the lazy one, and what is called once.
    cells: [Cell; 3],
    now: u32,
}

/// All that a program may show; none if that is too much.
pub fn enumerate(program: &Program) -> Option<Shown> {
    let first = State {
        actors: vec![Actor::default(); program.threads.len()],
        senders: program.threads.len() as u8 - 1,
        receiver: true,
        ..State::default()
    };
    let mut shown = Shown::default();
    let mut known = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        let (mut next, stands) = state.successors(program);
        if stands {
            match state.leap() {
                Some(later) => next.push(later),
                None => _ = shown.outcomes.insert(state.outcome(program)),
            }
        }
        open.extend(next.into_iter().filter(|s| known.insert(s.clone())));
        if known.len() > STATES {
            return None;
        }
    }
    shown.states = known.len();
    Some(shown)
}

impl State {
    /// What can come next, and whether nothing must: a wait may end though nobody has ended it, or it may not.
    fn successors(&self, program: &Program) -> (Vec<State>, bool) {
        let (mut all, mut stands) = (Vec::new(), true);
        for me in 0..self.actors.len() {
            let Some(op) = self.op(program, me) else { continue };
            let next = self.step(program, me, op);
            stands &= next.is_none() || program.spurious && self.is_left_waiting(me, op);
            all.extend(next);
        }
        (all, stands)
    }

    /// Whether the thread is in a wait that nothing has ended.
    fn is_left_waiting(&self, me: usize, op: Op) -> bool {
        let Actor { phase, token, woken, late, .. } = self.actors[me];
        match op {
            Op::Wait | Op::WaitFor(_) => phase == 2 && !woken && !late,
            Op::ParkFor(_) => phase == 1 && !token && !late,
            _ => false,
        }
    }

    fn op(&self, program: &Program, me: usize) -> Option<Op> {
        program.threads[me].get(usize::from(self.actors[me].at)).copied()
    }

    /// Time passes until the first wait ends.
    fn leap(&self) -> Option<State> {
        let now = self.actors.iter().map(|a| a.deadline).filter(|d| *d > 0).min()?;
        let mut next = State { now, ..self.clone() };
        let due = next.actors.iter().position(|a| a.deadline == now)?;
        (next.actors[due].deadline, next.actors[due].late) = (0, true);
        next.asleep.retain(|t| usize::from(*t) != due);
        Some(next)
    }

    fn outcome(&self, program: &Program) -> Outcome {
        let log = |i: usize| self.actors.get(i).map_or(0, |a| a.log);
        let ended = (0..self.actors.len()).all(|me| self.op(program, me).is_none());
        let [a, b] = self.atomics;
        let [c, d] = self.guarded;
        let end = if ended { left([a, b, c, d, self.written]) } else { DEADLOCK };
        [log(0), log(1), log(2), end]
    }

    /// The state after a step of this thread, if it can take one.
    fn step(&self, program: &Program, me: usize, op: Op) -> Option<State> {
        let mut next = self.clone();
        let done = next.act(program, me, op)?;
        let actor = &mut next.actors[me];
        if let Done::Tells(what) = done {
            actor.log = tell(actor.log, what);
        }
        match done {
            Done::Part(phase) => actor.phase = phase,
            _ => {
                (actor.at, actor.phase) = (actor.at + 1, 0);
                (actor.deadline, actor.late, actor.memo) = (0, false, 0);
                (actor.woken, actor.given) = (false, None);
            }
        }
        Some(next)
    }

    /// Takes a step; none if the thread cannot.
    fn act(&mut self, program: &Program, me: usize, op: Op) -> Option<Done> {
        match op {
            Op::Load(a) => Some(Done::Tells(self.atomics[usize::from(a)])),
            Op::Add(a) => Some(Done::Tells(self.add(usize::from(a)))),
            Op::Lock(_) | Op::TryLock(_) | Op::Unlock(_) => self.mutex(me, op),
            Op::Read | Op::Write | Op::TryWrite | Op::Release => self.lock(me, op),
            Op::Wait | Op::WaitFor(_) | Op::NotifyOne | Op::NotifyAll => {
                self.condition(me, op, program.spurious)
            }
            Op::Park | Op::ParkFor(_) | Op::Unpark(_) => self.parking(me, op, program.spurious),
            Op::Send(_) | Op::TrySend(_) | Op::Recv | Op::TryRecv | Op::RecvFor(_) | Op::HangUp => {
                self.channel(program.channel, me, op)
            }
            Op::Arrive => self.arrive(me),
            Op::Sleep(time) if self.actors[me].phase == 0 => {
                self.wait_for(me, time);
                Some(Done::Part(1))
            }
            Op::Sleep(_) => self.actors[me].late.then_some(Done::Silently),
            _ => self.cell(me, op),
        }
    }

    fn add(&mut self, a: usize) -> u8 {
        self.atomics[a] += 1;
        self.atomics[a] - 1
    }

    /// The thread's wait ends after this duration.
    fn wait_for(&mut self, me: usize, time: u8) {
        self.actors[me].deadline = self.now + (1 << time);
    }
}

/// What a step has done.
enum Done {
    /// The operation, which tells something.
    Tells(u8),
    /// The operation.
    Silently,
    /// A part of it: this one is next.
    Part(u8),
}
