use std::collections::BTreeSet;

use super::*;
use crate::map::{Atomic, Consistency};
use crate::scenario::Visit;
use crate::text::{Writer, parse};

fn profile(grows_at: u32, write_in_visit: bool) -> Profile {
    Profile {
        iteration: Iteration::Go,
        promised_by: "assumed",
        grows_at,
        write_in_visit,
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        knobs: "",
    }
}

fn of_bytes(profile: &Profile, bytes: &[u8]) -> Scenario {
    Scenario::arbitrary(profile, &mut Unstructured::new(bytes)).expect("any bytes give a scenario")
}

/// So many bytes, others for each number.
fn random_bytes(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Pcg::new(u128::from(splitmix(number)) << 1 | 1).fill(&mut bytes);
    bytes
}

/// Byte strings of all lengths that make a difference, and the extremes.
fn many_bytes() -> impl Iterator<Item = Vec<u8>> {
    let random = (0..3000).map(|i| random_bytes(i, i as usize % (BYTES + 8)));
    let same = [0, 1, 0x7f, 0x80, 0xff].into_iter().map(|byte| vec![byte; BYTES]);
    random.chain(same)
}

fn operations(scenario: &Scenario) -> impl Iterator<Item = &Op> {
    scenario.setup.iter().chain(scenario.threads.iter().flatten()).chain(&scenario.teardown)
}

#[test]
fn any_bytes_give_a_scenario_whose_text_round_trips() {
    for bytes in many_bytes() {
        for profile in [profile(4, true), profile(8, true), profile(1 << 20, false)] {
            let scenario = of_bytes(&profile, &bytes);
            let mut writer = Writer::default();
            scenario.write(&mut writer);
            assert_eq!(parse(&writer.0, Scenario::read).as_ref(), Ok(&scenario), "{bytes:?}");
        }
    }
}

#[test]
fn any_bytes_give_a_scenario_within_the_limits() {
    for bytes in many_bytes() {
        for grows_at in [0, 4, 8, 64, u32::MAX] {
            let scenario = of_bytes(&profile(grows_at, true), &bytes);
            assert!((1..=THREADS).contains(&scenario.threads.len()), "{scenario:?}");
            assert!(scenario.setup.len() <= 5 && scenario.teardown.len() <= 4, "{scenario:?}");
            assert!(
                scenario.threads.iter().all(|ops| (1..=12).contains(&ops.len())),
                "{scenario:?}"
            );
            let most = 2 * (2 * LARGEST as usize + 2);
            assert!(operations(&scenario).all(|op| op.keys() <= most), "{scenario:?}");
        }
    }
}

#[test]
fn no_bytes_give_the_smallest_scenario() {
    let scenario = of_bytes(&profile(8, true), &[]);
    assert_eq!(scenario.threads.len(), 1);
    assert_eq!(operations(&scenario).map(Op::keys).max(), Some(1));
    assert!(scenario.operations() <= 6, "{scenario:?}");
}

#[test]
fn another_byte_in_a_move_leaves_the_other_threads_as_they_were() {
    for number in 0..500 {
        let bytes = random_bytes(number, BYTES);
        let before = of_bytes(&profile(8, true), &bytes);
        for at in OUTLINE..BYTES {
            let mut other = bytes.clone();
            other[at] ^= 0x15;
            let after = of_bytes(&profile(8, true), &other);
            assert_eq!((&after.setup, &after.teardown), (&before.setup, &before.teardown));
            let changed = before.threads.iter().zip(&after.threads).filter(|(a, b)| a != b);
            assert!(changed.count() <= 1 && before.threads.len() == after.threads.len());
        }
    }
}

/// What it is, without its numbers: `iterate hold remove _ at _`.
fn kind(op: &Op) -> String {
    let words = op.to_string();
    let word =
        |w: &str| if w.starts_with(char::is_numeric) { "_".to_owned() } else { w.to_owned() };
    words.split(' ').filter(|w| *w != "hold").map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_operation_and_every_visit_is_drawn() {
    let drawn: BTreeSet<String> = all(&profile(8, true), 1)
        .iter()
        .flat_map(|scenario| operations(scenario).map(kind).collect::<Vec<_>>())
        .collect();
    let wanted = "insert _/remove _/get _/get _ remove/reserve _/shrink/clear/retain even/reclaim/len/iterate/\
        iterate nested/iterate remove-current _/iterate remove-visited _/iterate remove-unvisited _ at _/\
        iterate remove _ at _/iterate insert _ at _/iterate stop _/iterate clear at _/iterate refill _ at _/\
        iterate outgrow _ at _/iterate reclaim at _/iterate churn _ at _";
    assert_eq!(drawn, wanted.split('/').map(str::to_owned).collect());
}

#[test]
fn references_are_held_keys_collide_and_there_are_up_to_four_threads() {
    let scenarios = all(&profile(8, true), 1);
    let some = |what: &dyn Fn(&Scenario) -> bool| scenarios.iter().any(what);
    for threads in 1..=THREADS {
        assert!(some(&|s| s.threads.len() == threads), "{threads}");
    }
    for collide in [0, 2, 4, 12] {
        assert!(some(&|s| s.collide == collide), "{collide}");
    }
    for text in ["iterate hold", "get 0 hold"] {
        assert!(some(&|s| operations(s).any(|op| op.to_string() == text)), "{text}");
    }
}

#[test]
fn the_same_seed_draws_the_same_scenarios_and_another_others() {
    assert_eq!(all(&profile(8, true), 7), all(&profile(8, true), 7));
    assert_ne!(all(&profile(8, true), 7)[0].threads, all(&profile(8, true), 8)[0].threads);
}

#[test]
fn visitors_write_only_where_the_map_allows_it() {
    for scenario in all(&profile(64, false), 3) {
        for op in operations(&scenario) {
            let allowed = match op {
                Op::Iterate { visit, .. } => matches!(visit, None | Some(Visit::Stop { .. })),
                Op::GetRemove(_) => false,
                _ => true,
            };
            assert!(allowed, "{op}");
        }
    }
}
