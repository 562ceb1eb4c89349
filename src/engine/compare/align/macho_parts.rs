//! The named parts of a Mach-O file, image by image: header, load commands, sections, and what `__LINKEDIT` holds.

use super::parts::Parts;
use crate::engine::Result;
use crate::engine::binary::macho::{Command, Image, command_name, kind, places, segments};
use crate::engine::file::ReadAt;

/// Load commands that say where something lies: kind, the fields with its offset, and the bytes of an entry. The length, or
/// the number of entries, stands behind each offset.
const LISTS: [(u32, &[(u64, u64)]); 12] = [
    (kind::LC_DYLD_INFO_ONLY, &[(8, 1), (16, 1), (24, 1), (32, 1), (40, 1)]),
    (kind::LC_DYLD_INFO, &[(8, 1), (16, 1), (24, 1), (32, 1), (40, 1)]),
    (kind::LC_DYLD_EXPORTS_TRIE, &[(8, 1)]),
    (kind::LC_DYLD_CHAINED_FIXUPS, &[(8, 1)]),
    (kind::LC_FUNCTION_STARTS, &[(8, 1)]),
    (kind::LC_DATA_IN_CODE, &[(8, 1)]),
    (kind::LC_SEGMENT_SPLIT_INFO, &[(8, 1)]),
    (kind::LC_DYLIB_CODE_SIGN_DRS, &[(8, 1)]),
    (kind::LC_LINKER_OPTIMIZATION_HINT, &[(8, 1)]),
    (kind::LC_CODE_SIGNATURE, &[(8, 1)]),
    (kind::LC_SYMTAB, &[(16, 1)]),
    (kind::LC_DYSYMTAB, &[(56, 4)]),
];

/// The parts of `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table lies outside of its image, [`crate::engine::Error::Io`].
pub fn parts(source: &dyn ReadAt) -> Result<Parts> {
    let mut parts = Parts::default();
    for place in places(source)? {
        image(&Image::read(source, place)?, &mut parts)?;
    }
    Ok(parts)
}

fn image(image: &Image<'_>, parts: &mut Parts) -> Result<()> {
    let start = image.place.offset;
    let prefix = format!("{:#x} {:#x}", image.cpu, image.subtype);
    parts.add(format!("{prefix} header"), start, image.header_size);
    let segments = segments(image)?;
    let mut names = segments.iter().map(|segment| segment.name.to_text());
    for command in &image.commands {
        let kind = command_name(command.kind);
        let said = match command.kind {
            kind::LC_SEGMENT | kind::LC_SEGMENT_64 => names.next().map(std::borrow::Cow::into_owned),
            kind::LC_RPATH => Some(command.text(8)?.to_string()),
            _ => command.library()?.map(|name| name.to_string()),
        };
        let also = format!("{prefix} {kind}");
        let name = format!("{also} {}", said.unwrap_or_default());
        parts.add_by_two_names(name, also, command.record.offset(), command.record.as_bytes().len() as u64);
        linkedit(image, command, &prefix, parts)?;
    }
    for section in segments.iter().flat_map(|segment| &segment.sections).filter(|section| section.offset != 0) {
        parts.add(format!("{prefix} section {}", section.name), start.saturating_add(section.offset), section.size);
    }
    Ok(())
}

fn linkedit(image: &Image<'_>, command: &Command<'_>, prefix: &str, parts: &mut Parts) -> Result<()> {
    let mut add = |field: u64, entry: u64| -> Result<()> {
        let (offset, count) = (u64::from(command.record.word(field)?), u64::from(command.record.word(field + 4)?));
        let name = format!("{prefix} {} {field}", command_name(command.kind));
        parts.add(name, image.place.offset.saturating_add(offset), count.saturating_mul(entry));
        Ok(())
    };
    if command.kind == kind::LC_SYMTAB {
        add(8, if image.is_64 { 16 } else { 12 })?;
    }
    for (field, entry) in LISTS.iter().filter(|(kind, _)| *kind == command.kind).flat_map(|(_, fields)| *fields) {
        add(*field, *entry)?;
    }
    Ok(())
}
