//! Maps whose memory is in order and whose answers are not: one small mistake each, as it is made in earnest.

use std::collections::HashMap;
use std::mem::{self, ManuallyDrop};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use mapcheck::{Consistency, Iteration, Key, Map, Previous, Profile, Value};

use crate::bugs;
use crate::map::Broken;

/// What all of them promise, but for the iteration.
fn profile(iteration: Iteration) -> Profile {
    Profile { iteration, ..Broken::<bugs::None>::profile() }
}

fn previous(old: Option<Value>) -> Previous {
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("poisoned by a panic that was reported")
}

/// The words of a value.
const WORDS: usize = size_of::<Value>() / size_of::<u64>();

/// A value that is read without a lock: its words, and a number that is odd while they change.
struct Sequenced {
    number: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Sequenced {
    fn new(value: Value) -> Sequenced {
        // SAFETY: both are that many words, and a value has no padding.
        let words: [u64; WORDS] = unsafe { mem::transmute(value) };
        Sequenced { number: AtomicU64::new(0), words: words.map(AtomicU64::new) }
    }

    /// A copy of the value, which is not to be dropped.
    fn read(&self) -> ManuallyDrop<Value> {
        while self.number.load(Ordering::Acquire) % 2 == 1 {
            std::hint::spin_loop();
        }
        let mut words = [0; WORDS];
        for (copy, word) in words.iter_mut().zip(&self.words) {
            *copy = word.load(Ordering::Acquire);
        }
        // The bug: whether the number is still the same nobody asks.
        // SAFETY: none, therefore.
        ManuallyDrop::new(unsafe { mem::transmute::<[u64; WORDS], Value>(words) })
    }

    /// Puts a value in place of another. One thread at a time may do so.
    fn replace(&self, value: Value) -> Value {
        // SAFETY: nobody else writes.
        let old = ManuallyDrop::into_inner(self.read());
        self.number.fetch_add(1, Ordering::AcqRel);
        for (word, new) in self.words.iter().zip(Sequenced::new(value).words) {
            word.store(new.into_inner(), Ordering::Release);
        }
        self.number.fetch_add(1, Ordering::AcqRel);
        old
    }
}

/// Copies values word by word, and does not look whether they changed meanwhile.
pub struct HalfRead {
    index: Mutex<HashMap<Key, Arc<Sequenced>>>,
    /// What was replaced or removed is kept, since readers may have a copy.
    old: Mutex<Vec<Value>>,
}

impl HalfRead {
    fn keep(&self, old: Value) -> Previous {
        let id = old.id();
        locked(&self.old).push(old);
        Previous::Present(id)
    }
}

impl Drop for HalfRead {
    fn drop(&mut self) {
        for (_, value) in locked(&self.index).drain() {
            drop(ManuallyDrop::into_inner(value.read()));
        }
    }
}

impl Map for HalfRead {
    fn profile() -> Profile {
        profile(Iteration::Locked)
    }

    fn new() -> HalfRead {
        HalfRead { index: Mutex::new(HashMap::with_capacity(7)), old: Mutex::default() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let mut index = locked(&self.index);
        match index.get(&key) {
            Some(place) => self.keep(place.replace(value)),
            None => {
                index.insert(key, Arc::new(Sequenced::new(value)));
                Previous::Absent
            }
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        let removed = locked(&self.index).remove(key);
        removed.map_or(Previous::Absent, |place| self.keep(ManuallyDrop::into_inner(place.read())))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let place = locked(&self.index).get(key).cloned();
        place.is_some_and(|place| {
            read(&place.read());
            true
        })
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let index = locked(&self.index);
        let _ = index.iter().try_for_each(|(key, place)| visit(key, &place.read()));
    }
}

/// How elements lie in a list.
pub trait Order: Send + Sync + 'static {
    /// Puts a new one in.
    fn add(list: &mut Vec<Option<Element>>, element: Element);
    /// Takes the one at this place out.
    fn take(list: &mut Vec<Option<Element>>, at: usize) -> Option<Element>;
}

/// A key, and what is under it.
type Element = (Key, Arc<Value>);

/// The newest comes last, and fills the gap where one was removed.
pub struct Filled;
impl Order for Filled {
    fn add(list: &mut Vec<Option<Element>>, element: Element) {
        list.push(Some(element));
    }

    fn take(list: &mut Vec<Option<Element>>, at: usize) -> Option<Element> {
        list.swap_remove(at)
    }
}

/// The newest comes first, and what is removed leaves a gap.
pub struct NewestFirst;
impl Order for NewestFirst {
    fn add(list: &mut Vec<Option<Element>>, element: Element) {
        list.insert(0, Some(element));
    }

    fn take(list: &mut Vec<Option<Element>>, at: usize) -> Option<Element> {
        list[at].take()
    }
}

/// A list that is iterated over by places, which are others when the lock is taken the next time.
pub struct ByPlace<O> {
    list: Mutex<Vec<Option<Element>>>,
    order: std::marker::PhantomData<O>,
}

fn place_of(list: &[Option<Element>], key: &Key) -> Option<usize> {
    list.iter().position(|element| element.as_ref().is_some_and(|(k, _)| k == key))
}

fn id_of(old: Option<Arc<Value>>) -> Previous {
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

impl<O: Order> Map for ByPlace<O> {
    fn profile() -> Profile {
        profile(Iteration::WeaklyConsistent)
    }

    fn new() -> ByPlace<O> {
        ByPlace { list: Mutex::new(Vec::with_capacity(7)), order: std::marker::PhantomData }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let (mut list, value) = (locked(&self.list), Arc::new(value));
        let at = place_of(&list, &key);
        let Some((_, old)) = at.and_then(|at| list[at].as_mut()) else {
            O::add(&mut list, (key, value));
            return Previous::Absent;
        };
        id_of(Some(mem::replace(old, value)))
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut list = locked(&self.list);
        let at = place_of(&list, key);
        id_of(at.and_then(|at| O::take(&mut list, at)).map(|(_, value)| value))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let list = locked(&self.list);
        let found = place_of(&list, key).and_then(|at| list[at].as_ref());
        found.map(|(_, value)| read(value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let element = |at: usize| {
            let list = locked(&self.list);
            list.get(at)
                .map(|found| found.as_ref().map(|(key, value)| (key.clone(), value.clone())))
        };
        let mut at = 0;
        // The bug: the lock is given back, so that what stands at a place may have changed.
        while let Some(found) = element(at) {
            if found.is_some_and(|(key, value)| visit(&key, &value).is_break()) {
                return;
            }
            at += 1;
        }
    }
}

/// Elements, and a list of them for iterations that is made when it is needed.
#[derive(Default)]
struct Listed {
    map: HashMap<Key, Arc<Value>>,
    list: Option<Arc<Vec<Element>>>,
}

/// Forgets the list for iterations when something is inserted, and not when something is removed.
pub struct OldList(Mutex<Listed>);

impl Map for OldList {
    fn profile() -> Profile {
        profile(Iteration::WeaklyConsistent)
    }

    fn new() -> OldList {
        OldList(Mutex::default())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let mut listed = locked(&self.0);
        listed.list = None;
        id_of(listed.map.insert(key, Arc::new(value)))
    }

    fn remove(&self, key: &Key) -> Previous {
        // The bug: the list still has it.
        id_of(locked(&self.0).map.remove(key))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        locked(&self.0).map.get(key).map(|value| read(value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let list = {
            let mut listed = locked(&self.0);
            let Listed { map, list } = &mut *listed;
            let made = || Arc::new(map.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
            list.get_or_insert_with(made).clone()
        };
        let _ = list.iter().try_for_each(|(key, value)| visit(key, value));
    }
}

/// Looks under one lock whether a key is there, and acts under another.
pub struct LooksFirst(RwLock<HashMap<Key, Value>>);

impl Map for LooksFirst {
    fn profile() -> Profile {
        profile(Iteration::Locked)
    }

    fn new() -> LooksFirst {
        LooksFirst(RwLock::new(HashMap::with_capacity(7)))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        // The bug: what was so under this lock need not be so under the next.
        let known = self.0.read().expect("not poisoned").contains_key(&key);
        let old = self.0.write().expect("not poisoned").insert(key, value);
        if known { previous(old) } else { Previous::Absent }
    }

    fn remove(&self, key: &Key) -> Previous {
        previous(self.0.write().expect("not poisoned").remove(key))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read().expect("not poisoned").get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let map = self.0.read().expect("not poisoned");
        let _ = map.iter().try_for_each(|(key, value)| visit(key, value));
    }
}

/// Reads go to a copy. Writers bring it up to date, unless somebody is reading it.
pub struct OldCopy {
    map: Mutex<HashMap<Key, Arc<Value>>>,
    copy: Mutex<HashMap<Key, Arc<Value>>>,
}

impl OldCopy {
    /// Changes the map, and then the copy.
    fn write<R>(&self, change: impl FnOnce(&mut HashMap<Key, Arc<Value>>) -> R) -> R {
        let mut map = locked(&self.map);
        let result = change(&mut map);
        // The bug: whoever writes next makes good for it, and whoever reads before that does not see it.
        if let Ok(mut copy) = self.copy.try_lock() {
            copy.clone_from(&map);
        }
        result
    }
}

impl Map for OldCopy {
    fn profile() -> Profile {
        Profile { consistency: Consistency::SequentialPerKey, ..profile(Iteration::Locked) }
    }

    fn new() -> OldCopy {
        OldCopy { map: Mutex::default(), copy: Mutex::default() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.write(|map| id_of(map.insert(key, Arc::new(value))))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.write(|map| id_of(map.remove(key)))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        locked(&self.copy).get(key).map(|value| read(value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let map = locked(&self.map);
        let _ = map.iter().try_for_each(|(key, value)| visit(key, value));
    }
}
