//! Section headers that an editor wrote on its way and left behind: patchelf, asked for several things in one call, moves the
//! table once for each. Nothing leads to such a copy any more; its rows are known by the sections that they describe.

use super::claims::Claims;
use super::object::Object;
use crate::engine::Result;
use crate::engine::binary::elf::Section;
use scroll::Pread;

/// Copies of tables are looked for in this many bytes between sections.
const MOST_SEARCHED: u64 = 4 << 20;
/// Tables stand at multiples of this.
const STEP: u64 = 8;

/// Says of rows that stand between the sections of `new`, and describe a section of both files, that `causes` left them.
///
/// # Errors
/// When the file can't be read.
pub fn rows(old: &Object<'_>, new: &Object<'_>, causes: &[usize], claims: &mut Claims) -> Result<()> {
    let entry = u64::from(new.tables.header.e_shentsize);
    let mut left = MOST_SEARCHED;
    for (start, end) in new.gaps() {
        let from = start.next_multiple_of(STEP);
        let length = end.saturating_sub(from).min(left);
        if length < entry || entry == 0 {
            continue;
        }
        left -= length;
        let bytes = new.source.bytes(from, length)?;
        let mut at = 0;
        while at + entry <= length {
            let row =
                usize::try_from(at).ok().and_then(|at| bytes.pread_with::<Section>(at, new.tables.context()).ok());
            if row.is_some_and(|row| describes(&row, old) && describes(&row, new)) {
                claims.add(from + at, entry, causes);
                at += entry;
            } else {
                at += STEP;
            }
        }
    }
    Ok(())
}

/// Whether `row` is of a section of `object`: all but its place and its size.
fn describes(row: &Section, object: &Object<'_>) -> bool {
    row.sh_type != 0
        && object.tables.sections.iter().any(|section| {
            row.sh_name == section.sh_name
                && row.sh_type == section.sh_type
                && row.sh_flags == section.sh_flags
                && row.sh_entsize == section.sh_entsize
        })
}
