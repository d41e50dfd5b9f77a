//! `review`: what runs have found that the corpus does not know, and what becomes of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, IsTerminal as _};
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
            let scenarios = self.scenarios_named(wanted);
            scenarios.iter().try_for_each(|scenario| self.accept_scenario(scenario))?;
            let repros = self.repros_named(wanted, !scenarios.is_empty())?;
            repros.iter().try_for_each(|repro| self.accept(repro))?;
        }
        let because = args.because.as_deref().unwrap_or_default();
        for wanted in &args.reject {
            let repros = self.repros_named(wanted, false)?;
            repros.iter().try_for_each(|repro| self.reject(repro, because))?;
        }
        Ok(())
    }

    /// Takes the new scenarios that an argument names: several targets may have the same.
    fn scenarios_named(&mut self, wanted: &Path) -> Vec<Kept> {
        let scenarios = std::mem::take(&mut self.scenarios).into_iter();
        let (named, left) = scenarios.partition(|scenario| is_named(&scenario.path, wanted));
        self.scenarios = left;
        named
    }

    /// Takes the new repros that an argument names; where there is none, and there must be, it is a file elsewhere.
    fn repros_named(&mut self, wanted: &Path, may_be_none: bool) -> Result<Vec<Repro>, Error> {
        let repros = std::mem::take(&mut self.findings).into_iter();
        let (named, left): (Vec<_>, _) = repros.partition(|repro| is_named(&repro.path, wanted));
        self.findings = left;
        let may_be_none = may_be_none || is_all(wanted) || !named.is_empty();
        if may_be_none { Ok(named) } else { Ok(vec![Repro::read(wanted)?]) }
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
            outln!("{line}");
        } else {
            outln!("{what}: {from} is now {to}");
        }
    }

    /// Asks the reader about each.
    fn ask(&mut self, input: &mut dyn BufRead, view: &mut dyn FnMut(&Path)) -> Result<(), Error> {
        let mut at = 0;
        while let Some(repro) = self.findings.get(at).cloned() {
            self.tell(&repro);
            match answer("[a]ccept, [r]eject, [v]iew, [s]kip, [q]uit", input) {
                Answer::View => view(&repro.path),
                Answer::Skip => at += 1,
                Answer::Quit => return Ok(()),
                Answer::Accept => {
                    self.findings.remove(at);
                    self.accept(&repro)?;
                }
                Answer::Reject => {
                    let because = read("because (may be empty)", input).unwrap_or_default();
                    self.findings.remove(at);
                    self.reject(&repro, &because)?;
                }
            }
        }
        self.ask_of_scenarios(input)
    }

    fn ask_of_scenarios(&mut self, input: &mut dyn BufRead) -> Result<(), Error> {
        let mut at = 0;
        while let Some(scenario) = self.scenarios.get(at).cloned() {
            self.tell_scenario(&scenario);
            match answer("[a]ccept, [s]kip, [q]uit", input) {
                Answer::Accept => {
                    self.scenarios.remove(at);
                    self.accept_scenario(&scenario)?;
                }
                Answer::Quit => return Ok(()),
                _ => at += 1,
            }
        }
        Ok(())
    }

    /// Prints all that is new.
    fn list(&self) {
        self.findings.iter().for_each(|repro| self.tell(repro));
        self.scenarios.iter().for_each(|scenario| self.tell_scenario(scenario));
    }

    /// Prints a finding.
    fn tell(&self, repro: &Repro) {
        let headline = self.headlines.get(&name_of(&repro.path)).map_or("", String::as_str);
        if self.json {
            return outln!("{}", finding_line(repro, headline));
        }
        let class = format!("{}:", repro.class);
        let mutant = match repro.mutant.as_str() {
            "" => String::new(),
            mutant => format!(" with {mutant}"),
        };
        outln!("{} {}{mutant}", class.red().bold(), repro.target.bold());
        row("what", headline);
        row("site", &repro.site);
        row("earlier", &repro.earlier_site);
        row("scenario", &repro.scenario);
        row("size", &size_of(repro));
        row("replay", &replay_command(&repro.path));
    }

    /// Prints a scenario.
    fn tell_scenario(&self, scenario: &Kept) {
        let Kept { path, target, name, size } = scenario;
        let path = path.display().to_string();
        if self.json {
            let Size { threads, operations } = size;
            let line = json!({"type": "new-scenario", "target": target, "name": name, "threads": threads + 1,
                "operations": operations, "file": path});
            return outln!("{line}");
        }
        outln!("{} {}", "scenario:".cyan().bold(), target.bold());
        row("size", &counted_size(size));
        row("file", &path);
    }

    /// Prints how much is left; the exit code says whether any of it is a finding.
    fn conclude(&self) -> i32 {
        let (new, scenarios, known) = (self.findings.len(), self.scenarios.len(), self.known);
        if self.json {
            let line =
                json!({"type": "review", "new": new, "known": known, "scenarios": scenarios});
            outln!("{line}");
        } else {
            let out = self.out.display();
            let (new, known) = (counted(new, "new finding"), counted(known, "known one"));
            let scenarios = counted(scenarios, "new scenario");
            outln!("{out}: {new}, {known}; {scenarios}");
        }
        if new == 0 { exit::CLEAN } else { exit::FINDING }
    }
}

/// A finding as a JSON line.
fn finding_line(repro: &Repro, headline: &str) -> Value {
    json!({
        "type": "new-finding",
        "target": repro.target,
        "class": repro.class,
        "mutant": repro.mutant,
        "site": repro.site,
        "earlier_site": repro.earlier_site,
        "message": headline,
        "scenario": repro.scenario,
        "threads": repro.size.threads + 1,
        "operations": repro.size.operations,
        "decisions": repro.decisions,
        "repro": repro.path.display().to_string(),
        "replay": replay_command(&repro.path),
    })
}

fn replay_command(path: &Path) -> String {
    format!("cargo mapcheck replay {}", path.display())
}

fn row(name: &str, what: &str) {
    if !what.is_empty() {
        outln!("  {name:<8} {what}");
    }
}

fn size_of(repro: &Repro) -> String {
    let decisions = counted(repro.decisions, "decision");
    let history = match repro.history {
        0 => String::new(),
        n => format!("; needs {n} executions in a row"),
    };
    format!("{}, {decisions}{history}", counted_size(&repro.size))
}

fn counted_size(size: &Size) -> String {
    format!("{}, {}", counted(size.threads, "thread"), counted(size.operations, "operation"))
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Whether an argument means all there is.
fn is_all(wanted: &Path) -> bool {
    wanted.as_os_str() == "all"
}

/// Whether an argument means this file: it means all, or is the file's name, or a path to it.
fn is_named(path: &Path, wanted: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    is_all(wanted)
        || wanted.as_os_str() == path.file_name().unwrap_or_default()
        || real(wanted).is_some_and(|wanted| Some(wanted) == real(path))
}

/// A line of the reader's; `None` when there are no more.
fn read(prompt: &str, input: &mut dyn BufRead) -> Option<String> {
    out!("{prompt}: ");
    let mut line = String::new();
    let read = input.read_line(&mut line);
    read.is_ok_and(|bytes| bytes > 0).then(|| line.trim().to_owned())
}

/// What the reader wants: the first letter counts, if it is one of the choices in brackets.
fn answer(choices: &str, input: &mut dyn BufRead) -> Answer {
    loop {
        let Some(line) = read(choices, input) else { return Answer::Quit };
        let letter = line.chars().next().unwrap_or(' ').to_ascii_lowercase();
        if choices.contains(&format!("[{letter}]")) {
            return match letter {
                'a' => Answer::Accept,
                'r' => Answer::Reject,
                'v' => Answer::View,
                's' => Answer::Skip,
                _ => Answer::Quit,
            };
        }
    }
}

/// Adds what the journals beside a repro say of the repros there; each folder's journals are read once.
fn headlines_beside(
    mut known: BTreeMap<String, String>,
    repro: &Repro,
) -> BTreeMap<String, String> {
    let folder = repro.path.parent().unwrap_or(Path::new("."));
    if !known.contains_key(&name_of(&repro.path)) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
        let journals = entries.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        journals.for_each(|path| known.extend(headlines(&fs::read(path).unwrap_or_default())));
    }
    known
}

/// What a journal says of repros, by the names of their files.
pub fn headlines(journal: &[u8]) -> BTreeMap<String, String> {
    let told = |line: &&[u8]| line.starts_with(br#"{"type":"told""#);
    let lines = journal.split(|byte| *byte == b'\n').filter(told);
    lines.filter_map(|line| headline(&serde_json::from_slice(line).ok()?)).collect()
}

fn headline(told: &Value) -> Option<(String, String)> {
    let finding = DeTable::parse(told["finding"].as_str()?).ok()?;
    let message = finding.get_ref().get("message")?.get_ref().as_str()?.to_owned();
    Some((name_of(Path::new(told["repro"].as_str()?)), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An out directory with a finding of each site, and a scenario; the folder is this test's alone.
    fn out(name: &str, sites: &[&str]) -> PathBuf {
        let root =
            std::env::temp_dir().join(format!("mapcheck-review-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("out/t/scenarios")).unwrap();
        for (i, site) in sites.iter().enumerate() {
            let text = format!(
                "format = 1\ntarget = 't'\nrunner = 'r'\ninstrumented = true\nclass = 'leak'\nsite = '{site}'\n\
                 decisions = ''\n[scenario]\nname = 'n'\nthreads = [['len']]\n"
            );
            fs::write(root.join(format!("out/t/leak-{i}.toml")), text).unwrap();
        }
        fs::write(root.join("out/t/scenarios/kept-1.toml"), "name = 'kept/1'\nthreads = []")
            .unwrap();
        root
    }

    fn review(root: &Path) -> Review {
        Review::of(&root.join("out"), &root.join("corpus"), true).unwrap()
    }

    /// What is there below a folder, without its own name.
    fn files(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = name_of(&entry.path());
            match entry.path().is_dir() {
                true => found.extend(files(&entry.path()).iter().map(|f| format!("{name}/{f}"))),
                false => found.push(name),
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_reader_decides_on_each() {
        let root = out("ask", &["a:1", "b:2", "c:3", "d:4"]);
        let mut asked = review(&root);
        let mut viewed = Vec::new();
        let mut view = |path: &Path| viewed.push(name_of(path));
        let input = "what?\n\nv\na\nReject\nnot ours\ns\nr\n\nx\na\n";
        asked.ask(&mut input.as_bytes(), &mut view).unwrap();
        assert_eq!(viewed, ["leak-0.toml"]);
        let corpus =
            ["rejected/t/leak-1.toml", "rejected/t/leak-3.toml", "scenarios/t/kept-1.toml"];
        let corpus = [&corpus[..], &["t/leak-0.toml"]].concat();
        assert_eq!(files(&root.join("corpus")), corpus);
        let left = ["leak-0.toml", "leak-2.toml", "scenarios/kept-1.toml"];
        assert_eq!(files(&root.join("out/t")), left);
        let reason = fs::read_to_string(root.join("corpus/rejected/t/leak-1.toml")).unwrap();
        assert!(reason.starts_with("# rejected: not ours\nformat = 1\n"), "{reason}");
        assert_eq!(asked.conclude(), exit::FINDING, "what was skipped is still new");
        let again = review(&root);
        assert_eq!((again.findings.len(), again.known, again.scenarios.len()), (1, 1, 0));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn whoever_quits_or_goes_away_has_decided_on_nothing_more() {
        for (i, input) in ["a\nq\na\n", "a\n"].iter().enumerate() {
            let root = out(&format!("quit-{i}"), &["a:1", "b:2"]);
            let mut asked = review(&root);
            asked.ask(&mut input.as_bytes(), &mut |_| {}).unwrap();
            assert_eq!(files(&root.join("corpus")), ["t/leak-0.toml"]);
            assert_eq!((asked.findings.len(), asked.scenarios.len()), (1, 1));
            fs::remove_dir_all(root).unwrap();
        }
    }

    #[test]
    fn of_a_mistake_that_was_found_twice_one_is_new() {
        let root = out("twice", &["a:1", "a:1", "", ""]);
        let new = review(&root).findings;
        let names: Vec<String> = new.iter().map(|repro| name_of(&repro.path)).collect();
        assert_eq!(names, ["leak-0.toml", "leak-2.toml", "leak-3.toml"], "no site, no telling");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_headline_is_what_the_journal_told() {
        let journal = concat!(
            r#"{"type":"job","finding":"message = \"no\"","repro":"x/a.toml"}"#,
            "\n",
            r#"{"type":"told","repro":"x/a.toml","finding":"class = \"leak\"\nmessage = \"so \\\"it\\\" is\"\n"}"#,
            "\n",
            r#"{"type":"told","repro":"x/b.toml","fin"#,
        );
        let told = headlines(journal.as_bytes());
        assert_eq!(
            told.into_iter().collect::<Vec<_>>(),
            [("a.toml".into(), "so \"it\" is".into())]
        );
    }
}
