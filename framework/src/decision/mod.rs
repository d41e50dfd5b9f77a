//! The decision stream: what an execution does that its code does not fix, and the text form of that.
//!
//! Only what differs from the machine's default is a decision, so an undisturbed execution has none, and a repro
//! holds just the few that matter.

mod record;
mod replay;

use std::fmt;
use std::str::FromStr;

use mapcheck_machine::{ChoiceKind, index_of, operation_and_number};

pub use record::Recorder;
pub use replay::Replayer;

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecisionKind {
    /// Which thread goes on at a schedule point.
    Schedule,
    /// Anything else that the machine asks for.
    Choice(ChoiceKind),
}

/// The words for choices, and their codes in packed decisions by their order.
const WORDS: [(ChoiceKind, &str); ChoiceKind::ALL.len()] = [
    (ChoiceKind::Reuse, "reuse"),
    (ChoiceKind::Data, "data"),
    (ChoiceKind::Suspend, "suspend"),
    (ChoiceKind::Panic, "panic"),
    (ChoiceKind::Allocation, "allocation"),
    (ChoiceKind::Alignment, "alignment"),
    (ChoiceKind::WeakCas, "weak-cas"),
    (ChoiceKind::Wake, "wake"),
    (ChoiceKind::Stall, "stall"),
    (ChoiceKind::Force, "force"),
    (ChoiceKind::Delay, "delay"),
    (ChoiceKind::Exit, "exit"),
    (ChoiceKind::Cancel, "cancel"),
];

impl DecisionKind {
    /// Its code in a packed decision.
    fn code(self) -> u64 {
        match self {
            DecisionKind::Schedule => 0,
            DecisionKind::Choice(kind) => {
                1 + WORDS.iter().position(|w| w.0 == kind).unwrap_or_default() as u64
            }
        }
    }

    fn of_code(code: u64) -> Option<DecisionKind> {
        match code.checked_sub(1) {
            None => Some(DecisionKind::Schedule),
            Some(i) => WORDS.get(i as usize).map(|w| DecisionKind::Choice(w.0)),
        }
    }

    /// Whether its index tells an operation and a number within it.
    pub(crate) fn is_within_operations(self) -> bool {
        matches!(self, DecisionKind::Choice(kind) if !kind.is_no_fault())
    }
}

/// One deviation from the default execution.
///
/// `Schedule`: when `thread` reaches its local step `index`, thread `choice` goes on.
/// Other kinds: the `index`th choice of that kind by `thread` was `choice`. Those of faults are numbered within each
/// operation, see [`mapcheck_machine::operation_and_number`], and written so: `panic:1@5.3=1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Decision {
    /// What it is about.
    pub kind: DecisionKind,
    /// The thread it happens on.
    pub thread: u32,
    /// The local step of a schedule decision; the running number of another choice.
    pub index: u64,
    /// The thread that goes on, or the alternative chosen.
    pub choice: u32,
}

/// Bits of a packed decision: the topmost set, so that it is never 0; then kind, thread, choice and index.
const KIND_BITS: u32 = 4;
const THREAD_BITS: u32 = 10;
const CHOICE_BITS: u32 = 15;
const INDEX_BITS: u32 = 34;
/// Bits of a fault's number within its operation.
const NUMBER_BITS: u32 = 20;
const _: () = assert!(1 + KIND_BITS + THREAD_BITS + CHOICE_BITS + INDEX_BITS == 64);

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl Decision {
    /// The decision in one word, never 0, to be kept in memory shared between processes.
    ///
    /// # Panics
    /// When `thread` needs more than 10 bits, `choice` more than 15 or `index` more than 34.
    pub fn pack(self) -> u64 {
        let (thread, choice) = (u64::from(self.thread), u64::from(self.choice));
        assert!(thread <= mask(THREAD_BITS), "thread {thread} does not fit into a packed decision");
        assert!(choice <= mask(CHOICE_BITS), "choice {choice} does not fit into a packed decision");
        assert!(
            self.index <= mask(INDEX_BITS),
            "index {} does not fit into a packed decision",
            self.index
        );
        let kind = 1 << KIND_BITS | self.kind.code();
        (((kind << THREAD_BITS | thread) << CHOICE_BITS) | choice) << INDEX_BITS | self.index
    }

    /// The decision that [`Decision::pack`] packed; `None` for a word that is not one.
    pub fn unpack(word: u64) -> Option<Decision> {
        let kind = word >> (THREAD_BITS + CHOICE_BITS + INDEX_BITS);
        let kind = DecisionKind::of_code(kind.checked_sub(1 << KIND_BITS)?)?;
        Some(Decision {
            kind,
            thread: (word >> (CHOICE_BITS + INDEX_BITS) & mask(THREAD_BITS)) as u32,
            index: word & mask(INDEX_BITS),
            choice: (word >> INDEX_BITS & mask(CHOICE_BITS)) as u32,
        })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision { kind, thread, index, choice } = self;
        let DecisionKind::Choice(of) = kind else {
            return write!(f, "{thread}@{index}>{choice}");
        };
        let word = WORDS.iter().find(|w| w.0 == *of).map_or("", |w| w.1);
        if !kind.is_within_operations() {
            return write!(f, "{word}:{thread}@{index}={choice}");
        }
        let (operation, number) = operation_and_number(*index);
        write!(f, "{word}:{thread}@{operation}.{number}={choice}")
    }
}

/// A text that is no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionError {
    /// The token that was refused.
    pub token: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed decision `{}`: {}", self.token, self.reason)
    }
}

impl std::error::Error for DecisionError {}

impl FromStr for Decision {
    type Err = DecisionError;

    fn from_str(token: &str) -> Result<Decision, DecisionError> {
        parse(token).map_err(|reason| DecisionError { token: token.to_owned(), reason })
    }
}

fn parse(token: &str) -> Result<Decision, &'static str> {
    let (kind, rest) = match token.split_once(':') {
        None => (DecisionKind::Schedule, token),
        Some((word, rest)) => {
            let known = WORDS.iter().find(|w| w.1 == word);
            let (kind, _) = known.ok_or("the word before `:` is none of those there are")?;
            (DecisionKind::Choice(*kind), rest)
        }
    };
    let sign = if kind == DecisionKind::Schedule { '>' } else { '=' };
    let (thread, rest) = rest.split_once('@').ok_or("there is no `@` after the thread")?;
    let (index, choice) = rest.split_once(sign).ok_or(match kind {
        DecisionKind::Schedule => "there is no `>` after the step",
        _ => "there is no `=` after the number",
    })?;
    let decision = Decision {
        kind,
        thread: number(thread, THREAD_BITS).ok_or("the thread is not a number below 1024")? as u32,
        index: place(kind, index)?,
        choice: number(choice, CHOICE_BITS).ok_or("the choice is not a number below 32768")? as u32,
    };
    match (kind, decision.choice) {
        (kind, 0) if kind != DecisionKind::Schedule => Err("choice 0 needs no decision"),
        _ => Ok(decision),
    }
}

/// The index that a decision of this kind is written with.
fn place(kind: DecisionKind, text: &str) -> Result<u64, &'static str> {
    if !kind.is_within_operations() {
        return number(text, INDEX_BITS).ok_or("the step is not a number below 2^34");
    }
    let (operation, at) = text.split_once('.').ok_or("there is no `.` after the operation")?;
    let operation = number(operation, INDEX_BITS - NUMBER_BITS);
    let at = number(at, NUMBER_BITS).ok_or("the number is not one below 2^20")?;
    Ok(index_of(operation.ok_or("the operation is not a number below 2^14")?, at))
}

fn number(text: &str, bits: u32) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&n: &u64| digits && n <= mask(bits))
}

/// The decisions of an execution, in the order they were taken.
///
/// ```
/// use mapcheck::decision::Decisions;
/// let decisions: Decisions = "1@137>2 reuse:1@5.3=1".parse().unwrap();
/// assert_eq!(decisions.0[0].choice, 2);
/// assert_eq!(decisions.to_string(), "1@137>2 reuse:1@5.3=1");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decisions(pub Vec<Decision>);

impl fmt::Display for Decisions {
    /// One token a decision, separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, decision) in self.0.iter().enumerate() {
            write!(f, "{}{decision}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl FromStr for Decisions {
    type Err = DecisionError;

    /// Reads tokens separated by any white space. Fails with the first token that is no decision.
    fn from_str(text: &str) -> Result<Decisions, DecisionError> {
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Decisions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "1@137>2 reuse:1@5.3=1 data:0@5=2 0@0>1 suspend:0@0=9 weak-cas:1@0.7=1";

    #[test]
    fn the_text_form_round_trips() {
        let decisions: Decisions = TEXT.parse().unwrap();
        assert_eq!(decisions.0.len(), 6);
        assert_eq!(decisions.to_string(), TEXT);
        assert_eq!(TEXT.replace(' ', "\n").parse::<Decisions>().unwrap(), decisions);
    }

    #[test]
    fn the_packed_form_round_trips_and_is_never_zero() {
        let mut decisions = TEXT.parse::<Decisions>().unwrap().0;
        let kind = DecisionKind::Choice(ChoiceKind::Cancel);
        decisions.push(Decision { kind, thread: 1023, index: mask(INDEX_BITS), choice: 32767 });
        for decision in decisions {
            assert_ne!(decision.pack(), 0);
            assert_eq!(Decision::unpack(decision.pack()), Some(decision));
        }
        assert_eq!(Decision::unpack(0), None);
    }

    #[test]
    fn a_malformed_token_is_refused_with_a_message_that_names_it() {
        let bad = [
            "1@137",
            "1>2",
            "x@1>2",
            "1@+1>2",
            "1@1>",
            "reuse:1@5.3>1",
            "reuse:1@3=1",
            "panic:1@5.x=1",
            "races:1@3=1",
            "data:0@1=0",
            "suspend:0@0=0",
            "2000@1>1",
        ];
        for token in bad {
            let error = format!("0@1>1 {token}").parse::<Decisions>().unwrap_err();
            assert_eq!(error.token, token);
            assert!(error.to_string().contains(&format!("`{token}`")), "{error}");
        }
    }
}
