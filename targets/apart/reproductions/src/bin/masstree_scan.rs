//! masstree 0.9.5: a scan shows a key with the value of another key.
//!
//! One thread removes keys and inserts others in their stead, over and over; the other scans. Every value is its
//! key's number, three times (values of 8 bytes and less are kept otherwise), so that a key with another's value
//! was never inserted. Beside two threads' worth of other load it showed 6 in 10,000,000 scans. Exit code 1 where
//! one was shown.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use masstree::{MassTree15, RangeBound};

const SCANS: u64 = 10_000_000;

fn main() -> ExitCode {
    let tree = MassTree15::<[u64; 3]>::new();
    (0..13_u64).for_each(|key| _ = tree.insert(&key.to_be_bytes(), [key; 3]));
    let stop = AtomicBool::new(false);
    let (mut strange, mut example) = (0, None);
    thread::scope(|s| {
        s.spawn(|| {
            let swap = |from: u64, to: u64| {
                let _ = tree.remove(&from.to_be_bytes());
                tree.insert(&to.to_be_bytes(), [to; 3]);
            };
            while !stop.load(Relaxed) {
                (0..8).for_each(|key| swap(key, key + 20));
                (0..8).for_each(|key| swap(key + 20, key));
            }
        });
        for _ in 0..SCANS {
            let guard = tree.guard();
            let each = |key: &[u8], value: &[u64; 3]| {
                let key = u64::from_be_bytes(key.try_into().expect("all keys have 8 bytes"));
                if key != value[0] {
                    strange += 1;
                    example.get_or_insert((key, value[0]));
                }
                true
            };
            tree.scan_ref(RangeBound::Unbounded, RangeBound::Unbounded, each, &guard);
        }
        stop.store(true, Relaxed);
    });
    println!("{SCANS} scans showed {strange} keys with another's value, such as {example:?}");
    ExitCode::from(u8::from(strange != 0))
}
