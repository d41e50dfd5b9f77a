//! `lasso`: strings in buckets that are never freed, and two dashmaps, from strings to keys and back.

use std::num::NonZeroUsize;

use lasso::{Capacity, Key as _, MemoryLimits, Spur, ThreadedRodeo};
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use crate::names;
use crate::spread::Spread;
use crate::table::Table;

type Rodeo = ThreadedRodeo<Spur, Spread>;

/// A [`ThreadedRodeo`], the key of the string of each value, and that of the string of each key.
pub struct Lasso {
    rodeo: Rodeo,
    values: Table,
    keys: Table,
}

fn profile(knobs: &'static str) -> Profile {
    Profile {
        iteration: Iteration::None,
        promised_by: "lasso 0.7 docs, ThreadedRodeo::get_or_intern: the key of a string is one and the same",
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        grows_at: 2,
        write_in_visit: false,
        knobs,
    }
}

impl Lasso {
    fn of(bytes: usize, limit: usize) -> Lasso {
        let bytes = NonZeroUsize::new(bytes).expect("some");
        let rodeo = ThreadedRodeo::with_capacity_memory_limits_and_hasher(
            Capacity::new(1, bytes),
            MemoryLimits::new(limit),
            Spread::default(),
        );
        Lasso { rodeo, values: Table::new(), keys: Table::new() }
    }

    /// Interns a string; `None` where the memory limit is reached.
    fn intern(&self, name: &str) -> Option<usize> {
        let key = self.rodeo.try_get_or_intern(name).ok()?;
        assert_eq!(self.rodeo.resolve(&key), name, "a key stands for the string it was made for");
        assert_eq!(self.rodeo.get(name), Some(key), "a string has one key");
        Some(key.into_usize())
    }

    /// Whether the string of this key is interned, or there is no memory for it; it must have one key all the time.
    fn intern_key(&self, id: u64) {
        if let Some(number) = self.intern(&names::of_key(id)) {
            assert_eq!(self.keys.keep(id, number), number, "a string has one key");
        }
    }

    fn put(&self, key: u64, value: Value) -> Previous {
        self.intern_key(key);
        match self.intern(&names::of_value(value.id())) {
            Some(number) => self.previous(self.values.put(key, Some(number))),
            None => Previous::Failed,
        }
    }

    fn previous(&self, number: Option<usize>) -> Previous {
        number.map_or(Previous::Absent, |number| Previous::Present(self.value(number)))
    }

    fn value(&self, number: usize) -> u64 {
        let key = Spur::try_from_usize(number).expect("a key of lasso's");
        names::value(self.rodeo.resolve(&key))
    }

    fn read(&self, key: u64, read: &mut dyn FnMut(&Value)) -> bool {
        self.intern_key(key);
        let Some(number) = self.values.get(key) else { return false };
        let value = Value::new(self.value(number));
        read(&value);
        value.discard();
        true
    }

    /// Looks at all strings, once the iteration has ended: see `lasso@iterating`.
    fn look(&self) {
        let all: Vec<_> = self.rodeo.iter().collect();
        all.into_iter().for_each(|(key, name)| assert_eq!(self.rodeo.get(name), Some(key)));
    }
}

impl Map for Lasso {
    fn profile() -> Profile {
        profile("a first bucket of 8 bytes instead of 4096, and twice as many in each that follows")
    }

    fn new() -> Lasso {
        Lasso::of(8, usize::MAX / 2)
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.put(key.id(), value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.previous(self.values.put(key.id(), None))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.read(key.id(), read)
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.look();
        Ok(())
    }
}

/// The same with a memory limit.
pub struct LassoLimited(Lasso);

impl Map for LassoLimited {
    fn profile() -> Profile {
        profile("as of `lasso`, and no more than 60 bytes together")
    }

    fn new() -> LassoLimited {
        LassoLimited(Lasso::of(8, 60))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.put(key.id(), value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.previous(self.0.values.put(key.id(), None))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read(key.id(), read)
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.look();
        Ok(())
    }
}

/// The same with an iteration that looks up what it is shown.
pub struct LassoIterating(Lasso);

impl Map for LassoIterating {
    fn profile() -> Profile {
        Lasso::profile()
    }

    fn new() -> LassoIterating {
        LassoIterating(Lasso::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read)
    }

    /// Docs of `ThreadedRodeo::iter` forbid nothing while it lasts.
    fn reclaim(&self) -> Result<(), Unsupported> {
        let rodeo = &self.0.rodeo;
        rodeo.iter().for_each(|(key, name)| assert_eq!(rodeo.get(name), Some(key)));
        Ok(())
    }
}
