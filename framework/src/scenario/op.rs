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
        let mut all = vec![(first, middle), (middle, end), (first, end - 1), (first + 1, end)];
        all.retain(|&(a, b)| a < b && (a, b) != (first, end));
        all.dedup();
        all.into_iter().map(|(first, end)| Keys { first, end }).collect()
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
    /// Iterates: `iterate`, `iterate hold`, `iterate nested`, `iterate hold remove-current 3`,
    /// `iterate remove-visited 3`, `iterate remove-unvisited 0..8 at 2`, `iterate remove 5 at 2`,
    /// `iterate insert 20..24 at 1`.
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
    /// How many keys it writes.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        match self {
            Op::Insert(keys) | Op::Remove(keys) => keys.iter().len(),
            _ => 0,
        }
    }

    /// Operations that do a little less.
    pub(crate) fn smaller(&self) -> Vec<Op> {
        match *self {
            Op::Insert(keys) => keys.smaller().into_iter().map(Op::Insert).collect(),
            Op::Remove(keys) => keys.smaller().into_iter().map(Op::Remove).collect(),
            Op::Get { key, hold: true } => vec![Op::Get { key, hold: false }],
            Op::Iterate { hold: true, visit } => {
                let plain = Op::Iterate { hold: false, visit };
                match visit {
                    Some(_) => vec![Op::Iterate { hold: true, visit: None }, plain],
                    None => vec![plain],
                }
            }
            Op::Iterate { hold: false, visit: Some(_) } => {
                vec![Op::Iterate { hold: false, visit: None }]
            }
            _ => Vec::new(),
        }
    }
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
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = |hold: &bool| if *hold { " hold" } else { "" };
        match self {
            Op::Insert(keys) => write!(f, "insert {keys}"),
            Op::Remove(keys) => write!(f, "remove {keys}"),
            Op::Get { key, hold } => write!(f, "get {key}{}", held(hold)),
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
        ["get", key] => Op::Get { key: number(key)?, hold: false },
        ["get", key, "hold"] => Op::Get { key: number(key)?, hold: true },
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
        ["remove-current", at] => Visit::RemoveCurrent { at: ordinal(at)? },
        ["remove-visited", at] => Visit::RemoveVisited { at: ordinal(at)? },
        ["remove-unvisited", k, "at", at] => {
            Visit::RemoveUnvisited { keys: keys(k)?, at: ordinal(at)? }
        }
        ["remove", k, "at", at] => Visit::Remove { keys: keys(k)?, at: ordinal(at)? },
        ["insert", k, "at", at] => Visit::Insert { keys: keys(k)?, at: ordinal(at)? },
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
        let texts = "insert 3/insert 0..8/remove 3/remove 0..8/get 3/get 3 hold/iterate/iterate hold/iterate nested/\
            iterate remove-current 3/iterate hold remove-visited 3/iterate remove-unvisited 0..8 at 2/\
            iterate remove 5 at 2/iterate insert 20..24 at 1/reserve 64/shrink/clear/retain even/reclaim/len";
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
}
