//! Where a file keeps the addresses of the symbols that it imports: GOT slots, copies, and words of its data, as its dynamic
//! relocations name them (x86-64 psABI and AArch64 ELF ABI, "Relocation Types"). RELR relocations name no symbol.

use super::scan::Code;
use super::table::{SymbolTable, each_symbol};
use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Error, Result};
use goblin::elf::dynamic::{DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_VERSYM};
use goblin::elf::header::{EM_AARCH64, EM_X86_64};
use goblin::elf::section_header::SHN_UNDEF;
use std::collections::BTreeMap;

/// Bytes that are read at once.
const CHUNK: u64 = 1 << 20;
/// The size of `Elf64_Rela`.
const RELA: u64 = 24;
/// More places that hold the wanted symbols' addresses than this are taken as damage.
const MOST_PLACES: usize = 1 << 20;

/// The places of the wanted symbols, by address; each with the number of the symbol.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// GOT slots, those of thread-local symbols included.
    pub(super) slots: BTreeMap<u64, usize>,
    /// Variables of libraries that were copied into the program, with their ends.
    pub(super) copies: BTreeMap<u64, (u64, usize)>,
    /// Words of data that the loader fills in: in virtual tables, tables of functions.
    pub(super) words: BTreeMap<u64, usize>,
}

/// What a relocation makes of its place.
enum Kind {
    Slot,
    Copy,
    Word,
}

impl Kind {
    fn of(machine: u16, kind: u32) -> Option<Self> {
        match (machine, kind) {
            // R_X86_64_GLOB_DAT, JUMP_SLOT, DTPMOD64, DTPOFF64, TPOFF64, TLSDESC.
            (EM_X86_64, 6 | 7 | 16 | 17 | 18 | 36) => Some(Self::Slot),
            (EM_X86_64, 5) => Some(Self::Copy),
            (EM_X86_64, 1) => Some(Self::Word),
            // R_AARCH64_GLOB_DAT, JUMP_SLOT, TLS_DTPMOD, TLS_DTPREL, TLS_TPREL, TLSDESC.
            (EM_AARCH64, 1025 | 1026 | 1028 | 1029 | 1030 | 1031) => Some(Self::Slot),
            (EM_AARCH64, 1024) => Some(Self::Copy),
            (EM_AARCH64, 257) => Some(Self::Word),
            _ => None,
        }
    }
}

/// A wanted symbol as the dynamic symbol table has it.
struct Wanted {
    number: usize,
    defined: bool,
    size: u64,
}

impl Imports {
    /// The places of `symbols`, each a name or `name@VERSION`, in the file of `code`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the dynamic section leads out of the file, [`Error::Cancelled`].
    pub(super) fn find(code: &Code<'_>, symbols: &[&str], context: &Context) -> Result<Self> {
        let mut imports = Self::default();
        let wanted = wanted(code, symbols, context)?;
        if wanted.is_empty() {
            return Ok(imports);
        }
        let (source, tables) = (code.source, &code.details.tables);
        let mut tables_of_relocations = vec![(DT_RELA, DT_RELASZ)];
        if tables.dynamic_value(DT_PLTREL) == Some(DT_RELA) {
            tables_of_relocations.push((DT_JMPREL, DT_PLTRELSZ));
        }
        for (start, size) in tables_of_relocations {
            each_relocation(source, tables, (start, size), context, &mut |place, info, _| {
                let Some(symbol) = wanted.get(&(info >> 32)) else { return Ok(()) };
                imports.add(Kind::of(tables.header.e_machine, info as u32), place, symbol);
                let all = imports.slots.len() + imports.copies.len() + imports.words.len();
                if all <= MOST_PLACES {
                    return Ok(());
                }
                Err(Error::malformed(source.path(), 0, format!("at most {MOST_PLACES} relocations by a few symbols")))
            })?;
        }
        Ok(imports)
    }

    fn add(&mut self, kind: Option<Kind>, place: u64, symbol: &Wanted) {
        match kind {
            Some(Kind::Copy) => {
                let end = place.saturating_add(symbol.size.max(1));
                self.copies.insert(place, (end, symbol.number));
            }
            // A symbol that the file defines itself is no import, even where another library may take its place.
            Some(Kind::Slot) if !symbol.defined => {
                self.slots.insert(place, symbol.number);
            }
            Some(Kind::Word) if !symbol.defined => {
                self.words.insert(place, symbol.number);
            }
            _ => {}
        }
    }
}

/// The wanted symbols by their number in the dynamic symbol table.
fn wanted(code: &Code<'_>, symbols: &[&str], context: &Context) -> Result<BTreeMap<u64, Wanted>> {
    let mut by_name: BTreeMap<&[u8], Vec<(usize, Option<&str>)>> = BTreeMap::new();
    for (number, symbol) in symbols.iter().enumerate() {
        let (name, version) = symbol.split_once('@').map_or((*symbol, None), |(name, version)| (name, Some(version)));
        by_name.entry(name.as_bytes()).or_default().push((number, version));
    }
    let longest = by_name.keys().map(|name| name.len()).max().unwrap_or(0) as u64;
    let (source, tables) = (code.source, &code.details.tables);
    let mut found = BTreeMap::new();
    let Some(table) = SymbolTable::dynamic(source, code.details)? else { return Ok(found) };
    let (strings, size) = table.strings;
    each_symbol(source, tables, &table, context, &mut |index, symbol| {
        let name = symbol.st_name as u64;
        let Some(rest) = size.checked_sub(name).filter(|&rest| name != 0 && rest > 0) else { return Ok(()) };
        // No more is read than what a wanted name and its NUL take.
        let text = source.bytes(strings.saturating_add(name), rest.min(longest + 1))?;
        let Some(text) = memchr::memchr(0, &text).and_then(|end| text.get(..end)) else { return Ok(()) };
        let Some(entries) = by_name.get(text) else { return Ok(()) };
        let version = version_of(code, index)?;
        let number = entries.iter().find(|(_, asked)| asked.is_some() && *asked == version.as_deref());
        let number = number.or_else(|| entries.iter().find(|(_, asked)| asked.is_none()));
        if let Some((number, _)) = number {
            let defined = symbol.st_shndx != SHN_UNDEF as usize;
            found.insert(index, Wanted { number: *number, defined, size: symbol.st_size });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The version that the dynamic symbol number `index` asks for.
fn version_of(code: &Code<'_>, index: u64) -> Result<Option<String>> {
    let tables = &code.details.tables;
    let Some((versions, _)) = tables.dynamic_value(DT_VERSYM).and_then(|address| tables.file_offset(address)) else {
        return Ok(None);
    };
    let mut bytes = [0; 2];
    code.source.read_at(versions.saturating_add(index * 2), &mut bytes)?;
    let version = if tables.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) } & 0x7fff;
    let mut versions = code.details.version_needs.iter().flat_map(|need| &need.versions);
    Ok(versions.find(|need| need.index == version).map(|need| need.name.to_text().into_owned()))
}

/// Calls `visit` with the place, the `r_info` and the addend of each entry of the table of `Elf64_Rela` at the two dynamic
/// tags.
///
/// # Errors
/// [`Error::Malformed`] when the table leads out of the file, [`Error::Cancelled`], and what `visit` returns.
pub(super) fn each_relocation(
    source: &dyn ReadAt,
    tables: &Tables,
    (start, size): (u64, u64),
    context: &Context,
    visit: &mut dyn FnMut(u64, u64, u64) -> Result<()>,
) -> Result<()> {
    let (Some(address), Some(size)) = (tables.dynamic_value(start), tables.dynamic_value(size)) else { return Ok(()) };
    let Some((offset, rest)) = tables.file_offset(address) else { return Ok(()) };
    let count = size.min(rest) / RELA;
    let mut done = 0;
    while done < count {
        context.advance(0)?;
        let some = (count - done).min(CHUNK / RELA);
        let bytes = source.bytes(offset + done * RELA, some * RELA)?;
        for entry in bytes.as_chunks::<{ RELA as usize }>().0 {
            let (longs, _) = entry.as_chunks::<8>();
            let long =
                |bytes: &[u8; 8]| if tables.is_big { u64::from_be_bytes(*bytes) } else { u64::from_le_bytes(*bytes) };
            if let [place, info, addend] = longs {
                visit(long(place), long(info), long(addend))?;
            }
        }
        done += some;
    }
    Ok(())
}
