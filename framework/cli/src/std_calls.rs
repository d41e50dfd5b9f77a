//! What the standard library does without a callback, since it comes compiled: its locks where they are contended,
//! conditions, barriers, cells that are made once, parking. Each such function gets a schedule point before it: the
//! linker is told to put a function of ours in its place, which announces the call and goes on with the real one.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A function of the standard library, by parts of its mangled name: its module, and what its name ends with. Then the
/// bytes of what its first argument refers to, which all that it does is about; 0 where that is parking.
const FUNCTIONS: [(&str, &str, usize); 18] = [
    ("3std4sync7barrier", "7Barrier4wait", 40),
    ("3std4sync6poison7condvar", "7Condvar10notify_one", 4),
    ("3std4sync6poison7condvar", "7Condvar10notify_all", 4),
    ("3std3sys4sync7condvar5futex", "7Condvar10notify_one", 4),
    ("3std3sys4sync7condvar5futex", "7Condvar10notify_all", 4),
    ("3std3sys4sync7condvar5futex", "7Condvar4wait", 4),
    ("3std3sys4sync7condvar5futex", "7Condvar12wait_timeout", 4),
    ("3std3sys4sync5mutex5futex", "5Mutex14lock_contended", 4),
    ("3std3sys4sync5mutex5futex", "5Mutex4wake", 4),
    ("3std3sys4sync6rwlock5futex", "6RwLock14read_contended", 8),
    ("3std3sys4sync6rwlock5futex", "6RwLock15write_contended", 8),
    ("3std3sys4sync6rwlock5futex", "6RwLock22wake_writer_or_readers", 8),
    ("3std3sys4sync4once5futex", "4Once4call", 4),
    ("3std6thread", "6Thread4park", 0),
    ("3std6thread", "6Thread12park_timeout", 0),
    ("3std6thread", "6Thread6unpark", 0),
    ("3std6thread9functions", "4park", 0),
    ("3std6thread9functions", "12park_timeout", 0),
];

/// The mangled names of these functions in the standard library of this folder, and the bytes that each is about.
///
/// None where there is no such library, or where it has other functions: what it does is then no schedule point.
pub fn found(libraries: &Path) -> Vec<(String, usize)> {
    let entries = fs::read_dir(libraries).into_iter().flatten().flatten();
    let is_std = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    let library = entries
        .map(|e| e.path())
        .find(|path| path.file_name().is_some_and(|name| is_std(&name.to_string_lossy())));
    let bytes = library.and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let mut names: Vec<(String, usize)> =
        bytes.split(|byte| *byte == 0).filter_map(known).collect();
    names.sort();
    names.dedup();
    names
}

/// The name and the bytes, if this is one of the functions.
fn known(name: &[u8]) -> Option<(String, usize)> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    // An inherent method or a free function, without type arguments.
    if !(name.starts_with(b"_RNvM") || name.starts_with(b"_RNvN")) || !name.iter().all(plain) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    let of = |f: &&(&str, &str, usize)| name.contains(f.0) && name.ends_with(f.1);
    // No second name within, as of a closure.
    let function = FUNCTIONS.iter().find(of).filter(|_| name.matches("_R").count() == 1)?;
    Some((name.to_owned(), function.2))
}

/// The functions that take their place, as source.
pub fn source(names: &[(String, usize)]) -> String {
    let mut text = String::new();
    for (name, size) in names {
        let _ = write!(text, "\nannounced!(\"{name}\", \"{size}\");");
    }
    text
}

/// What tells the linker, in the form of a file that it reads.
pub fn arguments(names: &[(String, usize)]) -> String {
    names.iter().map(|(name, _)| format!("-Wl,--wrap={name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_its_module_and_its_name() {
        let name = "_RNvMs0_NtNtCsjrHSEGnQ3l9_3std4sync7barrierNtB5_7Barrier4wait";
        assert_eq!(known(name.as_bytes()), Some((name.to_owned(), 40)));
        for other in [
            "_RNCNvMs0_NtNtCsjrHSEGnQ3l9_3std4sync7barrierNtB7_7Barrier4wait0Bb_",
            "_RNvMs0_NtNtCsjrHSEGnQ3l9_3own4sync7barrierNtB5_7Barrier4wait",
            "_RNvMs0_NtNtCsjrHSEGnQ3l9_3std4sync7barrierNtB5_7Barrier4wait_RNvX",
            "7Barrier4wait",
        ] {
            assert_eq!(known(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_standard_library_of_this_toolchain_has_them() {
        let rustc = std::process::Command::new(crate::stubs::rustc_program())
            .args(["--print", "target-libdir"])
            .output()
            .expect("there is a rustc");
        let libraries = String::from_utf8_lossy(&rustc.stdout).trim().to_owned();
        let names = found(Path::new(&libraries));
        for wanted in ["7Barrier4wait", "10notify_one", "4Once4call", "6unpark", "9functions4park"]
        {
            assert!(names.iter().any(|n| n.0.ends_with(wanted)), "{wanted}: {names:?}");
        }
    }
}
