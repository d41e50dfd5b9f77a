//! This program again, with a sanitizer in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that makes attempts.
pub struct Build {
    /// How it is called in tables.
    pub name: &'static str,
    pub program: PathBuf,
    /// Settings of the sanitizer.
    pub environment: Option<(&'static str, String)>,
    /// What to know of how it was built.
    pub remark: &'static str,
}

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// A sanitizer: its name for people, for rustc, and its settings.
///
/// ThreadSanitizer goes on after a report: most of what it reports first is not what is looked for.
const SANITIZERS: [(&str, &str, (&str, &str)); 2] = [
    ("AddressSanitizer stress", "address", ("ASAN_OPTIONS", "detect_leaks=0")),
    ("ThreadSanitizer stress", "thread", ("TSAN_OPTIONS", TSAN)),
];

/// What it says of threads' own bookkeeping in a standard library that is not instrumented is left out.
const TSAN: &str = concat!(
    "halt_on_error=0 report_thread_leaks=0 suppressions=",
    env!("CARGO_MANIFEST_DIR"),
    "/tsan.supp"
);

/// All builds; of those that cannot be made, why.
pub fn all() -> Vec<Result<Build, (&'static str, String)>> {
    let own = std::env::current_exe().map_err(|e| ("plain stress", e.to_string()));
    let plain = |program| Build { name: "plain stress", program, environment: None, remark: "" };
    let sanitized = SANITIZERS.iter().map(|&(name, sanitizer, environment)| {
        let (program, remark) = sanitized(sanitizer).map_err(|why| (name, why))?;
        let environment = Some((environment.0, environment.1.to_owned()));
        Ok(Build { name, program, environment, remark })
    });
    std::iter::once(own.map(plain)).chain(sanitized).collect()
}

/// Builds with the nightly toolchain, the standard library too where its source is there.
fn sanitized(sanitizer: &str) -> Result<(PathBuf, &'static str), String> {
    let library = sysroot()?.join("lib/rustlib/src/rust/library/Cargo.lock");
    let flags = format!("-Zsanitizer={sanitizer}");
    if library.is_file()
        && let Ok(program) = build(sanitizer, &flags, &["-Zbuild-std"])
    {
        return Ok((program, "with an instrumented standard library"));
    }
    let flags = format!("{flags} -Cunsafe-allow-abi-mismatch=sanitizer");
    let program = build(sanitizer, &flags, &[])?;
    Ok((program, "the standard library is as it comes, not instrumented"))
}

/// Where the nightly toolchain is.
fn sysroot() -> Result<PathBuf, String> {
    let asked = nightly("rustc").args(["--print", "sysroot"]).stderr(Stdio::null()).output();
    let told = asked.ok().filter(|output| output.status.success());
    let told = told.ok_or("no nightly toolchain")?;
    Ok(PathBuf::from(String::from_utf8_lossy(&told.stdout).trim()))
}

/// A command of the nightly toolchain, without what the cargo that started us has set for its own.
fn nightly(command: &str) -> Command {
    let mut nightly = Command::new("rustup");
    nightly.args(["run", "nightly", command]);
    for name in
        ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "CARGO"]
    {
        nightly.env_remove(name);
    }
    nightly
}

fn build(sanitizer: &str, flags: &str, more: &[&str]) -> Result<PathBuf, String> {
    let target = target_folder()?.join(format!("stress-{sanitizer}"));
    let mut cargo = nightly("cargo");
    cargo.args(["build", "--quiet", "--release", "--locked", "--target", TRIPLE]).args(more);
    cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&target).env("RUSTFLAGS", flags);
    let built = cargo.stdout(Stdio::null()).output().map_err(|e| e.to_string())?;
    if !built.status.success() {
        let told = String::from_utf8_lossy(&built.stderr).into_owned();
        let error = told.lines().find(|line| line.starts_with("error")).unwrap_or("it failed");
        return Err(format!("it does not build: {error}"));
    }
    Ok(target.join(TRIPLE).join("release").join(env!("CARGO_PKG_NAME")))
}

/// The folder that this program was built in, two above it.
fn target_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    own.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| "no target folder".to_owned())
}
