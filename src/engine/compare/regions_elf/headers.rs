//! The ELF header, the program headers and the section headers, field by field (gABI chapters 4 and 5).

use super::super::item::{Entries, Item};
use super::super::layout::{Layer, Layout};
use super::fields::{ADDRESS, Field, Shape, name_in, plain};
use super::segment_type;
use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use goblin::elf::section_header::sht_to_str;

/// The fields behind `e_ident`.
const HEADER: [Field; 13] = [
    ("e_type", 2),
    ("e_machine", 2),
    ("e_version", 4),
    ("e_entry", ADDRESS),
    ("e_phoff", ADDRESS),
    ("e_shoff", ADDRESS),
    ("e_flags", 4),
    ("e_ehsize", 2),
    ("e_phentsize", 2),
    ("e_phnum", 2),
    ("e_shentsize", 2),
    ("e_shnum", 2),
    ("e_shstrndx", 2),
];
/// The bytes of `e_ident`.
const IDENT: [(&str, u64, u64); 7] = [
    ("EI_MAG", 0, 4),
    ("EI_CLASS", 4, 1),
    ("EI_DATA", 5, 1),
    ("EI_VERSION", 6, 1),
    ("EI_OSABI", 7, 1),
    ("EI_ABIVERSION", 8, 1),
    ("EI_PAD", 9, 7),
];
const SEGMENT_64: [Field; 8] = [
    ("p_type", 4),
    ("p_flags", 4),
    ("p_offset", ADDRESS),
    ("p_vaddr", ADDRESS),
    ("p_paddr", ADDRESS),
    ("p_filesz", ADDRESS),
    ("p_memsz", ADDRESS),
    ("p_align", ADDRESS),
];
const SEGMENT_32: [Field; 8] = [
    ("p_type", 4),
    ("p_offset", 4),
    ("p_vaddr", 4),
    ("p_paddr", 4),
    ("p_filesz", 4),
    ("p_memsz", 4),
    ("p_flags", 4),
    ("p_align", 4),
];
const SECTION: [Field; 10] = [
    ("sh_name", 4),
    ("sh_type", 4),
    ("sh_flags", ADDRESS),
    ("sh_addr", ADDRESS),
    ("sh_offset", ADDRESS),
    ("sh_size", ADDRESS),
    ("sh_link", 4),
    ("sh_info", 4),
    ("sh_addralign", ADDRESS),
    ("sh_entsize", ADDRESS),
];

/// The program headers.
#[derive(Debug)]
struct Segments(Shape);

impl Entries for Segments {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let kind = |number: u64| segment_type(u32::try_from(number).unwrap_or(u32::MAX));
        let name = format!("program header {number} ({})", kind(self.0.number_at(source, offset, 4)?));
        let fields = if self.0.is_64 { &SEGMENT_64 } else { &SEGMENT_32 };
        let say = |field: &str, number| (field == "p_type").then(|| kind(number));
        self.0.items(source, offset, (Class::ProgramHeader, &name), fields, &say)
    }
}

/// The section headers, with the place of their names.
#[derive(Debug)]
struct Sections {
    shape: Shape,
    names: Option<(u64, u64)>,
}

impl Entries for Sections {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let index = self.shape.number_at(source, offset, 4)?;
        let name = format!("section header {number} ({})", name_in(source, self.names, index));
        let say = |field: &str, number: u64| {
            let kind = u32::try_from(number).ok().filter(|_| field == "sh_type").map(sht_to_str);
            kind.filter(|name| !name.starts_with("UNKNOWN")).map(str::to_owned)
        };
        self.shape.items(source, offset, (Class::SectionHeader, &name), &SECTION, &say)
    }
}

/// Adds the headers to `layout`; `names` is the place of the section names.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file ends within its header.
pub fn add(source: &dyn ReadAt, tables: &Tables, names: Option<(u64, u64)>, layout: &mut Layout) -> Result<()> {
    let (header, shape) = (&tables.header, Shape::of(tables));
    let size = 16 + shape.size(&HEADER);
    layout.region(Layer::Table, Class::Header, 0, size.min(source.size()), "ELF header");
    for (field, at, size) in IDENT {
        let bytes = source.bytes(at, size)?;
        let value: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        layout.add_item(Item::new(Class::Header, at, size, "ELF header", value).field(field));
    }
    for item in shape.items(source, 16, (Class::Header, "ELF header"), &HEADER, &plain)? {
        layout.add_item(item);
    }
    let entry = u64::from(header.e_phentsize);
    let size = entry.saturating_mul(tables.segments.len() as u64);
    layout.region(Layer::Table, Class::ProgramHeader, header.e_phoff, size, "program headers");
    layout.table(header.e_phoff, size, entry, Box::new(Segments(shape)));
    let entry = u64::from(header.e_shentsize);
    let size = entry.saturating_mul(tables.sections.len() as u64);
    layout.region(Layer::Table, Class::SectionHeader, header.e_shoff, size, "section headers");
    layout.table(header.e_shoff, size, entry, Box::new(Sections { shape, names }));
    Ok(())
}
