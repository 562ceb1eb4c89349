//! The layout of a file without section headers: what its dynamic section and its segments lead to.
//!
//! The parts carry the names that they have as sections, so that a file that was stripped of its section headers can be set
//! against one that was not.

use super::fields::Shape;
use super::functions::Functions;
use super::hash::{self, Until};
use super::pointers::{self, Addresses, Pointers};
use super::relocations::{Addends, Relative, Relocations};
use super::symbols::{SymbolTable, SymbolVersions};
use super::versions::Extent;
use super::{notes, readable, segment_type};
use crate::engine::Result;
use crate::engine::binary::elf::{Symbols, Tables, VersionTable, hash_word};
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use goblin::elf::dynamic::{
    DT_FINI_ARRAY, DT_FINI_ARRAYSZ, DT_GNU_HASH, DT_HASH, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_JMPREL, DT_PLTREL,
    DT_PLTRELSZ, DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ, DT_VERSYM,
};
use goblin::elf::program_header::{PF_X, PT_GNU_EH_FRAME, PT_INTERP, PT_LOAD, PT_NOTE};
use std::sync::Arc;

/// `DT_RELRSZ` and `DT_RELR` (gABI).
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;

/// Adds what the dynamic section of `tables` and the segments lead to; `names` is the place of the dynamic strings.
///
/// # Errors
/// [`crate::engine::Error::Io`].
pub fn add(
    source: &dyn ReadAt,
    tables: &Tables,
    names: Option<(u64, u64)>,
    versions: [Extent; 2],
    layout: &mut Layout,
) -> Result<()> {
    let mut section = |class, offset: u64, size, name: &str| layout.region(Layer::Section, class, offset, size, name);
    if let Some((offset, size)) = tables.dynamic_range {
        section(Class::Dynamic, offset, size, ".dynamic");
    }
    for ((start, end), name) in versions.into_iter().flatten().zip([".gnu.version_r", ".gnu.version_d"]) {
        section(Class::Version, start, end - start, name);
    }
    if let Some((offset, size)) = names {
        layout.strings(Layer::Section, offset, size, ".dynstr");
    }
    let addresses = segments(source, tables, layout)?;
    let shape = Shape::of(tables);
    let found = readable(Symbols::open(source, tables).and_then(|symbols| symbols.table()))?.flatten();
    let symbols = found.map(|(offset, count)| {
        let size = count.saturating_mul(tables.symbol_size());
        (SymbolTable { shape, offset, size, strings: names }, count)
    });
    if let Some((table, count)) = symbols {
        layout.region(Layer::Section, Class::Symbol, table.offset, table.size, ".dynsym");
        layout.table(table.offset, table.size, table.entry_size(), Box::new(table));
        let numbered = readable(VersionTable::read(source, tables))?.unwrap_or_default();
        if let Some(offset) = place(tables, DT_VERSYM) {
            let versions = SymbolVersions { shape, symbols: Some(table), versions: Arc::new(numbered) };
            layout.region(Layer::Section, Class::Version, offset, count.saturating_mul(2), ".gnu.version");
            layout.table(offset, count.saturating_mul(2), 2, Box::new(versions));
        }
    }
    let table = symbols.map(|(table, _)| table);
    layout.symbols(Box::new(Functions::new(tables, table)));
    if let Some(offset) = place(tables, DT_HASH) {
        let size = readable(hash::add_sysv(source, (shape, hash_word(tables)), offset, table, layout))?;
        layout.region(Layer::Section, Class::Hash, offset, size.unwrap_or_default(), ".hash");
    }
    if let Some(offset) = place(tables, DT_GNU_HASH) {
        let until = Until::Symbols(symbols.map_or(0, |(_, count)| count));
        let size = readable(hash::add_gnu(source, shape, offset, (table, until), layout))?;
        layout.region(Layer::Section, Class::Hash, offset, size.unwrap_or_default(), ".gnu.hash");
    }
    relocations(tables, table, layout);
    for (tag, size, called, name) in [
        (DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "initializer", ".init_array"),
        (DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "finalizer", ".fini_array"),
        (DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, "pre-initializer", ".preinit_array"),
    ] {
        if let Some((offset, size)) = place(tables, tag).zip(tables.dynamic_value(size)) {
            layout.region(Layer::Section, Class::Data, offset, size, name);
            let table = Pointers { shape, called, addresses: Arc::clone(&addresses) };
            layout.table(offset, size, shape.address(), Box::new(table));
        }
    }
    Ok(())
}

/// The offset of what the dynamic entry `tag` leads to.
fn place(tables: &Tables, tag: u64) -> Option<u64> {
    tables.dynamic_value(tag).and_then(|address| tables.file_offset(address)).map(|(offset, _)| offset)
}

/// Adds what the segments name; where they are loaded.
fn segments(source: &dyn ReadAt, tables: &Tables, layout: &mut Layout) -> Result<Arc<Addresses>> {
    let shape = Shape::of(tables);
    let name = |number, kind| format!("segment {number} ({})", segment_type(kind));
    let loads = tables.segments.iter().enumerate().filter(|(_, segment)| segment.p_type == PT_LOAD);
    let list = loads.map(|(number, segment)| {
        (segment.p_vaddr, segment.p_vaddr.saturating_add(segment.p_memsz), name(number, segment.p_type))
    });
    let addresses = Arc::new(Addresses::new(list.collect()));
    for (number, segment) in tables.segments.iter().enumerate() {
        let (offset, size) = (segment.p_offset, segment.p_filesz);
        match segment.p_type {
            PT_INTERP => layout.region(Layer::Section, Class::Interpreter, offset, size, ".interp"),
            PT_NOTE => {
                readable(notes::add(source, shape, (offset, size, segment.p_align), layout))?;
                layout.region(Layer::Section, Class::Note, offset, size, format!("notes of segment {number}"));
            }
            PT_GNU_EH_FRAME => {
                layout.region(Layer::Section, Class::Unwind, offset, size, ".eh_frame_hdr");
                let place = (offset, size, segment.p_vaddr);
                readable(pointers::add_frame_header(source, shape, place, &addresses, layout))?;
            }
            PT_LOAD => {
                let class = if segment.p_flags & PF_X == 0 { Class::Data } else { Class::Code };
                // Nothing finer is known of what no dynamic entry leads to.
                layout.region(Layer::Section, class, offset, size, name(number, segment.p_type));
            }
            _ => {}
        }
    }
    Ok(addresses)
}

fn relocations(tables: &Tables, symbols: Option<SymbolTable>, layout: &mut Layout) {
    let shape = Shape::of(tables);
    let explicit = tables.dynamic_value(DT_PLTREL) == Some(DT_RELA);
    let of_plt = if explicit { (Addends::Explicit, ".rela.plt") } else { (Addends::Implicit, ".rel.plt") };
    for (tag, size, (addends, name)) in [
        (DT_RELA, DT_RELASZ, (Addends::Explicit, ".rela.dyn")),
        (DT_REL, DT_RELSZ, (Addends::Implicit, ".rel.dyn")),
        (DT_JMPREL, DT_PLTRELSZ, of_plt),
    ] {
        if let Some((offset, size)) = place(tables, tag).zip(tables.dynamic_value(size)) {
            let table = Relocations { shape, machine: tables.header.e_machine, addends, symbols };
            layout.region(Layer::Section, Class::Relocation, offset, size, name);
            layout.table(offset, size, table.entry_size(), Box::new(table));
        }
    }
    if let Some((offset, size)) = place(tables, DT_RELR).zip(tables.dynamic_value(DT_RELRSZ)) {
        layout.region(Layer::Section, Class::Relocation, offset, size, ".relr.dyn");
        layout.table(offset, size, shape.address(), Box::new(Relative(shape)));
    }
}
