//! Operations and their text form.

use std::fmt;
use std::str::FromStr;

/// Keys `first..end`; written `3` when it is one key, else `0..8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The first key.
    pub first: u32,
    /// The key after the last; greater than `first`.
    pub end: u32,
}

impl Keys {
    /// One key.
    pub fn one(key: u32) -> Keys {
        Keys { first: key, end: key + 1 }
    }

    /// The keys `first..end`.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn range(first: u32, end: u32) -> Keys {
        assert!(first < end, "no keys in {first}..{end}");
        Keys { first, end }
    }

    /// The first half, the second half, all but the last, and all but the first.
    fn smaller(self) -> Vec<Keys> {
        let Keys { first, end } = self;
        let middle = first + (end - first) / 2;
        let mut all = Vec::new();
        for (a, b) in [(first, middle), (middle, end), (first, end - 1), (first + 1, end)] {
            let keys = Keys { first: a, end: b };
            if a < b && keys != self && !all.contains(&keys) {
                all.push(keys);
            }
        }
        all
    }

    /// As many keys that follow these; fewer where there are none left.
    pub(super) fn following(self) -> Keys {
        Keys { first: self.end, end: self.end.saturating_add(self.end - self.first) }
    }

    /// The keys, ascending.
    pub fn iter(self) -> std::ops::Range<u32> {
        self.first..self.end
    }
}

/// What a visitor does to the map in the middle of an iteration. Visits are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visit {
    /// Removes the element being visited at this visit.
    RemoveCurrent {
        /// Which visit.
        at: u32,
    },
    /// Removes the element visited first, at this visit.
    RemoveVisited {
        /// Which visit; at least 2, for there to be one.
        at: u32,
    },
    /// Removes the first of these keys that has not been visited, at this visit.
    RemoveUnvisited {
        /// The keys it is chosen from.
        keys: Keys,
        /// Which visit.
        at: u32,
    },
    /// Removes keys at this visit, visited or not.
    Remove {
        /// The keys.
        keys: Keys,
        /// Which visit.
        at: u32,
    },
    /// Inserts keys at this visit.
    Insert {
        /// The keys.
        keys: Keys,
        /// Which visit.
        at: u32,
    },
    /// Iterates over the whole map at every visit.
    Nested,
    /// As that, and each of these iterations removes the element that it visits at this visit of its own.
    NestedRemove {
        /// Which visit.
        at: u32,
    },
    /// Breaks the iteration at this visit.
    Stop {
        /// Which visit.
        at: u32,
    },
    /// Clears the map at this visit.
    Clear {
        /// Which visit.
        at: u32,
    },
    /// Clears the map and inserts keys at this visit.
    Refill {
        /// The keys.
        keys: Keys,
        /// Which visit.
        at: u32,
    },
    /// Inserts the keys that follow these, as many, clears the map, inserts these, and drives memory reclamation, all
    /// at this visit.
    Outgrow {
        /// The keys.
        keys: Keys,
        /// Which visit.
        at: u32,
    },
    /// Drives memory reclamation at this visit.
    Reclaim {
        /// Which visit.
        at: u32,
    },
    /// Inserts keys and then removes them at this visit, whether they were there or not.
    Churn {
        /// The keys.
        keys: Keys,
        /// Which visit.
        at: u32,
    },
}

impl Visit {
    /// The same with other keys, for those that have any.
    pub(crate) fn with_keys(self, keys: Keys) -> Visit {
        match self {
            Visit::RemoveUnvisited { at, .. } => Visit::RemoveUnvisited { keys, at },
            Visit::Remove { at, .. } => Visit::Remove { keys, at },
            Visit::Insert { at, .. } => Visit::Insert { keys, at },
            Visit::Refill { at, .. } => Visit::Refill { keys, at },
            Visit::Outgrow { at, .. } => Visit::Outgrow { keys, at },
            Visit::Churn { at, .. } => Visit::Churn { keys, at },
            other => other,
        }
    }

    /// The keys it names.
    pub(crate) fn keys(self) -> Option<Keys> {
        match self {
            Visit::RemoveUnvisited { keys, .. }
            | Visit::Remove { keys, .. }
            | Visit::Insert { keys, .. }
            | Visit::Refill { keys, .. }
            | Visit::Outgrow { keys, .. }
            | Visit::Churn { keys, .. } => Some(keys),
            _ => None,
        }
    }

    /// The visit at which it acts, and the first at which it can.
    fn at_mut(&mut self) -> Option<(&mut u32, u32)> {
        match self {
            Visit::Nested => None,
            Visit::RemoveVisited { at } => Some((at, 2)),
            Visit::RemoveCurrent { at }
            | Visit::NestedRemove { at }
            | Visit::Stop { at }
            | Visit::Clear { at }
            | Visit::Reclaim { at }
            | Visit::RemoveUnvisited { at, .. }
            | Visit::Remove { at, .. }
            | Visit::Insert { at, .. }
            | Visit::Refill { at, .. }
            | Visit::Churn { at, .. }
            | Visit::Outgrow { at, .. } => Some((at, 1)),
        }
    }

    /// As [`Visit::at_mut`].
    pub(crate) fn at(mut self) -> Option<(u32, u32)> {
        self.at_mut().map(|(at, least)| (*at, least))
    }

    /// The same at another visit, for those that have one.
    pub(crate) fn with_at(mut self, to: u32) -> Visit {
        if let Some((at, _)) = self.at_mut() {
            *at = to;
        }
        self
    }

    /// What does a little less, or does it earlier.
    fn smaller(self) -> Vec<Visit> {
        let less = match self {
            Visit::Refill { at, .. } => vec![Visit::Clear { at }],
            Visit::NestedRemove { at } => vec![Visit::Nested, Visit::RemoveCurrent { at }],
            Visit::Churn { keys, at } => {
                vec![Visit::Insert { keys, at }, Visit::Remove { keys, at }]
            }
            Visit::Outgrow { keys, at } => {
                let following = Some(keys.following()).filter(|keys| keys.first < keys.end);
                let insert = following.map(|keys| Visit::Insert { keys, at });
                let refill = [Visit::Clear { at }, Visit::Refill { keys, at }];
                refill.into_iter().chain(insert).collect()
            }
            _ => Vec::new(),
        };
        let fewer = self.keys().map(Keys::smaller).unwrap_or_default();
        let fewer = fewer.into_iter().map(|keys| self.with_keys(keys));
        let earlier = self.at().map(|(at, least)| lower(at, least)).unwrap_or_default();
        let earlier = earlier.into_iter().map(|at| self.with_at(at));
        less.into_iter().chain(fewer).chain(earlier).collect()
    }
}

/// An operation on the map under test. Each has a text form of one line, which [`FromStr`] reads.
///
/// ```
/// use mapcheck::scenario::Op;
/// let op: Op = "iterate hold remove 5 at 2".parse().unwrap();
/// assert_eq!(op.to_string(), "iterate hold remove 5 at 2");
/// assert!("iterate 5".parse::<Op>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Inserts keys one after the other: `insert 3`, `insert 0..8`.
    Insert(Keys),
    /// Removes keys one after the other: `remove 3`, `remove 0..8`.
    Remove(Keys),
    /// Reads a key: `get 3`, `get 3 hold`.
    Get {
        /// The key.
        key: u32,
        /// Whether the reference is kept over a schedule point and read again.
        hold: bool,
    },
    /// Reads a key, removes it while it has the reference, and reads that again: `get 3 remove`.
    /// Only where visitors may write.
    GetRemove(u32),
    /// Removes keys one after the other when the thread ends, in a destructor of one of its thread-local variables:
    /// `exit remove 3`. Where it stands says whether that variable is older than those of the map. The root thread, of
    /// setup and teardown, does it at once.
    ExitRemove(Keys),
    /// Iterates: `iterate`, `iterate hold`, `iterate nested`, `iterate nested remove-current 2`,
    /// `iterate hold remove-current 3`,
    /// `iterate remove-visited 3`, `iterate remove-unvisited 0..8 at 2`, `iterate remove 5 at 2`,
    /// `iterate insert 20..24 at 1`, `iterate stop 3`, `iterate clear at 2`,
    /// `iterate refill 0..16 at 3`, `iterate outgrow 0..16 at 3`, `iterate reclaim at 2`, `iterate churn 0..16 at 2`.
    Iterate {
        /// Whether each pair of references is kept over a schedule point and read again.
        hold: bool,
        /// What the visitor does besides.
        visit: Option<Visit>,
    },
    /// Makes room for this many more elements: `reserve 64`.
    Reserve(u32),
    /// `shrink`.
    Shrink,
    /// `clear`.
    Clear,
    /// Keeps the even keys: `retain even`.
    RetainEven,
    /// Drives memory reclamation: `reclaim`.
    Reclaim,
    /// Asks for the number of elements: `len`.
    Len,
}

impl Op {
    /// The keys it names, itself or in what its visitor does.
    pub(crate) fn named(&self) -> Option<Keys> {
        match self {
            Op::Insert(keys) | Op::Remove(keys) | Op::ExitRemove(keys) => Some(*keys),
            Op::Get { key, .. } | Op::GetRemove(key) => Some(Keys::one(*key)),
            Op::Iterate { visit, .. } => visit.and_then(Visit::keys),
            _ => None,
        }
    }

    /// How many keys it names.
    pub(crate) fn keys(&self) -> usize {
        let twice = matches!(self, Op::Iterate { visit: Some(Visit::Outgrow { .. }), .. });
        self.named().map_or(0, |keys| keys.iter().len()) * if twice { 2 } else { 1 }
    }

    /// How much it says besides: the words of its text form.
    pub(crate) fn complexity(&self) -> usize {
        let more = match self {
            Op::Iterate { visit: Some(Visit::Churn { .. } | Visit::Refill { .. }), .. } => 1,
            Op::Iterate { visit: Some(Visit::Outgrow { .. }), .. } => 2,
            _ => 0,
        };
        // What does several things counts for more than it has words.
        self.to_string().split_whitespace().count() + more
    }

    /// The sum of its numbers: its first key, the visit at which its visitor acts, how much room it makes.
    pub(crate) fn numbers(&self) -> u64 {
        let at = match self {
            Op::Iterate { visit: Some(visit), .. } => visit.at().map_or(0, |(at, _)| at),
            Op::Reserve(additional) => *additional,
            _ => 0,
        };
        u64::from(at) + self.named().map_or(0, |keys| u64::from(keys.first))
    }

    /// The same with all keys from this one on lowered by one. The key before it must not be named.
    pub(crate) fn lowered(&self, from: u32) -> Op {
        let low = |key: u32| if key > from { key - 1 } else { key };
        let keys = |keys: Keys| Keys { first: low(keys.first), end: low(keys.end) };
        match *self {
            Op::Insert(k) => Op::Insert(keys(k)),
            Op::Remove(k) => Op::Remove(keys(k)),
            Op::ExitRemove(k) => Op::ExitRemove(keys(k)),
            Op::Get { key, hold } => Op::Get { key: low(key), hold },
            Op::GetRemove(key) => Op::GetRemove(low(key)),
            Op::Iterate { hold, visit } => {
                let with = |visit: Visit| visit.keys().map_or(visit, |k| visit.with_keys(keys(k)));
                Op::Iterate { hold, visit: visit.map(with) }
            }
            other => other,
        }
    }

    /// Operations that do a little less.
    pub(crate) fn smaller(&self) -> Vec<Op> {
        match *self {
            Op::Insert(keys) => keys.smaller().into_iter().map(Op::Insert).collect(),
            Op::Remove(keys) => keys.smaller().into_iter().map(Op::Remove).collect(),
            Op::ExitRemove(keys) => {
                let fewer = keys.smaller().into_iter().map(Op::ExitRemove);
                std::iter::once(Op::Remove(keys)).chain(fewer).collect()
            }
            Op::Get { key, hold: true } => vec![Op::Get { key, hold: false }],
            Op::GetRemove(key) => {
                vec![Op::Get { key, hold: false }, Op::Remove(Keys::one(key))]
            }
            Op::Iterate { hold, visit } => smaller_iteration(hold, visit),
            Op::Reserve(additional) => lower(additional, 1).into_iter().map(Op::Reserve).collect(),
            _ => Vec::new(),
        }
    }
}

/// Smaller numbers: the least, half of it, and one less.
fn lower(number: u32, least: u32) -> Vec<u32> {
    let mut all = vec![least, number / 2, number.saturating_sub(1)];
    all.retain(|n| (least..number).contains(n));
    all.dedup();
    all
}

/// Iterations that do a little less: without what the visitor does, without holding, with fewer keys.
fn smaller_iteration(hold: bool, visit: Option<Visit>) -> Vec<Op> {
    let mut all = Vec::new();
    if visit.is_some() {
        all.push(Op::Iterate { hold, visit: None });
    }
    if hold {
        all.push(Op::Iterate { hold: false, visit });
    }
    let fewer = visit.map(Visit::smaller).unwrap_or_default();
    all.extend(fewer.into_iter().map(|visit| Op::Iterate { hold, visit: Some(visit) }));
    all
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Keys { first, end } if end == first + 1 => write!(f, "{first}"),
            Keys { first, end } => write!(f, "{first}..{end}"),
        }
    }
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Visit::RemoveCurrent { at } => write!(f, "remove-current {at}"),
            Visit::RemoveVisited { at } => write!(f, "remove-visited {at}"),
            Visit::RemoveUnvisited { keys, at } => write!(f, "remove-unvisited {keys} at {at}"),
            Visit::Remove { keys, at } => write!(f, "remove {keys} at {at}"),
            Visit::Insert { keys, at } => write!(f, "insert {keys} at {at}"),
            Visit::Nested => f.write_str("nested"),
            Visit::NestedRemove { at } => write!(f, "nested remove-current {at}"),
            Visit::Stop { at } => write!(f, "stop {at}"),
            Visit::Clear { at } => write!(f, "clear at {at}"),
            Visit::Refill { keys, at } => write!(f, "refill {keys} at {at}"),
            Visit::Outgrow { keys, at } => write!(f, "outgrow {keys} at {at}"),
            Visit::Reclaim { at } => write!(f, "reclaim at {at}"),
            Visit::Churn { keys, at } => write!(f, "churn {keys} at {at}"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = |hold: &bool| if *hold { " hold" } else { "" };
        match self {
            Op::Insert(keys) => write!(f, "insert {keys}"),
            Op::Remove(keys) => write!(f, "remove {keys}"),
            Op::ExitRemove(keys) => write!(f, "exit remove {keys}"),
            Op::Get { key, hold } => write!(f, "get {key}{}", held(hold)),
            Op::GetRemove(key) => write!(f, "get {key} remove"),
            Op::Iterate { hold, visit: None } => write!(f, "iterate{}", held(hold)),
            Op::Iterate { hold, visit: Some(visit) } => write!(f, "iterate{} {visit}", held(hold)),
            Op::Reserve(additional) => write!(f, "reserve {additional}"),
            Op::Shrink => f.write_str("shrink"),
            Op::Clear => f.write_str("clear"),
            Op::RetainEven => f.write_str("retain even"),
            Op::Reclaim => f.write_str("reclaim"),
            Op::Len => f.write_str("len"),
        }
    }
}

/// A text that is no operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpError {
    /// The text that was refused.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed operation `{}`: {}", self.text, self.reason)
    }
}

impl std::error::Error for OpError {}

impl FromStr for Op {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Op, OpError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        parse(&words).map_err(|reason| OpError { text: text.to_owned(), reason })
    }
}

fn parse(words: &[&str]) -> Result<Op, String> {
    Ok(match *words {
        ["insert", k] => Op::Insert(keys(k)?),
        ["remove", k] => Op::Remove(keys(k)?),
        ["exit", "remove", k] => Op::ExitRemove(keys(k)?),
        ["get", k] => Op::Get { key: key(k)?, hold: false },
        ["get", k, "hold"] => Op::Get { key: key(k)?, hold: true },
        ["get", k, "remove"] => Op::GetRemove(key(k)?),
        ["iterate", "hold", ref rest @ ..] => Op::Iterate { hold: true, visit: visit(rest)? },
        ["iterate", ref rest @ ..] => Op::Iterate { hold: false, visit: visit(rest)? },
        ["reserve", additional] => Op::Reserve(number(additional)?),
        ["shrink"] => Op::Shrink,
        ["clear"] => Op::Clear,
        ["retain", "even"] => Op::RetainEven,
        ["reclaim"] => Op::Reclaim,
        ["len"] => Op::Len,
        [] => return Err("it is empty".to_owned()),
        [word, ..] => return Err(format!("`{word}` is no operation, or has other arguments")),
    })
}

fn visit(words: &[&str]) -> Result<Option<Visit>, String> {
    Ok(Some(match *words {
        [] => return Ok(None),
        ["nested"] => Visit::Nested,
        ["nested", "remove-current", at] => Visit::NestedRemove { at: ordinal(at)? },
        ["remove-current", at] => Visit::RemoveCurrent { at: ordinal(at)? },
        ["remove-visited", at] => Visit::RemoveVisited { at: ordinal(at)? },
        ["remove-unvisited", k, "at", at] => {
            Visit::RemoveUnvisited { keys: keys(k)?, at: ordinal(at)? }
        }
        ["remove", k, "at", at] => Visit::Remove { keys: keys(k)?, at: ordinal(at)? },
        ["insert", k, "at", at] => Visit::Insert { keys: keys(k)?, at: ordinal(at)? },
        ["stop", at] => Visit::Stop { at: ordinal(at)? },
        ["clear", "at", at] => Visit::Clear { at: ordinal(at)? },
        ["refill", k, "at", at] => Visit::Refill { keys: keys(k)?, at: ordinal(at)? },
        ["outgrow", k, "at", at] => Visit::Outgrow { keys: keys(k)?, at: ordinal(at)? },
        ["reclaim", "at", at] => Visit::Reclaim { at: ordinal(at)? },
        ["churn", k, "at", at] => Visit::Churn { keys: keys(k)?, at: ordinal(at)? },
        [word, ..] => {
            return Err(format!("`{word}` is nothing a visitor does, or has other arguments"));
        }
    }))
}

fn keys(text: &str) -> Result<Keys, String> {
    let (first, end) = match text.split_once("..") {
        Some((first, end)) => (number(first)?, number(end)?),
        None => (number(text)?, number(text)?.saturating_add(1)),
    };
    if first >= end {
        return Err(format!("there is no key in `{text}`"));
    }
    Ok(Keys { first, end })
}

/// One key: such that there is a number after it, which ends its range.
fn key(text: &str) -> Result<u32, String> {
    number(text).and_then(|_| keys(text)).map(|keys| keys.first)
}

fn ordinal(text: &str) -> Result<u32, String> {
    match number(text)? {
        0 => Err("visits are counted from 1".to_owned()),
        n => Ok(n),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_of_every_operation_round_trips() {
        let texts = "exit remove 3/iterate nested remove-current 2/insert 3/insert 0..8/remove 3/remove 0..8/\
            get 3/get 3 hold/iterate/iterate hold/iterate nested/\
            iterate remove-current 3/iterate hold remove-visited 3/iterate remove-unvisited 0..8 at 2/\
            iterate remove 5 at 2/iterate insert 20..24 at 1/iterate stop 3/\
            iterate clear at 2/iterate hold refill 0..16 at 3/iterate reclaim at 2/\
            iterate outgrow 0..8 at 2/iterate churn 0..16 at 2/\
            get 3 remove/reserve 64/shrink/clear/retain even/reclaim/len";
        for text in texts.split('/') {
            assert_eq!(text.parse::<Op>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_malformed_operation_is_refused_with_a_message_that_says_what_is_wrong() {
        for (text, word) in [
            ("insrt 3", "`insrt`"),
            ("insert x", "`x`"),
            ("insert 8..8", "`8..8`"),
            ("get", "`get`"),
            ("iterate hold jump", "`jump`"),
            ("iterate stop", "`stop`"),
            ("iterate clear 2", "`clear`"),
            ("iterate refill 4..4 at 1", "`4..4`"),
            ("iterate churn 0..4 at 0", "counted from 1"),
            ("get 3 drop", "`get`"),
            ("get 4294967295", "no key"),
            ("get 4294967295 remove", "no key"),
            ("get 0..2", "`0..2`"),
            ("iterate remove-current 0", "counted from 1"),
            ("", "empty"),
        ] {
            let error = text.parse::<Op>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("malformed operation `{text}`: "))
                    && error.contains(word),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_left_of_an_operation_does_less_until_nothing_is() {
        let texts = "exit remove 0..4/iterate nested remove-current 2/get 3 remove/iterate hold stop 3/\
            iterate clear at 2/iterate hold refill 0..8 at 3/\
            iterate reclaim at 2/iterate outgrow 0..8 at 2/iterate churn 0..8 at 2/\
            iterate remove-unvisited 0..8 at 2/reserve 64/\
            iterate remove-visited 5";
        let size = |op: &Op| (op.keys(), op.complexity(), op.numbers());
        let mut todo: Vec<Op> = texts.split('/').map(|text| text.parse().unwrap()).collect();
        while let Some(op) = todo.pop() {
            for smaller in op.smaller() {
                assert!(size(&smaller) < size(&op), "`{smaller}` is not smaller than `{op}`");
                todo.push(smaller);
            }
        }
    }

    #[test]
    fn a_refill_shrinks_to_a_clear_and_to_fewer_keys() {
        let op: Op = "iterate refill 0..2 at 3".parse().unwrap();
        let smaller: Vec<String> = op.smaller().iter().map(Op::to_string).collect();
        let wanted = [
            "iterate",
            "iterate clear at 3",
            "iterate refill 0 at 3",
            "iterate refill 1 at 3",
            "iterate refill 0..2 at 1",
            "iterate refill 0..2 at 2",
        ];
        assert_eq!(smaller, wanted);
    }

    #[test]
    fn what_a_visitor_does_moves_to_an_earlier_visit_but_not_before_it_can() {
        let smaller = |text: &str| {
            let op: Op = text.parse().unwrap();
            op.smaller().iter().map(Op::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            smaller("iterate remove-current 5"),
            [
                "iterate",
                "iterate remove-current 1",
                "iterate remove-current 2",
                "iterate remove-current 4"
            ]
        );
        assert_eq!(smaller("iterate remove-visited 2"), ["iterate"]);
        assert_eq!(smaller("reserve 2"), ["reserve 1"]);
    }

    #[test]
    fn keys_above_a_gap_are_lowered_wherever_they_are_named() {
        let lowered = |text: &str| text.parse::<Op>().unwrap().lowered(3).to_string();
        assert_eq!(lowered("insert 0..3"), "insert 0..3");
        assert_eq!(lowered("insert 4..6"), "insert 3..5");
        assert_eq!(lowered("get 9 remove"), "get 8 remove");
        assert_eq!(lowered("iterate hold churn 7 at 2"), "iterate hold churn 6 at 2");
        assert_eq!(lowered("iterate stop 9"), "iterate stop 9");
    }
}
