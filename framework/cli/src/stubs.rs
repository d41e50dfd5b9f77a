//! The callbacks for executables that do not link mapcheck: a small archive, given last to the linker, so that it is
//! opened only for what is still undefined.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::std_calls;

/// What every atomic callback is named after its width.
const OPERATIONS: [&str; 12] = [
    "load",
    "store",
    "exchange",
    "fetch_add",
    "fetch_sub",
    "fetch_and",
    "fetch_or",
    "fetch_xor",
    "fetch_nand",
    "compare_exchange_val",
    // As gcc has it.
    "compare_exchange_strong",
    "compare_exchange_weak",
];

/// Callbacks that only announce something: nobody listens.
const ANNOUNCEMENTS: [&str; 9] = [
    "__tsan_init",
    "__tsan_read_range",
    "__tsan_write_range",
    "__tsan_func_entry",
    "__tsan_func_exit",
    "__tsan_vptr_update",
    "__tsan_vptr_read",
    "__sanitizer_cov_8bit_counters_init",
    "__sanitizer_cov_pcs_init",
];

/// What C code announces its plain accesses by, before the size.
const OF_C: [&str; 10] = [
    "read",
    "write",
    "volatile_read",
    "volatile_write",
    "read_write",
    "unaligned_read",
    "unaligned_write",
    "unaligned_volatile_read",
    "unaligned_volatile_write",
    "unaligned_read_write",
];

/// What clang calls in place of functions of C.
const FUNCTIONS: [&str; 3] = ["memcpy", "memmove", "memset"];

/// Functions of C whose place the machine's take wherever they are called, whoever else defines them: libFuzzer does.
pub const WRAPPED: [&str; 2] = ["memcmp", "bcmp"];

/// The source of the archive.
fn source() -> String {
    let mut text = String::from(include_str!("../stubs/head.rs.in"));
    for bits in ["8", "16", "32", "64"] {
        let module = include_str!("../stubs/atomic.rs.in")
            .replace("@BITS@", bits)
            .replace("@TYPE@", &format!("u{bits}"))
            .replace("@ATOMIC@", &format!("AtomicU{bits}"));
        text.push_str(&module);
        push_atomic_names(&mut text, bits);
    }
    text.push_str(include_str!("../stubs/atomic128.rs.in"));
    push_atomic_names(&mut text, "128");
    for name in ANNOUNCEMENTS {
        push_name(&mut text, name, "mapcheck_stub_nothing");
    }
    for size in [1, 2, 4, 8, 16] {
        for access in ["load", "store"] {
            let name = format!("__sanitizer_cov_{access}{size}");
            push_name(&mut text, &name, "mapcheck_stub_nothing");
        }
        for access in OF_C {
            push_name(&mut text, &format!("__tsan_{access}{size}"), "mapcheck_stub_nothing");
        }
    }
    for name in WRAPPED {
        push_wrapper(&mut text, name);
    }
    for function in FUNCTIONS {
        push_name(&mut text, &format!("__tsan_{function}"), &format!("mapcheck_stub_{function}"));
    }
    text
}

/// Gives the functions for one width their public names.
fn push_atomic_names(text: &mut String, bits: &str) {
    for operation in OPERATIONS {
        if bits == "128" {
            text.push_str("\n#[cfg(target_arch = \"x86_64\")]");
        }
        push_name(
            text,
            &format!("__tsan_atomic{bits}_{operation}"),
            &format!("mapcheck_stub{bits}_{operation}"),
        );
    }
}

/// One weak name for a function of the archive.
fn push_name(text: &mut String, name: &str, local: &str) {
    let _ = write!(text, "\nweak!(\"{name}\", \"{local}\");");
}

/// What is called in place of a function that the linker wraps: the function itself. Weak, as is what it goes on with:
/// doctests are linked without wrapping.
fn push_wrapper(text: &mut String, name: &str) {
    let lines = [
        format!(".weak __real_{name}"),
        format!(".weak __wrap_{name}"),
        format!(".type __wrap_{name}, @function"),
        format!("__wrap_{name}:"),
        format!("jmp __real_{name}@PLT"),
    ];
    let lines: Vec<String> = lines.iter().map(|line| format!("    {line:?},")).collect();
    let (cfg, lines) = ("#[cfg(target_arch = \"x86_64\")]", lines.join("\n"));
    let _ = write!(text, "\n{cfg}\ncore::arch::global_asm!(\n{lines}\n);");
}

/// The rustc that cargo would run.
pub fn rustc_program() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// The folder with the compiled standard library for this platform; empty if rustc does not say.
fn libraries(triple: &str) -> PathBuf {
    let asked = ["--print", "target-libdir", "--target", triple];
    let output = Command::new(rustc_program()).args(asked).output();
    let told = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    told.unwrap_or_default().into()
}

/// The file with what else the linker is to be told where this archive is given to it.
pub fn arguments_beside(archive: &Path) -> PathBuf {
    archive.with_extension("arguments")
}

/// Builds the archive for `triple` into `dir` unless it is there already, and returns its path.
///
/// An rlib rather than a staticlib: it is an archive of exactly one object, without a second copy of core.
///
/// # Errors
/// When the directory cannot be written or rustc refuses the source.
pub fn ensure(dir: &Path, triple: &str, rustc_version: &str) -> Result<PathBuf, Error> {
    let archive = dir.join("libmapcheck_stubs.a");
    let stamp = dir.join("mapcheck_stubs.stamp");
    let (calls, wrapped) = match triple.starts_with("x86_64") {
        true => (std_calls::found(&libraries(triple)), &WRAPPED[..]),
        false => (Vec::new(), &[][..]),
    };
    let source = source() + &std_calls::source(&calls);
    let wanted = format!("{source}\n// {rustc_version}");
    if archive.is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(archive);
    }
    // Built in a folder of its own, where rustc's intermediate files meet no other command's, and moved into place:
    // another command may be linking with the old one.
    let own = dir.join(std::process::id().to_string());
    let (file, aside) = (own.join("mapcheck_stubs.rs"), own.join("libmapcheck_stubs.rlib"));
    fs::create_dir_all(&own).map_err(|e| Error::write(&own, e))?;
    fs::write(&file, &source).map_err(|e| Error::write(&file, e))?;
    let output = Command::new(rustc_program())
        .args(["--edition", "2024", "--crate-name", "mapcheck_stubs", "--crate-type", "rlib", "-O"])
        .args(["-Cpanic=abort", "-Ccodegen-units=1", "-Cembed-bitcode=no", "--target", triple])
        .arg("-o")
        .args([&aside, &file])
        .output()
        .map_err(|e| Error::start("rustc", e))?;
    if !output.status.success() {
        return Err(Error::Stubs(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let arguments = arguments_beside(&archive);
    fs::write(&arguments, std_calls::arguments(&calls, wrapped))
        .map_err(|e| Error::write(&arguments, e))?;
    fs::rename(&aside, &archive).map_err(|e| Error::write(&archive, e))?;
    // What is left is of no use, and in nobody's way.
    let _ = fs::remove_dir_all(&own);
    fs::write(&stamp, wanted).map_err(|e| Error::write(&stamp, e))?;
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_names_every_width_and_operation() {
        let source = source();
        for bits in [8, 16, 32, 64, 128] {
            for operation in OPERATIONS {
                assert!(source.contains(&format!("weak!(\"__tsan_atomic{bits}_{operation}\"")));
            }
        }
        for access in OF_C {
            assert!(source.contains(&format!("weak!(\"__tsan_{access}8\"")));
        }
        for placeholder in ["@BITS@", "@TYPE@", "@ATOMIC@"] {
            assert!(!source.contains(placeholder));
        }
    }
}
