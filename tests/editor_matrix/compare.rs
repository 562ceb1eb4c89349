//! What an edit may change in what `readelf` shows, and what the result must keep to whatever it was before.

use crate::edits::Names;
use crate::readelf::{Part, Shown};
use wheelwright::engine::repair::EditPlan;
use wheelwright::engine::report::fit::{ShapePart, Strategy};

/// Sections whose content is what the edits are about.
const EDITED: [&str; 5] = [".dynamic", ".dynstr", ".gnu.version_r", ".interp", ".gnu.version"];

/// Dynamic entries that say where those sections are and how long.
const PLACES: [&str; 5] = ["STRTAB", "STRSZ", "VERNEED", "VERNEEDNUM", "NULL"];

/// What is wrong with `after` as what `plan` made of `before` for a machine with pages of `page` bytes, where the names
/// should be `names`; one line each.
pub fn faults(before: &Shown, after: &Shown, plan: &EditPlan, names: &Names, page: u64) -> Vec<String> {
    let mut faults = Vec::new();
    for complaint in after.complaints.iter().filter(|line| !before.complaints.contains(line)) {
        faults.push(format!("readelf now says: {complaint}"));
    }
    if after.names() != *names {
        faults.push(format!("readelf reads {:?}, not {names:?}", after.names()));
    }
    faults.extend(as_planned(after, plan));
    faults.extend(sections(before, after, plan));
    faults.extend(segments(before, after, page));
    faults.extend(dynamic(before, after, plan));
    faults.extend(rest(before, after, plan));
    faults
}

/// The plan's picture of the layout is the layout that readelf sees.
fn as_planned(after: &Shown, plan: &EditPlan) -> Vec<String> {
    let Some(fit) = &plan.fit else { return vec!["the plan does not say how it fits".to_owned()] };
    let plain = |part: &ShapePart| (part.offset, part.address, part.size, part.memory);
    let mut faults = Vec::new();
    let drawn: Vec<_> = fit.after.segments.iter().map(plain).collect();
    let seen = after.segments.iter().filter(|one| one.name != "NULL");
    let seen: Vec<_> = seen.map(|part| (part.offset, part.address, part.size, part.memory)).collect();
    if drawn != seen {
        faults.push(format!("segments as planned {drawn:x?}, as readelf has them {seen:x?}"));
    }
    for (drawn, seen) in fit.after.sections.iter().zip(&after.sections) {
        let address = if seen.flags.contains('A') { seen.address } else { 0 };
        if (drawn.name.as_str(), drawn.offset, drawn.address) != (seen.name.as_str(), seen.offset, address) {
            faults.push(format!("section as planned {drawn:x?}, as readelf has it {seen:x?}"));
        }
    }
    if fit.after.sections.len() != after.sections.len() {
        faults.push(format!("{} sections planned, readelf has {}", fit.after.sections.len(), after.sections.len()));
    }
    faults
}

/// Whether the plan may move sections that it does not edit: those behind the program headers.
fn may_make_way(plan: &EditPlan) -> bool {
    plan.fit.as_ref().is_some_and(|fit| !matches!(fit.strategy, Strategy::InPlace | Strategy::RelroPadding))
}

fn sections(before: &Shown, after: &Shown, plan: &EditPlan) -> Vec<String> {
    let mut faults = Vec::new();
    for section in &before.sections {
        let Some(now) = after.section(&section.name) else {
            faults.push(format!("section {} is gone", section.name));
            continue;
        };
        let is_edited = EDITED.contains(&section.name.as_str());
        let moved = section.address != now.address || section.size != now.size;
        let is_first = section.name.starts_with(".note") || section.name.contains("hash") || section.name == ".dynsym";
        if moved
            && !is_edited
            && !(is_first && may_make_way(plan) && section.size == now.size)
            && section.name != ".relro_padding"
        {
            faults.push(format!("section {section:x?} became {now:x?}"));
        }
        if (section.kind.as_str(), section.flags.as_str()) != (now.kind.as_str(), now.flags.as_str()) {
            faults.push(format!("section {section:x?} became {now:x?}"));
        }
        if now.alignment > 1 && now.flags.contains('A') && now.address % now.alignment != 0 {
            faults.push(format!("section {} stands at {:#x}, not aligned to {}", now.name, now.address, now.alignment));
        }
    }
    if after.sections.len() > before.sections.len() {
        faults.push(format!("{} sections became {}", before.sections.len(), after.sections.len()));
    }
    for section in after.sections.iter().filter(|section| section.flags.contains('A') && !section.flags.contains('T')) {
        let holds = |load: &&Part| load.address <= section.address && section.end() <= load.end();
        let Some(load) = after.loads().find(holds) else {
            faults.push(format!("no segment loads {section:x?}"));
            continue;
        };
        if section.kind != "NOBITS" && section.offset.wrapping_sub(load.offset) != section.address - load.address {
            faults.push(format!("{section:x?} is not where {load:x?} has it"));
        }
    }
    faults
}

fn segments(before: &Shown, after: &Shown, page: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut end = 0;
    for load in after.loads() {
        if load.alignment > 1 && load.offset % load.alignment != load.address % load.alignment {
            faults.push(format!("{load:x?} is not congruent"));
        }
        if load.address < end {
            faults.push(format!("{load:x?} begins in the one before"));
        }
        if load.flags.contains('W') && load.flags.contains('E') {
            faults.push(format!("{load:x?} is writable and executable"));
        }
        end = load.end();
    }
    let least = before.loads().map(|load| load.alignment).min().unwrap_or(page);
    if least < page || after.loads().any(|load| load.alignment < least) {
        faults.push(format!("a segment is aligned to less than {least:#x}, or that to less than {page:#x}"));
    }
    let shared = |shown: &Shown| {
        let loads: Vec<&Part> = shown.loads().collect();
        loads.windows(2).filter(|pair| pair[0].end().div_ceil(least) * least > pair[1].address / least * least).count()
    };
    if shared(after) > shared(before) {
        faults.push(format!("two segments share a page: {:x?}", after.loads().collect::<Vec<_>>()));
    }
    for (segment, section) in [("DYNAMIC", ".dynamic"), ("INTERP", ".interp")] {
        let (Some(segment), Some(section)) = (after.segment(segment), after.section(section)) else { continue };
        if (segment.address, segment.offset) != (section.address, section.offset) {
            faults.push(format!("{segment:x?} is not {section:x?}"));
        }
    }
    if let (Some(symbol), Some(segment)) = (after.dynamic_symbol, after.segment("DYNAMIC"))
        && symbol != segment.address
        && before.dynamic_symbol == before.segment("DYNAMIC").map(|before| before.address)
    {
        faults.push(format!("_DYNAMIC is {symbol:#x}, the dynamic section is at {:#x}", segment.address));
    }
    for segment in before
        .segments
        .iter()
        .filter(|one| !["LOAD", "DYNAMIC", "PHDR", "INTERP", "NOTE", "GNU_PROPERTY"].contains(&one.name.as_str()))
    {
        let same = |one: &&Part| {
            (&one.name, one.address, one.memory, &one.flags)
                == (&segment.name, segment.address, segment.memory, &segment.flags)
        };
        if !after.segments.iter().any(|one| same(&one)) {
            faults.push(format!("{segment:x?} is gone or another"));
        }
    }
    if after.segments.len() > before.segments.len() + 1 {
        faults.push(format!("{} segments became {}", before.segments.len(), after.segments.len()));
    }
    faults
}

fn dynamic(before: &Shown, after: &Shown, plan: &EditPlan) -> Vec<String> {
    let by_name = ["NEEDED", "RPATH", "RUNPATH", "SONAME"];
    let moved = ["HASH", "GNU_HASH", "SYMTAB", "VERSYM"];
    let is_kept = |tag: &str| {
        let has_moved = may_make_way(plan) && moved.contains(&tag);
        !by_name.contains(&tag) && !PLACES.contains(&tag) && !has_moved
    };
    // What another entry says too, or is a hint: only if the plan says that something is given up.
    let gives_up = plan.fit.iter().flat_map(|fit| &fit.consequences).any(|said| said.starts_with("gives up"));
    let may_go = ["RELACOUNT", "RELCOUNT", "BIND_NOW", "SYMBOLIC", "TEXTREL", "FLAGS"];
    let kept = |shown: &Shown| shown.dynamic.iter().filter(|entry| is_kept(&entry.0)).cloned().collect::<Vec<_>>();
    let (old, new) = (kept(before), kept(after));
    let gone: Vec<_> = old.iter().filter(|entry| !new.contains(entry)).collect();
    let come: Vec<_> = new.iter().filter(|entry| !old.contains(entry)).collect();
    if come.is_empty() && gone.iter().all(|entry| gives_up && may_go.contains(&entry.0.as_str())) {
        return Vec::new();
    }
    vec![format!("dynamic entries gone: {gone:?}, new: {come:?}")]
}

fn rest(before: &Shown, after: &Shown, plan: &EditPlan) -> Vec<String> {
    let (old, new) = (before.counted(), after.counted());
    let changed = |line: &str| {
        // The names and places that edits change, and the lines that count entries.
        let about = ["Version needs section", "  Addr: ", "File: ", "Name: ", "version: ", "Version: ", "bytes at"];
        about.iter().any(|word| line.contains(word))
            || (may_make_way(plan) && ["Displaying notes", "histogram", ".note"].iter().any(|word| line.contains(word)))
    };
    let more = |one: &std::collections::BTreeMap<&str, usize>, other: &std::collections::BTreeMap<&str, usize>| {
        let lines =
            one.iter().filter(|(line, count)| other.get(*line).copied().unwrap_or(0) < **count && !changed(line));
        lines.map(|(line, _)| (*line).to_owned()).collect::<Vec<_>>()
    };
    let (gone, come) = (more(&old, &new), more(&new, &old));
    if gone.is_empty() && come.is_empty() { Vec::new() } else { vec![format!("readelf: gone {gone:?}, new {come:?}")] }
}
