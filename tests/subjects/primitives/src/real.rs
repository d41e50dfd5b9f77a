//! The programs as code: plain `std` types, on threads of `std`.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::mpsc::{
    self, Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, TrySendError,
};
use std::sync::{
    Barrier, Condvar, LazyLock, Mutex, MutexGuard, Once, OnceLock, RwLock, RwLockReadGuard,
    RwLockWriteGuard,
};
use std::thread::{self, Thread};
use std::time::Duration;

use mapcheck_machine::Shared;

use crate::program::{Channel, Op, Program, left, tell, told};

type Maker = Box<dyn FnOnce() -> u8 + Send>;

/// What the threads share.
struct World {
    atomics: &'static [AtomicU8; 2],
    mutexes: [Mutex<u8>; 2],
    condition: Condvar,
    lock: RwLock<u8>,
    barrier: Barrier,
    cell: OnceLock<u8>,
    lazy: LazyLock<u8, Maker>,
    once: Once,
}

impl World {
    fn new() -> World {
        let atomics: &'static [AtomicU8; 2] = Box::leak(Box::default());
        let lazy: Maker = Box::new(|| atomics[1].fetch_add(1, SeqCst) + 1);
        World {
            atomics,
            mutexes: Default::default(),
            condition: Condvar::new(),
            lock: RwLock::new(0),
            barrier: Barrier::new(2),
            cell: OnceLock::new(),
            lazy: LazyLock::new(lazy),
            once: Once::new(),
        }
    }
}

/// A thread's end of the channel.
enum End {
    None,
    Receiver(Receiver<u8>),
    Sender(Sender<u8>),
    SyncSender(SyncSender<u8>),
}

/// What a thread has.
struct Actor {
    me: usize,
    world: &'static World,
    known: Vec<Thread>,
    end: End,
    held: [Option<MutexGuard<'static, u8>>; 2],
    reads: Option<RwLockReadGuard<'static, u8>>,
    writes: Option<RwLockWriteGuard<'static, u8>>,
    log: u64,
    shared: &'static Shared,
}

/// The ends of the program's channel, the receiver first.
fn ends(program: &Program) -> Vec<End> {
    let others = program.threads.len() - 1;
    match program.channel {
        Channel::Absent => (0..=others).map(|_| End::None).collect(),
        Channel::Unbounded => {
            let (sender, receiver) = mpsc::channel();
            let senders = (0..others).map(|_| End::Sender(sender.clone()));
            [End::Receiver(receiver)].into_iter().chain(senders).collect()
        }
        Channel::Bounded(most) => {
            let (sender, receiver) = mpsc::sync_channel(most.into());
            let senders = (0..others).map(|_| End::SyncSender(sender.clone()));
            [End::Receiver(receiver)].into_iter().chain(senders).collect()
        }
    }
}

/// Runs a program. The words of the outcome go into the first counters as they become known, which is no schedule point
/// and survives a deadlock.
pub fn run(program: &'static Program, shared: &'static Shared) {
    let world: &'static World = Box::leak(Box::new(World::new()));
    let mut known = vec![thread::current()];
    let mut ends = ends(program).into_iter();
    let first = ends.next().expect("there is a first thread");
    let mut started = Vec::new();
    for (me, (ops, end)) in (1..).zip(program.threads[1..].iter().zip(ends)) {
        let known_to_it = known.clone();
        let body = move || Actor::new(me, world, known_to_it, end, shared).perform(ops);
        let handle = thread::spawn(body);
        known.push(handle.thread().clone());
        started.push(handle);
    }
    Actor::new(0, world, known, first, shared).perform(&program.threads[0]);
    started.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    let guarded = |m: &Mutex<u8>| *m.lock().expect("nobody panics");
    let [a, b] = world.atomics.each_ref().map(|a| a.load(SeqCst));
    let [c, d] = world.mutexes.each_ref().map(guarded);
    shared.set_counter(3, left([a, b, c, d, *world.lock.read().expect("nobody panics")]));
}

fn duration(number: u8) -> Duration {
    Duration::from_secs(1 << number)
}

impl Actor {
    fn new(
        me: usize,
        world: &'static World,
        known: Vec<Thread>,
        end: End,
        shared: &'static Shared,
    ) -> Actor {
        let (held, reads, writes) = ([None, None], None, None);
        Actor { me, world, known, end, held, reads, writes, log: 0, shared }
    }

    fn perform(mut self, ops: &[Op]) {
        for op in ops {
            if let Some(what) = self.act(*op) {
                self.log = tell(self.log, what);
                self.shared.set_counter(self.me, self.log);
            }
        }
    }

    fn act(&mut self, op: Op) -> Option<u8> {
        let me = self.me;
        match op {
            Op::Load(a) => return Some(self.world.atomics[usize::from(a)].load(SeqCst)),
            Op::Add(a) => return Some(self.world.atomics[usize::from(a)].fetch_add(1, SeqCst)),
            Op::Lock(_) | Op::TryLock(_) | Op::Unlock(_) => return self.mutex(op),
            Op::Read | Op::Write | Op::TryWrite | Op::Release => return self.lock(op),
            Op::Wait | Op::WaitFor(_) => return Some(self.wait(op)),
            Op::NotifyOne => self.world.condition.notify_one(),
            Op::NotifyAll => self.world.condition.notify_all(),
            Op::Park => thread::park(),
            Op::ParkFor(time) => thread::park_timeout(duration(time)),
            Op::Unpark(other) if usize::from(other) == me => thread::current().unpark(),
            Op::Unpark(other) => self.known[usize::from(other)].unpark(),
            Op::Send(_) | Op::TrySend(_) => return Some(self.send(op)),
            Op::Recv | Op::TryRecv | Op::RecvFor(_) => return Some(self.receive(op)),
            Op::HangUp => self.end = End::None,
            Op::Arrive => return Some(self.world.barrier.wait().is_leader().into()),
            Op::Sleep(time) => thread::sleep(duration(time)),
            _ => return self.cells(op),
        }
        None
    }

    fn mutex(&mut self, op: Op) -> Option<u8> {
        let world = self.world;
        let (m, guard) = match op {
            Op::Lock(m) => (m, world.mutexes[usize::from(m)].lock().ok()),
            Op::TryLock(m) => (m, world.mutexes[usize::from(m)].try_lock().ok()),
            Op::Unlock(m) => {
                self.held[usize::from(m)] = None;
                return None;
            }
            _ => unreachable!(),
        };
        let Some(mut guard) = guard else { return Some(told::BUSY) };
        *guard += 1;
        let was = *guard - 1;
        self.held[usize::from(m)] = Some(guard);
        Some(was)
    }

    fn lock(&mut self, op: Op) -> Option<u8> {
        let world = self.world;
        let writes = match op {
            Op::Read => {
                let guard = world.lock.read().expect("nobody panics");
                let value = *guard;
                self.reads = Some(guard);
                return Some(value);
            }
            Op::Write => world.lock.write().ok(),
            Op::TryWrite => world.lock.try_write().ok(),
            _ => {
                (self.reads, self.writes) = (None, None);
                return None;
            }
        };
        let Some(mut guard) = writes else { return Some(told::BUSY) };
        *guard += 1;
        let was = *guard - 1;
        self.writes = Some(guard);
        Some(was)
    }

    fn wait(&mut self, op: Op) -> u8 {
        let guard = self.held[0].take().expect("it has the mutex");
        let condition = &self.world.condition;
        let (guard, late) = match op {
            Op::WaitFor(time) => {
                let waited = condition.wait_timeout(guard, duration(time)).expect("nobody panics");
                (waited.0, waited.1.timed_out())
            }
            _ => (condition.wait(guard).expect("nobody panics"), false),
        };
        let value = *guard << 1 | u8::from(late);
        self.held[0] = Some(guard);
        value
    }

    fn send(&self, op: Op) -> u8 {
        let sent = match (&self.end, op) {
            (End::Sender(end), Op::Send(n)) => end.send(n).map_err(|_| told::GONE),
            (End::SyncSender(end), Op::Send(n)) => end.send(n).map_err(|_| told::GONE),
            (End::SyncSender(end), Op::TrySend(n)) => end.try_send(n).map_err(|e| match e {
                TrySendError::Full(_) => told::BUSY,
                TrySendError::Disconnected(_) => told::GONE,
            }),
            _ => unreachable!(),
        };
        sent.map_or_else(|error| error, |()| told::YES)
    }

    fn receive(&self, op: Op) -> u8 {
        let End::Receiver(end) = &self.end else { unreachable!() };
        let received = match op {
            Op::Recv => end.recv().map_err(|_| told::GONE),
            Op::TryRecv => end.try_recv().map_err(|e| match e {
                TryRecvError::Empty => told::BUSY,
                TryRecvError::Disconnected => told::GONE,
            }),
            Op::RecvFor(time) => end.recv_timeout(duration(time)).map_err(|e| match e {
                RecvTimeoutError::Timeout => told::LATE,
                RecvTimeoutError::Disconnected => told::GONE,
            }),
            _ => unreachable!(),
        };
        received.unwrap_or_else(|error| error)
    }

    fn cells(&self, op: Op) -> Option<u8> {
        let world = self.world;
        let count = |a: usize| world.atomics[a].fetch_add(1, SeqCst) + 1;
        Some(match op {
            Op::Init => *world.cell.get_or_init(|| count(0)),
            Op::Set(number) => world.cell.set(100 + number).is_ok().into(),
            Op::Get => world.cell.get().copied().unwrap_or(told::BUSY),
            Op::Force => *LazyLock::force(&world.lazy),
            Op::CallOnce => {
                world.once.call_once(|| _ = count(1));
                return None;
            }
            _ => world.once.is_completed().into(),
        })
    }
}
