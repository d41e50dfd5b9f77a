//! JSON output: one flat object a line.

use std::fmt::Write as _;

/// An object under construction; keys come out in the order they are added.
#[derive(Default)]
pub(crate) struct Object(String);

impl Object {
    /// An object whose `type` is this.
    pub(crate) fn of_type(name: &str) -> Object {
        Object::default().text("type", name)
    }

    fn key(mut self, key: &str) -> Object {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.quoted(key);
        self.0.push(':');
        self
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                '\n' => self.0.push_str("\\n"),
                // Writing to a string does not fail.
                c if c < ' ' => drop(write!(self.0, "\\u{:04x}", c as u32)),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Object {
        let mut object = self.key(key);
        object.quoted(value);
        object
    }

    pub(crate) fn number(self, key: &str, value: u64) -> Object {
        let mut object = self.key(key);
        let _ = write!(object.0, "{value}");
        object
    }

    /// A flag, or null where there is nothing to say.
    pub(crate) fn optional_flag(self, key: &str, value: Option<bool>) -> Object {
        let mut object = self.key(key);
        object.0.push_str(value.map_or("null", |v| if v { "true" } else { "false" }));
        object
    }

    pub(crate) fn flag(self, key: &str, value: bool) -> Object {
        let mut object = self.key(key);
        let _ = write!(object.0, "{value}");
        object
    }

    pub(crate) fn texts<S: AsRef<str>>(self, key: &str, values: &[S]) -> Object {
        let mut object = self.key(key);
        object.0.push('[');
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                object.0.push(',');
            }
            object.quoted(value.as_ref());
        }
        object.0.push(']');
        object
    }

    /// A number, or null where there is none.
    pub(crate) fn optional_number(self, key: &str, value: Option<u64>) -> Object {
        match value {
            Some(value) => self.number(key, value),
            None => {
                let mut object = self.key(key);
                object.0.push_str("null");
                object
            }
        }
    }

    /// A text, or null where there is none.
    pub(crate) fn optional_text(self, key: &str, value: Option<&str>) -> Object {
        match value {
            Some(value) => self.text(key, value),
            None => self.optional_number(key, None),
        }
    }

    pub(crate) fn objects(self, key: &str, values: impl IntoIterator<Item = Object>) -> Object {
        let mut object = self.key(key);
        object.0.push('[');
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                object.0.push(',');
            }
            object.0.push_str(&value.line());
        }
        object.0.push(']');
        object
    }

    /// The object in one line.
    pub(crate) fn line(self) -> String {
        if self.0.is_empty() { "{}".to_owned() } else { self.0 + "}" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_keys_keep_their_order() {
        let object = Object::of_type("a\"b\\\n\u{1}").number("n", 7).flag("f", true);
        let line = object.texts("list", &["x", "y"]).texts::<&str>("none", &[]).line();
        let wanted = r#"{"type":"a\"b\\\n\u0001","n":7,"f":true,"list":["x","y"],"none":[]}"#;
        assert_eq!(line, wanted);
    }

    #[test]
    fn objects_may_hold_objects() {
        let inner = |n| Object::default().number("n", n);
        let object = Object::default().objects("two", [inner(2), inner(3)]);
        let object = object.optional_number("none", None).optional_text("some", Some("x"));
        let wanted = r#"{"two":[{"n":2},{"n":3}],"none":null,"some":"x"}"#;
        assert_eq!(object.line(), wanted);
    }
}
