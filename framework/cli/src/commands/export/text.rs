//! The text of a regression test.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::Head;
use super::adapter::Adapter;

/// Columns of what is wrapped.
const WIDTH: usize = 96;

/// What a test tells of its finding.
pub struct Story<'a> {
    /// What the repro says.
    pub head: &'a Head,
    /// What its runner or its test told.
    pub facts: &'a Value,
    /// The repro's text.
    pub repro: &'a str,
    /// Where it lies.
    pub path: &'a Path,
}

impl Story<'_> {
    /// The name of the file and of what is in it: `regression_leak_1a2b3c4d`.
    pub fn name(&self) -> String {
        let hash = hash(self.repro.as_bytes()) as u32;
        format!("regression_{}_{hash:08x}", self.head.class.replace('-', "_"))
    }

    /// How many executions each search took.
    pub fn searches(&self) -> Vec<&str> {
        let all = self.facts["searches"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(Value::as_str).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.facts[key].as_str().unwrap_or_default()
    }

    /// The comment at the top, without the marks of one.
    fn comment(&self, adapter: &Adapter) -> String {
        let Head { target, class, mapcheck, versions, instrumented, .. } = self.head;
        let mut out = String::new();
        // A message is lower-case, and has no full stop.
        paragraph(&mut out, &format!("{class} in {target}: {}.", self.text("message")));
        paragraph(&mut out, &format!("Found by mapcheck {mapcheck} in {}.", shortened(versions)));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let path = if self.path.is_absolute() { name } else { self.path.to_string_lossy() };
        paragraph(&mut out, &format!("Replay, where it was found: cargo mapcheck replay {path}"));
        paragraph(&mut out, &self.what_it_does());
        if *instrumented {
            paragraph(
                &mut out,
                "Run it with `cargo mapcheck test`; plain `cargo test` passes it over.",
            );
        }
        if let Adapter::Copied { dependencies, .. } = adapter {
            out += "[dev-dependencies], but for those that this crate has already:\n\n```toml\n";
            out += "mapcheck = { path = \"…/mapcheck/framework\" }\n";
            dependencies.iter().for_each(|line| out += &format!("{line}\n"));
            out += "```\n\n";
        }
        let _ = write!(out, "The report:\n\n```text\n{}```", self.text("report"));
        out
    }

    fn what_it_does(&self) -> String {
        let executions = grouped(&self.facts["executions"].to_string(), ',');
        let searches = self.searches();
        let mut text = format!(
            "The test replays the decisions below, which lead to the finding in the very build that made them, and if \
             they do not, explores {executions} executions of the scenario. With the seeds 0 to {} it took {} of them \
             to find something.",
            searches.len().saturating_sub(1),
            searches.join(", "),
        );
        if searches.contains(&"none") {
            text += " Where it says `none`, nothing was found: after a change that is no fix, the test may pass though \
                     the mistake is there.";
        }
        text
    }
}

/// The file.
pub fn file(story: &Story<'_>, adapter: &Adapter) -> String {
    let comment = story.comment(adapter);
    match adapter {
        Adapter::Own { path } => within_tests(story, &comment, path),
        Adapter::Copied { text, name, .. } => {
            format!("{}{text}\n{}", top(&comment), test(story, name, ""))
        }
        Adapter::Missing { name, why } => {
            format!("{}{}\n{}", top(&comment), to_fill_in(name, why), test(story, "Adapter", ""))
        }
    }
}

/// What stands in the place of an adapter that could not be copied.
fn to_fill_in(name: &str, why: &str) -> String {
    let mut what = String::new();
    let missing =
        format!("TO BE FILLED IN: the adapter `{name}`, which could not be copied: {why}.");
    let then = "Put it here under the name `Adapter`, with the imports that it needs, and remove what follows.";
    paragraph(&mut what, &format!("{missing} {then}"));
    let refused = format!("the adapter `{name}` is to be filled in here, under the name `Adapter`");
    format!("{}compile_error!({refused:?});\n", commented(what.trim_end(), "//"))
}

/// The first of a list of versions, and how many there are more.
fn shortened(versions: &str) -> String {
    let all: Vec<&str> = versions.split(", ").collect();
    match all.len() {
        0..=4 => versions.to_owned(),
        n => format!("{}, and {} more that the repro names", all[..4].join(", "), n - 4),
    }
}

/// What a file of its own begins with.
fn top(comment: &str) -> String {
    // Not every import is used without the rest of the adapter's file.
    let allowed = "#![allow(dead_code, missing_docs, unexpected_cfgs, unused_imports)]";
    format!("{}{allowed}\n\n", commented(comment, "//!"))
}

/// A module for a file that has tests already.
fn within_tests(story: &Story<'_>, comment: &str, path: &str) -> String {
    let name = story.name();
    let comment = commented(comment, "///");
    let test = test(story, path, "    ");
    format!("{comment}#[cfg(test)]\n#[allow(unexpected_cfgs)]\nmod {name} {{\n{test}}}\n")
}

/// The repro and the test.
fn test(story: &Story<'_>, adapter: &str, indent: &str) -> String {
    let executions = grouped(&story.facts["executions"].to_string(), '_');
    let accepts = story.facts["accepts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let accepts: String =
        accepts.iter().map(|name| format!("\n{indent}        .accept_race({name})")).collect();
    let ignored = match story.head.instrumented {
        true => format!(
            "{indent}#[cfg_attr(not(mapcheck_instrumented), ignore = \"run it with `cargo mapcheck test`\")]\n"
        ),
        false => String::new(),
    };
    let name = story.name();
    let name = name.trim_start_matches("regression_");
    format!(
        "{indent}/// The scenario, and the decisions that led to it.\n{indent}const REPRO: &str = {};\n\n\
         {indent}#[test]\n{ignored}{indent}fn {name}() {{\n{indent}    mapcheck::Settings::default()\n\
         {indent}        .executions({executions}){accepts}\n{indent}        .regression::<{adapter}>(REPRO);\n\
         {indent}}}\n",
        raw(story.repro),
    )
}

/// A literal of this text.
fn raw(text: &str) -> String {
    let mut marks = "#".to_owned();
    while text.contains(&format!("\"{marks}")) {
        marks.push('#');
    }
    format!("r{marks}\"{text}\"{marks}")
}

/// Each line with a mark before it.
fn commented(text: &str, mark: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        out += format!("{mark} {line}").trim_end();
        out.push('\n');
    }
    out
}

/// Adds a wrapped paragraph and an empty line.
fn paragraph(out: &mut String, text: &str) {
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let gap = match width {
            0 => "",
            _ if width + 1 + length > WIDTH => "\n",
            _ => " ",
        };
        width = if gap == " " { width + 1 + length } else { length };
        out.push_str(gap);
        out.push_str(word);
    }
    out.push_str("\n\n");
}

/// A number with something between each three digits.
fn grouped(digits: &str, between: char) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(between);
        }
        out.push(digit);
    }
    out
}

/// The hash of Fowler, Noll and Vo, as the names of repros have it.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_ends_where_its_text_does() {
        assert_eq!(raw("a \"b\" c"), "r#\"a \"b\" c\"#");
        assert_eq!(raw("a \"# b"), "r##\"a \"# b\"##");
    }

    #[test]
    fn numbers_and_paragraphs_are_easy_to_read() {
        assert_eq!((grouped("1000", '_').as_str(), grouped("999", '_').as_str()), ("1_000", "999"));
        let mut out = String::new();
        paragraph(&mut out, &"word ".repeat(40));
        assert!(out.ends_with("word\n\n") && out.lines().all(|line| line.len() <= WIDTH));
        assert_eq!(commented("a\n\nb", "//!"), "//! a\n//!\n//! b\n");
    }
}
