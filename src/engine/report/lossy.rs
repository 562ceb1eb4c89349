//! Paths that aren't UTF-8 in a document: shown lossily, with their bytes in hex beside them under `<key>_bytes`, only then.
//!
//! A field can't give its object a second key. So such a path is first written as a marked string, which no path and no name
//! of a binary can be since it begins with a NUL, and [`to_json`] puts both keys in the place of it.

use crate::engine::binary::Name;
use memchr::memmem;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const MARK: char = '\0';

fn marked(path: &Path) -> String {
    text(&Name::new(path.as_os_str().as_bytes()))
}

/// For a field that is made of a name.
pub(super) fn text(name: &Name) -> String {
    match name.lossy_hex() {
        None => name.to_text().into_owned(),
        Some(hex) => format!("{MARK}{hex}{MARK}{}", name.to_text()),
    }
}

/// For a field that is a path.
pub(super) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&marked(path))
}

/// For a field that may be a path.
pub(super) fn option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(marked).serialize(serializer)
}

/// For a field that is a list of paths.
pub(super) fn list<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(paths.len()))?;
    for path in paths {
        list.serialize_element(&marked(path))?;
    }
    list.end()
}

/// `document` as indented JSON with a line's end. In a list of paths of which some aren't UTF-8, `<key>_bytes` is a list of
/// the same length, with null for those that are.
///
/// # Errors
/// When a map of the document has keys that JSON can't have; no document of ours does.
pub fn to_json(document: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(document)?;
    // Few documents hold a marked string, and the tree of values takes many times the text's memory.
    if memmem::find(text.as_bytes(), b"\\u0000").is_some() {
        drop(text);
        text = serde_json::to_string_pretty(&told(serde_json::to_value(document)?))?;
    }
    text.push('\n');
    Ok(text)
}

/// `value` with every marked string in its object resolved.
fn told(value: Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(told).collect()),
        Value::Object(members) => {
            let mut resolved = Map::new();
            for (key, value) in members {
                let bytes = bytes_of(&value);
                let beside = format!("{key}_bytes");
                resolved.insert(key, shown(value));
                if let Some(bytes) = bytes {
                    resolved.insert(beside, bytes);
                }
            }
            Value::Object(resolved)
        }
        other => other,
    }
}

/// The hex of a marked string, or of a list in which there is one.
fn bytes_of(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => hex(text),
        Value::Array(values) => {
            let bytes: Vec<Option<Value>> = values.iter().map(|value| value.as_str().and_then(hex)).collect();
            let any = bytes.iter().any(Option::is_some);
            any.then(|| Value::Array(bytes.into_iter().map(Option::unwrap_or_default).collect()))
        }
        _ => None,
    }
}

fn hex(text: &str) -> Option<Value> {
    split(text).map(|(hex, _)| Value::String(hex.to_owned()))
}

/// What is shown of `value` itself.
fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(split(&text).map(|(_, lossy)| lossy.to_owned()).unwrap_or(text)),
        Value::Array(values) => Value::Array(values.into_iter().map(shown).collect()),
        other => told(other),
    }
}

/// The text that is shown of a field made by [`text`], and the hex of its bytes where the text loses something.
pub(super) fn parts(text: &str) -> (&str, Option<&str>) {
    split(text).map_or((text, None), |(hex, shown)| (shown, Some(hex)))
}

fn split(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(MARK)?.split_once(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[derive(Serialize)]
    struct Document {
        #[serde(serialize_with = "path")]
        first: PathBuf,
        #[serde(serialize_with = "option")]
        second: Option<PathBuf>,
        #[serde(serialize_with = "list")]
        third: Vec<PathBuf>,
        inner: Vec<Inner>,
    }

    #[derive(Serialize)]
    struct Inner {
        #[serde(serialize_with = "path")]
        last: PathBuf,
    }

    #[test]
    fn only_what_is_not_utf8_has_its_bytes_beside_it() {
        let odd = PathBuf::from(OsStr::from_bytes(b"/b\xff"));
        let plain = PathBuf::from("/b");
        let inner = vec![Inner { last: odd.clone() }, Inner { last: plain.clone() }];
        let third = vec![plain.clone(), odd.clone()];
        let text = to_json(&Document { first: odd, second: Some(plain.clone()), third, inner }).unwrap();
        let expected = "{\"first\":\"/b\u{fffd}\",\"first_bytes\":\"2f62ff\",\"second\":\"/b\",\
            \"third\":[\"/b\",\"/b\u{fffd}\"],\"third_bytes\":[null,\"2f62ff\"],\
            \"inner\":[{\"last\":\"/b\u{fffd}\",\"last_bytes\":\"2f62ff\"},{\"last\":\"/b\"}]}";
        assert_eq!(text.split_whitespace().collect::<String>(), expected);
        let all = Document { first: plain, second: None, third: Vec::new(), inner: Vec::new() };
        let text = to_json(&all).unwrap();
        assert_eq!(
            text.split_whitespace().collect::<String>(),
            r#"{"first":"/b","second":null,"third":[],"inner":[]}"#
        );
    }
}
