//! The functions that a PE file imports by name, with the library of each.

use super::headers::Headers;
use super::imports::{Import, ImportTable, imports};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::binary::record::Record;
use crate::engine::binary::{Endian, record::name_at};
use crate::engine::file::ReadAt;

/// More functions of one library than this are taken as damage: the rest is not looked at.
const MOST_FUNCTIONS: u64 = 65_536;
/// More functions of one file than this are taken as damage: the rest is not looked at.
const MOST_OF_ALL: u64 = 1 << 20;

/// Those of the functions `wanted` that the file imports by name, each with its library, in the file's order.
///
/// A table that leads out of the file ends there: what stands before it counts.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table of libraries lies in no section, [`crate::engine::Error::Io`].
pub fn imported(source: &dyn ReadAt, headers: &Headers, wanted: &[&str]) -> Result<Vec<(String, Name)>> {
    let mut found = Vec::new();
    let mut left = MOST_OF_ALL;
    for import in imports(source, headers)? {
        let Some(table) = names_of(source, headers, &import)? else { continue };
        let width = if headers.is_plus { 8 } else { 4 };
        for number in 0..MOST_FUNCTIONS.min(left) {
            let Some((offset, rest)) = headers.file_offset(table.saturating_add(number * width)) else { break };
            if rest < width || left == 0 {
                break;
            }
            left -= 1;
            let entry = Record::read(source, offset, width, Endian::Little)?;
            let value = if headers.is_plus { entry.long(0)? } else { u64::from(entry.word(0)?) };
            if value == 0 {
                break;
            }
            // The highest bit says that the rest is a number, not the address of a name.
            let by_number = if headers.is_plus { value >> 63 != 0 } else { value >> 31 != 0 };
            if by_number {
                continue;
            }
            // A hint of two bytes stands before the name.
            let Some((place, room)) = headers.file_offset((value & 0x7fff_ffff).saturating_add(2)) else { continue };
            let Ok(name) = name_at(source, place, place.saturating_add(room)) else { continue };
            if let Some(name) = wanted.iter().find(|wanted| wanted.as_bytes() == name.as_bytes()) {
                found.push(((*name).to_owned(), import.name.clone()));
            }
        }
    }
    Ok(found)
}

/// The address of the table of `import`'s names, relative to the image's base; `None` where it has none.
fn names_of(source: &dyn ReadAt, headers: &Headers, import: &Import) -> Result<Option<u64>> {
    let (length, first, second) = match import.table {
        // OriginalFirstThunk, or FirstThunk where an old linker left that out.
        ImportTable::Import => (20, 0, 16),
        ImportTable::DelayImport => (32, 16, 16),
    };
    let descriptor = Record::read(source, import.descriptor, length, Endian::Little)?;
    let mut table = u64::from(descriptor.word(first)?);
    if table == 0 {
        table = u64::from(descriptor.word(second)?);
    }
    if import.table == ImportTable::DelayImport && descriptor.word(0)? & 1 == 0 {
        table = table.saturating_sub(headers.image_base);
    }
    Ok(Some(table).filter(|table| *table != 0))
}
