//! internment 0.8.6: if a hash or a comparison panics as the last handle of a value is dropped, nobody can ever intern
//! an equal value again.
//!
//! Safe code, one thread at a time, no timing. Ends with 1 if interning it does not return within two seconds.

use std::process::ExitCode;
use std::time::Duration;

use internment::ArcIntern;
use mapcheck_reproductions::{Key, ends_within, panic_at, panicked, silence_panics};

fn main() -> ExitCode {
    silence_panics();
    let held = ArcIntern::new(Key(1));
    let unwound = panicked(|| {
        panic_at(0);
        drop(held);
    });
    println!("dropping the last handle panicked: {unwound}");
    println!("values interned: {}", ArcIntern::<Key>::num_objects_interned());
    let another = ends_within(Duration::from_secs(2), || drop(ArcIntern::new(Key(2))));
    let equal = ends_within(Duration::from_secs(2), || drop(ArcIntern::new(Key(1))));
    println!("interning another value returned: {another}; an equal one: {equal}");
    if equal { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
