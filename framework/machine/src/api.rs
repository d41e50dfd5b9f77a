//! The machine's border: what it asks of a decider, and what it tells an observer.
//!
//! Everything here is plain data. The machine names no scheduler, no oracle and no map.

use std::hint::black_box;

use crate::runnable::Runnable;
use crate::stack::Stack;

/// Index of a virtual thread within an execution; the root thread is 0.
pub type ThreadId = u32;

/// What kind of access a thread is about to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A schedule point that touches no memory: an operation, a callback, a yield.
    None,
    /// A plain read.
    Read,
    /// A plain write.
    Write,
    /// An atomic load.
    AtomicLoad,
    /// An atomic store.
    AtomicStore,
    /// An atomic read-modify-write, compare-exchange included.
    AtomicRmw,
    /// A memory fence.
    Fence,
    /// An allocation.
    Alloc,
    /// A deallocation.
    Free,
    /// A futex wait, wake, a join or a spawn.
    Sync,
}

/// C11 memory order of an atomic access; plain accesses are `Relaxed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Order {
    /// No ordering.
    Relaxed,
    /// Acquire.
    Acquire,
    /// Release.
    Release,
    /// Acquire and release.
    AcqRel,
    /// Sequentially consistent.
    SeqCst,
}

/// The step a thread takes next: its *pending operation*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it does.
    pub kind: Kind,
    /// The address, 0 where there is none.
    pub addr: usize,
    /// Bytes touched.
    pub size: usize,
    /// Memory order.
    pub order: Order,
}

impl Access {
    /// A step that touches no memory.
    pub const NONE: Access = Access { kind: Kind::None, addr: 0, size: 0, order: Order::Relaxed };

    /// Becomes another, part by part: to read in one go what was just written in parts stalls the processor.
    #[inline(always)]
    pub(crate) fn set(&mut self, other: &Access) {
        self.addr = black_box(other.addr);
        self.kind = other.kind;
        self.size = black_box(other.size);
        self.order = other.order;
    }

    /// Whether it is more than a plain access, see [`Slice::visible`].
    #[inline(always)]
    pub fn is_visible(&self) -> bool {
        // What the standard library does uninstrumented is told as a write that orders.
        !matches!(self.kind, Kind::Read | Kind::Write) || self.order != Order::Relaxed
    }
}

/// Why the decider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The slice it granted is used up; the current thread can go on.
    Point,
    /// The current thread yielded, or spins on a value that only another thread can change.
    Yield,
    /// The current thread cannot go on: it waits, or has ended.
    Blocked,
}

/// A thread as the decider sees it.
#[derive(Clone, Copy, Debug)]
pub struct ThreadView {
    /// Whether it can take a step.
    pub runnable: bool,
    /// What it will do in its next step.
    pub pending: Access,
    /// The label under which it does so: its operation, in the caller's numbering; 0 for none.
    pub label: u32,
}

impl ThreadView {
    /// A thread that has not begun: what it will do first is not known.
    pub const NEW: ThreadView = ThreadView { runnable: true, pending: Access::NONE, label: 0 };
}

/// A question to the decider: who runs next, and for how long unasked?
#[derive(Debug)]
pub struct Consult<'a> {
    /// The thread that has just reached a schedule point.
    pub current: ThreadId,
    /// Schedule points that thread has reached so far in this execution. Each value is asked about at most once.
    pub local_step: u64,
    /// Schedule points of all threads so far.
    pub step: u64,
    /// Why it is asked.
    pub reason: Reason,
    /// Whether the slice that was granted last is used up.
    pub spent: bool,
    /// All threads of this execution; at least one is runnable.
    pub threads: &'a [ThreadView],
    /// Those that are.
    pub runnable: &'a Runnable,
}

impl Consult<'_> {
    /// The choice that needs no decision: go on with the current thread where it can and does not yield,
    /// otherwise take the next runnable thread in cyclic order.
    pub fn default_thread(&self) -> ThreadId {
        if self.reason == Reason::Point && self.runnable.contains(self.current) {
            return self.current;
        }
        let next = self.runnable.next_from(self.current + 1);
        next.or_else(|| self.runnable.next_from(0)).unwrap_or(self.current)
    }
}

/// The decider's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The thread to run; must be runnable.
    pub thread: ThreadId,
    /// Schedule points it may pass before the decider is asked again, at least 1. The machine asks earlier when the
    /// thread blocks, ends or yields, or when another thread becomes runnable.
    pub points: u64,
    /// *Visible* points it may reach before the decider is asked again, at least 1: all but those of plain accesses,
    /// which no other thread can see unless there is a data race, or the memory is freed. Godefroid (*Software Model
    /// Checking: The VeriSoft Approach*, 2005) switches threads at visible operations only.
    pub visible: u64,
}

impl Slice {
    /// A slice of so many schedule points of any kind.
    pub const fn new(thread: ThreadId, points: u64) -> Slice {
        Slice { thread, points, visible: u64::MAX }
    }
}

/// A decision that is not about schedules. All but [`ChoiceKind::Data`] and [`ChoiceKind::Suspend`] are asked for only
/// if [`Options::offers`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChoiceKind {
    /// A fault: does the allocator hand out the most recently freed block again?
    Reuse,
    /// Data: anything a scenario draws.
    Data,
    /// Asked once, when [`crate::concurrently`] has its threads: after how many schedule points is the thread that
    /// runs then left alone, within its operation and while others are within theirs? All others stay where they are
    /// until it has completed it.
    Suspend,
    /// A fault: does this callback panic?
    Panic,
    /// A fault: does this allocation fail?
    Allocation,
    /// A fault: is this block aligned to no more than was asked for?
    Alignment,
    /// A fault: does this compare-exchange fail though the value is the expected one? Asked of those that may, where
    /// the compiler tells them apart.
    WeakCas,
    /// A fault: does this futex wait end though nobody wakes it?
    Wake,
    /// A fault, asked for when a thread sets its label: after how many schedule points does it stall in the midst of
    /// what the label stands for? See [`crate::stall`].
    Stall,
    /// A fault: is the map made to do something here that it would do sooner or later?
    Force,
    /// A fault: is something put off here?
    Delay,
    /// A fault: how does this thread end?
    Exit,
    /// A fault: is what waits here given up?
    Cancel,
}

impl ChoiceKind {
    /// All of them, in their order.
    pub const ALL: [ChoiceKind; 13] = [
        ChoiceKind::Reuse,
        ChoiceKind::Data,
        ChoiceKind::Suspend,
        ChoiceKind::Panic,
        ChoiceKind::Allocation,
        ChoiceKind::Alignment,
        ChoiceKind::WeakCas,
        ChoiceKind::Wake,
        ChoiceKind::Stall,
        ChoiceKind::Force,
        ChoiceKind::Delay,
        ChoiceKind::Exit,
        ChoiceKind::Cancel,
    ];

    /// Whether it is no fault: always asked for, and numbered through the whole execution of its thread. Faults are
    /// numbered within each operation, see [`Decider::choose`], so that they keep their numbers when others go.
    pub fn is_no_fault(self) -> bool {
        matches!(self, ChoiceKind::Data | ChoiceKind::Suspend)
    }

    /// Whether it is asked for only where the code under test is at work, see [`crate::spare`].
    pub(crate) fn spares(self) -> bool {
        use ChoiceKind::*;
        matches!(self, Panic | Allocation | Alignment | WeakCas | Wake | Cancel)
    }
}

/// Kinds of choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices(u32);

impl Choices {
    /// None.
    pub const NONE: Choices = Choices(0);

    /// These and another.
    pub const fn with(self, kind: ChoiceKind) -> Choices {
        Choices(self.0 | 1 << kind as u32)
    }

    /// Whether this is one of them.
    pub const fn has(self, kind: ChoiceKind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }
}

/// The place of a fault's choice among those of its kind and thread: the label under which it is made, and its number
/// since that was set, both from one number.
///
/// ```
/// assert_eq!(mapcheck_machine::operation_and_number(5 << 20 | 3), (5, 3));
/// ```
pub const fn operation_and_number(index: u64) -> (u64, u64) {
    (index >> NUMBER_BITS, index & ((1 << NUMBER_BITS) - 1))
}

/// The reverse of [`operation_and_number`].
pub const fn index_of(operation: u64, number: u64) -> u64 {
    operation << NUMBER_BITS | number
}

/// Bits of a choice's number within its operation.
pub(crate) const NUMBER_BITS: u32 = 20;
/// The largest label under which faults are injected.
pub(crate) const MAX_LABEL: u32 = (1 << 14) - 1;

/// Chooses. An execution is a pure function of the code under test and of these answers.
pub trait Decider {
    /// Which thread takes the next steps.
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice;
    /// One of `0..n` at the `index`th choice of this kind by this thread; 0 is the choice that needs no decision. A
    /// fault's index tells the label that the thread set last and the number since then, see [`operation_and_number`].
    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32;
    /// Granules at whose accesses the decider is asked too, whatever its slice, while several threads can run. A
    /// granule is an address divided by [`GRANULE`]. Asked for once, when an execution begins. It may also be asked at
    /// an access to a granule that is none of them, if that agrees with one in its last 16 bits.
    fn granules(&self) -> &[usize] {
        &[]
    }
    /// Whether the decider is asked too at the first point after a thread has set its label. Asked for once, when an
    /// execution begins.
    fn asks_at_labels(&self) -> bool {
        false
    }
}

/// Bytes of a granule, see [`Decider::granules`].
pub const GRANULE: usize = 8;

/// A point in an execution: who, when, and during what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The thread.
    pub thread: ThreadId,
    /// The label it had set with [`crate::set_label`]; 0 for none.
    pub label: u32,
    /// Schedule points of all threads before it.
    pub step: u64,
}

/// A block of the modelled heap and its lifecycle.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// First byte.
    pub addr: usize,
    /// Bytes asked for.
    pub size: usize,
    /// Alignment asked for.
    pub align: usize,
    /// When and by whom it was allocated.
    pub alloc: Stamp,
    /// When and by whom it was freed, if it was.
    pub free: Option<Stamp>,
    /// The stack of its allocation; empty unless recording.
    pub alloc_stack: Stack,
    /// The stack of its deallocation; empty unless recording.
    pub free_stack: Stack,
    /// Whether it was allocated by an earlier execution of the same batch.
    pub earlier_execution: bool,
}

/// A live block that nothing refers to any more.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// The block.
    pub block: Block,
    /// Whether another lost block refers to it: it went with that one.
    pub held: bool,
    /// Its first two words; what it is too small for reads as 0.
    pub head: [u64; 2],
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Nothing: it can run.
    Nothing,
    /// A futex at this address.
    Futex(usize),
    /// The end of that thread.
    End(ThreadId),
    /// Time to pass.
    Time,
}

/// A thread that has not ended, and where it stands.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The thread.
    pub thread: ThreadId,
    /// Its label.
    pub label: u32,
    /// What it waits for.
    pub on: WaitsFor,
    /// Its stack; empty unless stacks are captured, and of a thread that has not begun.
    pub stack: Stack,
}

impl Waiting {
    /// Whether it waits for the end of another thread, and not for a lock.
    pub fn joins(&self) -> bool {
        matches!(self.on, WaitsFor::End(_))
    }
}

/// An access that a thread made again and again.
#[derive(Clone, Debug)]
pub struct Repeated {
    /// The thread.
    pub thread: ThreadId,
    /// The access.
    pub access: Access,
    /// How many times.
    pub times: u64,
    /// The block of the heap that it touches.
    pub block: Option<Block>,
}

/// Something that must not happen, seen by the machine. It ends the execution at once, or is seen at its end.
#[derive(Clone, Debug)]
pub enum Fact {
    /// An access to a byte of the arena that is not part of a live block. `block` is the block it lies in or next to.
    BadAccess {
        /// The access.
        access: Access,
        /// The block it lies in or next to.
        block: Option<Block>,
    },
    /// A deallocation of a block that is already freed.
    DoubleFree {
        /// The address.
        addr: usize,
        /// The block, with its first deallocation.
        block: Block,
    },
    /// A deallocation of an address that is not the start of a live block, or with another layout than allocated.
    InvalidFree {
        /// The address.
        addr: usize,
        /// Bytes, as the deallocation told.
        size: usize,
        /// Alignment in bytes, as the deallocation told.
        align: usize,
        /// The block it lies in or next to.
        block: Option<Block>,
    },
    /// Every thread waits for another.
    Deadlock {
        /// The threads that have not ended, by index.
        waiting: Vec<Waiting>,
    },
    /// The step limit was reached.
    StepLimit {
        /// Schedule points of all threads.
        steps: u64,
    },
    /// No operation was completed in so many schedule points, nor in as many more in which every thread got its turn.
    Livelock {
        /// [`Options::patience`].
        points: u64,
        /// The threads that have not ended.
        threads: Vec<Waiting>,
        /// What each of them did most often.
        repeated: Vec<Repeated>,
    },
    /// A thread could not complete its operation: one that was left alone within it, or that waits while another has
    /// stalled.
    Obstructed {
        /// The thread.
        thread: ThreadId,
        /// Schedule points that it had.
        points: u64,
        /// Whether it waits for one of the others; else it went on for that many points.
        waits: bool,
        /// The thread that has stalled, if only that one did not go on.
        stalled: Option<ThreadId>,
        /// The threads that have not ended.
        threads: Vec<Waiting>,
    },
    /// The CPU-time limit was reached without a schedule point.
    Stuck,
    /// The arena of one execution is full: bytes live, and bytes ever allocated.
    HeapExhausted {
        /// Bytes of live blocks.
        live: usize,
        /// Bytes ever taken, with redzones and freed blocks.
        allocated: usize,
    },
    /// When all threads had ended, blocks of this execution were live that nothing referred to, see
    /// [`crate::forbid_leaks`].
    Leaked {
        /// The first 64 of them, in the order of their allocation: those with `held` last.
        blocks: Vec<Lost>,
        /// How many there are.
        count: usize,
        /// The bytes of all.
        bytes: usize,
    },
    /// A fatal signal outside the arena.
    Signal {
        /// Its number.
        signal: i32,
        /// The address that was touched where it is known, else 0.
        addr: usize,
    },
    /// The stack of a thread overflowed.
    StackOverflow,
    /// Two accesses that conflict and that nothing orders, as the observer of a watched execution saw them. It does not
    /// end the execution, and is told when nothing else was found in it.
    Race {
        /// The later access.
        access: Access,
        /// Its [`Touch::site`].
        site: usize,
        /// The earlier one.
        earlier: Earlier,
        /// Who made it, when, and during what; no label unless [`Options::stack_at`] names its step.
        earlier_at: Stamp,
        /// Its stack, captured under the same condition.
        earlier_stack: Stack,
        /// The block that they touched.
        block: Option<Block>,
    },
    /// Told by the code above the machine with [`crate::fail`]: a class name and a sentence.
    Told {
        /// The class of the finding, in kebab case.
        class: &'static str,
        /// A sentence.
        message: String,
        /// The address it is about, 0 for none.
        addr: usize,
        /// The block that the address lies in or next to.
        block: Option<Block>,
    },
}

/// Where and when a fact was seen.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was seen.
    pub fact: Fact,
    /// By whom, during what.
    pub at: Stamp,
    /// The stack at that point.
    pub stack: Stack,
}

/// An event of a recorded execution, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// A thread is about to take a step.
    Step {
        /// Who, when, during what.
        at: Stamp,
        /// The step.
        access: Access,
    },
    /// Another thread goes on, for this reason: [`Reason::Point`] is a preemption.
    Switch {
        /// The thread that is left.
        from: ThreadId,
        /// The thread that goes on.
        to: ThreadId,
        /// Schedule points of all threads so far.
        step: u64,
        /// Why the decider was asked.
        reason: Reason,
    },
    /// A block was allocated.
    Alloc {
        /// Who, when, during what.
        at: Stamp,
        /// First byte.
        addr: usize,
        /// Bytes asked for.
        size: usize,
    },
    /// A block was freed.
    Free {
        /// Who, when, during what.
        at: Stamp,
        /// First byte.
        addr: usize,
    },
    /// A block is referred to by these numbers, and not by its address, see [`crate::known_as`].
    Known {
        /// First byte.
        addr: usize,
        /// The number of its first byte.
        first: u64,
        /// How many numbers there are.
        count: u64,
        /// How many bytes the next number is further on.
        unit: usize,
    },
    /// A block was retired, see [`crate::retired`].
    Retired {
        /// Who, when, during what.
        at: Stamp,
        /// First byte.
        addr: usize,
    },
    /// A thread set its label (0: none).
    Label {
        /// Who and when; the label is the new one.
        at: Stamp,
    },
    /// An atomic access changed a word, or a thread did that woke from a futex wait on it. Told at the thread's next
    /// schedule point.
    Change {
        /// Who, when, during what.
        at: Stamp,
        /// The access.
        access: Access,
        /// Whether the word is 0 now.
        zero: bool,
        /// The stack at the access; empty unless stacks are captured, and where there were too many.
        stack: Stack,
    },
}

/// What a step does besides touching memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is no atomic access.
    Plain,
    /// It is one.
    Atomic {
        /// What it finds, folded to 64 bits.
        found: u64,
        /// What it leaves there, if it writes: a compare-exchange may not.
        left: Option<u64>,
    },
}

/// A step that touches memory, or a fence, just before it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Who.
    pub thread: ThreadId,
    /// When: no two of an execution have the same.
    pub step: u64,
    /// Under which label.
    pub label: u32,
    /// Where: an address of code, the same in every process of a build; 0 where it is not known.
    pub site: usize,
    /// What. Of a compare-exchange that fails, the order is that of the failure.
    pub access: Access,
    /// And what becomes of it.
    pub change: Change,
}

impl Touch {
    /// An access by the code at that address, of which it is still to be said who makes it, when, and what it changes.
    #[inline(always)]
    pub(crate) fn by(access: Access, site: usize) -> Touch {
        Touch { thread: 0, step: 0, label: 0, site, access, change: Change::Plain }
    }
}

/// What orders threads besides atomic accesses and fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// All that `parent` has done comes before all that `child` will do.
    Start {
        /// Who starts it.
        parent: ThreadId,
        /// What is started.
        child: ThreadId,
    },
    /// All that `ended` has done comes before what `thread` does from now on.
    Join {
        /// Who waited.
        thread: ThreadId,
        /// For what.
        ended: ThreadId,
    },
    /// A futex call on this word: what other calls on it have released comes before what `thread` does from now on,
    /// and what it has done comes before what they acquire.
    Futex {
        /// Who calls.
        thread: ThreadId,
        /// The word.
        addr: usize,
    },
    /// A fence of every thread at once (`membarrier`).
    Barrier,
}

/// An access that a later one conflicts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Whose.
    pub thread: ThreadId,
    /// Its [`Touch::step`].
    pub step: u64,
    /// Its [`Touch::site`].
    pub site: usize,
    /// Its kind.
    pub kind: Kind,
}

/// Receives the events of a recorded execution, and the steps of a watched one.
pub trait Observer {
    /// Called for every event, in order, when [`Options::record`] is set; never called otherwise.
    fn event(&mut self, event: &Event);
    /// Called for every step that touches the modelled heap, every atomic access and every fence when
    /// [`Options::watch`] is set. What it returns is told as [`Fact::Race`], and ends the watch.
    fn touch(&mut self, _touch: &Touch) -> Option<Earlier> {
        None
    }
    /// Called for everything else that orders threads when [`Options::watch`] is set.
    fn order(&mut self, _edge: &Edge) {}
}

/// An observer that looks away.
#[derive(Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&mut self, _: &Event) {}
}

/// How virtual threads are switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Switching {
    /// One carrier thread where the platform allows it, else the baton.
    #[default]
    Auto,
    /// Always hand a baton between operating-system threads.
    Baton,
}

/// Settings of one execution.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tell the observer every event, and capture the stacks of allocations and frees.
    pub record: bool,
    /// Capture the stack of a finding (costs some milliseconds).
    pub stacks: bool,
    /// Schedule points after which the execution is ended with [`Fact::StepLimit`].
    pub max_steps: u64,
    /// Tell the observer every step that touches memory and all that orders threads, at full speed.
    pub watch: bool,
    /// Capture the stack at this step, for the earlier of two accesses that [`Fact::Race`] tells of. Needs `watch`.
    pub stack_at: Option<u64>,
    /// Schedule points without a completed operation after which the threads take turns, and as many more after which
    /// it is a [`Fact::Livelock`]; `u64::MAX` for never. Also what a thread gets that is left alone.
    pub patience: u64,
    /// The faults that are offered, each time as a choice.
    pub offers: Choices,
    /// Seed of the randomness that the code under test asks the operating system for.
    pub seed: u64,
    /// Give the program's globals the values they had before the first execution, and forget what
    /// earlier executions left on the heap: every execution then starts alike. Only in a process
    /// without other threads.
    pub fresh_globals: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            record: false,
            stacks: false,
            watch: false,
            stack_at: None,
            max_steps: 1_000_000,
            patience: 100_000,
            offers: Choices::NONE,
            seed: 0,
            fresh_globals: false,
        }
    }
}

/// How an execution ended, and what it took.
#[derive(Clone, Debug)]
pub struct Execution {
    /// What was found; `None` when it ran to its end.
    pub found: Option<Found>,
    /// Schedule points passed.
    pub steps: u64,
    /// Switches between threads.
    pub switches: u64,
    /// Threads that existed.
    pub threads: u32,
    /// Blocks allocated.
    pub allocated: u64,
    /// Blocks freed.
    pub freed: u64,
    /// Threads that still waited when the root thread had ended and nothing else could run.
    pub outlived: u32,
    /// Whether it was ended by an abort that a fault excuses, see [`crate::excuse_abort`].
    pub gave_up: bool,
    /// Whether this process can run another execution. It cannot after a finding, nor when threads
    /// outlived the root or it gave up.
    pub reusable: bool,
}
