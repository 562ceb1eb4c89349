//! The dynamic section, entry by entry, and the strings that it names.

use super::super::item::Item;
use super::super::layout::Layout;
use super::fields::{Shape, text_in};
use crate::engine::binary::elf::{FilterKind, Tables};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, tag_to_str};

/// More entries than this are not told one by one.
const MOST_ENTRIES: u64 = 4096;

/// Adds the dynamic entries to `layout`, whose strings lie at `strings` (offset and size).
pub fn add(source: &dyn ReadAt, tables: &Tables, strings: Option<(u64, u64)>, layout: &mut Layout) {
    let Some((offset, size)) = tables.dynamic_range else { return };
    let entry = 2 * Shape::of(tables).address();
    let mut needed = 0;
    for number in 0..(size / entry).min(MOST_ENTRIES) {
        let name = format!("dynamic entry {number}");
        let found = usize::try_from(number).ok().and_then(|number| tables.dynamic.get(number));
        let Some(found) = found else {
            // What stands behind the terminator is seen by nobody.
            layout.item(Class::Dynamic, offset + number * entry, entry, name, "DT_NULL");
            continue;
        };
        let tag = tag_name(found.d_tag);
        let is_string = matches!(found.d_tag, DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH)
            || FilterKind::of_tag(found.d_tag).is_some();
        let mut item =
            Item::new(Class::Dynamic, offset + number * entry, entry, name, format!("{tag} {:#x}", found.d_val));
        if is_string {
            let text = text_in(source, strings, found.d_val);
            let text = text.unwrap_or_else(|| format!("no string at {:#x}", found.d_val));
            item.value = format!("{tag} {text}");
            item = item.raw(found.d_val);
            let mut owner = tag.trim_start_matches("DT_").to_owned();
            if found.d_tag == DT_NEEDED {
                needed += 1;
                owner = format!("NEEDED {needed}");
            }
            if let Some((start, _)) = strings {
                layout.owner(start.saturating_add(found.d_val), owner);
            }
        }
        layout.add_item(item);
    }
}

/// The tag's name, or its number.
/// The tag's name, or its number.
#[must_use]
pub fn tag_name(tag: u64) -> String {
    match tag_to_str(tag) {
        "UNKNOWN_TAG" => format!("tag {tag:#x}"),
        name => name.to_owned(),
    }
}
