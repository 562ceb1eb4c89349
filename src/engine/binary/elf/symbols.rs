//! Looking symbols up in `.dynsym` without walking what need not be walked.
//!
//! Defined symbols are found through the hash tables (gABI "Hash Table", GNU hash), so a library with a million exports
//! costs a few reads. Undefined ones may stand anywhere in the table; it is walked in chunks, and only they are kept.

mod definitions;
mod hash;
mod relocations;

pub use definitions::{Definition, Steps};
pub use hash::hash_word;
pub use relocations::Use;

use super::Tables;
use super::dynamic::StringTable;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_SYMTAB, DT_VERSYM};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, STV_HIDDEN, STV_INTERNAL, Sym};
use memchr::memmem;
use scroll::Pread;
use std::collections::BTreeSet;

/// Bytes of a table that are read at once.
const CHUNK: u64 = 1 << 20;
/// A name longer than this is none that a prefix is sought for: the search would grow with the square of a garbled table.
const LONGEST_SOUGHT: u64 = 4096;
/// More places with a sought prefix than this are taken as damage.
const MOST_SOUGHT: usize = 65_536;

/// An undefined symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndefinedSymbol {
    /// Its number in the table.
    pub index: u64,
    /// Its name.
    pub name: Name,
    /// Whether its absence is tolerated.
    pub weak: bool,
    /// Whether it is not looked up at all: local, hidden or internal.
    pub is_local: bool,
    /// The version it is bound to: an index of [`super::NeededVersion`]; `None` when it has none.
    pub version: Option<u16>,
}

/// The dynamic symbols of one file.
pub struct Symbols<'a> {
    source: &'a dyn ReadAt,
    tables: &'a Tables,
    strings: StringTable<'a>,
    table: Option<u64>,
    versions: Option<u64>,
    hash: Hash,
}

/// The file's symbol hash table.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Gnu { offset: u64, buckets: u32, first: u32, bloom: u32, shift: u32 },
    SysV { offset: u64, buckets: u64, symbols: u64 },
    None,
}

impl<'a> Symbols<'a> {
    /// The dynamic symbols of `source`, whose tables are `tables`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a table lies outside of the file.
    pub fn open(source: &'a dyn ReadAt, tables: &'a Tables) -> Result<Self> {
        let place =
            |tag| tables.dynamic_value(tag).and_then(|address| tables.file_offset(address)).map(|found| found.0);
        let mut symbols = Self {
            source,
            tables,
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
            let (buckets, count) = (symbols.sysv_entry(offset, 0)?, symbols.sysv_entry(offset, 1)?);
            symbols.hash = Hash::SysV { offset, buckets, symbols: count };
        }
        Ok(symbols)
    }

    /// The undefined symbols, in the table's order.
    ///
    /// In libraries they stand before the hashed ones, but GNU ld also hashes some of a program's.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a symbol or its name lies outside of the file.
    pub fn undefined(&self) -> Result<Vec<UndefinedSymbol>> {
        let mut found = Vec::new();
        let mut names = self.strings.names();
        self.walk(1, self.count()?, &mut |index, symbol| {
            if symbol.st_shndx == SHN_UNDEF as usize && symbol.st_name != 0 {
                let version = self.raw_version(index)?.map(|version| version & 0x7fff);
                found.push(UndefinedSymbol {
                    index,
                    name: names.get(symbol.st_name as u64)?,
                    weak: symbol.st_bind() == STB_WEAK,
                    is_local: symbol.st_bind() == STB_LOCAL
                        || matches!(symbol.st_visibility(), STV_HIDDEN | STV_INTERNAL),
                    // 0 is local, 1 is global without a version.
                    version: version.filter(|version| *version > 1),
                });
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// Where the table lies in the file, in bytes, and how many symbols it holds; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tables that tell lead out of the file.
    pub fn table(&self) -> Result<Option<(u64, u64)>> {
        self.table.map(|offset| Ok((offset, self.count()?))).transpose()
    }

    /// Whether the file defines the dynamic symbol `name`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tables lead out of the file.
    pub fn is_defined(&self, name: &[u8]) -> Result<bool> {
        Ok(self.definitions(name, &mut Steps::default())?.iter().any(|found| !found.is_stub))
    }

    /// The defined symbols whose names begin with one of `prefixes`, sorted. The string table is searched, not the symbols.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tables lead out of the file.
    pub fn exported_with_prefixes(&self, prefixes: &[&[u8]]) -> Result<Vec<Name>> {
        let Some((offset, size)) = self.strings.range else { return Ok(Vec::new()) };
        let overlap = prefixes.iter().map(|prefix| prefix.len() as u64).max().unwrap_or(0);
        let mut exported = BTreeSet::new();
        let (mut at, mut tried) = (0, 0);
        while at < size {
            let chunk = self.source.bytes(offset + at, (size - at).min(CHUNK + overlap))?;
            for place in prefixes.iter().flat_map(|prefix| memmem::find_iter(&chunk, prefix)) {
                tried += 1;
                if tried > MOST_SOUGHT {
                    let expected = format!("at most {MOST_SOUGHT} names with a sought prefix");
                    return Err(Error::malformed(self.source.path(), offset + at, expected));
                }
                let start = at + place as u64;
                let head = self.source.bytes(offset + start, (size - start).min(LONGEST_SOUGHT))?;
                let name = memchr::memchr(0, &head).and_then(|length| head.get(..length));
                if let Some(name) = name.filter(|name| !exported.contains(*name))
                    && self.is_defined(name)?
                {
                    exported.insert(name.to_vec());
                }
            }
            at += CHUNK;
        }
        Ok(exported.into_iter().map(Name::new).collect())
    }

    fn word(&self, offset: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.source.read_at(offset, &mut bytes)?;
        Ok(if self.tables.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn symbol_size(&self) -> u64 {
        self.tables.symbol_size()
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
        let context = self.tables.context();
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

    /// The symbol's entry of `.gnu.version`, with the hidden bit.
    fn raw_version(&self, index: u64) -> Result<Option<u16>> {
        let Some(versions) = self.versions else { return Ok(None) };
        let mut bytes = [0; 2];
        self.source.read_at(versions.saturating_add(index.saturating_mul(2)), &mut bytes)?;
        Ok(Some(if self.tables.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }))
    }

    /// The number of symbols where no hash table tells: by the section header, else up to the string table.
    fn count_by_sections(&self) -> u64 {
        let size = self.symbol_size();
        let section =
            self.tables.sections.iter().find(|section| section.sh_type == goblin::elf::section_header::SHT_DYNSYM);
        match (section, self.table, self.strings.range) {
            (Some(section), ..) => section.sh_size.min(self.source.size()) / size,
            // Every linker puts the strings behind the symbols.
            (None, Some(table), Some((strings, _))) => strings.saturating_sub(table) / size,
            _ => 0,
        }
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
    fn undefined_symbols_that_a_program_hashes_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("a.c"), directory.path().join("a"));
        // In a program at a fixed address GNU ld hashes the functions whose address is taken, defined or not.
        let text = "int puts(const char*); int atoi(const char*); int other(void) { return 1; }
            int main(int count, char **all) { int (*hold)(const char*) = count > 1 ? puts : atoi; return hold(all[0]); }";
        std::fs::write(&source, text).unwrap();
        let flags = ["-O1", "-fno-pie", "-no-pie", "-rdynamic", "-Wl,--hash-style=gnu", "-o"];
        assert!(Command::new("cc").args(flags).args([&output, &source]).status().unwrap().success());
        let source = Windows::open(&output).unwrap();
        let binary = binary::read(&source).unwrap();
        let symbols = Symbols::open(&source, &binary.slices[0].elf.as_ref().unwrap().tables).unwrap();
        let undefined = symbols.undefined().unwrap();
        for name in ["puts", "atoi"] {
            assert!(undefined.iter().any(|symbol| symbol.name == Name::from(name)), "{name}");
            assert!(!symbols.is_defined(name.as_bytes()).unwrap(), "{name}");
        }
        assert!(symbols.is_defined(b"other").unwrap());
    }

    #[test]
    fn both_hash_tables_give_the_same_answers() {
        let directory = tempfile::tempdir().unwrap();
        for style in ["gnu", "sysv", "both"] {
            let source = Windows::open(&library(directory.path(), style)).unwrap();
            let binary = binary::read(&source).unwrap();
            let details = binary.slices[0].elf.as_ref().unwrap();
            let symbols = Symbols::open(&source, &details.tables).unwrap();
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
