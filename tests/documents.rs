//! The documents are true: their Rust compiles, their TOML is read, and the outputs that they quote are what the
//! commands print now. Their commands are held by `framework/cli/src/documents.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mapcheck_tests::documents::{Block, blocks, quotes, rewritten, texts};
use mapcheck_tests::{Run, cargo, read, root, subjects_target, tempdir};

/// `docs/nightly.md` is followed to the letter by `guide.rs`.
const FOLLOWED: &str = "docs/nightly.md";
/// Blocks that are only read: one needs libFuzzer, which takes long to compile, and one is a file that `export-test`
/// wrote.
const READ_ALONE: [&str; 2] = ["docs/fuzzing.md 1", "docs/guide.md 5"];

/// The blocks of some language, each with its document and its number in that: `docs/guide.md 3`.
fn blocks_of(language: &str) -> Vec<(String, Block)> {
    let mut all = Vec::new();
    for (name, text) in texts().into_iter().filter(|(name, _)| name != FOLLOWED) {
        let is = |block: &Block| block.language.split(',').next() == Some(language);
        let own = blocks(&text).into_iter().filter(is);
        all.extend((1..).zip(own).map(|(nth, block)| (format!("{name} {nth}"), block)));
    }
    all
}

/// The source that has all blocks in it, and the names of those.
fn assembled() -> (String, BTreeSet<String>) {
    let all = blocks_of("rust");
    let mut used = BTreeSet::new();
    let mut source = String::new();
    for line in read(&root().join("tests/documents/blocks.rs")).lines() {
        let Some(name) = line.trim_start().strip_prefix("// block: ") else {
            source.extend([line, "\n"]);
            continue;
        };
        let block = all.iter().find(|(of, _)| of == name);
        let (_, block) = block.unwrap_or_else(|| panic!("there is no block {name}"));
        assert!(used.insert(name.to_owned()), "{name} twice");
        // What is left out has nothing to say.
        source.push_str(&block.text.replace('…', ""));
    }
    (source, used)
}

/// A crate with this source, and the versions that the workspace has.
fn written(dir: &Path, source: &str) {
    let framework = root().join("framework");
    let manifest = format!(
        "[package]\nname = \"documented\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\ncc = \"1\"\nflurry = \"0.5\"\n\
         mapcheck = {{ path = {framework:?}, features = [\"shuttle\", \"loom\"] }}\n\
         tokio = {{ version = \"1\", default-features = false, features = [\"sync\"] }}\n"
    );
    fs::create_dir(dir.join("src")).unwrap();
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.join("src/lib.rs"), source).unwrap();
    fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
}

#[test]
fn every_block_of_rust_compiles() {
    let (source, used) = assembled();
    let rust = blocks_of("rust").into_iter().map(|(name, _)| name);
    let rest: Vec<String> = rust.filter(|name| !used.contains(name)).collect();
    assert_eq!(rest, READ_ALONE, "blocks that nothing compiles");
    let dir = tempdir().unwrap();
    written(dir.path(), &source);
    let mut check = cargo();
    check.args(["check", "--quiet", "--tests"]).current_dir(dir.path());
    let run = Run::of(check.env("CARGO_TARGET_DIR", subjects_target()));
    assert_eq!(run.code, 0, "{}\n{source}", run.stderr);
}

#[test]
fn every_other_block_of_rust_is_rust() {
    for (name, block) in blocks_of("rust").iter().filter(|(name, _)| READ_ALONE.contains(&&**name))
    {
        syn::parse_file(&block.text).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn every_block_of_toml_and_json_is_read() {
    let tomls = blocks_of("toml");
    assert!(tomls.len() > 2, "they are found");
    for (name, block) in tomls {
        toml::de::DeTable::parse(&block.text).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for (name, block) in blocks_of("json") {
        for line in block.text.lines() {
            let read: Result<serde_json::Value, _> = serde_json::from_str(line);
            read.unwrap_or_else(|e| panic!("{name}: {e}: {line}"));
        }
    }
}

#[test]
fn the_outputs_that_are_quoted_are_those_that_are_printed() {
    let texts = texts();
    assert!(texts.iter().any(|(_, text)| quotes(text).iter().any(|q| !q.slow)), "they are found");
    for (name, text) in texts {
        let now = rewritten(&text, false);
        let differs = text.lines().zip(now.lines()).find(|(old, new)| old != new);
        assert!(
            now == text,
            "{name} quotes what is not printed any more: {differs:?}\n\
             cargo run -p mapcheck-tests --bin quote-outputs"
        );
    }
}

#[test]
fn links_lead_to_files_that_are_there() {
    let mut links = 0;
    for (name, text) in texts() {
        let dir = root().join(&name).parent().unwrap().to_owned();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|t| !t.contains("://") && !t.contains(' ')) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(&name) } else { dir.join(file) };
            assert!(path.exists(), "{name}: {target}");
            assert!(
                anchor.is_empty() || anchors(&read(&path)).contains(anchor),
                "{name}: {target}"
            );
            links += 1;
        }
    }
    assert!(links > 30, "{links}");
}

/// The anchors of a document's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            words.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn blocks_and_quotes_are_found_where_they_are() {
    let text = "a\n````text\n```x\n````\n  ```rust\n  let a;\n  ```\n\
                <!-- output of: ls -->\nb\n<!-- end of output -->\n";
    let found = blocks(text);
    let short: Vec<_> =
        found.iter().map(|b| (b.language.as_str(), b.line, b.text.as_str())).collect();
    assert_eq!(short, [("text", 3, "```x\n"), ("rust", 6, "let a;\n")]);
    let quotes = quotes(text);
    assert_eq!((quotes[0].command.as_str(), quotes[0].slow), ("ls", false));
    assert_eq!(&text[quotes[0].place.clone()], "b\n");
}
