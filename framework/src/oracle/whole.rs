//! The map as a whole: does some order of the calls on single keys and of the operations on all keys, each at one
//! moment between call and return, explain what they answered?
//!
//! What concerns many keys cannot be judged key by key. So whenever nothing at all is under way, and something of that
//! kind ran since that was so last, the calls since then are judged together, by the search of
//! [`super::linearizability`] over what all keys hold. What may be held at such moments is kept: for each key on its
//! own, or, where not every combination is possible, as the combinations.

use std::collections::BTreeSet;

use super::linearizability::{Held, Known};
use super::problem::{BUDGET, Ends, Joint, Problem, Since, State};
use super::{Violation, blame};
use crate::scenario::Scenario;
use crate::scenario::history::History;

/// What is known of the map beyond what is known of each key.
#[derive(Debug, Default)]
pub(crate) struct World {
    since: Since,
    /// What entries were known to hold then, if another verdict was reached on them since.
    before: Vec<(usize, Known)>,
    /// What these entries may have held together then, if that is less than each of them alone.
    joint: Option<Joint>,
    /// A search ended before its end: nothing is judged any more.
    pub given_up: bool,
}

impl World {
    /// Another execution begins.
    pub(crate) fn clear(&mut self) {
        (self.since, self.joint, self.given_up) = (Since::default(), None, false);
        self.before.clear();
    }

    /// A new verdict was reached on an entry; this is what was known before.
    pub(crate) fn learned(&mut self, at: usize, before: Known) {
        if self.before.iter().all(|b| b.0 != at) {
            self.before.push((at, before));
        }
    }

    /// Judges what happened since nothing was under way, if that is so again.
    pub(crate) fn judge(
        &mut self,
        history: &mut History<Known>,
        scenario: &Scenario,
    ) -> Option<Violation> {
        if self.given_up || !history.is_quiet() {
            return None;
        }
        let concerned = self.joint.is_some() || history.wholes().len() > self.since.whole;
        let violation = if concerned { self.search(history, scenario) } else { None };
        self.since = Since { call: history.len(), whole: history.wholes().len() };
        self.before.clear();
        violation
    }

    fn search(&mut self, history: &mut History<Known>, scenario: &Scenario) -> Option<Violation> {
        let problem = self.problem(history);
        let ends = problem.as_ref().and_then(|p| p.search(BUDGET));
        if let (Some(problem), Some(ends)) = (&problem, &ends) {
            if ends.is_empty() {
                return Some(blame::tell(problem, history, scenario));
            }
            if let Some(states) = combinations(ends) {
                self.joint = learn(history, &problem.entries, states);
                return None;
            }
        }
        self.given_up = true;
        None
    }

    fn problem(&self, history: &History<Known>) -> Option<Problem> {
        Problem::new(history, self.since, &self.base(history)?, self.joint.as_ref())
    }

    /// What each entry was known to hold when nothing was under way; `None` if that is not known.
    fn base<'a>(&'a self, history: &'a History<Known>) -> Option<Vec<&'a Known>> {
        let mut base: Vec<&Known> = history.entries().iter().map(|entry| &entry.known).collect();
        self.before.iter().for_each(|(at, known)| base[*at] = known);
        (!base.iter().any(|known| known.given_up)).then_some(base)
    }
}

/// All combinations, if they are not too many.
fn combinations(ends: &BTreeSet<Ends>) -> Option<BTreeSet<State>> {
    let count = |ends: &Ends| ends.iter().map(Vec::len).fold(1, usize::saturating_mul);
    if ends.iter().map(count).fold(0, usize::saturating_add) > BUDGET {
        return None;
    }
    let mut states = BTreeSet::new();
    for ends in ends {
        let mut some = vec![Vec::new()];
        for held in ends {
            let with = |state: &State, held: &Held| [&state[..], &[*held]].concat();
            some = some.iter().flat_map(|s| held.iter().map(move |h| with(s, h))).collect();
        }
        states.extend(some);
    }
    Some(states)
}

/// Keeps what these entries may hold. What not all of them may hold at once is returned.
fn learn(history: &mut History<Known>, entries: &[usize], ends: BTreeSet<State>) -> Option<Joint> {
    let alone = |place: usize| ends.iter().map(|state| state[place]).collect::<BTreeSet<Held>>();
    let mut combinations = 1_usize;
    let mut open = Vec::new();
    for (place, at) in entries.iter().enumerate() {
        let held = alone(place);
        combinations = combinations.saturating_mul(held.len());
        if held.len() > 1 {
            open.push(place);
        }
        history.entry_mut(*at).known = Known::of(held).unwrap_or_default();
    }
    (combinations != ends.len()).then(|| Joint {
        entries: open.iter().map(|place| entries[*place]).collect(),
        states: ends.iter().map(|end| open.iter().map(|place| end[*place]).collect()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Previous::{Absent, Present, Unknown};
    use crate::oracle::Class;
    use crate::oracle::testing::{Draw, Event, Op, Ret, Told};
    use crate::scenario::history::{Answer, Deed, Effect};

    /// Calls of a test, of which each thread makes one after the other.
    #[derive(Default)]
    struct Calls(Vec<Event>);

    impl Calls {
        fn begin(mut self, thread: usize, op: Op) -> Calls {
            self.0.push(Event::Invoke(thread, op));
            self
        }

        fn end(mut self, thread: usize, ret: Ret) -> Calls {
            self.0.push(Event::Return(thread, ret));
            self
        }

        fn call(self, thread: usize, op: Op, ret: Ret) -> Calls {
            self.begin(thread, op).end(thread, ret)
        }

        /// Thread 0 inserts under a key that was free.
        fn put(self, key: u64) -> Calls {
            self.call(0, Op::Insert(key, key * 10), Ret::Wrote(Absent))
        }

        fn class(&self) -> Option<Class> {
            Told::new(true).judge(&self.0).map(|violation| violation.class)
        }

        fn message(&self) -> String {
            Told::new(true).judge(&self.0).map_or_else(String::new, |violation| violation.message)
        }
    }

    fn get(key: u64) -> Op {
        Op::Get(key)
    }

    #[test]
    fn len_is_what_was_there_at_a_moment_of_it() {
        let len = |n| Calls::default().put(1).put(2).call(1, Op::Len, Ret::Len(n));
        assert_eq!(
            [1, 2, 3].map(|n| len(n).class()),
            [Some(Class::NotLinearizable), None, Some(Class::NotLinearizable)]
        );
        let beside = |n| Calls::default().begin(1, Op::Len).put(1).put(2).end(1, Ret::Len(n));
        assert_eq!([0, 1, 2].map(|n| beside(n).class()), [None; 3]);
        assert_eq!(
            beside(3).message(),
            "`insert 1` by thread 2 returned 3, but at no moment of it did the map hold so many elements: it held 0 or \
             1 or 2"
        );
    }

    #[test]
    fn a_clear_removes_all_at_one_moment() {
        let read = |first, second| {
            let calls = Calls::default().put(1).put(2).begin(1, Op::Clear);
            let calls = calls.call(2, get(1), Ret::Read(first));
            calls.call(2, get(2), Ret::Read(second)).end(1, Ret::Done)
        };
        assert_eq!(read(Some(10), Some(20)).class(), None);
        assert_eq!(read(Some(10), None).class(), None);
        assert_eq!(read(None, None).class(), None);
        assert_eq!(read(None, Some(20)).class(), Some(Class::NotLinearizable));
        let told = read(None, Some(20)).message();
        assert!(
            told.starts_with(
                "at no moment of it can `insert 1` by thread 2 have taken effect for all"
            ),
            "{told}"
        );
        assert!(
            told.contains("`len` by thread 3 read nothing, `len` by thread 3 read value 0.20"),
            "{told}"
        );
        // Where that is not promised, nothing is held against it.
        assert_eq!(Told::new(false).judge(&read(None, Some(20)).0), None);
    }

    #[test]
    fn a_retain_keeps_what_it_is_to_keep_and_removes_the_rest_at_one_moment() {
        let read = |keys: [u64; 2], first, second| {
            let calls = Calls::default().put(1).put(2).put(3).begin(1, Op::RetainEven);
            let calls = calls.call(2, get(keys[0]), Ret::Read(first));
            calls.call(2, get(keys[1]), Ret::Read(second)).end(1, Ret::Done)
        };
        assert_eq!(read([1, 2], None, Some(20)).class(), None);
        assert_eq!(read([1, 3], None, Some(30)).class(), Some(Class::NotLinearizable));
        assert_eq!(read([3, 1], Some(30), None).class(), None);
    }

    #[test]
    fn what_a_clear_leaves_is_remembered_as_combinations() {
        // Key 2 was written after key 1: if key 1 outlived the clear, so did key 2.
        let calls = |first, second| {
            let calls = Calls::default().begin(1, Op::Clear).put(1).put(2).end(1, Ret::Done);
            let calls = calls.call(2, get(1), Ret::Read(first));
            calls.call(2, get(2), Ret::Read(second))
        };
        assert_eq!(calls(Some(10), Some(20)).class(), None);
        assert_eq!(calls(None, Some(20)).class(), None);
        assert_eq!(calls(None, None).class(), None);
        assert_eq!(calls(Some(10), None).class(), Some(Class::NotLinearizable));
    }

    #[test]
    fn a_snapshot_is_of_one_moment() {
        let show = |shown: &[(u64, u64)], op| {
            let calls = Calls::default().put(1).begin(1, op).put(2);
            let calls = calls.call(0, Op::Remove(1), Ret::Wrote(Present(10)));
            calls.put(3).end(1, Ret::Shown(shown.to_vec()))
        };
        let all = |shown: &[(u64, u64)]| show(shown, Op::Iterate);
        for right in [&[(1, 10)][..], &[(1, 10), (2, 20)], &[(2, 20)], &[(2, 20), (3, 30)]] {
            assert_eq!(all(right).class(), None, "{right:?}");
        }
        let ghost = all(&[(1, 10), (2, 20), (3, 30)]);
        assert_eq!(ghost.class(), Some(Class::GhostElement));
        assert_eq!(
            ghost.message(),
            "`insert 1` by thread 2: the iteration visited key 1 with value 0.10 (by `insert 0` by thread 1) and key 3 \
             with value 0.30 (by `insert 0` by thread 1), but at no moment between its begin and its end were both \
             there"
        );
        let missed = all(&[(3, 30)]);
        assert_eq!(missed.class(), Some(Class::MissedElement));
        assert_eq!(
            missed.message(),
            "`insert 1` by thread 2: the iteration visited key 3 with value 0.30 (by `insert 0` by thread 1) and \
             passed over key 2 (put by `insert 0` by thread 1), but at no moment between its begin and its end was the \
             one there without the other"
        );
        assert_eq!(all(&[]).class(), Some(Class::MissedElement));
        // One that was stopped is judged for what it showed.
        assert_eq!(show(&[(3, 30)], Op::Peek(1)).class(), None);
        let ghost = show(&[(1, 10), (3, 30)], Op::Peek(2));
        assert_eq!(ghost.class(), Some(Class::GhostElement));
    }

    #[test]
    fn a_search_that_would_take_too_long_reaches_no_verdict() {
        let mut history = History::<Known>::new();
        let began = history.begin_whole_now(1);
        let unknown = Answer::Wrote(Unknown);
        let open: Vec<_> = (0..40).map(|i| history.invoke(1, i % 4, Effect::Insert(i))).collect();
        open.into_iter().for_each(|ticket| _ = history.respond(ticket, unknown));
        history.end_whole(began, Deed::Len(5));
        let problem = World::default().problem(&history).expect("40 calls are not too many");
        assert_eq!(problem.search(1_000), None);
        let mut world = World::default();
        assert_eq!(world.judge(&mut history, &Scenario::default()), None);
        assert!(world.given_up);
    }

    /// The classes of what is held against calls on a map, and how often anything is.
    fn found(histories: u64, wipes_at_once: bool, piecewise: fn(&Op) -> bool) -> Vec<Class> {
        let mut draw = Draw { state: 4, keys: 3, whole: true };
        let runs = (0..histories).map(|_| draw.run(12, piecewise));
        let judged = runs.filter_map(|events| Told::new(wipes_at_once).judge(&events));
        judged.map(|violation| violation.class).collect()
    }

    #[test]
    fn nothing_is_held_against_a_right_map_whatever_overlaps() {
        assert_eq!(found(20_000, true, |_| false), []);
        // Where it is not promised, a wipe may remove one key after the other.
        assert_eq!(found(20_000, false, |op| matches!(op, Op::Clear | Op::RetainEven)), []);
    }

    #[test]
    fn what_treats_one_key_after_the_other_is_found_out() {
        type Kind = (fn(&Op) -> bool, &'static [Class]);
        let kinds: [Kind; 3] = [
            (|op| *op == Op::Len, &[Class::NotLinearizable]),
            (|op| matches!(op, Op::Clear | Op::RetainEven), &[Class::NotLinearizable]),
            (
                |op| matches!(op, Op::Iterate | Op::Peek(_)),
                &[Class::MissedElement, Class::GhostElement],
            ),
        ];
        for (kind, (piecewise, classes)) in kinds.into_iter().enumerate() {
            let found = found(20_000, true, piecewise);
            for class in classes {
                let times = found.iter().filter(|c| *c == class).count();
                assert!(times > 20, "{class} {times} times with maps of kind {kind}");
            }
        }
    }
}
