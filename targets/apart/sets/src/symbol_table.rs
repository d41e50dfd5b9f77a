//! `symbol_table`: strings in boxes, in vectors behind locks.

use std::num::NonZeroU32;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Value};
use symbol_table::{DeterministicHashBuilder, Symbol, SymbolTable};

use crate::names;
use crate::table::Table;

/// A [`SymbolTable`] of two shards, the symbol of the string of each value, and that of the string of each key.
pub struct Symbols {
    table: SymbolTable<2, DeterministicHashBuilder>,
    values: Table,
    keys: Table,
}

impl Symbols {
    fn intern(&self, name: &str) -> usize {
        let symbol = self.table.intern(name);
        assert_eq!(self.table.resolve(symbol), name, "a symbol stands for its string");
        NonZeroU32::from(symbol).get() as usize
    }

    fn value(&self, symbol: usize) -> u64 {
        let number = u32::try_from(symbol).ok().and_then(NonZeroU32::new);
        names::value(self.table.resolve(Symbol::from(number.expect("a symbol of the table's"))))
    }

    fn previous(&self, symbol: Option<usize>) -> Previous {
        symbol.map_or(Previous::Absent, |symbol| Previous::Present(self.value(symbol)))
    }
}

impl Map for Symbols {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "symbol_table 0.5 docs, SymbolTable::intern: the same string gives the same symbol",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 3,
            write_in_visit: false,
            knobs: "2 shards instead of 16",
        }
    }

    fn new() -> Symbols {
        let table = SymbolTable::with_hasher(DeterministicHashBuilder);
        Symbols { table, values: Table::new(), keys: Table::new() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let symbol = self.intern(&names::of_key(key.id()));
        assert_eq!(self.keys.keep(key.id(), symbol), symbol, "the same string, the same symbol");
        let symbol = self.intern(&names::of_value(value.id()));
        self.previous(self.values.put(key.id(), Some(symbol)))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.previous(self.values.put(key.id(), None))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let Some(symbol) = self.values.get(key.id()) else { return false };
        let value = Value::new(self.value(symbol));
        read(&value);
        value.discard();
        true
    }
}
