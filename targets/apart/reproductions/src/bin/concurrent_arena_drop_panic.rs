//! concurrent_arena 0.1.12: after an element's drop that panics, its slot is never free again; and with debug
//! assertions (`cargo run` without `--release`) dropping the arena panics, too.
//!
//! One thread, no chance in it.

use concurrent_arena::{Arena, ArenaArc};
use mapcheck_reproductions::{panicked, silence_panics};

struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "a drop of the user panics");
    }
}

fn main() {
    silence_panics();
    let arena = Arena::<Bomb, 1, 64>::with_capacity(0);
    let slot = ArenaArc::slot(&arena.insert(Bomb(true)));
    println!("drop of the removed element panicked: {}", panicked(|| drop(arena.remove(slot))));
    let used: Vec<u32> = (0..63).map(|_| ArenaArc::slot(&arena.insert(Bomb(false)))).collect();
    println!(
        "slot {slot} is used again by 63 more in 64: {}; one more goes to slot {}",
        used.contains(&slot),
        ArenaArc::slot(&arena.insert(Bomb(false)))
    );
    println!("`get` of slot {slot} finds something: {}", arena.get(slot).is_some());
    println!("dropping the arena panicked: {}", panicked(|| drop(arena)));
}
