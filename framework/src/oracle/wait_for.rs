//! Who waits for whom, inferred from the events of a recorded execution: nobody tells who owns a lock.
//!
//! A thread takes a word when it changes it with an atomic read-modify-write that acquires, or when it wakes from a
//! futex wait on it and changes it; it gives it back when it changes it with one that releases, and whoever makes it 0
//! frees it for all. An access that both acquires and releases gives back what the thread has, or else takes it. A
//! thread that changes a word and then waits on it has only said that it waits.
//!
//! A thread whose futex is no such word waits in a parker, and what it waits for is the word with an owner that it
//! looked at last in its operation. That is a guess, and told as one; so is an owner whose access says by its memory
//! order that it may have taken something or given it back.

use std::collections::{BTreeMap, VecDeque};

use mapcheck_machine::{Access, Event, Kind, Order, Stack, Stamp, ThreadId, Waiting, WaitsFor};

/// Words that a thread looked at, of which the latest are remembered.
const LOOKS: usize = 16;

/// Something that a thread did to a word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touch {
    /// Who, when, during what.
    pub at: Stamp,
    /// Where; empty where it was not captured.
    pub stack: Stack,
    /// Whether its memory order says that it takes something, and nothing else.
    pub sure: bool,
}

/// Why a thread waits.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// For the end of another.
    Join,
    /// For the lock at this word, which others, or it itself, took.
    Taken(usize, Vec<Touch>),
    /// In a parker; of the words that are taken, this is the one that it looked at last, and these changed it last.
    Parked(usize, Vec<Touch>),
    /// On a word that nobody has taken. What other threads did to it last.
    Lost(Vec<Touch>),
    /// For time to pass, or for nothing.
    Other,
}

/// What a thread waits for, and why.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    /// The thread that waits.
    pub from: ThreadId,
    /// Those that it waits for, itself perhaps; they may have ended.
    pub to: Vec<ThreadId>,
    /// Why.
    pub why: Why,
}

/// What a word is known to have been through.
#[derive(Debug, Default)]
struct Word {
    taken: Vec<Touch>,
    /// What each thread did to it last.
    touched: BTreeMap<ThreadId, Touch>,
}

#[derive(Debug, Default)]
struct Thread {
    /// Words that it read or tried to change, the latest last, and when.
    looks: VecDeque<(usize, u64)>,
    /// The word that it took in its last access, if it did.
    just_took: Option<usize>,
}

/// Follows the events of an execution.
#[derive(Debug, Default)]
pub(crate) struct WaitFor {
    words: BTreeMap<usize, Word>,
    threads: BTreeMap<ThreadId, Thread>,
}

fn acquires(access: &Access) -> bool {
    let order = matches!(access.order, Order::Acquire | Order::AcqRel | Order::SeqCst);
    access.kind == Kind::Sync || access.kind == Kind::AtomicRmw && order
}

fn releases(access: &Access) -> bool {
    matches!(access.order, Order::Release | Order::AcqRel | Order::SeqCst)
}

impl WaitFor {
    /// Takes in the next event.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Step { at, access } => self.step(at, access),
            Event::Change { at, access, zero, stack } => {
                let sure = access.kind == Kind::Sync || access.order == Order::Acquire;
                let touch = Touch { at: *at, stack: stack.clone(), sure };
                self.change(touch, access, *zero);
            }
            Event::Alloc { addr, size, .. } => {
                let block = *addr..addr + (*size).max(1);
                self.words.retain(|word, _| !block.contains(word));
            }
            Event::Label { at } => self.threads.entry(at.thread).or_default().looks.clear(),
            _ => {}
        }
    }

    fn step(&mut self, at: &Stamp, access: &Access) {
        let thread = self.threads.entry(at.thread).or_default();
        let took = thread.just_took.take();
        match access.kind {
            Kind::AtomicLoad | Kind::AtomicRmw => {
                thread.looks.retain(|look| look.0 != access.addr);
                thread.looks.push_back((access.addr, at.step));
                if thread.looks.len() > LOOKS {
                    thread.looks.pop_front();
                }
            }
            Kind::Sync if access.addr != 0 => {
                let word = self.words.entry(access.addr).or_default();
                if took == Some(access.addr) {
                    word.taken.retain(|t| t.at.thread != at.thread);
                }
                word.touched.entry(at.thread).or_default().at = *at;
            }
            _ => {}
        }
    }

    fn change(&mut self, touch: Touch, access: &Access, zero: bool) {
        let thread = touch.at.thread;
        let word = self.words.entry(access.addr).or_default();
        let has = word.taken.iter().any(|t| t.at.thread == thread);
        if zero {
            word.taken.clear();
        } else if has && releases(access) {
            word.taken.retain(|t| t.at.thread != thread);
        } else if !has && acquires(access) {
            word.taken.push(touch.clone());
            self.threads.entry(thread).or_default().just_took = Some(access.addr);
        }
        word.touched.insert(thread, touch);
    }

    /// What each of the threads waits for, in their order.
    pub(crate) fn edges(&self, waiting: &[Waiting]) -> Vec<Edge> {
        waiting.iter().map(|w| self.edge(w)).collect()
    }

    fn edge(&self, waiting: &Waiting) -> Edge {
        let from = waiting.thread;
        let (to, why) = match waiting.on {
            WaitsFor::End(other) => (vec![other], Why::Join),
            WaitsFor::Futex(addr) => self.owners(from, addr),
            WaitsFor::Nothing | WaitsFor::Time => (Vec::new(), Why::Other),
        };
        Edge { from, to, why }
    }

    fn owners(&self, thread: ThreadId, addr: usize) -> (Vec<ThreadId>, Why) {
        let threads = |touches: &[Touch]| touches.iter().map(|t| t.at.thread).collect();
        let taken = self.words.get(&addr).map_or(&[][..], |word| &word.taken[..]);
        if !taken.is_empty() {
            return (threads(taken), Why::Taken(addr, taken.to_vec()));
        }
        if let Some((word, last)) = self.looked_at(thread) {
            return (threads(last), Why::Parked(word, last.to_vec()));
        }
        let touched = self.words.get(&addr).map(|word| &word.touched);
        let others = touched.into_iter().flatten().filter(|(t, _)| **t != thread);
        (Vec::new(), Why::Lost(others.map(|(_, touch)| touch.clone()).collect()))
    }

    /// The latest word a thread looked at in its operation that others have taken, or that it took itself and looked
    /// at again.
    fn looked_at(&self, thread: ThreadId) -> Option<(usize, &[Touch])> {
        let looks = self.threads.get(&thread)?.looks.iter().rev();
        looks.into_iter().find_map(|&(word, step)| {
            let taken = &self.words.get(&word)?.taken;
            let counts = |t: &Touch| t.sure && (t.at.thread != thread || t.at.step < step);
            (!taken.is_empty() && taken.iter().all(counts)).then_some((word, &taken[..]))
        })
    }
}

/// A cycle of threads of which each waits for the next, and the last for the first.
pub(crate) fn cycle(edges: &[Edge]) -> Option<Vec<ThreadId>> {
    let by_thread: BTreeMap<ThreadId, &Edge> = edges.iter().map(|e| (e.from, e)).collect();
    let mut done = Vec::new();
    edges.iter().find_map(|edge| search(&by_thread, edge.from, &mut Vec::new(), &mut done))
}

fn search(
    edges: &BTreeMap<ThreadId, &Edge>,
    thread: ThreadId,
    path: &mut Vec<ThreadId>,
    done: &mut Vec<ThreadId>,
) -> Option<Vec<ThreadId>> {
    if let Some(start) = path.iter().position(|t| *t == thread) {
        return Some(path[start..].to_vec());
    }
    if done.contains(&thread) {
        return None;
    }
    path.push(thread);
    let next = edges.get(&thread).map_or(&[][..], |edge| &edge.to[..]);
    let found = next.iter().find_map(|t| search(edges, *t, path, done));
    path.pop();
    done.push(thread);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: usize = 0x1000;
    const B: usize = 0x2000;
    const C: usize = 0x3000;

    /// Events that are written down one after the other.
    #[derive(Default)]
    struct Script {
        wait_for: WaitFor,
        step: u64,
    }

    impl Script {
        fn access(&mut self, thread: ThreadId, kind: Kind, order: Order, addr: usize) -> Access {
            self.step += 1;
            let access = Access { kind, addr, size: 4, order };
            self.wait_for.event(&Event::Step { at: self.at(thread), access });
            access
        }

        fn at(&self, thread: ThreadId) -> Stamp {
            Stamp { thread, label: 10 + thread, step: self.step }
        }

        fn changed(&mut self, thread: ThreadId, access: Access, zero: bool) -> &mut Script {
            let (at, stack) = (self.at(thread), Stack::default());
            self.wait_for.event(&Event::Change { at, access, zero, stack });
            self
        }

        fn take(&mut self, thread: ThreadId, addr: usize) -> &mut Script {
            let access = self.access(thread, Kind::AtomicRmw, Order::Acquire, addr);
            self.changed(thread, access, false)
        }

        fn give_back(&mut self, thread: ThreadId, addr: usize) -> &mut Script {
            let access = self.access(thread, Kind::AtomicRmw, Order::Release, addr);
            self.changed(thread, access, true)
        }

        /// An attempt that fails, and the mark that somebody waits, made by code that is not seen.
        fn fail(&mut self, thread: ThreadId, addr: usize) -> &mut Script {
            self.take(thread, addr).sync(thread, addr)
        }

        fn look(&mut self, thread: ThreadId, addr: usize) -> &mut Script {
            self.access(thread, Kind::AtomicLoad, Order::Relaxed, addr);
            self
        }

        fn sync(&mut self, thread: ThreadId, addr: usize) -> &mut Script {
            self.access(thread, Kind::Sync, Order::SeqCst, addr);
            self
        }

        /// The thread wakes from a wait on the word, and has it then.
        fn wake_and_take(&mut self, thread: ThreadId, addr: usize) -> &mut Script {
            let order = Order::SeqCst;
            self.changed(thread, Access { kind: Kind::Sync, addr, size: 4, order }, false)
        }

        fn edges(&self, waiting: &[(ThreadId, WaitsFor)]) -> Vec<Edge> {
            let waiting = waiting.iter().map(|&(thread, on)| Waiting {
                thread,
                label: 10 + thread,
                on,
                stack: Stack::default(),
            });
            self.wait_for.edges(&waiting.collect::<Vec<_>>())
        }
    }

    use WaitsFor::{End, Futex};

    fn to(edges: &[Edge]) -> Vec<&[ThreadId]> {
        edges.iter().map(|e| &e.to[..]).collect()
    }

    #[test]
    fn crossed_locks_are_a_cycle_of_two() {
        let mut s = Script::default();
        s.take(1, A).take(2, B).fail(1, B).fail(2, A);
        let edges = s.edges(&[(0, End(1)), (1, Futex(B)), (2, Futex(A))]);
        assert_eq!(to(&edges), [&[1][..], &[2], &[1]]);
        assert_eq!(cycle(&edges), Some(vec![1, 2]));
        let Why::Taken(A, taken) = &edges[2].why else { panic!("{edges:?}") };
        assert_eq!((taken[0].at.label, taken[0].at.step), (11, 1));
    }

    #[test]
    fn three_threads_can_be_a_cycle() {
        let mut s = Script::default();
        s.take(1, A).take(2, B).take(3, C).fail(3, A).fail(1, B).fail(2, C);
        let edges = s.edges(&[(1, Futex(B)), (2, Futex(C)), (3, Futex(A))]);
        assert_eq!(cycle(&edges), Some(vec![1, 2, 3]));
    }

    #[test]
    fn a_thread_that_has_the_lock_waits_for_itself() {
        let mut s = Script::default();
        s.take(1, A).fail(1, A);
        let edges = s.edges(&[(0, End(1)), (1, Futex(A))]);
        assert_eq!(to(&edges), [&[1][..], &[1]]);
        assert_eq!(cycle(&edges), Some(vec![1]));
        let Why::Taken(A, taken) = &edges[1].why else { panic!("{edges:?}") };
        assert_eq!(taken[0].at.step, 1, "where it took it, not where it tried again");
    }

    #[test]
    fn a_lock_given_back_is_nobody_s_and_the_next_to_wake_has_it() {
        let mut s = Script::default();
        s.take(1, A).fail(2, A).give_back(1, A).sync(1, A);
        assert!(matches!(s.edges(&[(3, Futex(A))])[0].why, Why::Lost(..)));
        s.wake_and_take(2, A).look(2, B).fail(3, A);
        assert_eq!(to(&s.edges(&[(3, Futex(A))])), [&[2][..]]);
    }

    #[test]
    fn readers_all_have_the_lock() {
        let mut s = Script::default();
        s.take(1, A).take(2, A).fail(3, A);
        assert_eq!(to(&s.edges(&[(3, Futex(A))])), [&[1, 2][..]]);
        let access = s.access(1, Kind::AtomicRmw, Order::Release, A);
        s.changed(1, access, false);
        assert_eq!(to(&s.edges(&[(3, Futex(A))])), [&[2][..]]);
    }

    #[test]
    fn a_thread_that_ended_with_the_lock_is_waited_for() {
        let mut s = Script::default();
        s.take(1, A).fail(2, A);
        let edges = s.edges(&[(0, End(2)), (2, Futex(A))]);
        assert_eq!(to(&edges), [&[2][..], &[1]]);
        assert_eq!(cycle(&edges), None);
    }

    #[test]
    fn a_lost_wake_up_has_no_owner_but_threads_that_could_have_woken() {
        let mut s = Script::default();
        s.sync(2, C).sync(1, C);
        let edges = s.edges(&[(1, Futex(C))]);
        assert_eq!(cycle(&edges), None);
        let Why::Lost(others) = &edges[0].why else { panic!("{edges:?}") };
        assert_eq!(others.iter().map(|t| t.at.thread).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_parker_is_told_by_the_word_looked_at_last() {
        let mut s = Script::default();
        // B is the parker's own lock, taken and given back; C is the futex.
        s.take(1, A).look(2, A).take(2, B).give_back(2, B).sync(2, C);
        let edges = s.edges(&[(2, Futex(C))]);
        assert_eq!(to(&edges), [&[1][..]]);
        assert!(matches!(edges[0].why, Why::Parked(A, _)), "{edges:?}");
    }

    #[test]
    fn a_lock_that_a_parked_thread_took_and_looked_at_no_more_is_not_what_it_waits_for() {
        let mut s = Script::default();
        s.take(1, A).sync(1, C);
        assert!(matches!(s.edges(&[(1, Futex(C))])[0].why, Why::Lost(..)));
        s.look(1, A).sync(1, C);
        assert_eq!(to(&s.edges(&[(1, Futex(C))])), [&[1][..]]);
    }

    #[test]
    fn what_a_parked_thread_waits_for_is_guessed_only_from_locks_of_the_same_operation() {
        let mut s = Script::default();
        let access = s.access(1, Kind::AtomicRmw, Order::SeqCst, A);
        s.changed(1, access, false).look(2, A).sync(2, C);
        assert!(matches!(s.edges(&[(2, Futex(C))])[0].why, Why::Lost(..)), "A may be no lock");
        s.take(1, B).look(2, B);
        assert_eq!(to(&s.edges(&[(2, Futex(C))])), [&[1][..]]);
        s.wait_for.event(&Event::Label { at: Stamp { thread: 2, label: 4, step: 99 } });
        s.sync(2, C);
        assert!(matches!(s.edges(&[(2, Futex(C))])[0].why, Why::Lost(..)), "it looked before");
    }

    #[test]
    fn an_owner_by_an_order_that_may_mean_anything_is_not_sure() {
        let mut s = Script::default();
        let access = s.access(1, Kind::AtomicRmw, Order::SeqCst, A);
        s.changed(1, access, false).fail(2, A);
        let edges = s.edges(&[(2, Futex(A))]);
        let Why::Taken(A, taken) = &edges[0].why else { panic!("{edges:?}") };
        assert!(!taken[0].sure && taken[0].at.thread == 1);
        let access = s.access(1, Kind::AtomicRmw, Order::SeqCst, A);
        s.changed(1, access, false);
        assert!(matches!(s.edges(&[(2, Futex(A))])[0].why, Why::Lost(..)), "given back");
    }

    #[test]
    fn a_relaxed_change_takes_nothing_and_memory_that_is_allocated_anew_is_forgotten() {
        let mut s = Script::default();
        let access = s.access(1, Kind::AtomicRmw, Order::Relaxed, A);
        s.changed(1, access, false).fail(2, A);
        assert!(matches!(s.edges(&[(2, Futex(A))])[0].why, Why::Lost(..)));
        s.take(1, B);
        s.wait_for.event(&Event::Alloc { at: Stamp::default(), addr: B - 8, size: 16 });
        s.fail(2, B);
        assert!(matches!(s.edges(&[(2, Futex(B))])[0].why, Why::Lost(..)));
    }

    #[test]
    fn threads_that_join_each_other_are_a_cycle() {
        let s = Script::default();
        let edges = s.edges(&[(0, End(1)), (1, End(2)), (2, End(1))]);
        assert_eq!(cycle(&edges), Some(vec![1, 2]));
    }
}
