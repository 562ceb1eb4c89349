//! Addresses, sections and exported names of a PE file. Its linker keeps other symbols in a file of their own.

use super::{Found, Spot, address, section, symbol};
use crate::engine::binary::pe::{Headers, directory};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};

/// Names that are read at once.
const CHUNK: u64 = 4096;

/// Where `spot` lies in the PE file `source`. An address may be relative to the image, or where the image wants to be.
pub fn place(source: &dyn ReadAt, spot: &Spot, context: &Context) -> Result<Option<Found>> {
    let headers = Headers::read(source)?;
    let name = match spot {
        Spot::Offset(_) => return Ok(None),
        Spot::Address(wanted) => {
            let relative = wanted.checked_sub(headers.image_base).unwrap_or(*wanted);
            return Ok(headers.file_offset(relative).map(|(offset, _)| address(*wanted, offset)));
        }
        Spot::Named(name) => name,
    };
    let mut sections = headers.sections.iter().filter(|section| section.file_size > 0);
    if let Some(found) = sections.find(|section| section.name.as_bytes() == name.as_bytes()) {
        return Ok(Some(section(name, found.offset)));
    }
    export(source, &headers, name, context)
}

fn export(source: &dyn ReadAt, headers: &Headers, name: &str, context: &Context) -> Result<Option<Found>> {
    let Some(table) = headers.directory(directory::EXPORT) else { return Ok(None) };
    // PE format, "Export Directory Table": number of names at 24; functions, names and ordinals at 28, 32 and 36.
    let export = headers.record(source, table.address, 40, "the export directory")?;
    let field = |at| export.word(at).map(u64::from);
    let (count, functions, names, ordinals) = (field(24)?, field(28)?, field(32)?, field(36)?);
    let mut first = 0;
    while first < count {
        let chunk = (count - first).min(CHUNK);
        let list = headers.record(source, names.saturating_add(first * 4), chunk * 4, "the exported names")?;
        for number in 0..chunk {
            let own = headers.name(source, u64::from(list.word(number * 4)?), "an exported name")?;
            if own.as_bytes() != name.as_bytes() {
                continue;
            }
            let at = ordinals.saturating_add((first + number) * 2);
            let ordinal = u64::from(headers.record(source, at, 2, "an ordinal")?.half(0)?);
            let function = headers.record(source, functions.saturating_add(ordinal * 4), 4, "an exported address")?;
            let place = headers.file_offset(u64::from(function.word(0)?));
            return Ok(place.map(|(offset, _)| symbol(name, offset)));
        }
        context.advance(chunk * 4)?;
        first += chunk;
    }
    Ok(None)
}
