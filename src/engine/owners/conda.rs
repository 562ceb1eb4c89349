//! conda's records: `PREFIX/conda-meta/NAME-VERSION-BUILD.json` lists a package's `files`, relative to the prefix. Records
//! written on Windows, and some of noarch packages, have `\` between the parts.
//!
//! A record may have tens of thousands of files, so it is walked and not kept; one that does not hold any of the names that
//! are looked for is not even parsed. Of several packages with one file the first by the record's name counts.

use super::read::{RECORD, names, read};
use super::wanted::Wanted;
use super::{Answers, Lookup, answer};
use crate::engine::Result;
use crate::engine::report::audit::Owner;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt::Formatter;
use std::path::{Path, PathBuf};

/// The owners by conda.
pub(super) fn owners(lookup: &Lookup<'_>) -> Result<Answers> {
    let mut answers = lookup.unanswered();
    let (places, slots): (Vec<_>, Vec<_>) = lookup.places().into_iter().unzip();
    let above = places.iter().flat_map(|place| place.directory.ancestors());
    let prefixes: BTreeSet<&Path> = above.collect();
    let prefixes = prefixes.into_iter().filter(|prefix| lookup.root.outside(prefix).join("conda-meta").is_dir());
    let prefixes: Vec<PathBuf> = prefixes.map(Path::to_path_buf).collect();
    let wanted = Wanted::new(lookup.root, places.clone());
    // Names that JSON may spell in another way than the file system.
    let escaped = places.iter().any(|place| place.base.iter().any(|&byte| !(b' '..=b'~').contains(&byte)))
        || places.iter().any(|place| place.base.iter().any(|byte| b"\"\\".contains(byte)));
    let mut buffer = Vec::new();
    for prefix in prefixes {
        let directory = lookup.root.outside(&prefix).join("conda-meta");
        let records = names(&directory, |name| name.ends_with(".json")).unwrap_or_else(|error| {
            lookup.notes.add(&directory, error);
            Vec::new()
        });
        for path in records.iter().map(|name| directory.join(name)) {
            lookup.context.advance(0)?;
            if let Err(error) = read(&path, RECORD, &mut buffer) {
                lookup.notes.add(&path, error);
                continue;
            }
            if !escaped && !may_hold(&buffer, &wanted) {
                continue;
            }
            match Record::of(&buffer, &prefix, &wanted) {
                Ok(record) => {
                    for slot in record.hits.iter().filter_map(|&hit| slots.get(hit)) {
                        answer(&mut answers, *slot, || record.owner());
                    }
                }
                Err(error) => lookup.notes.add(&path, error),
            }
        }
    }
    Ok(answers)
}

/// Whether one of the wanted names stands in a string of the record `bytes`.
fn may_hold(bytes: &[u8], wanted: &Wanted<'_>) -> bool {
    let mut start = 0;
    memchr::memchr_iter(b'"', bytes).any(|end| {
        let string = bytes.get(start..end).unwrap_or_default();
        start = end + 1;
        let base = memchr::memrchr2(b'/', b'\\', string).and_then(|at| string.get(at + 1..)).unwrap_or(string);
        !wanted.named(base).is_empty()
    })
}

/// What is of use of a record.
#[derive(Debug, Default)]
struct Record {
    name: Option<String>,
    version: Option<String>,
    build: Option<String>,
    /// The numbers of the wanted places that it lists.
    hits: BTreeSet<usize>,
}

impl Record {
    fn of(bytes: &[u8], prefix: &Path, wanted: &Wanted<'_>) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let record = json.deserialize_map(RecordVisitor { prefix, wanted })?;
        json.end()?;
        match record.name {
            Some(_) => Ok(record),
            None => Err(serde::de::Error::missing_field("name")),
        }
    }

    fn owner(&self) -> Owner {
        Owner {
            kind: "conda".to_owned(),
            package: self.name.clone().unwrap_or_default(),
            version: self.version.clone(),
            build: self.build.clone(),
        }
    }
}

struct RecordVisitor<'a> {
    prefix: &'a Path,
    wanted: &'a Wanted<'a>,
}

impl<'de> Visitor<'de> for RecordVisitor<'_> {
    type Value = Record;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a record of conda")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut record = Record::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => record.name = map.next_value()?,
                "version" => record.version = map.next_value()?,
                "build" => record.build = map.next_value()?,
                // The older key has the paths, the newer one objects with a `_path` each, in `paths`.
                "files" | "paths_data" => {
                    let mut met = |path: &str| {
                        let path = path.replace('\\', "/");
                        self.wanted.met_path(Some(self.prefix), path.as_bytes(), |hit| {
                            record.hits.insert(hit);
                        });
                    };
                    map.next_value_seed(Paths(&mut met))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(record)
    }
}

/// Calls its function with every path below a value: with a string itself, with the strings of a list, with what an
/// object has as `paths` and `_path`.
struct Paths<'a>(&'a mut dyn FnMut(&str));

impl<'de> DeserializeSeed<'de> for Paths<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Paths<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("paths of files")
    }

    fn visit_str<E>(self, path: &str) -> Result<(), E> {
        (self.0)(path);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Paths(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if matches!(key.as_str(), "paths" | "_path") {
                map.next_value_seed(Paths(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
