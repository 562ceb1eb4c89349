//! The names that a Mach-O image exports: from its export trie, or from the symbol table where it has none.
//!
//! C's leading underscore is taken off. Only the branches of the trie that can hold a wanted name are walked.

use super::commands::{Image, kind};
use crate::engine::binary::Name;
use crate::engine::binary::record::{Record, name_at};
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use std::collections::{BTreeSet, HashSet};

/// A larger trie is taken as damage.
const MOST_TRIE_BYTES: u64 = 256 << 20;
/// A longer name is taken as damage.
const LONGEST_NAME: usize = 64 * 1024;
/// Symbols that are read at once.
const CHUNK: u64 = 4096;

/// The exports of `image` that begin with one of `prefixes`, sorted, without the leading underscore.
///
/// # Errors
/// [`Error::Malformed`] when a table lies outside of the image or does not end.
pub fn exported_with_prefixes(source: &dyn ReadAt, image: &Image<'_>, prefixes: &[&[u8]]) -> Result<Vec<Name>> {
    let names = match trie_place(image)? {
        Some((offset, size)) if size > MOST_TRIE_BYTES => {
            let expected = format!("an export trie of at most {MOST_TRIE_BYTES} bytes, found {size}");
            return Err(Error::malformed(source.path(), image.place.offset.saturating_add(offset), expected));
        }
        Some((offset, size)) => walk_trie(&image.record(source, offset, size)?, prefixes)?,
        None => walk_symbols(source, image, prefixes)?,
    };
    Ok(names.into_iter().collect())
}

/// Where the trie lies in the image, and its length.
fn trie_place(image: &Image<'_>) -> Result<Option<(u64, u64)>> {
    for (kind, field) in [(kind::LC_DYLD_EXPORTS_TRIE, 8), (kind::LC_DYLD_INFO_ONLY, 40), (kind::LC_DYLD_INFO, 40)] {
        if let Some(command) = image.command(kind) {
            let place = (u64::from(command.record.word(field)?), u64::from(command.record.word(field + 4)?));
            if place.1 > 0 {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

fn stripped(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"_").unwrap_or(name)
}

fn walk_trie(trie: &Record<'_>, prefixes: &[&[u8]]) -> Result<BTreeSet<Name>> {
    let mut names = BTreeSet::new();
    let mut visited = HashSet::new();
    let mut open = vec![(0_u64, Vec::new())];
    while let Some((node, name)) = open.pop() {
        // Each node has one parent; a second visit is a loop.
        if !visited.insert(node) {
            return Err(Error::malformed(trie.path(), trie.offset() + node, "an export trie without loops"));
        }
        let (size, mut at) = uleb(trie, node)?;
        let wanted = prefixes.iter().any(|prefix| stripped(&name).starts_with(prefix));
        if size > 0 && wanted {
            names.insert(Name::new(stripped(&name)));
        }
        at = at.saturating_add(size);
        let children = trie.byte(at)?;
        at += 1;
        for _ in 0..children {
            let mut child = name.clone();
            loop {
                let byte = trie.byte(at)?;
                at += 1;
                if byte == 0 {
                    break;
                }
                child.push(byte);
            }
            let (target, next) = uleb(trie, at)?;
            at = next;
            if child.len() > LONGEST_NAME {
                return Err(Error::malformed(trie.path(), trie.offset() + at, "a shorter exported name"));
            }
            if prefixes.iter().any(|prefix| could_lead_to(&child, prefix)) {
                open.push((target, child));
            }
        }
    }
    Ok(names)
}

/// Whether names that begin with `name` can begin, without their underscore, with `prefix`.
fn could_lead_to(name: &[u8], prefix: &[u8]) -> bool {
    let name = stripped(name);
    name.starts_with(prefix) || prefix.starts_with(name)
}

/// The number at `at`, 7 bits a byte, and where it ends.
fn uleb(trie: &Record<'_>, at: u64) -> Result<(u64, u64)> {
    let (mut value, mut place) = (0_u64, at);
    for shift in (0..63).step_by(7) {
        let byte = trie.byte(place)?;
        place += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value, place));
        }
    }
    Err(Error::malformed(trie.path(), trie.offset().saturating_add(at), "a ULEB128 number of 63 bits at most"))
}

fn walk_symbols(source: &dyn ReadAt, image: &Image<'_>, prefixes: &[&[u8]]) -> Result<BTreeSet<Name>> {
    let mut names = BTreeSet::new();
    let Some(command) = image.command(kind::LC_SYMTAB) else { return Ok(names) };
    let field = |at| command.record.word(at).map(u64::from);
    let (table, count, strings, strings_size) = (field(8)?, field(12)?, field(16)?, field(20)?);
    // nlist: n_strx, n_type, n_sect, n_desc, n_value.
    let entry = if image.is_64 { 16 } else { 12 };
    let end = image.place.offset.saturating_add(strings.saturating_add(strings_size).min(image.place.size));
    let mut first = 0;
    while first < count {
        let chunk = (count - first).min(CHUNK);
        let symbols = image.record(source, table.saturating_add(first * entry), chunk * entry)?;
        for number in 0..chunk {
            let name = u64::from(symbols.word(number * entry)?);
            if name == 0 || !is_export(symbols.byte(number * entry + 4)?) {
                continue;
            }
            let place = image.place.offset.saturating_add(strings).saturating_add(name);
            let name = name_at(source, place, end)?;
            if prefixes.iter().any(|prefix| stripped(name.as_bytes()).starts_with(prefix)) {
                names.insert(Name::new(stripped(name.as_bytes())));
            }
        }
        first += chunk;
    }
    Ok(names)
}

/// Whether `n_type` is that of a defined external symbol that is not private to the image.
fn is_export(n_type: u8) -> bool {
    const STAB: u8 = 0xe0;
    const PRIVATE: u8 = 0x10;
    const TYPE: u8 = 0x0e;
    const EXTERNAL: u8 = 0x01;
    n_type & (STAB | PRIVATE) == 0 && n_type & EXTERNAL != 0 && n_type & TYPE != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Endian;
    use crate::engine::file::MemoryBytes;

    fn walk(bytes: &[u8]) -> Result<BTreeSet<Name>> {
        let source = MemoryBytes::new("a".into(), bytes.to_vec());
        walk_trie(&Record::read(&source, 0, bytes.len() as u64, Endian::Little).unwrap(), &[b"Py"])
    }

    #[test]
    fn the_trie_is_walked_along_wanted_names_only() {
        // Root with the edges "_Py" -> 14 and "_x" -> 99 (beyond the end, never visited); 14 holds "A" -> 19, an export.
        let mut trie = b"\x00\x02_Py\0\x0e_x\0\x63".to_vec();
        trie.resize(14, 0);
        trie.extend(b"\x00\x01A\0\x13\x01\x00\x00");
        assert_eq!(walk(&trie).unwrap().into_iter().collect::<Vec<_>>(), [Name::from("PyA")]);
    }

    #[test]
    fn a_loop_and_a_cut_are_errors() {
        assert!(walk(b"\x00\x01_P\0\x00").is_err());
        assert!(walk(b"\x00\x01_P\0\x80").is_err());
        assert!(walk(b"\x00\x01_P").is_err());
    }
}
