//! Relocations, read one by one when they are asked for (gABI 4, "Relocation"; RELR: gABI 4, "Relative Relocation Table").

use super::super::item::{Entries, Item};
use super::fields::{ADDRESS, Field, Shape};
use super::symbols::SymbolTable;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use goblin::elf::reloc::r_to_str;

const REL: [Field; 2] = [("r_offset", ADDRESS), ("r_info", ADDRESS)];
const RELA: [Field; 3] = [("r_offset", ADDRESS), ("r_info", ADDRESS), ("r_addend", ADDRESS)];

/// Whether relocations carry their addends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addends {
    /// `Elf_Rela`.
    Explicit,
    /// `Elf_Rel`.
    Implicit,
}

/// A table of relocations.
#[derive(Debug)]
pub struct Relocations {
    /// The file's class and byte order.
    pub shape: Shape,
    /// `e_machine`.
    pub machine: u16,
    /// Whether they carry their addends.
    pub addends: Addends,
    /// The symbols that they name.
    pub symbols: Option<SymbolTable>,
}

impl Relocations {
    fn fields(&self) -> &'static [Field] {
        if self.addends == Addends::Explicit { &RELA } else { &REL }
    }

    /// The size of a relocation in bytes.
    #[must_use]
    pub fn entry_size(&self) -> u64 {
        self.shape.size(self.fields())
    }

    fn kind(&self, info: u64) -> (String, u64) {
        let (kind, symbol) = if self.shape.is_64 { (info & 0xffff_ffff, info >> 32) } else { (info & 0xff, info >> 8) };
        let name = u32::try_from(kind).map_or("R_UNKNOWN", |kind| r_to_str(kind, self.machine));
        let name = match name {
            unknown if unknown.contains("UNKNOWN") => format!("type {kind:#x}"),
            whole if whole.starts_with("R_") => whole.to_owned(),
            short => format!("R_{short}"),
        };
        (name, symbol)
    }
}

impl Entries for Relocations {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let width = self.shape.address();
        let (kind, _) = self.kind(self.shape.number_at(source, offset.saturating_add(width), width)?);
        let say = |field: &str, value: u64| match field {
            "r_info" => {
                let (kind, symbol) = self.kind(value);
                let symbols = self.symbols.filter(|_| symbol != 0);
                Some(symbols.map_or(kind.clone(), |table| format!("{kind} of {}", table.called(source, symbol))))
            }
            // Addends are signed.
            "r_addend" if width == 8 && value >> 63 == 1 => Some(format!("-{:#x}", value.wrapping_neg())),
            "r_addend" if width == 4 && value >> 31 == 1 => Some(format!("-{:#x}", 0x1_0000_0000 - value)),
            _ => None,
        };
        self.shape.items(
            source,
            offset,
            (Class::Relocation, &format!("relocation {number} {kind}")),
            self.fields(),
            &say,
        )
    }
}

/// `.relr.dyn`: addresses, each followed by maps of the words behind it that are relocated too.
#[derive(Debug)]
pub struct Relative(pub Shape);

impl Entries for Relative {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let width = self.0.address();
        let value = self.0.number_at(source, offset, width)?;
        let kind = if value & 1 == 1 { "bitmap" } else { "address" };
        let name = format!("relative relocations {number}");
        Ok(vec![Item::new(Class::Relocation, offset, width, name, format!("{kind} {value:#x}"))])
    }
}
