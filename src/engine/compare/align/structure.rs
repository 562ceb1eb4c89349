//! Two binaries set against each other part by part: headers by entry, sections by name, and what lies between them.
//!
//! Of the parts that both files have, the heaviest chain in the order of both is kept; the others were moved. Within a part,
//! and between two parts of the chain, the bytes are set against each other by what they are ([`super::content`]). Only where
//! different parts stand at one place, one was removed and the other inserted.

use super::chain::{Link, heaviest};
use super::content::{Aligner, Between};
use super::parts::{Part, Parts, partners};
use super::{elf_parts, macho_parts, pe_parts};
use crate::engine::binary::{Binary, Format};
use crate::engine::compare::alignment::{Alignment, Pair};
use crate::engine::compare::input::Input;
use crate::engine::report::diff::AlignedBy;
use crate::engine::{Context, Error, Result};

/// The alignment of `a` and `b` by the parts of the binaries that they hold; nothing where these are of another format or
/// machine, where their tables are damaged, or where they have no part in common.
///
/// # Errors
/// As [`super::align`].
pub fn by_structure(a: (&Input, &Binary), b: (&Input, &Binary), context: &Context) -> Result<Option<Alignment>> {
    let Some((ours, theirs)) = parts_of(a, b)? else { return Ok(None) };
    let (a, b) = (a.0, b.0);
    let partners = partners(&ours, &theirs);
    let places = |parts: &[Part]| parts.iter().map(|part| (part.start, part.len)).collect::<Vec<_>>();
    // Nothing moved, whatever was renamed.
    let stays = |(number, other): (usize, &Option<usize>)| other.is_none_or(|other| other == number);
    if a.size() == b.size() && partners.iter().enumerate().all(stays) && places(&ours) == places(&theirs) {
        return Ok(Some(Alignment { by: AlignedBy::Structure, ..Alignment::by_offset(a.size(), b.size()) }));
    }
    let found: Vec<(usize, usize)> =
        partners.into_iter().enumerate().filter_map(|(number, other)| Some((number, other?))).collect();
    let both: Vec<(&Part, &Part)> =
        found.iter().filter_map(|(one, other)| Some((ours.get(*one)?, theirs.get(*other)?))).collect();
    if both.is_empty() {
        return Ok(None);
    }
    let links: Vec<Link> =
        both.iter().map(|(one, other)| Link { place: other.start, weight: one.len.min(other.len) }).collect();
    let chain = heaviest(&links);
    let mut aligner = Aligner::new(&a.file, &b.file, context);
    let mut done = (0, 0);
    for (one, other) in chain.iter().filter_map(|number| both.get(*number)) {
        gap(&mut aligner, (&ours, &theirs), Between { a: (done.0, one.start), b: (done.1, other.start) })?;
        within(&mut aligner, one, other)?;
        done = (one.end(), other.end());
    }
    gap(&mut aligner, (&ours, &theirs), Between { a: (done.0, a.size()), b: (done.1, b.size()) })?;
    let mut kept = chain.into_iter().peekable();
    let out_of_order = (0..both.len()).filter(|number| kept.next_if_eq(number).is_none());
    let moved = out_of_order.filter_map(|number| both.get(number));
    let moved = moved.map(|(one, other)| Pair { a: one.start, b: other.start, len: one.len.min(other.len) }).collect();
    let pairs = aligner.pairs.into_list();
    Ok(Some(Alignment { by: AlignedBy::Structure, a_size: a.size(), b_size: b.size(), pairs, moved }))
}

/// The parts of both files, named in the same way.
fn parts_of(a: (&Input, &Binary), b: (&Input, &Binary)) -> Result<Option<(Vec<Part>, Vec<Part>)>> {
    let ((a, old), (b, new)) = (a, b);
    let found = match (old.format, new.format) {
        (Format::Elf, Format::Elf) => elf_parts::parts((&a.file, old), (&b.file, new)),
        (Format::MachO, Format::MachO) => {
            macho_parts::parts(&a.file).and_then(|ours| Ok(Some((ours, macho_parts::parts(&b.file)?))))
        }
        (Format::Pe, Format::Pe) if machine(old) == machine(new) => {
            pe_parts::parts(&a.file).and_then(|ours| Ok(Some((ours, pe_parts::parts(&b.file)?))))
        }
        _ => Ok(None),
    };
    match found {
        Ok(found) => Ok(found.map(|(ours, theirs): (Parts, Parts)| (ours.ordered(a.size()), theirs.ordered(b.size())))),
        Err(Error::Malformed { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The machine that the first slice runs on, with its width and byte order.
pub fn machine(binary: &Binary) -> Option<(u32, u8, bool)> {
    let arch = &binary.slices.first()?.arch;
    Some((arch.machine, arch.bits, arch.endian == crate::engine::binary::Endian::Big))
}

fn within(aligner: &mut Aligner<'_>, one: &Part, other: &Part) -> Result<()> {
    if one.len == other.len {
        aligner.pairs.push(Pair { a: one.start, b: other.start, len: one.len });
        return Ok(());
    }
    aligner.add(Between { a: (one.start, one.end()), b: (other.start, other.end()) })
}

/// Sets what lies between two parts of the chain against each other.
fn gap(aligner: &mut Aligner<'_>, (ours, theirs): (&[Part], &[Part]), between: Between) -> Result<()> {
    let (ours, theirs) = (inside(ours, between.a), inside(theirs, between.b));
    if ours.is_empty() && theirs.is_empty() {
        return aligner.add(between);
    }
    // A part that was moved or taken away left its place; what stands there now was written over it. The place is as far from
    // the next part of the chain as it was, but where nothing in front of it moved either.
    let (first, last) =
        (Pair { a: between.a.0, b: between.b.0, len: 0 }, Pair { a: between.a.1, b: between.b.1, len: 0 });
    let apart = if first.a == first.b { first } else { last };
    let across = |offset: u64| (offset.saturating_add(apart.a)).checked_sub(apart.b);
    let theirs: Vec<(u64, u64)> = theirs.iter().filter_map(|part| across(part.start).zip(across(part.end()))).collect();
    let end = across(between.b.1).unwrap_or(0).min(between.a.1);
    let mut at = across(between.b.0).unwrap_or(0).max(between.a.0);
    let mut place = |start: u64, end: u64| {
        let b = start.saturating_add(apart.b).saturating_sub(apart.a);
        aligner.pairs.push(Pair { a: start, b, len: end.saturating_sub(start) });
    };
    // Where both have a part there, one was removed and the other inserted.
    for (start, stop) in overlaps(ours, &theirs) {
        place(at, start.min(end));
        at = at.max(stop);
    }
    place(at, end);
    Ok(())
}

/// The parts in a stretch.
fn inside(parts: &[Part], (start, end): (u64, u64)) -> &[Part] {
    let first = parts.partition_point(|part| part.start < start);
    let behind = parts.partition_point(|part| part.start < end);
    parts.get(first..behind).unwrap_or_default()
}

/// Where both lists have something; each is in order, none of its stretches on another.
fn overlaps(ours: &[Part], theirs: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let (mut found, mut others) = (Vec::new(), theirs.iter().peekable());
    for part in ours {
        while let Some((start, end)) = others.peek() {
            let both = (part.start.max(*start), part.end().min(*end));
            if both.0 < both.1 {
                found.push(both);
            }
            if *end > part.end() {
                break;
            }
            others.next();
        }
    }
    found
}
