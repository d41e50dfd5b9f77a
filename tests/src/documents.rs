//! What README.md, ARCHITECTURE.md and `docs/` have in them: blocks of code, and the outputs of commands that they
//! quote.
//!
//! An output is quoted between two comments, and rewritten by `cargo run -p mapcheck-tests --bin quote-outputs`:
//!
//! ````text
//! <!-- output of: cargo mapcheck replay corpus/…/leak-2f1a.toml -->
//! ```text
//! …
//! ```
//! <!-- end of output -->
//! ````

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::{Run, clean, files, read, root, with_mapcheck};

/// What comes before a command whose output follows.
const BEGIN: &str = "<!-- output of: ";
/// As [`BEGIN`], of a command that takes minutes.
const BEGIN_SLOW: &str = "<!-- slow output of: ";
/// What comes after an output.
const END: &str = "<!-- end of output -->\n";

/// The documents: Markdown at the top and in `docs/`.
pub fn documents() -> Vec<PathBuf> {
    let top = std::fs::read_dir(root()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> =
        top.filter(|path| path.extension() == Some("md".as_ref())).collect();
    all.extend(files(&root().join("docs"), ".md"));
    // What a command has written is no document of ours.
    all.retain(|path| !path.starts_with(root().join("docs/findings/explained")));
    all.sort();
    all
}

/// A block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The words after the fence, such as `rust`.
    pub language: String,
    /// The number of its first line.
    pub line: usize,
    /// Its lines, without what they are indented by.
    pub text: String,
}

/// The blocks of code of a document.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let bare = line.trim_start();
        let ticks = bare.chars().take_while(|c| *c == '`').count();
        if ticks < 3 {
            continue;
        }
        let (fence, language) = bare.split_at(ticks);
        let indent = line.len() - bare.len();
        let inside = lines.by_ref().map(|(_, l)| l).take_while(|l| l.trim() != fence);
        let text = inside.flat_map(|l| [l.get(indent..).unwrap_or_default(), "\n"]).collect();
        blocks.push(Block { language: language.to_owned(), line: number + 1, text });
    }
    blocks
}

/// An output that a document quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The line of a shell that prints it, from the root of the checkout.
    pub command: String,
    /// Whether the command takes minutes.
    pub slow: bool,
    /// Where the block lies in the document, with its fences.
    pub place: std::ops::Range<usize>,
}

/// The outputs that a document quotes.
///
/// # Panics
/// When one has no end.
pub fn quotes(text: &str) -> Vec<Quote> {
    let mut quotes = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let begun = [(BEGIN, false), (BEGIN_SLOW, true)].into_iter().find_map(|(begin, slow)| {
            let command = line.strip_prefix(begin)?.strip_suffix(" -->\n")?;
            Some((command.to_owned(), slow))
        });
        let Some((command, slow)) = begun else { continue };
        let length = text[at..].find(END).unwrap_or_else(|| panic!("no end of output: {command}"));
        quotes.push(Quote { command, slow, place: at..at + length });
    }
    quotes
}

/// What a quoted command prints, as a block of code.
///
/// # Panics
/// When it prints nothing.
pub fn block_of(quote: &Quote) -> String {
    let mut command = Command::new("sh");
    clean(&mut command);
    with_mapcheck(command.args(["-c", &quote.command]).current_dir(root()));
    let run = Run::of(&mut command);
    assert!(!run.stdout.is_empty(), "{}\n{}", quote.command, run.stderr);
    let printed = run.stdout.trim_end();
    let inner = printed.lines().map(|l| l.chars().take_while(|c| *c == '`').count()).max();
    let fence = "`".repeat((inner.unwrap_or(0) + 1).max(3));
    let mut block = String::new();
    let _ = writeln!(block, "{fence}text\n{printed}\n{fence}");
    block
}

/// A document with the outputs that its commands print now; the slow ones only if they are wanted.
pub fn rewritten(text: &str, slow_too: bool) -> String {
    let mut text = text.to_owned();
    // From the end, so that the places before stay what they are.
    for quote in quotes(&text).into_iter().rev().filter(|quote| slow_too || !quote.slow) {
        text.replace_range(quote.place.clone(), &block_of(&quote));
    }
    text
}

/// The text of each document, by its path from the root.
pub fn texts() -> Vec<(String, String)> {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("it is in the checkout").display().to_string();
        (name, read(&path))
    };
    documents().into_iter().map(named).collect()
}
