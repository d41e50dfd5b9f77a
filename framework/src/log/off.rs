//! What there is without the feature `tracing`: nobody tells and nobody listens.

use mapcheck_machine::Stamp;

use super::Log;

pub(crate) fn install() {}

pub(crate) fn begin(_: bool, _: Option<&Log<'_>>) {}

/// A filter is refused: nothing would be shown.
///
/// The error is a fragment that goes on after variable and value.
pub(crate) fn check(_: &str) -> Result<(), String> {
    Err("asks for a log, and this build of mapcheck has none: switch on its feature `tracing`, such as by \
         `mapcheck = { …, features = [\"tracing\"] }` in the manifest of the crate that has the adapter"
        .to_owned())
}

pub(crate) fn listening() -> bool {
    false
}

pub(crate) fn is_spent() -> bool {
    false
}

pub(crate) fn is_telling() -> bool {
    false
}

pub(crate) fn lets_through(_: &'static str) -> bool {
    false
}

pub(crate) fn tell(_: &'static str, _: Stamp, _: &str) {}
