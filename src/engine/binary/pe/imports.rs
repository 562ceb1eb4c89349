//! The libraries that a PE file imports from: at load time, and at the first call (delay-load).

use super::headers::{Headers, directory};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;

/// More import descriptors than this are taken as damage.
const MOST_DESCRIPTORS: u64 = 65_536;
/// `dlattrRva`: the delay descriptor's fields are relative addresses, as every linker since Visual C++ 7 writes them.
const DELAY_BY_RVA: u32 = 1;

/// Which of the two tables a library stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportTable {
    /// Loaded with the file.
    Import,
    /// Loaded at the first call.
    DelayImport,
}

/// One imported library, and where the file says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Which table it stands in.
    pub table: ImportTable,
    /// Its name.
    pub name: Name,
    /// Where its descriptor stands in the file.
    pub descriptor: u64,
    /// Where its name stands in the file.
    pub name_offset: u64,
}

/// The libraries of both tables, in the file's order, the import table first.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table or a name lies in no section.
pub fn imports(source: &dyn ReadAt, headers: &Headers) -> Result<Vec<Import>> {
    let mut found = Vec::new();
    if let Some(table) = headers.directory(directory::IMPORT) {
        for number in 0..MOST_DESCRIPTORS {
            // OriginalFirstThunk, TimeDateStamp, ForwarderChain, Name, FirstThunk; the loader stops where the last two
            // are not both there.
            let descriptor = headers.record(source, table.address + number * 20, 20, "an import descriptor")?;
            let name = u64::from(descriptor.word(12)?);
            if name == 0 || descriptor.word(16)? == 0 {
                break;
            }
            found.push(Import {
                table: ImportTable::Import,
                name: headers.name(source, name, "an imported library's name")?,
                descriptor: descriptor.offset(),
                name_offset: headers.file_offset(name).map_or(0, |place| place.0),
            });
        }
    }
    if let Some(table) = headers.directory(directory::DELAY_IMPORT) {
        for number in 0..MOST_DESCRIPTORS {
            // Attributes, Name, ModuleHandle, ImportAddressTable, ImportNameTable, three more.
            let descriptor = headers.record(source, table.address + number * 32, 32, "a delay-load descriptor")?;
            let mut name = u64::from(descriptor.word(4)?);
            if name == 0 {
                break;
            }
            if descriptor.word(0)? & DELAY_BY_RVA == 0 {
                name = name.saturating_sub(headers.image_base);
            }
            found.push(Import {
                table: ImportTable::DelayImport,
                name: headers.name(source, name, "a delay-loaded library's name")?,
                descriptor: descriptor.offset(),
                name_offset: headers.file_offset(name).map_or(0, |place| place.0),
            });
        }
    }
    Ok(found)
}
