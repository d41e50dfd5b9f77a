//! What the standard library does without a callback, since it comes compiled: its locks where they are contended,
//! conditions, barriers, cells that are made once, parking. Each such function gets a schedule point before it: the
//! linker is told to put a function of ours in its place, which announces the call and goes on with the real one.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Memory that a function is about: what its first or second argument refers to, and how many bytes; or parking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    First(usize),
    Second(usize),
    Parking,
}
use About::{First, Parking, Second};

/// A function of the standard library: parts of its mangled name, which are its module and what the name ends with;
/// what is announced before it, and what after it.
type Function = (&'static str, &'static str, &'static [About], &'static [About]);

/// All of them. What takes a word at its end, unseen, announces it afterwards.
const FUNCTIONS: [Function; 18] = [
    ("3std4sync7barrier", "7Barrier4wait", &[First(40)], &[First(40)]),
    ("3std4sync6poison7condvar", "7Condvar10notify_one", &[First(4)], &[]),
    ("3std4sync6poison7condvar", "7Condvar10notify_all", &[First(4)], &[]),
    ("3std3sys4sync7condvar5futex", "7Condvar10notify_one", &[First(4)], &[]),
    ("3std3sys4sync7condvar5futex", "7Condvar10notify_all", &[First(4)], &[]),
    ("3std3sys4sync7condvar5futex", "7Condvar4wait", &[First(4), Second(4)], &[Second(4)]),
    ("3std3sys4sync7condvar5futex", "7Condvar12wait_timeout", &[First(4), Second(4)], &[Second(4)]),
    ("3std3sys4sync5mutex5futex", "5Mutex14lock_contended", &[First(4)], &[First(4)]),
    ("3std3sys4sync5mutex5futex", "5Mutex4wake", &[First(4)], &[]),
    ("3std3sys4sync6rwlock5futex", "6RwLock14read_contended", &[First(8)], &[First(8)]),
    ("3std3sys4sync6rwlock5futex", "6RwLock15write_contended", &[First(8)], &[First(8)]),
    ("3std3sys4sync6rwlock5futex", "6RwLock22wake_writer_or_readers", &[First(8)], &[]),
    ("3std3sys4sync4once5futex", "4Once4call", &[First(4)], &[First(4)]),
    ("3std6thread", "6Thread4park", &[Parking], &[Parking]),
    ("3std6thread", "6Thread12park_timeout", &[Parking], &[Parking]),
    ("3std6thread", "6Thread6unpark", &[Parking], &[]),
    ("3std6thread9functions", "4park", &[Parking], &[Parking]),
    ("3std6thread9functions", "12park_timeout", &[Parking], &[Parking]),
];

/// A function that was found: its mangled name, and the number of it above.
pub type Call = (String, usize);

/// The functions that the standard library of this folder has.
///
/// None where there is no such library, or where it has other functions: what it does is then no schedule point.
pub fn found(libraries: &Path) -> Vec<Call> {
    let entries = fs::read_dir(libraries).into_iter().flatten().flatten();
    let is_std = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    let library = entries
        .map(|e| e.path())
        .find(|path| path.file_name().is_some_and(|name| is_std(&name.to_string_lossy())));
    let bytes = library.and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let mut names: Vec<Call> = bytes.split(|byte| *byte == 0).filter_map(known).collect();
    names.sort();
    names.dedup();
    names
}

/// The function of this name, if it is one of them.
fn known(name: &[u8]) -> Option<Call> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    // An inherent method or a free function, without type arguments.
    if !(name.starts_with(b"_RNvM") || name.starts_with(b"_RNvN")) || !name.iter().all(plain) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    let of = |f: &Function| name.contains(f.0) && name.ends_with(f.1);
    // No second name within, as of a closure.
    let function = FUNCTIONS.iter().position(of).filter(|_| name.matches("_R").count() == 1)?;
    Some((name.to_owned(), function))
}

/// The functions that take their place, as source.
pub fn source(calls: &[Call]) -> String {
    let mut text = String::new();
    for (name, function) in calls {
        let lines = assembly(name, &FUNCTIONS[*function]);
        let lines: Vec<String> = lines.iter().map(|line| format!("    {line:?},")).collect();
        let _ = write!(text, "\ncore::arch::global_asm!(\n{}\n);", lines.join("\n"));
    }
    text
}

/// Announces, goes on with the real function, and announces again. All arguments are left where they are, and so is
/// what the function returns in registers. None of the functions has an argument on the stack.
fn assembly(name: &str, (_, _, before, after): &Function) -> Vec<String> {
    let mut lines = vec![
        format!(".pushsection .text.__wrap_{name}, \"ax\", @progbits"),
        format!(".globl __wrap_{name}"),
        format!(".type __wrap_{name}, @function"),
        format!("__wrap_{name}:"),
        ".cfi_startproc".to_owned(),
    ];
    // An odd number of words, so that the stack is aligned for a call; `rax` is there for that.
    let arguments = ["rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax"];
    around(&mut lines, &arguments, &mut |lines| announce(lines, before, [48, 40]));
    if after.is_empty() {
        lines.push(format!("jmp __real_{name}@PLT"));
    } else {
        around(&mut lines, &["rdi", "rsi", "rcx"], &mut |lines| {
            lines.push(format!("call __real_{name}@PLT"));
            around(lines, &["rax", "rdx"], &mut |lines| announce(lines, after, [32, 24]));
        });
        lines.push("ret".to_owned());
    }
    lines.extend([".cfi_endproc".to_owned(), ".popsection".to_owned()]);
    lines
}

/// Calls the machine for each; `at` is where the two arguments lie on the stack.
fn announce(lines: &mut Vec<String>, abouts: &[About], at: [usize; 2]) {
    for about in abouts {
        let (argument, size) = match *about {
            First(size) => (format!("qword ptr [rsp + {}]", at[0]), size),
            Second(size) => (format!("qword ptr [rsp + {}]", at[1]), size),
            Parking => ("0".to_owned(), 0),
        };
        lines.push(format!("mov rdi, {argument}"));
        lines.push(format!("mov esi, {size}"));
        lines.push("call mapcheck_before_std@PLT".to_owned());
    }
}

/// What is done while registers are on the stack.
fn around(lines: &mut Vec<String>, saved: &[&str], inside: &mut dyn FnMut(&mut Vec<String>)) {
    let pushed = 8 * saved.len();
    lines.extend(saved.iter().map(|register| format!("push {register}")));
    lines.push(format!(".cfi_adjust_cfa_offset {pushed}"));
    inside(lines);
    lines.extend(saved.iter().rev().map(|register| format!("pop {register}")));
    lines.push(format!(".cfi_adjust_cfa_offset -{pushed}"));
}
/// What tells the linker, in the form of a file that it reads.
pub fn arguments(calls: &[Call], others: &[&str]) -> String {
    let names = calls.iter().map(|(name, _)| name.as_str()).chain(others.iter().copied());
    names.map(|name| format!("-Wl,--wrap={name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_its_module_and_its_name() {
        let name = "_RNvMs0_NtNtCsjrHSEGnQ3l9_3std4sync7barrierNtB5_7Barrier4wait";
        assert_eq!(known(name.as_bytes()), Some((name.to_owned(), 0)));
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
