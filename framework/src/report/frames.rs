//! Stacks for readers: only the map's own frames, with paths that mean something on another machine.

use std::path::{Path, PathBuf};

use mapcheck_machine::{Frame, Stack};

/// Frames of a stack that a report shows, at most.
const SHOWN: usize = 8;

/// A frame that a report shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The function, without the compiler's hash.
    pub function: String,
    /// `crate-1.2.3/src/file.rs:12`.
    pub site: String,
    /// The source file, as the compiler recorded it.
    pub path: String,
}

/// The frames of a stack that belong neither to the standard library nor to mapcheck, innermost
/// first.
pub(crate) fn places(stack: &Stack) -> Vec<Place> {
    let frames = stack.frames();
    let mut places: Vec<Place> = frames.iter().filter(|f| is_map_s(f)).map(place).collect();
    // A closure that was inlined is a frame of its own at the same line.
    places.dedup_by(|later, earlier| later.site == earlier.site);
    places.truncate(SHOWN);
    places
}

fn place(frame: &Frame) -> Place {
    let site = format!("{}:{}", short_file(&frame.file), frame.line);
    Place { function: short_function(&frame.function), site, path: frame.file.clone() }
}

/// Functions of mapcheck, and of what it puts in the place of libc's.
const OWN: [&str; 8] = [
    "mapcheck::",
    "mapcheck_machine::",
    "__tsan_",
    "__sanitizer_",
    "__rust",
    "__rg_",
    "__rdl_",
    "_RNv",
];

fn is_map_s(frame: &Frame) -> bool {
    let function = frame.function.trim_start_matches(['<', '&']);
    let standard = frame.file.contains("/rustc/")
        || ["/library/std/", "/library/core/", "/library/alloc/"]
            .iter()
            .any(|dir| frame.file.contains(dir));
    // libc's own frames say nothing of the map, and without a line there is nothing to show.
    frame.line > 0
        && !is_libc_s(&frame.file, Path::is_file)
        && !standard
        && !OWN.iter().any(|own| function.starts_with(own))
        && !own_file(frame)
}

/// Whether this is a source of libc's: its paths are relative, and lead nowhere from here. Those of a map in C lead to
/// its source, from the current directory or from the root on.
fn is_libc_s(file: &str, is_here: impl Fn(&Path) -> bool) -> bool {
    let c = [".c", ".S", ".h"].iter().any(|end| file.ends_with(end));
    c && !file.starts_with('/') && !is_here(Path::new(file))
}

/// Whether the frame is of this crate's or the machine's source: inlined frames may have bare names.
fn own_file(frame: &Frame) -> bool {
    const HERE: &str = env!("CARGO_MANIFEST_DIR");
    let below = |dir: &str| frame.file.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    // Of a function that stands in for libc's, the name says nothing, and the path may be relative.
    below(HERE)
        || frame.file.trim_start_matches("./").starts_with("framework/src/")
        || frame.file.contains("machine/src/shim/")
        || frame.file.contains("/mapcheck-machine-")
}

/// The path from the crate's name on, for crates of a registry or a checkout; else from the current
/// directory on.
pub(crate) fn short_file(file: &str) -> String {
    for (marker, skip) in [("/registry/src/", 1), ("/git/checkouts/", 0)] {
        if let Some((_, rest)) = file.split_once(marker) {
            return rest.splitn(skip + 1, '/').last().unwrap_or(rest).to_owned();
        }
    }
    let root = std::env::var_os("MAPCHECK_ROOT").map(PathBuf::from);
    let here = root.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    below(file.trim_start_matches("./"), &here)
}

/// A path from the current directory on, where it lies below it.
pub(crate) fn from_here(path: &Path) -> String {
    below(&path.display().to_string(), &std::env::current_dir().unwrap_or_default())
}

fn below(file: &str, dir: &Path) -> String {
    let rest = Path::new(file).strip_prefix(dir).ok().and_then(Path::to_str);
    rest.unwrap_or(file).to_owned()
}

/// The last name of a function, with the type before it: `Map::get`.
pub(crate) fn short_name(function: &str) -> &str {
    let function = function.trim_end_matches("::{closure}");
    let start = function.rmatch_indices("::").nth(1).map_or(0, |(at, _)| at + 2);
    &function[start..]
}

/// Drops the hash, and the trait and type parameters that say nothing to the reader.
fn short_function(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 => head,
        _ => name,
    };
    without_generics(name).replace("::{{closure}}", "::{closure}")
}

/// `a::B<C>::d` and `<a::B<C> as e::F>::d` both become `a::B::d`.
fn without_generics(name: &str) -> String {
    let mut out = String::new();
    let mut depth = 0;
    let leading = name.starts_with('<');
    for (at, c) in name.char_indices() {
        let arrow = c == '>' && name[..at].ends_with('-');
        match c {
            '<' if at > 0 || !leading => depth += 1,
            '>' if depth > 0 && !arrow => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    let out = out.replace("::::", "::");
    let out = out.trim_end_matches("::");
    match out.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        // `<a::B as e::F>::d` is told as `a::B::d`: the trait is another crate's.
        Some((head, tail)) => {
            format!("{}{tail}", head.split_once(" as ").map_or(head, |(of, _)| of))
        }
        None => out.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_without_hash_and_type_parameters() {
        let short = short_function;
        assert_eq!(
            short("flurry::map::HashMap<K,V,S>::put::h0123456789abcdef"),
            "flurry::map::HashMap::put"
        );
        let next = "<flurry::iter::Iter<K,V> as core::iter::Iterator>::next";
        assert_eq!(short(next), "flurry::iter::Iter::next");
        assert_eq!(short("a::b::{{closure}}"), "a::b::{closure}");
        assert_eq!(short("a::f::<b::C>"), "a::f");
    }

    #[test]
    fn a_function_s_name_has_its_type() {
        assert_eq!(short_name("a::map::Map::get::{closure}"), "Map::get");
        assert_eq!((short_name("Map::get"), short_name("get")), ("Map::get", "get"));
    }

    #[test]
    fn files_of_crates_are_told_from_the_crate_on() {
        let registry = "/x/registry/src/index-0123/flurry-0.4.0/src/iter.rs";
        assert_eq!(short_file(registry), "flurry-0.4.0/src/iter.rs");
        let here = std::env::current_dir().unwrap().join("src/map.rs");
        assert_eq!(short_file(here.to_str().unwrap()), "src/map.rs");
        assert_eq!(short_file("/elsewhere/map.rs"), "/elsewhere/map.rs");
    }

    #[test]
    fn the_standard_library_and_mapcheck_itself_are_left_out() {
        let frame = |function: &str, file: &str| Frame {
            function: function.into(),
            file: file.into(),
            line: 3,
        };
        assert!(is_map_s(&frame("papaya::raw::HashMap<K>::get", "/r/papaya-0.2.3/src/raw/mod.rs")));
        assert!(is_map_s(&frame("<papaya::Iter<K> as core::iter::Iterator>::next", "x.rs")));
        assert!(!is_map_s(&frame(
            "core::ptr::drop_in_place",
            "/rustc/abc/library/core/src/ptr.rs"
        )));
        assert!(!is_map_s(&frame("mapcheck::scenario::run::operate", "x.rs")));
        assert!(!is_map_s(&frame("<mapcheck::element::Key as core::ops::Drop>::drop", "x.rs")));
        assert!(!is_map_s(&frame(
            "memcpy",
            concat!(env!("CARGO_MANIFEST_DIR"), "/machine/src/shim/bytes.rs")
        )));
        assert!(!is_map_s(&frame("start_thread", "./nptl/pthread_create.c")));
        assert!(is_map_s(&frame("c_map_get", "/r/c-map/src/map.c")));
        assert!(!is_map_s(&Frame { line: 0, ..frame("syscall", "") }));
    }

    #[test]
    fn a_source_of_c_that_is_here_is_none_of_libc_s() {
        assert!(is_libc_s("./nptl/pthread_create.c", |_| false));
        assert!(!is_libc_s("./c/map.c", |path| path == Path::new("./c/map.c")));
        assert!(!is_libc_s("/r/c/map.c", |_| false));
        assert!(!is_libc_s("./src/map.rs", |_| false));
    }
}
