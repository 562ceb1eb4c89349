//! The requests of an edit as typed data, in every document that tells of edits: what was done can be read back from it.

use super::lossy;
use crate::engine::binary::Name;
use crate::engine::repair::{EditRequest, ExecStack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One request of an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedEdit {
    /// What was asked for.
    pub verb: Verb,
    /// The name, path or number that was asked for; null where the verb says all. The OS ABI is a number.
    pub value: Option<String>,
    /// The name that gave way, of `replace_needed`; else null.
    pub from: Option<String>,
    /// The bytes of `value` in hex, where it is not UTF-8.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub value_bytes: Option<String>,
    /// The bytes of `from` in hex, where it is not UTF-8.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub from_bytes: Option<String>,
}

/// What can be asked of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Its SONAME is the value.
    SetSoname,
    /// Its search path is the value, as `DT_RPATH`.
    SetRpath,
    /// Its search path is the value, as `DT_RUNPATH`.
    SetRunpath,
    /// Its search path ends with the value too.
    AppendRunPath,
    /// It has no search path.
    RemoveRunPaths,
    /// It needs the value instead of `from`.
    ReplaceNeeded,
    /// It needs the value.
    AddNeeded,
    /// It does not need the value.
    RemoveNeeded,
    /// Its interpreter is the value.
    SetInterpreter,
    /// It asks for an executable stack.
    SetExecstack,
    /// It asks for no executable stack.
    ClearExecstack,
    /// The default directories are not searched for it.
    NoDefaultLib,
    /// It has a `DT_DEBUG`.
    AddDebugEntry,
    /// Its OS ABI is the value.
    SetOsAbi,
    /// Symbols of this name are looked for without a version.
    ClearSymbolVersion,
}

impl LoggedEdit {
    /// The typed form of each of `requests`.
    #[must_use]
    pub fn list(requests: &[EditRequest]) -> Vec<Self> {
        requests.iter().map(Self::of).collect()
    }

    /// The typed form of `request`.
    #[must_use]
    pub fn of(request: &EditRequest) -> Self {
        let edit = |verb, value: Option<String>, from: Option<String>| Self {
            verb,
            value,
            from,
            value_bytes: None,
            from_bytes: None,
        };
        let named = |verb, name: &Name| edit(verb, Some(lossy::text(name)), None);
        match request {
            EditRequest::SetSoname(name) => named(Verb::SetSoname, name),
            EditRequest::SetRpath(text) => named(Verb::SetRpath, text),
            EditRequest::SetRunpath(text) => named(Verb::SetRunpath, text),
            EditRequest::AppendRunPath(text) => named(Verb::AppendRunPath, text),
            EditRequest::RemoveRunPaths => edit(Verb::RemoveRunPaths, None, None),
            EditRequest::ReplaceNeeded { from, to } => {
                edit(Verb::ReplaceNeeded, Some(lossy::text(to)), Some(lossy::text(from)))
            }
            EditRequest::AddNeeded(name) => named(Verb::AddNeeded, name),
            EditRequest::RemoveNeeded(name) => named(Verb::RemoveNeeded, name),
            EditRequest::SetInterpreter(name) => named(Verb::SetInterpreter, name),
            EditRequest::SetExecStack(ExecStack::Asked) => edit(Verb::SetExecstack, None, None),
            EditRequest::SetExecStack(ExecStack::NotAsked) => edit(Verb::ClearExecstack, None, None),
            EditRequest::NoDefaultLib => edit(Verb::NoDefaultLib, None, None),
            EditRequest::AddDebugEntry => edit(Verb::AddDebugEntry, None, None),
            EditRequest::SetOsAbi(number) => edit(Verb::SetOsAbi, Some(number.to_string()), None),
            EditRequest::ClearSymbolVersion(name) => named(Verb::ClearSymbolVersion, name),
        }
    }

    /// The request that this says; `None` where a value is missing or none that the verb takes.
    #[must_use]
    pub fn request(&self) -> Option<EditRequest> {
        let value = || name(self.value.as_deref(), self.value_bytes.as_deref());
        Some(match self.verb {
            Verb::SetSoname => EditRequest::SetSoname(value()?),
            Verb::SetRpath => EditRequest::SetRpath(value()?),
            Verb::SetRunpath => EditRequest::SetRunpath(value()?),
            Verb::AppendRunPath => EditRequest::AppendRunPath(value()?),
            Verb::RemoveRunPaths => EditRequest::RemoveRunPaths,
            Verb::ReplaceNeeded => EditRequest::ReplaceNeeded {
                from: name(self.from.as_deref(), self.from_bytes.as_deref())?,
                to: value()?,
            },
            Verb::AddNeeded => EditRequest::AddNeeded(value()?),
            Verb::RemoveNeeded => EditRequest::RemoveNeeded(value()?),
            Verb::SetInterpreter => EditRequest::SetInterpreter(value()?),
            Verb::SetExecstack => EditRequest::SetExecStack(ExecStack::Asked),
            Verb::ClearExecstack => EditRequest::SetExecStack(ExecStack::NotAsked),
            Verb::NoDefaultLib => EditRequest::NoDefaultLib,
            Verb::AddDebugEntry => EditRequest::AddDebugEntry,
            Verb::SetOsAbi => EditRequest::SetOsAbi(self.value.as_deref()?.parse().ok()?),
            Verb::ClearSymbolVersion => EditRequest::ClearSymbolVersion(value()?),
        })
    }
}

/// A name by its text and, where there are some, its bytes in hex: beside it, or in the text itself as journals have it.
fn name(text: Option<&str>, hex: Option<&str>) -> Option<Name> {
    let (text, marked) = lossy::parts(text?);
    let Some(hex) = hex.or(marked) else { return Some(Name::from(text)) };
    let digits: Option<Vec<u8>> = hex.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits?;
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect();
    bytes.map(Name::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::to_json;

    #[test]
    fn every_request_comes_back_as_it_was() {
        let odd = Name::new(*b"a\xff/lib");
        let requests = vec![
            EditRequest::SetSoname("a".into()),
            EditRequest::SetRpath(odd.clone()),
            EditRequest::SetRunpath("$ORIGIN".into()),
            EditRequest::AppendRunPath("/b".into()),
            EditRequest::RemoveRunPaths,
            EditRequest::ReplaceNeeded { from: odd, to: "b".into() },
            EditRequest::AddNeeded("c".into()),
            EditRequest::RemoveNeeded("d".into()),
            EditRequest::SetInterpreter("/ld".into()),
            EditRequest::SetExecStack(ExecStack::Asked),
            EditRequest::SetExecStack(ExecStack::NotAsked),
            EditRequest::NoDefaultLib,
            EditRequest::AddDebugEntry,
            EditRequest::SetOsAbi(3),
            EditRequest::ClearSymbolVersion("memcpy".into()),
        ];
        let text = to_json(&LoggedEdit::list(&requests)).unwrap();
        let edits: Vec<LoggedEdit> = serde_json::from_str(&text).unwrap();
        let back: Vec<EditRequest> = edits.iter().map(|edit| edit.request().unwrap()).collect();
        assert_eq!(back, requests);
        let marked: Vec<LoggedEdit> =
            serde_json::from_str(&serde_json::to_string(&LoggedEdit::list(&requests)).unwrap()).unwrap();
        assert_eq!(marked.iter().map(|edit| edit.request().unwrap()).collect::<Vec<_>>(), requests);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value[0], serde_json::json!({"verb": "set_soname", "value": "a", "from": null}));
        assert_eq!(value[5]["from_bytes"], "61ff2f6c6962");
    }

    #[test]
    fn what_no_verb_takes_is_no_request() {
        for text in [
            r#"{"verb": "set_soname", "value": null, "from": null}"#,
            r#"{"verb": "set_os_abi", "value": "linux", "from": null}"#,
            r#"{"verb": "replace_needed", "value": "a", "from": null}"#,
            r#"{"verb": "add_needed", "value": "a", "from": null, "value_bytes": "6"}"#,
        ] {
            let edit: LoggedEdit = serde_json::from_str(text).unwrap();
            assert_eq!(edit.request(), None, "{text}");
        }
    }
}
