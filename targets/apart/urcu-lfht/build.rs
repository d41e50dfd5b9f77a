//! Compiles what stands between liburcu and the adapter, and links the system's liburcu, without its shared libraries:
//! its globals are then the executable's own, and every execution finds them as they were loaded.

use std::path::Path;
use std::process::Command;

/// The library of hash tables, a flavour of RCU, and what both need.
const LIBRARIES: [&str; 3] = ["urcu-cds", "urcu-memb", "urcu-common"];

fn main() {
    println!("cargo:rerun-if-changed=c");
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let mut build = cc::Build::new();
    build.file(Path::new(&here).join("c/lfht.c")).std("gnu11").flag("-fsanitize=thread");
    build.opt_level(2).debug(true).compile("lfht");
    let compiler = build.get_compiler();
    for library in LIBRARIES {
        let file = format!("-print-file-name=lib{library}.a");
        let output = Command::new(compiler.path()).arg(file).output().expect("the compiler runs");
        let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let dir = Path::new(&found).parent().filter(|dir| dir.is_absolute());
        let dir = dir.expect("liburcu is not installed: Debian has it as liburcu-dev");
        println!("cargo:rustc-link-search=native={}", dir.display());
        println!("cargo:rustc-link-lib=static={library}");
    }
}
