//! An explanation of a finding: what a runner tells of one, read, and shown as a page, as Markdown or as it came.
//!
//! `docs/formats.md` has the format.

pub mod markdown;
pub mod page;

mod format;

use serde::Deserialize as _;
use serde_json::Value;

pub use format::{Event, Explanation, Place, Source, Suspect};

/// The format that this command reads.
const FORMAT: u64 = 1;

impl Explanation {
    /// Reads an explanation; the error completes a sentence that starts with what was read.
    ///
    /// # Errors
    /// When it is of another format, or a key is missing.
    pub fn read(value: &Value) -> Result<Self, String> {
        if value["type"] != "explanation" {
            return Err("is not an explanation: it does not say `\"type\": \"explanation\"`".into());
        }
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(format!("has format {other}, and this mapcheck reads {FORMAT} alone"));
            }
            None => return Err("is only a part of an explanation: it has no `format`".into()),
        }
        Self::deserialize(value).map_err(|e| format!("is only a part of an explanation: {e}"))
    }

    /// Reads an explanation's text; the error is as for [`Self::read`].
    ///
    /// # Errors
    /// When it is not JSON to its end, and as for [`Self::read`].
    pub fn parse(text: &str) -> Result<(Self, Value), String> {
        let value: Value = serde_json::from_str(text).map_err(|e| match e.is_eof() {
            true => format!("is only a part of an explanation: it ends in line {}", e.line()),
            false => format!("is not an explanation: {e}"),
        })?;
        Ok((Self::read(&value)?, value))
    }

    /// What a thread is called: its number, and what it is there for.
    pub fn thread(&self, id: u64) -> String {
        let name = self.threads.iter().find(|t| t.id == id).map(|t| t.name.as_str());
        match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("thread {id} ({name})"),
            None => format!("thread {id}"),
        }
    }

    /// The line of code at a site, if its excerpt has it.
    pub fn line_at(&self, site: &str) -> Option<&str> {
        let (file, line) = site.rsplit_once(':')?;
        let line: u64 = line.parse().ok()?;
        let of_file = self.sources.iter().filter(|source| source.file == file);
        of_file.filter_map(|source| source.line(line)).next()
    }
}

impl Source {
    /// The line of this number, if it is one of these.
    fn line(&self, number: u64) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index).map(|line| line.trim())
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// The smallest explanation: of a finding that is about no block.
    pub fn smallest() -> Value {
        json!({
            "type": "explanation", "format": 1, "mapcheck": "0.1.0", "target": "a", "versions": "a 1.0.0",
            "scenario": "s", "repro": "r.toml", "replay": "cargo mapcheck replay r.toml", "mutant": null,
            "injected": [], "class": "missed-element", "message": "it passed over key 3", "site": "a/src/lib.rs:1",
            "summary": ["One."], "suspects": [], "threads": [{"id": 0, "name": "setup"}], "steps": 0,
            "operations": [], "runs": [], "faults": [], "notes": [], "block": null, "walk": [], "why": [],
            "blocks": [], "roots": [], "pointers": [], "order": [], "inflection": "", "inflection_step": null,
            "sources": [{"file": "a/src/lib.rs", "first": 4, "lines": ["four", " five"], "marks": []}],
            "report": "r"
        })
    }

    #[test]
    fn an_explanation_is_read_with_keys_that_are_not_known() {
        let mut value = smallest();
        value["later"] = json!(1);
        let read = Explanation::read(&value).unwrap();
        assert_eq!(
            (read.class.as_str(), read.thread(0).as_str()),
            ("missed-element", "thread 0 (setup)")
        );
        assert_eq!(read.thread(7), "thread 7");
    }

    #[test]
    fn another_format_is_refused() {
        let mut value = smallest();
        value["format"] = json!(2);
        assert_eq!(
            Explanation::read(&value).unwrap_err(),
            "has format 2, and this mapcheck reads 1 alone"
        );
        value["type"] = json!("finding");
        assert!(Explanation::read(&value).unwrap_err().starts_with("is not an explanation: "));
    }

    #[test]
    fn a_part_of_an_explanation_is_refused() {
        let text = smallest().to_string();
        let read = |text: &str| Explanation::parse(text).unwrap_err();
        assert_eq!(read(&text[..90]), "is only a part of an explanation: it ends in line 1");
        assert!(read("x").starts_with("is not an explanation: "));
        let mut value = smallest();
        value.as_object_mut().unwrap().remove("walk");
        assert!(Explanation::read(&value).unwrap_err().ends_with("missing field `walk`"));
    }

    #[test]
    fn a_line_is_found_by_its_site() {
        let read = Explanation::read(&smallest()).unwrap();
        let lines = ["a/src/lib.rs:5", "a/src/lib.rs:6", "a/src/lib.rs:3", "b.rs:5", "x"];
        assert_eq!(lines.map(|site| read.line_at(site)), [Some("five"), None, None, None, None]);
    }
}
