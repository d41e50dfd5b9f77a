//! indexset 0.18.0, feature `concurrent`: an iterator yields references that outlive the lock they were read under.
//!
//! One thread, no unsafe code: the references have the lifetime of the map, so that they can be kept while an
//! element is removed. It reads a string that was freed: run it with AddressSanitizer or valgrind, which say so in
//! every run; without, it prints what lies there now.

use indexset::concurrent::map::BTreeMap;

fn main() {
    let map = BTreeMap::<u64, String>::new();
    map.insert(1, "a string that is long enough to lie on the heap".to_owned());
    let kept: Vec<(&u64, &String)> = map.iter().collect();
    drop(map.remove(&1));
    let _other = "x".repeat(47);
    println!("{:?}", kept[0].1);
}
