//! Holds a document against its schema: as much of JSON Schema as the generated files use, and stricter in one thing, since a
//! key that the schema does not know is an error here. Only `<key>_bytes` may stand beside a key at any place.

use serde_json::Value;
use std::path::Path;

/// The complaints about `document` by `assets/schema/<name>.json`; none when it is valid.
pub fn complaints(name: &str, document: &Value) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema").join(format!("{name}.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut found = Vec::new();
    check(&schema, &schema, document, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else { return };
    for (rule, wanted) in rules {
        match rule.as_str() {
            "$ref" => {
                let name = wanted.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(root, &root["$defs"][name], value, at, found);
            }
            "anyOf" | "oneOf" => {
                let fits = |one: &&Value| {
                    let mut inner = Vec::new();
                    check(root, one, value, at, &mut inner);
                    inner.is_empty()
                };
                if wanted.as_array().unwrap().iter().filter(fits).count() != 1 {
                    found.push(format!("{at}: fits not one of {rule}"));
                }
            }
            "const" if wanted != value => found.push(format!("{at}: is not {wanted}")),
            "enum" if !wanted.as_array().unwrap().contains(value) => found.push(format!("{at}: is none of {wanted}")),
            "type" if !has_type(wanted, value) => found.push(format!("{at}: is no {wanted}")),
            "minimum" if value.as_i64().is_some_and(|value| value < wanted.as_i64().unwrap()) => {
                found.push(format!("{at}: is too small"));
            }
            "required" if value.is_object() => {
                let missing =
                    wanted.as_array().unwrap().iter().filter(|key| value.get(key.as_str().unwrap()).is_none());
                found.extend(missing.map(|key| format!("{at}: lacks {key}")));
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}/{number}"), found);
                }
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}/{key}");
                    match wanted.get(key) {
                        Some(schema) => check(root, schema, value, &at, found),
                        None if key.ends_with("_bytes") => {}
                        None => found.push(format!("{at}: is not known")),
                    }
                }
            }
            "const" | "enum" | "type" | "minimum" | "required" => {}
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => {}
            other => panic!("the schema uses {other}, which this test does not know"),
        }
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(types) => types.iter().any(|one| has_type(one, value)),
        one => match one.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("no type {other}"),
        },
    }
}

#[test]
fn what_is_wrong_is_seen() {
    let good = serde_json::json!({"schema": "wheelwright/plan/1", "steps": []});
    assert_eq!(complaints("plan", &good), Vec::<String>::new());
    let lacks = serde_json::json!({"schema": "wheelwright/plan/1"});
    assert_eq!(complaints("plan", &lacks), [": lacks \"steps\""]);
    let unknown = serde_json::json!({"schema": "", "steps": [], "more": 1});
    assert_eq!(complaints("plan", &unknown), ["/more: is not known"]);
    let wrong =
        serde_json::json!({"schema": "", "steps": [{"step": "jump", "effects": null, "refusals": [], "notes": []}]});
    assert_eq!(complaints("plan", &wrong).len(), 2);
}
