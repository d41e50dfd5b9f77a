//! What the tests of the command line share: they build it once, run it as a user does, and read what it prints.
#![forbid(unsafe_code)]

pub mod browser;
pub mod documents;
pub mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
pub use tempfile::{TempDir, tempdir};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout")
}

/// A crate of `tests/subjects`.
pub fn subject(name: &str) -> PathBuf {
    root().join("tests/subjects").join(name)
}

/// The cargo that runs these tests.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut command);
    command
}

/// Takes away what the reader's own shell and the cargo around these tests have set.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_TARGET_TMPDIR"];
        let ours = text.starts_with("MAPCHECK_") || of_package.iter().any(|p| text.starts_with(p));
        let ours = ours || text.starts_with("GITHUB_");
        if ours || ["RUSTC_WRAPPER", "CARGO_TERM_COLOR", "CI", "RUST_BACKTRACE"].contains(&&*text) {
            command.env_remove(&name);
        }
    }
}

/// The built command line: what the alias `cargo mapcheck` runs.
///
/// # Panics
/// When it does not build.
pub fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let args =
            ["build", "--quiet", "--release", "-p", "cargo-mapcheck", "--message-format=json"];
        let built = Run::of(cargo().current_dir(root()).args(args));
        let mut paths = built
            .json()
            .into_iter()
            .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)));
        paths
            .next_back()
            .unwrap_or_else(|| panic!("cargo-mapcheck does not build: {}", built.stderr))
    })
}

/// `cargo mapcheck ARGS…` in a directory.
pub fn mapcheck<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    clean(&mut command);
    command.arg("mapcheck").args(args).current_dir(dir);
    command
}

/// `cargo mapcheck ARGS…` in a crate that is a workspace of its own; what it builds is kept with these tests.
pub fn mapcheck_in<S: AsRef<OsStr>>(subject: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = mapcheck(subject, args);
    command.env("CARGO_TARGET_DIR", subjects_target());
    command
}

/// A line for the shell, in a folder, with `cargo mapcheck` installed; what it builds is kept with these tests.
///
/// # Panics
/// When there is no path to programs.
pub fn shell(dir: &Path, line: &str) -> Command {
    let mut command = Command::new("sh");
    clean(&mut command);
    with_mapcheck(command.args(["-c", line]).current_dir(dir));
    command.env("CARGO_TARGET_DIR", subjects_target());
    command
}

/// Has a command find `cargo mapcheck` as if it were installed.
///
/// # Panics
/// When there is no path to programs.
fn with_mapcheck(command: &mut Command) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = binary().parent().expect("it lies in a folder").to_owned();
    let path = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&path)));
    command.env("PATH", path.expect("no name has a colon"));
}

/// Where the subjects are built: one folder, so that they share what they depend on.
pub fn subjects_target() -> PathBuf {
    // `<target>/release/cargo-mapcheck`
    let target = binary().ancestors().nth(2).expect("a binary lies in its profile's folder");
    target.join("subjects")
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// What it wrote on stdout.
    pub stdout: String,
    /// What it wrote on stderr.
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end, without a terminal.
    ///
    /// # Panics
    /// When it does not start.
    pub fn of(command: &mut Command) -> Run {
        let output = command.stdin(std::process::Stdio::null()).output();
        let output = output.unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The same, if the exit code is the one expected.
    ///
    /// # Panics
    /// With all that it wrote, when it is another.
    #[track_caller]
    pub fn code(self, wanted: i32) -> Run {
        let Run { code, stdout, stderr } = &self;
        assert_eq!(*code, wanted, "exit code\nstdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// The lines of stdout that are JSON objects.
    pub fn json(&self) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The JSON objects of one `type`.
    pub fn of_type(&self, kind: &str) -> Vec<Value> {
        self.json().into_iter().filter(|object| object["type"] == kind).collect()
    }

    /// The one JSON object of this `type`.
    ///
    /// # Panics
    /// When there is none or more than one.
    #[track_caller]
    pub fn only(&self, kind: &str) -> Value {
        let mut found = self.of_type(kind);
        assert_eq!(found.len(), 1, "{kind}s in:\n{}\n{}", self.stdout, self.stderr);
        found.remove(0)
    }

    /// Whether stderr says all of this.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Run {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in:\n{}", self.stderr);
        }
        self
    }
}

/// The keys of a JSON object, in their order.
pub fn keys(object: &Value) -> Vec<&str> {
    object.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The files below a folder whose names end like this, sorted; what git ignores is left out.
pub fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let ignored = ["target", "mapcheck.out", ".git"].contains(&&*name);
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !ignored => found.extend(files(&path, ending)),
            Ok(kind) if kind.is_file() && name.ends_with(ending) => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// The repros of the corpus that must replay: not the rejected ones, nor scenarios.
pub fn corpus() -> Vec<PathBuf> {
    let corpus = root().join("corpus");
    let others = ["rejected", "scenarios"].map(|folder| corpus.join(folder));
    let mut repros = files(&corpus, ".toml");
    repros.retain(|path| others.iter().all(|folder| !path.starts_with(folder)));
    repros
}

/// The processes that a process has started and that have not ended.
pub fn processes(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which may have any character in it: the state, then the parent.
        let mut words = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        words.next() != Some("Z") && words.next().and_then(|w| w.parse().ok()) == Some(parent)
    };
    pids.filter(is_child).collect()
}

/// The text of a file.
///
/// # Panics
/// When it cannot be read, with its name.
#[track_caller]
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A small runner in a folder of its own, with the lock file of the subject `broken` and this `main.rs`.
///
/// Each test needs a `package` name of its own: binaries of one name in the shared target folder would take each
/// other's place.
///
/// # Panics
/// When it cannot be written.
pub fn runner(package: &str, main: &str) -> TempDir {
    let dir = tempdir().expect("there is room for a temporary folder");
    let renamed =
        |file: &str| read(&subject("broken").join(file)).replace("mapcheck-broken", package);
    let manifest = renamed("Cargo.toml")
        .replace("../../../framework", &root().join("framework").display().to_string());
    let start = manifest.find("targets = [").expect("it declares targets");
    let end = start + manifest[start..].find(']').expect("the list ends");
    let manifest = format!("{}targets = [\"own\"{}", &manifest[..start], &manifest[end..]);
    let files = BTreeMap::from([
        ("Cargo.toml", manifest),
        ("Cargo.lock", renamed("Cargo.lock")),
        ("src/main.rs", main.to_owned()),
    ]);
    fs::create_dir(dir.path().join("src")).expect("the folder is new");
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("the folder is writable");
    }
    dir
}

/// The classes of finding that there are: those that the framework tells, which the glossary explains.
///
/// # Panics
/// When the framework's own list and the glossary's differ.
pub fn finding_classes() -> BTreeSet<String> {
    let oracle = read(&root().join("framework/src/oracle/mod.rs"));
    let list = oracle.split("const CLASSES").nth(1).and_then(|rest| rest.split("];").next());
    let names = list.unwrap_or_default().split('"').skip(1).step_by(2).map(str::to_owned);
    let names: BTreeSet<String> = names.collect();
    let glossary = read(&root().join("GLOSSARY.md"));
    let section = glossary.split("## Finding classes").nth(1).unwrap_or_default();
    let told = section.lines().filter_map(|line| line.strip_prefix("- **")?.split("**").next());
    let told: BTreeSet<String> = told.map(str::to_owned).collect();
    assert_eq!(names, told, "the classes of the framework, and those of the glossary");
    names
}

/// Cuts what changes from one build to the next out of a report: steps, addresses, hashes, other crates' lines.
pub fn normalised(report: &str) -> String {
    let mut out = String::new();
    for line in report.lines() {
        out.push_str(&normalised_line(line));
        out.push('\n');
    }
    out
}

/// The same of an explanation, which has more steps, and versions.
pub fn normalised_explanation(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.split_once(", mapcheck ") {
            Some((versions, number)) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{versions}, mapcheck VERSION")
            }
            _ => step_line(line).unwrap_or_else(|| line.to_owned()),
        };
        out.push_str(&normalised_line(&numbers_after(&line, &["freed it ", "step "])));
        out.push('\n');
    }
    out
}

/// A line of the table of steps, without the number: `x       110  read 8 bytes`.
fn step_line(line: &str) -> Option<String> {
    let (mark, rest) = (line.get(..2)?, line.get(2..11)?);
    let number = rest.trim_start();
    let is_step = ["  ", "x "].contains(&mark)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && line.get(11..13) == Some("  ");
    is_step.then(|| format!("{mark}        N  {}", &line[13..]))
}

fn normalised_line(line: &str) -> String {
    let line = numbers_after(
        line,
        &["at step ", "schedule: ", "after ", "execution ", "address 0x", " at 0x"],
    );
    let line = hashed_name(&line);
    line.trim_end().to_owned()
}

/// Puts `N` for the number (or hexadecimal address) after each of these words.
fn numbers_after(line: &str, words: &[&str]) -> String {
    let mut line = line.to_owned();
    for word in words {
        let parts: Vec<&str> = line.split(word).collect();
        let rest = parts[1..].iter().map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
            let number = digits > 0 && part.starts_with(|c: char| c.is_ascii_digit());
            format!(
                "{word}{}{}",
                if number { "N" } else { "" },
                &part[if number { digits } else { 0 }..]
            )
        });
        line = parts[0].to_owned() + &rest.collect::<String>();
    }
    line
}

/// The path of a repro without its folder and its hash, in the commands that a report ends with.
fn hashed_name(line: &str) -> String {
    for verb in ["replay", "explain"] {
        let command = format!("cargo mapcheck {verb} ");
        let Some((head, path)) = line.split_once(&command) else { continue };
        let name = path.rsplit('/').next().unwrap_or(path);
        let class = name.rsplit_once('-').map_or(name, |(class, _)| class);
        let end = if path.ends_with('`') { "`" } else { "" };
        return format!("{head}{command}OUT/{class}-HASH.toml{end}");
    }
    line.to_owned()
}

/// The lines of a report that are wider than a screen, but for the commands with paths.
pub fn wide(report: &str) -> Vec<&str> {
    let command =
        |line: &str| ["replay: ", "explain: "].iter().any(|start| line.starts_with(start));
    report.lines().filter(|line| line.chars().count() > 100 && !command(line)).collect()
}
