//! A PE file's export directory: its own name and the names it exports.

use super::headers::{Headers, directory};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use std::collections::BTreeSet;

/// Name pointers that are read at once.
const CHUNK: u64 = 4096;

/// The name that the export directory gives the file; `None` where there is no such directory.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the directory or the name lies in no section.
pub fn own_name(source: &dyn ReadAt, headers: &Headers) -> Result<Option<Name>> {
    let Some(table) = headers.directory(directory::EXPORT) else { return Ok(None) };
    match headers.record(source, table.address, 40, "the export directory")?.word(12)? {
        0 => Ok(None),
        name => headers.name(source, u64::from(name), "the file's own name").map(Some),
    }
}

/// The exported names that begin with one of `prefixes`, sorted. Exports by number alone have no name.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the directory or a name lies in no section.
pub fn exported_with_prefixes(source: &dyn ReadAt, headers: &Headers, prefixes: &[&[u8]]) -> Result<Vec<Name>> {
    let Some(table) = headers.directory(directory::EXPORT) else { return Ok(Vec::new()) };
    let export = headers.record(source, table.address, 40, "the export directory")?;
    let (count, pointers) = (u64::from(export.word(24)?), u64::from(export.word(32)?));
    let (mut names, mut first) = (BTreeSet::new(), 0);
    while first < count {
        let chunk = (count - first).min(CHUNK);
        let list = headers.record(source, pointers + first * 4, chunk * 4, "the exported names")?;
        for number in 0..chunk {
            let name = headers.name(source, u64::from(list.word(number * 4)?), "an exported name")?;
            if prefixes.iter().any(|prefix| name.as_bytes().starts_with(prefix)) {
                names.insert(name);
            }
        }
        first += chunk;
    }
    Ok(names.into_iter().collect())
}
