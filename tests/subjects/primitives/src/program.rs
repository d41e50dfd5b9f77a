//! Programs: what each thread does, step by step.

use std::fmt;

use crate::draw;
use crate::model;

/// What a thread does. Numbers of durations are different in each program: the `k`th lasts 2^k seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Reads an atomic, and tells.
    Load(u8),
    /// Adds one to an atomic, and tells what it was.
    Add(u8),
    /// Locks a mutex, adds one to what it guards, and tells what that was.
    Lock(u8),
    /// The same, if it is free.
    TryLock(u8),
    /// Unlocks a mutex, if this thread has it.
    Unlock(u8),
    /// Locks the lock to read, and tells what it guards.
    Read,
    /// Locks it to write, adds one, and tells what it was.
    Write,
    /// The same, if it is free.
    TryWrite,
    /// Lets the lock go, if this thread has it.
    Release,
    /// Waits for the condition with mutex 0, which this thread has, and tells what that guards.
    Wait,
    /// The same, for a time; tells whether that had passed, too.
    WaitFor(u8),
    /// Wakes one that waits, or all.
    NotifyOne,
    /// See above.
    NotifyAll,
    /// Parks.
    Park,
    /// Parks for a time.
    ParkFor(u8),
    /// Unparks a thread.
    Unpark(u8),
    /// Sends a number that is nobody else's, and tells whether it could.
    Send(u8),
    /// The same, if that is possible at once.
    TrySend(u8),
    /// Receives, and tells what.
    Recv,
    /// The same, if that is possible at once.
    TryRecv,
    /// The same, if that is possible in time.
    RecvFor(u8),
    /// Drops this thread's end of the channel.
    HangUp,
    /// Waits at the barrier, and tells whether this thread leads.
    Arrive,
    /// Gets the cell, made from a count of atomic 0 if it is empty, and tells.
    Init,
    /// Sets the cell, and tells whether it could.
    Set(u8),
    /// Gets the cell, and tells.
    Get,
    /// Gets the lazy cell, made from a count of atomic 1 when it is first asked for.
    Force,
    /// Counts atomic 1 once, whoever is first.
    CallOnce,
    /// Tells whether that is done.
    Called,
    /// Sleeps.
    Sleep(u8),
}

/// A channel between the threads: the first has the receiver, each of the others a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// None.
    Absent,
    /// `mpsc::channel`.
    Unbounded,
    /// `mpsc::sync_channel` of so many.
    Bounded(u8),
}

/// A program of two or three threads.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its number: the same number is the same program for ever.
    pub number: u64,
    /// Whether waits may end though nobody has ended them.
    pub spurious: bool,
    /// The channel that it has.
    pub channel: Channel,
    /// What the threads do.
    pub threads: Vec<Vec<Op>>,
}

/// Outcomes of a program, at most: larger ones take long to show all of them.
const OUTCOMES: usize = 20;

/// What an execution shows: what each thread tells, a byte at a time, and what is left at the end.
pub type Outcome = [u64; 4];

/// What stands in place of what is left where no thread can go on.
pub const DEADLOCK: u64 = u64::MAX;

/// What a thread tells that is no number.
pub mod told {
    /// It could not have it at once.
    pub const BUSY: u8 = 200;
    /// The other end is gone.
    pub const GONE: u8 = 201;
    /// Time had passed.
    pub const LATE: u8 = 202;
    /// Yes.
    pub const YES: u8 = 1;
    /// No.
    pub const NO: u8 = 0;
}

/// Adds what a thread tells to what it told before.
pub fn tell(log: u64, what: u8) -> u64 {
    log << 8 | (u64::from(what) + 1)
}

/// What is left at the end, as a word.
pub fn left(words: [u8; 5]) -> u64 {
    words.into_iter().fold(1, |all, word| all << 8 | u64::from(word))
}

impl Program {
    /// The program of this number, and what it may show.
    pub fn drawn(number: u64) -> (Program, model::Shown) {
        let mut attempt = 0;
        loop {
            let (program, dice) = draw::program(number, attempt);
            attempt += 1;
            let Some(shown) = model::enumerate(&program) else { continue };
            let stuck = shown.outcomes.iter().any(|o| o[3] == DEADLOCK);
            // Each deadlock costs a process: a tenth of those that may come to one is enough.
            if (2..=OUTCOMES).contains(&shown.outcomes.len()) && (!stuck || dice.is_multiple_of(10))
            {
                return (program, shown);
            }
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spurious = if self.spurious { ", spurious wakes" } else { "" };
        write!(f, "program {} {:?}{spurious}", self.number, self.channel)?;
        self.threads.iter().try_for_each(|ops| write!(f, "\n    {ops:?}"))
    }
}
