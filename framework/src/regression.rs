//! A finding as a test of the map's own repository: it fails while the mistake is there, and passes when it is mended.
//!
//! Decisions count schedule points, so they lead to the finding in the very build that made them, and after any change
//! of the map they mean another execution. So the test first replays them, and then explores the one scenario: with so
//! many executions that the mistake would have been found by any of some seeds.

use std::fs;

use mapcheck_machine as machine;

use crate::campaign::{self, Subject, github};
use crate::decision::{Decision, DecisionKind};
use crate::oracle::Class;
use crate::replay;
use crate::report::Object;
use crate::repro::Repro;
use crate::settings::{Format, Settings};

/// The decision with which all threads but one are suspended.
const SUSPEND: DecisionKind = DecisionKind::Choice(machine::ChoiceKind::Suspend);
/// Searches that tell how many executions a mistake takes, each with a seed of its own.
const SEARCHES: u64 = 8;
/// Executions of a search at most.
const LIMIT: u64 = 20_000;
/// A test gets as many executions as the longest of the searches took, times this.
const MARGIN: u64 = 10;
/// What a test gets at least.
const LEAST: u64 = 1_000;

impl Settings {
    /// These settings for the scenario of a repro: they look for what the repro tells of, under the same faults and
    /// limits. Leaks and data races, which a map may be known to have besides, are judged only if the repro may be of
    /// them; all else always is.
    pub(crate) fn again(&self, repro: &Repro) -> Settings {
        let races = match repro.class {
            Class::DataRace => 1,
            Class::PrematureReclamation => self.races,
            _ => 0,
        };
        let suspends = |decision: &Decision| decision.kind == SUSPEND;
        Settings {
            faults: repro.faults.clone(),
            max_steps: repro.max_steps,
            patience: repro.patience,
            leaks: repro.class == Class::Leak,
            races,
            obstruction_freedom: repro.decisions.0.iter().any(suspends)
                || repro.history.as_ref().is_some_and(|history| history.suspend),
            keep_going: false,
            ..self.clone()
        }
    }
}

/// The report, if the decisions of a repro lead to a finding of its class in this build.
///
/// Nothing is replayed where the build is instrumented and the repro's was not: they would mean something else.
pub(crate) fn replayed(subject: &Subject<'_>, repro: &Repro) -> Result<Option<String>, String> {
    if repro.instrumented != machine::instrumented() {
        return Ok(None);
    }
    let replayed = replay::run(repro, subject.code(), 1)?;
    let report = replayed.finding().filter(|found| found.class == repro.class);
    if let Some(found) = report {
        let replay = format!("cargo mapcheck test {}", subject.target);
        github::annotate(found, &subject.target, &replay);
        github::summarise(found, &subject.target, &replay);
    }
    let from = "replayed from the decisions in the text of this test; ended after that\n";
    Ok(report.map(|found| format!("{}{from}", found.report)))
}

/// What a test of a repro has to say and to do, for `cargo mapcheck export-test`. `adapter` is the name of the
/// adapter's type.
///
/// The error is a sentence: the repro is of no use in this build, or mapcheck's own failure.
pub(crate) fn told(
    mut subject: Subject<'_>,
    repro: &Repro,
    adapter: &str,
) -> Result<Object, String> {
    let replayed = replay::run(repro, subject.code(), 1)?;
    let Some(finding) = replayed.finding().filter(|found| found.class == repro.class) else {
        return Err(format!(
            "the repro does not lead to its {} in this build: decisions count schedule points, so it holds for \
             the build that made it; make a new one with `cargo mapcheck check`",
            repro.class
        ));
    };
    // As in the test: this scenario, and no others that might be drawn.
    (subject.scenarios, subject.shapes) = (vec![repro.scenario.clone()], None);
    let searches = (0..SEARCHES).map(|seed| search(&subject, repro, seed));
    let taken = searches.collect::<Result<Vec<_>, _>>()?;
    Ok(Object::of_type("regression")
        .text("adapter", adapter)
        .text("target", &subject.target)
        .text("class", finding.class.name())
        .text("message", &finding.message)
        .text("report", &finding.report)
        .texts("accepts", &subject.accepts)
        .texts("searches", &taken.iter().map(number).collect::<Vec<_>>())
        .number("executions", budget(&taken)))
}

/// `12`, or `none` where nothing was found.
fn number(taken: &Option<u64>) -> String {
    taken.map_or_else(|| "none".to_owned(), |n| n.to_string())
}

/// How many executions a test gets, where searches took these.
fn budget(taken: &[Option<u64>]) -> u64 {
    let longest = taken.iter().map(|n| n.unwrap_or(LIMIT)).max().unwrap_or(LIMIT);
    // A number that somebody reads has few digits.
    let wanted = (longest * MARGIN).max(LEAST);
    wanted.next_multiple_of(10_u64.pow(wanted.ilog10().saturating_sub(1)))
}

/// How many executions a search makes until it finds something; `None` if it does not.
fn search(subject: &Subject<'_>, repro: &Repro, seed: u64) -> Result<Option<u64>, String> {
    // What is found is a mistake that has its repro already.
    let out = std::env::temp_dir().join(format!("mapcheck-regression-{}", std::process::id()));
    let settings = Settings { out: out.clone(), shrink: false, format: Format::Text, ..settings() };
    let settings = settings.seed(seed).executions(LIMIT).again(repro);
    let done = campaign::run_quietly(subject, &settings);
    // It lies among temporary files, and is small.
    let _ = fs::remove_dir_all(&out);
    Ok(done?.findings.first().map(|found| found.execution + 1))
}

/// Those of a test, which heeds no environment but for the number of workers.
fn settings() -> Settings {
    let workers = std::env::var("MAPCHECK_WORKERS").ok().and_then(|n| n.parse().ok());
    let usual = Settings::default();
    Settings { workers: workers.unwrap_or(usual.workers), ..usual }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repro::tests::repro;

    #[test]
    fn a_test_gets_ten_times_what_the_longest_search_took_and_no_less_than_a_thousand() {
        assert_eq!(budget(&[Some(3), Some(7)]), 1_000);
        assert_eq!(budget(&[Some(3), Some(1_234)]), 13_000);
        assert_eq!(budget(&[Some(3), None]), 200_000);
        assert_eq!(number(&None) + &number(&Some(5)), "none5");
    }

    #[test]
    fn leaks_and_races_are_judged_only_in_tests_that_may_be_of_them() {
        let of = |class| Settings::default().again(&Repro { class, ..repro() });
        assert!(of(Class::Leak).leaks && !of(Class::DataRace).leaks);
        assert_eq!((of(Class::DataRace).races, of(Class::Deadlock).races), (1, 0));
        assert_eq!(of(Class::PrematureReclamation).races, Settings::default().races);
        let again = of(Class::Livelock);
        assert_eq!((again.max_steps, &again.faults), (1000, &repro().faults));
        assert!(!again.obstruction_freedom);
        let suspended = Repro { decisions: "suspend:0@0=1".parse().unwrap(), ..repro() };
        assert!(Settings::default().again(&suspended).obstruction_freedom);
    }
}
