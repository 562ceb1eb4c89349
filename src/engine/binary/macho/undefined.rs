//! The symbols that a Mach-O image takes from libraries, with the library of each by two-level naming (`mach-o/nlist.h`).

use super::commands::{Image, kind};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;

/// Bytes of the table that are read at once.
const CHUNK: u64 = 1 << 20;
/// `N_STAB` and `N_TYPE` of `n_type`: a symbol with neither is undefined.
const STAB_OR_TYPE: u8 = 0xe0 | 0x0e;

/// Those of the symbols `wanted`, named without the leading underscore, that `image` leaves undefined, each with the install
/// name of its library where the image says so; in the table's order.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the symbol table leads out of the image, [`crate::engine::Error::Io`].
pub fn undefined(source: &dyn ReadAt, image: &Image<'_>, wanted: &[&str]) -> Result<Vec<(String, Option<Name>)>> {
    let Some(command) = image.command(kind::LC_SYMTAB) else { return Ok(Vec::new()) };
    // symtab_command: cmd, cmdsize, symoff, nsyms, stroff, strsize.
    let word = |at| command.record.word(at).map(u64::from);
    let (table, mut count, strings, size) = (word(8)?, word(12)?, word(16)?, word(20)?);
    let mut first = 0;
    if let Some(dynamic) = image.command(kind::LC_DYSYMTAB) {
        // dysymtab_command: the seventh and eighth word say which symbols are undefined.
        let range = (u64::from(dynamic.record.word(24)?), u64::from(dynamic.record.word(28)?));
        first = range.0.min(count);
        count = range.1.min(count - first);
    }
    let entry = if image.is_64 { 16 } else { 12 };
    let longest = wanted.iter().map(|name| name.len()).max().unwrap_or(0) as u64 + 2;
    let libraries = libraries(image)?;
    let (mut found, mut done) = (Vec::new(), 0);
    while done < count {
        let some = (count - done).min(CHUNK / entry);
        let symbols = image.record(source, table + (first + done) * entry, some * entry)?;
        for number in 0..some {
            let at = number * entry;
            let name = u64::from(symbols.word(at)?);
            if symbols.byte(at + 4)? & STAB_OR_TYPE != 0 || name == 0 || name >= size {
                continue;
            }
            let text = image.record(source, strings.saturating_add(name), longest.min(size - name));
            let Some(name) = text.ok().and_then(|text| wanted_name(&text, wanted)) else { continue };
            let ordinal = usize::from(symbols.half(at + 6)? >> 8);
            // 0 is the image itself; 254 and 255, looked up anywhere or in the program, are beyond any list.
            let library = ordinal.checked_sub(1).and_then(|index| libraries.get(index)).cloned();
            found.push((name.to_owned(), library));
        }
        done += some;
    }
    Ok(found)
}

fn wanted_name<'w>(text: &Record<'_>, wanted: &[&'w str]) -> Option<&'w str> {
    let text = text.as_bytes();
    let end = text.iter().position(|byte| *byte == 0)?;
    let name = text.get(..end)?.strip_prefix(b"_")?;
    wanted.iter().find(|wanted| wanted.as_bytes() == name).copied()
}

/// The libraries by their ordinals, from 1; of two-level naming there are at most 253.
fn libraries(image: &Image<'_>) -> Result<Vec<Name>> {
    let mut found = Vec::new();
    for command in image.commands.iter().filter(|command| command.kind != kind::LC_ID_DYLIB) {
        if found.len() < 253 {
            found.extend(command.library()?);
        }
    }
    Ok(found)
}
