//! The TOML of repro files: read with errors that name the key, written one key a line.

use std::fmt::Write as _;

use toml::de::{DeArray, DeTable, DeValue};

/// A table of a document, and its name for messages; the document itself has none.
pub(crate) struct Section<'a> {
    table: &'a DeTable<'a>,
    name: &'a str,
}

impl<'a> Section<'a> {
    pub(crate) fn new(table: &'a DeTable<'a>, name: &'a str) -> Section<'a> {
        Section { table, name }
    }

    /// Refuses keys that are not `known`: they are misspelt, or of a newer format.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), String> {
        let stranger = self.table.keys().find(|k| !known.contains(&k.get_ref().as_ref()));
        stranger.map_or(Ok(()), |key| Err(self.complain(key.get_ref(), "is not known")))
    }

    fn complain(&self, key: &str, what: &str) -> String {
        match self.name {
            "" => format!("`{key}` {what}"),
            name => format!("`{key}` in [{name}] {what}"),
        }
    }

    fn get(&self, key: &str) -> Option<&'a DeValue<'a>> {
        self.table.get(key).map(|value| value.get_ref())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A text that must be there.
    pub(crate) fn text(&self, key: &str) -> Result<String, String> {
        self.optional_text(key)?.ok_or_else(|| self.complain(key, "is missing"))
    }

    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<String>, String> {
        let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
        let refused = || self.complain(key, "is not a string");
        self.get(key).map(|value| text(value).ok_or_else(refused)).transpose()
    }

    /// A whole number that must be there; written as a string where it may exceed 63 bits.
    pub(crate) fn number(&self, key: &str) -> Result<u64, String> {
        let value = self.get(key).ok_or_else(|| self.complain(key, "is missing"))?;
        let read = match value.as_integer() {
            Some(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            None => value.as_str().and_then(|digits| digits.parse().ok()),
        };
        read.ok_or_else(|| self.complain(key, "is not a whole number"))
    }

    /// False where it is missing.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, String> {
        let Some(value) = self.get(key) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.complain(key, "is neither true nor false"))
    }

    /// A list of strings; empty where it is missing.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let list = value.as_array().and_then(strings);
        list.ok_or_else(|| self.complain(key, "is not a list of strings"))
    }

    /// A list of lists of strings that must be there.
    pub(crate) fn text_lists(&self, key: &str) -> Result<Vec<Vec<String>>, String> {
        let value = self.get(key).ok_or_else(|| self.complain(key, "is missing"))?;
        let inner = |item: &toml::Spanned<DeValue<'_>>| item.get_ref().as_array().and_then(strings);
        let lists = value.as_array().and_then(|a| a.iter().map(inner).collect());
        lists.ok_or_else(|| self.complain(key, "is not a list of lists of strings"))
    }

    pub(crate) fn section(&self, key: &'a str) -> Result<Option<Section<'a>>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let table = value.as_table().ok_or_else(|| self.complain(key, "is not a table"))?;
        Ok(Some(Section::new(table, key)))
    }
}

fn strings(array: &DeArray<'_>) -> Option<Vec<String>> {
    array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}

/// The text with its control characters escaped: what it quotes may have any.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// `; did you mean X?`, of the name that is most like what was asked for; empty if none is.
pub(crate) fn near(wanted: &str, names: &[&str]) -> String {
    let likeness = |name: &&&str| match name.starts_with(wanted) && wanted.len() > 2 {
        true => 0,
        false => edits(name, wanted),
    };
    let nearest = names.iter().min_by_key(likeness).filter(|n| likeness(n) <= wanted.len() / 3);
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// How many bytes to insert, delete or replace to make one word the other.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Parses a document and reads it with `read`; the error is one line, which names the line where the text is no TOML.
pub(crate) fn parse<R>(
    text: &str,
    read: impl FnOnce(&Section<'_>) -> Result<R, String>,
) -> Result<R, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        format!("line {line}: {}", error.message())
    })?;
    read(&Section::new(table.get_ref(), "")).map_err(|what| one_line(&what))
}

/// The number with commas between thousands.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A document under construction.
#[derive(Default)]
pub(crate) struct Writer(pub String);

impl Writer {
    fn line(&mut self, key: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.line(key, &quoted(value));
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        // TOML's integers are signed.
        match i64::try_from(value) {
            Ok(number) => self.line(key, &number.to_string()),
            Err(_) => self.text(key, &value.to_string()),
        }
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.line(key, &value.to_string());
    }

    pub(crate) fn texts(&mut self, key: &str, values: &[String]) {
        self.line(key, &list(values));
    }

    pub(crate) fn text_lists(&mut self, key: &str, values: &[Vec<String>]) {
        let rows: String = values.iter().map(|row| format!("  {},\n", list(row))).collect();
        self.line(key, &format!("[\n{rows}]"));
    }

    pub(crate) fn section(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[{name}]");
    }
}

/// A basic string: quotes, backslashes and control characters are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            _ if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)),
            _ => write!(quoted, "{c}"),
        };
    }
    quoted + "\""
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|v| quoted(v)).collect();
    format!("[{}]", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_what_is_most_alike() {
        let names = ["random", "pct", "portfolio", "exhaustive", "exhaustive-delays"];
        assert_eq!(near("pctt", &names), "; did you mean pct?");
        assert_eq!(near("exhaust", &names), "; did you mean exhaustive?");
        assert_eq!(near("randmo", &names), "; did you mean random?");
        assert_eq!((near("fair", &names), near("", &names)), (String::new(), String::new()));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::default();
        writer.text("a", "quotes \" and\nlines");
        writer.number("b", u64::MAX);
        writer.number("c", 7);
        writer.section("d");
        writer.flag("e", true);
        writer.texts("f", &["x".into(), "y z".into()]);
        writer.text_lists("g", &[vec!["1".into()], vec![]]);
        parse(&writer.0, |doc| {
            assert_eq!(doc.text("a")?, "quotes \" and\nlines");
            assert_eq!((doc.number("b")?, doc.number("c")?), (u64::MAX, 7));
            let inner = doc.section("d")?.expect("a section");
            assert!(inner.flag("e")? && !inner.flag("h")?);
            assert_eq!(inner.texts("f")?, ["x", "y z"]);
            assert_eq!(inner.text_lists("g")?, [vec!["1".to_owned()], vec![]]);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn any_character_of_a_text_is_read_back() {
        let strange: String =
            (0..0x300).chain([0x2028, 0xfeff, 0x1f600]).filter_map(char::from_u32).collect();
        let mut writer = Writer::default();
        writer.text("a", &strange);
        writer.texts("b", &[strange.clone(), String::new()]);
        assert_eq!(writer.0.lines().count(), 2);
        let read = parse(&writer.0, |doc| Ok((doc.text("a")?, doc.texts("b")?)));
        assert_eq!(read.unwrap(), (strange.clone(), vec![strange, String::new()]));
    }

    #[test]
    fn a_number_may_be_written_in_another_base() {
        let read = |text: &str| parse(text, |doc| doc.number("n"));
        for (text, n) in [("n = 0x10", 16), ("n = 0o17", 15), ("n = 0b11", 3), ("n = 1_000", 1000)]
        {
            assert_eq!(read(text), Ok(n), "{text}");
        }
        assert!(read("n = -1").is_err() && read("n = 1.0").is_err());
    }

    #[test]
    fn an_error_is_one_line_whatever_it_quotes() {
        let only = parse("\"a\\nb\\u001b\" = 1", |doc| doc.only(&["seed"]));
        assert_eq!(only.unwrap_err(), "`a\\nb\\u{1b}` is not known");
    }

    #[test]
    fn an_error_names_the_line_or_the_key() {
        assert!(parse("a = 1\nb =", |_| Ok(())).unwrap_err().starts_with("line 2: "));
        let read = |text: &str| parse(text, |doc| doc.section("s")?.expect("one").number("n"));
        assert_eq!(read("[s]").unwrap_err(), "`n` in [s] is missing");
        assert_eq!(read("[s]\nn = 'x'").unwrap_err(), "`n` in [s] is not a whole number");
        let only = parse("speed = 1", |doc| doc.only(&["seed"]));
        assert_eq!(only.unwrap_err(), "`speed` is not known");
    }
}
