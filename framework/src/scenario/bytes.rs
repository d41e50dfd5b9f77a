//! Scenarios as bytes, for fuzzers: a few bytes an operation, so that to leave one out is to leave some bytes out. What
//! is no operation is read as the nearest that is; so any bytes are a scenario, and any scenario of a reasonable size
//! comes back from its bytes as it was.

use arbitrary::{Result, Unstructured};

use super::{Keys, Op, Scenario, Visit};

/// The most operations of a section.
const OPS: usize = 48;
/// The most threads.
pub(crate) const THREADS: usize = 8;
/// Keys are below this; so are visits and how many more elements to make room for.
const NUMBERS: u32 = 1 << 12;
/// The most keys of a range: a thread that inserts more has too much to do.
const RANGE: u32 = 512;
/// Bits of an operation's first byte that say which it is.
const WHICH: u8 = 31;
/// Set in the first byte where references are held.
const HOLD: u8 = 1 << 7;

impl Scenario {
    /// Appends the scenario as bytes, without its names.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let collide = self.collide.min(u32::from(u8::MAX)) as u8;
        to.extend([collide, self.elements.into(), self.threads.len().min(THREADS) as u8]);
        for ops in
            [&self.setup, &self.teardown].into_iter().chain(self.threads.iter().take(THREADS))
        {
            ops.iter().take(OPS).for_each(|op| encode(op, to));
            if ops.len() < OPS {
                to.push(0);
            }
        }
    }

    /// What the operation of each label does, as a number: without keys, but whether references are held.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = u8> {
        let kind = |op: &Op| parts(op).0 | if holds(op) { HOLD } else { 0 };
        let drop = 31;
        std::iter::once(0).chain(self.all_ops().map(kind)).chain([drop])
    }

    /// Reads what [`Scenario::encode`] wrote; few bytes give a small scenario.
    ///
    /// # Errors
    /// None so far.
    pub(crate) fn decode(from: &mut Unstructured<'_>) -> Result<Scenario> {
        let (collide, elements, threads): (u8, u8, u8) = from.arbitrary()?;
        let (setup, teardown) = (section(from)?, section(from)?);
        let threads = (0..usize::from(threads).min(THREADS)).map(|_| section(from));
        Ok(Scenario {
            name: "fuzzed".to_owned(),
            family: "fuzzed".to_owned(),
            collide: collide.into(),
            elements: elements & 1 == 1,
            setup,
            threads: threads.collect::<Result<_>>()?,
            teardown,
        })
    }
}

/// Operations up to a zero, or as many as there can be.
fn section(from: &mut Unstructured<'_>) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    while ops.len() < OPS
        && let Some(op) = decode(from)?
    {
        ops.push(op);
    }
    Ok(ops)
}

/// The number of an operation, and the numbers that go with it.
fn parts(op: &Op) -> (u8, Vec<u32>) {
    let of = |keys: &Keys| vec![keys.first, keys.end - keys.first - 1];
    let with = |keys: &Keys, at: u32| vec![keys.first, keys.end - keys.first - 1, at];
    match op {
        Op::Insert(keys) => (1, of(keys)),
        Op::Remove(keys) => (2, of(keys)),
        Op::Get { key, .. } => (3, vec![*key]),
        Op::GetRemove(key) => (4, vec![*key]),
        Op::ExitRemove(keys) => (5, of(keys)),
        Op::Reserve(additional) => (6, vec![*additional]),
        Op::Shrink => (7, Vec::new()),
        Op::Clear => (8, Vec::new()),
        Op::RetainEven => (9, Vec::new()),
        Op::Reclaim => (10, Vec::new()),
        Op::Len => (11, Vec::new()),
        Op::Iterate { visit: None, .. } => (12, Vec::new()),
        Op::Iterate { visit: Some(visit), .. } => match visit {
            Visit::RemoveCurrent { at } => (13, vec![*at]),
            Visit::RemoveVisited { at } => (14, vec![*at]),
            Visit::RemoveUnvisited { keys, at } => (15, with(keys, *at)),
            Visit::Remove { keys, at } => (16, with(keys, *at)),
            Visit::Insert { keys, at } => (17, with(keys, *at)),
            Visit::Nested => (18, Vec::new()),
            Visit::NestedRemove { at } => (19, vec![*at]),
            Visit::Stop { at } => (20, vec![*at]),
            Visit::Clear { at } => (21, vec![*at]),
            Visit::Refill { keys, at } => (22, with(keys, *at)),
            Visit::Outgrow { keys, at } => (23, with(keys, *at)),
            Visit::Reclaim { at } => (24, vec![*at]),
            Visit::Churn { keys, at } => (25, with(keys, *at)),
        },
    }
}

fn holds(op: &Op) -> bool {
    matches!(op, Op::Get { hold: true, .. } | Op::Iterate { hold: true, .. })
}

fn encode(op: &Op, to: &mut Vec<u8>) {
    let (which, numbers) = parts(op);
    to.push(which | if holds(op) { HOLD } else { 0 });
    numbers.into_iter().for_each(|n| encode_number(n, to));
}

/// One byte where it is small, else two.
fn encode_number(n: u32, to: &mut Vec<u8>) {
    let n = n.min(NUMBERS - 1);
    match u8::try_from(n) {
        Ok(small @ 0..0x80) => to.push(small),
        _ => to.extend([0x80 | (n >> 8) as u8, n as u8]),
    }
}

fn number(from: &mut Unstructured<'_>) -> Result<u32> {
    let first: u8 = from.arbitrary()?;
    if first < 0x80 {
        return Ok(first.into());
    }
    let second: u8 = from.arbitrary()?;
    Ok((u32::from(first & 0x7f) << 8 | u32::from(second)) % NUMBERS)
}

fn keys(from: &mut Unstructured<'_>) -> Result<Keys> {
    let (first, more) = (number(from)?, number(from)?);
    Ok(Keys { first, end: first + 1 + more % RANGE })
}

/// The visit at which a visitor acts: at least this one.
fn at(from: &mut Unstructured<'_>, least: u32) -> Result<u32> {
    Ok(number(from)?.max(least))
}

/// The next operation; `None` at a zero.
fn decode(from: &mut Unstructured<'_>) -> Result<Option<Op>> {
    let first: u8 = from.arbitrary()?;
    let hold = first & HOLD != 0;
    Ok(Some(match first & WHICH {
        0 => return Ok(None),
        1 => Op::Insert(keys(from)?),
        2 => Op::Remove(keys(from)?),
        3 => Op::Get { key: number(from)?, hold },
        4 => Op::GetRemove(number(from)?),
        5 => Op::ExitRemove(keys(from)?),
        6 => Op::Reserve(number(from)?.max(1)),
        7 => Op::Shrink,
        8 => Op::Clear,
        9 => Op::RetainEven,
        10 => Op::Reclaim,
        11 => Op::Len,
        which => Op::Iterate { hold, visit: visit(which, from)? },
    }))
}

fn visit(which: u8, from: &mut Unstructured<'_>) -> Result<Option<Visit>> {
    Ok(Some(match which {
        13 => Visit::RemoveCurrent { at: at(from, 1)? },
        14 => Visit::RemoveVisited { at: at(from, 2)? },
        15 => Visit::RemoveUnvisited { keys: keys(from)?, at: at(from, 1)? },
        16 => Visit::Remove { keys: keys(from)?, at: at(from, 1)? },
        17 => Visit::Insert { keys: keys(from)?, at: at(from, 1)? },
        18 => Visit::Nested,
        19 => Visit::NestedRemove { at: at(from, 1)? },
        20 => Visit::Stop { at: at(from, 1)? },
        21 => Visit::Clear { at: at(from, 1)? },
        22 => Visit::Refill { keys: keys(from)?, at: at(from, 1)? },
        23 => Visit::Outgrow { keys: keys(from)?, at: at(from, 1)? },
        24 => Visit::Reclaim { at: at(from, 1)? },
        25 => Visit::Churn { keys: keys(from)?, at: at(from, 1)? },
        _ => return Ok(None),
    }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::map::{Atomic, Consistency, Iteration, Profile};
    use crate::pcg::Pcg;
    use crate::scenario::families;

    pub(crate) fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 8,
            write_in_visit: true,
            knobs: "",
        }
    }

    fn unnamed(scenario: &Scenario) -> Scenario {
        Scenario { name: "fuzzed".into(), family: "fuzzed".into(), ..scenario.clone() }
    }

    fn read(bytes: &[u8]) -> Scenario {
        Scenario::decode(&mut Unstructured::new(bytes)).unwrap()
    }

    #[test]
    fn every_scenario_there_is_comes_back_from_its_bytes() {
        for scenario in families::all(&profile(), 1) {
            let mut bytes = Vec::new();
            scenario.encode(&mut bytes);
            assert_eq!(read(&bytes), unnamed(&scenario), "{}", scenario.name);
        }
    }

    #[test]
    fn any_bytes_are_a_scenario_that_comes_back_as_it_was() {
        let mut random = Pcg::new(7);
        for size in (0..2000).map(|i| i % 200) {
            let mut bytes = vec![0; size];
            random.fill(&mut bytes);
            let scenario = read(&bytes);
            assert!(scenario.threads.len() <= THREADS && scenario.operations() <= 10 * OPS);
            let mut again = Vec::new();
            scenario.encode(&mut again);
            assert_eq!(read(&again), scenario);
        }
    }
}
