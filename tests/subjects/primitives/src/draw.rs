//! Drawing programs.

use crate::program::{Channel, Op, Program};

/// What programs are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Mutexes,
    Condition,
    Lock,
    Parking,
    Channel,
    Barrier,
    Cells,
    Time,
}
use Family::*;

const FAMILIES: [Family; 8] = [Mutexes, Condition, Lock, Parking, Channel, Barrier, Cells, Time];

/// Steele, Lea and Flood's SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A program under way.
struct Draft {
    dice: Dice,
    families: Vec<Family>,
    channel: Channel,
    threads: usize,
    /// Durations drawn so far.
    durations: u8,
    /// Numbers drawn so far.
    numbers: u8,
}

/// The program of this number, at this attempt, and a number more.
pub fn program(number: u64, attempt: u64) -> (Program, u64) {
    let mut dice = Dice(number.wrapping_mul(0x1000_0000_01b3) ^ attempt << 48);
    let first = dice.of(&FAMILIES);
    let second = dice.of(&FAMILIES);
    // The standard library's channels park, so that a program that parks too sees their traces.
    let apart = [(Parking, Channel), (Channel, Parking)].contains(&(first, second));
    let families = if apart || dice.below(2) == 0 { vec![first] } else { vec![first, second] };
    let kinds = [Channel::Unbounded, Channel::Bounded(0), Channel::Bounded(1), Channel::Bounded(2)];
    let has_channel = families.contains(&Channel);
    let channel = if has_channel { dice.of(&kinds) } else { Channel::Absent };
    let threads = 2 + dice.below(2);
    let mut draft = Draft { dice, families, channel, threads, durations: 0, numbers: 0 };
    let threads = (0..threads).map(|me| draft.thread(me)).collect();
    let spurious = number % 4 == 3;
    (Program { number, spurious, channel, threads }, draft.dice.next())
}

impl Draft {
    fn thread(&mut self, me: usize) -> Vec<Op> {
        let most = if self.threads == 2 { 4 } else { 2 };
        let mut ops = Vec::new();
        for _ in 0..2 + self.dice.below(3) {
            let step = self.step(me);
            if ops.len() + step.len() <= most + 2 {
                ops.extend(step);
            }
        }
        if self.channel != Channel::Absent {
            ops.push(Op::HangUp);
        }
        ops
    }

    /// An operation, or a few that belong together.
    fn step(&mut self, me: usize) -> Vec<Op> {
        if self.dice.below(5) == 0 {
            return vec![self.plain()];
        }
        let families = self.families.clone();
        match self.dice.of(&families) {
            Mutexes => self.mutexes(),
            Condition => self.condition(),
            Lock => self.lock(),
            Parking => vec![self.parking(me)],
            Channel => vec![self.channel(me)],
            Barrier => vec![Op::Arrive],
            Cells => vec![self.cells()],
            Time => vec![Op::Sleep(self.duration())],
        }
    }

    fn plain(&mut self) -> Op {
        let which = self.dice.below(2) as u8;
        self.dice.of(&[Op::Load(which), Op::Add(which)])
    }

    fn duration(&mut self) -> u8 {
        self.durations += 1;
        self.durations - 1
    }

    fn number(&mut self) -> u8 {
        self.numbers += 1;
        self.numbers
    }

    fn mutexes(&mut self) -> Vec<Op> {
        let m = self.dice.below(2) as u8;
        let inside = self.plain();
        match self.dice.below(5) {
            0 => vec![Op::Lock(m), Op::Unlock(m)],
            1 | 2 => vec![Op::Lock(m), inside, Op::Unlock(m)],
            3 => vec![Op::TryLock(m), inside, Op::Unlock(m)],
            _ => vec![Op::Lock(m), Op::Lock(1 - m), Op::Unlock(m), Op::Unlock(1 - m)],
        }
    }

    fn condition(&mut self) -> Vec<Op> {
        match self.dice.below(6) {
            0 => vec![Op::Lock(0), Op::Wait, Op::Unlock(0)],
            1 | 2 => vec![Op::Lock(0), Op::WaitFor(self.duration()), Op::Unlock(0)],
            3 => vec![Op::Lock(0), Op::NotifyOne, Op::Unlock(0)],
            4 => vec![Op::NotifyOne],
            _ => vec![Op::NotifyAll],
        }
    }

    fn lock(&mut self) -> Vec<Op> {
        let inside = self.plain();
        let begin = self.dice.of(&[Op::Read, Op::Read, Op::Write, Op::TryWrite]);
        if self.dice.below(2) == 0 {
            vec![begin, Op::Release]
        } else {
            vec![begin, inside, Op::Release]
        }
    }

    fn parking(&mut self, me: usize) -> Op {
        // A thread knows those that were there before it; the first knows all.
        let known = if me == 0 { self.threads } else { me + 1 };
        match self.dice.below(6) {
            0 => Op::Park,
            1 | 2 => Op::ParkFor(self.duration()),
            _ => Op::Unpark(self.dice.below(known) as u8),
        }
    }

    fn channel(&mut self, me: usize) -> Op {
        let waits = self.dice.below(2) == 0;
        if me == 0 {
            let late = self.dice.below(4) == 0;
            return match (waits, late) {
                (true, _) => Op::Recv,
                (_, true) => Op::TryRecv,
                _ => Op::RecvFor(self.duration()),
            };
        }
        let number = self.number();
        let bounded = self.channel != Channel::Unbounded;
        if bounded && !waits { Op::TrySend(number) } else { Op::Send(number) }
    }

    fn cells(&mut self) -> Op {
        let number = self.number();
        let all = [Op::Init, Op::Set(number), Op::Get, Op::Force, Op::CallOnce, Op::Called];
        self.dice.of(&all)
    }
}
