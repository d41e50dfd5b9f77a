//! `review`: what runs have found that the corpus does not know, and what becomes of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use toml::de::DeTable;

use crate::args;
use crate::commands::check::out_dir;
use crate::commands::list::wants_json;
use crate::commands::repro as replaying;
use crate::corpus::{Corpus, Found, Kept, Repro, Size, name_of};
use crate::error::{Error, exit};

/// Shows what is new, and accepts or rejects what the arguments, or else the reader at the terminal, say.
///
/// # Errors
/// When there is no out directory, or something cannot be copied or moved.
pub fn run(args: &args::Review) -> Result<i32, Error> {
    let json = wants_json(args.format);
    let mut review = Review::of(&out_dir(args.out.as_ref()), &args.corpus, json)?;
    if !args.accept.is_empty() || !args.reject.is_empty() {
        review.follow(args)?;
    } else if !json && io::stdin().is_terminal() && io::stdout().is_terminal() {
        review.ask(&mut io::stdin().lock(), &mut view)?;
    } else {
        review.list();
    }
    Ok(review.conclude())
}

/// Replays a repro for the reader.
fn view(path: &Path) {
    let args = args::Replay { repro: path.to_owned(), times: None };
    if let Err(error) = replaying::replay(&args) {
        error.print();
    }
}

/// What is new, as far as nobody has decided on it yet.
#[derive(Debug)]
struct Review {
    corpus: Corpus,
    out: PathBuf,
    findings: Vec<Repro>,
    scenarios: Vec<Kept>,
    /// Repros of what the corpus knows, or of the same mistakes as others that are new.
    known: usize,
    /// What was told of a repro, by the name of its file.
    headlines: BTreeMap<String, String>,
    json: bool,
}

/// What the reader at the terminal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Reject,
    View,
    Skip,
    Quit,
}

impl Review {
    fn of(out: &Path, corpus: &Path, json: bool) -> Result<Self, Error> {
        let found = Found::read(out)?;
        let (corpus, strange) = Corpus::read(corpus);
        for error in strange.iter().chain(&found.strange) {
            anstream::eprintln!("{} {error}; it is left alone", "warning:".yellow().bold());
        }
        let mut review = Self {
            headlines: found.repros.iter().fold(BTreeMap::new(), headlines_beside),
            scenarios: found.scenarios,
            findings: Vec::new(),
            known: 0,
            out: out.to_owned(),
            corpus,
            json,
        };
        for repro in found.repros {
            let again = review.findings.iter().any(|new| new.same_mistake(&repro));
            if again || review.corpus.knows(&repro).is_some() {
                review.known += 1;
            } else {
                review.findings.push(repro);
            }
        }
        review.scenarios.retain(|scenario| review.corpus.has(scenario).is_none());
        Ok(review)
    }

    /// Does what the arguments say.
    fn follow(&mut self, args: &args::Review) -> Result<(), Error> {
        for wanted in &args.accept {
            if wanted.as_os_str() == "all" {
                std::mem::take(&mut self.findings).iter().try_for_each(|r| self.accept(r))?;
                let scenarios = std::mem::take(&mut self.scenarios);
                scenarios.iter().try_for_each(|s| self.accept_scenario(s))?;
            } else if let Some(i) = self.scenarios.iter().position(|s| is_named(&s.path, wanted)) {
                let scenario = self.scenarios.remove(i);
                self.accept_scenario(&scenario)?;
            } else {
                let repro = self.wanted(wanted)?;
                self.accept(&repro)?;
            }
        }
        let because = args.because.as_deref().unwrap_or_default();
        for wanted in &args.reject {
            let repros = match wanted.as_os_str() == "all" {
                true => std::mem::take(&mut self.findings),
                false => vec![self.wanted(wanted)?],
            };
            repros.iter().try_for_each(|repro| self.reject(repro, because))?;
        }
        Ok(())
    }

    /// The repro that an argument names, by its path or by its file's name; it is decided on.
    fn wanted(&mut self, wanted: &Path) -> Result<Repro, Error> {
        match self.findings.iter().position(|repro| is_named(&repro.path, wanted)) {
            Some(i) => Ok(self.findings.remove(i)),
            None => Repro::read(wanted),
        }
    }

    fn accept(&mut self, repro: &Repro) -> Result<(), Error> {
        if self.is_known(repro) {
            return Ok(());
        }
        let to = self.corpus.accept(repro)?;
        self.did("accepted", &repro.path, &to, "");
        Ok(())
    }

    fn accept_scenario(&mut self, scenario: &Kept) -> Result<(), Error> {
        let to = self.corpus.accept_scenario(scenario)?;
        self.did("accepted", &scenario.path, &to, "");
        Ok(())
    }

    fn reject(&mut self, repro: &Repro, because: &str) -> Result<(), Error> {
        if self.is_known(repro) {
            return Ok(());
        }
        let to = self.corpus.reject(repro, because)?;
        self.did("rejected", &repro.path, &to, because);
        Ok(())
    }

    /// Whether there is nothing to decide on any more, which is said.
    fn is_known(&self, repro: &Repro) -> bool {
        let known = self.corpus.knows(repro);
        if let Some(by) = known {
            let (path, note) = (repro.path.display(), "note:".green().bold().to_string());
            anstream::eprintln!("{note} {path} is known by {}; nothing was done", by.display());
        }
        known.is_some()
    }

    /// Says what was done.
    fn did(&self, what: &str, from: &Path, to: &Path, because: &str) {
        let (from, to) = (from.display().to_string(), to.display().to_string());
        if self.json {
            let line = json!({"type": what, "from": from, "to": to, "because": because});
            anstream::println!("{line}");
        } else {
            anstream::println!("{what}: {from} is now {to}");
        }
    }

    /// Asks the reader about each.
    fn ask(&mut self, input: &mut dyn BufRead, view: &mut dyn FnMut(&Path)) -> Result<(), Error> {
        for repro in std::mem::take(&mut self.findings) {
            self.tell(&repro);
            match asked("[a]ccept, [r]eject, [v]iew, [s]kip, [q]uit", input, &mut || {
                view(&repro.path);
            }) {
                Answer::Accept => self.accept(&repro)?,
                Answer::Reject => {
                    let because = read_line("because (may be empty)", input).unwrap_or_default();
                    self.reject(&repro, &because)?;
                }
                Answer::Quit => return self.stop_at(Some(repro)),
                Answer::Skip | Answer::View => self.skipped(repro),
            }
        }
        Ok(())
    }

    /// Prints all that is new.
    fn list(&self) {
        self.findings.iter().for_each(|repro| self.tell(repro));
        self.scenarios.iter().for_each(|scenario| self.tell_scenario(scenario));
    }
}
