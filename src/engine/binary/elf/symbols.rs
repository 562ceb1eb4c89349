//! Looking symbols up in `.dynsym` without walking what need not be walked.
//!
//! Defined symbols are found through the hash tables (gABI "Hash Table", GNU hash), undefined ones stand before them; so a
//! library with a million exports costs a few reads.

use super::Details;
use super::dynamic::StringTable;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_SYMTAB, DT_VERSYM};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::{STB_WEAK, Sym};
use memchr::memmem;
use scroll::Pread;

/// Bytes of a table that are read at once.
const CHUNK: u64 = 1 << 20;
/// A hash chain longer than this is taken as damage.
const LONGEST_CHAIN: u64 = 1 << 24;

/// An undefined symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndefinedSymbol {
    /// Its name.
    pub name: Name,
    /// Whether its absence is tolerated.
    pub weak: bool,
    /// The version it is bound to: an index of [`super::NeededVersion`]; `None` when it has none.
    pub version: Option<u16>,
}

/// The dynamic symbols of one file.
pub struct Symbols<'a> {
    source: &'a dyn ReadAt,
    details: &'a Details,
    strings: StringTable<'a>,
    table: Option<u64>,
    versions: Option<u64>,
    hash: Hash,
}

/// The file's symbol hash table.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Gnu { offset: u64, buckets: u32, first: u32, bloom: u32, shift: u32 },
    SysV { offset: u64, buckets: u32, symbols: u32 },
    None,
}

impl<'a> Symbols<'a> {
    /// The dynamic symbols of `source`, whose tables are `details`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a table lies outside of the file.
    pub fn open(source: &'a dyn ReadAt, details: &'a Details) -> Result<Self> {
        let tables = &details.tables;
        let place =
            |tag| tables.dynamic_value(tag).and_then(|address| tables.file_offset(address)).map(|found| found.0);
        let mut symbols = Self {
            source,
            details,
            strings: StringTable::of(source, tables)?,
            table: place(DT_SYMTAB),
            versions: place(DT_VERSYM),
            hash: Hash::None,
        };
        if let Some(offset) = place(DT_GNU_HASH) {
            symbols.hash = Hash::Gnu {
                offset,
                buckets: symbols.word(offset)?,
                first: symbols.word(offset + 4)?,
                bloom: symbols.word(offset + 8)?,
                shift: symbols.word(offset + 12)?,
            };
        } else if let Some(offset) = place(DT_HASH) {
            symbols.hash = Hash::SysV { offset, buckets: symbols.word(offset)?, symbols: symbols.word(offset + 4)? };
        }
        Ok(symbols)
    }

    /// The undefined symbols, in the table's order.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a symbol or its name lies outside of the file.
    pub fn undefined(&self) -> Result<Vec<UndefinedSymbol>> {
        let mut found = Vec::new();
        let end = self.undefined_end()?;
        self.walk(1, end, &mut |index, symbol| {
            if symbol.st_shndx == SHN_UNDEF as usize && symbol.st_name != 0 {
                found.push(UndefinedSymbol {
                    name: self.strings.get(symbol.st_name as u64)?,
                    weak: symbol.st_bind() == STB_WEAK,
                    version: self.version_of(index)?,
                });
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// Whether the file defines the dynamic symbol `name`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tables lead out of the file.
    pub fn is_defined(&self, name: &[u8]) -> Result<bool> {
        match self.hash {
            Hash::Gnu { offset, buckets, first, bloom, shift } => {
                self.gnu_lookup(name, offset, [buckets, first, bloom, shift])
            }
            Hash::SysV { offset, buckets, .. } => self.sysv_lookup(name, offset, buckets),
            Hash::None => {
                let (mut found, end) = (false, self.count_by_sections());
                self.walk(1, end, &mut |_, symbol| {
                    found = symbol.st_shndx != SHN_UNDEF as usize && self.named(symbol, name)?;
                    Ok(!found)
                })?;
                Ok(found)
            }
        }
    }

    /// The defined symbols whose names begin with one of `prefixes`, sorted. The string table is searched, not the symbols.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tables lead out of the file.
    pub fn exported_with_prefixes(&self, prefixes: &[&[u8]]) -> Result<Vec<Name>> {
        let Some((offset, size)) = self.strings.range else { return Ok(Vec::new()) };
        let overlap = prefixes.iter().map(|prefix| prefix.len() as u64).max().unwrap_or(0);
        let mut candidates = std::collections::BTreeSet::new();
        let mut at = 0;
        while at < size {
            let chunk = self.source.bytes(offset + at, (size - at).min(CHUNK + overlap))?;
            for prefix in prefixes {
                for place in memmem::find_iter(&chunk, prefix) {
                    candidates.insert(self.strings.get(at + place as u64)?);
                }
            }
            at += CHUNK;
        }
        let mut exported = Vec::new();
        for name in candidates {
            if self.is_defined(name.as_bytes())? {
                exported.push(name);
            }
        }
        Ok(exported)
    }

    fn word(&self, offset: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.source.read_at(offset, &mut bytes)?;
        Ok(if self.details.tables.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn symbol_size(&self) -> u64 {
        if self.details.tables.is_64 { 24 } else { 16 }
    }

    fn symbol(&self, index: u64) -> Result<Sym> {
        let mut found = None;
        self.walk(index, index + 1, &mut |_, symbol| {
            found = Some(*symbol);
            Ok(false)
        })?;
        found.ok_or_else(|| Error::malformed(self.source.path(), 0, "a dynamic symbol table (DT_SYMTAB), found none"))
    }

    /// Calls `visit` for the symbols `from..to` until it says to stop.
    fn walk(&self, from: u64, to: u64, visit: &mut dyn FnMut(u64, &Sym) -> Result<bool>) -> Result<()> {
        let Some(table) = self.table else { return Ok(()) };
        let size = self.symbol_size();
        let context = self.details.tables.context();
        let mut index = from;
        while index < to {
            let count = (to - index).min(CHUNK / size);
            let offset = table.saturating_add(index.saturating_mul(size));
            let bytes = self.source.bytes(offset, count * size)?;
            for number in 0..count {
                let symbol = bytes
                    .pread_with::<Sym>((number * size) as usize, context)
                    .map_err(|error| Error::malformed(self.source.path(), offset + number * size, error.to_string()))?;
                if !visit(index + number, &symbol)? {
                    return Ok(());
                }
            }
            index += count;
        }
        Ok(())
    }

    fn named(&self, symbol: &Sym, name: &[u8]) -> Result<bool> {
        Ok(self.strings.get(symbol.st_name as u64)?.as_bytes() == name)
    }

    fn version_of(&self, index: u64) -> Result<Option<u16>> {
        let Some(versions) = self.versions else { return Ok(None) };
        let mut bytes = [0; 2];
        self.source.read_at(versions.saturating_add(index * 2), &mut bytes)?;
        let version =
            if self.details.tables.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) } & 0x7fff;
        // 0 is local, 1 is global without a version.
        Ok((version > 1).then_some(version))
    }

    /// The end of the part of the table in which undefined symbols stand.
    fn undefined_end(&self) -> Result<u64> {
        match self.hash {
            // Without exports the linker leaves one empty bucket, and `first` may be anything: 1 in GNU ld, 0 elsewhere.
            Hash::Gnu { offset, buckets, first, bloom, .. } => {
                if self.has_hashed_symbols(offset, buckets, bloom)? {
                    Ok(u64::from(first))
                } else {
                    Ok(self.count_by_sections())
                }
            }
            Hash::SysV { symbols, .. } => Ok(u64::from(symbols)),
            Hash::None => Ok(self.count_by_sections()),
        }
    }

    fn has_hashed_symbols(&self, offset: u64, buckets: u32, bloom: u32) -> Result<bool> {
        let first_bucket = self.first_bucket(offset, bloom);
        let mut at = 0;
        let total = u64::from(buckets) * 4;
        while at < total {
            let chunk = self.source.bytes(first_bucket + at, (total - at).min(CHUNK))?;
            if chunk.iter().any(|byte| *byte != 0) {
                return Ok(true);
            }
            at += CHUNK;
        }
        Ok(false)
    }

    fn first_bucket(&self, offset: u64, bloom: u32) -> u64 {
        let width = if self.details.tables.is_64 { 8 } else { 4 };
        offset.saturating_add(16 + u64::from(bloom) * width)
    }

    /// The number of symbols where no hash table tells: by the section header, else up to the string table.
    fn count_by_sections(&self) -> u64 {
        let size = self.symbol_size();
        let section = self
            .details
            .tables
            .sections
            .iter()
            .find(|section| section.sh_type == goblin::elf::section_header::SHT_DYNSYM);
        match (section, self.table, self.strings.range) {
            (Some(section), ..) => section.sh_size.min(self.source.size()) / size,
            // Every linker puts the strings behind the symbols.
            (None, Some(table), Some((strings, _))) => strings.saturating_sub(table) / size,
            _ => 0,
        }
    }

    fn gnu_lookup(&self, name: &[u8], offset: u64, [buckets, first, bloom, shift]: [u32; 4]) -> Result<bool> {
        if buckets == 0 || bloom == 0 {
            return Ok(false);
        }
        let hash = name.iter().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        let bits = u32::from(self.details.tables.header.e_ident[goblin::elf::header::EI_CLASS]) * 32;
        if !self.bloom_admits(hash, offset, bits, bloom, shift)? {
            return Ok(false);
        }
        let first_bucket = self.first_bucket(offset, bloom);
        let mut index = self.word(first_bucket + u64::from(hash % buckets) * 4)?;
        if index < first {
            return Ok(false);
        }
        let chains = first_bucket.saturating_add(u64::from(buckets) * 4);
        for _ in 0..LONGEST_CHAIN {
            let entry = self.word(chains.saturating_add(u64::from(index - first) * 4))?;
            if entry | 1 == hash | 1 && self.named(&self.symbol(u64::from(index))?, name)? {
                return Ok(true);
            }
            if entry & 1 == 1 {
                return Ok(false);
            }
            let Some(next) = index.checked_add(1) else { return Ok(false) };
            index = next;
        }
        Ok(false)
    }

    fn bloom_admits(&self, hash: u32, offset: u64, bits: u32, bloom: u32, shift: u32) -> Result<bool> {
        let bits = if bits == 64 { 64 } else { 32 };
        let place = offset + 16 + u64::from((hash / bits) % bloom) * u64::from(bits / 8);
        let word = if bits == 64 {
            let (one, two) = (u64::from(self.word(place)?), u64::from(self.word(place + 4)?));
            if self.details.tables.is_big { one << 32 | two } else { two << 32 | one }
        } else {
            u64::from(self.word(place)?)
        };
        let mask = 1_u64 << (hash % bits) | 1_u64 << (hash.checked_shr(shift).unwrap_or(0) % bits);
        Ok(word & mask == mask)
    }

    fn sysv_lookup(&self, name: &[u8], offset: u64, buckets: u32) -> Result<bool> {
        if buckets == 0 {
            return Ok(false);
        }
        let hash = name.iter().fold(0_u32, |hash, byte| {
            let hash = (hash << 4).wrapping_add(u32::from(*byte));
            let high = hash & 0xf000_0000;
            (hash ^ (high >> 24)) & !high
        });
        let mut index = self.word(offset + 8 + u64::from(hash % buckets) * 4)?;
        let chains = offset + 8 + u64::from(buckets) * 4;
        for _ in 0..LONGEST_CHAIN {
            if index == 0 {
                return Ok(false);
            }
            let symbol = self.symbol(u64::from(index))?;
            if symbol.st_shndx != SHN_UNDEF as usize && self.named(&symbol, name)? {
                return Ok(true);
            }
            index = self.word(chains.saturating_add(u64::from(index) * 4))?;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary;
    use crate::engine::file::Windows;
    use std::path::Path;
    use std::process::Command;

    fn library(directory: &Path, hash_style: &str) -> std::path::PathBuf {
        let source = directory.join("a.c");
        std::fs::write(
            &source,
            "int puts(const char*); int PyInit_lab(void) { return puts(\"x\"); } int other(void) { return 1; }
             __attribute__((weak)) int nowhere(void); int calls(void) { return nowhere ? nowhere() : 0; }",
        )
        .unwrap();
        let output = directory.join(format!("lib{hash_style}.so"));
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", &format!("-Wl,--hash-style={hash_style}"), "-o"])
            .args([&output, &source])
            .status()
            .unwrap();
        assert!(status.success());
        output
    }

    #[test]
    fn both_hash_tables_give_the_same_answers() {
        let directory = tempfile::tempdir().unwrap();
        for style in ["gnu", "sysv", "both"] {
            let source = Windows::open(&library(directory.path(), style)).unwrap();
            let binary = binary::read(&source).unwrap();
            let details = binary.slices[0].elf.as_ref().unwrap();
            let symbols = Symbols::open(&source, details).unwrap();
            assert!(symbols.is_defined(b"PyInit_lab").unwrap());
            assert!(symbols.is_defined(b"other").unwrap());
            assert!(!symbols.is_defined(b"puts").unwrap());
            assert!(!symbols.is_defined(b"absent").unwrap());
            assert_eq!(
                symbols.exported_with_prefixes(&[b"PyInit_", b"PyModExport_"]).unwrap(),
                [Name::from("PyInit_lab")]
            );
            let undefined = symbols.undefined().unwrap();
            let puts = undefined.iter().find(|symbol| symbol.name == Name::from("puts")).unwrap();
            let version =
                details.version_needs[0].versions.iter().find(|need| Some(need.index) == puts.version).unwrap();
            assert_eq!(version.name, Name::from("GLIBC_2.2.5"));
            assert!(undefined.iter().any(|symbol| symbol.weak && symbol.name == Name::from("nowhere")));
        }
    }
}
