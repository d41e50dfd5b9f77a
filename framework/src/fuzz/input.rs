//! What a fuzzer's bytes mean: a target, a scenario and the decisions of one execution.
//!
//! ```text
//! 2 bytes   which target, a hash of its name
//! 1 byte    seed of the randomness that the code under test asks for
//! 1 byte    switches at random besides, see Planned; 0 for none
//! …         the scenario, see scenario/bytes.rs
//! 1 byte    how many switches: thread, operation, offset (2 bytes), to whom; 5 bytes each
//! …         other choices until the end: kind, thread, operation, number (2 bytes), choice; 6 bytes each
//! ```
//!
//! Switches are told by the operation and how far into it they are, so that they still mean something when another part
//! of the input has changed. What is executed is recorded as plain decisions, which a repro has.

use arbitrary::{Result, Unstructured};
use mapcheck_machine::{ChoiceKind, index_of};

use crate::decision::{Decision, DecisionKind, Decisions};
use crate::map::{Iteration, Profile};
use crate::repro;
use crate::scenario::{Op, Scenario, Visit, bytes};
use crate::scheduler::{Planned, Switch, splitmix};

/// The most switches, and the most other choices.
pub(super) const GENES: usize = 64;
/// The work of a scenario, at most, see [`work`]: about what the largest built-in ones have.
const WORK: u64 = 4500;

/// A switch away from a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gene {
    /// 0 for the root.
    pub thread: u8,
    /// The number of the operation among the thread's own; of the root, setup and teardown in a row.
    pub op: u8,
    /// Schedule points since it began.
    pub offset: u16,
    /// Which of the other threads that can run goes on.
    pub to: u8,
}

/// A choice that is no switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub kind: ChoiceKind,
    pub thread: u8,
    pub op: u8,
    /// Its number within the operation, among those of its kind.
    pub number: u16,
    pub choice: u8,
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub target: u16,
    pub random: u8,
    pub drift: u8,
    pub scenario: Scenario,
    pub switches: Vec<Gene>,
    pub picks: Vec<Pick>,
}

/// The number that stands for a name.
pub(super) fn id_of(name: &str) -> u16 {
    splitmix(repro::hash(name)) as u16
}

/// The number of the target that an input is for.
pub(super) fn target_of(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|two| u16::from_le_bytes(*two))
}

impl Input {
    /// Reads any bytes; what is missing is as small as can be.
    pub(super) fn decode(bytes: &[u8]) -> Result<Input> {
        let mut from = Unstructured::new(bytes);
        let (target, random, drift) = from.arbitrary()?;
        let scenario = Scenario::decode(&mut from)?;
        let count: u8 = from.arbitrary()?;
        let (switches, picks) = (Vec::new(), Vec::new());
        let mut input = Input { target, random, drift, scenario, switches, picks };
        for _ in 0..usize::from(count).min(GENES).min(from.len()) {
            let (thread, op, offset, to) = from.arbitrary()?;
            input.switches.push(Gene { thread, op, offset, to });
        }
        while !from.is_empty() && input.picks.len() < GENES {
            let (kind, thread, op, number, choice): (u8, u8, u8, u16, u8) = from.arbitrary()?;
            let kind = ChoiceKind::ALL[usize::from(kind) % ChoiceKind::ALL.len()];
            input.picks.push(Pick { kind, thread, op, number, choice });
        }
        Ok(input)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = self.target.to_le_bytes().to_vec();
        to.extend([self.random, self.drift]);
        self.scenario.encode(&mut to);
        to.push(self.switches.len().min(GENES) as u8);
        for gene in self.switches.iter().take(GENES) {
            let [low, high] = gene.offset.to_le_bytes();
            to.extend([gene.thread, gene.op, low, high, gene.to]);
        }
        for pick in self.picks.iter().take(GENES) {
            let [low, high] = pick.number.to_le_bytes();
            to.extend([pick.kind as u8, pick.thread, pick.op, low, high, pick.choice]);
        }
        to
    }

    /// Whether it asks for no more work than the largest scenarios that come with mapcheck.
    pub(super) fn is_reasonable(&self) -> bool {
        !self.scenario.threads.is_empty() && work(&self.scenario) <= WORK
    }

    /// How its execution is to go. `remembers` is whether the points that threads reach are wanted.
    pub(super) fn plan(&self, remembers: bool) -> Planned {
        let mut lanes = vec![Vec::new(); self.threads()];
        for gene in &self.switches {
            let thread = usize::from(gene.thread) % lanes.len();
            if let Some(label) = self.label(thread, gene.op) {
                let offset = gene.offset.into();
                lanes[thread].push(Switch { label, offset, to: gene.to.into() });
            }
        }
        Planned::new(lanes, &self.others(), self.random.into(), self.drift, remembers)
    }

    /// The choices that are no switches.
    fn others(&self) -> Decisions {
        let decision = |pick: &Pick| {
            let thread = usize::from(pick.thread) % self.threads();
            let number = pick.number.into();
            let kind = DecisionKind::Choice(pick.kind);
            let index = match kind.is_within_operations() {
                true => index_of(self.label(thread, pick.op)?.into(), number),
                false => number,
            };
            Some(Decision { kind, thread: thread as u32, index, choice: pick.choice.into() })
        };
        let made = self.picks.iter().filter(|pick| pick.choice > 0);
        Decisions(made.filter_map(decision).collect())
    }

    /// How many threads there are, with the root: of a closure, as many as it may have.
    fn threads(&self) -> usize {
        1 + match self.scenario.threads.len() {
            0 => bytes::THREADS,
            n => n,
        }
    }

    /// The label of a thread's operation; `None` if it has none. A closure's threads have no labels.
    fn label(&self, thread: usize, op: u8) -> Option<u32> {
        let (scenario, op) = (&self.scenario, usize::from(op));
        if scenario.threads.is_empty() {
            return Some(0);
        }
        let Some(thread) = thread.checked_sub(1) else {
            let (setup, teardown) = (scenario.setup.len(), scenario.teardown.len());
            let op = op.checked_rem(setup + teardown)?;
            let first = if op < setup {
                1
            } else {
                scenario.first_label(scenario.threads.len()) - setup as u32
            };
            return Some(first + op as u32);
        };
        let op = op.checked_rem(scenario.threads[thread].len())?;
        Some(scenario.first_label(thread) + op as u32)
    }
}

/// Leaves out of a scenario what the map is not made for: writing to it, or iterating over it, from within an iteration
/// or with a reference, where that is a deadlock; and keys that collide.
pub(super) fn make_legal(scenario: &mut Scenario, profile: &Profile, collides: bool) {
    if !collides {
        scenario.collide = 0;
    }
    if profile.write_in_visit && profile.iteration != Iteration::Locked {
        return;
    }
    let sections = [&mut scenario.setup, &mut scenario.teardown].into_iter();
    for op in sections.chain(&mut scenario.threads).flatten() {
        *op = match *op {
            Op::GetRemove(key) => Op::Get { key, hold: true },
            Op::Iterate { hold, visit: Some(visit) } => {
                let visit = Some(visit).filter(|v| matches!(v, Visit::Stop { .. }));
                Op::Iterate { hold, visit }
            }
            op => op,
        };
    }
}

/// How much a scenario asks for: keys that are written, and elements that are visited.
pub(super) fn work(scenario: &Scenario) -> u64 {
    let all =
        || [&scenario.setup, &scenario.teardown].into_iter().chain(&scenario.threads).flatten();
    let inserts = |op: &Op| match op {
        Op::Insert(keys) => keys.iter().len() as u64,
        Op::Iterate { visit: Some(_), .. } => op.keys() as u64,
        _ => 0,
    };
    let elements: u64 = all().map(inserts).sum::<u64>().max(1);
    let of = |op: &Op| match op {
        Op::Iterate { visit: Some(Visit::Nested | Visit::NestedRemove { .. }), .. } => {
            elements * elements
        }
        Op::Iterate { .. } => elements + 2 * op.keys() as u64,
        Op::Clear | Op::RetainEven | Op::Shrink => elements,
        op => 1 + op.keys() as u64,
    };
    all().map(of).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pcg::Pcg;
    use crate::scheduler::Scheduler as _;

    pub(in crate::fuzz) fn ops(text: &str) -> Vec<Op> {
        text.split(", ").map(|op| op.parse().unwrap()).collect()
    }

    pub(in crate::fuzz) fn input() -> Input {
        let scenario = Scenario {
            name: "fuzzed".into(),
            family: "fuzzed".into(),
            collide: 2,
            elements: true,
            setup: ops("insert 0..8, len"),
            threads: vec![ops("iterate hold remove-current 2, get 3"), ops("remove 3, insert 3")],
            teardown: ops("reclaim"),
        };
        let pick = Pick { kind: ChoiceKind::Panic, thread: 2, op: 1, number: 3, choice: 1 };
        Input {
            target: 0x1234,
            random: 5,
            drift: 6,
            scenario,
            switches: vec![Gene { thread: 1, op: 0, offset: 700, to: 1 }],
            picks: vec![pick, Pick { kind: ChoiceKind::Data, number: 9, ..pick }],
        }
    }

    #[test]
    fn an_input_comes_back_from_its_bytes() {
        assert_eq!(Input::decode(&input().encode()), Ok(input()));
        assert_eq!(target_of(&input().encode()), Some(0x1234));
    }

    #[test]
    fn any_bytes_are_an_input() {
        let mut random = Pcg::new(3);
        for size in 0..400 {
            let mut bytes = vec![0; size];
            random.fill(&mut bytes);
            let input = Input::decode(&bytes).unwrap();
            assert_eq!(Input::decode(&input.encode()), Ok(input.clone()));
            let _ = (input.plan(true).points(), work(&input.scenario));
        }
    }

    #[test]
    fn genes_name_operations_of_their_thread_and_choices_become_decisions() {
        let input = input();
        // Setup 1 and 2, threads 3 to 6, teardown 7.
        let labels = |thread| (0..4).map(|op| input.label(thread, op)).collect::<Vec<_>>();
        assert_eq!(labels(0), [Some(1), Some(2), Some(7), Some(1)]);
        assert_eq!(labels(2), [Some(5), Some(6), Some(5), Some(6)]);
        assert_eq!(input.others().to_string(), "panic:2@6.3=1 data:2@9=1");
    }

    #[test]
    fn what_a_map_is_not_made_for_is_left_out() {
        let mut profile = crate::scenario::bytes::tests::profile();
        let text = |profile: &Profile, collides| {
            let mut scenario = input().scenario;
            scenario.threads[1] = ops("get 1 remove, iterate stop 2, iterate nested");
            make_legal(&mut scenario, profile, collides);
            let texts: Vec<String> = scenario.threads.iter().flatten().map(Op::to_string).collect();
            format!("{} {}", scenario.collide, texts.join(", "))
        };
        let free =
            "2 iterate hold remove-current 2, get 3, get 1 remove, iterate stop 2, iterate nested";
        assert_eq!(text(&profile, true), free);
        profile.write_in_visit = false;
        let bound = "0 iterate hold, get 3, get 1 hold, iterate stop 2, iterate";
        assert_eq!(text(&profile, false), bound);
    }

    #[test]
    fn a_scenario_with_too_much_to_do_is_not_reasonable() {
        assert!(input().is_reasonable());
        let with = |text| Input {
            scenario: Scenario { threads: vec![ops(text)], ..input().scenario },
            ..input()
        };
        assert!(!with("insert 0..400, iterate nested").is_reasonable());
        assert!(!with("insert 0..5000").is_reasonable());
        let none = Scenario { threads: Vec::new(), ..input().scenario };
        assert!(!Input { scenario: none, ..input() }.is_reasonable());
    }

    #[test]
    fn the_scenarios_there_are_ask_for_less_than_the_most() {
        let profile = crate::scenario::bytes::tests::profile();
        let most = crate::scenario::families::all(&profile, 1).iter().map(work).max().unwrap();
        assert!(most <= WORK, "{most}");
    }

    #[test]
    fn a_plan_forgets_its_points_unless_they_are_wanted() {
        let mut plan = input().plan(false);
        plan.begin(0);
        assert!(plan.points().is_empty());
    }
}
