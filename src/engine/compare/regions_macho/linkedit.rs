//! The parts of `__LINKEDIT` that load commands name by offset and size.

use super::symbols::{Symbols, shown};
use super::{fixups, opcodes, signature, trie};
use crate::engine::binary::macho::{Image, kind};
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Decoded, Fields, Records};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use crate::engine::{Error, Result};
use std::sync::Arc;

/// What a part is made of.
#[derive(Clone, Copy)]
enum Made {
    Rebases,
    Bindings,
    Trie,
    Fixups,
    Starts,
    DataInCode,
    Signature,
    Bytes,
}

/// Command, where its offset and size stand, class, what it is made of, name.
const PARTS: [(u32, u64, Class, Made, &str); 18] = [
    (kind::LC_DYLD_INFO_ONLY, 8, Class::Relocation, Made::Rebases, "rebase information"),
    (kind::LC_DYLD_INFO_ONLY, 16, Class::Import, Made::Bindings, "binding information"),
    (kind::LC_DYLD_INFO_ONLY, 24, Class::Import, Made::Bindings, "weak binding information"),
    (kind::LC_DYLD_INFO_ONLY, 32, Class::Import, Made::Bindings, "lazy binding information"),
    (kind::LC_DYLD_INFO_ONLY, 40, Class::Export, Made::Trie, "export trie"),
    (kind::LC_DYLD_INFO, 8, Class::Relocation, Made::Rebases, "rebase information"),
    (kind::LC_DYLD_INFO, 16, Class::Import, Made::Bindings, "binding information"),
    (kind::LC_DYLD_INFO, 24, Class::Import, Made::Bindings, "weak binding information"),
    (kind::LC_DYLD_INFO, 32, Class::Import, Made::Bindings, "lazy binding information"),
    (kind::LC_DYLD_INFO, 40, Class::Export, Made::Trie, "export trie"),
    (kind::LC_DYLD_EXPORTS_TRIE, 8, Class::Export, Made::Trie, "export trie"),
    (kind::LC_DYLD_CHAINED_FIXUPS, 8, Class::Relocation, Made::Fixups, "chained fixups"),
    (kind::LC_FUNCTION_STARTS, 8, Class::Other, Made::Starts, "function starts"),
    (kind::LC_DATA_IN_CODE, 8, Class::Other, Made::DataInCode, "data in code"),
    (kind::LC_SEGMENT_SPLIT_INFO, 8, Class::Other, Made::Bytes, "segment split information"),
    (kind::LC_DYLIB_CODE_SIGN_DRS, 8, Class::Signature, Made::Bytes, "signing requirements of the libraries"),
    (kind::LC_LINKER_OPTIMIZATION_HINT, 8, Class::Other, Made::Bytes, "linker optimization hints"),
    (kind::LC_CODE_SIGNATURE, 8, Class::Signature, Made::Signature, "code signature"),
];

/// Adds the parts of `__LINKEDIT` to `layout`. A part that is damaged within is a region still.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn linkedit(
    source: &dyn ReadAt,
    image: &Image<'_>,
    symbols: &Arc<Symbols>,
    prefix: &str,
    layout: &mut Layout,
) -> Result<()> {
    let start = image.place.offset;
    for (kind, field, class, made, part) in PARTS {
        for command in image.commands.iter().filter(|command| command.kind == kind) {
            let (Ok(offset), Ok(size)) = (command.record.word(field), command.record.word(field + 4)) else { continue };
            let (offset, size) = (start.saturating_add(u64::from(offset)), u64::from(size));
            if size == 0 {
                continue;
            }
            let name = format!("{prefix}{part}");
            layout.region(Layer::Table, class, offset, size, name.as_str());
            let told = match made {
                Made::Signature => signature::signature(source, (start, offset, size), prefix, layout),
                Made::Fixups => fixups::fixups(source, image, (offset, size), prefix, layout),
                Made::Rebases | Made::Bindings => {
                    let is_binding = matches!(made, Made::Bindings);
                    layout.on_demand(offset, size, opcodes::teller(name, (offset, size), is_binding));
                    Ok(())
                }
                Made::Trie => {
                    layout.on_demand(offset, size, trie::teller(prefix, (offset, size)));
                    Ok(())
                }
                Made::Starts => {
                    let of = (Arc::clone(symbols), prefix.to_owned(), offset.saturating_add(size));
                    layout.on_demand(offset, size, Box::new(Decoded::new(of, starts)));
                    Ok(())
                }
                Made::DataInCode => {
                    let of = (Arc::clone(symbols), prefix.to_owned());
                    layout.table(offset, size, 8, Box::new(Records { of, each: data_in_code }));
                    Ok(())
                }
                Made::Bytes => Ok(()),
            };
            match told {
                Ok(()) | Err(Error::Malformed { .. }) => {}
                Err(other) => return Err(other),
            }
        }
    }
    tables(symbols, prefix, layout);
    Ok(())
}

/// The symbol table, its strings, and the indirect symbols.
fn tables(symbols: &Arc<Symbols>, prefix: &str, layout: &mut Layout) {
    let ((at, count), entry) = (symbols.table(), symbols.entry());
    layout.region(Layer::Table, Class::Symbol, at, count * entry, format!("{prefix}symbol table"));
    let of = (Arc::clone(symbols), prefix.to_owned());
    layout.table(at, count * entry, entry, Box::new(Records { of, each: symbol }));
    let (at, size) = symbols.strings();
    layout.strings(Layer::Table, at, size, format!("{prefix}string table"));
    let (at, count) = symbols.indirect();
    layout.region(Layer::Table, Class::Symbol, at, count * 4, format!("{prefix}indirect symbol table"));
    let of = (Arc::clone(symbols), prefix.to_owned());
    layout.table(at, count * 4, 4, Box::new(Records { of, each: indirect }));
}

type Of = (Arc<Symbols>, String);

fn symbol((of, prefix): &Of, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    of.tell(source, prefix, number, offset, items)
}

fn indirect((of, prefix): &Of, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let value = of.indirect_name(source, number)?;
    items.push(Item::new(Class::Symbol, offset, 4, format!("{prefix}indirect symbol {number}"), value));
    Ok(())
}

fn data_in_code((of, prefix): &Of, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let record = Record::read(source, offset, 8, of.endian())?;
    let title = format!("{prefix}data in code {number}");
    let told = Fields { class: Class::Other, title: &title, say: |_, _| None };
    told.tell(&record, 0, &[("offset", 4), ("length", 2), ("kind", 2)], items)?;
    Ok(())
}

/// Function starts, each up to the next, with the symbol that stands at the address.
fn starts((of, prefix, end): &(Arc<Symbols>, String, u64), source: &dyn ReadAt, items: &mut Vec<Item>) -> Result<()> {
    let list = of.starts(source)?;
    let ends = list.iter().skip(1).map(|(at, _)| *at).chain(std::iter::once(*end));
    for (number, ((at, address), next)) in list.iter().zip(ends).enumerate() {
        let known = of.at(source, *address, *address).and_then(|found| found.name);
        let name = known.map_or_else(String::new, |name| format!(" ({name})"));
        let value = format!("address {address:#x}{name}");
        items.push(Item::new(Class::Other, *at, next - at, format!("{prefix}function start {number}"), value));
        if items.len() >= crate::engine::compare::tell::MOST_DECODED {
            break;
        }
    }
    Ok(())
}

/// An exported or imported name as it is shown.
pub(super) fn name(text: &[u8]) -> String {
    shown(&crate::engine::binary::Name::new(text))
}
