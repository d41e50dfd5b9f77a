//! Reads lines that [`Object`](crate::report::Object) has written: flat objects of texts, numbers, flags and lists of
//! texts. What is cut off or damaged is no line.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// A flat object.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Line(pub BTreeMap<String, Field>);

/// What a flat object has under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Whether something is so.
    Flag(bool),
    /// A list of texts.
    Texts(Vec<String>),
}

impl Line {
    /// Reads a line; `None` where it is none, or only a part of one.
    pub(crate) fn read(text: &str) -> Option<Line> {
        let mut rest = text.chars().peekable();
        let mut line = Line::default();
        expect(&mut rest, '{')?;
        if rest.next_if_eq(&'}').is_none() {
            loop {
                let key = quoted(&mut rest)?;
                expect(&mut rest, ':')?;
                line.0.insert(key, field(&mut rest)?);
                match rest.next()? {
                    ',' => {}
                    '}' => break,
                    _ => return None,
                }
            }
        }
        rest.next().is_none().then_some(line)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Field::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Field::Number(n) => Some(*n),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(Field::Flag(true)))
    }

    pub(super) fn texts(&self, key: &str) -> Option<&[String]> {
        match self.0.get(key)? {
            Field::Texts(texts) => Some(texts),
            _ => None,
        }
    }
}

type Rest<'a> = Peekable<Chars<'a>>;

fn expect(rest: &mut Rest<'_>, wanted: char) -> Option<()> {
    rest.next_if_eq(&wanted).map(drop)
}

fn field(rest: &mut Rest<'_>) -> Option<Field> {
    match rest.peek()? {
        '"' => quoted(rest).map(Field::Text),
        '[' => list(rest).map(Field::Texts),
        '0'..='9' => number(&word(rest)).map(Field::Number),
        _ => match &*word(rest) {
            "true" => Some(Field::Flag(true)),
            "false" => Some(Field::Flag(false)),
            _ => None,
        },
    }
}

fn number(digits: &str) -> Option<u64> {
    let padded = digits.len() > 1 && digits.starts_with('0');
    digits.parse().ok().filter(|_| !padded)
}

/// Letters and digits, as far as there are any.
fn word(rest: &mut Rest<'_>) -> String {
    std::iter::from_fn(|| rest.next_if(char::is_ascii_alphanumeric)).collect()
}

fn list(rest: &mut Rest<'_>) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    expect(rest, '[')?;
    if rest.next_if_eq(&']').is_some() {
        return Some(texts);
    }
    loop {
        texts.push(quoted(rest)?);
        match rest.next()? {
            ',' => {}
            ']' => return Some(texts),
            _ => return None,
        }
    }
}

fn quoted(rest: &mut Rest<'_>) -> Option<String> {
    let mut text = String::new();
    expect(rest, '"')?;
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => text.push(escaped(rest)?),
            // It would have been escaped.
            c if c < ' ' => return None,
            c => text.push(c),
        }
    }
}

fn escaped(rest: &mut Rest<'_>) -> Option<char> {
    match rest.next()? {
        'n' => Some('\n'),
        'u' => {
            let digits: String = rest.by_ref().take(4).collect();
            // A sign is none.
            let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
            char::from_u32(u32::from_str_radix(&digits, 16).ok().filter(|_| all)?)
        }
        c @ ('"' | '\\') => Some(c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Object;

    fn written() -> String {
        Object::of_type("job")
            .number("n", u64::MAX)
            .flag("f", true)
            .text("t", "a\"b\\\n\u{1}ü")
            .texts("list", &["x", "y,]"])
            .texts::<&str>("none", &[])
            .line()
    }

    #[test]
    fn what_is_written_as_an_object_is_read_back() {
        let line = Line::read(&written()).unwrap();
        assert_eq!(line.text("type"), Some("job"));
        assert_eq!(line.number("n"), Some(u64::MAX));
        assert!(line.flag("f") && !line.flag("g"));
        assert_eq!(line.text("t"), Some("a\"b\\\n\u{1}ü"));
        assert_eq!(line.texts("list").unwrap(), ["x", "y,]"]);
        assert_eq!(line.texts("none").unwrap().len(), 0);
        assert_eq!(line.text("n"), None);
        assert_eq!(Line::read("{}"), Some(Line::default()));
    }

    #[test]
    fn a_line_that_is_cut_off_or_goes_on_is_none() {
        let whole = written();
        for (end, _) in whole.char_indices() {
            assert_eq!(Line::read(&whole[..end]), None, "{}", &whole[..end]);
        }
        assert_eq!(Line::read(&format!("{whole}x")), None);
        assert_eq!(Line::read("{\"a\":-1}"), None);
    }

    #[test]
    fn what_is_no_json_is_no_line() {
        for damaged in [r#"{"a":007}"#, r#"{"a":"\u+041"}"#, "{\"a\":\"\u{1}\"}", "{\"a\tb\":1}"] {
            assert_eq!(Line::read(damaged), None, "{damaged}");
        }
        assert_eq!(Line::read(r#"{"a":0}"#).unwrap().number("a"), Some(0));
    }
}
