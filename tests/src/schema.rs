//! JSON Schema, as far as our own schemas go: a keyword that is not known here is an error, so that none of them says
//! what nobody checks.

use serde_json::Value;

/// What is wrong with a value, by a schema: a sentence for each place. A key that no schema names is wrong, too.
///
/// # Panics
/// When the schema has a keyword that is not known here.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "the value", &mut found);
    found
}

/// What says nothing of values.
const SILENT: [&str; 5] = ["$schema", "$id", "$defs", "title", "description"];

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let keywords = schema.as_object().expect("a schema is an object");
    for (keyword, wanted) in keywords.iter().filter(|(k, _)| !SILENT.contains(&k.as_str())) {
        match keyword.as_str() {
            "$ref" => check(root, referred(root, wanted), value, at, found),
            "const" if wanted != value => found.push(format!("{at} is not {wanted}")),
            "enum" if !wanted.as_array().expect("a list").contains(value) => {
                found.push(format!("{at} is none of {wanted}"));
            }
            "type" if !is_of_type(wanted, value) => found.push(format!("{at} is no {wanted}")),
            "minimum" if value.as_f64() < wanted.as_f64() && value.is_number() => {
                found.push(format!("{at} is less than {wanted}"));
            }
            "required" => missing(wanted, value, at, found),
            "properties" => properties(root, wanted, value, at, found),
            "items" => {
                for (item, i) in value.as_array().into_iter().flatten().zip(0..) {
                    check(root, wanted, item, &format!("{at}[{i}]"), found);
                }
            }
            "const" | "enum" | "type" | "minimum" => {}
            other => panic!("the keyword {other} is not known"),
        }
    }
}

/// The schema that `#/$defs/NAME` leads to.
fn referred<'a>(root: &'a Value, to: &Value) -> &'a Value {
    let pointer = to.as_str().and_then(|to| to.strip_prefix('#')).expect("it is in the same file");
    root.pointer(pointer).unwrap_or_else(|| panic!("there is no {pointer}"))
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().expect("a type has a name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known"),
    };
    wanted.as_array().map_or_else(|| is(wanted), |names| names.iter().any(is))
}

fn missing(wanted: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for key in wanted.as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            found.push(format!("{at} has no `{key}`"));
        }
    }
}

fn properties(root: &Value, wanted: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (key, of_key) in value.as_object().into_iter().flatten() {
        match wanted.get(key) {
            Some(schema) => check(root, schema, of_key, &format!("{at}.{key}"), found),
            None => found.push(format!("{at} has `{key}`, which the schema does not name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_keyword_is_checked() {
        let schema = json!({"$defs": {"small": {"type": ["integer", "null"], "minimum": 1}},
            "type": "object", "required": ["a"],
            "properties": {"a": {"const": 1}, "b": {"enum": ["x", "y"]},
                "c": {"type": "array", "items": {"$ref": "#/$defs/small"}}}});
        let wrong = |value: Value| violations(&schema, &value);
        assert!(wrong(json!({"a": 1, "b": "y", "c": [1, null]})).is_empty());
        assert_eq!(wrong(json!([])), ["the value is no \"object\"", "the value has no `a`"]);
        assert_eq!(
            wrong(json!({"a": 2, "b": "z", "c": [0, "1"], "d": 0})),
            [
                "the value.a is not 1",
                "the value.b is none of [\"x\",\"y\"]",
                "the value.c[0] is less than 1",
                "the value.c[1] is no [\"integer\",\"null\"]",
                "the value has `d`, which the schema does not name",
            ]
        );
    }

    #[test]
    #[should_panic(expected = "the keyword pattern is not known")]
    fn a_keyword_that_nobody_checks_is_refused() {
        violations(&json!({"pattern": "x"}), &json!(1));
    }
}
