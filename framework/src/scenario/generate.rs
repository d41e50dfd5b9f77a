//! Scenarios that are drawn: small programs biased towards iterating, deleting, growing and reclaiming.
//!
//! What is drawn is read from bytes, so that a fuzzer can drive it as well as a seed. Each part of a scenario has a
//! place of its own among the bytes: first the outline, then one move of a thread after the other. So another byte in
//! a move makes another move, and leaves the rest of the scenario as it was.

mod moves;

use arbitrary::{Result, Unstructured};

use self::moves::{Mover, Role};
use super::{Keys, Op, Scenario};
use crate::map::{Iteration, Profile};
use crate::pcg::Pcg;
use crate::scheduler::splitmix;

/// The family of these scenarios.
pub(crate) const FAMILY: &str = "generated";
/// Scenarios of a run.
const COUNT: u64 = 300;
/// Bytes that the outline of a scenario is drawn from.
const OUTLINE: usize = 16;
/// Bytes that a move is drawn from.
const MOVE: usize = 8;
/// Bytes of a scenario of a run: more than any is drawn from.
const BYTES: usize = OUTLINE + THREADS * MOVES * MOVE;
/// The most threads.
const THREADS: usize = 4;
/// The most moves of a thread.
const MOVES: usize = 3;
/// The most elements at the start: a table of 128 that has doubled from 8 is about to grow.
const LARGEST: u32 = 106;

/// The scenarios of a run with this seed, the same for the same profile. Each shape has its turn.
pub(super) fn all(profile: &Profile, seed: u64) -> Vec<Scenario> {
    (0..COUNT).map(|i| seeded(profile, seed, i)).collect()
}

fn seeded(profile: &Profile, seed: u64, number: u64) -> Scenario {
    let mixed = splitmix(splitmix(seed) ^ number);
    let mut random = Pcg::new(u128::from(mixed) << 64 | u128::from(number) | 1);
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes);
    let shape = turn(number);
    bytes[0] = SHAPES.iter().position(|s| *s == shape).unwrap_or_default() as u8;
    let drawn = Scenario::arbitrary(profile, &mut Unstructured::new(&bytes));
    let scenario = drawn.expect("no draw asks for more bytes than there are");
    Scenario { name: format!("{FAMILY}/{seed}-{number}"), ..scenario }
}

impl Scenario {
    /// A scenario for a map with this profile, drawn from `bytes`: for fuzzers. Any bytes give one, few bytes a small
    /// one; none ever has more than 4 threads, and 12 operations on each.
    ///
    /// # Errors
    /// None so far: where there are too few bytes, the smallest choice is taken.
    ///
    /// ```
    /// # use mapcheck::{Atomic, Consistency, Iteration, Profile};
    /// use mapcheck::scenario::{Scenario, Unstructured};
    /// # let profile = Profile {
    /// #     iteration: Iteration::WeaklyConsistent,
    /// #     promised_by: "",
    /// #     consistency: Consistency::Linearizable,
    /// #     atomic: Atomic::NONE,
    /// #     grows_at: 8,
    /// #     write_in_visit: true,
    /// #     knobs: "",
    /// # };
    /// let scenario = Scenario::arbitrary(&profile, &mut Unstructured::new(&[])).unwrap();
    /// assert_eq!(scenario.threads.len(), 1);
    /// ```
    pub fn arbitrary(profile: &Profile, bytes: &mut Unstructured<'_>) -> Result<Scenario> {
        let outline = Outline::draw(profile, &mut part(bytes, OUTLINE)?)?;
        let mut threads = Vec::new();
        for thread in 0..outline.threads {
            threads.push(outline.thread(thread, bytes)?);
        }
        Ok(Scenario {
            name: format!("{FAMILY}/of-bytes"),
            family: FAMILY.to_owned(),
            collide: outline.collide,
            elements: false,
            setup: outline.setup,
            threads,
            teardown: outline.teardown,
        })
    }
}

/// The next bytes, so many if there are, as bytes of their own.
fn part<'a>(bytes: &mut Unstructured<'a>, most: usize) -> Result<Unstructured<'a>> {
    let n = most.min(bytes.len());
    bytes.bytes(n).map(Unstructured::new)
}

/// One of `0..n`; 0 where there are no bytes left.
fn below(bytes: &mut Unstructured<'_>, n: u32) -> Result<u32> {
    bytes.int_in_range(0..=n - 1)
}

/// One of some; the first where there are no bytes left.
fn one_of<T: Copy>(bytes: &mut Unstructured<'_>, of: &[T]) -> Result<T> {
    Ok(of[below(bytes, of.len() as u32)? as usize])
}

/// True so many times in a hundred; false where there are no bytes left.
fn percent(bytes: &mut Unstructured<'_>, n: u32) -> Result<bool> {
    Ok(below(bytes, 100)? >= 100 - n)
}

/// What a scenario is like as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// Few elements and few operations, so that every schedule has its chance.
    Tiny,
    /// One thread with a long program, in a map that is about to grow or has just grown.
    Alone,
    /// An iterator, a writer and who reclaims.
    Beside,
    /// A map that has grown several times.
    Large,
    /// Threads that write the same one or two keys, in a map that the next key may make grow.
    Hot,
    /// Who reclaims, and a writer that goes on meanwhile.
    Swept,
    /// Threads that all take the same element out and put it back, or all make the map grow, or read what others take.
    Duel,
}

/// In the order in which they have their turn, as different from each other as can be.
const SHAPES: [Shape; 13] = [
    Shape::Tiny,
    Shape::Alone,
    Shape::Beside,
    Shape::Large,
    Shape::Hot,
    Shape::Alone,
    Shape::Swept,
    Shape::Large,
    Shape::Duel,
    Shape::Alone,
    Shape::Beside,
    Shape::Hot,
    Shape::Alone,
];
/// Scenarios of a run that come first, and are of all shapes. They show what hardly depends on the schedule.
const VARIED: u64 = 104;
/// The shapes of those after: most take many schedules, and are cheap.
const CONTENDED: [Shape; 8] = [
    Shape::Duel,
    Shape::Swept,
    Shape::Duel,
    Shape::Large,
    Shape::Duel,
    Shape::Swept,
    Shape::Duel,
    Shape::Hot,
];

/// The shape that a scenario of a run has.
fn turn(number: u64) -> Shape {
    match number.checked_sub(VARIED) {
        None => SHAPES[number as usize % SHAPES.len()],
        Some(after) => CONTENDED[after as usize % CONTENDED.len()],
    }
}

/// What is drawn before any operation of a thread.
struct Outline {
    shape: Shape,
    mover: Mover,
    collide: u32,
    threads: usize,
    /// Moves of each thread.
    moves: [u32; THREADS],
    /// What the threads of a duel do, all alike.
    duel: Option<Role>,
    setup: Vec<Op>,
    teardown: Vec<Op>,
}

impl Outline {
    fn draw(profile: &Profile, bytes: &mut Unstructured<'_>) -> Result<Outline> {
        let shape = one_of(bytes, &SHAPES)?;
        let at = profile.grows_at.clamp(4, 64);
        let elements = size(shape, at, bytes)?;
        let threads = threads(shape, bytes)?;
        let collide = if percent(bytes, 25)? { one_of(bytes, &[2, 4, 12, 12])? } else { 0 };
        let hot = hot(shape, elements, bytes)?;
        let in_visit = profile.write_in_visit && profile.iteration != Iteration::Locked;
        let mover = Mover { at, elements, hot, in_visit };
        let (setup, teardown) = (setup(&mover, shape, bytes)?, teardown(&mover, bytes)?);
        let mut moves = [0; THREADS];
        for count in &mut moves {
            *count = moves_of(shape, bytes)?;
        }
        let kind = one_of(bytes, &[Role::Swap, Role::Grow, Role::Swap, Role::Read, Role::Rival])?;
        let duel = (shape == Shape::Duel).then_some(kind);
        Ok(Outline { shape, mover, collide, threads, moves, duel, setup, teardown })
    }

    fn thread(&self, thread: usize, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        for i in 0..self.moves[thread] {
            let role = self.duel.unwrap_or(role(self.shape, thread, i));
            self.mover.draw(role, &mut part(bytes, MOVE)?, &mut ops)?;
        }
        Ok(ops)
    }
}

/// How many elements there are: few, or about as many as make the map grow once or again. Tables double at 8 entries
/// of 8, and then, by their load factor, at about 13 or 14 of 16; just at such a moment everything is still in the
/// old one.
fn size(shape: Shape, at: u32, bytes: &mut Unstructured<'_>) -> Result<u32> {
    let doubled = |times: u32| times * at * 13 / 16;
    Ok(match shape {
        Shape::Tiny => 1 + below(bytes, 4)?,
        Shape::Hot => one_of(bytes, &[at, 1, at - 1, at + 1, 2])?,
        Shape::Swept => one_of(bytes, &[1, at, 1, 3, at + 1, doubled(2)])?,
        Shape::Duel => one_of(bytes, &[1, at, at, 2])?,
        Shape::Beside => one_of(bytes, &[at, at + 1, at - 1, at + 2, doubled(2), doubled(2) + 1])?,
        Shape::Alone => {
            let about =
                one_of(bytes, &[at, at + 1, doubled(2), doubled(2) + 1, 2 * at, doubled(4)])?;
            (about + below(bytes, 2)?).min(LARGEST)
        }
        Shape::Large => (doubled(one_of(bytes, &[4, 8, 8, 16])?) + below(bytes, 3)?).min(LARGEST),
    })
}

fn threads(shape: Shape, bytes: &mut Unstructured<'_>) -> Result<usize> {
    let of: &[usize] = match shape {
        Shape::Tiny => &[1, 2, 2, 2, 3],
        Shape::Alone => &[1],
        Shape::Beside => &[2, 3, 3, 4],
        Shape::Large => &[1, 1, 2],
        Shape::Hot => &[2, 2, 3, 3, 4],
        Shape::Swept => &[2, 2, 3],
        Shape::Duel => &[2, 2, 2, 3],
    };
    one_of(bytes, of)
}

fn moves_of(shape: Shape, bytes: &mut Unstructured<'_>) -> Result<u32> {
    let of: &[u32] = match shape {
        Shape::Tiny => &[1, 1, 1, 2],
        Shape::Alone => &[3],
        Shape::Duel => &[1],
        Shape::Beside | Shape::Swept => &[1, 2],
        Shape::Large => &[2, 1],
        Shape::Hot => &[1, 1, 2, 3],
    };
    one_of(bytes, of)
}

/// The keys that the operations are most often about.
fn hot(shape: Shape, elements: u32, bytes: &mut Unstructured<'_>) -> Result<Keys> {
    let first = below(bytes, elements)?;
    let keys = match shape {
        Shape::Duel => 1,
        Shape::Tiny | Shape::Hot => 1 + below(bytes, 2)?,
        _ => one_of(bytes, &[1, 3, elements / 2, elements])?.max(1),
    };
    Ok(Keys::range(first, (first + keys).min(elements).max(first + 1)))
}

/// The map is filled. It may have been filled and emptied before, so that chains are long; or lack what it had; or
/// never have had anything.
fn setup(mover: &Mover, shape: Shape, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
    let (all, none, hot) = (Op::Insert(mover.all()), Op::Remove(mover.all()), mover.hot);
    let choice = below(bytes, 8)?;
    Ok(match shape {
        Shape::Swept if choice > 4 && mover.elements < 4 => Vec::new(),
        Shape::Duel if choice > 0 => vec![all],
        Shape::Hot | Shape::Tiny if choice > 4 => vec![all, Op::Remove(hot)],
        Shape::Alone if choice > 4 => vec![all, none, all, none, all],
        _ if choice < 4 => vec![all],
        _ if choice == 4 => vec![all, Op::Insert(hot)],
        _ if choice == 5 => vec![all, Op::Remove(hot)],
        _ if choice == 6 => vec![all, none, all],
        _ => vec![all, Op::Insert(mover.more()), Op::Remove(mover.more())],
    })
}

/// An iteration, and most often a look at each key.
fn teardown(mover: &Mover, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
    let iterate = Op::Iterate { hold: false, visit: None };
    let get = |key| Op::Get { key, hold: false };
    let last = mover.elements - 1;
    Ok(match below(bytes, 4)? {
        0 => vec![iterate, get(mover.hot.first), get(last), Op::Reclaim],
        1 => vec![iterate, Op::Insert(mover.all()), iterate, Op::Reclaim],
        _ => vec![iterate, Op::Remove(mover.all()), iterate, Op::Reclaim],
    })
}

/// What a thread is there for at its move of this number.
fn role(shape: Shape, thread: usize, number: u32) -> Role {
    match (shape, thread) {
        (Shape::Hot, _) => Role::Rival,
        (Shape::Swept, 0) => Role::Reclaimer,
        (Shape::Swept, _) => Role::Swept,
        (Shape::Alone, _) if number == 1 => Role::Iterator,
        (Shape::Alone, _) => Role::Any,
        (Shape::Tiny, 0) => Role::Any,
        (Shape::Tiny, _) => Role::Rival,
        (_, 0) if number == 0 => Role::Iterator,
        (_, 1) => Role::Writer,
        (_, 2) => Role::Reclaimer,
        _ => Role::Any,
    }
}

#[cfg(test)]
mod tests;
