//! What stands around the blocks of code of the documents, so that they compile. A line that names a block is replaced
//! by the block: the first of the README, and so on. `documents.rs` does so.
#![allow(dead_code, unused_imports)]

// block: README.md 1

type YourAdapter = Locked;

mod readme_explore {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    // block: README.md 2
}

mod guide_tests {
    use super::YourAdapter;

    // block: docs/guide.md 1

    // block: docs/guide.md 2
}

mod guide_existing {
    // block: docs/guide.md 3
}

mod guide_model {
    use std::ops::ControlFlow;

    use mapcheck::model::Layout;
    use mapcheck::{Key, Map, Previous, Profile, Value};

    // block: docs/guide.md 6

    impl<E: Engine> Model<E> {
        fn retire(&self, block: Ptr) {
            self.heap.free(block);
        }
    }

    impl<E: Engine> Map for Model<E> {
        fn profile() -> Profile {
            super::YourAdapter::profile()
        }

        fn new() -> Self {
            let heap = Heap::new();
            let head = heap.allocate(Layout { cells: 0, atomics: 0, pointers: 1 });
            Model { heap, head }
        }

        fn insert(&self, _: Key, _: Value) -> Previous {
            Previous::Unknown
        }

        fn remove(&self, _: &Key) -> Previous {
            self.take().map_or(Previous::Absent, Previous::Present)
        }

        fn get(&self, _: &Key, _: &mut dyn FnMut(&Value)) -> bool {
            false
        }

        fn for_each(&self, _: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {}
    }

    // block: docs/guide.md 7
}

mod guide_oracle {
    use mapcheck::oracle::{Event, Oracle, Violation};

    struct AtMost(usize);

    impl Oracle for AtMost {
        fn see(&mut self, _: &Event<'_>) -> Option<Violation> {
            None
        }
    }

    // block: docs/guide.md 8
}

mod guide_futures {
    use std::collections::HashMap;

    use mapcheck::{AsyncMap, Key, Map, Previous, Profile, Reader, Value, Visitor};
    use tokio::sync::RwLock;

    struct Yours(RwLock<HashMap<Key, Value>>);

    impl AsyncMap for Yours {
        fn profile() -> Profile {
            super::YourAdapter::profile()
        }

        fn new() -> Yours {
            Yours(RwLock::default())
        }

        async fn remove(&self, key: &Key) -> Previous {
            let old = self.0.write().await.remove(key);
            old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
        }

        async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
            let map = self.0.read().await;
            let Some(value) = map.get(key) else { return false };
            read.held(value).await;
            true
        }

        // block: docs/guide.md 9
    }
}

mod guide_panics {
    use mapcheck::AfterPanic;

    // block: docs/guide.md 10
}

fn build_script() {
    // block: docs/guide.md 4
}
