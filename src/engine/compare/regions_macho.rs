//! What lies where in a Mach-O file: the table of architectures, load commands, sections and the parts of `__LINKEDIT`.

use super::layout::{Layer, Layout};
use crate::engine::Result;
use crate::engine::binary::macho::{Command, Image, command_name, kind, places, segments};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// Parts of `__LINKEDIT` that a load command names by offset and size: command, field, class, part.
const LINKEDIT_PARTS: [(u32, u64, Class, &str); 17] = [
    (kind::LC_DYLD_INFO_ONLY, 8, Class::Relocation, "rebase information"),
    (kind::LC_DYLD_INFO_ONLY, 16, Class::Import, "binding information"),
    (kind::LC_DYLD_INFO_ONLY, 24, Class::Import, "weak binding information"),
    (kind::LC_DYLD_INFO_ONLY, 32, Class::Import, "lazy binding information"),
    (kind::LC_DYLD_INFO_ONLY, 40, Class::Export, "export trie"),
    (kind::LC_DYLD_INFO, 8, Class::Relocation, "rebase information"),
    (kind::LC_DYLD_INFO, 16, Class::Import, "binding information"),
    (kind::LC_DYLD_INFO, 24, Class::Import, "weak binding information"),
    (kind::LC_DYLD_INFO, 32, Class::Import, "lazy binding information"),
    (kind::LC_DYLD_INFO, 40, Class::Export, "export trie"),
    (kind::LC_DYLD_EXPORTS_TRIE, 8, Class::Export, "export trie"),
    (kind::LC_DYLD_CHAINED_FIXUPS, 8, Class::Relocation, "chained fixups"),
    (kind::LC_FUNCTION_STARTS, 8, Class::Other, "function starts"),
    (kind::LC_DATA_IN_CODE, 8, Class::Other, "data in code"),
    (kind::LC_SEGMENT_SPLIT_INFO, 8, Class::Other, "segment split information"),
    (kind::LC_LINKER_OPTIMIZATION_HINT, 8, Class::Other, "linker optimization hints"),
    (kind::LC_CODE_SIGNATURE, 8, Class::Signature, "code signature"),
];
/// The header's fields behind `magic`.
const HEADER_FIELDS: [&str; 6] = ["cputype", "cpusubtype", "filetype", "ncmds", "sizeofcmds", "flags"];

/// The layout of the Mach-O file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table lies outside of its image.
pub fn layout(source: &dyn ReadAt) -> Result<Layout> {
    let places = places(source)?;
    let mut layout = Layout::default();
    let thin = places.first().is_some_and(|place| place.offset == 0);
    if !thin {
        let end = places.iter().map(|place| place.offset).min().unwrap_or(0);
        layout.region(Layer::Table, Class::Header, 0, end, "universal header");
    }
    for (number, place) in places.into_iter().enumerate() {
        let prefix = if thin { String::new() } else { format!("image {number}: ") };
        image(source, &Image::read(source, place)?, &prefix, &mut layout)?;
    }
    Ok(layout.ordered())
}

fn image(source: &dyn ReadAt, image: &Image<'_>, prefix: &str, layout: &mut Layout) -> Result<()> {
    let start = image.place.offset;
    layout.region(Layer::Table, Class::Header, start, image.header_size, format!("{prefix}Mach-O header"));
    let header = image.record(source, 0, image.header_size)?;
    for (number, field) in HEADER_FIELDS.iter().enumerate() {
        let at = 4 + number as u64 * 4;
        layout.item(
            Class::Header,
            start + at,
            4,
            format!("{prefix}header {field}"),
            format!("{:#x}", header.word(at)?),
        );
    }
    let mut segment_list = segments(image)?.into_iter();
    for (number, command) in image.commands.iter().enumerate() {
        let size = command.record.as_bytes().len() as u64;
        let name = format!("{prefix}load command {number}");
        let kind = command_name(command.kind);
        layout.region(Layer::Table, Class::LoadCommand, command.record.offset(), size, format!("{name} ({kind})"));
        let said = match command.kind {
            kind::LC_SEGMENT | kind::LC_SEGMENT_64 => {
                segment_list.next().map(|segment| segment.name.to_string()).unwrap_or_default()
            }
            _ => said_by(command)?,
        };
        layout.item(Class::LoadCommand, command.record.offset(), size, name, format!("{kind} {said}").trim_end());
    }
    for segment in segments(image)? {
        let at = start.saturating_add(segment.offset);
        layout.region(Layer::Segment, Class::Padding, at, segment.file_size, format!("{prefix}{}", segment.name));
        for section in segment.sections.iter().filter(|section| section.offset != 0) {
            let at = start.saturating_add(section.offset);
            layout.region(Layer::Section, Class::Data, at, section.size, format!("{prefix}{}", section.name));
        }
    }
    linkedit(image, prefix, layout)
}

/// What a load command says beside its kind, in words.
fn said_by(command: &Command<'_>) -> Result<String> {
    Ok(match command.kind {
        kind::LC_RPATH | kind::LC_LOAD_DYLINKER => command.text(8)?.to_string(),
        kind::LC_UUID => command.record.as_bytes().iter().skip(8).map(|byte| format!("{byte:02x}")).collect(),
        kind::LC_CODE_SIGNATURE => format!("{:#x} bytes at {:#x}", command.record.word(12)?, command.record.word(8)?),
        _ => command.library()?.map(|name| name.to_string()).unwrap_or_default(),
    })
}

fn linkedit(image: &Image<'_>, prefix: &str, layout: &mut Layout) -> Result<()> {
    let start = image.place.offset;
    for (kind, field, class, part) in LINKEDIT_PARTS {
        for command in image.commands.iter().filter(|command| command.kind == kind) {
            let (offset, size) = (u64::from(command.record.word(field)?), u64::from(command.record.word(field + 4)?));
            layout.region(Layer::Table, class, start + offset, size, format!("{prefix}{part}"));
        }
    }
    let entry = if image.is_64 { 16 } else { 12 };
    if let Some(command) = image.command(kind::LC_SYMTAB) {
        let field = |at| command.record.word(at).map(u64::from);
        layout.region(
            Layer::Table,
            Class::Symbol,
            start + field(8)?,
            field(12)? * entry,
            format!("{prefix}symbol table"),
        );
        layout.strings(Layer::Table, start + field(16)?, field(20)?, format!("{prefix}string table"));
    }
    if let Some(command) = image.command(kind::LC_DYSYMTAB) {
        let (offset, count) = (u64::from(command.record.word(56)?), u64::from(command.record.word(60)?));
        layout.region(Layer::Table, Class::Symbol, start + offset, count * 4, format!("{prefix}indirect symbol table"));
    }
    Ok(())
}
