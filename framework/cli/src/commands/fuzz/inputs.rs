//! Keeping inputs: those that show what no other does.

use std::fs;
use std::path::Path;

use owo_colors::OwoColorize as _;
use tokio::sync::{mpsc, watch};

use super::plan::{Plan, count};
use crate::error::{Error, exit};
use crate::supervisor::{Event, Signals, run_once};

/// Adds to `into` the inputs of this run that show what those in it do not, as few as there need to be; how many these
/// are. They stay where they are as well.
///
/// # Errors
/// When the folder cannot be made.
pub async fn keep(plan: &Plan, into: &Path, signals: &mut Signals) -> Result<usize, Error> {
    fs::create_dir_all(into).map_err(|e| Error::write(into, e))?;
    let before = count(into);
    let (events, mut told) = mpsc::unbounded_channel();
    let asked = watch::channel(0).0;
    tokio::spawn(run_once(0, plan.merge(into), events, asked.subscribe()));
    let mut printed = Vec::new();
    let code = loop {
        tokio::select! {
            event = told.recv() => match event {
                Some(Event::Line(_, _, line)) => printed.extend(line),
                Some(Event::Ended(_, code)) => break code,
                Some(Event::Progress(..)) => {}
                None => break None,
            },
            () = signals.recv() => asked.send_modify(|asked| *asked += 1),
        }
    };
    let log = plan.log("merge");
    fs::write(&log, printed).map_err(|e| Error::write(&log, e))?;
    if !matches!(code, Some(Ok(exit::CLEAN))) {
        let warning = "warning:".yellow().bold().to_string();
        let (inputs, log) = (plan.inputs(), log.display());
        anstream::eprintln!(
            "{warning} not all inputs were kept: see {log}; they are in {}",
            inputs.display()
        );
    }
    Ok(count(into).saturating_sub(before))
}
