//! flashmap 0.2.0: where the `Drop` of a replaced value panics while the writer brings the second table up to date, the
//! table keeps the value that was dropped, and shows it to whoever asks next.
//!
//! One thread, and no `unsafe` in here. valgrind or AddressSanitizer tells the use of freed memory.
//!
//! It failed in 2 of 2 runs in release mode, one of them under valgrind.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A value that owns memory, and may panic when it is dropped.
struct Value {
    text: String,
    panics: bool,
}

impl Value {
    fn new(text: &str, panics: bool) -> Value {
        Value { text: text.repeat(4), panics }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(!self.panics, "a destructor panics");
    }
}

fn main() {
    let (mut writer, reader) = flashmap::new::<u32, Value>();
    writer.guard().insert(0, Value::new("first ", true));
    writer.guard().insert(0, Value::new("second ", false));
    // The second table still has the first value, and drops it now.
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(writer.guard()))).is_err();
    println!("a panic: {panicked}");
    let mut map = writer.guard();
    println!("under key 0 is {:?}", map.get(&0).map(|value| value.text.as_str()));
    map.insert(1, Value::new("third ", false));
    drop(map);
    drop(writer.guard());
    println!("a reader finds {:?}", reader.guard().get(&0).map(|value| value.text.as_str()));
}
