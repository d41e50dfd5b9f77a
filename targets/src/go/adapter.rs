//! Drives Go's maps as Go programs do: one that synchronises, and one that does not.

mod object;
mod racing;
mod synchronised;

pub use self::racing::RacingGoMap;
pub use self::synchronised::{Adapted, Synchronised};

/// The map of Go 1.23 and before, in a program that synchronises.
pub type GoMap<E> = Synchronised<E, super::classic::ClassicMap<E>>;
/// The map of Go 1.24 and later, in a program that synchronises.
pub type GoSwissMap<E> = Synchronised<E, super::swiss::SwissMap<E>>;

#[cfg(test)]
mod tests;
