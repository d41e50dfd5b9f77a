//! What somebody else's search has found: settled, saved and told as if it were a campaign's own.

use std::path::PathBuf;
use std::time::Duration;

use super::console::{Console, Told};
use super::{Subject, confirm, known, replay_command};
use crate::report::Finding;
use crate::repro::Repro;
use crate::settings::Settings;
use crate::worker::watch;

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    /// Its repro is here.
    Saved(PathBuf),
    /// It is known already.
    Known,
    /// Its decisions do not find it a second time.
    NotAgain,
}

/// Replays, shrinks, saves and prints what was seen under the decisions of a repro.
///
/// The error is a sentence about a failure of mapcheck or of the system.
pub(crate) fn import(
    subject: &Subject<'_>,
    settings: &Settings,
    repro: Repro,
    seen: &Finding,
) -> Result<Imported, String> {
    let found = watch::replay(subject.code(), &repro, true)?;
    let Some(finding) = found.filter(|f| f.same_as(seen)) else { return Ok(Imported::NotAgain) };
    let repro = repro.with_sites_of(&finding);
    let known = known(settings, &subject.target);
    if !repro.site.is_empty() && known.iter().any(|known| known.same_mistake(&repro)) {
        return Ok(Imported::Known);
    }
    let settled = confirm::settle_alone(subject, settings, repro, finding)?;
    let path = settled.repro.save(&settings.out)?;
    Console::new(settings.format, &subject.target).finding(&Told {
        finding: &settled.finding,
        scenario: &settled.repro.scenario.name,
        execution: 0,
        cpu: Duration::ZERO,
        repro: Some(&path),
        replay: &replay_command(&path),
        notes: &settled.notes,
    });
    Ok(Imported::Saved(path))
}
