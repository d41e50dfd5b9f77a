//! The decision stream: what an execution does that its code does not fix, and the text form of that.
//!
//! Only what differs from the machine's default is a decision, so an undisturbed execution has none, and a repro
//! holds just the few that matter.

mod record;
mod replay;

use std::fmt;
use std::str::FromStr;

pub use record::Recorder;
pub use replay::Replayer;

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecisionKind {
    /// Which thread goes on at a schedule point.
    Schedule,
    /// Whether the allocator hands out a freed block again.
    Reuse,
    /// What a scenario draws.
    Data,
    /// After how many schedule points a thread is left alone within its operation.
    Suspend,
}

/// One deviation from the default execution.
///
/// `Schedule`: when `thread` reaches its local step `index`, thread `choice` goes on.
/// Other kinds: the `index`th choice of that kind by `thread` was `choice`.
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

/// Bits of a packed decision: two for the kind, then thread, choice and index. It is never 0: of the kind whose bits
/// are, choice 0 needs no decision.
const THREAD_BITS: u32 = 10;
const CHOICE_BITS: u32 = 16;
const INDEX_BITS: u32 = 36;

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl Decision {
    /// The decision in one word, never 0, to be kept in memory shared between processes.
    ///
    /// # Panics
    /// When `thread` needs more than 10 bits, `choice` more than 16 or `index` more than 36.
    pub fn pack(self) -> u64 {
        let (thread, choice) = (u64::from(self.thread), u64::from(self.choice));
        assert!(thread <= mask(THREAD_BITS), "thread {thread} does not fit into a packed decision");
        assert!(choice <= mask(CHOICE_BITS), "choice {choice} does not fit into a packed decision");
        assert!(
            self.index <= mask(INDEX_BITS),
            "index {} does not fit into a packed decision",
            self.index
        );
        let kind = match self.kind {
            DecisionKind::Suspend => 0,
            DecisionKind::Schedule => 1,
            DecisionKind::Reuse => 2,
            DecisionKind::Data => 3,
        };
        (((kind << THREAD_BITS | thread) << CHOICE_BITS) | choice) << INDEX_BITS | self.index
    }

    /// The decision that [`Decision::pack`] packed; `None` for a word that is not one.
    pub fn unpack(word: u64) -> Option<Decision> {
        let kind = match word >> (THREAD_BITS + CHOICE_BITS + INDEX_BITS) {
            0 if word > 0 => DecisionKind::Suspend,
            1 => DecisionKind::Schedule,
            2 => DecisionKind::Reuse,
            3 => DecisionKind::Data,
            _ => return None,
        };
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
        match kind {
            DecisionKind::Schedule => write!(f, "{thread}@{index}>{choice}"),
            DecisionKind::Reuse => write!(f, "reuse:{thread}@{index}={choice}"),
            DecisionKind::Data => write!(f, "data:{thread}@{index}={choice}"),
            DecisionKind::Suspend => write!(f, "suspend:{thread}@{index}={choice}"),
        }
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
        Some(("reuse", rest)) => (DecisionKind::Reuse, rest),
        Some(("data", rest)) => (DecisionKind::Data, rest),
        Some(("suspend", rest)) => (DecisionKind::Suspend, rest),
        Some(_) => return Err("the word before `:` is none of `reuse`, `data` and `suspend`"),
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
        index: number(index, INDEX_BITS).ok_or("the step is not a number below 2^36")?,
        choice: number(choice, CHOICE_BITS).ok_or("the choice is not a number below 65536")? as u32,
    };
    match (kind, decision.choice) {
        (kind, 0) if kind != DecisionKind::Schedule => Err("choice 0 needs no decision"),
        _ => Ok(decision),
    }
}

fn number(text: &str, bits: u32) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&n: &u64| digits && n <= mask(bits))
}

/// The decisions of an execution, in the order they were taken.
///
/// ```
/// use mapcheck::decision::Decisions;
/// let decisions: Decisions = "1@137>2 reuse:1@3=1".parse().unwrap();
/// assert_eq!(decisions.0[0].choice, 2);
/// assert_eq!(decisions.to_string(), "1@137>2 reuse:1@3=1");
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

    const TEXT: &str = "1@137>2 reuse:1@3=1 data:0@5=2 0@0>1 suspend:0@0=9";

    #[test]
    fn the_text_form_round_trips() {
        let decisions: Decisions = TEXT.parse().unwrap();
        assert_eq!(decisions.0.len(), 5);
        assert_eq!(decisions.to_string(), TEXT);
        assert_eq!(TEXT.replace(' ', "\n").parse::<Decisions>().unwrap(), decisions);
    }

    #[test]
    fn the_packed_form_round_trips_and_is_never_zero() {
        let mut decisions = TEXT.parse::<Decisions>().unwrap().0;
        let kind = DecisionKind::Data;
        decisions.push(Decision { kind, thread: 1023, index: mask(INDEX_BITS), choice: 65535 });
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
            "reuse:1@3>1",
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
