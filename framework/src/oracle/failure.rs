//! Failures that no other oracle explains: signals, stack overflows, exhausted memory, panics.

use mapcheck_machine::Fact;

use super::{Class, Violation};

pub(super) fn judge(fact: &Fact) -> Violation {
    let (class, message) = match fact {
        Fact::StackOverflow => (Class::Crash, "the stack of a thread overflowed".to_owned()),
        Fact::Signal { signal, addr } => (Class::Crash, signalled(*signal, *addr)),
        Fact::HeapExhausted { live, allocated } => exhausted(*live, *allocated),
        Fact::Told { class, message, .. } => (Class::Panic, format!("{class}: {message}")),
        other => (Class::Crash, format!("{other:?}")),
    };
    Violation { class, message }
}

/// Names of the fatal signals, by number; the same on all Linux platforms that Rust supports but two.
const SIGNALS: [(i32, &str); 6] = [
    (4, "an illegal instruction"),
    (5, "a trap"),
    (6, "an abort"),
    (7, "a bus error"),
    (8, "an arithmetic exception"),
    (11, "a segmentation fault"),
];

/// A fatal signal in words.
pub(crate) fn signalled(signal: i32, addr: usize) -> String {
    let name = SIGNALS.iter().find(|s| s.0 == signal).map_or("a signal", |s| s.1);
    match (signal, addr) {
        (6, _) => name.to_owned(),
        (_, 0) => format!("{name} at a null pointer"),
        // Where poison was followed, the kernel reports no address.
        (_, addr) => format!("{name} at address {addr:#x}"),
    }
}

/// An execution that used up the heap leaks if most of what it allocated is still live.
fn exhausted(live: usize, allocated: usize) -> (Class, String) {
    let mib = |bytes: usize| bytes >> 20;
    let told = format!("{} MiB allocated and {} MiB still live", mib(allocated), mib(live));
    if live > allocated / 2 {
        return (Class::Leak, format!("the heap of the execution is full: {told}"));
    }
    let message = format!("the execution needs more heap than the model has: {told}");
    (Class::Crash, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_heap_is_a_leak_only_if_most_of_it_is_live() {
        let class = |live| judge(&Fact::HeapExhausted { live, allocated: 256 << 20 }).class;
        assert_eq!(class(200 << 20), Class::Leak);
        assert_eq!(class(1 << 20), Class::Crash);
    }

    #[test]
    fn a_signal_is_told_in_words() {
        assert_eq!(signalled(11, 0), "a segmentation fault at a null pointer");
        assert_eq!(signalled(6, 77), "an abort");
        assert_eq!(signalled(8, 16), "an arithmetic exception at address 0x10");
    }
}
