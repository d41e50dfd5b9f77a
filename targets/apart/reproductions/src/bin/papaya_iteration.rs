//! papaya 0.2.5: an iteration over keys that collide does not end.
//!
//! Safe code, one thread, the default resize mode. Keys are hashed such that each twelve have one hash, by std's
//! `DefaultHasher` begun with a number. Says for which of the numbers an iteration had not ended after half a second.
//!
//! `papaya_iteration FIRST LAST` for other numbers than 0 to 45,048; `papaya_iteration N N` tries one.

use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::time::Duration;

use mapcheck_reproductions::ends_within;

#[derive(Clone)]
struct Twelve(u64);

impl BuildHasher for Twelve {
    type Hasher = TwelveHasher;

    fn build_hasher(&self) -> TwelveHasher {
        let mut inner = DefaultHasher::new();
        inner.write_u64(self.0);
        TwelveHasher(inner)
    }
}

struct TwelveHasher(DefaultHasher);

impl Hasher for TwelveHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_u64(&mut self, n: u64) {
        self.0.write_u64(n / 12);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|n| n.parse().ok());
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(45_048));
    let mut hung = Vec::new();
    for n in first..=last {
        let ended = ends_within(Duration::from_millis(500), move || {
            let map = papaya::HashMap::<u64, u64, Twelve>::with_hasher(Twelve(n));
            let map = map.pin();
            for key in 0..51 {
                map.insert(key, key);
            }
            assert_eq!(map.iter().count(), 51);
        });
        if !ended {
            hung.push(n);
        }
    }
    println!(
        "of the hashers {first} to {last}, {} made an iteration not end: {hung:?}",
        hung.len()
    );
    // The threads that are left behind keep nothing that matters.
    std::process::exit(0);
}
