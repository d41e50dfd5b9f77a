//! Maps that are broken on purpose, one way each. The tests of mapcheck expect each to be found, and the campaign to
//! go on with the next.

mod bugs;
mod futures;
mod map;
mod promises;

use std::process::ExitCode;

use mapcheck::{Async, Map, Target};

use futures::{AsksAgain, Busy, Locked};
use map::Broken;
use promises::{ByPlace, Filled, HalfRead, LooksFirst, NewestFirst, OldCopy, OldList};

fn main() -> ExitCode {
    mapcheck::runner::main(&[
        of::<Broken<bugs::None>>("healthy"),
        of::<Broken<bugs::Segfault>>("segfault"),
        of::<Broken<bugs::Abort>>("abort"),
        of::<Broken<bugs::StackOverflow>>("stack-overflow"),
        of::<Broken<bugs::EndlessLoop>>("endless-loop"),
        of::<Broken<bugs::EndlessSpin>>("endless-spin"),
        of::<Broken<bugs::MemoryHog>>("memory-hog"),
        of::<Broken<bugs::Exit>>("exit"),
        of::<Broken<bugs::OrphanThread>>("orphan-thread"),
        of::<Broken<bugs::PanicInInsert>>("panic-in-insert"),
        of::<Broken<bugs::Deadlock>>("deadlock"),
        of::<Broken<bugs::DoubleFree>>("double-free"),
        of::<Broken<bugs::WrongLayout>>("wrong-layout"),
        of::<Broken<bugs::Redzone>>("redzone"),
        of::<Broken<bugs::UseAfterFree>>("use-after-free"),
        of::<Broken<bugs::LostBlock>>("lost-block"),
        of::<Broken<bugs::LostValue>>("lost-value"),
        of::<Broken<bugs::LostKey>>("lost-key"),
        of::<Broken<bugs::DataRace>>("data-race"),
        of::<map::Liar>("liar"),
        of::<Broken<bugs::VisitorDeadlock>>("visitor-deadlock"),
        of::<Broken<bugs::Several>>("several"),
        of::<Async<Locked<true>>>("taken-out"),
        of::<Async<Locked<false>>>("left-in"),
        of::<Async<Busy<false>>>("busy-for-ever"),
        of::<Async<Busy<true>>>("busy-guarded"),
        of::<Async<AsksAgain>>("asks-again"),
        of::<HalfRead>("half-read"),
        of::<ByPlace<Filled>>("filled-gap"),
        of::<ByPlace<NewestFirst>>("newest-first"),
        of::<OldList>("old-list"),
        of::<LooksFirst>("looks-first"),
        of::<OldCopy>("old-copy"),
    ])
}

const fn of<M: Map>(name: &'static str) -> Target {
    Target::of::<M>(name, "std", include_str!("../Cargo.lock"))
}
