//! What lies where in an ELF file: headers, symbols, relocations, versions, notes, strings, sections.
//!
//! Nothing here grows with the file: what has many entries of one size becomes a table whose entries are read when they are
//! asked for. A file without section headers is laid out by its dynamic section ([`sectionless`]). A part that is damaged is
//! told by its region alone.

mod dynamic;
mod fields;
mod functions;
mod hash;
mod headers;
pub(super) mod notes;
mod pointers;
mod relocations;
mod sectionless;
mod symbols;
mod versions;

pub use dynamic::tag_name;

use super::layout::{Layer, Layout};
use crate::engine::binary::Name;
use crate::engine::binary::elf::{Section, StringTable, Tables, VersionTable, hash_word};
use crate::engine::binary::record::name_at;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use crate::engine::{Error, Result};
use fields::Shape;
use functions::Functions;
use goblin::elf::program_header::{PT_INTERP, PT_LOAD, pt_to_str};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_STRINGS, SHT_DYNAMIC, SHT_DYNSYM, SHT_FINI_ARRAY, SHT_GNU_HASH, SHT_GNU_VERDEF,
    SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_HASH, SHT_INIT_ARRAY, SHT_NOBITS, SHT_NOTE, SHT_NULL, SHT_PREINIT_ARRAY,
    SHT_REL, SHT_RELA, SHT_STRTAB, SHT_SYMTAB,
};
use hash::Until;
use pointers::{Addresses, Pointers};
use relocations::{Addends, Relative, Relocations};
use std::sync::Arc;
use symbols::{SymbolTable, SymbolVersions};

/// `SHT_RELR` (gABI): relative relocations, packed.
const SHT_RELR: u32 = 19;

/// The layout of the ELF file `source`, whose tables are `tables`.
///
/// # Errors
/// [`Error::Malformed`] when the file ends within its header, [`Error::Io`].
pub fn layout(source: &dyn ReadAt, tables: &Tables) -> Result<Layout> {
    let names = section_names(source, tables);
    let strings = readable(StringTable::of(source, tables))?.and_then(|strings| strings.range);
    let mut layout = Layout::default();
    headers::add(source, tables, name_table(tables), &mut layout)?;
    for (number, segment) in tables.segments.iter().enumerate() {
        let name = format!("segment {number} ({})", segment_type(segment.p_type));
        if segment.p_type == PT_INTERP {
            let path = name_at(source, segment.p_offset, segment.p_offset.saturating_add(segment.p_filesz));
            let path = path.map(|path| path.to_string()).unwrap_or_default();
            layout.item(Class::Interpreter, segment.p_offset, segment.p_filesz, "interpreter", path);
        }
        if segment.p_type == PT_LOAD {
            layout.loaded(segment.p_offset, segment.p_filesz, segment.p_vaddr);
        }
        layout.region(Layer::Segment, Class::Padding, segment.p_offset, segment.p_filesz, name);
    }
    dynamic::add(source, tables, strings, &mut layout);
    let versions = readable(versions::add(source, tables, strings, &mut layout))?.unwrap_or_default();
    if tables.sections.is_empty() {
        sectionless::add(source, tables, strings, versions, &mut layout)?;
        return Ok(layout.ordered());
    }
    layout.symbols(Box::new(Functions::new(tables, None)));
    let contents = Contents::of(source, tables, &names)?;
    for (number, (section, name)) in tables.sections.iter().zip(&names).enumerate() {
        if let Some(start) = name_table(tables).map(|(offset, _)| offset.saturating_add(section.sh_name as u64)) {
            layout.owner(start, format!("name of section {number}"));
        }
        if !has_bytes(section) {
            continue;
        }
        let (offset, size, name) = (section.sh_offset, section.sh_size, name.to_text());
        let class = class(section, &name);
        // Strings of another width are not walked by single NULs.
        let is_strings = section.sh_flags & u64::from(SHF_STRINGS) != 0 && section.sh_entsize <= 1;
        match section.sh_type {
            SHT_STRTAB => layout.strings(Layer::Section, offset, size, name.as_ref()),
            _ if is_strings => layout.strings_of(Layer::Section, class, offset, size, name.as_ref()),
            _ => layout.region(Layer::Section, class, offset, size, name.as_ref()),
        }
        readable(contents.add(source, tables, section, &name, &mut layout))?;
    }
    Ok(layout.ordered())
}

/// What was read; nothing where that part of the file is damaged.
fn readable<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Malformed { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// What the contents of sections lead to.
struct Contents {
    shape: Shape,
    versions: Arc<VersionTable>,
    addresses: Arc<Addresses>,
}

impl Contents {
    fn of(source: &dyn ReadAt, tables: &Tables, names: &[Name]) -> Result<Self> {
        let versions = readable(VersionTable::read(source, tables))?.unwrap_or_default();
        // The sections of an object have no addresses yet.
        let is_loaded = |section: &Section| is_allocated(section) && section.sh_addr != 0;
        let loaded = tables.sections.iter().zip(names).filter(|(section, _)| is_loaded(section));
        let addresses = loaded.map(|(section, name)| {
            let end = section.sh_addr.saturating_add(section.sh_size);
            (section.sh_addr, end, name.to_string())
        });
        Ok(Self {
            shape: Shape::of(tables),
            versions: Arc::new(versions),
            addresses: Arc::new(Addresses::new(addresses.collect())),
        })
    }

    /// Adds the tables and items in `section`, called `name`.
    fn add(
        &self,
        source: &dyn ReadAt,
        tables: &Tables,
        section: &Section,
        name: &str,
        layout: &mut Layout,
    ) -> Result<()> {
        let (shape, offset, size) = (self.shape, section.sh_offset, section.sh_size);
        let linked = || {
            let table = tables.sections.get(section.sh_link as usize)?;
            matches!(table.sh_type, SHT_SYMTAB | SHT_DYNSYM).then(|| symbol_table(tables, table))
        };
        match section.sh_type {
            SHT_SYMTAB | SHT_DYNSYM => {
                let table = symbol_table(tables, section);
                layout.table(offset, size, table.entry_size(), Box::new(table));
            }
            SHT_GNU_VERSYM => {
                let versions = SymbolVersions { shape, symbols: linked(), versions: Arc::clone(&self.versions) };
                layout.table(offset, size, 2, Box::new(versions));
            }
            SHT_REL | SHT_RELA => {
                let addends = if section.sh_type == SHT_RELA { Addends::Explicit } else { Addends::Implicit };
                let machine = tables.header.e_machine;
                let table = Relocations { shape, machine, addends, symbols: linked() };
                layout.table(offset, size, table.entry_size(), Box::new(table));
            }
            SHT_RELR => layout.table(offset, size, shape.address(), Box::new(Relative(shape))),
            SHT_HASH => {
                hash::add_sysv(source, (shape, hash_word(tables)), offset, linked(), layout)?;
            }
            SHT_GNU_HASH => {
                let until = Until::End(offset.saturating_add(size));
                hash::add_gnu(source, shape, offset, (linked(), until), layout)?;
            }
            SHT_NOTE => notes::add(source, shape, (offset, size, section.sh_addralign), layout)?,
            _ if name == ".eh_frame_hdr" => {
                let place = (offset, size, section.sh_addr);
                pointers::add_frame_header(source, shape, place, &self.addresses, layout)?;
            }
            _ if name == ".gnu_debuglink" => pointers::add_debug_link(source, shape, (offset, size), layout)?,
            _ => {
                if let Some(called) = pointers_of(section, name) {
                    let table = Pointers { shape, called, addresses: Arc::clone(&self.addresses) };
                    layout.table(offset, size, shape.address(), Box::new(table));
                }
            }
        }
        Ok(())
    }
}

/// What the addresses are called that the section holds, if it holds nothing else.
fn pointers_of(section: &Section, name: &str) -> Option<&'static str> {
    match section.sh_type {
        SHT_INIT_ARRAY => Some("initializer"),
        SHT_FINI_ARRAY => Some("finalizer"),
        SHT_PREINIT_ARRAY => Some("pre-initializer"),
        _ if matches!(name, ".got" | ".got.plt") => Some("GOT entry"),
        _ => None,
    }
}

fn symbol_table(tables: &Tables, section: &Section) -> SymbolTable {
    let strings = tables.sections.get(section.sh_link as usize).filter(|strings| strings.sh_type == SHT_STRTAB);
    SymbolTable {
        shape: Shape::of(tables),
        offset: section.sh_offset,
        size: section.sh_size,
        strings: strings.map(|strings| (strings.sh_offset, strings.sh_size)),
    }
}

/// Where the section names lie: offset and size.
fn name_table(tables: &Tables) -> Option<(u64, u64)> {
    // gABI SHN_XINDEX: the number stands in the first header's sh_link.
    let number = match tables.header.e_shstrndx {
        0xffff => tables.sections.first().map_or(0, |section| section.sh_link as usize),
        number => usize::from(number),
    };
    let table = tables.sections.get(number).filter(|table| has_bytes(table))?;
    Some((table.sh_offset, table.sh_size))
}

/// The names of all sections; a name that can't be read is empty, and so are those that together are far longer than the
/// table of names: of a garbled file all may lead to one long string.
pub fn section_names(source: &dyn ReadAt, tables: &Tables) -> Vec<Name> {
    let table = name_table(tables);
    let mut left = table.map_or(0, |(_, size)| size.min(source.size()).saturating_mul(4).saturating_add(1 << 20));
    let mut name = |section: &Section| {
        let (offset, size) = table.filter(|_| left > 0)?;
        let name = name_at(source, offset.saturating_add(section.sh_name as u64), offset.saturating_add(size)).ok()?;
        left = left.saturating_sub(name.as_bytes().len() as u64);
        Some(name)
    };
    tables.sections.iter().map(|section| name(section).unwrap_or_default()).collect()
}

/// What kind of bytes the section called `name` holds.
fn class(section: &Section, name: &str) -> Class {
    match section.sh_type {
        SHT_DYNAMIC => Class::Dynamic,
        SHT_DYNSYM | SHT_SYMTAB => Class::Symbol,
        SHT_HASH | SHT_GNU_HASH => Class::Hash,
        SHT_REL | SHT_RELA | SHT_RELR => Class::Relocation,
        SHT_GNU_VERSYM | SHT_GNU_VERNEED | SHT_GNU_VERDEF => Class::Version,
        SHT_NOTE if name == ".note.gnu.build-id" => Class::BuildId,
        SHT_NOTE => Class::Note,
        _ if name == ".interp" => Class::Interpreter,
        _ if section.sh_flags & u64::from(SHF_EXECINSTR) != 0 => Class::Code,
        _ if name.starts_with(".eh_frame") || name == ".gcc_except_table" => Class::Unwind,
        _ if [".debug_", ".zdebug_", ".gnu_debug"].iter().any(|prefix| name.starts_with(prefix)) => Class::Debug,
        _ if is_allocated(section) => Class::Data,
        _ => Class::Other,
    }
}

fn is_allocated(section: &Section) -> bool {
    section.sh_flags & u64::from(SHF_ALLOC) != 0
}

/// Whether the section has bytes in the file.
pub fn has_bytes(section: &Section) -> bool {
    section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL && section.sh_size > 0
}

/// The segment type's name, or its number.
pub fn segment_type(kind: u32) -> String {
    match pt_to_str(kind) {
        "UNKNOWN_PT" => format!("type {kind:#x}"),
        name => name.to_owned(),
    }
}
