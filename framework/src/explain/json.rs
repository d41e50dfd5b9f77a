//! An explanation as JSON, the form in which runners hand it to the command: see `docs/explanation.schema.json`.

use mapcheck_machine::Reason;

use super::graph::{self, Graph, Pointer};
use super::sources::{self, Excerpt};
use super::story::{Line, Story, Suspect};
use super::timeline::{self, Bar, Run};
use super::{Shown, flow::Flow, plot::Plot};
use crate::campaign::replay_command;
use crate::log::Note;
use crate::report::{self, Finding, Object, Place};
use crate::repro::MAPCHECK;
use crate::scenario::Scenario;
use crate::worker::tape::{Chosen, Tape};

/// The format of explanations.
const FORMAT: u64 = 1;

/// What is known without a tape: of findings that need a process's history, or that kill theirs.
pub(super) fn bare(shown: &Shown<'_>, finding: &Finding, threads: u64) -> Object {
    let Shown { repro, path, .. } = shown;
    let scenario = &repro.scenario;
    let mutant = repro.mutant.as_ref().map(|name| shown.mutant(name));
    Object::of_type("explanation")
        .number("format", FORMAT)
        .text("mapcheck", MAPCHECK)
        .text("target", &repro.target)
        .text("versions", &repro.versions)
        .text("scenario", &scenario.name)
        .text("repro", &report::from_here(path))
        .text("replay", &replay_command(path))
        .optional_text("mutant", mutant.as_deref())
        .texts("injected", &report::injected(repro))
        .text("class", finding.class.name())
        .text("message", &finding.message)
        .text("site", &finding.site)
        .objects("threads", (0..threads).map(|thread| thread_of(scenario, thread as usize)))
        .texts("order", &repro.order)
        .text("inflection", &repro.inflection)
        .optional_number("inflection_step", inflection_step(&repro.inflection))
        .text("report", &finding.report)
}

/// The number in `after 64 of 90 steps …`.
fn inflection_step(sentence: &str) -> Option<u64> {
    let rest = sentence.strip_prefix("after ")?;
    rest.split(' ').next()?.parse().ok()
}

fn thread_of(scenario: &Scenario, thread: usize) -> Object {
    let roles = scenario.roles();
    let name = match thread.checked_sub(1).and_then(|nth| roles.get(nth)) {
        Some(role) => (*role).to_owned(),
        None if thread == 0 => "root".to_owned(),
        None => format!("thread {thread}"),
    };
    Object::default().number("id", thread as u64).text("name", &name)
}

/// Adds what the tape tells, of an execution of so many steps; an empty one tells nothing.
pub(super) fn with_tape(
    object: Object,
    (flow, plot): (&Flow<'_>, &Plot),
    story: &Story,
    (notes, steps): (&[Note], u64),
    shown: &Shown<'_>,
) -> Object {
    let (scenario, home) = (&shown.repro.scenario, shown.code.home);
    let tape = flow.tape;
    let runs = timeline::runs(tape, steps);
    let bars = timeline::bars(tape, &runs, steps);
    let graph = graph::graph(flow, plot);
    let excerpts = sources::excerpts(&story.walk, home);
    let object = object
        .texts("summary", &story.summary)
        .objects("suspects", story.suspects.iter().map(suspect))
        .number("steps", steps)
        .objects("operations", bars.iter().filter_map(|b| bar(b, scenario)))
        .objects("runs", runs.iter().map(run))
        .objects("faults", tape.choices.iter().filter_map(|c| fault(c, shown)))
        .objects("notes", notes.iter().take(NOTES).map(note))
        .optional_number("block", plot.block.map(|block| block as u64))
        .objects("walk", story.walk.iter().map(|l| line(l, scenario)))
        .texts("why", &story.why);
    let roots = roots(&graph);
    object
        .objects("blocks", graph.blocks.iter().map(|b| block(*b, tape, scenario)))
        .objects("roots", roots.iter().enumerate().map(|(nth, _)| root(nth)))
        .objects("pointers", graph.pointers.iter().map(|p| pointer(p, &roots)))
        .objects("sources", excerpts.iter().map(excerpt))
}

fn place(place: &Place) -> Object {
    Object::default().text("site", &place.site).text("function", &place.function)
}

fn suspect(suspect: &Suspect) -> Object {
    Object::default().text("why", suspect.why).objects("places", suspect.places.iter().map(place))
}

fn operation_of(scenario: &Scenario, label: u32) -> String {
    scenario.operation(label).filter(|_| label > 0).map_or_else(String::new, |o| o.text)
}

fn line(line: &Line, scenario: &Scenario) -> Object {
    Object::default()
        .text("role", line.role)
        .number("thread", line.at.thread.into())
        .number("step", line.at.step)
        .text("operation", &operation_of(scenario, line.at.label))
        .text("what", &line.what)
        .objects("places", line.places.iter().map(place))
        .text("note", &line.note)
}

fn bar(bar: &Bar, scenario: &Scenario) -> Option<Object> {
    let text = operation_of(scenario, bar.label);
    let object = || {
        Object::default()
            .number("thread", bar.thread.into())
            .text("text", &text)
            .number("from", bar.from)
            .number("to", bar.to)
    };
    (!text.is_empty()).then(object)
}

fn run(run: &Run) -> Object {
    let ends = match run.ends {
        Some(Reason::Point) => "preempted",
        Some(Reason::Yield) => "yields",
        Some(Reason::Blocked) => "waits",
        None => "end",
    };
    Object::default()
        .number("thread", run.thread.into())
        .number("from", run.from)
        .number("to", run.to)
        .text("ends", ends)
}

fn fault(chosen: &Chosen, shown: &Shown<'_>) -> Option<Object> {
    let text = report::injects(shown.repro, &chosen.decision())?;
    Some(
        Object::default()
            .number("thread", chosen.thread.into())
            .number("step", chosen.step)
            .text("text", &text),
    )
}

/// Notes that are shown at most.
const NOTES: usize = 2_000;

fn note(note: &Note) -> Object {
    Object::default()
        .number("thread", note.thread.into())
        .number("step", note.step)
        .text("level", note.level)
        .text("target", &note.target)
        .text("text", &note.text)
}

fn block(block: usize, tape: &Tape, scenario: &Scenario) -> Object {
    let of = tape.blocks[block];
    let size = of.size as u64;
    Object::default()
        .number("id", block as u64)
        .text("name", &format!("{size} bytes"))
        .text("from", &operation_of(scenario, of.alloc.label))
        .number("size", size)
        .number("allocated", of.alloc.step)
        .number("by", of.alloc.thread.into())
        .optional_number("freed", of.free.map(|freed| freed.step))
        .optional_number("freed_by", of.free.map(|freed| freed.thread.into()))
}

/// The first number of what is no block.
const ROOTS: usize = 1_000_000;

/// The words outside the heap that point to what is shown.
fn roots(graph: &Graph) -> Vec<usize> {
    let mut roots: Vec<usize> = graph.pointers.iter().filter_map(|p| p.holder.err()).collect();
    roots.sort_unstable();
    roots.dedup();
    roots
}

fn root(nth: usize) -> Object {
    Object::default().number("id", (ROOTS + nth) as u64).text("name", "outside the heap")
}

fn pointer(pointer: &Pointer, roots: &[usize]) -> Object {
    let nth = |addr| ROOTS + roots.binary_search(&addr).unwrap_or_default();
    let holder = pointer.holder.unwrap_or_else(nth);
    Object::default()
        .number("holder", holder as u64)
        .number("offset", pointer.offset as u64)
        .number("to", pointer.to.0 as u64)
        .number("to_offset", pointer.to.1 as u64)
        .number("since", pointer.since)
        .optional_number("until", pointer.until)
        .number("by", pointer.by.into())
}

fn excerpt(excerpt: &Excerpt) -> Object {
    let mark = |(line, role): &(usize, &'static str)| {
        Object::default().number("line", *line as u64).text("role", role)
    };
    Object::default()
        .text("file", &excerpt.file)
        .number("first", excerpt.first as u64)
        .texts("lines", &excerpt.lines)
        .objects("marks", excerpt.marks.iter().map(mark))
}
