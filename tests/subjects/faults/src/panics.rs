//! Maps that a panic in what they call leaves in a state that is none.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::mem::{self, ManuallyDrop};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use mapcheck::{Iteration, Key, Value};

use crate::map::{
    Row, Rows, Subject, id, lock, position, put, removes_as_usual, take, writes_as_usual,
};

/// The hash of a key.
pub fn hash(key: &Key) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

/// A table of buckets that grows. Broken: rows are hashed again when the table has none of them any more, so that those
/// that a panic leaves over are lost.
pub struct InHash<const BROKEN: bool>(Mutex<Vec<Rows>>);

impl<const BROKEN: bool> Default for InHash<BROKEN> {
    fn default() -> Self {
        InHash(Mutex::new(vec![Rows::new()]))
    }
}

/// The bucket of a key.
fn bucket<'a>(buckets: &'a mut [Rows], key: &Key) -> &'a mut Rows {
    let at = hash(key) as usize % buckets.len();
    &mut buckets[at]
}

impl<const BROKEN: bool> InHash<BROKEN> {
    fn grow(buckets: &mut Vec<Rows>) {
        let mut grown = vec![Rows::new(); 2 * buckets.len()];
        let rows: Rows = match BROKEN {
            true => mem::take(buckets).into_iter().flatten().collect(),
            false => buckets.iter().flatten().cloned().collect(),
        };
        if BROKEN {
            mem::swap(buckets, &mut grown);
            rows.into_iter().for_each(|row| bucket(buckets, &row.key).push(row));
        } else {
            rows.into_iter().for_each(|row| bucket(&mut grown, &row.key).push(row));
            *buckets = grown;
        }
    }
}

impl<const BROKEN: bool> Subject for InHash<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        let mut buckets = lock(&self.0);
        if buckets.iter().flatten().count() >= 4 * buckets.len() {
            Self::grow(&mut buckets);
        }
        let old = put(bucket(&mut buckets, &row.key), row);
        drop(buckets);
        id(old)
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        let old = take(bucket(&mut lock(&self.0), key), key);
        id(old)
    }

    fn snapshot(&self) -> Rows {
        lock(&self.0).iter().flatten().cloned().collect()
    }
}

/// One writer at a time. Broken: the next one is let in by a writer's last statement, which a panic in a comparison
/// leaves out.
#[derive(Default)]
pub struct InEq<const BROKEN: bool> {
    writing: Mutex<bool>,
    free: Condvar,
    rows: Mutex<Rows>,
}

/// Lets the next writer in.
struct Leave<'a, const BROKEN: bool>(&'a InEq<BROKEN>);

impl<const BROKEN: bool> Drop for Leave<'_, BROKEN> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<const BROKEN: bool> InEq<BROKEN> {
    fn enter(&self) {
        let mut writing = lock(&self.writing);
        while *writing {
            writing = self.free.wait(writing).unwrap_or_else(PoisonError::into_inner);
        }
        *writing = true;
    }

    fn leave(&self) {
        *lock(&self.writing) = false;
        self.free.notify_one();
    }

    fn alone<R>(&self, write: impl FnOnce(&mut Rows) -> R) -> R {
        self.enter();
        let leave = (!BROKEN).then(|| Leave(self));
        let result = write(&mut lock(&self.rows));
        if leave.is_none() {
            self.leave();
        }
        result
    }
}

impl<const BROKEN: bool> Subject for InEq<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        id(self.alone(|rows| put(rows, row)))
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        id(self.alone(|rows| take(rows, key)))
    }

    fn snapshot(&self) -> Rows {
        lock(&self.rows).clone()
    }
}

/// Readers get a copy. Broken: the value is moved out of its row to be copied, and dropped if that panics, though the
/// row still has it.
#[derive(Default)]
pub struct InClone<const BROKEN: bool>(Mutex<Rows>);

impl<const BROKEN: bool> Subject for InClone<BROKEN> {
    writes_as_usual!();
    removes_as_usual!();

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let rows = self.snapshot();
        let Some(at) = position(&rows, key) else { return false };
        let copy = if BROKEN {
            // SAFETY: it is forgotten below; but not if `clone` panics, which is the mistake.
            let value = unsafe { std::ptr::read(&rows[at].value) };
            let copy = value.clone();
            mem::forget(value);
            copy
        } else {
            rows[at].value.clone()
        };
        read(&copy);
        true
    }
}

/// Rows are dropped under the lock. Broken: where they are, before they are taken out.
#[derive(Default)]
pub struct InDrop<const BROKEN: bool>(Mutex<Vec<ManuallyDrop<Arc<Row>>>>);

impl<const BROKEN: bool> InDrop<BROKEN> {
    /// The place of a row, and the id of its value.
    fn find(rows: &[ManuallyDrop<Arc<Row>>], key: &Key) -> Option<(usize, u64)> {
        let at = rows.iter().position(|row| row.key == *key)?;
        Some((at, rows[at].value.id()))
    }

    /// Drops the row at this place where it is, if that is the mistake.
    fn drop_in_place(rows: &mut [ManuallyDrop<Arc<Row>>], at: usize) {
        if BROKEN {
            // SAFETY: it is taken out next; but not if its drop panics, which is the mistake.
            unsafe { ManuallyDrop::drop(&mut rows[at]) };
        }
    }

    /// Drops a row that was taken out, if it is not dropped already.
    fn give_up(row: ManuallyDrop<Arc<Row>>) {
        if !BROKEN {
            drop(ManuallyDrop::into_inner(row));
        }
    }
}

impl<const BROKEN: bool> Drop for InDrop<BROKEN> {
    fn drop(&mut self) {
        let rows = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        rows.drain(..).for_each(|row| drop(ManuallyDrop::into_inner(row)));
    }
}

impl<const BROKEN: bool> Subject for InDrop<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        let mut rows = lock(&self.0);
        let Some((at, id)) = Self::find(&rows, &row.key) else {
            rows.push(ManuallyDrop::new(row));
            return None;
        };
        Self::drop_in_place(&mut rows, at);
        Self::give_up(mem::replace(&mut rows[at], ManuallyDrop::new(row)));
        Some(id)
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        let mut rows = lock(&self.0);
        let (at, id) = Self::find(&rows, key)?;
        Self::drop_in_place(&mut rows, at);
        Self::give_up(rows.swap_remove(at));
        Some(id)
    }

    fn snapshot(&self) -> Rows {
        lock(&self.0).iter().map(|row| Arc::clone(row)).collect()
    }
}

/// Writers wait while it is iterated over. Broken: an iteration takes all rows out, and puts them back at its end, if
/// it comes to it.
#[derive(Default)]
pub struct InVisitor<const BROKEN: bool>(Mutex<Rows>);

impl<const BROKEN: bool> Subject for InVisitor<BROKEN> {
    const ITERATION: Iteration = Iteration::Locked;

    writes_as_usual!();
    removes_as_usual!();

    fn visit(&self, visit: &mut dyn FnMut(&Row) -> bool) {
        let mut rows = lock(&self.0);
        if BROKEN {
            let lent = mem::take(&mut *rows);
            lent.iter().all(|row| visit(row));
            *rows = lent;
        } else {
            rows.iter().all(|row| visit(row));
        }
    }
}
