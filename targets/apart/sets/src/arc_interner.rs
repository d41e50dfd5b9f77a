//! `arc-interner`: std's `Arc`s, of which a dashmap has one more.

use arc_interner::ArcIntern;
use mapcheck::Member;

use crate::interned::Interner;

/// arc-interner's [`ArcIntern`].
pub struct OfArcInterner;

impl Interner for OfArcInterner {
    type Handle = ArcIntern<Member>;
    const PROMISED_BY: &str =
        "arc-interner 0.7 crate docs: with the last reference the object is deallocated";
    const KNOBS: &str = "none";

    fn intern(member: Member) -> ArcIntern<Member> {
        ArcIntern::new(member)
    }

    fn member(handle: &ArcIntern<Member>) -> &Member {
        handle
    }

    fn interned() -> usize {
        ArcIntern::<Member>::num_objects_interned()
    }
}
