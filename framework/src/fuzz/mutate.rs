//! Changing inputs: what they mean is changed, and not their bytes.

use std::collections::HashMap;

use arbitrary::Unstructured;
use mapcheck_machine::ChoiceKind;

use super::input::{GENES, Gene, Input, Pick, make_legal, work};
use crate::map::Profile;
use crate::scenario::{Keys, Op, Scenario, bytes, families};
use crate::scheduler::Dice;

/// Bytes that a scenario is drawn from: more than it takes.
const DRAWN: usize = 120;
/// Scenarios whose points are remembered, at most.
const SCENARIOS: usize = 1 << 14;
/// Inputs of which the switches made are remembered, at most.
const FROZEN: usize = 1 << 16;
/// The most operations of a thread that a change leads to.
const OPS: usize = 12;

/// A place in an execution at which a switch may make a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub thread: u8,
    pub op: u8,
    pub offset: u16,
}

/// What there is to know of a target before its inputs can be drawn.
pub(super) struct Kind {
    pub id: u16,
    /// `None` for a closure, which has no scenario.
    pub profile: Option<Profile>,
    pub collides: bool,
    /// The faults' choices that decisions may be about.
    pub offered: Vec<ChoiceKind>,
    /// Scenarios to begin with.
    pub scenarios: Vec<Scenario>,
}

impl Kind {
    pub(super) fn new(
        id: u16,
        profile: Option<Profile>,
        collides: bool,
        offered: Vec<ChoiceKind>,
    ) -> Kind {
        let scenarios = profile.as_ref().map(|p| families::all(p, 0)).unwrap_or_default();
        Kind { id, profile, collides, offered, scenarios }
    }

    /// Leaves out what the target is not made for.
    pub(super) fn legal(&self, mut input: Input) -> Input {
        match &self.profile {
            Some(profile) => make_legal(&mut input.scenario, profile, self.collides),
            None => input.scenario = Scenario { name: "closure".into(), ..closure() },
        }
        input
    }
}

/// The scenario of a closure.
pub(super) fn closure() -> Scenario {
    Scenario { name: "closure".to_owned(), family: "closure".to_owned(), ..Scenario::default() }
}

/// Changes inputs, and remembers where executions of their scenarios can be switched.
pub(super) struct Mutator<'a> {
    kinds: &'a [Kind],
    spots: HashMap<Vec<u8>, Vec<Spot>>,
    /// Of inputs with drift, the switches that were made.
    frozen: HashMap<Vec<u8>, Vec<Gene>>,
}

/// What tells inputs of one scenario from all others.
fn key_of(input: &Input) -> Vec<u8> {
    let mut key = input.target.to_le_bytes().to_vec();
    input.scenario.encode(&mut key);
    key
}

impl<'a> Mutator<'a> {
    pub(super) fn new(kinds: &'a [Kind]) -> Mutator<'a> {
        Mutator { kinds, spots: HashMap::new(), frozen: HashMap::new() }
    }

    /// The target that an input is for.
    pub(super) fn kind(&self, input: &Input) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.id == input.target)
    }

    /// Whether it is known where executions of the input's scenario pass.
    pub(super) fn knows(&self, input: &Input) -> bool {
        self.spots.contains_key(&key_of(input))
    }

    /// Remembers the switches that an input's execution has made by drift; `None` where they cannot all be told.
    pub(super) fn freeze(&mut self, input: &Input, made: Option<Vec<Gene>>) {
        if self.frozen.len() >= FROZEN {
            self.frozen.clear();
        }
        if let Some(made) = made.filter(|made| made.len() <= GENES) {
            self.frozen.insert(input.encode(), made);
        }
    }

    /// Remembers where the execution of an input could have been switched.
    pub(super) fn learn(&mut self, input: &Input, spots: Vec<Spot>) {
        if self.spots.len() >= SCENARIOS {
            self.spots.clear();
        }
        self.spots.insert(key_of(input), spots);
    }

    /// Another input near this one; now and then one that has nothing to do with it. The same for the same seed, as
    /// long as the same inputs were executed before.
    pub(super) fn mutate(&self, bytes: &[u8], seed: u64) -> Input {
        let dice = &mut Dice::new(seed, 0);
        let known = Input::decode(bytes).ok().filter(|input| self.kind(input).is_some());
        let Some(input) = known.filter(|_| dice.below(6) > 0) else { return self.fresh(dice) };
        let mut changed = self.thawed(&input, dice);
        // One change keeps most of what an input was kept for; several lead further away.
        let changes = if dice.below(2) == 0 { 1 } else { 1 + dice.below(4) };
        for _ in 0..changes {
            self.change(&mut changed, dice);
        }
        if changed == input {
            self.change_schedule(&mut changed, dice);
        }
        self.finish(changed)
    }

    /// A part of one input and the rest of another.
    pub(super) fn cross(&self, one: &[u8], other: &[u8], seed: u64) -> Input {
        let dice = &mut Dice::new(seed, 1);
        let read = |bytes| Input::decode(bytes).ok().filter(|input| self.kind(input).is_some());
        let (Some(mut input), Some(other)) = (read(one), read(other)) else {
            return self.mutate(if read(one).is_some() { one } else { other }, seed);
        };
        if input.target != other.target {
            return self.mutate(one, seed);
        }
        match dice.below(4) {
            0 => {
                let Input { switches, picks, drift, .. } = other;
                input = Input { switches, picks, drift, ..input };
            }
            1 => input.switches.extend(other.switches),
            2 => take_threads(&mut input, other, dice),
            _ => {
                let Scenario { setup, elements, collide, .. } = other.scenario;
                input.scenario = Scenario { setup, elements, collide, ..input.scenario };
            }
        }
        self.finish(input)
    }

    /// The input itself; or with the switches that its drift has made in place of the drift, so that each of them can
    /// be changed.
    fn thawed(&self, input: &Input, dice: &mut Dice) -> Input {
        let frozen = self.frozen.get(&input.encode()).filter(|_| dice.below(4) > 0);
        let Some(made) = frozen else { return input.clone() };
        let mut thawed = Input { drift: 0, switches: made.clone(), ..input.clone() };
        if dice.below(2) == 0 {
            regrow(&mut thawed, dice);
        }
        thawed
    }

    fn finish(&self, mut input: Input) -> Input {
        input.switches.truncate(GENES);
        input.picks.truncate(GENES);
        match self.kind(&input) {
            Some(kind) => kind.legal(input),
            None => input,
        }
    }

    /// An input of any target, with a few switches anywhere.
    fn fresh(&self, dice: &mut Dice) -> Input {
        let kind = &self.kinds[dice.below(self.kinds.len() as u64) as usize];
        let scenario = self.scenario(kind, dice);
        let (random, drift) = (dice.below(256) as u8, 1 + dice.below(255) as u8);
        let (target, switches, picks) = (kind.id, Vec::new(), Vec::new());
        self.finish(Input { target, random, drift, scenario, switches, picks })
    }

    /// A scenario that comes with mapcheck, or one that is drawn.
    fn scenario(&self, kind: &Kind, dice: &mut Dice) -> Scenario {
        let Some(profile) = &kind.profile else { return closure() };
        let built_in = dice.below(2) == 0 && !kind.scenarios.is_empty();
        let mut draw = || {
            if built_in {
                return kind.scenarios[dice.below(kind.scenarios.len() as u64) as usize].clone();
            }
            let bytes: [u8; DRAWN] = std::array::from_fn(|_| dice.below(256) as u8);
            Scenario::arbitrary(profile, &mut Unstructured::new(&bytes)).unwrap_or_default()
        };
        let (one, other) = (draw(), draw());
        // Half of the time the one with less to do: there is time for more executions then.
        if dice.below(2) == 0 || work(&one) <= work(&other) { one } else { other }
    }

    fn change(&self, input: &mut Input, dice: &mut Dice) {
        let profile = self.kind(input).and_then(|kind| kind.profile.as_ref());
        match dice.below(12) {
            0 => input.random = dice.below(256) as u8,
            1 | 2 => input.drift = dice.below(256) as u8,
            3..=5 if profile.is_some() => self.change_scenario(input, dice),
            _ => self.change_schedule(input, dice),
        }
    }

    fn change_schedule(&self, input: &mut Input, dice: &mut Dice) {
        let n = input.switches.len() as u64;
        let kind = self.kind(input).filter(|kind| !kind.offered.is_empty());
        if let Some(kind) = kind.filter(|_| dice.below(4) == 0) {
            return change_picks(input, &kind.offered, dice);
        }
        if n == 0 || dice.below(3) == 0 {
            return self.add_switch(input, dice);
        }
        let at = dice.below(n) as usize;
        match dice.below(10) {
            0 | 1 => _ = input.switches.remove(at),
            8 | 9 => regrow(input, dice),
            2 | 3 => step(&mut input.switches[at], dice),
            4 => input.switches[at].to = input.switches[at].to.wrapping_add(1),
            // Two preemptions change places: what one thread did first the other does first now.
            5 if n > 1 => {
                let other = dice.below(n) as usize;
                let (a, b) = (input.switches[at], input.switches[other]);
                input.switches[at] = Gene { to: b.to, ..a };
                input.switches[other] = Gene { to: a.to, ..b };
            }
            _ => {
                if let Some(spot) = self.spot(input, dice) {
                    let Spot { thread, op, offset } = spot;
                    input.switches[at] = Gene { thread, op, offset, ..input.switches[at] };
                }
            }
        }
    }

    fn add_switch(&self, input: &mut Input, dice: &mut Dice) {
        let to = dice.below(4) as u8;
        if let Some(Spot { thread, op, offset }) = self.spot(input, dice) {
            input.switches.push(Gene { thread, op, offset, to });
        }
    }

    /// Where a switch may be: mostly where an execution of the scenario is known to pass.
    fn spot(&self, input: &Input, dice: &mut Dice) -> Option<Spot> {
        let known = self.spots.get(&key_of(input)).filter(|spots| !spots.is_empty());
        if let Some(spots) = known.filter(|_| dice.below(8) > 0) {
            return Some(spots[dice.below(spots.len() as u64) as usize]);
        }
        let threads = &input.scenario.threads;
        let n = if threads.is_empty() { bytes::THREADS } else { threads.len() };
        let thread = dice.below(n as u64) as usize;
        let ops = threads.get(thread).map_or(1, Vec::len).max(1);
        // Most operations take tens of steps, and some take thousands.
        let most = 4 << dice.below(9);
        Some(Spot {
            thread: thread as u8 + u8::from(!threads.is_empty()),
            op: dice.below(ops as u64) as u8,
            offset: dice.below(most) as u16,
        })
    }

    fn change_scenario(&self, input: &mut Input, dice: &mut Dice) {
        let Some(kind) = self.kind(input) else { return };
        let choice = dice.below(16);
        if choice < 3 {
            let drawn = self.scenario(kind, dice);
            return match choice {
                0 => input.scenario = drawn,
                1 => input.scenario.setup = drawn.setup,
                _ => put_in(&mut input.scenario, &drawn, dice),
            };
        }
        let scenario = &mut input.scenario;
        match choice {
            3 => scenario.collide = [0, 0, 2, 4, 12][dice.below(5) as usize],
            4 => scenario.elements = !scenario.elements,
            5 if scenario.threads.len() < 4 => {
                let again =
                    scenario.threads[dice.below(scenario.threads.len() as u64) as usize].clone();
                scenario.threads.push(again);
            }
            6 if scenario.threads.len() > 1 => {
                let at = dice.below(scenario.threads.len() as u64) as usize;
                scenario.threads.remove(at);
            }
            _ => change_section(scenario, dice),
        }
    }
}

/// Keeps some of the first switches, and goes on at random from there.
fn regrow(input: &mut Input, dice: &mut Dice) {
    let kept = dice.below(input.switches.len() as u64 + 1) as usize;
    input.switches.truncate(kept);
    input.drift = 1 + dice.below(255) as u8;
}

/// Moves a switch to the step before or after, or a little further.
fn step(gene: &mut Gene, dice: &mut Dice) {
    let by = 1 << dice.below(5);
    gene.offset = match dice.below(2) {
        0 => gene.offset.saturating_sub(by),
        _ => gene.offset.saturating_add(by),
    };
}

/// The number of a choice within its operation: most often one of the first.
fn small(dice: &mut Dice) -> u16 {
    let most = 1 << dice.below(6);
    dice.below(most) as u16
}

/// Adds a choice, or takes one away or elsewhere.
fn change_picks(input: &mut Input, offered: &[ChoiceKind], dice: &mut Dice) {
    let n = input.picks.len() as u64;
    if n > 0 && dice.below(2) == 0 {
        let at = dice.below(n) as usize;
        if dice.below(2) == 0 {
            input.picks.remove(at);
        } else {
            input.picks[at].number = small(dice);
        }
        return;
    }
    let thread = dice.below(1 + input.scenario.threads.len() as u64) as usize;
    let ops = match thread.checked_sub(1) {
        None => input.scenario.setup.len() + input.scenario.teardown.len(),
        Some(thread) => input.scenario.threads[thread].len(),
    };
    input.picks.push(Pick {
        kind: offered[dice.below(offered.len() as u64) as usize],
        thread: thread as u8,
        op: dice.below(ops.max(1) as u64) as u8,
        number: small(dice),
        choice: 1 + dice.below(3) as u8,
    });
}

/// Some of the threads become the other's, with their switches.
fn take_threads(input: &mut Input, other: Input, dice: &mut Dice) {
    let mine = input.scenario.threads.len();
    for (i, ops) in other.scenario.threads.into_iter().enumerate() {
        if i < mine && dice.below(2) == 0 {
            input.scenario.threads[i] = ops;
            let thread = i as u8 + 1;
            input.switches.retain(|gene| gene.thread != thread);
            input.switches.extend(other.switches.iter().filter(|gene| gene.thread == thread));
        }
    }
}

/// One of the sections: most often a thread's.
fn section<'a>(scenario: &'a mut Scenario, dice: &mut Dice) -> &'a mut Vec<Op> {
    let n = scenario.threads.len() as u64;
    match dice.below(2 * n + 2) {
        0 => &mut scenario.setup,
        1 => &mut scenario.teardown,
        i => &mut scenario.threads[(i % n.max(1)) as usize],
    }
}

/// Puts an operation of another scenario somewhere.
fn put_in(scenario: &mut Scenario, drawn: &Scenario, dice: &mut Dice) {
    let all: Vec<Op> = drawn.threads.iter().flatten().copied().collect();
    let Some(op) = all.get(dice.below(all.len().max(1) as u64) as usize) else { return };
    let section = section(scenario, dice);
    if section.len() < OPS {
        section.insert(dice.below(section.len() as u64 + 1) as usize, *op);
    }
}

/// Doubles an operation, drops it, changes its keys, or moves it: within its thread, or to another.
fn change_section(scenario: &mut Scenario, dice: &mut Dice) {
    let from = section(scenario, dice);
    if from.is_empty() {
        return;
    }
    let at = dice.below(from.len() as u64) as usize;
    match dice.below(8) {
        0 if from.len() < OPS => from.insert(at, from[at]),
        1 | 2 => _ = from.remove(at),
        3 => {
            let other = dice.below(from.len() as u64) as usize;
            from.swap(at, other);
        }
        4 | 5 => {
            let op = from.remove(at);
            let to = section(scenario, dice);
            to.insert(dice.below(to.len() as u64 + 1) as usize, op);
        }
        _ => from[at] = other_keys(from[at], dice),
    }
}

/// The same with other keys near its own, or held, or not.
fn other_keys(op: Op, dice: &mut Dice) -> Op {
    let mut near = |key: u32| match dice.below(4) {
        0 => key + 1,
        1 => key.saturating_sub(1),
        2 => dice.below(16) as u32,
        _ => key,
    };
    let mut range = |keys: Keys| {
        let (first, end) = (near(keys.first), near(keys.end));
        Keys { first, end: end.max(first + 1) }
    };
    match op {
        Op::Insert(keys) => Op::Insert(range(keys)),
        Op::Remove(keys) => Op::Remove(range(keys)),
        Op::ExitRemove(keys) => Op::ExitRemove(range(keys)),
        Op::Get { key, hold } => Op::Get { key: near(key), hold: hold != (key % 2 == 0) },
        Op::GetRemove(key) => Op::GetRemove(near(key)),
        Op::Iterate { hold, visit } => {
            let visit = visit.map(|v| match (v.keys(), v.at()) {
                (Some(keys), _) if dice.below(2) == 0 => v.with_keys(near_keys(keys, dice)),
                (_, Some((at, least))) => v.with_at((at + dice.below(3) as u32).max(least + 1) - 1),
                _ => v,
            });
            Op::Iterate { hold: hold != (dice.below(2) == 0), visit }
        }
        other => other,
    }
}

fn near_keys(keys: Keys, dice: &mut Dice) -> Keys {
    let first = (keys.first + dice.below(3) as u32).saturating_sub(1);
    Keys { first, end: (keys.end + dice.below(3) as u32).saturating_sub(1).max(first + 1) }
}

#[cfg(test)]
mod tests {
    use super::super::input::tests::input;
    use super::*;
    use crate::scenario::bytes::tests::profile;
    use std::collections::BTreeSet;

    fn mutator() -> Mutator<'static> {
        let kind = |id| Kind::new(id, Some(profile()), true, vec![ChoiceKind::Panic]);
        let kinds = vec![kind(0x1234), kind(7), Kind::new(9, None, true, Vec::new())];
        Mutator::new(kinds.leak())
    }

    #[test]
    fn a_change_is_the_same_for_the_same_seed_and_makes_another_input() {
        let (mutator, bytes) = (mutator(), input().encode());
        let mut different = BTreeSet::new();
        for seed in 0..3000 {
            let changed = mutator.mutate(&bytes, seed);
            assert_eq!(changed, mutator.mutate(&bytes, seed));
            assert_eq!(Input::decode(&changed.encode()).as_ref(), Ok(&unnamed(changed.clone())));
            different.insert(changed.encode());
        }
        assert!(different.len() > 2000, "{}", different.len());
        assert!(different.iter().all(|d| d != &bytes || mutator.mutate(d, 1) != input()));
    }

    fn unnamed(input: Input) -> Input {
        let (name, family) = ("fuzzed".to_owned(), "fuzzed".to_owned());
        Input { scenario: Scenario { name, family, ..input.scenario }, ..input }
    }

    #[test]
    fn nothing_becomes_an_input_of_a_target_that_there_is() {
        let mutator = mutator();
        let mut targets = BTreeSet::new();
        for seed in 0..200 {
            targets.insert(mutator.mutate(b"\n", seed).target);
        }
        assert_eq!(targets.into_iter().collect::<Vec<_>>(), [7, 9, 0x1234]);
    }

    #[test]
    fn every_kind_of_change_is_made() {
        let (mutator, before) = (mutator(), input());
        let all: Vec<Input> =
            (0..4000).map(|seed| mutator.mutate(&before.encode(), seed)).collect();
        let some = |of: &dyn Fn(&Input) -> bool| assert!(all.iter().any(of));
        let ops = |i: &Input| i.scenario.threads.iter().map(Vec::len).sum::<usize>();
        some(&|i| ops(i) > ops(&before));
        some(&|i| ops(i) < ops(&before));
        some(&|i| i.scenario.threads.len() == 1);
        some(&|i| i.scenario.threads.len() == 3);
        some(&|i| i.switches.len() == 2 && i.scenario == before.scenario);
        some(&|i| i.switches.is_empty() && i.scenario == before.scenario);
        some(&|i| i.switches.len() == 1 && i.switches[0].offset == 701);
        some(&|i| i.switches.len() == 1 && i.switches[0].to == 2);
        some(&|i| i.random != before.random && i.switches == before.switches);
        some(&|i| i.picks.len() == 3 && i.scenario == before.scenario);
        some(&|i| {
            let moved = before.scenario.threads[1][0];
            i.scenario.threads.first().is_some_and(|ops| ops.len() == 3 && ops.contains(&moved))
        });
    }

    #[test]
    fn switches_go_where_executions_are_known_to_pass() {
        let mut mutator = mutator();
        let spot = Spot { thread: 2, op: 1, offset: 4321 };
        mutator.learn(&input(), vec![spot]);
        let bytes = input().encode();
        let added = |seed| {
            let changed = mutator.mutate(&bytes, seed);
            changed.switches.iter().any(|g| g.offset == spot.offset && g.op == spot.op)
        };
        assert!((0..200).filter(|seed| added(*seed)).count() > 25);
    }

    #[test]
    fn what_drift_has_done_is_changed_like_what_was_planned() {
        let mut mutator = mutator();
        let made: Vec<Gene> = (1..3).map(|op| Gene { thread: 2, op, offset: 99, to: 1 }).collect();
        mutator.freeze(&input(), Some(made.clone()));
        let bytes = input().encode();
        let changed: Vec<Input> = (0..200).map(|seed| mutator.mutate(&bytes, seed)).collect();
        let keeps = |i: &&Input| i.switches.iter().any(|gene| made.contains(gene));
        assert!(changed.iter().filter(keeps).filter(|i| i.drift == 0).count() > 25);
        // The first of them, and then other drift.
        assert!(changed.iter().filter(keeps).filter(|i| i.drift != 0).count() > 10);
    }

    #[test]
    fn a_cross_has_parts_of_both() {
        let mutator = mutator();
        let mut other = input();
        other.switches = vec![Gene { thread: 2, op: 1, offset: 9, to: 0 }];
        other.scenario.threads[1] = crate::fuzz::input::tests::ops("clear");
        let (one, two) = (input().encode(), other.encode());
        let all: Vec<Input> = (0..200).map(|seed| mutator.cross(&one, &two, seed)).collect();
        assert!(all.iter().any(|i| i.switches.len() == 2));
        assert!(all.iter().any(|i| i.scenario.threads[1] == other.scenario.threads[1]));
        assert!(all.iter().any(|i| i.switches == other.switches && i.scenario == input().scenario));
    }
}
