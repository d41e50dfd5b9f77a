//! The built-in scenarios: small, and aimed at deleting while iterating.
//!
//! Each of the four delete-in-range families runs over map sizes below, at and above the growth threshold, with growth
//! before, during and after the iteration, and with reclamation driven by the threads that remove.

use std::collections::VecDeque;

use super::{Keys, Op, Scenario, Visit, generate};
use crate::map::{Iteration, Profile};

/// The families: name, and what its scenarios have in common.
pub const FAMILIES: &[(&str, &str)] = &[
    ("delete-current", "the element being visited is deleted"),
    ("delete-unvisited", "an element not yet visited is deleted"),
    ("delete-visited", "an element already visited is deleted"),
    ("concurrent-write", "other threads write while one iterates and keeps its references"),
    ("single-delete", "one deletion, and the iteration that must not skip an element for it"),
    ("nested-ranges", "iterations within an iteration, and deletions between their steps"),
    ("deferred-delete", "what was deleted is given up later: at a guard's drop, at a thread's end"),
    ("foreign-code", "a callback deletes the very element it was given, as foreign code may"),
    ("bulk-build", "the map is made from elements in one go, then iterated while others delete"),
    (
        "concurrent-growth",
        "several threads insert at once, and the map grows or is copied under them",
    ),
    ("generated", "small programs drawn at random, others with each seed"),
];

/// The four scenarios of deletion in a range, and the four patterns around them: the first of [`FAMILIES`].
pub const PATTERNS: &[(&str, &str)] = FAMILIES.split_at(8).0;

/// The family of scenarios that are drawn.
pub(crate) const DRAWN: &str = generate::FAMILY;
/// The family of those that were kept of what was drawn.
pub(crate) const KEPT: &str = "kept";

/// All scenarios for a map with this profile, with names that are unique: the built-in ones, whose names are stable,
/// and those that are drawn with the seed. Families take turns.
pub fn all(profile: &Profile, seed: u64) -> Vec<Scenario> {
    with_kept(profile, seed, Vec::new())
}

/// The same with scenarios of a corpus, which come before those that are drawn.
pub(crate) fn with_kept(profile: &Profile, seed: u64, mut kept: Vec<Scenario>) -> Vec<Scenario> {
    kept.extend(generate::all(profile, seed));
    in_turn(built_in(profile), kept)
}

/// Families take turns, and every second scenario is a drawn one as long as there are both: what differs most comes
/// first, since a mistake that a scenario does not show at all is seldom shown by another of its family.
fn in_turn(built_in: Vec<Scenario>, drawn: Vec<Scenario>) -> Vec<Scenario> {
    let mut families: Vec<VecDeque<Scenario>> = Vec::new();
    for scenario in built_in {
        match families.iter_mut().find(|f| f[0].family == scenario.family) {
            Some(family) => family.push_back(scenario),
            None => families.push(VecDeque::from([scenario])),
        }
    }
    let (mut all, mut drawn) = (Vec::new(), drawn.into_iter());
    while !families.is_empty() {
        let round: Vec<Scenario> = families.iter_mut().filter_map(VecDeque::pop_front).collect();
        all.extend(round.into_iter().flat_map(|scenario| [Some(scenario), drawn.next()]).flatten());
        families.retain(|family| !family.is_empty());
    }
    all.extend(drawn);
    all
}

fn built_in(profile: &Profile) -> Vec<Scenario> {
    let in_visit = profile.write_in_visit && profile.iteration != Iteration::Locked;
    let shapes = shapes(profile.grows_at);
    let each = |family: &'static str, threads: fn(&Shape, bool) -> Vec<Vec<Op>>| {
        shapes.iter().map(move |shape| shape.scenario(family, threads(shape, in_visit)))
    };
    let mut scenarios = Vec::new();
    scenarios.extend(each("delete-current", delete_current));
    scenarios.extend(each("delete-unvisited", delete_unvisited));
    scenarios.extend(each("delete-visited", delete_visited));
    scenarios.extend(each("concurrent-write", |shape, _| concurrent_write(shape)));
    if in_visit {
        scenarios.extend(writes_in_visit(profile.grows_at));
    }
    scenarios.extend(each("single-delete", single_delete));
    scenarios.extend(deferred_delete(profile.grows_at));
    if in_visit {
        // A read lock taken anew while a writer waits for it is a deadlock.
        scenarios.extend(nested_ranges(profile.grows_at));
        scenarios.extend(each("foreign-code", |_, _| foreign_code()));
    }
    scenarios.extend(bulk_build(profile.grows_at));
    scenarios.extend(concurrent_growth(profile.grows_at));
    scenarios
}

/// The scenario with so many threads: the first ones, or all of them over and over.
pub fn with_threads(scenario: &Scenario, threads: usize) -> Scenario {
    let repeated = scenario.threads.iter().cycle().take(threads).cloned().collect();
    Scenario { threads: repeated, ..scenario.clone() }
}

/// When a map grows, seen from the iteration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Growth {
    Before,
    During,
    After,
}

/// Size and growth of a scenario.
struct Shape {
    /// `below`, `at` or `above` the growth threshold.
    size: &'static str,
    growth: Growth,
    /// Elements at the start: the keys `0..elements`.
    elements: u32,
    /// Keys that make the map grow.
    more: Keys,
}

/// Larger maps make executions longer, not better.
const LARGEST_THRESHOLD: u32 = 64;

fn sizes(grows_at: u32) -> [(&'static str, u32); 3] {
    let at = grows_at.clamp(4, LARGEST_THRESHOLD);
    [("below", (at - 2).max(3)), ("at", at), ("above", at + 2)]
}

fn shapes(grows_at: u32) -> Vec<Shape> {
    // What is most likely to go wrong comes first.
    let growths = [Growth::During, Growth::Before, Growth::After];
    let [below, at, above] = sizes(grows_at);
    let of = |(size, n)| {
        growths.map(|growth| Shape { size, growth, elements: n, more: more(grows_at, n) })
    };
    [at, above, below].into_iter().flat_map(of).collect()
}

/// Keys that make a map of `0..n` grow, reckoning with a table that doubles.
fn more(grows_at: u32, n: u32) -> Keys {
    let at = grows_at.clamp(4, LARGEST_THRESHOLD);
    Keys::range(n, if n <= at { at + 2 } else { 2 * at + 2 })
}

impl Shape {
    fn scenario(&self, family: &str, mut threads: Vec<Vec<Op>>) -> Scenario {
        let mut setup = vec![Op::Insert(self.all())];
        let mut teardown = vec![Op::Reclaim, Op::Reclaim];
        let growth = match self.growth {
            Growth::Before => {
                setup.extend([Op::Insert(self.more), Op::Remove(self.more)]);
                "before"
            }
            Growth::During => {
                threads.push(vec![Op::Insert(self.more), Op::Reclaim]);
                "during"
            }
            Growth::After => {
                teardown.insert(0, Op::Insert(self.more));
                "after"
            }
        };
        let name = format!("{family}/{}/grow-{growth}", self.size);
        Scenario {
            name,
            family: family.to_owned(),
            collide: 0,
            elements: false,
            setup,
            threads,
            teardown,
        }
    }

    fn all(&self) -> Keys {
        Keys::range(0, self.elements)
    }
}

fn get(key: u32) -> Op {
    Op::Get { key, hold: true }
}

const ITERATE: Op = Op::Iterate { hold: true, visit: None };

fn iterate(visit: Visit) -> Op {
    Op::Iterate { hold: true, visit: Some(visit) }
}

/// An iterator that deletes in its visitor beside a thread that reads and reclaims, or, where visitors must not write,
/// an iterator beside a thread that deletes these keys.
fn delete(visit: Visit, in_visit: bool, elsewhere: Vec<Op>) -> Vec<Vec<Op>> {
    if in_visit {
        let reader = vec![get(0), Op::Reclaim, get(1), Op::Reclaim];
        return vec![vec![iterate(visit), Op::Reclaim], reader];
    }
    let mut remover = elsewhere;
    remover.push(Op::Reclaim);
    vec![vec![ITERATE, Op::Reclaim], remover]
}

fn delete_current(shape: &Shape, in_visit: bool) -> Vec<Vec<Op>> {
    delete(Visit::RemoveCurrent { at: 2 }, in_visit, vec![Op::Remove(shape.all())])
}

fn delete_unvisited(shape: &Shape, in_visit: bool) -> Vec<Vec<Op>> {
    let n = shape.elements;
    let elsewhere = vec![Op::Remove(Keys::one(n - 1)), Op::Reclaim, Op::Remove(Keys::one(n / 2))];
    delete(Visit::RemoveUnvisited { keys: shape.all(), at: 1 }, in_visit, elsewhere)
}

fn delete_visited(_: &Shape, in_visit: bool) -> Vec<Vec<Op>> {
    let elsewhere = vec![Op::Remove(Keys::one(0)), Op::Reclaim, Op::Remove(Keys::one(1))];
    delete(Visit::RemoveVisited { at: 3 }, in_visit, elsewhere)
}

/// The growing thread, if any, takes the place of the third, so that there are three threads at most.
fn concurrent_write(shape: &Shape) -> Vec<Vec<Op>> {
    let half = Keys::range(0, shape.elements / 2);
    let writer = vec![
        Op::Remove(half),
        Op::Reclaim,
        Op::Insert(half),
        Op::Remove(Keys::one(0)),
        Op::Reclaim,
    ];
    let last = shape.elements - 1;
    let other = vec![
        get(last),
        Op::Remove(Keys::one(last)),
        Op::Reclaim,
        get(0),
        Op::Insert(Keys::one(last)),
    ];
    match shape.growth {
        Growth::During => vec![vec![ITERATE], writer],
        Growth::Before | Growth::After => vec![vec![ITERATE], writer, other],
    }
}

/// The visitor itself writes while another thread inserts and a third removes and reclaims.
fn writes_in_visit(grows_at: u32) -> Vec<Scenario> {
    let [_, (size, n), _] = sizes(grows_at);
    let more = more(grows_at, n);
    let fresh = Keys::range(more.end, more.end + 3);
    let visits = [
        ("visit-removes-current", Visit::RemoveCurrent { at: 2 }),
        ("visit-removes-later", Visit::RemoveUnvisited { keys: Keys::range(0, n), at: 2 }),
        ("visit-removes-earlier", Visit::RemoveVisited { at: 3 }),
        ("visit-inserts", Visit::Insert { keys: fresh, at: 2 }),
        ("nested", Visit::Nested),
    ];
    let scenario = |(name, visit)| Scenario {
        name: format!("concurrent-write/{size}/{name}"),
        family: "concurrent-write".to_owned(),
        collide: 0,
        elements: false,
        setup: vec![Op::Insert(Keys::range(0, n))],
        threads: vec![
            vec![iterate(visit), Op::Reclaim],
            vec![Op::Insert(more), Op::Reclaim],
            vec![
                Op::Remove(Keys::range(0, 2)),
                Op::Reclaim,
                Op::Insert(Keys::range(0, 2)),
                Op::Reclaim,
            ],
        ],
        teardown: vec![Op::Reclaim, Op::Reclaim],
    };
    visits.into_iter().map(scenario).collect()
}

/// One deletion beside one iteration: whatever else is missed is missed because of it.
fn single_delete(_: &Shape, in_visit: bool) -> Vec<Vec<Op>> {
    if in_visit {
        return vec![vec![iterate(Visit::RemoveCurrent { at: 1 }), ITERATE]];
    }
    vec![vec![ITERATE, ITERATE], vec![Op::Remove(Keys::one(0))]]
}

/// An iteration at each visit of another one, and deletions by the inner visitor's neighbour, by another thread, or
/// between two visits; with growth by a third thread or none.
fn nested_ranges(grows_at: u32) -> Vec<Scenario> {
    let [_, (_, n), _] = sizes(grows_at);
    // The work grows with the square of the elements.
    let n = n.min(10);
    let more = more(grows_at, n);
    let remover = vec![Op::Remove(Keys::range(0, n / 2)), Op::Reclaim, Op::Insert(Keys::one(0))];
    let grower = vec![Op::Insert(more), Op::Reclaim];
    let nested = vec![iterate(Visit::Nested), Op::Reclaim];
    let removing = |at| vec![iterate(Visit::RemoveCurrent { at })];
    // The inner iteration deletes what the outer one stands on, and later what it has yet to reach.
    let inner = vec![iterate(Visit::NestedRemove { at: 1 }), Op::Reclaim];
    let cases = [
        ("delete", vec![nested.clone(), remover.clone()]),
        ("delete-and-grow", vec![nested, remover, grower.clone()]),
        ("beside", vec![removing(2), removing(3), grower]),
        ("inner-deletes", vec![inner, vec![Op::Insert(more), Op::Reclaim]]),
    ];
    let scenario = |(name, threads)| Scenario {
        name: format!("nested-ranges/{name}"),
        family: "nested-ranges".to_owned(),
        collide: 0,
        elements: false,
        setup: vec![Op::Insert(Keys::range(0, n))],
        threads,
        teardown: vec![ITERATE, Op::Reclaim, Op::Reclaim],
    };
    cases.map(scenario).into()
}

/// Readers hold what a thread deletes just before it ends, or before it drops its guard, or when it ends: in a
/// destructor of a thread-local variable.
fn deferred_delete(grows_at: u32) -> Vec<Scenario> {
    let [_, (_, n), _] = sizes(grows_at);
    let all = Keys::range(0, n);
    // The map is used before, so that its own thread-local variables are older and still there. The other order is a
    // matter of the fault `thread-exit`.
    let at_exit = vec![get(0), Op::ExitRemove(all)];
    let cases = [
        ("at-thread-exit", at_exit, vec![Op::Reclaim, Op::Reclaim]),
        ("at-thread-end", vec![Op::Remove(all)], vec![Op::Reclaim, Op::Reclaim]),
        ("after-reinsert", vec![Op::Remove(all), Op::Insert(all)], vec![Op::Reclaim]),
        ("by-overwrite", vec![Op::Insert(all), Op::Insert(all)], vec![Op::Reclaim, Op::Reclaim]),
    ];
    let scenario = |(name, writer, collector)| Scenario {
        name: format!("deferred-delete/{name}"),
        family: "deferred-delete".to_owned(),
        collide: 0,
        elements: false,
        setup: vec![Op::Insert(all)],
        threads: vec![vec![get(0), ITERATE, get(n - 1)], writer, collector],
        teardown: vec![Op::Reclaim, Op::Reclaim],
    };
    cases.map(scenario).into()
}

/// The callback of a read deletes what it reads, beside an iteration that may hold it too.
fn foreign_code() -> Vec<Vec<Op>> {
    let deleter = vec![Op::GetRemove(0), Op::Reclaim, Op::GetRemove(1), Op::Reclaim];
    vec![vec![iterate(Visit::RemoveCurrent { at: 1 }), Op::Reclaim], deleter]
}

fn bulk_build(grows_at: u32) -> Vec<Scenario> {
    let [.., (_, n)] = sizes(grows_at);
    let (all, half) = (Keys::range(0, n), Keys::range(0, n / 2));
    let scenario = |(name, setup)| Scenario {
        name: format!("bulk-build/{name}"),
        family: "bulk-build".to_owned(),
        collide: 0,
        elements: true,
        setup,
        threads: vec![
            vec![get(0), ITERATE, get(n - 1), Op::Reclaim],
            vec![
                Op::Remove(half),
                Op::Reclaim,
                Op::Insert(Keys::one(0)),
                Op::Remove(Keys::one(n - 1)),
                Op::Reclaim,
            ],
        ],
        teardown: vec![Op::Reclaim, Op::Reclaim],
    };
    let plain = ("plain", vec![Op::Insert(all)]);
    let duplicates = ("duplicates", vec![Op::Insert(all), Op::Insert(half)]);
    [plain, duplicates].map(scenario).into()
}

/// Threads insert keys of their own, or the same ones, while the map grows; beside removals, or an iteration; or into a
/// map that was filled and emptied, which may choose a new table for few elements just before it gets many; or while
/// another thread clears a map that was large enough for two to share the work of moving it; or while another thread
/// has the map shrink, and grow to what it was: whoever waited has a table of the same size before it, and not the
/// same.
fn concurrent_growth(grows_at: u32) -> Vec<Scenario> {
    let [_, (_, at), _] = sizes(grows_at);
    let insert = |start, end| vec![Op::Insert(Keys::range(start, end))];
    let quarter = |i| insert(at - 1 + i * (at + 3) / 4, at - 1 + (i + 1) * (at + 3) / 4);
    let (grown, few) = (Keys::range(0, at + 1), Keys::range(0, (at / 3).max(3)));
    let (twice, more) = (2 * at + 2, 2 * at + 6);
    let (full, emptied) = (insert(0, at - 1), vec![Op::Insert(grown), Op::Remove(grown)]);
    let reader = vec![get(0), Op::Insert(few), get(at - 2), Op::Remove(few)];
    let (few, step) = (vec![Op::Insert(few)], at / 4 + 3);
    // Tables of so many elements have four times the smallest number of slots, if that was small, and are moved in
    // parts.
    let shared = if at <= 16 { 4 * at + 1 } else { 2 * at - 1 };
    let all = Keys::range(0, at + 3);
    let back = vec![Op::Remove(all), Op::Reclaim, Op::Insert(all)];
    let beside = vec![Op::Insert(Keys::one(at + 3)), get(0), Op::Remove(Keys::one(at + 3))];
    let cases = [
        ("disjoint", &full, vec![quarter(0), quarter(1), quarter(2), quarter(3)]),
        ("equal", &full, vec![insert(at - 2, at + 4); 4]),
        ("removed", &full, vec![insert(at - 1, twice), vec![Op::Remove(grown)], reader]),
        ("iterated", &full, vec![vec![ITERATE], insert(at - 1, at + 3), insert(at + 3, twice)]),
        ("emptied/2-threads", &emptied, vec![few.clone(), insert(at + 1, more)]),
        ("emptied/3-threads", &emptied, vec![few.clone(), insert(at + 1, more), few.clone()]),
        (
            "emptied/4-threads",
            &emptied,
            vec![few.clone(), insert(at + 1, at + at / 2), insert(at + at / 2, more), few],
        ),
        (
            "cleared",
            &insert(0, shared),
            vec![insert(8 * at, 8 * at + step), insert(9 * at, 9 * at + step), vec![Op::Clear]],
        ),
        ("there-and-back", &insert(0, at + 3), vec![back, beside]),
    ];
    let scenario = |(name, setup, threads): (_, &Vec<Op>, _)| Scenario {
        name: format!("concurrent-growth/{name}"),
        family: "concurrent-growth".to_owned(),
        collide: 0,
        elements: false,
        setup: setup.clone(),
        threads,
        teardown: vec![ITERATE, Op::Reclaim, Op::Reclaim],
    };
    cases.map(scenario).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn profile(grows_at: u32, write_in_visit: bool, iteration: Iteration) -> Profile {
        Profile {
            iteration,
            promised_by: "assumed",
            consistency: crate::map::Consistency::Linearizable,
            atomic: crate::map::Atomic::NONE,
            grows_at,
            write_in_visit,
            knobs: "",
        }
    }

    fn writes_in_visits(scenario: &Scenario) -> bool {
        scenario.threads.iter().flatten().any(|op| matches!(op, Op::Iterate { visit: Some(_), .. }))
    }

    #[test]
    fn scenarios_are_named_uniquely_short_and_of_a_listed_family() {
        for grows_at in [0, 1, 8, 1 << 20] {
            let all = all(&profile(grows_at, true, Iteration::WeaklyConsistent), 5);
            assert_eq!(all.iter().map(|s| &s.name).collect::<HashSet<_>>().len(), all.len());
            for scenario in &all {
                assert!((1..=4).contains(&scenario.threads.len()), "{}", scenario.name);
                let most = if scenario.family == "generated" { 12 } else { 6 };
                assert!(scenario.threads.iter().all(|ops| ops.len() <= most), "{}", scenario.name);
                assert!(FAMILIES.iter().any(|f| f.0 == scenario.family), "{}", scenario.name);
                let mut writer = crate::text::Writer::default();
                scenario.write(&mut writer);
                assert_eq!(&crate::text::parse(&writer.0, Scenario::read).unwrap(), scenario);
            }
        }
    }

    #[test]
    fn every_family_covers_every_size_and_growth() {
        let all = built_in(&profile(8, true, Iteration::WeaklyConsistent));
        for (family, _) in &FAMILIES[..4] {
            for size in ["below", "at", "above"] {
                for growth in ["before", "during", "after"] {
                    let name = format!("{family}/{size}/grow-{growth}");
                    assert!(all.iter().any(|s| s.name == name), "{name}");
                }
            }
        }
    }

    #[test]
    fn every_family_and_a_few_drawn_scenarios_come_before_any_family_comes_again() {
        let all = all(&profile(8, true, Iteration::WeaklyConsistent), 5);
        let families = FAMILIES.len() - 1;
        let first: HashSet<&str> = all[..2 * families].iter().map(|s| &*s.family).collect();
        assert_eq!(first.len(), FAMILIES.len());
        let drawn = all[..2 * families].iter().filter(|s| s.family == "generated").count();
        assert_eq!(drawn, families);
        let kept: HashSet<&str> = all.iter().map(|s| &*s.name).collect();
        let built_in = built_in(&profile(8, true, Iteration::WeaklyConsistent));
        assert!(built_in.iter().all(|s| kept.contains(&*s.name)));
    }

    #[test]
    fn kept_scenarios_come_before_those_that_are_drawn_and_beside_the_families() {
        let profile = profile(8, true, Iteration::WeaklyConsistent);
        let kept = |n: u32| Scenario { name: format!("kept/{n}"), ..Scenario::default() };
        let all = with_kept(&profile, 5, (0..3).map(kept).collect());
        let names: Vec<&str> = all.iter().map(|s| &*s.name).collect();
        let later: Vec<&str> = names.iter().copied().skip(1).step_by(2).take(4).collect();
        assert_eq!(later, ["kept/0", "kept/1", "kept/2", "generated/5-0"]);
        assert_eq!(all.len(), super::all(&profile, 5).len() + 3);
    }

    #[test]
    fn every_scenario_of_concurrent_growth_inserts_enough_to_grow_by_two_threads_or_more() {
        for at in [4, 8, 26, 64] {
            for scenario in concurrent_growth(at) {
                let inserts = |ops: &[Op]| -> usize {
                    ops.iter().filter(|op| matches!(op, Op::Insert(_))).map(|op| op.keys()).sum()
                };
                let by_threads = scenario.threads.iter().map(|ops| inserts(ops));
                assert!(by_threads.clone().filter(|&n| n > 0).count() > 1, "{}", scenario.name);
                let all = inserts(&scenario.setup) + by_threads.sum::<usize>();
                assert!(all > at as usize, "{}", scenario.name);
            }
        }
    }

    #[test]
    fn visitors_write_only_where_the_map_allows_it() {
        let some = |profile| built_in(&profile).iter().any(writes_in_visits);
        assert!(some(profile(8, true, Iteration::Go)));
        assert!(!some(profile(8, false, Iteration::WeaklyConsistent)));
        assert!(!some(profile(8, true, Iteration::Locked)));
    }
}
