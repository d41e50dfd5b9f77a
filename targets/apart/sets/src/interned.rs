//! Interners that drop a value with its last handle, driven through a table of handles.
//!
//! Two calls that intern one key at once both succeed, so they are no map's calls, and no order is asked of them. What
//! interners promise is asserted here: equal values are one value as long as a handle of it is held; and once the last
//! is dropped, nothing is left.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Value};

/// An interner of members.
pub trait Interner: 'static {
    /// Holds a member.
    type Handle: Clone + Send;
    /// Where the promise is written.
    const PROMISED_BY: &str;
    /// What was turned down.
    const KNOBS: &str;
    /// Interns a member.
    fn intern(member: Member) -> Self::Handle;
    /// The member that is held.
    fn member(handle: &Self::Handle) -> &Member;
    /// How many members are interned.
    fn interned() -> usize;
}

/// One handle a key, of an interner that belongs to the whole process.
pub struct Interned<I: Interner>(Mutex<BTreeMap<u64, I::Handle>>);

impl<I: Interner> Interned<I> {
    fn handles(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, I::Handle>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Handles of equal members, held at once.
fn assert_same<I: Interner>(one: &I::Handle, other: &I::Handle) {
    let (one, other) = (I::member(one), I::member(other));
    assert_eq!(one.key().id(), other.key().id(), "a handle holds what was interned");
    assert!(std::ptr::eq(one, other), "equal values that are held are one value");
    assert_eq!(one.value().id(), other.value().id());
}

impl<I: Interner> Map for Interned<I> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: I::PROMISED_BY,
            consistency: Consistency::None,
            atomic: Atomic::NONE,
            grows_at: 48,
            write_in_visit: false,
            knobs: I::KNOBS,
        }
    }

    fn new() -> Interned<I> {
        Interned(Mutex::default())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let _noted = Noted;
        let (id, own) = (key.id(), value.id());
        let handle = I::intern(Member::new(key, value));
        assert_eq!(I::member(&handle).key().id(), id, "a handle holds what was interned");
        let kept = self.handles().entry(id).or_insert_with(|| handle.clone()).clone();
        assert_same::<I>(&handle, &kept);
        if I::member(&kept).value().id() == own { Previous::Absent } else { Previous::Refused }
    }

    /// The handle is dropped after the table is unlocked.
    fn remove(&self, key: &Key) -> Previous {
        let _noted = Noted;
        let handle = self.handles().remove(&key.id());
        if let Some(handle) = &handle {
            I::member(handle).value().check();
        }
        Previous::Unknown
    }

    /// Reads through the handle in the table, and interns its member once more.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let _noted = Noted;
        let Some(handle) = self.handles().get(&key.id()).cloned() else { return false };
        let again = I::intern(I::member(&handle).clone());
        assert_same::<I>(&handle, &again);
        drop(handle);
        read(I::member(&again).value());
        true
    }
}

impl<I: Interner> Drop for Interned<I> {
    /// All threads have ended: these are the last handles.
    fn drop(&mut self) {
        self.handles().clear();
        if !std::thread::panicking() && !UNWOUND.load(Relaxed) {
            assert_eq!(I::interned(), 0, "values are left that nobody holds");
        }
    }
}

/// Whether an operation has unwound: then nobody asks what is left, since what a panic leaks is not looked for. If a
/// member's drop panics as `ArcIntern::new` returns, the handle that it returns is not dropped (rust-lang/rust#47949);
/// if its hash does as the last handle is dropped, the member is not found to be removed.
static UNWOUND: AtomicBool = AtomicBool::new(false);

/// Notes that it was dropped by unwinding.
struct Noted;

impl Drop for Noted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            UNWOUND.store(true, Relaxed);
        }
    }
}
