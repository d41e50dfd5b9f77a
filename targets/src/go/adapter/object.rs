//! Keys and elements of a Go program: objects that the collector owns, or plain words.

use std::sync::Arc;

use mapcheck::model::{Engine, Layout, Ptr, fail};
use mapcheck::oracle::Class;
use mapcheck::{Key, Value};

use crate::go::runtime::{Frame, Runtime};
use crate::go::{Fatal, Kind};

/// What a program makes keys and elements of.
///
/// An object is two words that never change, an id and its complement. A goroutine that holds a
/// pointer to one reads it whenever it likes: it reads it again after each callback.
pub(super) struct Objects<E: Engine> {
    pub runtime: Arc<Runtime<E>>,
    pub kind: Kind,
}

impl<E: Engine> Objects<E> {
    pub fn new(kind: Kind) -> Objects<E> {
        Objects { runtime: Arc::default(), kind }
    }

    /// The word of a new key. Its object is kept in the frame.
    pub fn key(&self, frame: &Frame<'_, E>, id: u64) -> u64 {
        if !self.kind.pointers {
            return id;
        }
        let object = frame.allocate(Layout { cells: 2, ..Layout::default() });
        self.runtime.heap().write(object, id);
        self.runtime.heap().write(object.at(1), !id);
        object.to_word()
    }

    /// The word of a new element. Its object is kept in the frame, and owns the value.
    pub fn elem(&self, frame: &Frame<'_, E>, value: Value) -> u64 {
        match self.kind.pointers {
            true => frame.allocate_value(value).to_word(),
            false => value.id(),
        }
    }

    /// The id of a key or an element.
    pub fn id(&self, word: u64) -> u64 {
        if !self.kind.pointers {
            return word;
        }
        let object = Ptr::from_word(word);
        let id = self.runtime.heap().read(object);
        if self.runtime.heap().read(object.at(1)) != !id {
            fail(Class::TornValue, &format!("what {object:?} points to is no key and no element"));
        }
        id
    }

    /// Calls `read` with an element that the frame keeps.
    pub fn read(&self, elem: u64, read: &mut dyn FnMut(&Value)) {
        let value = Value::new(self.id(elem));
        read(&value);
        value.discard();
        self.id(elem);
    }

    /// Calls `visit` with a key and an element that the frame keeps.
    pub fn visit<B>(&self, (key, elem): (u64, u64), visit: &mut dyn FnMut(&Key, &Value) -> B) -> B {
        let (key_shown, value) = (Key::new(self.id(key)), Value::new(self.id(elem)));
        let result = visit(&key_shown, &value);
        drop(key_shown);
        value.discard();
        self.id(key);
        self.id(elem);
        result
    }
}

/// The result of an operation that no other write can have met.
pub(super) fn certain<T>(result: Result<T, Fatal>) -> T {
    result.unwrap_or_else(|fatal| fail(Class::Panic, fatal.message()))
}
