//! What the commands print, if anybody listens: `cargo mapcheck list | head -1` is no failure.

use std::fmt::Arguments;
use std::io::Write as _;

/// Writes to stdout.
pub fn write(what: Arguments<'_>) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_fmt(what).and_then(|()| stdout.flush());
}

/// As `print!`, by [`write`].
macro_rules! out {
    ($($what:tt)*) => {
        $crate::stdout::write(format_args!($($what)*))
    };
}

/// As `println!`, by [`write`].
macro_rules! outln {
    () => {
        out!("\n")
    };
    ($($what:tt)*) => {
        out!("{}\n", format_args!($($what)*))
    };
}
