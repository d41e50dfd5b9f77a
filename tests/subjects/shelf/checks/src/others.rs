//! Adapters that cannot be copied without the rest of their crate.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Value};

use crate::adapter::Adapter;

/// The map through an adapter of another file.
pub struct Wrapped(Adapter);

/// The same for any map.
pub struct Boxed<M>(Box<M>);

macro_rules! delegated {
    ($([$($generics:tt)*] $name:ty, $new:expr;)*) => {$(
        impl<$($generics)*> Map for $name {
            fn profile() -> Profile {
                Adapter::profile()
            }

            fn new() -> Self {
                $new
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

            fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
                self.0.for_each(visit);
            }
        }
    )*};
}

delegated! {
    [] Wrapped, Wrapped(Adapter::new());
    [M: Map] Boxed<M>, Boxed(Box::new(M::new()));
}
