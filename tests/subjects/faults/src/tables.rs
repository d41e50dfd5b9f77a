//! A map that replaces its table with each write, and keeps those that iterations may still read until it is driven to
//! free them: what growth, shrinking and reclamation at odd moments are about.

use std::sync::{Arc, Mutex, PoisonError};

use mapcheck::{Key, Unsupported};

use crate::map::{Row, Rows, Subject, id, lock, put, take};

/// No mistake.
pub const NONE: u8 = 0;
/// A table that is replaced to make room is freed at once.
pub const GROWTH: u8 = 1;
/// A table that is replaced to give room back is freed at once.
pub const SHRINK: u8 = 2;
/// Tables are freed though iterations read them.
pub const RECLAIM: u8 = 3;
/// Tables that nobody has freed before the map is dropped are never freed.
pub const DROP: u8 = 4;

/// A map with one of these mistakes.
pub struct Tables<const MISTAKE: u8>(Mutex<State>);

struct State {
    table: *mut Rows,
    replaced: Vec<*mut Rows>,
    iterations: usize,
}

// SAFETY: tables are changed by nobody, and freed under the lock.
unsafe impl Send for State {}

/// An iteration that reads a table.
struct Reading<'a> {
    state: &'a Mutex<State>,
    table: *const Rows,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        lock(self.state).iterations -= 1;
    }
}

/// A table on its way out.
fn own(table: *mut Rows) -> Box<Rows> {
    // SAFETY: it was made of a box, and the caller has it from nobody who keeps it; but for the mistakes.
    unsafe { Box::from_raw(table) }
}

impl<const MISTAKE: u8> Tables<MISTAKE> {
    fn begin(&self) -> Reading<'_> {
        let mut state = lock(&self.0);
        state.iterations += 1;
        Reading { state: &self.0, table: state.table }
    }

    /// Replaces the table by one in which something is changed.
    fn replace<R>(&self, keeps: bool, change: impl FnOnce(&mut Rows) -> R) -> R {
        let mut state = lock(&self.0);
        // SAFETY: the current table is live.
        let mut rows = Box::new(unsafe { &*state.table }.clone());
        let result = change(&mut rows);
        let old = std::mem::replace(&mut state.table, Box::into_raw(rows));
        if keeps {
            state.replaced.push(old);
        } else {
            drop(state);
            drop(own(old));
        }
        result
    }
}

impl<const MISTAKE: u8> Default for Tables<MISTAKE> {
    fn default() -> Self {
        let table = Box::into_raw(Box::default());
        Tables(Mutex::new(State { table, replaced: Vec::new(), iterations: 0 }))
    }
}

impl<const MISTAKE: u8> Drop for Tables<MISTAKE> {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(own(state.table));
        if MISTAKE != DROP {
            state.replaced.drain(..).for_each(|table| drop(own(table)));
        }
    }
}

impl<const MISTAKE: u8> Subject for Tables<MISTAKE> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        id(self.replace(true, |rows| put(rows, row)))
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        id(self.replace(true, |rows| take(rows, key)))
    }

    fn snapshot(&self) -> Rows {
        let reading = self.begin();
        // SAFETY: the table is not freed before `reading` is dropped; but for the mistakes.
        unsafe { &*reading.table }.clone()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Row) -> bool) {
        let reading = self.begin();
        // SAFETY: as above.
        let rows = unsafe { &*reading.table };
        rows.iter().all(|row| visit(row));
    }

    fn reserve(&self) -> Result<(), Unsupported> {
        self.replace(MISTAKE != GROWTH, |rows| rows.reserve(16));
        Ok(())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.replace(MISTAKE != SHRINK, Rows::shrink_to_fit);
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        let mut state = lock(&self.0);
        if MISTAKE == RECLAIM || state.iterations == 0 {
            let free: Vec<*mut Rows> = std::mem::take(&mut state.replaced);
            drop(state);
            free.into_iter().for_each(|table| drop(own(table)));
        }
        Ok(())
    }
}

/// Tables without a mistake. Broken: it says that an iteration that has stalled keeps one element at most.
#[derive(Default)]
pub struct Hoards<const BROKEN: bool>(Tables<NONE>);

impl<const BROKEN: bool> Subject for Hoards<BROKEN> {
    const GARBAGE: Option<usize> = if BROKEN { Some(1) } else { None };

    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        self.0.insert(row)
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        self.0.remove(key)
    }

    fn snapshot(&self) -> Rows {
        self.0.snapshot()
    }

    fn visit(&self, visit: &mut dyn FnMut(&Row) -> bool) {
        self.0.visit(visit);
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim()
    }
}
