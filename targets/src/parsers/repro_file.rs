//! Repro files, scenarios, decisions and findings, as text.

use arbitrary::Unstructured;
use cargo_mapcheck::fuzzing;
use mapcheck::decision::Decisions;
use mapcheck::fault;
use mapcheck::parsers;
use mapcheck::repro::{History, Learnt, Repro};
use mapcheck::scenario::{Op, Scenario};
use mapcheck::scheduler;

use super::{Bytes, assert_fragment, number, one_in, one_of, some, text};

/// What begins the error of a text that is no repro.
const REFUSED: &str = "is not a repro, or only a part of one: ";

/// Reads the bytes as text, and makes a repro of them that is written and read.
pub fn repro_file(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    as_repro(&shown);
    as_scenario(&shown);
    if let Err(error) = fuzzing::manifest(&shown) {
        assert_fragment(&error, "");
    }
    let wrapper = fuzzing::configuration(&shown);
    assert!(wrapper.is_none_or(|wrapper| wrapper.len() <= "dir/".len() + shown.len()));
    as_decisions(&shown);
    if let Err(error) = parsers::finding_reads_back(&shown).map(|same| assert!(same)) {
        assert_fragment(&error, "");
    }
    written(&mut Unstructured::new(bytes));
}

fn as_repro(text: &str) {
    let by_command = fuzzing::repro(text);
    match Repro::from_text(text) {
        Ok(repro) => {
            assert_eq!(Repro::from_text(&repro.to_text()), Ok(repro.clone()));
            assert_eq!(by_command, Ok(told(&repro)), "the command reads another repro");
            parsers::prepare(&repro);
        }
        Err(error) => assert_fragment(&error, REFUSED),
    }
    if let Err(error) = fuzzing::repro(text) {
        assert_fragment(&error, if error.starts_with("has format") { "" } else { REFUSED });
    }
}

/// What the command is to read of a repro.
fn told(repro: &Repro) -> fuzzing::Repro {
    fuzzing::Repro {
        target: repro.target.clone(),
        class: repro.class.to_string(),
        site: repro.site.clone(),
        earlier_site: repro.earlier_site.clone(),
        mutant: repro.mutant.clone().unwrap_or_default(),
        scenario: repro.scenario.name.clone(),
        size: (repro.scenario.threads.len(), repro.scenario.operations()),
        decisions: repro.decisions.0.len(),
        history: repro.history.as_ref().map_or(0, |history| history.executions),
    }
}

fn as_scenario(text: &str) {
    let by_command = fuzzing::scenario(text);
    match Scenario::from_text(text) {
        Ok(scenario) => {
            assert_eq!(by_command.as_ref(), Ok(&scenario.name));
            assert_eq!(Scenario::from_text(&scenario.to_text()), Ok(scenario));
        }
        Err(error) => assert_fragment(&error, "is not a scenario: "),
    }
    if let Err(error) = by_command {
        assert_fragment(&error, "file is not a scenario: ");
    }
}

fn as_decisions(text: &str) {
    match text.parse::<Decisions>() {
        Ok(decisions) => {
            assert_eq!(decisions.to_string().parse(), Ok(decisions.clone()));
            for decision in decisions.0 {
                assert_eq!(mapcheck::decision::Decision::unpack(decision.pack()), Some(decision));
            }
        }
        Err(error) => assert!(error.to_string().starts_with("malformed decision `")),
    }
}

/// Makes a repro, and reads what is written of it.
fn written(bytes: Bytes<'_, '_>) {
    let Some(repro) = drawn(bytes) else { return };
    let read = Repro::from_text(&repro.to_text());
    assert_eq!(read.as_ref(), Ok(&repro));
    assert_eq!(fuzzing::repro(&repro.to_text()), Ok(told(&repro)));
    parsers::prepare(&repro);
}

fn drawn(bytes: Bytes<'_, '_>) -> Option<Repro> {
    let class = one_of(&["crash", "data-race", "leak", "not-linearizable"], bytes).parse().ok()?;
    Some(Repro {
        mapcheck: text(bytes),
        target: text(bytes),
        versions: text(bytes),
        runner: text(bytes),
        test: one_in(4, bytes).then(|| text(bytes)),
        instrumented: one_in(2, bytes),
        class,
        site: text(bytes),
        earlier_site: text(bytes),
        random: number(bytes),
        max_steps: number(bytes),
        patience: number(bytes),
        faults: some(3, bytes, |bytes| one_of(fault::NAMES, bytes).0),
        mutant: one_in(4, bytes).then(|| text(bytes)),
        decisions: Decisions(some(20, bytes, decision).into_iter().flatten().collect()),
        history: one_in(2, bytes).then(|| history(bytes)),
        order: some(3, bytes, text),
        inflection: text(bytes),
        scenario: scenario(bytes),
    })
}

/// A decision; none where the packed word is none, or not one that is written.
fn decision(bytes: Bytes<'_, '_>) -> Option<mapcheck::decision::Decision> {
    let decision = mapcheck::decision::Decision::unpack(number(bytes) | 1 << 63)?;
    decision.to_string().parse().ok()
}

fn history(bytes: Bytes<'_, '_>) -> History {
    History {
        scheduler: one_of(scheduler::NAMES, bytes).0.to_owned(),
        seed: number(bytes),
        bound: one_in(2, bytes).then(|| number(bytes)),
        suspend: one_in(2, bytes),
        first: number(bytes),
        executions: number(bytes),
        learnt: Learnt { scheduler: some(100, bytes, number), features: some(9, bytes, number) },
    }
}

fn scenario(bytes: Bytes<'_, '_>) -> Scenario {
    let ops = |bytes: Bytes<'_, '_>| some(6, bytes, operation).into_iter().flatten().collect();
    Scenario {
        name: text(bytes),
        family: text(bytes),
        collide: number(bytes) as u32,
        elements: one_in(2, bytes),
        setup: ops(bytes),
        threads: some(4, bytes, ops),
        teardown: ops(bytes),
    }
}

/// The words of operations; `K` stands for keys and `N` for a number.
const OPERATIONS: [&str; 27] = [
    "insert K",
    "remove K",
    "exit remove K",
    "get N",
    "get N hold",
    "get N remove",
    "iterate",
    "iterate hold",
    "iterate nested",
    "iterate nested remove-current N",
    "iterate remove-current N",
    "iterate hold remove-visited N",
    "iterate remove-unvisited K at N",
    "iterate remove K at N",
    "iterate hold insert K at N",
    "iterate stop N",
    "iterate clear at N",
    "iterate refill K at N",
    "iterate outgrow K at N",
    "iterate reclaim at N",
    "iterate churn K at N",
    "reserve N",
    "shrink",
    "clear",
    "retain even",
    "reclaim",
    "len",
];

/// An operation; none where there are no such keys, or there is no such visit.
fn operation(bytes: Bytes<'_, '_>) -> Option<Op> {
    let keys = match one_in(2, bytes) {
        true => format!("{}..{}", number(bytes), number(bytes)),
        false => number(bytes).to_string(),
    };
    let text = one_of(&OPERATIONS, bytes).replace('K', &keys);
    text.replace('N', &number(bytes).to_string()).parse().ok()
}
