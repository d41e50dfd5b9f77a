//! crossbeam-skiplist 0.1.3: a value whose insert lost to another of the same key may never be dropped.
//!
//! Safe code, one thread, so that it fails each time: a comparison in the midst of an insert inserts the same key itself, as
//! another thread may just then. Then comes an iteration, the drop of the list, and the epochs are driven until nothing more
//! is dropped. Says of how many such lists a value was left, with the iteration and without it.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::sync::Arc;

use crossbeam_skiplist::SkipMap;
use mapcheck_reproductions::{Counted, live};

type List = SkipMap<Key, Counted>;

thread_local! {
    /// The list that a comparison inserts into, and after how many more of them it does.
    static OTHER: RefCell<Option<Arc<List>>> = const { RefCell::new(None) };
    static LEFT: Cell<i64> = const { Cell::new(-1) };
    static COUNT: Cell<i64> = const { Cell::new(0) };
}

struct Key(u64);

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        COUNT.set(COUNT.get() + 1);
        let left = LEFT.get();
        LEFT.set(left - 1);
        if left == 0 {
            let list = OTHER.with_borrow(Clone::clone).expect("there is a list to insert into");
            list.insert(Key(MIDDLE), Counted::new(1));
        }
        self.0.cmp(&other.0)
    }
}

/// The key that is inserted twice.
const MIDDLE: u64 = 1_000_000;

/// Drives the epochs until all is dropped that ever will be.
fn drive() {
    (0..2_000).for_each(|_| crossbeam_epoch::pin().flush());
}

/// Inserts a key twice at once into a list of so many; how many values are left when it is gone.
fn left(length: u64, iterate: bool) -> i64 {
    let before = live();
    let list = Arc::new(List::new());
    (0..length).for_each(|n| _ = list.insert(Key(n), Counted::new(0)));
    // How many comparisons an insert makes: the same search, for a key that is not there.
    COUNT.set(0);
    let _ = list.get(&Key(MIDDLE));
    let comparisons = COUNT.get();
    OTHER.set(Some(Arc::clone(&list)));
    LEFT.set(comparisons - 1);
    list.insert(Key(MIDDLE), Counted::new(2));
    LEFT.set(-1);
    OTHER.set(None);
    if iterate {
        list.iter().for_each(|_| ());
    }
    drop(list);
    drive();
    live() - before
}

fn main() {
    for iterate in [true, false] {
        let lists = 1..650;
        let lost = lists.clone().filter(|length| left(*length, iterate) > 0).count();
        let how = if iterate { "with an iteration" } else { "without one" };
        println!("{how}: of {} lists, {lost} lost a value", lists.count());
    }
}
