//! The adapter of a target as source text that stands by itself, or as a path where it can be named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use serde_json::Value;
use syn::spanned::Spanned as _;
use syn::{Item, Type, UseTree};
use toml::de::{DeTable, DeValue};

use super::packages;
use crate::runners::Runner;

/// How a test gets its adapter.
#[derive(Debug, PartialEq, Eq)]
pub enum Adapter {
    /// It is in the tests that the new one stands beside.
    Own {
        /// Its path from there.
        path: String,
    },
    /// It is copied.
    Copied {
        /// Its source.
        text: String,
        /// How it is named there.
        name: String,
        /// The lines of the runner's manifest with what it depends on.
        dependencies: Vec<String>,
    },
    /// Somebody has to fill it in.
    Missing {
        /// The type's name with its path.
        name: String,
        /// Why it cannot be copied.
        why: String,
    },
}

/// Columns of a line of code.
const COLUMNS: usize = 100;
/// What only a runner needs of its imports.
const OF_RUNNERS: [&str; 2] = ["ExitCode", "Target"];

/// The adapter of a target, whose type has this name.
pub fn of_runner(name: &str, runner: &Runner) -> Adapter {
    copied(name, runner).unwrap_or_else(|why| Adapter::Missing { name: name.to_owned(), why })
}

/// The adapter of a test: its type's path, from the root of the crate that it is tested in.
pub fn of_test(name: &str) -> Adapter {
    let path = match Named::read(name) {
        Ok(named) => named.written(&format!("crate::{}", named.path[1..].join("::"))),
        // Generic, with types that only who wrote it can name.
        Err(_) => name.to_owned(),
    };
    Adapter::Own { path }
}

/// A type that is named by its path alone.
struct Named {
    path: Vec<String>,
    /// Whether it is an adapter of futures, which is used through `Async`.
    is_async: bool,
}

impl Named {
    fn read(name: &str) -> Result<Named, String> {
        let inner = name.strip_prefix("mapcheck::async_map::Async<");
        let path = inner.and_then(|inner| inner.strip_suffix('>')).unwrap_or(name);
        if path.contains(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            return Err(format!("the type `{name}` is generic"));
        }
        let path: Vec<String> = path.split("::").map(str::to_owned).collect();
        match path.len() {
            0 | 1 => Err(format!("`{name}` is no type of a crate's")),
            _ => Ok(Named { path, is_async: inner.is_some() }),
        }
    }

    fn written(&self, name: &str) -> String {
        if self.is_async { format!("mapcheck::Async<{name}>") } else { name.to_owned() }
    }
}

fn copied(name: &str, runner: &Runner) -> Result<Adapter, String> {
    let named = Named::read(name)?;
    let metadata = packages(runner).map_err(|e| e.to_string())?;
    let root = root_of(&metadata, &named.path[0])
        .ok_or_else(|| format!("no crate `{}` is part of the runner's workspace", named.path[0]))?;
    let (own, modules) = named.path.split_last().ok_or("its type has no name")?;
    let file = file_of(&root, &modules[1..])
        .ok_or_else(|| format!("the module `{}` is no file", modules.join("::")))?;
    let source = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
    let text = extract(&source, own)?;
    let manifest = std::fs::read_to_string(&runner.manifest).map_err(|e| e.to_string())?;
    let dependencies = dependencies(&manifest, &text);
    Ok(Adapter::Copied { text, name: named.written(own), dependencies })
}

/// The root file of a crate, by the name that the compiler knows it by.
fn root_of(metadata: &Value, name: &str) -> Option<PathBuf> {
    let packages = metadata["packages"].as_array()?;
    let mut targets = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let named =
        |target: &&Value| target["name"].as_str().is_some_and(|own| own.replace('-', "_") == name);
    Some(PathBuf::from(targets.find(named)?["src_path"].as_str()?))
}

/// The file of a module.
fn file_of(root: &Path, modules: &[String]) -> Option<PathBuf> {
    if modules.is_empty() {
        return Some(root.to_owned());
    }
    let below = root.parent()?.join(modules.join("/"));
    let files = [below.with_extension("rs"), below.join("mod.rs")];
    files.into_iter().find(|file| file.is_file())
}

/// The items of a file that a type needs, with all of its imports.
///
/// The error is a fragment that says what other files would be needed.
fn extract(source: &str, name: &str) -> Result<String, String> {
    let file = syn::parse_file(source).map_err(|e| format!("its file cannot be read: {e}"))?;
    let items: Vec<&Item> = file.items.iter().filter(|item| !is_test(item)).collect();
    let needed = needed(&items, name);
    if !items.iter().any(|item| name_of(item).is_some_and(|own| own == name)) {
        return Err(format!("`{name}` is not defined in its module's file"));
    }
    let mut words = BTreeSet::new();
    let mut texts = Vec::new();
    for item in needed {
        if let Item::Mod(module) = item {
            return Err(format!("it uses the module `{}` of its crate", module.ident));
        }
        idents(item.to_token_stream(), &mut words);
        texts.push(source[item.span().byte_range()].to_owned());
    }
    if let Some(path) = ["crate", "super"].into_iter().find(|path| words.contains(*path)) {
        return Err(format!("it names something of its crate by `{path}::`"));
    }
    Ok(format!("{}\n{}\n", imports(&items, &words)?, texts.join("\n\n")))
}

/// Whether an item is for tests alone.
fn is_test(item: &Item) -> bool {
    let Item::Mod(module) = item else { return false };
    module.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test")
    })
}

/// The name that an item defines in its file.
fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Struct(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Const(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Mod(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The items that a type needs, in their order: itself, what is implemented for it, and what they name.
fn needed<'a>(items: &[&'a Item], name: &str) -> Vec<&'a Item> {
    let mut names = BTreeSet::from([name.to_owned()]);
    let mut taken = vec![false; items.len()];
    loop {
        let before = taken.clone();
        for (item, taken) in items.iter().zip(&mut taken) {
            if *taken || !is_wanted(item, &names) {
                continue;
            }
            *taken = true;
            let mut words = BTreeSet::new();
            idents(item.to_token_stream(), &mut words);
            let defined = items.iter().filter_map(|item| name_of(item));
            names.extend(defined.filter(|own| words.contains(own)));
        }
        if before == taken {
            let all = items.iter().zip(taken);
            return all.filter(|(_, taken)| *taken).map(|(item, _)| *item).collect();
        }
    }
}

/// Whether an item defines one of these names, or implements something for it.
fn is_wanted(item: &Item, names: &BTreeSet<String>) -> bool {
    let mut words = BTreeSet::new();
    match item {
        Item::Impl(item) => match &*item.self_ty {
            Type::Path(path) => idents(path.to_token_stream(), &mut words),
            other => idents(other.to_token_stream(), &mut words),
        },
        // A macro that makes items, perhaps for it.
        Item::Macro(item) if item.ident.is_none() => {
            idents(item.mac.tokens.clone(), &mut words);
        }
        item => words.extend(name_of(item)),
    }
    words.iter().any(|word| names.contains(word))
}

/// Adds all identifiers among some tokens.
fn idents(tokens: TokenStream, to: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => _ = to.insert(ident.to_string()),
            TokenTree::Group(group) => idents(group.stream(), to),
            _ => {}
        }
    }
}

/// The imports, but for those that only a runner needs. Who is imported for its methods alone is named nowhere, so all
/// others stay.
fn imports(items: &[&Item], words: &BTreeSet<String>) -> Result<String, String> {
    let modules: BTreeSet<String> = items
        .iter()
        .filter(|item| matches!(item, Item::Mod(_)))
        .filter_map(|item| name_of(item))
        .chain(["crate", "self", "super"].map(str::to_owned))
        .collect();
    let (mut of_std, mut lines) = (String::new(), String::new());
    for item in items {
        let Item::Use(item) = item else { continue };
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        let of_crate = leaves.iter().any(|path| modules.contains(&path[0]));
        let used = leaves.iter().filter_map(|path| path.last()?.split(' ').next_back());
        let used = used.into_iter().any(|own| words.contains(own));
        match (of_crate, used) {
            (true, true) => return Err(format!("it uses `{}`", leaves[0].join("::"))),
            (true, false) => {}
            (false, _) if leaves[0][0] == "std" => of_std += &import(&leaves, words),
            (false, _) => lines += &import(&leaves, words),
        }
    }
    let between = if of_std.is_empty() || lines.is_empty() { "" } else { "\n" };
    Ok(format!("{of_std}{between}{lines}"))
}

/// The names that an import brings in, each with its path; the last is `*` for all of a module.
fn flatten(tree: &UseTree, path: &mut Vec<String>, to: &mut Vec<Vec<String>>) {
    let mut leaf = |name: String, path: &[String]| to.push([path, &[name]].concat());
    match tree {
        UseTree::Path(below) => {
            path.push(below.ident.to_string());
            flatten(&below.tree, path, to);
            path.pop();
        }
        UseTree::Name(name) => leaf(name.ident.to_string(), path),
        UseTree::Rename(name) => leaf(format!("{} as {}", name.ident, name.rename), path),
        UseTree::Glob(_) => leaf("*".to_owned(), path),
        UseTree::Group(group) => {
            group.items.iter().for_each(|below| flatten(below, path, to));
        }
    }
}

/// An import of these names, each with the same path or on a line of its own.
fn import(leaves: &[Vec<String>], words: &BTreeSet<String>) -> String {
    let is_of_runners =
        |name: &String| OF_RUNNERS.contains(&name.as_str()) && !words.contains(name);
    let kept: Vec<&Vec<String>> =
        leaves.iter().filter(|path| path.last().is_some_and(|name| !is_of_runners(name))).collect();
    let mut folders: Vec<&[String]> = kept.iter().map(|path| &path[..path.len() - 1]).collect();
    folders.dedup();
    let mut lines = String::new();
    for folder in folders {
        let names = kept.iter().filter(|path| &path[..path.len() - 1] == folder);
        let names: Vec<&str> = names.filter_map(|path| path.last()).map(String::as_str).collect();
        let path: String = folder.iter().map(|part| format!("{part}::")).collect();
        lines += &import_line(&path, &names);
    }
    lines
}

/// An import, as rustfmt writes it.
fn import_line(path: &str, names: &[&str]) -> String {
    let line = match names {
        [one] => format!("use {path}{one};\n"),
        _ => format!("use {path}{{{}}};\n", names.join(", ")),
    };
    if line.trim_end().len() <= COLUMNS || names.len() == 1 {
        return line;
    }
    let mut rows = vec![String::new()];
    for name in names {
        let full = rows.last().is_some_and(|row| 4 + row.len() + name.len() > COLUMNS - 2);
        if full {
            rows.push(String::new());
        }
        rows.last_mut().into_iter().for_each(|row| *row += &format!("{name}, "));
    }
    let rows: String = rows.iter().map(|row| format!("    {}\n", row.trim_end())).collect();
    format!("use {path}{{\n{rows}}};\n")
}

/// The lines of a manifest with the dependencies from registries that a text names.
fn dependencies(manifest: &str, text: &str) -> Vec<String> {
    let mut words = BTreeSet::new();
    text.parse().into_iter().for_each(|tokens| idents(tokens, &mut words));
    let Ok(table) = DeTable::parse(manifest) else { return Vec::new() };
    let table = table.get_ref().get("dependencies").and_then(|all| all.get_ref().as_table());
    let mut lines = Vec::new();
    for (key, value) in table.into_iter().flatten() {
        let named = words.contains(&key.get_ref().replace('-', "_"));
        let versioned = match value.get_ref() {
            DeValue::String(_) => true,
            DeValue::Table(of) => of.contains_key("version"),
            _ => false,
        };
        if named && versioned {
            lines.push(format!("{} = {}", key.get_ref(), &manifest[value.span()]));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNER: &str = r"//! A runner.
#![forbid(unsafe_code)]

mod other;

use std::process::ExitCode;

use mapcheck::{Key, Map, Target};
use old::{Guard, HashMap};

const TARGET: Target = of();

fn main() {}

/// A map.
pub struct Own(HashMap<Key, Hasher>);

/// How it hashes.
type Hasher = u8;

struct Stranger;

impl Map for Own {
    // Kept.
    fn new() -> Own {
        Own(made!(SIZE))
    }
}

const SIZE: u8 = 1;

macro_rules! made { ($n:expr) => { $n } }

impl Stranger {}

#[cfg(test)]
mod tests {}
";

    #[test]
    fn a_type_is_taken_with_all_that_it_names_and_nothing_else() {
        let text = extract(RUNNER, "Own").unwrap();
        let wanted = r"use mapcheck::{Key, Map};
use old::{Guard, HashMap};

/// A map.
pub struct Own(HashMap<Key, Hasher>);

/// How it hashes.
type Hasher = u8;

impl Map for Own {
    // Kept.
    fn new() -> Own {
        Own(made!(SIZE))
    }
}

const SIZE: u8 = 1;

macro_rules! made { ($n:expr) => { $n } }
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_long_import_is_wrapped() {
        let names: Vec<&str> = std::iter::repeat_n("Consistency", 9).collect();
        let text = import_line("mapcheck::", &names);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(
            text.lines().all(|line| line.len() <= COLUMNS) && text.ends_with(",\n};\n"),
            "{text}"
        );
        assert_eq!(import_line("a::b::", &["C"]), "use a::b::C;\n");
    }

    #[test]
    fn what_needs_other_files_says_which() {
        let of = |more: &str| extract(&format!("{RUNNER}{more}"), "Own").unwrap_err();
        assert!(
            of("use crate::x::Hasher as HashMap2; impl Own { fn f() { HashMap2 } }")
                .contains("crate")
        );
        assert!(of("impl Own { fn f() { super::g() } }").contains("`super::`"));
        assert!(of("impl Own { fn f() { other::g() } }").contains("module `other`"));
        assert!(extract(RUNNER, "None").unwrap_err().contains("not defined"));
    }

    #[test]
    fn a_generic_type_cannot_be_copied_and_one_of_futures_is_wrapped() {
        assert!(Named::read("a::B<a::C>").is_err());
        let named = Named::read("mapcheck::async_map::Async<a::b::C>").unwrap();
        assert_eq!(
            (named.path.join("::"), named.written("C")),
            ("a::b::C".into(), "mapcheck::Async<C>".into())
        );
        assert_eq!(of_test("own::tests::A"), Adapter::Own { path: "crate::tests::A".into() });
    }

    #[test]
    fn dependencies_are_those_that_are_named_and_have_a_version() {
        let manifest = "[dependencies]\nflurry = '=0.4.0'\nseize = { version = '=0.2.1' }\nown = { path = '..' }\n\
            unused = '1'\n";
        let text = "use flurry::A; use seize::B; use own::C;";
        assert_eq!(
            dependencies(manifest, text),
            ["flurry = '=0.4.0'", "seize = { version = '=0.2.1' }"]
        );
    }
}
