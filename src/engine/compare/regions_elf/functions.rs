//! The functions and variables of an ELF file by their offsets, in one walk over `.symtab`, or `.dynsym` where a file was
//! stripped of it.

use super::super::code::{Names, Symbol, Symbols};
use super::has_bytes;
use super::symbols::SymbolTable;
use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use goblin::elf::header::{EM_ARM, ET_REL};
use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::{SHN_LORESERVE, SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::{STB_LOCAL, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT};
use std::num::NonZeroU32;

/// Bytes that are read at once.
const CHUNK: u64 = 1 << 20;

/// The symbol tables of a file, and where addresses lie in it.
#[derive(Debug)]
pub struct Functions {
    /// The fullest first.
    tables: Vec<SymbolTable>,
    places: Places,
}

/// Where addresses lie in the file.
#[derive(Debug)]
struct Places {
    /// Values are distances from the start of their section.
    is_relocatable: bool,
    /// The lowest bit of a function's address says how its code is encoded.
    is_arm: bool,
    /// By number: address, offset and size of each section; of size 0 where it has no bytes.
    sections: Vec<(u64, u64, u64)>,
    /// Address, offset and size of each loaded segment.
    segments: Vec<(u64, u64, u64)>,
}

impl Functions {
    /// The symbols of the file whose tables are `tables`; `dynamic` is the table that a file without sections has.
    #[must_use]
    pub fn new(tables: &Tables, dynamic: Option<SymbolTable>) -> Self {
        let of = |kind| tables.sections.iter().find(|section| section.sh_type == kind);
        let found = [SHT_SYMTAB, SHT_DYNSYM].into_iter().filter_map(of);
        let sections = tables.sections.iter();
        let loads = tables.segments.iter().filter(|segment| segment.p_type == PT_LOAD);
        Self {
            tables: found.map(|section| super::symbol_table(tables, section)).chain(dynamic).collect(),
            places: Places {
                is_relocatable: tables.header.e_type == ET_REL,
                is_arm: tables.header.e_machine == EM_ARM,
                sections: sections
                    .map(|section| {
                        let size = if has_bytes(section) { section.sh_size } else { 0 };
                        (section.sh_addr, section.sh_offset, size)
                    })
                    .collect(),
                segments: loads.map(|segment| (segment.p_vaddr, segment.p_offset, segment.p_filesz)).collect(),
            },
        }
    }
}

impl Places {
    /// The offset of the symbol with this kind, section and value.
    fn offset_of(&self, kind: u8, section: u16, value: u64) -> Option<u64> {
        let value = if self.is_arm && kind == STT_FUNC { value & !1 } else { value };
        if u32::from(section) < SHN_LORESERVE
            && let Some((address, offset, size)) = self.sections.get(usize::from(section))
        {
            let into = if self.is_relocatable { Some(value) } else { value.checked_sub(*address) };
            if *size == 0 {
                return None;
            }
            if let Some(into) = into.filter(|into| into < size) {
                return offset.checked_add(into);
            }
        }
        // Some editors leave the section numbers of symbols behind.
        self.segments.iter().find_map(|(address, offset, size)| {
            let into = value.checked_sub(*address).filter(|into| into < size)?;
            offset.checked_add(into)
        })
    }
}

impl Symbols for Functions {
    fn each(&self, source: &dyn ReadAt, visit: &mut dyn FnMut(Symbol)) -> Result<Names> {
        for table in &self.tables {
            let mut any = false;
            each_in(source, table, &self.places, &mut |symbol| {
                any = true;
                visit(symbol);
            })?;
            if any {
                let (names, size) = table.strings.unwrap_or_default();
                return Ok((names, names.saturating_add(size)));
            }
        }
        Ok((0, 0))
    }
}

fn each_in(source: &dyn ReadAt, table: &SymbolTable, places: &Places, visit: &mut dyn FnMut(Symbol)) -> Result<()> {
    let Some((_, names_size)) = table.strings else { return Ok(()) };
    let entry = table.entry_size();
    let chunk = CHUNK - CHUNK % entry;
    let size = table.size.min(source.size().saturating_sub(table.offset));
    let mut buffer = vec![0; chunk.min(size) as usize];
    let mut at = 0;
    while at + entry <= size {
        let length = chunk.min(size - at);
        let Some(bytes) = buffer.get_mut(..length as usize) else { break };
        source.read_at(table.offset + at, bytes)?;
        for bytes in bytes.chunks_exact(entry as usize) {
            let Some(raw) = table.raw(bytes) else { continue };
            let (kind, binding) = (raw.info & 0xf, raw.info >> 4);
            let is_place =
                matches!(kind, STT_FUNC | STT_GNU_IFUNC | STT_OBJECT) || (kind == STT_NOTYPE && binding != STB_LOCAL);
            let name = NonZeroU32::new(raw.name).filter(|name| u64::from(name.get()) < names_size);
            let Some(name) = name.filter(|_| is_place && raw.section != 0) else { continue };
            if let Some(start) = places.offset_of(kind, raw.section, raw.value) {
                visit(Symbol { start, size: u32::try_from(raw.size).unwrap_or(u32::MAX), name });
            }
        }
        at += length;
    }
    Ok(())
}
