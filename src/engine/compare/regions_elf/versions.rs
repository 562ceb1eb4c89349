//! The versions that a file asks for and those that it defines, field by field (LSB, "Symbol Versioning").

use super::super::layout::Layout;
use super::fields::{Field, Shape, text_in};
use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use goblin::elf::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM};

/// More records than this are not told one by one.
const MOST_RECORDS: u64 = 4096;
const VERNEED: [Field; 5] = [("vn_version", 2), ("vn_cnt", 2), ("vn_file", 4), ("vn_aux", 4), ("vn_next", 4)];
const VERNAUX: [Field; 5] = [("vna_hash", 4), ("vna_flags", 2), ("vna_other", 2), ("vna_name", 4), ("vna_next", 4)];
const VERDEF: [Field; 7] =
    [("vd_version", 2), ("vd_flags", 2), ("vd_ndx", 2), ("vd_cnt", 2), ("vd_hash", 4), ("vd_aux", 4), ("vd_next", 4)];
const VERDAUX: [Field; 2] = [("vda_name", 4), ("vda_next", 4)];

/// The two kinds of lists: their names, where the fields that lead on stand, and which of them name strings.
struct List {
    tag: u64,
    count: u64,
    head: (&'static str, &'static [Field]),
    entry: (&'static str, &'static [Field]),
    /// Places in the head: the number of entries, the distance to the first, the distance to the next head.
    places: (u64, u64, u64),
    /// The place in an entry of the distance to the next.
    next: u64,
    /// The fields that are names, with who then names the string.
    names: [(&'static str, &'static str); 2],
}

const NEEDS: List = List {
    tag: DT_VERNEED,
    count: DT_VERNEEDNUM,
    head: ("needed versions", &VERNEED),
    entry: ("needed version", &VERNAUX),
    places: (2, 8, 12),
    next: 12,
    names: [("vn_file", "library of needed versions"), ("vna_name", "needed version")],
};
const DEFINITIONS: List = List {
    tag: DT_VERDEF,
    count: DT_VERDEFNUM,
    head: ("version definition", &VERDEF),
    entry: ("name of version definition", &VERDAUX),
    places: (6, 12, 16),
    next: 4,
    names: [("vda_name", "version definition"), ("", "")],
};

/// Where the records of a list begin and end.
pub type Extent = Option<(u64, u64)>;

/// Adds both lists to `layout`, whose names lie at `strings` (offset and size); where each lies, as far as it was read.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a record lies outside of the file.
pub fn add(
    source: &dyn ReadAt,
    tables: &Tables,
    strings: Option<(u64, u64)>,
    layout: &mut Layout,
) -> Result<[Extent; 2]> {
    Ok([list(source, tables, strings, &NEEDS, layout)?, list(source, tables, strings, &DEFINITIONS, layout)?])
}

fn list(
    source: &dyn ReadAt,
    tables: &Tables,
    strings: Option<(u64, u64)>,
    list: &List,
    layout: &mut Layout,
) -> Result<Extent> {
    let place = tables.dynamic_value(list.tag).and_then(|address| tables.file_offset(address));
    let Some((start, _)) = place else { return Ok(None) };
    let shape = Shape::of(tables);
    let (mut at, mut end, mut left, mut number) = (start, start, MOST_RECORDS, 0);
    for head in 0..tables.dynamic_value(list.count).unwrap_or(0) {
        let fields = list.head.1;
        record(source, shape, at, (format!("{} {head}", list.head.0), fields), (list, strings), layout)?;
        end = end.max(at.saturating_add(shape.size(fields)));
        let found = shape.record(source, at, shape.size(fields))?;
        let (count, first, next) = list.places;
        let mut aux = at.saturating_add(u64::from(found.word(first)?));
        for _ in 0..found.half(count)? {
            left = left.saturating_sub(1);
            if left == 0 {
                return Ok(Some((start, end)));
            }
            let fields = list.entry.1;
            record(source, shape, aux, (format!("{} {number}", list.entry.0), fields), (list, strings), layout)?;
            end = end.max(aux.saturating_add(shape.size(fields)));
            number += 1;
            match shape.number_at(source, aux.saturating_add(list.next), 4)? {
                0 => break,
                next => aux = aux.saturating_add(next),
            }
        }
        left = left.saturating_sub(1);
        match found.word(next)? {
            0 => break,
            _ if left == 0 => break,
            next => at = at.saturating_add(u64::from(next)),
        }
    }
    Ok(Some((start, end)))
}

fn record(
    source: &dyn ReadAt,
    shape: Shape,
    at: u64,
    (name, fields): (String, &[Field]),
    (list, strings): (&List, Option<(u64, u64)>),
    layout: &mut Layout,
) -> Result<()> {
    let owner = |field: &str| list.names.iter().find(|(name, _)| *name == field).map(|(_, owner)| *owner);
    let say = |field: &str, value: u64| owner(field).and_then(|_| text_in(source, strings, value));
    for item in shape.items(source, at, (Class::Version, &name), fields, &say)? {
        if let (Some(owner), Some((start, _))) = (owner(item.field), strings) {
            let index = shape.number_at(source, item.start, 4)?;
            layout.owner(start.saturating_add(index), owner);
        }
        layout.add_item(item);
    }
    Ok(())
}
