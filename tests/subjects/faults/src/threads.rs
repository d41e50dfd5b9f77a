//! Maps that rely on how threads wake, go on and end most of the time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use mapcheck::{Iteration, Key};

use crate::map::{Row, Rows, Subject, id, lock, put, removes_as_usual, take, writes_as_usual};

/// Writers take turns: who leaves hands over to the one that has waited longest, and wakes it. Broken: who wakes takes
/// it that its turn has come.
#[derive(Default)]
pub struct Turns<const BROKEN: bool> {
    queue: Mutex<Queue>,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Queue {
    busy: bool,
    waiting: VecDeque<Arc<Waiter>>,
}

#[derive(Default)]
struct Waiter {
    has_turn: AtomicBool,
    wake: Condvar,
}

/// Hands over.
struct Turn<'a>(&'a Mutex<Queue>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = lock(self.0);
        match queue.waiting.pop_front() {
            None => queue.busy = false,
            Some(next) => {
                next.has_turn.store(true, SeqCst);
                next.wake.notify_one();
            }
        }
    }
}

impl<const BROKEN: bool> Turns<BROKEN> {
    fn take_turn(&self) -> Turn<'_> {
        let mut queue = lock(&self.queue);
        if queue.busy {
            let me = Arc::new(Waiter::default());
            queue.waiting.push_back(Arc::clone(&me));
            loop {
                queue = me.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                if BROKEN || me.has_turn.load(SeqCst) {
                    break;
                }
            }
        }
        queue.busy = true;
        Turn(&self.queue)
    }

    /// Replaces all rows by a copy in which something is changed.
    fn in_turn<R>(&self, change: impl FnOnce(&mut Rows) -> R) -> R {
        let _turn = self.take_turn();
        let mut rows = self.snapshot();
        let result = change(&mut rows);
        let _old = std::mem::replace(&mut *lock(&self.rows), rows);
        result
    }
}

impl<const BROKEN: bool> Subject for Turns<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        id(self.in_turn(|rows| put(rows, row)))
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        id(self.in_turn(|rows| take(rows, key)))
    }

    fn snapshot(&self) -> Rows {
        lock(&self.rows).clone()
    }
}

/// A list that only gets longer, of places for rows; what is removed is kept until the map is dropped. No operation
/// waits. Broken: removals take turns.
pub struct Places<const BROKEN: bool> {
    first: AtomicPtr<Place>,
    removed: AtomicPtr<Place>,
    removing: Mutex<()>,
}

struct Place {
    key: u64,
    /// Null where there is none.
    row: AtomicPtr<Row>,
    next: *mut Place,
}

impl<const BROKEN: bool> Default for Places<BROKEN> {
    fn default() -> Self {
        Places {
            first: AtomicPtr::default(),
            removed: AtomicPtr::default(),
            removing: Mutex::default(),
        }
    }
}

/// The places of a list.
fn places<'a>(first: *mut Place) -> impl Iterator<Item = &'a Place> {
    // SAFETY: places are freed with the map only.
    let place = |at: *mut Place| unsafe { at.as_ref() };
    std::iter::successors(place(first), move |this| place(this.next))
}

/// Another share of a row.
fn share(row: *mut Row) -> Option<Arc<Row>> {
    if row.is_null() {
        return None;
    }
    // SAFETY: rows are given up with the map only.
    unsafe { Arc::increment_strong_count(row) };
    // SAFETY: this is the share.
    Some(unsafe { Arc::from_raw(row) })
}

/// Frees the places of a list, with their rows.
fn free(mut first: *mut Place) {
    while !first.is_null() {
        // SAFETY: nobody else has the list any more.
        let place = unsafe { Box::from_raw(first) };
        first = place.next;
        let row = place.row.into_inner();
        if !row.is_null() {
            // SAFETY: the list's own share.
            drop(unsafe { Arc::from_raw(row) });
        }
    }
}

/// Puts a new place before all others of a list, if none has this key by then: else returns the row.
fn push(list: &AtomicPtr<Place>, key: u64, row: *mut Row, equal: bool) -> Result<(), *mut Row> {
    let mut first = list.load(SeqCst);
    let mut place = Box::new(Place { key, row: AtomicPtr::new(row), next: first });
    loop {
        if !equal && places(first).any(|other| other.key == key) {
            return Err(row);
        }
        place.next = first;
        let raw = Box::into_raw(place);
        match list.compare_exchange(first, raw, SeqCst, SeqCst) {
            Ok(_) => return Ok(()),
            // SAFETY: nobody has seen it.
            Err(now) => (first, place) = (now, unsafe { Box::from_raw(raw) }),
        }
    }
}

impl<const BROKEN: bool> Places<BROKEN> {
    /// Puts a row, or none, into a place, and keeps the one that was there.
    fn exchange(&self, place: &Place, row: *mut Row) -> Option<u64> {
        let old = place.row.swap(row, SeqCst);
        let id = share(old)?.value.id();
        push(&self.removed, 0, old, true).expect("it may have equal keys");
        Some(id)
    }
}

impl<const BROKEN: bool> Drop for Places<BROKEN> {
    fn drop(&mut self) {
        free(*self.first.get_mut());
        free(*self.removed.get_mut());
    }
}

impl<const BROKEN: bool> Subject for Places<BROKEN> {
    const ITERATION: Iteration = Iteration::WeaklyConsistent;
    const NONBLOCKING: bool = true;

    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        let key = row.key.id();
        let row = Arc::into_raw(row).cast_mut();
        if push(&self.first, key, row, false).is_ok() {
            return None;
        }
        let place = places(self.first.load(SeqCst)).find(|place| place.key == key);
        self.exchange(place.expect("places stay"), row)
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        let _turn = BROKEN.then(|| lock(&self.removing));
        let id = key.id();
        let place = places(self.first.load(SeqCst)).find(|place| place.key == id)?;
        self.exchange(place, null_mut())
    }

    fn snapshot(&self) -> Rows {
        places(self.first.load(SeqCst)).filter_map(|place| share(place.row.load(SeqCst))).collect()
    }
}

thread_local! {
    /// Room for the rows of an iteration, which the next one of the thread has again.
    static ROOM: RefCell<Rows> = const { RefCell::new(Rows::new()) };
}

/// Iterations use room that their thread has. Broken: they take it that it still has it while it ends.
#[derive(Default)]
pub struct Rooms<const BROKEN: bool>(Mutex<Rows>);

impl<const BROKEN: bool> Subject for Rooms<BROKEN> {
    writes_as_usual!();
    removes_as_usual!();

    fn visit(&self, visit: &mut dyn FnMut(&Row) -> bool) {
        let room = ROOM.try_with(RefCell::take);
        let mut room =
            if BROKEN { room.expect("a thread has room") } else { room.unwrap_or_default() };
        room.extend(lock(&self.0).iter().cloned());
        room.iter().all(|row| visit(row));
        room.clear();
        // A thread that has no room any more needs none.
        _ = ROOM.try_with(|of_thread| of_thread.replace(room));
    }
}
