//! The structure of a Mach-O image: versions, platform, segments and sections, signature, imports and exports.

use super::{Facts, MOST_SYMBOLS};
use crate::engine::Result;
use crate::engine::binary::Slice;
use crate::engine::binary::macho::{Image, Place, exported_with_prefixes, kind, segments};
use crate::engine::binary::record::name_at;
use crate::engine::compare::regions_macho::{platform, protection, signature, version};
use crate::engine::file::ReadAt;
use std::collections::BTreeMap;

/// Larger export tries are not walked.
const MOST_TRIE_BYTES: u32 = 8 << 20;

/// Adds the structure of the image that `slice` is.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a load command leads out of the image.
pub(super) fn add(facts: &mut Facts, prefix: &str, source: &dyn ReadAt, slice: &Slice) -> Result<()> {
    let image = Image::read(source, Place { offset: slice.offset, size: slice.size })?;
    let flags = image.record(source, 24, 4)?.word(0)?;
    facts.add(format!("{prefix}header flags"), format!("{flags:#x}"));
    versions(facts, prefix, &image)?;
    for segment in segments(&image)? {
        let place = (segment.address, segment.offset, segment.file_size);
        let more = format!(", {}", protection(u64::from(segment.protection)));
        facts.place(format!("{prefix}segment {}", segment.name), place, &more);
        for section in segment.sections {
            let place = (section.address, section.offset, section.size);
            facts.place(format!("{prefix}section {}", section.name), place, &format!(", flags {:#x}", section.flags));
        }
    }
    if let Some(command) = image.command(kind::LC_CODE_SIGNATURE) {
        let at = image.place.offset.saturating_add(u64::from(command.record.word(8)?));
        for directory in signature::directories(source, &image, at)? {
            facts.add(format!("{prefix}signature"), directory.said(source)?);
        }
    }
    symbols(facts, prefix, source, &image)
}

/// What load commands say of versions and identity.
fn versions(facts: &mut Facts, prefix: &str, image: &Image<'_>) -> Result<()> {
    for command in &image.commands {
        let record = &command.record;
        let word = |at| record.word(at).map(u64::from);
        let mut add = |what: &str, value: String| facts.add(format!("{prefix}{what}"), value);
        match command.kind {
            kind::LC_ID_DYLIB => {
                add("current version", version(word(16)?));
                add("compatibility version", version(word(20)?));
            }
            kind::LC_BUILD_VERSION => {
                add("platform", platform(word(8)?));
                add("minimum OS", version(word(12)?));
                add("SDK", version(word(16)?));
            }
            kind::LC_VERSION_MIN_MACOSX
            | kind::LC_VERSION_MIN_IPHONEOS
            | kind::LC_VERSION_MIN_TVOS
            | kind::LC_VERSION_MIN_WATCHOS => {
                add("minimum OS", version(word(8)?));
                add("SDK", version(word(12)?));
            }
            kind::LC_UUID => {
                let uuid = record.part(8, 16)?;
                add("UUID", uuid.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect());
            }
            kind::LC_MAIN => add("entry point", format!("{:#x}", record.long(8)?)),
            _ => {
                if let Some(name) = command.library()? {
                    let value = format!("current {}, compatibility {}", version(word(16)?), version(word(20)?));
                    add(&format!("versions of {name}"), value);
                }
            }
        }
    }
    Ok(())
}

/// Exports, with their addresses where the symbol table tells them, and imports.
fn symbols(facts: &mut Facts, prefix: &str, source: &dyn ReadAt, image: &Image<'_>) -> Result<()> {
    let mut addresses = BTreeMap::new();
    let mut imports = Vec::new();
    if let Some(command) = image.command(kind::LC_SYMTAB) {
        let field = |at| command.record.word(at).map(u64::from);
        let (table, count, strings, size) = (field(8)?, field(12)?, field(16)?, field(20)?);
        facts.add(format!("{prefix}symbols"), count);
        if count > MOST_SYMBOLS {
            let value = format!("none by name: there are more than {MOST_SYMBOLS}");
            facts.add(format!("{prefix}symbols compared"), value);
            return Ok(());
        }
        let entry = if image.is_64 { 16 } else { 12 };
        let record = image.record(source, table, count * entry)?;
        let start = image.place.offset.saturating_add(strings);
        let end = start.saturating_add(size);
        for number in 0..count {
            // nlist: n_strx, n_type, n_sect, n_desc, n_value.
            let at = number * entry;
            let n_type = record.byte(at + 4)?;
            if n_type & 0xe0 != 0 || n_type & 1 == 0 {
                continue;
            }
            let name = name_at(source, start.saturating_add(u64::from(record.word(at)?)), end)?.to_string();
            let name = name.strip_prefix('_').unwrap_or(&name).to_owned();
            if n_type & 0x0e == 0 {
                let library = record.half(at + 6)? >> 8;
                let weak = if record.half(at + 6)? & 0x40 == 0 { "" } else { ", weak" };
                imports.push((name, format!("from library {library}{weak}")));
            } else {
                let address = if image.is_64 { record.long(at + 8)? } else { u64::from(record.word(at + 8)?) };
                addresses.insert(name, address);
            }
        }
    }
    for (name, value) in imports {
        facts.add(format!("{prefix}import {name}"), value);
    }
    let trie = image.command(kind::LC_DYLD_EXPORTS_TRIE).map(|command| command.record.word(12));
    if trie.transpose()?.unwrap_or(0) > MOST_TRIE_BYTES {
        return Ok(());
    }
    for name in exported_with_prefixes(source, image, &[b""])? {
        let address = addresses.get(name.to_text().as_ref());
        let value = address.map_or_else(|| "exported".to_owned(), |address| format!("address {address:#x}"));
        facts.add(format!("{prefix}export {name}"), value);
    }
    Ok(())
}
