//! `docs/nightly.md` is true: its files are written and its commands run, in order, in an empty folder; what they print
//! is what it quotes, and what there is at the end is `ci/template`.

use std::fs;
use std::path::{Path, PathBuf};

use mapcheck_tests::{Run, files, read, root, shell, subject, tempdir};

/// What the tests have done already: the command is the one that they build.
const INSTALL: &str = "cargo install --path mapcheck/framework/cli";

/// A block of code of the guide.
struct Block {
    language: String,
    /// The path that the paragraph before it begins with, if it does.
    path: Option<String>,
    text: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines();
    let mut paragraph = "";
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            let text = inside.flat_map(|line| [line, "\n"]).collect();
            blocks.push(Block { language: language.into(), path: path_of(paragraph), text });
            paragraph = "";
        } else if !line.is_empty() && before.is_empty() {
            paragraph = line;
        }
        before = line;
    }
    blocks
}

/// `src/lib.rs`, of "`src/lib.rs` is the map:".
fn path_of(paragraph: &str) -> Option<String> {
    let (path, _) = paragraph.strip_prefix('`')?.split_once('`')?;
    path.contains('.').then(|| path.to_owned())
}

/// The folder that the guide is followed in.
struct Reader {
    dir: PathBuf,
    /// What the commands of the last block have printed; `None` if that has been looked at.
    printed: Option<String>,
}

impl Reader {
    fn follow(&mut self, block: &Block) {
        match (&*block.language, &block.path) {
            ("diff", Some(path)) => self.change(path, &block.text),
            (_, Some(path)) => self.write(path, &block.text),
            ("sh", None) => {
                let printed = block.text.lines().map(|line| self.run(line)).collect();
                self.printed = Some(printed);
            }
            ("text", None) => {
                if let Some(printed) = self.printed.take() {
                    let (quoted, lines): (Vec<&str>, Vec<&str>) =
                        (block.text.lines().collect(), printed.lines().collect());
                    assert!(
                        fits(&quoted, &lines),
                        "{}\nis not what was printed:\n{printed}",
                        block.text
                    );
                }
            }
            (language, None) => panic!("a block of {language} without a path:\n{}", block.text),
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        // From the checkout's own place the tests have built it already.
        let text = text.replace("\"../../mapcheck/", &format!("\"{}/", root().display()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn change(&self, path: &str, diff: &str) {
        let side = |left_out: char| -> String {
            let kept = diff.lines().filter(|line| !line.starts_with(left_out));
            kept.flat_map(|line| [&line[1..], "\n"]).collect()
        };
        let text = read(&self.dir.join(path));
        let old = side('+');
        assert_eq!(text.matches(&old).count(), 1, "{path} has once:\n{old}");
        fs::write(self.dir.join(path), text.replace(&old, &side('-'))).unwrap();
    }

    /// Runs a line, which ends with the code that it says; what it prints.
    fn run(&mut self, line: &str) -> String {
        if line == INSTALL {
            return String::new();
        }
        if let Some(dir) = line.strip_prefix("cd ") {
            self.dir.push(dir);
            lock(&self.dir);
            return String::new();
        }
        let (command, code) = line.split_once(" # exit code ").unwrap_or((line, "0"));
        let run = Run::of(&mut shell(&self.dir, command));
        assert_eq!(run.code.to_string(), code, "{line}\n{}{}", run.stdout, run.stderr);
        run.stdout
    }
}

/// Has the crate begin with the versions that the other tests build.
fn lock(dir: &Path) {
    let lock = read(&subject("fuzzed").join("Cargo.lock"));
    fs::write(dir.join("Cargo.lock"), lock.replace("mapcheck-fuzzed", "shardmap-checks")).unwrap();
}

/// Whether lines are as quoted; a line `…` stands for any.
fn fits(quoted: &[&str], lines: &[&str]) -> bool {
    match (quoted.split_first(), lines.split_first()) {
        (None, _) => lines.is_empty(),
        (Some((&"…", quoted)), None) => fits(quoted, lines),
        (Some((&"…", rest)), Some((_, fewer))) => fits(rest, lines) || fits(quoted, fewer),
        (Some((one, quoted)), Some((line, lines))) => line_fits(one, line) && fits(quoted, lines),
        (Some(_), None) => false,
    }
}

/// Whether a line is as quoted, but for numbers; `…` stands for anything.
fn line_fits(quoted: &str, line: &str) -> bool {
    let (quoted, line) = (without_numbers(quoted), without_numbers(line));
    let mut parts = quoted.split('…');
    let mut rest = match line.strip_prefix(parts.next().unwrap_or_default()) {
        Some(rest) if quoted.contains('…') => rest,
        rest => return rest == Some(""),
    };
    let parts: Vec<&str> = parts.collect();
    let (last, middle) = parts.split_last().expect("there is one after each `…`");
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// With one `0` for each number: `0 executions`, of `20,000 executions`.
fn without_numbers(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let of_number = c.is_ascii_digit()
            || [',', '.'].contains(&c) && rest.peek().is_some_and(char::is_ascii_digit);
        match (of_number && out.ends_with('0'), c.is_ascii_digit()) {
            (true, _) => {}
            (false, true) => out.push('0'),
            (false, false) => out.push(c),
        }
    }
    out
}

#[test]
fn the_guide_to_a_nightly_run_is_true_to_the_letter() {
    let dir = tempdir().unwrap();
    let mut reader = Reader { dir: dir.path().to_owned(), printed: None };
    let guide = read(&root().join("docs/nightly.md"));
    let blocks = blocks(&guide);
    assert!(guide.contains(INSTALL) && blocks.len() > 20, "the guide is read");
    blocks.iter().for_each(|block| reader.follow(block));
    is_the_template(&reader);
}

/// The files that were written are those of the template.
fn is_the_template(reader: &Reader) {
    let template = root().join("ci/template");
    let own = files(&template, "")
        .into_iter()
        .map(|path| path.strip_prefix(&template).unwrap().to_owned());
    let guided = own.filter(|path| {
        !path.starts_with(".clusterfuzzlite") && !path.to_string_lossy().contains("cflite")
    });
    let guided: Vec<PathBuf> = guided.collect();
    assert!(guided.len() >= 8, "{guided:?}");
    for path in guided {
        let there = read(&reader.dir.join(&path));
        let there = there.replace(&format!("\"{}/", root().display()), "\"../../mapcheck/");
        assert_eq!(there, read(&template.join(&path)), "{}", path.display());
    }
}

#[test]
fn a_quotation_fits_what_it_leaves_out_and_nothing_else() {
    assert!(line_fits(
        "checked: 20,000 runs, … in …; done",
        "checked: 3 runs, 1 finding in 1.5 s; done"
    ));
    assert!(!line_fits("checked: … done", "checked: 3 runs, not done yet"));
    assert!(!line_fits("checked", "checked twice"));
    assert!(line_fits("leak-….toml", "leak-a59ddb45.toml") && !line_fits("1.5 s", "1. s"));
    assert!(fits(&["a", "…", "d"], &["a", "b", "c", "d"]) && fits(&["…", "a"], &["a"]));
    assert!(!fits(&["a", "d"], &["a", "b", "d"]) && !fits(&["a"], &["a", "b"]));
}
