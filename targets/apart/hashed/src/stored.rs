//! A value for maps that compare and hash their values.

use std::hash::{Hash, Hasher};
use std::ops::Deref;

use mapcheck::Value;

/// A [`Value`] that is equal to itself: `evmap` keeps a bag of values under each key.
#[derive(Clone)]
pub struct Stored(pub Value);

impl Deref for Stored {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Stored) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Stored {}

impl Hash for Stored {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.id());
    }
}
