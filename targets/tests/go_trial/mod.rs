//! Random operations on a classic Go map, each compared with what it must do.

mod engine;
mod oracle;

use std::sync::Arc;

use mapcheck::Value;
use mapcheck::model::Ptr;
use mapcheck_targets::go::classic::{ClassicMap, Hiter};
use mapcheck_targets::go::runtime::{Cycle, Frame, Runtime};
use mapcheck_targets::go::{Fatal, Kind, LanguageMap, hash};

use engine::{Random, Tested};
use oracle::{Model, Seen};

/// Numbers of different keys: below, at and above the sizes at which the map grows.
const KEYS: [u64; 8] = [3, 9, 14, 20, 30, 56, 106, 230];

/// Ranges that may be open at once.
const RANGES: usize = 2;

/// A map, and what is going on with it.
struct Trial<'r> {
    random: Random,
    runtime: &'r Runtime<Tested>,
    map: ClassicMap<Tested>,
    kind: Kind,
    keys: u64,
    clears: bool,
    /// Entries that the map may have: insertions of others are left out.
    limit: u64,
    /// Whether hashes have no seed, so that keys can be chosen by them.
    skewed: bool,
    /// The buckets that keys are chosen for: these low bits of the hash, under this mask.
    focus: (u64, u64),
    model: Model,
    ranges: Vec<Range<'r>>,
    /// A value that the program still holds, and what it must be.
    held: Option<(Frame<'r, Tested>, u64, u64)>,
    /// A key that the program has made and not used yet.
    made: Option<(Frame<'r, Tested>, u64, u64)>,
    cycle: Option<Cycle<'r, Tested>>,
    /// Whether that collection scans the stack last.
    stack_last: bool,
    /// Of four writes, how many are to be insertions.
    inserts: u64,
}

/// A range in the middle of its loop.
struct Range<'r> {
    frame: Frame<'r, Tested>,
    iterator: Hiter,
    seen: Seen,
}

/// Runs a trial, which is a function of its seed.
pub fn trial(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let skewed = random.below(3) == 0;
    engine::begin(random.next(), skewed);
    let runtime = Arc::new(Runtime::new());
    let kind = Kind { pointers: random.below(2) == 0 };
    let map = ClassicMap::new(runtime.clone(), kind);
    let keys = KEYS[random.below(KEYS.len() as u64) as usize];
    let clears = random.below(3) == 0;
    let mut trial = Trial {
        random,
        runtime: &runtime,
        map,
        kind,
        keys,
        clears,
        limit: keys,
        skewed,
        focus: (0, 0),
        model: Model::default(),
        ranges: Vec::new(),
        held: None,
        made: None,
        cycle: None,
        stack_last: false,
        inserts: 3,
    };
    for _ in 0..100 + 4 * keys {
        trial.step()?;
    }
    trial.finish()
}

fn fatal(fatal: Fatal) -> String {
    format!("panic: {}", fatal.message())
}

impl<'r> Trial<'r> {
    fn step(&mut self) -> Result<(), String> {
        if self.skewed && self.random.below(16) == 0 {
            self.change_focus()?;
        }
        match self.random.below(64) {
            0..20 => self.next(),
            20..23 => self.begin(),
            23..47 => self.write(),
            47..53 => self.get(),
            53..55 => self.hold(),
            55 => self.make_key(),
            56..61 => self.collect_some(),
            61 => self.collect_all(),
            62 if self.clears => self.clear(),
            62 => self.check_len(),
            _ => self.change_phase(),
        }
    }

    /// From now on the map shrinks or grows, or its entries change while it stays below a size at
    /// which it grows.
    fn change_phase(&mut self) -> Result<(), String> {
        self.inserts = self.random.below(5);
        let limits = [self.keys, 8, 13, 26, 52, 104];
        self.limit = limits[self.random.below(limits.len() as u64) as usize];
        if self.random.below(2) == 0 { self.burst() } else { Ok(()) }
    }

    /// From now on other buckets become full, and what is in the rest goes: chains grow long, one
    /// after the other.
    fn change_focus(&mut self) -> Result<(), String> {
        let mask = (1 << self.random.below(5)) - 1;
        self.focus = (self.random.next() & mask, mask);
        (self.inserts, self.limit) = (4, [13, 26, 52][self.random.below(3) as usize]);
        for key in 1..=self.keys {
            if !self.is_in_focus(key) && self.random.below(16) > 0 {
                self.delete(key)?;
            }
        }
        self.burst()
    }

    /// Many writes in a row, while no range goes on.
    fn burst(&mut self) -> Result<(), String> {
        let writes = self.random.below(2 * self.keys) >> self.random.below(4);
        (0..writes).try_for_each(|_| self.write())
    }

    fn key(&mut self) -> u64 {
        let mut key = 0;
        for _ in 0..16 {
            key = 1 + self.random.below(self.keys);
            if self.is_in_focus(key) {
                break;
            }
        }
        key
    }

    fn is_in_focus(&self, key: u64) -> bool {
        hash(0, key) & self.focus.1 == self.focus.0
    }

    /// The word of a key or a value.
    fn word(&self, frame: &Frame<'_, Tested>, id: u64) -> u64 {
        if self.kind.pointers { frame.allocate_value(Value::new(id)).to_word() } else { id }
    }

    /// The id that a word stands for.
    fn id(&self, word: u64) -> Result<u64, String> {
        if !self.kind.pointers || word == 0 {
            return Ok(word);
        }
        let (ptr, heap) = (Ptr::from_word(word), self.runtime.heap());
        let id = heap.read(ptr);
        if heap.read(ptr.at(1)) == !id { Ok(id) } else { Err("torn-value".to_owned()) }
    }

    /// Makes a key, which only the stack holds until it is used.
    fn make_key(&mut self) -> Result<(), String> {
        let (key, frame) = (self.key(), self.runtime.frame());
        let word = self.word(&frame, key);
        self.made = Some((frame, key, word));
        Ok(())
    }

    fn write(&mut self) -> Result<(), String> {
        if let Some((frame, key, word)) = self.made.take_if(|_| self.random.below(8) == 0) {
            return self.insert_word(&frame, key, word);
        }
        let key = self.key();
        if self.random.below(4) < self.inserts { self.insert(key) } else { self.delete(key) }
    }

    fn insert(&mut self, key: u64) -> Result<(), String> {
        if self.model.len() >= self.limit && self.model.get(key).is_none() {
            return Ok(());
        }
        let frame = self.runtime.frame();
        let word = self.word(&frame, key);
        self.insert_word(&frame, key, word)
    }

    fn insert_word(
        &mut self,
        frame: &Frame<'_, Tested>,
        key: u64,
        word: u64,
    ) -> Result<(), String> {
        let value = self.model.new_value();
        let old = self.map.replace(frame, word, self.word(frame, value)).map_err(fatal)?;
        let (old, must) = (self.id(old)?, self.model.insert(key, value));
        same("insert", old, must.unwrap_or(0))
    }

    fn delete(&mut self, key: u64) -> Result<(), String> {
        let frame = self.runtime.frame();
        self.map.delete(&frame, key).map_err(fatal)?;
        self.model.delete(key);
        self.check_len()
    }

    fn clear(&mut self) -> Result<(), String> {
        let frame = self.runtime.frame();
        self.map.clear(&frame).map_err(fatal)?;
        self.model.clear();
        self.check_len()?;
        self.inserts = 4;
        if self.random.below(2) == 0 { self.burst() } else { Ok(()) }
    }

    fn check_len(&mut self) -> Result<(), String> {
        same("len", self.map.len() as u64, self.model.len())
    }

    fn get(&mut self) -> Result<(), String> {
        let key = self.key();
        self.check_get(key)
    }

    fn check_get(&mut self, key: u64) -> Result<(), String> {
        let frame = self.runtime.frame();
        let word = self.map.lookup(&frame, key).map_err(fatal)?;
        let got = word.map(|word| self.id(word)).transpose()?;
        same("get", got.unwrap_or(0), self.model.get(key).unwrap_or(0))
    }

    /// Keeps a value across later operations, or looks at the one that was kept.
    fn hold(&mut self) -> Result<(), String> {
        if let Some((frame, word, must)) = self.held.take() {
            same("a held value", self.id(word)?, must)?;
            drop(frame);
            return Ok(());
        }
        let key = self.key();
        let frame = self.runtime.frame();
        let word = self.map.lookup(&frame, key).map_err(fatal)?;
        if let (Some(word), Some(must)) = (word, self.model.get(key)) {
            self.held = Some((frame, word, must));
        }
        Ok(())
    }

    /// A few steps of a collection.
    fn collect_some(&mut self) -> Result<(), String> {
        let runtime = self.runtime;
        let mut cycle = self.cycle.take().unwrap_or_else(|| {
            self.stack_last = self.random.below(2) == 0;
            runtime.begin_cycle()
        });
        for _ in 0..1 + self.random.below(80) {
            let choice = self.random.next() | u64::from(self.stack_last);
            if !cycle.step_choosing(choice) {
                return Ok(());
            }
        }
        self.cycle = Some(cycle);
        Ok(())
    }

    /// The rest of the collection under way, and a whole one.
    fn collect_all(&mut self) -> Result<(), String> {
        if let Some(mut cycle) = self.cycle.take() {
            while cycle.step() {}
        }
        self.runtime.collect();
        Ok(())
    }

    fn begin(&mut self) -> Result<(), String> {
        if self.ranges.len() == RANGES {
            self.ranges.swap_remove(0); // Abandoned, as by a `break`.
        }
        let frame = self.runtime.frame();
        let iterator = self.map.range(&frame);
        self.ranges.push(Range { frame, iterator, seen: self.model.begin() });
        Ok(())
    }

    /// A step of a range; its body may delete what it is at.
    fn next(&mut self) -> Result<(), String> {
        if self.ranges.is_empty() {
            return Ok(());
        }
        let place = self.random.below(self.ranges.len() as u64) as usize;
        let range = &mut self.ranges[place];
        let next = self.map.next(&range.frame, &mut range.iterator).map_err(fatal)?;
        let Some((key, value)) = next else {
            return self.ranges.swap_remove(place).seen.end(&self.model);
        };
        let (key, value) = (self.id(key)?, self.id(value)?);
        self.ranges[place].seen.visit(&self.model, key, value)?;
        if self.random.below(6) == 0 { self.delete(key) } else { Ok(()) }
    }

    /// Ends all ranges, then looks at everything once more.
    fn finish(&mut self) -> Result<(), String> {
        self.collect_all()?;
        self.begin()?;
        while !self.ranges.is_empty() {
            self.next()?;
        }
        (1..=self.keys).try_for_each(|key| self.check_get(key))?;
        self.check_len()
    }
}

fn same(what: &str, is: u64, must: u64) -> Result<(), String> {
    if is == must { Ok(()) } else { Err(format!("not-linearizable: {what}: {is}, not {must}")) }
}
