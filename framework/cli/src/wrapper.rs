//! The rustc wrapper: cargo calls `cargo-mapcheck RUSTC ARGS…` for every crate, and what is built for the target
//! platform gets the instrumentation. Build scripts and proc macros are built without `--target` and stay clean.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::error::{Error, exit};
use crate::{pauses, stubs};

/// Set to `1` by the command for the cargo it runs: this process is a wrapper.
pub const ACTIVE: &str = "MAPCHECK_WRAPPER";
/// The wrapper the user had configured, which is run inside this one.
pub const CHAINED: &str = "MAPCHECK_CHAINED_WRAPPER";
/// The path of the archive from [`crate::stubs`].
pub const STUBS: &str = "MAPCHECK_STUBS";

/// mapcheck's own crates and what they depend on: instrumented, they would call themselves.
const OWN_CRATES: [&str; 10] = [
    "mapcheck",
    "mapcheck_machine",
    "mapcheck_macros",
    "arbitrary",
    "libc",
    "toml",
    "serde_spanned",
    "toml_datetime",
    "toml_parser",
    "winnow",
];

/// The callbacks around atomics and plain accesses, the edge counters, and the cfg that tells of them.
pub const INSTRUMENTATION: [&str; 10] = [
    "-Cpasses=function(tsan),sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=1",
    "-Cllvm-args=-sanitizer-coverage-trace-loads",
    "-Cllvm-args=-sanitizer-coverage-trace-stores",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-tsan-instrument-func-entry-exit=0",
    "--cfg",
    "mapcheck_instrumented",
    "--check-cfg",
    "cfg(mapcheck_instrumented)",
];

/// Whether this process was started by cargo in rustc's place: `args` are the process's own, with the program's name.
pub fn is_wrapper_call(args: &[OsString]) -> bool {
    let rustc = |arg: &OsString| {
        let stem = Path::new(arg).file_stem();
        stem == Some(OsStr::new("rustc")) || stem == Some(OsStr::new("clippy-driver"))
    };
    // The second place is rustc's when the user has a workspace wrapper.
    std::env::var_os(ACTIVE).is_some_and(|value| value == "1")
        && (args.iter().skip(1).take(2).any(rustc)
            || args.get(1).is_some_and(|arg| Path::new(arg).components().count() > 1))
}

/// Becomes rustc with what the crate needs added, or runs it, if something is left to do afterwards. `args` starts with
/// rustc's path.
pub fn run(args: &[OsString]) -> i32 {
    let chained = std::env::var_os(CHAINED).filter(|wrapper| !wrapper.is_empty());
    let mut words: Vec<OsString> = chained.into_iter().chain(without_coverage(args)).collect();
    words.extend(additions(args, std::env::var_os(STUBS)));
    let program = words.remove(0);
    let mut command = Command::new(&program);
    command.args(words);
    let linked = Call::read(args).executable();
    let error = match linked.as_ref().map(|_| command.status()) {
        None => replace(command),
        Some(Err(error)) => error,
        Some(Ok(status)) => return finish(status, linked.as_deref()),
    };
    Error::start(program.to_string_lossy(), error).print();
    exit::USAGE
}

/// What is left to do with an executable when rustc has linked it. Returns the exit code.
fn finish(status: ExitStatus, linked: Option<&Path>) -> i32 {
    // What does not exist was only checked.
    if let Some(path) = linked.filter(|path| status.success() && path.exists())
        && let Err(error) = pauses::remove(path)
    {
        Error::write(path, error).print();
        return exit::USAGE;
    }
    status.code().unwrap_or(exit::INTERNAL)
}

/// Replaces this process.
#[cfg(unix)]
fn replace(mut command: Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(&mut command)
}

/// Runs the command and ends as it did.
#[cfg(not(unix))]
fn replace(mut command: Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(exit::INTERNAL)),
        Err(error) => error,
    }
}

/// The arguments without those that ask for another instrumentation, such as cargo-fuzz puts into RUSTFLAGS: rustc
/// takes no second list of passes, and what the machine executes is not to be counted as the map's.
fn without_coverage(args: &[OsString]) -> Vec<OsString> {
    if !Call::read(args).for_target {
        return args.to_vec();
    }
    let mut kept = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        match text.strip_prefix("-C") {
            Some("") => {
                let value = words.next();
                if !value.is_some_and(|value| is_coverage(&value.to_string_lossy())) {
                    kept.extend([Some(word), value].into_iter().flatten().cloned());
                }
            }
            Some(value) if is_coverage(value) => {}
            _ => kept.push(word.clone()),
        }
    }
    kept
}

/// Whether an option of the code generator asks for coverage by LLVM's passes.
fn is_coverage(option: &str) -> bool {
    option == "passes=sancov-module" || option.starts_with("llvm-args=-sanitizer-coverage-")
}

/// The arguments to add to this rustc call.
fn additions(args: &[OsString], stubs: Option<OsString>) -> Vec<OsString> {
    let call = Call::read(args);
    let mut added = Vec::new();
    // Cargo asks rustc about the platform with a crate of this name: nothing is compiled.
    if !call.for_target || call.name.is_empty() || call.name == "___" {
        return added;
    }
    if !OWN_CRATES.contains(&call.name.as_str()) {
        added.extend(INSTRUMENTATION.map(OsString::from));
    }
    if let Some(path) = stubs.filter(|_| call.is_executable()) {
        let mut announced = OsString::from("-Clink-arg=@");
        announced.push(stubs::arguments_beside(Path::new(&path)));
        let mut archive = OsString::from("-Clink-arg=");
        archive.push(path);
        added.extend([announced, archive]);
    }
    added
}

/// What matters here of one rustc call.
#[derive(Default)]
struct Call {
    name: String,
    for_target: bool,
    is_test: bool,
    types: Vec<String>,
    emit: Option<String>,
    folder: String,
    /// What cargo puts behind the crate's name.
    suffix: String,
}

impl Call {
    /// Reads rustc's arguments, in both the `--key value` and the `--key=value` form.
    fn read(args: &[OsString]) -> Self {
        let mut call = Self::default();
        let mut words = args.iter().map(|arg| arg.to_string_lossy());
        while let Some(word) = words.next() {
            let (key, inline) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (word.as_ref(), None),
            };
            let mut value =
                || inline.clone().or_else(|| words.next().map(Into::into)).unwrap_or_default();
            match key {
                "--crate-name" => call.name = value(),
                "--crate-type" => call.types.extend(value().split(',').map(str::to_owned)),
                "--emit" => call.emit = Some(value()),
                "--target" => call.for_target = !value().is_empty(),
                "--test" => call.is_test = true,
                "--out-dir" => call.folder = value(),
                "extra-filename" | "-Cextra-filename" => call.suffix = value(),
                _ => {}
            }
        }
        call
    }

    /// The executable that this call links for the target platform, if it is one of those that cargo makes.
    fn executable(&self) -> Option<PathBuf> {
        let named = !self.name.is_empty() && !self.folder.is_empty();
        let name = format!("{}{}{}", self.name, self.suffix, std::env::consts::EXE_SUFFIX);
        let links = self.for_target && named && self.is_executable();
        links.then(|| Path::new(&self.folder).join(name))
    }

    /// Whether this call links an executable.
    fn is_executable(&self) -> bool {
        let links = self.emit.as_ref().is_none_or(|kinds| {
            kinds.split(',').any(|kind| kind == "link" || kind.starts_with("link="))
        });
        links
            && (self.is_test
                || self.types.is_empty()
                || self.types.iter().any(|kind| kind == "bin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn added(line: &str) -> Vec<String> {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        additions(&args, Some("/s.a".into()))
            .iter()
            .map(|a| a.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_executable_is_where_cargo_has_it_linked() {
        let executable = |line: &str| {
            Call::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).executable()
        };
        let line = "rustc --crate-name a_b --crate-type bin --emit=dep-info,link \
                    -C opt-level=3 -C extra-filename=-0f --out-dir /t/deps";
        let linked = executable(&format!("{line} --target x"));
        assert_eq!(linked.as_deref(), Some(Path::new("/t/deps/a_b-0f")));
        assert_eq!(executable(line), None);
        assert_eq!(executable(&format!("{line} --target x").replace("bin", "lib")), None);
    }

    #[test]
    fn a_crate_for_the_target_is_instrumented() {
        let added = added(
            "rustc --crate-name dashmap --crate-type lib --emit=dep-info,metadata,link --target x",
        );
        assert_eq!(added, INSTRUMENTATION);
    }

    #[test]
    fn what_cargo_fuzz_asks_for_is_left_out_where_it_would_be_in_the_way() {
        let kept = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let kept = without_coverage(&args);
            kept.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        let flags = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
            -C llvm-args=-sanitizer-coverage-pc-table --cfg fuzzing -C opt-level=3 -Ccodegen-units=1";
        let left = "--cfg fuzzing -C opt-level=3 -Ccodegen-units=1";
        for name in ["dashmap", "mapcheck_machine"] {
            let call = format!("rustc --crate-name {name} --target x");
            assert_eq!(kept(&format!("{call} {flags}")), format!("{call} {left}"));
        }
        // A pass of the user's own is not ours to drop: rustc says that there are two lists.
        let own = "rustc --crate-name a --target x -Cpasses=mine -C";
        assert_eq!(kept(own), own);
        let for_host = format!("rustc --crate-name build_script_build {flags}");
        assert_eq!(kept(&for_host), for_host);
    }

    #[test]
    fn a_build_script_is_left_alone() {
        assert!(
            added("rustc --crate-name build_script_build --crate-type bin --emit=dep-info,link")
                .is_empty()
        );
    }

    #[test]
    fn own_crates_are_left_alone() {
        assert!(
            added("rustc --crate-name mapcheck_machine --crate-type lib --emit=link --target=x")
                .is_empty()
        );
    }

    #[test]
    fn cargo_s_question_about_the_platform_is_left_alone() {
        assert!(
            added("rustc - --crate-name ___ --print=file-names --crate-type bin --target x")
                .is_empty()
        );
    }

    #[test]
    fn an_executable_gets_the_stubs_last() {
        let stubs = Some("-Clink-arg=/s.a".to_owned());
        for kind in
            ["--crate-type bin --emit=dep-info,link", "--emit=link --test", "--crate-type bin"]
        {
            assert_eq!(
                added(&format!("rustc --crate-name a {kind} --target x")).pop(),
                stubs,
                "{kind}"
            );
        }
        assert_ne!(
            added("rustc --crate-name a --crate-type bin --emit=metadata --target x").pop(),
            stubs
        );
    }

    #[test]
    fn a_test_of_an_own_crate_gets_only_the_stubs() {
        assert_eq!(
            added("rustc --crate-name mapcheck --test --emit=link --target x"),
            ["-Clink-arg=@/s.arguments", "-Clink-arg=/s.a"]
        );
    }

    #[test]
    fn the_own_crates_are_what_cargo_tree_shows() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args(["tree", "-p", "mapcheck", "-e", "normal", "--prefix", "none", "--manifest-path"])
            .arg(manifest)
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let shown: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(|name| name.replace('-', "_"))
            .collect();
        let known: BTreeSet<String> = OWN_CRATES.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(shown, known, "{}", String::from_utf8_lossy(&output.stderr));
    }
}
