//! Paths in the journal, to the byte: as text where they are UTF-8, else as a list of their bytes.
//!
//! What is journaled is what is put back, so nothing may be lost, and no file may be left out because of its name.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A path as it is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes(Vec<u8>),
}

impl Written {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(path.as_os_str().as_bytes().to_vec()),
        }
    }

    fn path(self) -> PathBuf {
        match self {
            Self::Text(text) => PathBuf::from(text),
            Self::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
        }
    }
}

pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    Written::of(path).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Written::deserialize(deserializer).map(Written::path)
}

/// For a field that may be a path.
pub(super) mod option {
    use super::{Deserialize, Deserializer, PathBuf, Serialize, Serializer, Written};

    pub(in super::super) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Written::of).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Written>::deserialize(deserializer)?.map(Written::path))
    }
}

/// For a field that is a list of paths.
pub(super) mod list {
    use super::{Deserialize, Deserializer, PathBuf, Serialize, Serializer, Written};

    pub(in super::super) fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        let written: Vec<Written> = paths.iter().map(|path| Written::of(path)).collect();
        written.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
        Ok(Vec::<Written>::deserialize(deserializer)?.into_iter().map(Written::path).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::effect::Action;
    use super::super::journal::Record;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    #[test]
    fn every_name_comes_back_as_it_was() {
        let odd = PathBuf::from(OsStr::from_bytes(b"/t/b\xff.so"));
        let plain = PathBuf::from("/t/b.so");
        let action = Action::Rename { from: plain.clone(), to: odd.clone(), displaces: Some(odd.clone()) };
        let records = [
            Record::Open { version: 1, staging: odd.clone(), cargo_directories: vec![plain.clone(), odd] },
            Record::Step { number: 1, step: None, actions: vec![(action, None)] },
            Record::Step { number: 2, step: None, actions: vec![(Action::Mkdir { path: plain }, None)] },
        ];
        for record in records {
            let line = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record, "{line}");
        }
    }
}
