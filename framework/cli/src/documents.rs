//! The commands that the documents show are commands: each subcommand and each option exists.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::args;

/// The documents: the Markdown files at the top, in `docs/` and in `tests/`.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let within = |dir: PathBuf| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let all =
        within(root.clone()).chain(within(root.join("docs"))).chain(within(root.join("tests")));
    all.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// The lines of the blocks for a shell, with what a quotation says that it is of.
fn shell_lines(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.starts_with("```") {
            inside = bare == "```sh";
        } else if inside {
            lines.push(bare.to_owned());
        }
        let quoted = bare.split_once("output of: ").and_then(|(_, rest)| rest.strip_suffix(" -->"));
        lines.extend(quoted.map(str::to_owned));
    }
    lines
}

/// The words of each `cargo mapcheck` of a line, as a shell would cut them.
fn commands(line: &str) -> Vec<Vec<String>> {
    let starts = line.match_indices("cargo mapcheck ").map(|(at, _)| at + "cargo ".len());
    starts.map(|at| words(&line[at..])).collect()
}

/// The words up to the end of a command.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        let word = words.last_mut().expect("there is always one");
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if word.is_empty() => break,
            (None, ';' | '|' | '>' | '&' | '`') => break,
            (None, ' ') => words.push(String::new()),
            _ => word.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the command line knows these words.
fn parses(words: &[String]) -> Result<(), String> {
    let words = words.iter().map(|word| filled(word).into());
    let all = [OsString::from("cargo-mapcheck")].into_iter().chain(words).collect();
    args::parse(all).map(|_| ()).map_err(|e| e.to_string())
}

/// A word with what a shell would put in: a number, or a time.
fn filled(word: &str) -> String {
    match word.strip_prefix('$') {
        Some(rest) if rest.ends_with("m}") => "1m".to_owned(),
        Some(rest) => format!("1{}", rest.split_once('}').map_or("", |(_, end)| end)),
        None => word.to_owned(),
    }
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut found = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for command in shell_lines(&text).iter().flat_map(|line| commands(line)) {
            let told = parses(&command);
            assert_eq!(told, Ok(()), "{}: {}", path.display(), command.join(" "));
            found += 1;
        }
    }
    assert!(found > 50, "{found} commands are found");
}

#[test]
fn commands_are_cut_as_by_a_shell() {
    let line = "A=1 cargo mapcheck review --because \"a b\" # why";
    assert_eq!(commands(line), [["mapcheck", "review", "--because", "a b"]]);
    let line = "cargo mapcheck replay a; cargo mapcheck explain b | sed '/x/q'";
    assert_eq!(commands(line), [["mapcheck", "replay", "a"], ["mapcheck", "explain", "b"]]);
    assert!(parses(&["mapcheck", "check", "a", "--no-such"].map(str::to_owned)).is_err());
    assert!(parses(&["mapcheck", "chekc", "a"].map(str::to_owned)).is_err());
}
