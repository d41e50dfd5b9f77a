//! Tiny concurrent programs, and an interpreter that asks a decider as the machine does.

use std::collections::BTreeSet;

use mapcheck_machine::{
    Access, Consult, Decider, Kind, Order, Reason, Slice, ThreadId, ThreadView,
};

use crate::scheduler::splitmix;

/// Times that a thread may read the same in a row, as in the machine.
const SPINS: usize = 24;
/// Steps after which a program does not end.
const ENDLESS: u64 = 20_000;

/// What a thread of a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Do {
    /// Reads a word and keeps the value.
    Load(usize),
    /// Writes a word.
    Store(usize, u64),
    /// Writes one byte of a word, and reads one.
    StoreByte(usize, usize),
    LoadByte(usize, usize),
    /// Compare-exchange; keeps what it finds.
    Cas(usize, u64, u64),
    Add(usize, u64),
    /// A mutex as the standard library has it: a compare-exchange, and a futex where it is taken.
    Lock(usize),
    Unlock(usize),
    /// Reads until the word is not 0.
    Await(usize),
    /// The same, with a yield after each read.
    YieldUntil(usize),
    /// Reads up to so many times until the word is not 0, and keeps whether it was.
    Try(usize, usize),
    Yield,
    /// Allocates a block and writes to it; puts it into a word; takes it out of a word and frees it; reads what a word
    /// refers to.
    Publish(usize),
    Discard(usize),
    Deref(usize),
    /// Ends the execution.
    Fail,
    /// An operation begins: a point with a new label.
    Call,
    /// Lets the next thread that has not been started begin.
    Start,
}

/// Threads; all but the first may wait to be started.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub threads: Vec<Vec<Do>>,
    /// How many threads there are at first.
    pub at_first: usize,
}

pub(super) const WORDS: usize = 4;
const HEAP: usize = 0x10_0000;

fn word(i: usize) -> usize {
    0x1000 + 8 * i
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Runs,
    Waits(usize),
    Ended,
}

/// Where a thread stands.
#[derive(Clone, Debug)]
struct Thread {
    at: usize,
    /// Which part of an instruction comes next.
    part: usize,
    register: u64,
    status: Status,
    label: u32,
    values: Vec<u64>,
    pending: Access,
    blocks: u64,
}

/// What became of an execution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Outcome {
    pub memory: Vec<u64>,
    pub values: Vec<Vec<u64>>,
    /// Why it ended early.
    pub fault: Option<&'static str>,
    /// Calls that returned before another one was made: thread and number of each.
    pub calls: BTreeSet<[usize; 4]>,
}

/// A step, as the order of steps is told by.
#[derive(Clone, Copy, Debug)]
struct Step {
    thread: usize,
    access: Access,
    calls: bool,
    returns: bool,
}

/// An execution under way.
pub(super) struct Interpreter<'a> {
    program: &'a Program,
    threads: Vec<Thread>,
    memory: [u64; WORDS],
    /// Live blocks: address, owner's name of it.
    blocks: Vec<(usize, u64)>,
    top: usize,
    steps: Vec<Step>,
    spins: (usize, u64, usize),
    local: Vec<u64>,
    fault: Option<&'static str>,
    returned: Vec<(usize, usize, usize)>,
    called: Vec<(usize, usize, usize)>,
    /// Whether a thread that waits for a word cannot run, and does not spin.
    pub guarded: bool,
}

/// What an execution shows.
pub(super) struct Shown {
    pub outcome: Outcome,
    /// The order of the steps that depend on each other, as a number.
    pub trace: u64,
    /// The same, of those that depend on each other in memory.
    pub memory_trace: u64,
    pub steps: u64,
}

fn access(kind: Kind, addr: usize, size: usize) -> Access {
    Access { kind, addr, size, order: Order::SeqCst }
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(program: &'a Program) -> Interpreter<'a> {
        let mut interpreter = Interpreter {
            program,
            threads: Vec::new(),
            memory: [0; WORDS],
            blocks: Vec::new(),
            top: HEAP,
            steps: Vec::new(),
            spins: (0, 0, 0),
            local: vec![0; program.threads.len()],
            fault: None,
            returned: Vec::new(),
            called: Vec::new(),
            guarded: false,
        };
        (0..program.at_first).for_each(|_| interpreter.start());
        interpreter
    }

    fn start(&mut self) {
        let pending = Access::NONE;
        self.threads.push(Thread {
            at: 0,
            part: 0,
            register: 0,
            status: Status::Runs,
            label: 0,
            values: Vec::new(),
            pending,
            blocks: 0,
        });
        let new = self.threads.len() - 1;
        self.stand(new);
    }

    /// Whether a thread can take a step.
    fn runs(&self, thread: usize) -> bool {
        let t = &self.threads[thread];
        let action = self.program.threads[thread].get(t.at);
        let waits = match action {
            Some(Do::Await(w) | Do::YieldUntil(w)) => self.guarded && self.memory[*w] == 0,
            _ => false,
        };
        t.status == Status::Runs && !waits
    }

    fn running(&self) -> usize {
        (0..self.threads.len()).filter(|&t| self.runs(t)).count()
    }

    /// Runs to the end.
    pub(super) fn run(mut self, decider: &mut dyn Decider) -> Shown {
        let (mut current, mut reason, mut asked) = (0, Reason::Point, true);
        let mut left = 0;
        loop {
            if self.fault.is_some() || self.threads.iter().all(|t| t.status == Status::Ended) {
                break;
            }
            if self.running() == 0 {
                self.fault = Some("deadlock");
                break;
            }
            if asked || left == 0 {
                let slice = self.ask(decider, current, reason);
                let next = slice.thread as usize;
                assert!(self.runs(next), "chose one that cannot run");
                if next != current {
                    self.spins.2 = 0;
                }
                (current, left) = (next, slice.points);
            }
            left -= 1;
            let threads = self.running();
            reason = self.step(current);
            if !self.runs(current) {
                reason = Reason::Blocked;
            }
            asked = reason != Reason::Point || self.running() > threads;
            assert!((self.steps.len() as u64) < ENDLESS, "endless: {:?}", self.program);
        }
        self.show()
    }

    fn ask(&self, decider: &mut dyn Decider, current: usize, reason: Reason) -> Slice {
        let view = |t: usize| ThreadView {
            runnable: self.runs(t),
            pending: self.threads[t].pending,
            label: self.threads[t].label,
        };
        let views: Vec<ThreadView> = (0..self.threads.len()).map(view).collect();
        let consult = Consult {
            current: current as ThreadId,
            local_step: self.local[current],
            step: self.steps.len() as u64,
            reason,
            spent: true,
            threads: &views,
            runnable: &mapcheck_machine::Runnable::of(&views),
        };
        decider.schedule(&consult)
    }

    /// What the thread does next.
    fn stand(&mut self, thread: usize) {
        let t = &self.threads[thread];
        let Some(action) = self.program.threads[thread].get(t.at) else { return };
        let block = |name: u64| self.blocks.iter().find(|b| b.1 == name).map_or(0, |b| b.0);
        let atomic = |kind, w: usize| access(kind, word(w), 8);
        let pending = match (*action, t.part) {
            (Do::Load(w) | Do::Await(w) | Do::Try(w, _), _) => atomic(Kind::AtomicLoad, w),
            (Do::YieldUntil(w), 0) => atomic(Kind::AtomicLoad, w),
            (Do::Store(w, _), _) => atomic(Kind::AtomicStore, w),
            (Do::StoreByte(w, b), _) => access(Kind::Write, word(w) + b, 1),
            (Do::LoadByte(w, b), _) => access(Kind::Read, word(w) + b, 1),
            (Do::Cas(w, ..) | Do::Add(w, _) | Do::Lock(w), 0) => atomic(Kind::AtomicRmw, w),
            (Do::Lock(w), _) => access(Kind::Sync, word(w), 4),
            (Do::Unlock(w), 0) => atomic(Kind::AtomicStore, w),
            (Do::Unlock(w), _) => access(Kind::Sync, word(w), 4),
            (Do::Publish(_), 0) => access(Kind::Alloc, 0, 16),
            (Do::Publish(_), 1) => access(Kind::Write, block(t.register) + 8, 8),
            (Do::Publish(w) | Do::Discard(w), 0 | 2) => atomic(Kind::AtomicRmw, w),
            (Do::Discard(_), _) => access(Kind::Free, block(t.register), 16),
            (Do::Deref(w), 0) => atomic(Kind::AtomicLoad, w),
            (Do::Deref(_), _) => access(Kind::Read, block(t.register) + 8, 8),
            (Do::Start, _) => access(Kind::Sync, 0, 0),
            _ => Access::NONE,
        };
        let t = &mut self.threads[thread];
        t.pending = pending;
        if *action == Do::Call && t.part == 0 {
            // The label changes where the operation before has returned.
            t.label += 1;
            let call = (thread, t.label as usize - 1, self.steps.len());
            if call.1 > 0 {
                self.returned.push(call);
            }
        }
    }

    /// Takes the next step of a thread, and stands before the one after.
    fn step(&mut self, thread: usize) -> Reason {
        self.local[thread] += 1;
        let (access, label) = (self.threads[thread].pending, self.threads[thread].label);
        let action = self.program.threads[thread].get(self.threads[thread].at).copied();
        let calls = action == Some(Do::Call);
        let resumed = self.threads[thread].part >= 10;
        let access = if resumed { Access::NONE } else { access };
        self.steps.push(Step { thread, access, calls, returns: false });
        if calls {
            self.called.push((thread, label as usize, self.steps.len() - 1));
        }
        let reason = match action {
            Some(action) => self.act(thread, action),
            None => Reason::Point,
        };
        let last = self.steps.len() - 1;
        if reason == Reason::Yield && self.threads[thread].part >= 10 {
            return reason;
        }
        self.stand(thread);
        let ended = self.threads[thread].at >= self.program.threads[thread].len();
        let now = &mut self.threads[thread];
        if ended && now.status == Status::Runs {
            (now.status, now.pending) = (Status::Ended, Access::NONE);
            if now.label > 0 {
                self.returned.push((thread, now.label as usize, last + 1));
                now.label = 0;
            }
        }
        let over = self.threads[thread].status == Status::Ended;
        self.steps[last].returns = over || label > 0 && self.threads[thread].label != label;
        if self.threads[thread].status == Status::Runs { reason } else { Reason::Blocked }
    }

    fn next(&mut self, thread: usize, part: usize) -> Reason {
        let t = &mut self.threads[thread];
        (t.at, t.part) = if part == 0 { (t.at + 1, 0) } else { (t.at, part) };
        Reason::Point
    }

    /// Reads an atomic word, and says whether the thread spins.
    fn read(&mut self, w: usize) -> (u64, bool) {
        let value = self.memory[w];
        let same = self.spins.0 == w + 1 && self.spins.1 == value;
        let count = if same { self.spins.2 + 1 } else { 0 };
        let spins = count >= SPINS;
        self.spins = (w + 1, value, if spins { 0 } else { count });
        (value, spins)
    }

    fn write(&mut self, w: usize, value: u64) {
        self.spins.2 = 0;
        self.memory[w] = value;
    }

    fn act(&mut self, thread: usize, action: Do) -> Reason {
        match action {
            Do::Load(w) => {
                let (value, _) = self.read(w);
                self.keep(thread, value)
            }
            Do::Store(w, value) => {
                self.write(w, value);
                self.next(thread, 0)
            }
            Do::Cas(w, old, new) => {
                let (value, _) = self.read(w);
                if value == old {
                    self.write(w, new);
                }
                self.keep(thread, value)
            }
            Do::Add(w, by) => {
                self.write(w, self.memory[w].wrapping_add(by));
                self.next(thread, 0)
            }
            Do::StoreByte(w, b) => {
                self.memory[w] ^= 0x55 << (8 * b);
                self.memory[w] =
                    self.memory[w] & !(0xff << (8 * b)) | (1 + thread as u64) << (8 * b);
                self.next(thread, 0)
            }
            Do::LoadByte(w, b) => self.keep(thread, self.memory[w] >> (8 * b) & 0xff),
            Do::Lock(_) | Do::Unlock(_) => self.lock(thread, action),
            Do::Await(_) | Do::YieldUntil(_) | Do::Try(..) | Do::Yield => self.spin(thread, action),
            Do::Publish(_) | Do::Discard(_) | Do::Deref(_) => self.heap(thread, action),
            Do::Call => self.next(thread, 0),
            Do::Fail => {
                self.fault = Some(["the first failed", "the second failed"][thread]);
                self.next(thread, 0)
            }
            Do::Start => {
                if self.threads.len() < self.program.threads.len() {
                    self.start();
                }
                self.next(thread, 0)
            }
        }
    }

    fn keep(&mut self, thread: usize, value: u64) -> Reason {
        self.threads[thread].values.push(value);
        self.next(thread, 0)
    }

    fn lock(&mut self, thread: usize, action: Do) -> Reason {
        match (action, self.threads[thread].part) {
            (Do::Lock(w), 0) => {
                let taken = self.read(w).0 != 0;
                if !taken {
                    self.write(w, 1);
                }
                self.next(thread, usize::from(taken))
            }
            (Do::Lock(w), 1) => {
                if self.memory[w] == 0 {
                    self.threads[thread].part = 0;
                    return Reason::Point;
                }
                self.threads[thread].status = Status::Waits(w);
                self.next(thread, 10)
            }
            (Do::Lock(_), _) => {
                self.threads[thread].part = 0;
                Reason::Point
            }
            (Do::Unlock(w), 0) => {
                self.write(w, 0);
                self.next(thread, 1)
            }
            (Do::Unlock(w), _) => {
                let waits = |t: &&mut Thread| t.status == Status::Waits(w);
                if let Some(woken) = self.threads.iter_mut().find(waits) {
                    woken.status = Status::Runs;
                }
                self.next(thread, 0)
            }
            _ => unreachable!(),
        }
    }

    /// Part 10 is where the thread stands after a yield; 11 is the same, where the instruction is done.
    fn spin(&mut self, thread: usize, action: Do) -> Reason {
        match (action, self.threads[thread].part) {
            (_, 10) => {
                self.threads[thread].part = 0;
                Reason::Point
            }
            (_, 11) => self.next(thread, 0),
            (Do::Await(w) | Do::YieldUntil(w), _) => {
                let (value, spins) = self.read(w);
                if value != 0 {
                    return self.next(thread, 0);
                }
                let explicit = matches!(action, Do::YieldUntil(_));
                if explicit {
                    self.threads[thread].pending = Access::NONE;
                }
                if !explicit && !spins {
                    return Reason::Point;
                }
                self.next(thread, 10);
                Reason::Yield
            }
            (Do::Try(w, times), _) => self.attempt(thread, w, times),
            _ => {
                self.next(thread, 11);
                Reason::Yield
            }
        }
    }

    fn attempt(&mut self, thread: usize, w: usize, times: usize) -> Reason {
        let (value, spins) = self.read(w);
        let t = &mut self.threads[thread];
        t.register += 1;
        if value != 0 || t.register >= times as u64 {
            t.register = 0;
            return self.keep(thread, u64::from(value != 0));
        }
        if !spins {
            return Reason::Point;
        }
        self.next(thread, 10);
        Reason::Yield
    }

    fn heap(&mut self, thread: usize, action: Do) -> Reason {
        let register = self.threads[thread].register;
        let live = self.blocks.iter().any(|b| b.1 == register);
        match (action, self.threads[thread].part) {
            (Do::Publish(_), 0) => {
                self.threads[thread].blocks += 1;
                let name = 100 * (thread as u64 + 1) + self.threads[thread].blocks;
                self.threads[thread].register = name;
                self.blocks.push((self.top, name));
                self.top += 32;
                self.next(thread, 1)
            }
            (Do::Publish(_), 1) => self.next(thread, 2),
            (Do::Publish(w), _) => {
                self.write(w, register);
                self.next(thread, 0)
            }
            (Do::Discard(w) | Do::Deref(w), 0) => {
                let (value, _) = self.read(w);
                if matches!(action, Do::Discard(_)) {
                    self.write(w, 0);
                }
                self.threads[thread].register = value;
                self.threads[thread].values.push(value);
                self.next(thread, usize::from(value != 0))
            }
            (Do::Discard(_), _) => {
                self.fault = if live { None } else { Some("freed twice") };
                self.blocks.retain(|b| b.1 != register);
                self.next(thread, 0)
            }
            _ => {
                self.fault = if live { None } else { Some("use after free") };
                self.next(thread, 0)
            }
        }
    }

    fn show(self) -> Shown {
        let early = self.fault.is_some_and(|f| f != "deadlock");
        let mut calls = BTreeSet::new();
        for &(t, n, at) in &self.returned {
            let later = self.called.iter().filter(|c| c.0 != t && c.2 >= at);
            calls.extend(later.map(|c| [t, n, c.0, c.1]));
        }
        let outcome = match early {
            true => Outcome { fault: self.fault, ..Outcome::default() },
            false => Outcome {
                memory: self.memory.to_vec(),
                values: self.threads.iter().map(|t| t.values.clone()).collect(),
                fault: self.fault,
                calls,
            },
        };
        Shown {
            outcome,
            trace: trace(&self.steps, dependent),
            memory_trace: trace(&self.steps, in_memory),
            steps: self.steps.len() as u64,
        }
    }
}

/// Whether two steps of different threads must keep their order because of what they touch, or how threads are
/// numbered; written apart from what it is to be compared with.
fn in_memory(a: &Step, b: &Step) -> bool {
    use Kind::*;
    let memory = |k: Kind| !matches!(k, None | Fence | Alloc);
    let (p, q) = (&a.access, &b.access);
    let reads = |k: Kind| matches!(k, Read | AtomicLoad);
    let overlap = p.addr < q.addr + q.size && q.addr < p.addr + p.size;
    memory(p.kind) && memory(q.kind) && overlap && !(reads(p.kind) && reads(q.kind))
        || starts(a) && starts(b)
}

fn starts(step: &Step) -> bool {
    step.access.kind == Kind::Sync && step.access.addr == 0
}

/// Whether two steps of different threads must keep their order.
fn dependent(a: &Step, b: &Step) -> bool {
    let begins = |s: &Step| s.calls || starts(s);
    in_memory(a, b) || begins(a) && b.returns || a.returns && begins(b)
}

/// A number for the order of all pairs of dependent steps.
fn trace(steps: &[Step], dependent: impl Fn(&Step, &Step) -> bool) -> u64 {
    let mut counts = [0_u64; 32];
    let mut names = Vec::new();
    for step in steps {
        counts[step.thread] += 1;
        names.push((step.thread as u64) << 32 | counts[step.thread]);
    }
    let mut sum = counts.iter().fold(7, |sum: u64, c| splitmix(sum ^ c));
    for i in 0..steps.len() {
        for j in i + 1..steps.len() {
            if steps[i].thread != steps[j].thread && dependent(&steps[i], &steps[j]) {
                // The sum does not depend on the order of the pairs.
                sum = sum.wrapping_add(splitmix(splitmix(names[i]) ^ names[j]));
            }
        }
    }
    sum
}
