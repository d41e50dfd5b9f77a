//! Maps that rely on what an allocator does most of the time.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use mapcheck::{Key, Value};

use crate::map::{Row, Rows, Subject, id, lock, put, removes_as_usual, take};
use crate::panics::hash;

/// All rows, in a block that is replaced with each write, and the number of that write.
#[derive(Default)]
struct Version {
    number: u64,
    rows: Rows,
}

/// A writer copies the current version, and puts the copy in its place if nobody else has written meanwhile. Broken: it
/// tells that by the address of the block, at which another version may lie by then.
#[derive(Default)]
pub struct Versions<const BROKEN: bool>(Mutex<Box<Version>>);

impl<const BROKEN: bool> Versions<BROKEN> {
    fn change<R>(&self, change: impl Fn(&mut Rows) -> R) -> R {
        loop {
            let current = lock(&self.0);
            let (seen, number) = (address(&current), current.number);
            let mut rows = current.rows.clone();
            drop(current);
            let result = change(&mut rows);
            let next = Box::new(Version { number: number + 1, rows });
            let mut current = lock(&self.0);
            let same = if BROKEN { address(&current) == seen } else { current.number == number };
            if same {
                let old = std::mem::replace(&mut *current, next);
                drop(current);
                drop(old);
                return result;
            }
        }
    }
}

fn address(version: &Version) -> usize {
    std::ptr::from_ref(version).addr()
}

impl<const BROKEN: bool> Subject for Versions<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        id(self.change(|rows| put(rows, Arc::clone(&row))))
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        id(self.change(|rows| take(rows, key)))
    }

    fn snapshot(&self) -> Rows {
        lock(&self.0).rows.clone()
    }
}

/// Rows with their hashes. Broken: keys with the same hash count as the same.
#[derive(Default)]
pub struct Hashes<const BROKEN: bool>(Mutex<Vec<(u64, Arc<Row>)>>);

impl<const BROKEN: bool> Hashes<BROKEN> {
    fn position(rows: &[(u64, Arc<Row>)], key: &Key) -> Option<usize> {
        let hash = hash(key);
        rows.iter().position(|(other, row)| *other == hash && (BROKEN || row.key == *key))
    }
}

impl<const BROKEN: bool> Subject for Hashes<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        let hash = hash(&row.key);
        let mut rows = lock(&self.0);
        let Some(at) = Self::position(&rows, &row.key) else {
            rows.push((hash, row));
            return None;
        };
        let old = std::mem::replace(&mut rows[at].1, row);
        drop(rows);
        id(Some(old))
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        let mut rows = lock(&self.0);
        let old = Self::position(&rows, key).map(|at| rows.swap_remove(at).1);
        drop(rows);
        id(old)
    }

    fn snapshot(&self) -> Rows {
        lock(&self.0).iter().map(|(_, row)| Arc::clone(row)).collect()
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let rows = lock(&self.0);
        let row = Self::position(&rows, key).map(|at| Arc::clone(&rows[at].1));
        drop(rows);
        row.map(|row| read(&row.value)).is_some()
    }
}

/// What is written is packed into a block first. Broken: it takes for granted that there is one.
#[derive(Default)]
pub struct Packs<const BROKEN: bool>(Mutex<Rows>);

/// Both ids of a row, as they come out of a block that they are packed into.
fn packed<const BROKEN: bool>(row: &Row) -> [u64; 2] {
    let layout = Layout::new::<[u64; 2]>();
    // SAFETY: the block is of this layout; or there is none, which is the mistake.
    unsafe {
        let block = black_box(alloc(layout)).cast::<[u64; 2]>();
        if !BROKEN && block.is_null() {
            handle_alloc_error(layout);
        }
        block.write([row.key.id(), row.value.id()]);
        let ids = black_box(block).read();
        dealloc(block.cast(), layout);
        ids
    }
}

impl<const BROKEN: bool> Subject for Packs<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        let ids = packed::<BROKEN>(&row);
        assert_eq!(ids, [row.key.id(), row.value.id()], "what was packed comes out again");
        let old = put(&mut lock(&self.0), row);
        id(old)
    }

    removes_as_usual!();
}

/// Rows by their addresses, with a bit set in those that were removed and that the next insert sweeps. A row is aligned
/// to 8 bytes. Broken: the bit is 8, which is clear wherever blocks are aligned to 16.
#[derive(Default)]
pub struct Tags<const BROKEN: bool>(Mutex<Vec<usize>>);

impl<const BROKEN: bool> Tags<BROKEN> {
    const REMOVED: usize = if BROKEN { 8 } else { 1 };

    fn row(address: usize) -> *const Row {
        std::ptr::with_exposed_provenance(address & !Self::REMOVED)
    }

    /// The rows that are there, by their places.
    fn rows(addresses: &[usize]) -> impl Iterator<Item = (usize, Arc<Row>)> {
        let all = addresses.iter().enumerate().filter(|(_, row)| *row & Self::REMOVED == 0);
        all.map(|(at, address)| {
            // SAFETY: the map has an owner's share of the row.
            unsafe { Arc::increment_strong_count(Self::row(*address)) };
            // SAFETY: this is another.
            (at, unsafe { Arc::from_raw(Self::row(*address)) })
        })
    }

    fn mark(addresses: &mut [usize], key: &Key) -> Option<u64> {
        let (at, row) = Self::rows(addresses).find(|(_, row)| row.key == *key)?;
        addresses[at] |= Self::REMOVED;
        Some(row.value.id())
    }

    /// Takes out the rows that were removed, or all of them.
    fn sweep(addresses: &mut Vec<usize>, all: bool) -> Rows {
        let gone = |address: &mut usize| all || *address & Self::REMOVED != 0;
        // SAFETY: the map gives up its share.
        addresses.extract_if(.., gone).map(|a| unsafe { Arc::from_raw(Self::row(a)) }).collect()
    }
}

impl<const BROKEN: bool> Drop for Tags<BROKEN> {
    fn drop(&mut self) {
        drop(Self::sweep(self.0.get_mut().unwrap_or_else(PoisonError::into_inner), true));
    }
}

impl<const BROKEN: bool> Subject for Tags<BROKEN> {
    fn insert(&self, row: Arc<Row>) -> Option<u64> {
        let mut addresses = lock(&self.0);
        let swept = Self::sweep(&mut addresses, false);
        let id = Self::mark(&mut addresses, &row.key);
        addresses.push(Arc::into_raw(row).expose_provenance());
        drop(addresses);
        drop(swept);
        id
    }

    fn remove(&self, key: &Key) -> Option<u64> {
        Self::mark(&mut lock(&self.0), key)
    }

    fn snapshot(&self) -> Rows {
        Self::rows(&lock(&self.0)).map(|(_, row)| row).collect()
    }
}
