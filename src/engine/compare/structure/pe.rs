//! The structure of a PE file: what its headers say, sections, imports and exports by name, certificates.

use super::{Facts, MOST_SYMBOLS};
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{Headers, ImportTable, directory, imports};
use crate::engine::binary::record::Record;
use crate::engine::compare::regions_pe::{
    Exports, codeview, dll_characteristics, file_characteristics, imported, section_characteristics, subsystem,
};
use crate::engine::file::ReadAt;
use std::sync::Arc;

/// Adds the structure of the PE file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a directory lies in no section.
pub(super) fn add(facts: &mut Facts, source: &dyn ReadAt) -> Result<()> {
    let headers = Arc::new(Headers::read(source)?);
    let coff = Record::read(source, headers.signature, 24, Endian::Little)?;
    let size = headers.directories_offset - headers.optional;
    let optional = Record::read(source, headers.optional, size, Endian::Little)?;
    let word = |at| optional.word(at).map(|value| format!("{value:#x}"));
    facts.add("time stamp", format!("{:#x}", coff.word(8)?));
    facts.add("Characteristics", file_characteristics(u64::from(headers.characteristics)));
    facts.add("linker version", format!("{}.{}", optional.byte(2)?, optional.byte(3)?));
    facts.add("entry point", word(16)?);
    facts.add("image base", format!("{:#x}", headers.image_base));
    facts.add("size of image", word(56)?);
    facts.add("CheckSum", word(64)?);
    facts.add("subsystem", subsystem(u64::from(optional.half(68)?)));
    facts.add("DllCharacteristics", dll_characteristics(u64::from(optional.half(70)?)));
    for section in &headers.sections {
        let more = format!(", {}", section_characteristics(u64::from(section.characteristics)));
        let place = (section.address, section.offset, section.file_size);
        facts.place(format!("section {}", section.name), place, &more);
    }
    for (guid, path) in codeview(source, &headers)? {
        facts.add("build-id", guid);
        facts.add("PDB", path);
    }
    if let Some(table) = headers.directory(directory::CERTIFICATES) {
        facts.add("certificates", format!("{:#x} bytes at {:#x}", table.size, table.address));
    }
    imports_and_exports(facts, source, &headers)
}

fn imports_and_exports(facts: &mut Facts, source: &dyn ReadAt, headers: &Arc<Headers>) -> Result<()> {
    let mut room = usize::try_from(MOST_SYMBOLS).unwrap_or_default();
    for import in imports(source, headers)? {
        let delayed = if import.table == ImportTable::DelayImport { "delayed" } else { "at load" };
        let found = imported(source, headers, &import, room)?;
        room -= found.len();
        for function in found {
            facts.add(format!("import {}!{}", import.name, function.name), delayed);
        }
    }
    let Some(exports) = Exports::read(source, headers)? else { return Ok(()) };
    facts.add("exports", exports.count());
    for number in 0..exports.names().min(MOST_SYMBOLS) {
        let (_, name) = exports.name(source, number)?;
        let index = exports.index(source, number)?;
        let value = format!("ordinal {}, {}", exports.ordinal(index), exports.said(source, index)?);
        facts.add(format!("export {name}"), value);
    }
    Ok(())
}
