//! Addresses, sections and symbols of a Mach-O file, in the first slice that has them.

use super::names::spelled;
use super::{Found, Spot, address, section, symbol};
use crate::engine::binary::macho::{Image, Segment, kind, places, segments};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};

/// Symbols that are read at once.
const CHUNK: u64 = 16 * 1024;
/// `n_type` bits (mach-o/nlist.h): a debugging entry; the type; defined in a section.
const STAB: u8 = 0xe0;
const TYPE: u8 = 0x0e;
const SECTION: u8 = 0x0e;

/// Where `spot` lies in the Mach-O file `source`.
pub fn place(source: &dyn ReadAt, spot: &Spot, context: &Context) -> Result<Option<Found>> {
    for slice in places(source)? {
        let image = Image::read(source, slice)?;
        let segments = segments(&image)?;
        let found = match spot {
            Spot::Offset(_) => None,
            Spot::Address(wanted) => offset_of(&segments, *wanted).map(|offset| address(*wanted, offset)),
            Spot::Named(name) => match named_section(&segments, name) {
                Some(found) => Some(found),
                None => named_symbol(source, &image, &segments, name, context)?,
            },
        };
        if let Some(found) = found {
            return Ok(Some(Found { offset: slice.offset.saturating_add(found.offset), ..found }));
        }
    }
    Ok(None)
}

/// The section called `__TEXT,__text`, or `__text` alone.
fn named_section(segments: &[Segment], name: &str) -> Option<Found> {
    let mut sections = segments.iter().flat_map(|segment| &segment.sections).filter(|section| section.offset > 0);
    let is_meant = |own: &str| own == name || own.split_once(',').is_some_and(|(_, own)| own == name);
    sections.find(|section| is_meant(&section.name)).map(|found| section(&found.name, found.offset))
}

fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let into = address.checked_sub(segment.address).filter(|into| *into < segment.file_size)?;
        segment.offset.checked_add(into)
    })
}

fn named_symbol(
    source: &dyn ReadAt,
    image: &Image<'_>,
    segments: &[Segment],
    name: &str,
    context: &Context,
) -> Result<Option<Found>> {
    let Some(command) = image.command(kind::LC_SYMTAB) else { return Ok(None) };
    let field = |at| command.record.word(at).map(u64::from);
    let (table, count, strings, size) = (field(8)?, field(12)?, field(16)?, field(20)?);
    let start = image.place.offset.saturating_add(strings);
    // C's names have an underscore before them, which the ending of a name leaves out.
    let names = spelled(source, start..start.saturating_add(size), name, context)?;
    let entry = if image.is_64 { 16 } else { 12 };
    let mut first = 0;
    while first < count && !names.is_empty() {
        let chunk = (count - first).min(CHUNK);
        let symbols = image.record(source, table.saturating_add(first * entry), chunk * entry)?;
        for number in 0..chunk {
            // nlist: n_strx, n_type, n_sect, n_desc, n_value.
            let (text, class) = (u64::from(symbols.word(number * entry)?), symbols.byte(number * entry + 4)?);
            let known = names.get(&text).or_else(|| names.get(&text.saturating_add(1)));
            let Some(own) = known.filter(|_| class & STAB == 0 && class & TYPE == SECTION) else { continue };
            let value = number * entry + 8;
            let value = if image.is_64 { symbols.long(value)? } else { u64::from(symbols.word(value)?) };
            if let Some(offset) = offset_of(segments, value) {
                return Ok(Some(symbol(own, offset)));
            }
        }
        context.advance(chunk * entry)?;
        first += chunk;
    }
    Ok(None)
}
