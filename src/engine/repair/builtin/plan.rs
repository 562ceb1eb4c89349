//! The plan of one edit: what the requests come to, where it goes, and the writes with their meaning.

use super::changes::{self, Value};
use super::encode::Encode;
use super::placement::Valued;
use super::shift;
use super::strings::NewStrings;
use super::weigh::{Weighed, weigh};
use super::{EditOptions, fit, references, versions, write};
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, Stop, refuse};
use crate::engine::repair::names::Names;
use crate::engine::repair::proof::Overlay;
use crate::engine::repair::{EditPlan, EditRefusal, EditRequest, ExecStack, Insertion, Patch};
use crate::engine::report::fit::Verdict;
use goblin::elf::dynamic::{DT_FLAGS_1, DT_STRSZ};
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::{PT_GNU_STACK, PT_INTERP};

/// `DF_1_PIE` of `DT_FLAGS_1`.
const DF_1_PIE: u64 = 0x0800_0000;

/// An edit with its strings resolved.
#[derive(Debug, Clone)]
pub(super) struct Edit<'a> {
    /// The file as it is, or as it is after the plan's insertion.
    pub facts: &'a Facts,
    /// The dynamic entries as they shall be: tag, value, and what is known of each.
    pub entries: Vec<Valued>,
    /// The strings.
    pub strings: NewStrings<'a>,
    /// Writes into the version tables, at their places as they are.
    pub versions: Vec<Patch>,
    /// How many records `.gnu.version_r` has afterwards, where that changes.
    pub records_left: Option<u64>,
    /// The interpreter's name with its NUL, where it changes.
    pub interpreter: Option<Vec<u8>>,
    /// What `PT_GNU_STACK` shall ask for, where that changes.
    pub exec_stack: Option<ExecStack>,
    /// What `EI_OSABI` shall be, where that changes.
    pub os_abi: Option<u8>,
}

/// Plans `requests` on `source`.
pub(super) fn plan(
    source: &dyn ReadAt,
    facts: &Facts,
    requests: &[EditRequest],
    options: &EditOptions,
) -> Result<EditPlan, Stop> {
    let names = Names::asked(facts, source, requests)?;
    let requests = names.effective(requests)?;
    if requests.is_empty() {
        return Ok(EditPlan::nothing(facts.size));
    }
    if !facts.has_dynamic && requests.iter().any(needs_dynamic) {
        return Err(refuse(
            "it has no dynamic section, so that it neither needs libraries nor searches for any",
            "leave it as it is",
        ));
    }
    if options.page_size.is_some_and(|size| !size.is_power_of_two() || !(4096..=1 << 24).contains(&size)) {
        return Err(refuse("a page size is a power of two from 4096 to 16 MiB", "give such a size"));
    }
    let edit = resolve(source, facts, &names, &requests)?;
    let weighed = weigh(source, &edit, options.page_size, options.keep_relro)?;
    let Some(placement) = &weighed.placement else { return Err(no_way(&weighed)) };
    let moves = placement.padding.is_some() || placement.segment.is_some();
    if relocates_itself(facts, &names) && (moves || requests.iter().any(stops_a_start)) {
        return Err(refuse(
            "it is a loader or a static-pie program: its own start code reads the dynamic section, and stops at an \
             RPATH or at tables that moved",
            "link it again with what it shall have",
        ));
    }
    let mut plan = EditPlan { requests, ..EditPlan::nothing(facts.size) };
    let result = match placement.insertion {
        None => write::result(source, &edit, placement, &facts.tables)?,
        Some(insertion) => {
            let Some(filled) = &placement.padding else { return Err(no_way(&weighed)) };
            let after = shift::facts(facts, &filled.padding, insertion);
            let shifted = Overlay::inserted(source, insertion);
            write::result(&shifted, &moved(&edit, &after, insertion), placement, &facts.tables)?
        }
    };
    plan.insertion = placement.insertion;
    plan.shifted = plan.insertion.map_or(0, |insertion| facts.size.saturating_sub(insertion.offset));
    let end = result.patches.iter().map(|patch| patch.offset.saturating_add(patch.bytes.len() as u64)).max();
    let grown = facts.size + plan.insertion.map_or(0, |insertion| insertion.length);
    plan.size_after = Some(grown.max(end.unwrap_or(0)));
    plan.writes = result.patches.iter().map(|patch| patch.bytes.len() as u64).sum();
    let fit = fit::describe(source, &edit, &weighed, placement, &result, grown.max(end.unwrap_or(0)))?;
    plan.layout = fit::in_words(&fit);
    plan.fit = Some(fit);
    plan.patches = result.patches;
    Ok(plan)
}

/// The refusal where no way leads to the edit: by the least short of those in place, or by the last one.
fn no_way(weighed: &Weighed) -> Stop {
    let refused = weighed.considered.iter().filter(|one| one.verdict == Verdict::Refused);
    let (short, last) = (refused.clone().find(|one| one.need.is_some()), refused.clone().next_back());
    let reason = match (short, last) {
        (Some(short), Some(last)) if short != last => format!("{}, and {}", short.why, last.why),
        (_, Some(last)) => last.why.clone(),
        _ => "there is no room for it".to_owned(),
    };
    Stop::Refusal(EditRefusal {
        reason,
        way_out: "give shorter names, allow more, or link it again with room for them".to_owned(),
        need: short.and_then(|short| short.need),
        room: short.and_then(|short| short.room),
    })
}

/// `edit` on the file as it is after `insertion`.
fn moved<'a>(edit: &Edit<'a>, after: &'a Facts, insertion: Insertion) -> Edit<'a> {
    let mut edit = edit.clone();
    edit.facts = after;
    for patch in &mut edit.versions {
        if patch.offset >= insertion.offset {
            patch.offset += insertion.length;
        }
    }
    edit
}

fn resolve<'a>(
    source: &dyn ReadAt,
    facts: &'a Facts,
    names: &Names,
    requests: &[EditRequest],
) -> Result<Edit<'a>, Stop> {
    let encode = Encode::like(&facts.tables);
    let mut version_edit = versions::edit(facts, source, requests)?;
    let changed = changes::entries(facts, source, requests, &version_edit)?;
    let stays =
        |number: usize| changed.iter().any(|entry| entry.old == Some(number) && matches!(entry.value, Value::Kept(_)));
    let given_up: Vec<usize> = (0..facts.tables.dynamic.len()).filter(|&number| !stays(number)).collect();
    let brings_strings = changed.iter().any(|entry| matches!(entry.value, Value::Text(_)));
    // Who refers to what has to be known only where strings are needed.
    let kept = if brings_strings || !version_edit.renamed.is_empty() {
        references::kept(facts, source, &given_up, &version_edit)?
    } else {
        None
    };
    let mut strings = NewStrings::new(&facts.strings, kept.as_deref());
    let mut entries = Vec::new();
    for entry in changed {
        let value = match &entry.value {
            Value::Kept(value) => *value,
            Value::Text(name) => strings.index_of(name),
        };
        entries.push((entry.tag, value, entry));
    }
    for renamed in std::mem::take(&mut version_edit.renamed) {
        let index = u32::try_from(strings.index_of(&renamed.to))
            .map_err(|_| refuse("its string table would outgrow 4 GiB", "link it with shorter names"))?;
        version_edit.write(Patch {
            // vn_file is the third field of a record.
            offset: renamed.place + 4,
            bytes: encode.word(index),
            meaning: format!("symbol versions of {} → {}", renamed.from, renamed.to),
        });
    }
    for (tag, value, entry) in &mut entries {
        if *tag == DT_STRSZ && *value != strings.size() && !strings.added().is_empty() {
            *value = strings.size();
            entry.meaning = Some(format!("STRSZ: {}", strings.size()));
        }
    }
    let after = names.after(requests);
    let interpreter = after.interpreter.as_ref().filter(|_| after.interpreter != names.interpreter);
    let has = |kind: u32| facts.tables.segments.iter().any(|segment| segment.p_type == kind);
    if interpreter.is_some() && !has(PT_INTERP) {
        return Err(refuse("it names no interpreter, as libraries and static programs don't", "leave it without one"));
    }
    let exec_stack = after.exec_stack.filter(|_| after.exec_stack != names.exec_stack);
    if exec_stack.is_some() && !has(PT_GNU_STACK) {
        return Err(refuse("it has no PT_GNU_STACK, which says what stack it asks for", "link it again with one"));
    }
    Ok(Edit {
        facts,
        entries,
        strings,
        versions: version_edit.writes,
        records_left: version_edit.left,
        interpreter: interpreter.map(|name| [name.as_bytes(), b"\0"].concat()),
        exec_stack,
        os_abi: Some(after.os_abi).filter(|abi| *abi != names.os_abi),
    })
}

/// Whether `request` is about what stands in a dynamic section.
fn needs_dynamic(request: &EditRequest) -> bool {
    let elsewhere =
        matches!(request, EditRequest::SetInterpreter(_) | EditRequest::SetExecStack(_) | EditRequest::SetOsAbi(_));
    !elsewhere
}

/// Whether a program that relocates itself would stop at what is asked for (glibc's `elf_get_dynamic_info` asserts it).
fn stops_a_start(request: &EditRequest) -> bool {
    matches!(request, EditRequest::SetRpath(_) | EditRequest::SetRunpath(_) | EditRequest::NoDefaultLib)
}

/// Whether no loader relocates the file: then it does so itself, and asserts what its dynamic section holds (glibc's
/// `elf_get_dynamic_info`); and some kernels don't clear the `.bss` of an interpreter with a segment behind it.
fn relocates_itself(facts: &Facts, names: &Names) -> bool {
    let tables = &facts.tables;
    let has_interpreter = tables.segments.iter().any(|segment| segment.p_type == PT_INTERP);
    let is_pie = tables.dynamic_value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_PIE != 0);
    // An entry point alone says nothing: old GNU ld gave one to every library.
    let is_loader = tables.header.e_entry != 0
        && names.needed.is_empty()
        && names.sonames.iter().any(|name| {
            ["ld-", "ld.so", "ld64.", "libc."].iter().any(|start| name.as_bytes().starts_with(start.as_bytes()))
        });
    tables.header.e_type == ET_DYN && !has_interpreter && (is_pie || is_loader)
}
