//! The limits that keep the code pleasant, held over the whole checkout.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use mapcheck_tests::{Run, cargo, files, read, root};
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// Lines of a function: of half of them, of nine in ten, of any.
const FUNCTION: (usize, usize, usize) = (8, 30, 70);
/// Lines of a file: of nine in ten, of any.
const FILE: (usize, usize) = (600, 1000);
/// Columns of a line.
const COLUMNS: usize = 120;
/// Dependency crates of `mapcheck` with its default features.
const DEPENDENCIES: usize = 10;

fn sources() -> Vec<(PathBuf, String)> {
    let all = files(root(), ".rs").into_iter().map(|path| (short(&path), read(&path)));
    let all: Vec<_> = all.collect();
    assert!(all.len() > 50, "the sources are found");
    all
}

fn short(path: &Path) -> PathBuf {
    path.strip_prefix(root()).expect("it is in the checkout").to_owned()
}

/// Fails with the places that break a rule.
#[track_caller]
fn none(broken: impl IntoIterator<Item = String>, rule: &str) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// The value that this part of the values, in percent, does not exceed.
fn percentile(values: &mut [usize], percent: usize) -> usize {
    values.sort_unstable();
    values[(values.len() * percent).div_ceil(100).saturating_sub(1)]
}

/// A function and the lines of its body.
struct Function {
    place: String,
    lines: usize,
}

#[derive(Default)]
struct Functions {
    file: PathBuf,
    found: Vec<Function>,
}

impl Functions {
    fn add(&mut self, name: &syn::Ident, block: &syn::Block) {
        let (start, end) = (block.span().start().line, block.span().end().line);
        let place = format!("{}:{start} {name}", self.file.display());
        // A body of one line counts as one; the lines of the braces do not count else.
        self.found.push(Function { place, lines: end.saturating_sub(start + 1).max(1) });
    }
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.add(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.add(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn parsed((path, text): &(PathBuf, String)) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn functions() -> Vec<Function> {
    let mut functions = Functions::default();
    for source in sources() {
        functions.file = source.0.clone();
        functions.visit_file(&parsed(&source));
    }
    functions.found
}

#[test]
fn functions_are_short() {
    let functions = functions();
    let (median, most, all) = FUNCTION;
    none(
        functions.iter().filter(|f| f.lines > all).map(|f| format!("{}: {}", f.place, f.lines)),
        &format!("functions of more than {all} lines"),
    );
    let mut lines: Vec<usize> = functions.iter().map(|f| f.lines).collect();
    let found = (percentile(&mut lines, 50), percentile(&mut lines, 90));
    assert!(found.0 <= median, "median {} of {} functions", found.0, lines.len());
    assert!(found.1 <= most, "nine in ten: {}", found.1);
}

#[test]
fn files_are_short() {
    let sources = sources();
    let count = |source: &(PathBuf, String)| source.1.lines().count();
    let long = sources.iter().filter(|s| count(s) > FILE.1);
    none(
        long.map(|s| format!("{}: {}", s.0.display(), count(s))),
        "files of more than 1,000 lines",
    );
    let mut lines: Vec<usize> = sources.iter().map(count).collect();
    let most = percentile(&mut lines, 90);
    assert!(most <= FILE.0, "nine in ten: {most}");
}

#[test]
fn lines_fit_the_screen() {
    let wide = sources().into_iter().flat_map(|(path, text)| {
        let numbered = text.lines().enumerate().map(|(i, l)| (i + 1, l.chars().count()));
        let wide: Vec<_> = numbered.filter(|l| l.1 > COLUMNS).collect();
        wide.into_iter().map(move |(i, n)| format!("{}:{i}: {n}", path.display()))
    });
    none(wide, "lines of more than 120 columns");
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not hold them.
    let words = ["todo", "unimplemented"].map(|w| format!("{w}!("));
    let marks = [["FIX", "ME"], ["TO", "DO"], ["XX", "X"]].map(|w| w.concat());
    let ignored = ["#[ig", "nore"].concat();
    let all: Vec<String> = words.into_iter().chain(marks).chain([ignored]).collect();
    let found = sources().into_iter().flat_map(|(path, text)| {
        // What is explored there shows that a test that is left out stays so.
        let skips = path.ends_with("tests/subjects/explored/tests/marked.rs");
        let all = if skips { &all[..all.len() - 1] } else { &all[..] };
        let has = |line: &str| all.iter().any(|word| line.contains(word.as_str()));
        let lines: Vec<usize> = (1..).zip(text.lines()).filter(|l| has(l.1)).map(|l| l.0).collect();
        lines.into_iter().map(move |i| format!("{}:{i}", path.display()))
    });
    none(found, "left to do");
}

/// The lines of each `unsafe` in code.
fn unsafe_lines(tokens: TokenStream, found: &mut Vec<(usize, Use)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => unsafe_lines(group.stream(), found),
            TokenTree::Ident(word) if word == "unsafe" => {
                let kind = match tokens.peek() {
                    Some(TokenTree::Group(g)) if g.delimiter() == proc_macro2::Delimiter::Brace => {
                        Use::Block
                    }
                    Some(TokenTree::Ident(next)) if next == "impl" => Use::Impl,
                    _ => Use::Other,
                };
                found.push((word.span().start().line, kind));
            }
            _ => {}
        }
    }
}

/// What an `unsafe` is before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Use {
    Block,
    Impl,
    Other,
}

fn unsafes((path, text): &(PathBuf, String)) -> Vec<(usize, Use)> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut found = Vec::new();
    unsafe_lines(tokens, &mut found);
    found
}

/// Where maps in C are called, which is unsafe by nature.
const FOREIGN: [&str; 2] = ["targets/src/c_map", "targets/apart"];

#[test]
fn unsafe_code_is_in_the_machine_and_at_the_border_to_c_alone() {
    let allowed = ["framework/machine", "tests/subjects", FOREIGN[0], FOREIGN[1]];
    let others = sources().into_iter().filter(|s| !allowed.iter().any(|dir| s.0.starts_with(dir)));
    let found = others.filter_map(|source| {
        let (line, _) = *unsafes(&source).first()?;
        Some(format!("{}:{line}", source.0.display()))
    });
    none(found, "unsafe code outside framework/machine and the border to C");
}

#[test]
fn every_unsafe_block_tells_why_it_is_sound() {
    let dirs = ["framework/machine", FOREIGN[0], FOREIGN[1]];
    let unsafe_ones = sources().into_iter().filter(|s| dirs.iter().any(|dir| s.0.starts_with(dir)));
    let found = unsafe_ones.flat_map(|source| {
        let lines: Vec<&str> = source.1.lines().collect();
        let uses = unsafes(&source).into_iter().filter(|u| u.1 != Use::Other);
        let bare = uses.filter(|u| !explained(&lines, u.0 - 1));
        bare.map(|u| format!("{}:{}", source.0.display(), u.0)).collect::<Vec<_>>()
    });
    none(found, "unsafe without a `// SAFETY:` before it");
}

/// Whether a comment with `SAFETY:` stands above this line or above the statement that it is a part of.
fn explained(lines: &[&str], line: usize) -> bool {
    for above in lines[..line].iter().rev().map(|l| l.trim()) {
        if above.starts_with("//") {
            if above.contains("SAFETY:") {
                return true;
            }
        } else if above.is_empty() || above.ends_with([';', '{', '}']) {
            return false;
        }
    }
    false
}

/// The statics of a file that are outside of its tests, and do not say that they outlive an execution.
#[derive(Default)]
struct Statics(Vec<(usize, String)>);

fn has(attributes: &[syn::Attribute], words: &[&str]) -> bool {
    let text = |a: &syn::Attribute| match &a.meta {
        syn::Meta::List(list) => format!("{} {}", path_of(&list.path), list.tokens),
        syn::Meta::Path(path) => path_of(path),
        syn::Meta::NameValue(value) => path_of(&value.path),
    };
    attributes.iter().any(|a| words.iter().all(|word| text(a).contains(word)))
}

fn path_of(path: &syn::Path) -> String {
    path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>().join("::")
}

impl<'a> Visit<'a> for Statics {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !has(&item.attrs, &["cfg", "test"]) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_static(&mut self, item: &'a syn::ItemStatic) {
        // libFuzzer looks into a section of its own, which is left alone too.
        let sections = ["mapcheck_kept", "__libfuzzer_extra_counters"];
        let kept = sections.iter().any(|section| has(&item.attrs, &["link_section", section]));
        if !kept && !has(&item.attrs, &["global_allocator"]) {
            self.0.push((item.span().start().line, item.ident.to_string()));
        }
    }
}

#[test]
fn every_static_of_the_machine_outlives_an_execution() {
    let machine = sources().into_iter().filter(|s| s.0.starts_with("framework/machine/src"));
    let found = machine.flat_map(|source| {
        let mut statics = Statics::default();
        statics.visit_file(&parsed(&source));
        let path = source.0.display().to_string();
        statics.0.into_iter().map(move |(line, name)| format!("{path}:{line} {name}"))
    });
    none(found, "statics without link_section = \"mapcheck_kept\" are restored between executions");
}

/// The files that git knows or would add, without those it ignores.
fn committed() -> Vec<PathBuf> {
    let args = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(args).current_dir(root()).output();
    let listed = listed.ok().filter(|o| o.status.success()).map(|o| o.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let paths: BTreeSet<PathBuf> = listed.lines().map(|l| root().join(l)).collect();
    // Without git, in an unpacked archive, there is nothing but the files.
    if paths.is_empty() { files(root(), "") } else { paths.into_iter().collect() }
}

#[test]
fn no_file_names_a_place_on_somebody_s_machine() {
    let places: Vec<String> = [
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["index.crates", ".io"],
        ["static.crates", ".io"],
    ]
    .map(|p| p.concat())
    .into();
    let texts =
        committed().into_iter().filter(|p| p.file_name().is_some_and(|n| n != "Cargo.lock"));
    let found = texts.filter_map(|path| {
        // What is not text has no place to name.
        let text = std::fs::read_to_string(&path).ok()?;
        let bad = |line: &str| places.iter().any(|p| line.contains(p.as_str()));
        let line = (1..).zip(text.lines()).find(|l| bad(l.1))?;
        Some(format!("{}:{}: {}", short(&path).display(), line.0, line.1.trim()))
    });
    none(found, "places of one machine");
}

#[test]
fn the_checkout_has_the_rooms_it_is_meant_to_have() {
    let wanted = ["Cargo.toml", "framework", "targets", "corpus", "tests", "ci", "README.md"];
    none(
        wanted.into_iter().filter(|name| !root().join(name).exists()).map(str::to_owned),
        "missing at the top",
    );
}

#[test]
fn mapcheck_has_few_dependencies() {
    let args = ["tree", "-p", "mapcheck", "-e", "normal", "--prefix", "none", "--no-dedupe"];
    let tree = Run::of(cargo().current_dir(root()).args(args)).code(0);
    let crates: BTreeSet<&str> =
        tree.stdout.lines().filter_map(|l| l.split(' ').next()).filter(|n| !n.is_empty()).collect();
    let others: Vec<_> = crates.iter().filter(|n| **n != "mapcheck").collect();
    assert!(others.len() <= DEPENDENCIES, "{}: {others:?}", others.len());
    assert!(crates.contains("mapcheck-machine"), "{crates:?}");
}

#[test]
fn every_lock_file_that_the_tests_build_from_is_there() {
    let subjects = ["broken", "events", "explored", "faults", "primitives", "shelf"];
    let subjects = subjects.map(|name| format!("tests/subjects/{name}"));
    for dir in subjects.iter().map(String::as_str).chain([""]) {
        assert!(root().join(dir).join("Cargo.lock").is_file(), "{dir}");
    }
    for dir in ["targets/known-bad", "targets/apart"] {
        for manifest in files(&root().join(dir), "Cargo.toml") {
            assert!(manifest.with_file_name("Cargo.lock").is_file(), "{}", manifest.display());
        }
    }
}
