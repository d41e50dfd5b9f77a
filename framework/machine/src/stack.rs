//! Stacks of the code under test: captured cheaply as text of the standard library, resolved to frames when asked for.
//!
//! The standard library carries its own symboliser, so the machine needs none. Its `Debug` form is a list of
//! `{ fn: "…", file: "…", line: n }`; parsing it is localised here and tested against the running toolchain.

use std::backtrace::Backtrace;
use std::sync::Arc;

/// A frame of a stack, innermost first. Inlined calls are frames of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The demangled function.
    pub function: String,
    /// The source file as the compiler recorded it; empty if unknown.
    pub file: String,
    /// The line, 0 if unknown.
    pub line: u32,
}

/// A captured stack, not yet resolved.
#[derive(Clone, Debug, Default)]
pub struct Stack(Option<Arc<Backtrace>>);

impl Stack {
    /// Captures the stack of the caller. Takes some microseconds.
    pub fn capture() -> Stack {
        Stack(Some(Arc::new(Backtrace::force_capture())))
    }

    /// Whether anything was captured.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Resolves the frames, innermost first. Reads debug information: some milliseconds the first time.
    pub fn frames(&self) -> Vec<Frame> {
        self.0.as_ref().map_or_else(Vec::new, |b| parse(&format!("{b:?}")))
    }
}

fn parse(text: &str) -> Vec<Frame> {
    text.split("{ fn: ").skip(1).map(parse_frame).collect()
}

fn parse_frame(text: &str) -> Frame {
    let (function, rest) = quoted(text);
    let (file, rest) = rest.split_once("file: ").map_or((String::new(), rest), |(_, r)| quoted(r));
    let line = rest.split_once("line: ").map_or(0, |(_, r)| {
        r.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
    });
    Frame { function, file, line }
}

/// Reads a quoted string in `Debug` form and returns what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            '"' => return (out, &text[i + 1..]),
            c => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_stack_names_the_function_and_line_that_captured_it() {
        let line = line!() + 1;
        let frames = Stack::capture().frames();
        let here = frames
            .iter()
            .find(|f| f.function.contains("a_captured_stack_names"))
            .expect("a frame of this test");
        assert_eq!(here.line, line);
        assert!(here.file.ends_with("stack.rs"));
    }

    #[test]
    fn an_escaped_quote_does_not_end_a_name() {
        let frames = parse(r#"Backtrace [{ fn: "a\"b", file: "x.rs", line: 3 }, { fn: "c" }]"#);
        assert_eq!(frames[0], Frame { function: "a\"b".into(), file: "x.rs".into(), line: 3 });
        assert_eq!(frames[1], Frame { function: "c".into(), file: String::new(), line: 0 });
    }
}
