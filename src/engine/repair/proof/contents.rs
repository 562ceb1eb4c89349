//! The bytes of a file: every section's are what they were, wherever it stands now, and of what has no section and is
//! loaded only unused zeros are written over.

use super::plan::Laid;
use super::state::State;
use crate::engine::Result;
use crate::engine::binary::elf::Section;
use crate::engine::repair::EditRequest;
use crate::engine::repair::facts::extent;
use crate::engine::repair::records::NEED;
use goblin::elf::dynamic::{DT_PLTGOT, DT_STRSZ, DT_VERNEED, DT_VERSYM};
use goblin::elf::program_header::{PF_X, PT_INTERP};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_NOBITS, SHT_SYMTAB,
};

/// A gap between sections that is not as long as this comes from alignment.
const MOST_GAP: u64 = 64;

/// Which contents of `before` are others in `after`.
pub(super) fn changes(
    before: &State<'_>,
    after: &State<'_>,
    laid: &Laid<'_>,
    requests: &[EditRequest],
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (number, old) in before.tables().sections.iter().enumerate().filter(|(_, section)| section.sh_type != 0) {
        let Some(new) = after.section(number) else { continue };
        let name = before.section_name(number);
        let changes = changed_by_design(before, requests, number, old);
        if described(old) != described(new) {
            faults.push(format!("the header of {name} says something else"));
        }
        if changes == Change::Anything {
            continue;
        }
        if old.sh_type == SHT_NOBITS {
            // What is padding of RELRO may be filled up with bytes from its start on.
            let ends = |section: &Section| section.sh_addr.wrapping_add(section.sh_size);
            let shrunk = name == ".relro_padding" && ends(old) == ends(new) && new.sh_size <= old.sh_size;
            if (old.sh_addr, old.sh_size) != (new.sh_addr, new.sh_size) && !shrunk {
                faults.push(format!("{name} is elsewhere in memory, or of another length"));
            }
            continue;
        }
        if old.sh_size != new.sh_size {
            faults.push(format!("{name} has {} bytes, not {}", new.sh_size, old.sh_size));
            continue;
        }
        let is_bound = old.sh_flags & u64::from(SHF_WRITE | SHF_EXECINSTR) != 0;
        if is_bound && old.sh_addr != new.sh_addr {
            faults.push(format!("{name} is at another address, and code refers to it"));
        }
        let inside = |place: u64, section: &Section| place.checked_add(section.sh_size).is_some();
        if !inside(old.sh_offset, old) || old.sh_offset + old.sh_size > before.source.size() {
            continue;
        }
        let same = match changes {
            Change::SymbolValues => symbols_same(before, after, laid, old, new)?,
            _ => same_but_got(before, after, laid, old, new)?,
        };
        if !same {
            faults.push(format!("{name} holds other bytes"));
        }
    }
    faults.extend(strays(before, laid, requests)?);
    Ok(faults)
}

/// What an edit may change in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// All; other checks look at it.
    Anything,
    /// The values of symbols.
    SymbolValues,
    /// Nothing.
    Nothing,
}

fn changed_by_design(state: &State<'_>, requests: &[EditRequest], number: usize, section: &Section) -> Change {
    let (facts, tables) = (&state.facts, state.tables());
    let is = |tag: u64| tables.dynamic_value(tag) == Some(section.sh_addr);
    let interpreter = requests.iter().any(|request| matches!(request, EditRequest::SetInterpreter(_)));
    // Only sections that are what their headers say; else their bytes are compared.
    let is_strings = facts.strings_section() == Some(number) && Some(section.sh_size) == tables.dynamic_value(DT_STRSZ);
    let is_dynamic = facts.dynamic_section() == Some(number)
        && section.sh_addr == facts.dynamic_address
        && section.sh_size <= facts.dynamic.1;
    let is_versions = (section.sh_type == SHT_GNU_VERNEED && is(DT_VERNEED))
        || (section.sh_type == SHT_GNU_VERSYM && is(DT_VERSYM) && requests.iter().any(frees_versions));
    let is_interpreter = interpreter && facts.interpreter_section() == Some(number);
    if is_strings || is_dynamic || is_versions || is_interpreter {
        Change::Anything
    } else if section.sh_type == SHT_SYMTAB {
        Change::SymbolValues
    } else {
        Change::Nothing
    }
}

fn frees_versions(request: &EditRequest) -> bool {
    matches!(request, EditRequest::RemoveNeeded(_) | EditRequest::ClearSymbolVersion(_))
}

/// What a section header says besides places and lengths.
fn described(section: &Section) -> (usize, u32, u64, u32, u64, u64) {
    (section.sh_name, section.sh_type, section.sh_flags, section.sh_link, section.sh_addralign, section.sh_entsize)
}

/// Whether the section holds the same bytes, the first word of the GOT aside where it tells where `.dynamic` is (psABIs).
fn same_but_got(before: &State<'_>, after: &State<'_>, laid: &Laid<'_>, old: &Section, new: &Section) -> Result<bool> {
    let word = if before.tables().is_64 { 8 } else { 4 };
    let got = before.tables().dynamic_value(DT_PLTGOT).and_then(|address| address.checked_sub(old.sh_addr));
    let is_loaded = old.sh_flags & u64::from(SHF_ALLOC) != 0;
    let got = got.filter(|into| is_loaded && into.checked_add(word).is_some_and(|end| end <= old.sh_size));
    let Some(into) = got else { return laid.same(before, after, old.sh_offset, new.sh_offset, old.sh_size) };
    let is = new.sh_offset.saturating_add(into);
    let was = old.sh_offset.saturating_add(into);
    let bytes = after.source.bytes(is, word)?;
    let number = |bytes: &[u8]| before.facts.number(bytes, 0, word as usize);
    let old_bytes = before.source.bytes(was, word)?;
    let follows = number(&old_bytes) == before.facts.dynamic_address && number(&bytes) == after.facts.dynamic_address;
    Ok((bytes == old_bytes || follows)
        && laid.same(before, after, old.sh_offset, new.sh_offset, into)?
        && laid.same(before, after, was + word, is.saturating_add(word), old.sh_size - into - word)?)
}

/// Whether the symbols of `.symtab` are the same but for their values.
fn symbols_same(before: &State<'_>, after: &State<'_>, laid: &Laid<'_>, old: &Section, new: &Section) -> Result<bool> {
    let (size, value) = if before.tables().is_64 { (24, 8..16) } else { (16, 4..8) };
    if laid.start(old.sh_offset, old.sh_size) != Some(new.sh_offset) || old.sh_entsize != size {
        return laid.same(before, after, old.sh_offset, new.sh_offset, old.sh_size);
    }
    for (start, end) in laid.written(new.sh_offset, old.sh_size) {
        let first = (start - new.sh_offset) / size;
        let last = (end - new.sh_offset).div_ceil(size).min(old.sh_size / size);
        let length = last.saturating_sub(first) * size;
        let was = before.source.bytes(old.sh_offset + first * size, length)?;
        let is = after.source.bytes(new.sh_offset + first * size, length)?;
        let differs = |at: usize| was.get(at) != is.get(at) && !value.contains(&(at % size as usize));
        if (0..was.len()).any(differs) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where writes lie on loaded bytes that no section and no table accounts for, and that are not unused zeros.
fn strays(before: &State<'_>, laid: &Laid<'_>, requests: &[EditRequest]) -> Result<Vec<String>> {
    let known = accounted(before, laid, requests);
    let mut faults = Vec::new();
    for load in before.loads() {
        let Some(start) = laid.start(load.p_offset, load.p_filesz) else { continue };
        for (from, to) in laid.written(start, load.p_filesz) {
            for (from, to) in gaps(&known, from, to) {
                let was = before.source.bytes(load.p_offset + (from - start), to - from)?;
                // Between what an earlier edit appended, the gaps can hold what stood there before it.
                let is_gap = to - from < MOST_GAP && load.p_flags & PF_X == 0;
                let is_unused = is_gap || was.iter().all(|byte| *byte == 0);
                if before.tables().sections.is_empty() || !is_unused {
                    faults.push(format!("{} loaded bytes at {from:#x} are written over", to - from));
                }
            }
        }
    }
    Ok(faults)
}

/// The ranges of the result that other checks look at, sorted and apart.
fn accounted(before: &State<'_>, laid: &Laid<'_>, requests: &[EditRequest]) -> Vec<(u64, u64)> {
    let (facts, tables) = (&before.facts, before.tables());
    let header = &tables.header;
    let mut old = vec![
        (0, u64::from(header.e_ehsize)),
        (header.e_phoff, tables.segments.len() as u64 * facts.header_entry()),
        (header.e_shoff, tables.sections.len() as u64 * u64::from(header.e_shentsize)),
        facts.dynamic,
        (facts.strings_offset, facts.strings.len() as u64),
    ];
    old.extend(facts.records.needs.iter().map(|need| (need.offset, NEED)));
    if requests.iter().any(|request| matches!(request, EditRequest::SetInterpreter(_))) {
        old.extend(before.segment(PT_INTERP).map(|segment| (segment.p_offset, segment.p_filesz)));
    }
    let word = if tables.is_64 { 8 } else { 4 };
    let got = tables.dynamic_value(DT_PLTGOT).and_then(|address| before.place(address, word));
    old.extend(got.map(|offset| (offset, word)));
    if requests.iter().any(frees_versions)
        && let Some((offset, rest)) = tables.dynamic_value(DT_VERSYM).and_then(|address| tables.file_offset(address))
    {
        // At most two bytes a symbol, whose table stands before the strings or behind them.
        old.push((offset, rest.min(facts.strings.len() as u64)));
    }
    old.extend(tables.sections.iter().filter_map(extent).map(|(start, end)| (start, end - start)));
    let mut ranges: Vec<(u64, u64)> = old
        .into_iter()
        .filter_map(|(offset, length)| Some((laid.start(offset, length)?, length)))
        .map(|(start, length)| (start, start.saturating_add(length)))
        .collect();
    ranges.sort_unstable();
    let mut apart: Vec<(u64, u64)> = Vec::new();
    for range in ranges {
        match apart.last_mut().filter(|last| range.0 <= last.1) {
            Some(last) => last.1 = last.1.max(range.1),
            None => apart.push(range),
        }
    }
    apart
}

/// The parts of `from..to` that none of the sorted ranges `known` holds.
fn gaps(known: &[(u64, u64)], from: u64, to: u64) -> Vec<(u64, u64)> {
    let (mut at, mut gaps) = (from, Vec::new());
    let first = known.partition_point(|range| range.1 <= from);
    for range in known.iter().skip(first).take_while(|range| range.0 < to) {
        if range.0 > at {
            gaps.push((at, range.0));
        }
        at = at.max(range.1);
    }
    if at < to {
        gaps.push((at, to));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_no_range_holds() {
        let known = [(0, 4), (8, 10), (20, 30)];
        assert_eq!(gaps(&known, 0, 40), [(4, 8), (10, 20), (30, 40)]);
        assert_eq!(gaps(&known, 9, 21), [(10, 20)]);
        assert!(gaps(&known, 21, 29).is_empty());
        assert_eq!(gaps(&[], 1, 2), [(1, 2)]);
    }
}
