//! The symbol tables of an ELF file, walked whole and in chunks.

use crate::engine::binary::elf::{Details, StringTable, Symbols, Tables};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Error, Result};
use goblin::elf::section_header::{SHT_STRTAB, SHT_SYMTAB};
use goblin::elf::sym::Sym;
use scroll::Pread;

/// Bytes that are read at once.
const CHUNK: u64 = 1 << 20;

/// Where a symbol table and its names lie in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct SymbolTable {
    /// The first symbol's offset, in bytes.
    pub(super) offset: u64,
    /// How many symbols there are.
    pub(super) count: u64,
    /// The names: offset and length in bytes.
    pub(super) strings: (u64, u64),
}

impl SymbolTable {
    /// `.symtab`; `None` where the file was stripped of it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it lies outside of the file.
    pub(super) fn full(source: &dyn ReadAt, tables: &Tables) -> Result<Option<Self>> {
        let Some(table) = tables.sections.iter().find(|section| section.sh_type == SHT_SYMTAB) else { return Ok(None) };
        let strings = tables.sections.get(table.sh_link as usize).filter(|section| section.sh_type == SHT_STRTAB);
        let Some(strings) = strings else { return Ok(None) };
        if table.sh_offset.checked_add(table.sh_size).is_none_or(|end| end > source.size()) {
            let expected = format!("a symbol table of {} bytes, but the file ends before", table.sh_size);
            return Err(Error::malformed(source.path(), table.sh_offset, expected));
        }
        let count = table.sh_size / symbol_size(tables);
        Ok(Some(Self { offset: table.sh_offset, count, strings: (strings.sh_offset, strings.sh_size) }))
    }

    /// `.dynsym`; `None` where the file has none.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the dynamic section leads out of the file.
    pub(super) fn dynamic(source: &dyn ReadAt, details: &Details) -> Result<Option<Self>> {
        let Some(strings) = StringTable::of(source, &details.tables)?.range else { return Ok(None) };
        let table = Symbols::open(source, &details.tables)?.table()?;
        Ok(table.map(|(offset, count)| Self { offset, count, strings }))
    }
}

fn symbol_size(tables: &Tables) -> u64 {
    if tables.is_64 { 24 } else { 16 }
}

/// Calls `visit` with the number of each symbol and the symbol, without the empty one at the head.
///
/// # Errors
/// [`Error::Malformed`] when the table lies outside of the file, [`Error::Cancelled`], and what `visit` returns.
pub(super) fn each_symbol(
    source: &dyn ReadAt,
    tables: &Tables,
    table: &SymbolTable,
    context: &Context,
    visit: &mut dyn FnMut(u64, &Sym) -> Result<()>,
) -> Result<()> {
    let size = symbol_size(tables);
    let order = tables.context();
    let mut index = 1;
    while index < table.count {
        context.advance(0)?;
        let count = (table.count - index).min(CHUNK / size);
        let offset = table.offset.saturating_add(index.saturating_mul(size));
        let bytes = source.bytes(offset, count * size)?;
        for number in 0..count {
            let symbol = bytes
                .pread_with::<Sym>((number * size) as usize, order)
                .map_err(|error| Error::malformed(source.path(), offset + number * size, error.to_string()))?;
            visit(index + number, &symbol)?;
        }
        index += count;
    }
    Ok(())
}
