//! Keys and values that know when they are read after their death.
//!
//! Each carries a canary: a pattern mixed with its id that [`Drop`] overwrites. Every callback a map makes on them is a
//! schedule point and verifies the canary first, so that an invalid reference is found even where it points into live
//! memory, and even where the map is not instrumented.

use std::borrow::Borrow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mapcheck_machine as machine;

use crate::fault::{self, Fault};

/// See [`dropped`].
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// See [`left`].
static VALUES: AtomicU64 = AtomicU64::new(0);
/// See [`left`].
static KEYS: AtomicU64 = AtomicU64::new(0);

/// Keys and values that the execution under way has made and not dropped.
#[inline(never)]
pub(crate) fn left() -> (u64, u64) {
    (KEYS.load(Relaxed), VALUES.load(Relaxed))
}

/// Values dropped so far in the execution under way by another operation than made them: what a map
/// gives up, and not what it refuses.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

/// How many keys that follow each other hash alike in the execution under way.
static ALIKE: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The same outside of executions, where a scenario runs on one thread and other threads may run others.
    static ALIKE_OUTSIDE: Cell<u64> = const { Cell::new(1) };
}

/// What is drawn: as the scenario says, in pairs, or all of them.
const WAYS: [Option<u64>; 3] = [None, Some(2), Some(u64::MAX)];

/// Decides how keys hash in the execution that begins, of a scenario in which so many hash alike, and counts elements
/// from 0.
#[inline(never)]
pub(crate) fn begin_execution(alike: u32) {
    [&DROPPED, &KEYS, &VALUES].iter().for_each(|count| count.store(0, Relaxed));
    let draw = || machine::choose(machine::ChoiceKind::Data, WAYS.len() as u32) as usize;
    let drawn = fault::is_on(Fault::HashCollisions).then(draw).and_then(|way| WAYS[way]);
    let alike = drawn.unwrap_or(alike.max(1).into());
    if machine::current_thread().is_some() {
        ALIKE.store(alike, Relaxed);
    } else {
        ALIKE_OUTSIDE.set(alike);
    }
}

/// What a key with this id feeds to its hasher.
#[inline(never)]
fn hashed(id: u64) -> u64 {
    let inside = machine::current_thread().is_some();
    id / if inside { ALIKE.load(Relaxed) } else { ALIKE_OUTSIDE.get() }
}

const ALIVE: u64 = 0xa11f_e0a1_1fe0_a11f;
const DEAD: u64 = 0xdead_0dea_d0de_ad0d;

/// The canary of an element with this id.
fn canary(pattern: u64, id: u64) -> u64 {
    pattern ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// Ends the execution with a finding; panics outside executions.
#[inline(never)]
fn fail(class: &'static str, message: String, addr: usize) -> ! {
    if machine::current_thread().is_some() {
        machine::fail(class, message, addr);
    }
    panic!("{class}: {message}");
}

/// What an element is, for messages.
#[derive(Clone, Copy)]
enum What {
    Key,
    Value,
}

#[inline(never)]
fn name(what: What, id: u64) -> String {
    match what {
        What::Key => format!("key {id}"),
        What::Value => value_name(id),
    }
}

/// A value, for messages.
pub(crate) fn value_name(id: u64) -> String {
    format!("value {}.{}", id >> 32, id & 0xffff_ffff)
}

/// The id of the value of which a block of this size, which begins with these words, is the payload.
pub(crate) fn value_in(size: usize, head: [u64; 2]) -> Option<u64> {
    (size == size_of::<[u64; 2]>() && head[0] == !head[1]).then_some(head[0])
}

#[inline(never)]
fn verify_alive(what: What, id: u64, seen: u64, addr: usize) {
    if seen == canary(ALIVE, id) {
        return;
    }
    if seen == canary(DEAD, id) {
        fail(
            "premature-reclamation",
            format!("{} was read after it was dropped", name(what, id)),
            addr,
        );
    }
    torn(what, id, addr)
}

#[inline(never)]
fn verify_droppable(what: What, id: u64, seen: u64, addr: usize) {
    if seen == canary(ALIVE, id)
        || (machine::current_thread().is_none() && std::thread::panicking())
    {
        return;
    }
    if seen == canary(DEAD, id) {
        fail(
            "double-free",
            format!("{} was dropped again after it was dropped", name(what, id)),
            addr,
        );
    }
    torn(what, id, addr)
}

fn torn(what: What, id: u64, addr: usize) -> ! {
    let kind = match what {
        What::Key => "a key",
        What::Value => "a value",
    };
    fail("torn-value", format!("the bytes read as {kind} (id {id:#x}) are no {}", &kind[2..]), addr)
}

/// A key: a number, and a canary.
///
/// All its trait implementations read it as described in the [module](self), so all of them end the execution with a
/// finding, or panic outside of executions, when it is invalid.
///
/// ```
/// use mapcheck::element::Key;
/// assert_eq!(format!("{:?}", Key::new(3)), "key 3");
/// assert!(Key::new(3) < Key::new(4));
/// ```
pub struct Key {
    id: u64,
    canary: u64,
}

impl Key {
    /// The key with this number.
    #[inline(never)]
    pub fn new(id: u64) -> Key {
        KEYS.fetch_add(1, Relaxed);
        Key { id, canary: canary(ALIVE, id) }
    }

    /// Its number. Reads the key, see [`Key::check`].
    #[inline(never)]
    pub fn id(&self) -> u64 {
        machine::touch(std::ptr::from_ref(self).addr(), size_of::<Key>(), false);
        // What the reference points to may have changed at the schedule point, whatever the compiler believes.
        let key = black_box(self);
        verify_alive(What::Key, key.id, key.canary, std::ptr::from_ref(self).addr());
        key.id
    }

    /// Reads the key and verifies that it is one.
    ///
    /// # Panics
    /// When it is not, outside of executions; inside, the execution ends with a finding.
    pub fn check(&self) {
        self.id();
    }
}

impl Drop for Key {
    #[inline(never)]
    fn drop(&mut self) {
        let addr = std::ptr::from_ref(self).addr();
        machine::touch(addr, size_of::<Key>(), true);
        let key = black_box(&mut *self);
        verify_droppable(What::Key, key.id, key.canary, addr);
        key.canary = canary(DEAD, key.id);
        KEYS.fetch_sub(1, Relaxed);
        black_box(key);
        fault::may_panic(Fault::PanicInDrop);
    }
}

impl Clone for Key {
    #[inline(never)]
    fn clone(&self) -> Key {
        let id = self.id();
        fault::may_panic(Fault::PanicInClone);
        Key::new(id)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let id = self.id();
        fault::may_panic(Fault::PanicInHash);
        state.write_u64(hashed(id));
    }
}

impl PartialEq for Key {
    #[inline(never)]
    fn eq(&self, other: &Key) -> bool {
        let ids = (self.id(), other.id());
        fault::may_panic(Fault::PanicInEq);
        ids.0 == ids.1
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    #[inline(never)]
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    #[inline(never)]
    fn cmp(&self, other: &Key) -> Ordering {
        let ids = (self.id(), other.id());
        fault::may_panic(Fault::PanicInEq);
        ids.0.cmp(&ids.1)
    }
}

impl fmt::Debug for Key {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(What::Key, self.id()))
    }
}

/// A value: an id, a payload on the heap, and a canary.
///
/// Its trait implementations verify it as those of [`Key`] do.
///
/// ```
/// use mapcheck::element::Value;
/// let value = Value::new(3 << 32 | 1);
/// assert_eq!(value.clone().id(), value.id());
/// assert_eq!(format!("{value:?}"), "value 3.1");
/// ```
pub struct Value {
    id: u64,
    payload: Box<[u64; 2]>,
    canary: u64,
}

impl Value {
    /// The value with this id. Scenarios use ids once: the key's number in the upper half, and a running number.
    #[inline(never)]
    pub fn new(id: u64) -> Value {
        VALUES.fetch_add(1, Relaxed);
        Value { id, payload: Box::new([id, !id]), canary: canary(ALIVE, id) }
    }

    /// Its id. Reads the value and its payload, see [`Value::check`].
    #[inline(never)]
    pub fn id(&self) -> u64 {
        let addr = std::ptr::from_ref(self).addr();
        machine::touch(addr, size_of::<Value>(), false);
        let value = black_box(self);
        verify_alive(What::Value, value.id, value.canary, addr);
        let (id, payload) = (value.id, std::ptr::from_ref(&*value.payload).addr());
        machine::touch(payload, size_of::<[u64; 2]>(), false);
        if *black_box(&*value.payload) != [id, !id] {
            fail(
                "torn-value",
                format!("the payload of {} is not its own", name(What::Value, id)),
                payload,
            );
        }
        id
    }

    /// Takes the value away without a schedule point, and does not count it among those that the map gave up: for a
    /// model that keeps elements as words of its own, and makes values of them to show.
    #[inline(never)]
    pub fn discard(self) {
        let (before, mut value) = (DROPPED.load(Relaxed), Some(self));
        machine::outside(&mut || drop(value.take()));
        DROPPED.store(before, Relaxed);
    }

    /// Reads the value and its payload and verifies that they are a value's.
    ///
    /// # Panics
    /// When they are not, outside of executions; inside, the execution ends with a finding.
    pub fn check(&self) {
        self.id();
    }
}

impl Drop for Value {
    #[inline(never)]
    fn drop(&mut self) {
        let addr = std::ptr::from_ref(self).addr();
        machine::touch(addr, size_of::<Value>(), true);
        let value = black_box(&mut *self);
        verify_droppable(What::Value, value.id, value.canary, addr);
        value.canary = canary(DEAD, value.id);
        let own = value.id & 0xffff_ffff == u64::from(machine::current_label());
        DROPPED.fetch_add(u64::from(!own), Relaxed);
        VALUES.fetch_sub(1, Relaxed);
        black_box(value);
        fault::may_panic(Fault::PanicInDrop);
    }
}

impl Clone for Value {
    #[inline(never)]
    fn clone(&self) -> Value {
        let id = self.id();
        fault::may_panic(Fault::PanicInClone);
        Value::new(id)
    }
}

impl fmt::Debug for Value {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(What::Value, self.id()))
    }
}

/// A member of a set, which is a key and a value at once: sets are driven as maps.
///
/// Members hash, compare and order by their keys alone, so a set knows one of each key; and they can be looked up by a
/// [`Key`], which they lend. So the adapter of a set says of an `insert` that was refused
/// [`Previous::Refused`](crate::Previous::Refused), and reads and removes as that of a map does.
///
/// ```
/// use std::collections::HashSet;
/// use mapcheck::{Key, Member, Value};
/// let mut set = HashSet::from([Member::new(Key::new(3), Value::new(3 << 32 | 1))]);
/// assert!(!set.insert(Member::new(Key::new(3), Value::new(3 << 32 | 2))));
/// assert_eq!(set.get(&Key::new(3)).unwrap().value().id(), 3 << 32 | 1);
/// ```
#[derive(Clone, Debug)]
pub struct Member {
    key: Key,
    value: Value,
}

impl Member {
    /// The member with this key.
    pub fn new(key: Key, value: Value) -> Member {
        Member { key, value }
    }

    /// What it is told by.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What it carries.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

impl Borrow<Key> for Member {
    fn borrow(&self) -> &Key {
        &self.key
    }
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Member) -> bool {
        self.key == other.key
    }
}

impl Eq for Member {}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Member) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Member {
    fn cmp(&self, other: &Member) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeSet, HashSet};
    use std::panic::catch_unwind;

    fn message(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
        *catch_unwind(run).unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn keys_hash_compare_and_order_by_their_number() {
        assert_eq!((0..6).map(|i| Key::new(i % 3)).collect::<HashSet<_>>().len(), 3);
        let ordered: BTreeSet<Key> = [2, 0, 1].map(Key::new).into();
        assert_eq!(format!("{ordered:?}"), "{key 0, key 1, key 2}");
    }

    #[test]
    fn a_clone_outlives_its_original() {
        let value = Value::new(7);
        let clone = value.clone();
        drop(value);
        clone.check();
        assert_eq!(clone.id(), 7);
    }

    #[test]
    fn a_dead_canary_is_told_as_a_read_after_the_drop_or_a_second_drop() {
        let dead = || verify_alive(What::Key, 3, canary(DEAD, 3), 0);
        assert_eq!(message(dead), "premature-reclamation: key 3 was read after it was dropped");
        let again = || verify_droppable(What::Value, 3 << 32, canary(DEAD, 3 << 32), 0);
        assert_eq!(message(again), "double-free: value 3.0 was dropped again after it was dropped");
    }

    #[test]
    fn any_other_canary_is_told_as_torn() {
        let key = || std::mem::ManuallyDrop::new(Key { id: 1, canary: 5 }).check();
        assert_eq!(message(key), "torn-value: the bytes read as a key (id 0x1) are no key");
        let value = Value { id: 1, payload: Box::new([1, 1]), canary: canary(ALIVE, 1) };
        let check = std::panic::AssertUnwindSafe(|| value.check());
        assert_eq!(message(check), "torn-value: the payload of value 0.1 is not its own");
    }
}
