//! arc-interner 0.7.0: after a drop of a value that panics as an equal one is interned, the shard stays locked.
//!
//! One thread, no chance in it.

use arc_interner::ArcIntern;
use mapcheck_reproductions::{ends_within, panicked, silence_panics};
use std::hash::{Hash, Hasher};
use std::time::Duration;

struct Bomb(bool);

impl PartialEq for Bomb {
    fn eq(&self, _: &Bomb) -> bool {
        true
    }
}

impl Eq for Bomb {}

impl Hash for Bomb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(0);
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "a drop of the user panics");
    }
}

fn main() {
    silence_panics();
    let held = ArcIntern::new(Bomb(false));
    println!(
        "interning an equal value panicked: {}",
        panicked(|| drop(ArcIntern::new(Bomb(true))))
    );
    println!(
        "another came to its end within a second: {}",
        ends_within(Duration::from_secs(1), || {
            std::mem::forget(ArcIntern::new(Bomb(false)));
        })
    );
    println!(
        "dropping the first handle did: {}",
        ends_within(Duration::from_secs(1), move || drop(held))
    );
}
