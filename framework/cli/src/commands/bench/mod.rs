//! `bench`: has everything measured that somebody measures, and shows it as text, as JSON lines and as a page.

mod mutants;

use std::path::Path;

use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use crate::args::Bench;
use crate::bench::machine::{self, Machine};
use crate::bench::producers::{self, Producer, Started};
use crate::bench::{Results, distinct, page, place, text};
use crate::cargo::{self, Cargo};
use crate::commands::list::wants_json;
use crate::commands::run_for_lines;
use crate::error::{Error, exit};
use crate::runners::{Runner, Runners};
use crate::summary::worse;

/// The group that the command measures itself: with the runners' own search for mutants.
const MUTANTS: &str = "faults";

/// Measures, or reads what was measured, and shows it.
///
/// # Errors
/// When there is nothing to measure, a file is unusable, or the page cannot be written.
pub fn run(bench: &Bench) -> Result<i32, Error> {
    // What was measured for minutes is not to be lost for want of a name.
    let taken = bench.html.as_ref().filter(|path| *path != Path::new("-") && path.exists());
    if let Some(path) = taken {
        return Err(Error::PageExists { path: path.clone() });
    }
    match &bench.from {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|e| Error::read(file, e))?;
            let results = Results::parse(&text)
                .map_err(|what| Error::Figures { path: file.clone(), what })?;
            let told = if wants_json(bench.format) { text } else { text::text(&results) };
            finish(bench, &results, &told)?;
            Ok(exit::CLEAN)
        }
        None => measure(bench),
    }
}

/// Measures the groups that are wanted; the exit code.
fn measure(bench: &Bench) -> Result<i32, Error> {
    let machine = Machine::here(bench.quick);
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let producers = producers::all(&runners.0, &metadata)?;
    let groups = groups(bench, &producers)?;
    let mut sink = Sink::new(bench, Results::on(machine));
    let cargo = Cargo::new(&metadata)?;
    let members: Vec<&Runner> = runners.0.iter().filter(|runner| runner.is_member()).collect();
    let built = sink.build(&producers, &groups, &cargo);
    for group in &groups {
        if sink.interrupted {
            break;
        }
        if group == MUTANTS {
            let told = mutants::figures(&cargo, &members, bench, &mut |line| sink.take(line));
            sink.ended(MUTANTS, group, told);
        }
        for (producer, started) in built.iter().filter(|(producer, _)| producer.measures(group)) {
            sink.run(producer, started, group);
        }
    }
    sink.finish()
}

/// The groups that are wanted, in order.
fn groups(bench: &Bench, producers: &[Producer<'_>]) -> Result<Vec<String>, Error> {
    let declared = producers.iter().flat_map(|producer| &producer.groups).cloned();
    if producers.is_empty() && bench.groups.is_empty() {
        return Err(Error::NoBench);
    }
    let mut known = distinct(declared.chain([MUTANTS.to_owned()]));
    known.sort_by_key(|group| place(group));
    if let Some(name) = bench.groups.iter().find(|group| !known.contains(group)) {
        return Err(Error::UnknownGroup { name: name.clone(), known });
    }
    let wanted = |group: &String| match &bench.groups[..] {
        [] => group != MUTANTS,
        named => named.contains(group),
    };
    known.retain(wanted);
    Ok(known)
}

/// Where everything that is told goes.
struct Sink<'a> {
    bench: &'a Bench,
    results: Results,
    /// Whether lines are printed as they come.
    json: bool,
    code: i32,
    interrupted: bool,
}

impl<'a> Sink<'a> {
    fn new(bench: &'a Bench, results: Results) -> Self {
        let json = wants_json(bench.format) && !is_stdout(bench);
        if json {
            outln!("{}", results.machine.line());
        }
        Self { bench, results, json, code: exit::CLEAN, interrupted: false }
    }

    /// Builds those that measure one of the groups, before anything is measured.
    fn build<'p, 'r>(
        &mut self,
        producers: &'p [Producer<'r>],
        groups: &[String],
        cargo: &Cargo,
    ) -> Vec<(&'p Producer<'r>, Started)> {
        let mut built = Vec::new();
        let wanted = |producer: &&Producer<'_>| groups.iter().any(|group| producer.measures(group));
        for producer in producers.iter().filter(wanted) {
            match producer.build(cargo, groups) {
                Ok(started) => built.push((producer, started)),
                Err(error) => self.failed(&producer.name, "", &error),
            }
        }
        built
    }

    /// Has a group measured.
    fn run(&mut self, producer: &Producer<'_>, started: &Started, group: &str) {
        if self.interrupted {
            return;
        }
        let command = started.command(group, self.bench);
        let each = &mut |line: &Value| self.take(line);
        let ran = run_for_lines(command, &producer.name, &format!("measuring {group}"), each);
        match ran {
            Ok(ran) if ran.interrupted || ran.code == exit::KILLED => {
                self.interrupted = true;
                self.code = worse(
                    self.code,
                    if ran.code == exit::KILLED { ran.code } else { exit::BUDGET },
                );
            }
            Ok(ran) if ran.code != exit::CLEAN => {
                let how = format!("ended with code {}", ran.code);
                let error = Error::Runner { runner: producer.name.clone(), how };
                self.failed(&producer.name, group, &error);
            }
            Ok(_) => {}
            Err(error) => self.failed(&producer.name, group, &error),
        }
    }

    /// How the command's own measuring ended: false if somebody asked for the end.
    fn ended(&mut self, name: &str, group: &str, how: Result<bool, Error>) {
        match how {
            Ok(true) => {}
            Ok(false) => {
                self.interrupted = true;
                self.code = worse(self.code, exit::BUDGET);
            }
            Err(error) => self.failed(name, group, &error),
        }
    }

    /// Takes a line in, and prints it if lines are wanted.
    fn take(&mut self, line: &Value) {
        if self.json {
            outln!("{line}");
        }
        if let Err(what) = self.results.take(line) {
            self.code = worse(self.code, exit::INTERNAL);
            anstream::eprintln!("{} a line {what}: {line}", "warning:".yellow().bold());
        }
    }

    /// Says what went wrong, and goes on: the others are shown all the same.
    fn failed(&mut self, producer: &str, group: &str, error: &Error) {
        error.print();
        self.code = worse(self.code, exit::INTERNAL);
        let line = json!({"type": "failed", "producer": producer, "group": group, "how": error.to_string()});
        self.take(&line);
    }

    /// Shows everything; the exit code.
    fn finish(mut self) -> Result<i32, Error> {
        self.results.load = machine::load();
        self.results.ended = machine::now();
        let told = match self.json {
            true => format!("{}\n", self.results.summary()),
            false => text::text(&self.results),
        };
        finish(self.bench, &self.results, &told)?;
        Ok(self.code)
    }
}

/// Whether the page goes to stdout, and nothing else does.
fn is_stdout(bench: &Bench) -> bool {
    bench.html.as_deref() == Some(Path::new("-"))
}

/// Prints what is told, and writes the page.
fn finish(bench: &Bench, results: &Results, told: &str) -> Result<(), Error> {
    let Some(path) = &bench.html else {
        out!("{told}");
        return Ok(());
    };
    let page = page::page(results).into_string();
    if is_stdout(bench) {
        out!("{page}");
        return Ok(());
    }
    out!("{told}");
    let mut file = std::fs::File::create_new(path).map_err(|e| Error::write(path, e))?;
    std::io::Write::write_all(&mut file, page.as_bytes()).map_err(|e| Error::write(path, e))?;
    anstream::eprintln!("wrote {}", path.display());
    Ok(())
}
