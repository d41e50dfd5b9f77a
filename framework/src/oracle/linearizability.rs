//! Linearizability: does some order of the calls on a key, in which each takes effect at one moment between call and
//! return, explain what they answered?
//!
//! Keys are judged one by one: what is linearizable for every object is for all together (Herlihy and Wing,
//! *Linearizability*, TOPLAS 1990). The search is Wing and Gong's (*Testing and verifying concurrent objects*, JPDC
//! 1993) with Lowe's memory of what was tried (*Testing for linearizability*, CCPE 2017). It is done whenever a key is
//! quiet, that is, no call on it is under way: then the values that it may hold are all that the future depends on.

use std::collections::BTreeSet;

use super::iteration::{operation, value};
use super::{Class, Violation};
use crate::map::Previous;
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Call, Effect, History};

/// States that one search visits at most.
const BUDGET: usize = 50_000;

/// What a key holds: the id of a value, or nothing.
pub(super) type Held = Option<u64>;

/// What a key may hold when it is quiet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    one: Held,
    /// Besides; ascending.
    others: Vec<Held>,
    /// A search ended before its end: it is not judged any more.
    pub given_up: bool,
}

impl Known {
    /// What is known after a search that did not end.
    pub(crate) fn given_up() -> Known {
        Known { given_up: true, ..Known::default() }
    }

    /// This and nothing else.
    pub(super) fn just(one: Held) -> Known {
        Known { one, ..Known::default() }
    }

    /// One of these; `None` if there is none.
    pub(super) fn of(held: BTreeSet<Held>) -> Option<Known> {
        let mut held = held.into_iter();
        Some(Known { one: held.next()?, others: held.collect(), given_up: false })
    }

    /// The first of what it may hold.
    pub(super) fn first(&self) -> Held {
        self.one
    }

    /// Whether it may hold one thing or another.
    pub(super) fn is_open(&self) -> bool {
        !self.others.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Held> {
        std::iter::once(self.one).chain(self.others.iter().copied())
    }
}

/// What a search found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What the key may hold now.
    Holds(Known),
    Violated,
    Inconclusive,
}

/// Judges the calls on an entry's key since it was quiet last, if it is now. What was known of it before, if there is a
/// verdict. `evicts`: whether what a key holds may be gone at any moment.
pub(crate) fn judge_entry(
    history: &mut History<Known>,
    at: usize,
    scenario: &Scenario,
    evicts: bool,
) -> Result<Option<Known>, Violation> {
    let entry = &history.entries()[at];
    let recent = entry.recent as usize;
    if entry.open > 0 || recent == 0 {
        return Ok(None);
    }
    let verdict = match (recent, history.calls_of(at).next()) {
        (_, _) if entry.known.given_up => Verdict::Inconclusive,
        // Most calls overlap no other of their key.
        (1, Some(call)) => judge(&entry.known, &[*call], evicts),
        _ => judge(&entry.known, &recent_calls(history, at), evicts),
    };
    let known = match verdict {
        Verdict::Holds(now) => now,
        Verdict::Inconclusive => Known::given_up(),
        Verdict::Violated => {
            let calls = recent_calls(history, at);
            return Err(tell(scenario, entry.key, &entry.known, &calls));
        }
    };
    let entry = history.entry_mut(at);
    entry.recent = 0;
    Ok(Some(std::mem::replace(&mut entry.known, known)))
}

/// The calls on an entry's key since it was quiet last, in the order of their invocations.
fn recent_calls(history: &History<Known>, at: usize) -> Vec<Call> {
    let recent = history.entries()[at].recent as usize;
    in_order(history.calls_of(at).take(recent))
}

/// Calls in the order of their invocations.
pub(super) fn in_order<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<Call> {
    let mut calls: Vec<Call> = calls.copied().collect();
    calls.sort_unstable_by_key(|call| call.invoked);
    calls
}

/// Judges the calls on a key since it was quiet last, in the order of their invocations.
pub(crate) fn judge(known: &Known, calls: &[Call], evicts: bool) -> Verdict {
    match *calls {
        [call] if known.others.is_empty() && !evicts => alone(known, &call),
        _ if calls.len() > 64 => Verdict::Inconclusive,
        _ => search(known, calls, evicts, BUDGET),
    }
}

/// Judges a call on a key of which it is known what it holds, as [`search`] does; nearly all calls are like that.
fn alone(known: &Known, call: &Call) -> Verdict {
    let [first, second] = after(call, known.one);
    let Some(one) = first else { return Verdict::Violated };
    let others = second.filter(|other| *other != one).into_iter().collect();
    Verdict::Holds(Known { one, others, given_up: false })
}

fn search(known: &Known, calls: &[Call], evicts: bool, budget: usize) -> Verdict {
    let mut held = BTreeSet::new();
    let mut tried: BTreeSet<(u64, Held)> = known.all().map(|value| (0, value)).collect();
    let mut todo: Vec<_> = tried.iter().copied().collect();
    while let Some((done, value)) = todo.pop() {
        if tried.len() > budget {
            return Verdict::Inconclusive;
        }
        if done.count_ones() as usize == calls.len() {
            held.insert(value);
        }
        let mut push = |state| {
            if tried.insert(state) {
                todo.push(state);
            }
        };
        if evicts {
            push((done, None));
        }
        for i in next(calls, done) {
            after(&calls[i], value).into_iter().flatten().for_each(|v| push((done | 1 << i, v)));
            // It may remove again what is inserted meanwhile.
            if matches!(calls[i].effect, Effect::Wipe | Effect::Sweep) {
                push((done, None));
            }
        }
    }
    match Known::of(held) {
        Some(known) => Verdict::Holds(known),
        None => Verdict::Violated,
    }
}

/// The calls that may take effect next when those of this set have: those that no other had to come before.
fn next(calls: &[Call], done: u64) -> impl Iterator<Item = usize> {
    let left = move |i: &usize| done >> i & 1 == 0;
    let first = (0..calls.len()).filter(left).map(|i| calls[i].returned).min();
    (0..calls.len()).filter(move |i| left(i) && first.is_some_and(|end| calls[*i].invoked < end))
}

/// What a key may hold after a call that found it so; nothing at all if it cannot have.
pub(super) fn after(call: &Call, held: Held) -> [Option<Held>; 2] {
    let only = |possible: bool, value: Held| [possible.then_some(value), None];
    match (call.effect, call.answer) {
        (Effect::Insert(new), Answer::Wrote(Previous::Absent)) => only(held.is_none(), Some(new)),
        (Effect::Insert(new), Answer::Wrote(Previous::Present(old))) => {
            only(held == Some(old), Some(new))
        }
        (Effect::Insert(_), Answer::Wrote(Previous::Refused)) => only(held.is_some(), held),
        (_, Answer::Wrote(Previous::Failed | Previous::Unsupported)) => only(true, held),
        (Effect::Insert(new), Answer::GivenUp) => [Some(Some(new)), Some(held)],
        (Effect::Insert(new), _) => [Some(Some(new)), held.is_some().then_some(held)],
        (Effect::Remove, Answer::Wrote(Previous::Absent)) => only(held.is_none(), None),
        (Effect::Remove, Answer::Wrote(Previous::Present(old))) => only(held == Some(old), None),
        (Effect::Remove | Effect::Sweep, _) => [Some(None), Some(held)],
        (Effect::Get, Answer::Read(read)) => only(held == read, held),
        (Effect::Wipe, _) => only(true, None),
        (Effect::Get | Effect::Nothing, _) => only(true, held),
    }
}

/// The calls that no order explains, in words.
pub(crate) fn tell(scenario: &Scenario, key: u64, known: &Known, calls: &[Call]) -> Violation {
    let before: Vec<String> = known.all().map(holding).collect();
    let (before, told) = (before.join(" or "), list(scenario, calls));
    let message = match calls.len() {
        1 => format!("key {key} held {before}, but {told}"),
        _ => format!("key {key} held {before}, and no order of the next calls explains: {told}"),
    };
    Violation { class: Class::NotLinearizable, message }
}

/// What some calls did and answered, in words.
pub(super) fn list(scenario: &Scenario, calls: &[Call]) -> String {
    /// Calls that are told one by one.
    const TOLD: usize = 6;
    let words = |call: &Call| format!("{} {}", operation(scenario, call.label), said(call));
    let mut told: Vec<String> = calls.iter().take(TOLD).map(words).collect();
    if calls.len() > TOLD {
        told.push(format!("and {} more", calls.len() - TOLD));
    }
    told.join(", ")
}

fn holding(held: Held) -> String {
    held.map_or_else(|| "nothing".to_owned(), |id| format!("value {}", value(id)))
}

fn said(call: &Call) -> String {
    match (call.effect, call.answer) {
        (Effect::Insert(new), Answer::Wrote(Previous::Present(old))) => {
            format!("replaced value {} by {}", value(old), value(new))
        }
        (_, Answer::GivenUp) => "was given up, with or without effect".to_owned(),
        (Effect::Insert(_), Answer::Wrote(Previous::Refused)) => "was refused".to_owned(),
        (_, Answer::Wrote(Previous::Failed)) => "failed".to_owned(),
        (_, Answer::Wrote(Previous::Unsupported)) => "is what the map cannot do".to_owned(),
        (Effect::Insert(new), Answer::Wrote(Previous::Absent)) => {
            format!("found nothing and put value {} there", value(new))
        }
        (Effect::Insert(new), _) => format!("put value {} there", value(new)),
        (Effect::Remove, Answer::Wrote(Previous::Absent)) => "found nothing to remove".to_owned(),
        (Effect::Remove, Answer::Wrote(Previous::Present(old))) => {
            format!("removed value {}", value(old))
        }
        (Effect::Get, Answer::Read(read)) => format!("read {}", holding(read)),
        (Effect::Remove | Effect::Wipe | Effect::Sweep, _) => "removed what was there".to_owned(),
        (Effect::Get | Effect::Nothing, _) => "did nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::splitmix;

    const ABSENT: Answer = Answer::Wrote(Previous::Absent);
    const REFUSED: Answer = Answer::Wrote(Previous::Refused);
    const UNKNOWN: Answer = Answer::Wrote(Previous::Unknown);

    fn present(id: u64) -> Answer {
        Answer::Wrote(Previous::Present(id))
    }

    fn call(effect: Effect, answer: Answer, (invoked, returned): (u32, u32)) -> Call {
        Call { label: 0, effect, answer, invoked, returned }
    }

    fn holds(calls: &[Call]) -> bool {
        let verdict = judge(&Known::default(), calls, false);
        assert_ne!(verdict, Verdict::Inconclusive);
        matches!(verdict, Verdict::Holds(_))
    }

    #[test]
    fn what_was_inserted_is_read_until_it_is_removed() {
        let insert = call(Effect::Insert(1), ABSENT, (1, 2));
        let read = |read, at| call(Effect::Get, Answer::Read(read), at);
        let remove = call(Effect::Remove, present(1), (5, 6));
        assert!(holds(&[insert, read(Some(1), (3, 4)), remove, read(None, (7, 8))]));
        assert!(!holds(&[insert, read(None, (3, 4))]));
        assert!(!holds(&[insert, remove, read(Some(1), (7, 8))]));
        assert!(holds(&[insert, remove, read(Some(1), (4, 8))]));
    }

    #[test]
    fn an_insert_that_two_threads_both_find_absent_is_a_lost_update() {
        let [a, b] = [1, 2].map(|id| call(Effect::Insert(id), ABSENT, (id as u32, 9)));
        assert!(!holds(&[a, b]));
        assert!(holds(&[a, call(Effect::Insert(2), present(1), (2, 9))]));
        assert!(holds(&[a, call(Effect::Insert(2), REFUSED, (2, 9))]));
        let failed = |effect| call(effect, Answer::Wrote(Previous::Failed), (2, 9));
        let read = |value| call(Effect::Get, Answer::Read(value), (10, 11));
        for effect in [Effect::Insert(2), Effect::Remove] {
            assert!(holds(&[a, failed(effect), read(Some(1))]));
            assert!(!holds(&[a, failed(effect), read(Some(2))]));
            assert!(!holds(&[a, failed(effect), read(None)]));
        }
    }

    #[test]
    fn a_wipe_removes_at_least_once_and_may_again_while_it_lasts() {
        let wipe = call(Effect::Wipe, Answer::None, (1, 20));
        let insert = |id, at| call(Effect::Insert(id), ABSENT, at);
        assert!(holds(&[wipe, insert(1, (2, 3)), insert(2, (4, 5)), insert(3, (6, 7))]));
        let before = call(Effect::Insert(1), ABSENT, (1, 2));
        let wipe = call(Effect::Wipe, Answer::None, (3, 4));
        assert!(!holds(&[before, wipe, call(Effect::Get, Answer::Read(Some(1)), (5, 6))]));
    }

    #[test]
    fn a_search_that_would_take_too_long_reaches_no_verdict() {
        let call = |i: u32| call(Effect::Insert(i.into()), UNKNOWN, (i, 1000));
        let calls: Vec<Call> = (1..40).map(call).collect();
        assert_eq!(search(&Known::default(), &calls, false, 1000), Verdict::Inconclusive);
        let calls: Vec<Call> = (1..70).map(call).collect();
        assert_eq!(judge(&Known::default(), &calls, false), Verdict::Inconclusive);
    }

    /// A generator of small numbers.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = splitmix(self.0);
            self.0 % n
        }

        fn call(&mut self, at: (u32, u32)) -> Call {
            let id = 1 + self.below(2);
            let wrote = [ABSENT, present(id), present(3 - id), REFUSED, UNKNOWN];
            let (effect, answer) = match self.below(7) {
                0..3 => (Effect::Insert(3 - id), wrote[self.below(5) as usize]),
                3 => (Effect::Remove, wrote[[0, 1, 4][self.below(3) as usize]]),
                4 => ([Effect::Wipe, Effect::Sweep][self.below(2) as usize], Answer::None),
                _ => (Effect::Get, Answer::Read([None, Some(id)][self.below(2) as usize])),
            };
            call(effect, answer, at)
        }

        /// Calls whose intervals overlap in any way.
        fn history(&mut self) -> Vec<Call> {
            let n = 1 + self.below(4) as u32;
            let mut moments: Vec<u32> = (0..2 * n).collect();
            for i in (1..moments.len()).rev() {
                moments.swap(i, self.below(i as u64 + 1) as usize);
            }
            let pairs = moments.chunks(2).map(|m| (m[0].min(m[1]), m[0].max(m[1])));
            let mut calls: Vec<Call> = pairs.map(|at| self.call(at)).collect();
            calls.sort_unstable_by_key(|call| call.invoked);
            calls
        }
    }

    /// What is held after some permutation of `left`, with each step as the interface says, whatever was tried before.
    fn permute(left: &[Call], held: Held, evicts: bool, found: &mut BTreeSet<Held>) {
        if left.is_empty() {
            found.insert(held);
        }
        if evicts && held.is_some() {
            permute(left, None, evicts, found);
        }
        for (i, call) in left.iter().enumerate() {
            if left.iter().any(|other| other.returned < call.invoked) {
                continue;
            }
            // A wipe may also be put into the order once more.
            let wipes = matches!(call.effect, Effect::Wipe | Effect::Sweep);
            if wipes && held.is_some() {
                permute(left, None, evicts, found);
            }
            let rest = [&left[..i], &left[i + 1..]].concat();
            for held in naive(call, held) {
                permute(&rest, held, evicts, found);
            }
        }
    }

    /// As [`after`], written as a table of what may be seen.
    fn naive(call: &Call, held: Held) -> Vec<Held> {
        let previous = held.map_or(ABSENT, present);
        let fits = call.answer == previous || call.answer == UNKNOWN;
        match call.effect {
            Effect::Insert(_) if call.answer == REFUSED && held.is_some() => vec![held],
            Effect::Insert(new) if call.answer == UNKNOWN && held.is_some() => {
                vec![held, Some(new)]
            }
            Effect::Insert(new) if fits => vec![Some(new)],
            Effect::Remove if call.answer == UNKNOWN => vec![held, None],
            Effect::Remove if fits => vec![None],
            Effect::Get if call.answer == Answer::Read(held) => vec![held],
            Effect::Wipe => vec![None],
            Effect::Sweep => vec![None, held],
            _ => Vec::new(),
        }
    }

    #[test]
    fn the_search_agrees_with_all_permutations_on_small_histories() {
        let (mut draw, mut right) = (Draw(7), [0, 0]);
        for i in 0..200_000 {
            let (calls, evicts) = (draw.history(), i % 2 == 1);
            let mut found = BTreeSet::new();
            permute(&calls, None, evicts, &mut found);
            let held: BTreeSet<Held> = match judge(&Known::default(), &calls, evicts) {
                Verdict::Holds(known) => known.all().collect(),
                Verdict::Violated => BTreeSet::new(),
                Verdict::Inconclusive => panic!("so few calls are always judged: {calls:?}"),
            };
            assert_eq!(held, found, "{calls:?}");
            right[i % 2] += usize::from(!held.is_empty());
        }
        assert!(right.iter().all(|n| (10_000..90_000).contains(n)), "{right:?} are right");
        assert!(right[1] > right[0], "a map that may evict may answer more: {right:?}");
    }

    #[test]
    fn a_verdict_tells_who_did_what() {
        let mut scenario =
            Scenario { setup: vec!["insert 3".parse().unwrap()], ..Scenario::default() };
        scenario.threads = vec![vec!["get 3".parse().unwrap()]];
        let known = Known { one: Some(3 << 32 | 1), ..Known::default() };
        let get = Call { label: 2, ..call(Effect::Get, Answer::Read(None), (3, 4)) };
        let told = tell(&scenario, 3, &known, &[get]).message;
        assert_eq!(told, "key 3 held value 3.1, but `get 3` by thread 1 read nothing");
    }
}
