//! Driving cargo: instrumented builds, and what their failures mean.

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use owo_colors::OwoColorize as _;
use serde_json::Value;
use toml::de::DeTable;

use crate::error::Error;
use crate::{stubs, wrapper};

/// The profile of every instrumented build: optimised, with lines and names, checks and unwinding.
const PROFILE: [&str; 7] = [
    "profile.mapcheck.inherits=\"release\"",
    "profile.mapcheck.debug=\"limited\"",
    "profile.mapcheck.debug-assertions=true",
    "profile.mapcheck.panic=\"unwind\"",
    "profile.mapcheck.lto=false",
    "profile.mapcheck.strip=false",
    "profile.mapcheck.incremental=false",
];

/// The cargo to run.
fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo command without instrumentation.
pub fn plain(subcommand: &str) -> Command {
    let mut command = Command::new(cargo_program());
    command.arg(subcommand);
    command
}

/// `cargo metadata` of the workspace around the current directory.
///
/// # Errors
/// When there is none, or cargo refuses it.
pub fn metadata() -> Result<Value, Error> {
    metadata_of(None)
}

/// The same of the workspace that a manifest belongs to.
///
/// # Errors
/// As for [`metadata`].
pub fn metadata_of(manifest: Option<&Path>) -> Result<Value, Error> {
    let manifest = manifest.map(|path| ["--manifest-path".as_ref(), path.as_os_str()]);
    let output = Command::new(cargo_program())
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .args(manifest.into_iter().flatten())
        .output()
        .map_err(|e| Error::start("cargo", e))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Metadata(text.trim().trim_start_matches("error: ").to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| Error::Metadata(e.to_string()))
}

/// Everything an instrumented build needs to know.
#[derive(Debug)]
pub struct Cargo {
    /// `<workspace target>/mapcheck`.
    pub target_dir: PathBuf,
    /// The workspace's folder: reports tell files from there on.
    pub root: PathBuf,
    triple: String,
    stubs: PathBuf,
    chained: Option<OsString>,
}

impl Cargo {
    /// Prepares builds into `<workspace target>/mapcheck`, and says so if the user's own wrapper is run inside ours.
    ///
    /// # Errors
    /// When rustc cannot be asked for its host, or the stubs cannot be built.
    pub fn new(metadata: &Value) -> Result<Self, Error> {
        let target = metadata["target_directory"].as_str().unwrap_or("target");
        let target_dir = Path::new(target).join("mapcheck");
        let output = Command::new(stubs::rustc_program())
            .arg("-vV")
            .output()
            .map_err(|e| Error::start("rustc", e))?;
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let triple = host.ok_or(Error::NoHost)?.trim().to_owned();
        let stubs = stubs::ensure(&target_dir.join("stubs"), &triple, &version)?;
        let chained = chained_wrapper();
        if let Some(program) = &chained {
            let program = program.to_string_lossy();
            anstream::eprintln!(
                "{} running the crate's own rustc wrapper `{program}` inside mapcheck's",
                "note:".green().bold()
            );
        }
        let root = metadata["workspace_root"].as_str().unwrap_or(".").into();
        Ok(Self { root, target_dir, triple, stubs, chained })
    }

    /// An instrumented `cargo <subcommand>`. All runners are built into one folder, standalone ones too, so that they
    /// share what they depend on: half a minute for each otherwise, most of it for mapcheck itself.
    ///
    /// # Errors
    /// When this program's own path is unknown.
    pub fn command(&self, subcommand: &str) -> Result<Command, Error> {
        let me = std::env::current_exe().map_err(|e| Error::start("cargo-mapcheck", e))?;
        let mut command = Command::new(cargo_program());
        command.arg(subcommand).args([
            "--target",
            &self.triple,
            "--profile",
            "mapcheck",
            "--target-dir",
        ]);
        command.arg(&self.target_dir);
        for setting in PROFILE {
            command.args(["--config", setting]);
        }
        command.env("RUSTC_WRAPPER", me).env(wrapper::ACTIVE, "1").env(wrapper::STUBS, &self.stubs);
        match &self.chained {
            Some(program) => command.env(wrapper::CHAINED, program),
            None => command.env_remove(wrapper::CHAINED),
        };
        self.link_doctests(&mut command);
        Ok(command)
    }

    /// A cargo command without the instrumentation, in the profile that users release in: what mapcheck is measured
    /// against is to be as fast as it can.
    pub fn native_command(&self, subcommand: &str) -> Command {
        let mut command = plain(subcommand);
        command.args(["--release", "--target-dir"]).arg(self.target_dir.join("native"));
        command
    }

    /// Doctests are linked by rustdoc, which no wrapper sees: it gets the stubs through its flags.
    fn link_doctests(&self, command: &mut Command) {
        let flag = format!("-Clink-arg={}", self.stubs.display());
        if let Ok(flags) = std::env::var("CARGO_ENCODED_RUSTDOCFLAGS") {
            command.env("CARGO_ENCODED_RUSTDOCFLAGS", format!("{flags}\u{1f}{flag}"));
        } else if let Ok(flags) = std::env::var("RUSTDOCFLAGS") {
            let words: Vec<&str> = flags.split_whitespace().chain([flag.as_str()]).collect();
            command.env("CARGO_ENCODED_RUSTDOCFLAGS", words.join("\u{1f}"));
        } else {
            // A JSON list of a string is a TOML list too.
            let list = serde_json::json!([flag]);
            command.arg("--config").arg(format!("build.rustdocflags={list}"));
        }
    }

    /// Where a build leaves the binary `name`.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target_dir
            .join(&self.triple)
            .join("mapcheck")
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}

/// Runs a build, showing cargo's messages as they come.
///
/// # Errors
/// When it fails, with the cause if it is a known one; `what` names what was built.
pub fn build(mut command: Command, what: &str) -> Result<(), Error> {
    command.stdout(Stdio::null());
    build_telling(command, what).map(|_| ())
}

/// The same of one executable, by its target's name if there may be others, such as the binaries that cargo builds for
/// a benchmark too; returns its path.
///
/// # Errors
/// As for [`build`]; and when there is no executable.
pub fn build_executable(
    mut command: Command,
    name: Option<&str>,
    what: &str,
) -> Result<PathBuf, Error> {
    command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let told = build_telling(command, what)?;
    let messages = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_it = |told: &Value| name.is_none_or(|name| told["target"]["name"] == name);
    let mut executables =
        messages.filter(is_it).filter_map(|told| Some(PathBuf::from(told["executable"].as_str()?)));
    executables.next_back().ok_or_else(|| Error::Build { what: what.to_owned() })
}

/// Runs a build; what it has told on stdout, if that is piped.
fn build_telling(mut command: Command, what: &str) -> Result<String, Error> {
    if std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none()
        && std::env::var_os("CARGO_TERM_COLOR").is_none()
    {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let (status, told, messages) = run_showing_stderr(command)?;
    if status.success() { Ok(told) } else { Err(failure(status.code(), &messages, what)) }
}

/// What a failed build's messages say of its cause.
fn failure(code: Option<i32>, messages: &str, what: &str) -> Error {
    // cargo's own code for this; a crate that does not compile ends it with another.
    let misused = code == Some(1) && messages.contains("\nUsage: cargo ");
    let unknown = ["error: no test target named", "error: package ID specification"];
    if misused || unknown.iter().any(|start| messages.contains(start)) {
        return Error::Arguments;
    }
    if messages.contains("error: linker `") && messages.contains("` not found") {
        return Error::Linker { what: what.to_owned() };
    }
    if messages.contains("conflicts with global allocator")
        || messages.contains("cannot define multiple global allocators")
    {
        return Error::Allocator;
    }
    Error::Build { what: what.to_owned() }
}

/// Runs the command to its end with its stderr both shown and kept, and its stdout kept if that is piped.
fn run_showing_stderr(mut command: Command) -> Result<(ExitStatus, String, String), Error> {
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|e| Error::start("cargo", e))?;
    let stdout = child.stdout.take();
    // At the same time, or else one of the two would fill up and wait for the other.
    let told = std::thread::spawn(move || {
        let mut told = String::new();
        // What cannot be read is not told.
        let _ = stdout.map(|mut pipe| pipe.read_to_string(&mut told));
        told
    });
    let mut kept = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            // Not being able to show a message is no reason to stop the build.
            let _ = std::io::stderr().write_all(&buffer[..length]);
            kept.extend_from_slice(&buffer[..length]);
        }
    }
    let status = child.wait().map_err(|e| Error::start("cargo", e))?;
    Ok((status, told.join().unwrap_or_default(), String::from_utf8_lossy(&kept).into_owned()))
}

/// The rustc wrapper the user has configured, if any. Cargo runs a *workspace* wrapper inside ours by itself.
fn chained_wrapper() -> Option<OsString> {
    if std::env::var_os(wrapper::ACTIVE).is_some_and(|value| value == "1") {
        // mapcheck inside mapcheck: RUSTC_WRAPPER is this program.
        return std::env::var_os(wrapper::CHAINED).filter(|program| !program.is_empty());
    }
    let from_env = ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"].iter().find_map(std::env::var_os);
    from_env.or_else(configured_wrapper).filter(|program| !program.is_empty())
}

/// `build.rustc-wrapper` of the nearest cargo configuration that has one.
fn configured_wrapper() -> Option<OsString> {
    let here = std::env::current_dir().ok()?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|dir| dir.join(".cargo")));
    let mut directories: Vec<PathBuf> = here.ancestors().map(|dir| dir.join(".cargo")).collect();
    directories.extend(home);
    directories.iter().find_map(|dir| {
        let text = ["config", "config.toml"]
            .iter()
            .find_map(|name| std::fs::read_to_string(dir.join(name)).ok())?;
        wrapper_in(&text, dir)
    })
}

/// The wrapper one configuration file names: a path with a slash is relative to the directory that has `.cargo`.
pub fn wrapper_in(text: &str, dot_cargo: &Path) -> Option<OsString> {
    let table = DeTable::parse(text).ok()?;
    let program =
        table.get_ref().get("build")?.get_ref().get("rustc-wrapper")?.get_ref().as_str()?;
    if !program.contains('/') {
        return Some(program.into());
    }
    let base = dot_cargo.parent().unwrap_or(dot_cargo);
    Some(base.join(program).into_os_string())
}

/// Puts `extra` before a `--` in cargo's arguments: what follows is the test binaries'.
pub fn before_separator(args: &[OsString], extra: &str) -> Vec<OsString> {
    let at = args.iter().position(|arg| arg == OsStr::new("--")).unwrap_or(args.len());
    let mut all = args.to_vec();
    all.insert(at, extra.into());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_allocator_is_recognised() {
        let message = "error: the `#[global_allocator]` in this crate conflicts with global allocator in: mapcheck";
        assert!(matches!(failure(Some(101), message, "target `a`"), Error::Allocator));
        let other = failure(Some(101), "error[E0425]: cannot find value `x`", "target `a`");
        assert_eq!(
            other.to_string(),
            "target `a` does not build: see the compiler's messages above"
        );
    }

    #[test]
    fn what_cargo_does_not_understand_and_a_missing_linker_are_told_from_what_does_not_compile() {
        let refused = "error: unexpected argument '--x' found\n\nUsage: cargo test [OPTIONS]\n";
        assert!(matches!(failure(Some(1), refused, "a"), Error::Arguments));
        let unknown = "error: no test target named `x` in default-run packages";
        assert!(matches!(failure(Some(101), unknown, "a"), Error::Arguments));
        let linker = "error: linker `cc` not found\n  |\n  = note: No such file or directory";
        assert!(matches!(failure(Some(101), linker, "a"), Error::Linker { .. }));
    }

    #[test]
    fn a_configured_wrapper_with_a_slash_is_relative_to_its_file() {
        let text = |value: &str| format!("[build]\nrustc-wrapper = \"{value}\"");
        let dir = Path::new("/a/.cargo");
        assert_eq!(wrapper_in(&text("sccache"), dir), Some("sccache".into()));
        assert_eq!(wrapper_in(&text("bin/w"), dir), Some("/a/bin/w".into()));
        assert_eq!(wrapper_in(&text("/bin/w"), dir), Some("/bin/w".into()));
        assert_eq!(wrapper_in("[build]", dir), None);
    }

    #[test]
    fn extra_arguments_go_before_the_separator() {
        let args: Vec<OsString> = ["a", "--", "b"].map(OsString::from).into();
        assert_eq!(before_separator(&args, "--no-run"), ["a", "--no-run", "--", "b"]);
        assert_eq!(before_separator(&[], "--no-run"), ["--no-run"]);
    }
}
