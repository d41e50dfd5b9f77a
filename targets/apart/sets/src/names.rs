//! Strings made of numbers, for interners of strings.

/// The string that stands for this value of this key.
pub fn of_value(id: u64) -> String {
    format!("{}.{}", id >> 32, id & 0xffff_ffff)
}

/// The string that stands for this key, the same in all calls.
pub fn of_key(id: u64) -> String {
    format!("key {id}")
}

/// The value that a string stands for.
pub fn value(name: &str) -> u64 {
    let (key, n) = name.split_once('.').expect("a string that was interned");
    let number = |text: &str| text.parse::<u64>().expect("a string that was interned");
    number(key) << 32 | number(n)
}
