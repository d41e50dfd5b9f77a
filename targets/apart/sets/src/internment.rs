//! `internment`: reference counts beside the values, which a dashmap owns.

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
        ArcIntern::new(member)
    }

    fn member(handle: &ArcIntern<Member>) -> &Member {
        handle
    }

    fn interned() -> usize {
        ArcIntern::<Member>::num_objects_interned()
    }
}
