//! Scenarios that are drawn at random: small programs biased towards iterating, deleting, growing and reclaiming.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng as _;

use super::{Keys, Op, Scenario, Visit};
use crate::map::{Iteration, Profile};
use crate::scheduler::splitmix;

/// The family of these scenarios.
pub(super) const FAMILY: &str = "generated";
/// Scenarios of a run.
const COUNT: u64 = 300;
/// The most elements at the start. Go's map allocates overflow buckets ahead from 53 elements on.
const LARGEST: u32 = 56;
/// Scenarios in a hundred that may have that many elements, and have fewer operations for it.
const LARGE: u32 = 40;
/// The most elements at which every visit may iterate anew: the work grows with the square.
const NESTED: u32 = 10;

/// The scenarios of a run with this seed, the same for the same profile.
pub(super) fn all(profile: &Profile, seed: u64) -> Vec<Scenario> {
    let in_visit = profile.write_in_visit && profile.iteration != Iteration::Locked;
    let scenario = |i| Draw::new(splitmix(seed) ^ i, profile.grows_at, in_visit).scenario(seed, i);
    (0..COUNT).map(scenario).collect()
}

/// A scenario while it is drawn.
struct Draw {
    random: Pcg64Mcg,
    /// Elements at the start: the keys `0..elements`.
    elements: u32,
    /// Where a fresh map grows.
    grows_at: u32,
    /// Whether there may be many elements.
    large: bool,
    /// Whether visitors may write.
    in_visit: bool,
}

impl Draw {
    fn new(seed: u64, grows_at: u32, in_visit: bool) -> Draw {
        let random = Pcg64Mcg::new(u128::from(splitmix(seed)) << 64 | u128::from(seed) | 1);
        let mut draw =
            Draw { random, elements: 0, grows_at: grows_at.clamp(4, 64), large: false, in_visit };
        draw.large = draw.grows_at > LARGEST / 3 || draw.percent(LARGE);
        draw.elements = draw.size();
        draw
    }

    /// How many elements there are: few, or about as many as make the map grow once or again. Tables double
    /// at 8 entries
    /// of 8, and then, by their load factor, at about 13 or 14 of 16; just at such a moment everything is still in the
    /// old one.
    fn size(&mut self) -> u32 {
        let at = self.grows_at;
        if self.large && self.percent(60) {
            let doubled = self.one_of(&[2, 4, 4, 8, 8]) * at;
            return (doubled * 13 / 16 + self.below(3)).min(LARGEST.max(at + 2));
        }
        match self.below(8) {
            0 => 1 + self.below(3),
            1 => at - 1,
            2 => at,
            3 => at + 1,
            4 => at + 2,
            5 => 2 * at - at / 4 - 1,
            6 => 2 * at,
            _ => 2 * at + 1,
        }
    }

    /// One of `0..n`.
    fn below(&mut self, n: u32) -> u32 {
        // The bias for small `n` is below one in a hundred million.
        ((u64::from(self.random.next_u32()) * u64::from(n)) >> 32) as u32
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }

    /// True so many times in a hundred.
    fn percent(&mut self, n: u32) -> bool {
        self.below(100) < n
    }

    fn scenario(mut self, seed: u64, number: u64) -> Scenario {
        let most = if self.large { 2 } else { 3 };
        let threads = self.one_of(&[1, 1, 2, 2, 2, 3]).min(most);
        let mut threads: Vec<Vec<Op>> = (0..threads).map(|thread| self.thread(thread)).collect();
        if threads.len() == 1 && !self.large && self.percent(50) {
            threads = vec![self.churn(threads.remove(0))];
        }
        let mut setup = vec![Op::Insert(Keys::range(0, self.elements))];
        if self.percent(30) {
            setup.push(Op::Remove(self.some_keys()));
        }
        let last = self.elements - 1;
        Scenario {
            name: format!("{FAMILY}/{seed}-{number}"),
            family: FAMILY.to_owned(),
            elements: false,
            threads,
            teardown: vec![
                Op::Iterate { hold: false, visit: None },
                Op::Get { key: 0, hold: false },
                Op::Get { key: last, hold: false },
                Op::Reclaim,
            ],
            setup,
        }
    }

    /// The first thread iterates, the others do what comes.
    fn thread(&mut self, thread: u32) -> Vec<Op> {
        let operations = 1 + self.below(if self.large { 2 } else { 4 });
        let mut ops: Vec<Op> = (0..operations).map(|_| self.op()).collect();
        if thread == 0 {
            ops.insert(self.below(operations) as usize, self.iterate());
        }
        ops
    }

    /// Fills and empties the map again and again before it goes on, and fills it more than before at the end: chains
    /// grow long, though there are few elements, and then the table grows.
    fn churn(&mut self, then: Vec<Op>) -> Vec<Op> {
        let at = self.grows_at;
        let n = self.one_of(&[at, at + 1, 2 * at - at / 4 - 1]);
        let round = [Op::Insert(Keys::range(0, n)), Op::Remove(Keys::range(0, n))];
        let last = Op::Insert(Keys::range(0, 2 * n + 1));
        round.into_iter().cycle().take(6).chain(then).chain([last]).collect()
    }

    fn op(&mut self) -> Op {
        match self.below(100) {
            0..20 => self.iterate(),
            20..42 => Op::Insert(self.any_keys()),
            42..64 => Op::Remove(self.some_keys()),
            64..74 => self.get(),
            74..90 => Op::Reclaim,
            90..94 => Op::Clear,
            94..96 => Op::RetainEven,
            96..98 => Op::Shrink,
            _ => Op::Len,
        }
    }

    fn get(&mut self) -> Op {
        let key = self.key();
        match self.in_visit && self.percent(30) {
            true => Op::GetRemove(key),
            false => Op::Get { key, hold: true },
        }
    }

    fn iterate(&mut self) -> Op {
        let visit = if self.percent(25) { None } else { self.visit() };
        Op::Iterate { hold: self.percent(50), visit }
    }

    /// What a visitor does, at a visit that is likely to come.
    fn visit(&mut self) -> Option<Visit> {
        let at = 1 + self.below(self.elements.min(40));
        if !self.in_visit {
            return self.percent(20).then_some(Visit::Stop { at });
        }
        Some(match self.below(16) {
            0 => Visit::RemoveCurrent { at },
            1 => Visit::RemoveVisited { at: at + 1 },
            2 => Visit::RemoveUnvisited { keys: Keys::range(0, self.elements), at },
            3 => Visit::Remove { keys: self.some_keys(), at },
            4..=7 => Visit::Insert { keys: self.new_keys(), at },
            8 => Visit::Churn { keys: self.new_keys(), at },
            9 => Visit::Clear { at },
            10 | 11 => Visit::Refill { keys: self.refill(), at },
            12 | 13 => Visit::Reclaim { at },
            14 if self.elements <= NESTED => Visit::Nested,
            _ => Visit::Stop { at },
        })
    }

    /// A key that is likely to be there.
    fn key(&mut self) -> u32 {
        let n = self.elements;
        self.below(n)
    }

    /// Keys that are likely to be there: one, a few, or all.
    fn some_keys(&mut self) -> Keys {
        let first = self.key();
        match self.below(4) {
            0 | 1 => Keys::one(first),
            2 => Keys::range(first, (first + 3).min(self.elements)),
            _ => Keys::range(0, self.elements),
        }
    }

    /// Keys that are likely to be new: one, or enough to grow.
    fn new_keys(&mut self) -> Keys {
        let n = self.elements;
        let more = self.one_of(&[1, 2, self.grows_at, n + 1]);
        match self.size() {
            _ if self.percent(30) => Keys::one(n),
            size if size > n => Keys::range(n, size),
            _ => Keys::range(n, n + more),
        }
    }

    /// What a cleared map is filled with: most often what it held.
    fn refill(&mut self) -> Keys {
        if self.percent(60) { Keys::range(0, self.elements) } else { self.any_keys() }
    }

    fn any_keys(&mut self) -> Keys {
        if self.percent(50) { self.new_keys() } else { self.some_keys() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(grows_at: u32, write_in_visit: bool) -> Profile {
        Profile {
            iteration: Iteration::Go,
            promised_by: "assumed",
            grows_at,
            write_in_visit,
            consistency: crate::map::Consistency::Linearizable,
            atomic: crate::map::Atomic::NONE,
            knobs: "",
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_scenarios_and_another_others() {
        assert_eq!(all(&profile(8, true), 7), all(&profile(8, true), 7));
        assert_ne!(all(&profile(8, true), 7)[0].threads, all(&profile(8, true), 8)[0].threads);
    }

    #[test]
    fn every_operation_and_every_visit_is_drawn() {
        let scenarios = all(&profile(8, true), 1);
        let texts: String = scenarios
            .iter()
            .flat_map(|s| s.threads.iter().flatten())
            .fold(String::new(), |text, op| format!("{text}{op}\n"));
        for word in [
            "insert",
            "remove",
            "get",
            "iterate",
            "reclaim",
            "clear",
            "retain",
            "nested",
            "stop",
            "refill",
            "churn",
            "remove-current",
            "remove-visited",
            "remove-unvisited",
        ] {
            assert!(texts.contains(word), "{word}");
        }
    }

    #[test]
    fn visitors_write_only_where_the_map_allows_it() {
        for scenario in all(&profile(64, false), 3) {
            for op in scenario.threads.iter().flatten() {
                let Op::Iterate { visit: Some(visit), .. } = op else { continue };
                assert!(matches!(visit, Visit::Stop { .. }), "{op}");
            }
        }
    }
}
