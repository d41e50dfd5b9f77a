//! Moves: one to four operations of a thread that belong together, such as a removal and the insert that takes it back.

use arbitrary::{Result, Unstructured};

use super::{LARGEST, below, one_of, percent};
use crate::scenario::{Keys, Op, Visit};

/// The most elements at which every visit may iterate anew: the work grows with the square.
const NESTED: u32 = 10;

/// What a thread is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// To iterate, and perhaps to write while it does.
    Iterator,
    /// To write.
    Writer,
    /// To write the keys that others write too.
    Rival,
    /// To write beside who reclaims.
    Swept,
    /// To take a hot key out and put it back.
    Swap,
    /// To make the map grow, and to write a hot key.
    Grow,
    /// To read a hot key, or to remove it and reclaim.
    Read,
    /// To reclaim.
    Reclaimer,
    /// Any of these.
    Any,
}

/// Draws moves.
pub(super) struct Mover {
    /// Where a fresh map grows.
    pub at: u32,
    /// Elements at the start: the keys `0..elements`.
    pub elements: u32,
    /// The keys that most moves are about.
    pub hot: Keys,
    /// Whether visitors may write.
    pub in_visit: bool,
}

impl Mover {
    /// Appends a move to `ops`.
    pub fn draw(&self, role: Role, bytes: &mut Unstructured<'_>, ops: &mut Vec<Op>) -> Result<()> {
        match role {
            Role::Iterator => ops.push(self.iterate(bytes)?),
            Role::Writer => ops.extend(self.write(bytes)?),
            Role::Rival => ops.extend(self.contend(bytes)?),
            Role::Swap => ops.extend([Op::Remove(self.hot), Op::Insert(self.hot)]),
            Role::Grow => ops.extend(self.grow(bytes)?),
            Role::Read => ops.extend(self.read(bytes)?),
            Role::Swept => ops.extend(self.write_swept(bytes)?),
            Role::Reclaimer => ops.extend(self.reclaim(bytes)?),
            Role::Any => ops.extend(self.any(bytes)?),
        }
        Ok(())
    }

    /// All keys that are there at the start.
    pub fn all(&self) -> Keys {
        Keys::range(0, self.elements)
    }

    /// New keys, enough to grow.
    pub fn more(&self) -> Keys {
        let n = self.elements;
        Keys::range(n, n + self.at.max(n / 2 + 2))
    }

    fn any(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        Ok(match below(bytes, 20)? {
            0..6 => vec![self.iterate(bytes)?],
            6..8 => self.reclaim(bytes)?,
            8 => vec![Op::RetainEven],
            9 => vec![one_of(bytes, &[Op::Shrink, Op::Len, Op::Reserve(64)])?],
            10 | 11 => self.churn(),
            _ => self.write(bytes)?,
        })
    }

    /// Few operations on few keys.
    fn contend(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        let (choice, keys) = (below(bytes, 16)?, self.keys_of(self.hot, bytes)?);
        let (insert, remove) = (Op::Insert(keys), Op::Remove(keys));
        let grow = Op::Insert(Keys::one(self.elements + below(bytes, 3)?));
        Ok(match choice {
            0 | 1 => vec![insert],
            2..4 => vec![remove],
            4 | 5 => vec![remove, insert],
            6 => vec![insert, remove],
            7 => vec![remove, insert, remove],
            8 => vec![grow],
            9 | 10 => vec![grow, insert],
            11 | 12 => vec![grow, remove],
            13 => vec![remove, Op::Reclaim],
            14 => vec![self.get(keys.first, bytes)?],
            _ => vec![self.get(keys.first, bytes)?, remove, Op::Reclaim],
        })
    }

    fn grow(&self, bytes: &mut Unstructured<'_>) -> Result<[Op; 2]> {
        let new = Op::Insert(Keys::one(self.elements + below(bytes, 4)?));
        let hot = one_of(bytes, &[Op::Insert(self.hot), Op::Remove(self.hot)])?;
        Ok([new, hot])
    }

    fn read(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        let get = Op::Get { key: self.hot.first, hold: true };
        let (remove, insert) = (Op::Remove(self.hot), Op::Insert(self.hot));
        Ok(match below(bytes, 3)? {
            0 => vec![get, get],
            1 => vec![remove, Op::Reclaim],
            _ => vec![remove, insert, Op::Reclaim],
        })
    }

    /// What changes references while another thread reclaims.
    fn write_swept(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        let (choice, keys) = (below(bytes, 12)?, self.keys_of(self.hot, bytes)?);
        let (new, all) = (self.new_keys(bytes)?, Op::Insert(self.all()));
        Ok(match choice {
            0..3 => vec![Op::Insert(new)],
            3 | 4 if self.in_visit => vec![Op::GetRemove(keys.first), Op::GetRemove(keys.end - 1)],
            5 if self.in_visit => {
                vec![Op::Iterate { hold: true, visit: Some(Visit::RemoveCurrent { at: 1 }) }]
            }
            7 => vec![Op::Insert(new), Op::Get { key: keys.first, hold: true }],
            8 | 6 => vec![all],
            9 => vec![self.iterate(bytes)?],
            _ => vec![Op::Get { key: keys.first, hold: true }, Op::Remove(keys)],
        })
    }

    /// Reads and reclaims, or removes and reclaims.
    fn reclaim(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        let (choice, keys) = (below(bytes, 6)?, self.keys(bytes)?);
        Ok(match choice {
            0 | 1 => vec![Op::Reclaim],
            2 => vec![Op::Reclaim, Op::Reclaim],
            3 => vec![Op::Remove(keys), Op::Reclaim],
            4 => vec![self.get(keys.first, bytes)?, Op::Reclaim],
            _ => vec![Op::Reclaim, self.get(keys.first, bytes)?],
        })
    }

    fn get(&self, key: u32, bytes: &mut Unstructured<'_>) -> Result<Op> {
        let remove = percent(bytes, 50)? && self.in_visit;
        Ok(if remove { Op::GetRemove(key) } else { Op::Get { key, hold: true } })
    }

    fn write(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<Op>> {
        let (choice, keys, new) = (below(bytes, 20)?, self.keys(bytes)?, self.new_keys(bytes)?);
        let (insert, remove) = (Op::Insert(keys), Op::Remove(keys));
        let (grow, all) = (Op::Insert(new), Op::Insert(self.all()));
        Ok(match choice {
            0..3 => vec![insert],
            3..5 => vec![remove],
            5..7 => vec![grow],
            7..9 => vec![remove, insert],
            9 => vec![remove, insert, remove],
            10 => vec![grow, Op::Reclaim],
            11 => vec![grow, insert],
            12 => vec![grow, remove],
            13 => vec![grow, remove, Op::Reclaim],
            14 => vec![Op::Clear, all],
            15 => vec![grow, Op::Clear, all],
            16 => vec![remove, all, Op::Remove(self.all())],
            17 => vec![Op::Remove(self.all()), all],
            18 => vec![self.get(keys.first, bytes)?],
            _ => self.churn(),
        })
    }

    /// Fills and empties the map, and fills it more than before at the end.
    fn churn(&self) -> Vec<Op> {
        let n = self.elements;
        let all = self.all();
        vec![
            Op::Remove(all),
            Op::Insert(all),
            Op::Remove(all),
            Op::Insert(Keys::range(0, 2 * n + 1)),
        ]
    }

    fn iterate(&self, bytes: &mut Unstructured<'_>) -> Result<Op> {
        let hold = percent(bytes, 50)?;
        let visit = if percent(bytes, 85)? { self.visit(bytes)? } else { None };
        Ok(Op::Iterate { hold, visit })
    }

    /// What a visitor does, at a visit that is likely to come.
    fn visit(&self, bytes: &mut Unstructured<'_>) -> Result<Option<Visit>> {
        let at = 1 + below(bytes, self.elements)?;
        if !self.in_visit {
            return Ok(percent(bytes, 20)?.then_some(Visit::Stop { at }));
        }
        let choice = self.visit_kind(bytes)?;
        let (keys, new) = (self.keys(bytes)?, self.new_keys(bytes)?);
        Ok(Some(match choice {
            0 => Visit::RemoveCurrent { at },
            1 => Visit::RemoveVisited { at: at + 1 },
            2 => Visit::RemoveUnvisited { keys: self.all(), at },
            3 => Visit::Remove { keys, at },
            4..=9 => Visit::Insert { keys: new, at },
            10 => Visit::Churn { keys: new, at },
            11 => Visit::Clear { at },
            12 | 13 => Visit::Refill { keys: self.all(), at },
            14 => Visit::Refill { keys: new, at },
            15 | 16 => Visit::Outgrow { keys: self.all(), at },
            17 => Visit::Reclaim { at },
            18.. if self.elements <= NESTED => Visit::Nested,
            _ => Visit::Stop { at },
        }))
    }

    /// What a visitor does, as a number below 20. In a large map most often something that changes all of it.
    fn visit_kind(&self, bytes: &mut Unstructured<'_>) -> Result<u32> {
        let large = self.elements > 3 * self.at;
        if large && percent(bytes, 70)? {
            one_of(bytes, &[4, 4, 12, 12, 15])
        } else {
            below(bytes, 20)
        }
    }

    /// Keys that are likely to be there: a few of the hot ones, all of them, or any.
    fn keys(&self, bytes: &mut Unstructured<'_>) -> Result<Keys> {
        match below(bytes, 8)? {
            0..6 => self.keys_of(self.hot, bytes),
            6 => Ok(Keys::one(below(bytes, self.elements)?)),
            _ => Ok(self.all()),
        }
    }

    /// One of these keys, or all of them.
    fn keys_of(&self, keys: Keys, bytes: &mut Unstructured<'_>) -> Result<Keys> {
        let one = keys.first + below(bytes, keys.end - keys.first)?;
        Ok(if percent(bytes, 50)? { keys } else { Keys::one(one) })
    }

    /// Keys that are likely to be new: one, or enough to grow, or just so many that the map begins to.
    fn new_keys(&self, bytes: &mut Unstructured<'_>) -> Result<Keys> {
        let n = self.elements;
        let more = match below(bytes, 6)? {
            0 => 1,
            1 => 2,
            2 => self.at,
            3 => n + 1,
            _ => return self.until_growth(bytes),
        };
        Ok(Keys::range(n, n + more))
    }

    /// As many new keys as bring the map to where a table of eight entries that has doubled begins to grow, or just
    /// beyond: there everything is still in the old table.
    fn until_growth(&self, bytes: &mut Unstructured<'_>) -> Result<Keys> {
        let n = self.elements;
        let doubled = [2, 4, 8, 16].map(|times| times * self.at * 13 / 16);
        let beyond: Vec<u32> = doubled.into_iter().filter(|d| *d >= n && *d <= LARGEST).collect();
        let end = match beyond.is_empty() {
            true => n,
            false => one_of(bytes, &beyond[..beyond.len().min(3)])?,
        };
        Ok(Keys::range(n, end + 1 + below(bytes, 2)?))
    }
}
