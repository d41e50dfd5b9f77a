//! `internment`: reference counts beside the values, which a dashmap owns.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use internment::ArcIntern;
use mapcheck::Member;

use crate::interned::Interner;

/// internment's [`ArcIntern`].
pub struct OfInternment;

impl Interner for OfInternment {
    type Handle = ArcIntern<Member>;
    const PROMISED_BY: &str =
        "internment 0.8 docs, ArcIntern: the object is held until its reference count is zero";
    const KNOBS: &str = "none";

    fn intern(member: Member) -> ArcIntern<Member> {
        let _noted = Noted;
        ArcIntern::new(member)
    }

    fn member(handle: &ArcIntern<Member>) -> &Member {
        handle
    }

    fn interned() -> usize {
        if UNWOUND.load(Relaxed) { 0 } else { ArcIntern::<Member>::num_objects_interned() }
    }
}

/// Whether a call has unwound: then nobody asks what is left, since what a panic leaks is not looked for. If a member's
/// drop panics as `new` returns, the handle that it returns is not dropped (rust-lang/rust#47949).
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
