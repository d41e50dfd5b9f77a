//! The map's own tests.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Value};
use shelf::Shelf;

#[test]
fn what_was_put_in_is_read() {
    let shelf = Shelf::new();
    assert_eq!(shelf.insert(1, "a"), None);
    assert_eq!(shelf.read(&1, |value| *value), Some("a"));
    assert_eq!((shelf.remove(&1), shelf.remove(&1)), (Some("a"), None));
}

mod deleting {
    use super::*;

    /// The map as mapcheck sees it.
    struct Tested(Shelf<Key, Value>);

    impl Map for Tested {
        fn profile() -> Profile {
            Profile {
                iteration: mapcheck::Iteration::Locked,
                promised_by: "assumed",
                consistency: mapcheck::Consistency::Linearizable,
                atomic: mapcheck::Atomic::NONE,
                grows_at: 4,
                write_in_visit: false,
                knobs: "",
            }
        }

        fn new() -> Tested {
            Tested(Shelf::new())
        }

        fn insert(&self, key: Key, value: Value) -> Previous {
            let old = self.0.insert(key, value);
            old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
        }

        fn remove(&self, key: &Key) -> Previous {
            let old = self.0.remove(key);
            old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
        }

        fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
            self.0.read(key, read).is_some()
        }

        fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
            self.0.for_each(|key, value| visit(key, value).is_continue());
        }
    }

    #[test]
    fn deferred_delete() {
        mapcheck::check::<Tested>("deferred-delete");
    }
}
