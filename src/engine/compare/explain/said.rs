//! What the two files themselves say: how a request, and only a request, can have brought a byte about.
//!
//! Of a byte of the second file: what stands there, the same thing's old place, and whether the byte is equal there or
//! follows from what was asked. Of a byte that is gone: whether it stands at its new place. Where neither holds, nothing
//! explains it.

use super::claims::Claims;
use super::object::{Object, Place, is_movable};
use super::wishes::{RunPath, Wishes};
use super::{dynamic, headers, remnants, segments, strings, symbols, versions};
use crate::engine::Result;
use crate::engine::binary::elf::Section;
use crate::engine::compare::regions_elf::has_bytes;
use crate::engine::file::ReadAt;
use crate::engine::repair::EditRequest;
use goblin::elf::dynamic::{DT_PLTGOT, DT_RPATH, DT_RUNPATH};
use goblin::elf::section_header::{
    SHF_ALLOC, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_STRTAB, SHT_SYMTAB,
};

/// Bytes that are compared at once.
const CHUNK: u64 = 64 << 10;

/// Two files, and what was asked for between them.
pub struct Said<'a> {
    old: Object<'a>,
    new: Object<'a>,
    wishes: Wishes,
    claims: Claims,
    /// Sections that can't be moved in memory: where each stands in the new file and in the old, by the new place.
    anchors: Vec<(u64, u64)>,
}

impl<'a> Said<'a> {
    /// What `requests` can have made of `old`, if they made `new`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the tables of one are damaged; [`crate::engine::Error::Io`].
    pub fn read(old: &'a dyn ReadAt, new: &'a dyn ReadAt, requests: Vec<EditRequest>) -> Result<Self> {
        let (old, new) = (Object::read(old)?, Object::read(new)?);
        let wishes = Wishes::new(requests, run_path(&old));
        let mut claims = Claims::default();
        let are_segments_kept = segments::segments(&old, &new, &wishes, &mut claims);
        headers::file_header(&old, &new, &wishes, are_segments_kept, &mut claims);
        headers::section_headers(&old, &new, &wishes, &mut claims);
        dynamic::entries(&old, &new, &wishes, &mut claims);
        remnants::rows(&old, &new, &wishes.movers(), &mut claims)?;
        claims.order();
        let mut anchors = Vec::new();
        for (number, section) in new.tables.sections.iter().enumerate().filter(|(_, section)| has_bytes(section)) {
            let is_anchor = section.sh_flags & u64::from(SHF_ALLOC) != 0
                && new.names.get(number).is_some_and(|name| !is_movable(section, name));
            if let Some((_, before)) = old.twin(&new, number).filter(|_| is_anchor) {
                anchors.push((section.sh_offset, before.sh_offset));
            }
        }
        anchors.sort_unstable();
        Ok(Self { old, new, wishes, claims, anchors })
    }

    /// Why the byte at `offset` of the second file is what it is, and how far this holds, `end` at the most.
    ///
    /// # Errors
    /// As [`Said::read`].
    pub fn in_second(&self, offset: u64, end: u64) -> Result<(Vec<usize>, u64)> {
        let (found, stop) = self.new.at(offset);
        let end = end.min(stop);
        match found {
            Some((start, Place::Section(number))) => {
                let (causes, stop) = self.in_section(number, offset - start, end - start)?;
                Ok((causes, end.min(start.saturating_add(stop).max(offset + 1))))
            }
            Some(_) => Ok(self.claims.at(offset, end)),
            None => self.between(offset, end),
        }
    }

    /// Why the byte at `offset` of the first file is gone, and how far this holds, `end` at the most.
    ///
    /// # Errors
    /// As [`Said::read`].
    pub fn in_first(&self, offset: u64, end: u64) -> Result<(Vec<usize>, u64)> {
        let (found, stop) = self.old.at(offset);
        let end = end.min(stop);
        let Some((start, Place::Section(number))) = found else {
            // Every entry of a table is held against the new table; between sections fillers and what moved may go.
            let is_table = found.is_some();
            let place = self.moved(offset);
            return self.while_same(offset, end, |byte, at| {
                let stays = || {
                    place.is_some_and(|place| {
                        self.new.source.bytes(place + (at - offset), 1).is_ok_and(|new| new == [byte])
                    })
                };
                is_table || strings::FILLERS.contains(&byte) || stays()
            });
        };
        let Some((_, section)) = self.new.twin(&self.old, number).filter(|(_, section)| has_bytes(section)) else {
            return Ok((Vec::new(), end));
        };
        let into = offset - start;
        if into >= section.sh_size {
            let causes = if self.shrinks(section) { self.wishes.movers() } else { Vec::new() };
            return Ok((causes, end));
        }
        let there = section.sh_offset.saturating_add(into);
        let same = self.equal_length((offset, there), (end - offset).min(section.sh_size - into))?;
        if same > 0 {
            return Ok((self.wishes.movers(), offset + same));
        }
        let (causes, stop) = self.in_second(there, there.saturating_add(end - offset))?;
        Ok((causes, end.min(offset + (stop - there))))
    }

    /// Sections that a request can make smaller.
    fn shrinks(&self, section: &Section) -> bool {
        matches!(section.sh_type, SHT_DYNAMIC | SHT_GNU_VERNEED)
            || section.sh_type == SHT_STRTAB && section.sh_flags & u64::from(SHF_ALLOC) != 0
    }

    /// How long the bytes at `places`, in the first file and in the second, are equal; at most `length`.
    fn equal_length(&self, (was, is): (u64, u64), length: u64) -> Result<u64> {
        let mut done = 0;
        while done < length {
            let step = CHUNK.min(length - done);
            let (before, after) = (self.old.source.bytes(was + done, step)?, self.new.source.bytes(is + done, step)?);
            if let Some(same) = before.iter().zip(&after).position(|(one, other)| one != other) {
                return Ok(done + same as u64);
            }
            done += step;
        }
        Ok(done)
    }

    /// Why the byte `into` section `number` of the second file is what it is, and how far into the section this holds.
    fn in_section(&self, number: usize, into: u64, end: u64) -> Result<(Vec<usize>, u64)> {
        let Some(section) = self.new.section(number) else { return Ok((Vec::new(), end)) };
        if section.sh_type == SHT_DYNAMIC {
            let (causes, stop) = self.claims.at(section.sh_offset + into, section.sh_offset.saturating_add(end));
            return Ok((causes, stop - section.sh_offset));
        }
        let is = (section.sh_offset, section.sh_size);
        let is_loaded = section.sh_flags & u64::from(SHF_ALLOC) != 0;
        let is_strings = section.sh_type == SHT_STRTAB && is_loaded;
        let before = self.old.twin(&self.new, number).map(|(_, before)| before).filter(|before| has_bytes(before));
        if let Some(before) = before.filter(|before| into < before.sh_size) {
            let most = end.min(before.sh_size) - into;
            let same = self.equal_length((before.sh_offset + into, section.sh_offset + into), most)?;
            if same > 0 {
                let (asked, start) = if same < most && is_strings {
                    let (causes, start, _) = strings::asked(&self.new, is, into + same, &self.wishes)?;
                    (causes, start)
                } else {
                    (Vec::new(), into + same)
                };
                return Ok(match asked.is_empty() {
                    // What was asked for can be equal to what stood there, in parts.
                    false if start <= into => (asked, into + same),
                    false => (self.wishes.movers(), start),
                    // In its old place it would not differ: it was moved.
                    true => (self.wishes.movers(), into + same),
                });
            }
        }
        let was = before.map(|before| (before.sh_offset, before.sh_size));
        match section.sh_type {
            SHT_STRTAB if is_strings => strings::in_table((&self.old, was), (&self.new, is), into, &self.wishes),
            SHT_DYNSYM | SHT_SYMTAB => symbols::symbol(&self.old, (&self.new, number), into, &self.wishes),
            SHT_GNU_VERSYM => symbols::version(&self.new, section.sh_offset, into, &self.wishes),
            SHT_GNU_VERNEED => match was {
                Some(was) => versions::needed_version((&self.old, was), (&self.new, is), into, &self.wishes),
                None => Ok((Vec::new(), end)),
            },
            _ if self.new.names.get(number).is_some_and(|name| name.as_bytes() == b".interp") => {
                Ok((strings::interpreter(&self.new, is, &self.wishes)?, end))
            }
            _ => self.first_word(section, into),
        }
    }

    /// The first word of the global offset table holds the address of the dynamic section, wherever that is.
    fn first_word(&self, section: &Section, into: u64) -> Result<(Vec<usize>, u64)> {
        let word = self.new.word();
        let place = |object: &Object<'_>| Some(object.tables.file_offset(object.tables.dynamic_value(DT_PLTGOT)?)?.0);
        let nothing = Ok((Vec::new(), into + 1));
        let (Some(was), Some(is)) = (place(&self.old), place(&self.new)) else { return nothing };
        let Some(within) = (section.sh_offset + into).checked_sub(is).filter(|within| *within < word) else {
            return nothing;
        };
        let address = |object: &Object<'_>, at| -> Result<bool> {
            let bytes = object.source.bytes(at, word)?;
            let value = bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            let value = if object.tables.is_big { value.swap_bytes() >> (64 - 8 * word) } else { value };
            let dynamic = object.tables.sections.iter().find(|section| section.sh_type == SHT_DYNAMIC);
            Ok(dynamic.is_some_and(|section| section.sh_addr == value))
        };
        let is_followed = address(&self.old, was)? && address(&self.new, is)?;
        Ok((if is_followed { self.wishes.movers() } else { Vec::new() }, into + (word - within)))
    }

    /// Bytes of the second file that stand in no section: padding, places that were left, and what moved along.
    fn between(&self, offset: u64, end: u64) -> Result<(Vec<usize>, u64)> {
        let (causes, stop) = self.claims.at(offset, end);
        if !causes.is_empty() {
            return Ok((causes, stop));
        }
        let (was, end) = (self.origin(offset), stop);
        self.while_true(self.new.source, offset, end, |byte, at| {
            let was = was.map(|was| was + (at - offset)).filter(|was| *was < self.old.source.size());
            let Some(was) = was else { return Ok(strings::FILLERS.contains(&byte)) };
            let old = self.old.source.bytes(was, 1)?.first().copied().unwrap_or(0);
            Ok(old == byte || (strings::FILLERS.contains(&byte) && self.is_left(was, old)))
        })
    }

    /// Whether what stood at `offset` of the first file now stands elsewhere, or was nothing.
    fn is_left(&self, offset: u64, byte: u8) -> bool {
        match self.old.at(offset).0 {
            None => strings::FILLERS.contains(&byte),
            Some((_, Place::Section(number))) => self.new.twin(&self.old, number).is_some_and(|(_, section)| {
                self.old.section(number).is_some_and(|before| before.sh_offset != section.sh_offset)
            }),
            Some((_, Place::Header)) => false,
            Some((_, Place::Segments)) => true,
            Some((_, Place::Sections)) => self.old.tables.header.e_shoff != self.new.tables.header.e_shoff,
        }
    }

    /// Where what stands at `offset` of the second file, between sections, stood in the first.
    fn origin(&self, offset: u64) -> Option<u64> {
        let after = self.anchors.partition_point(|(is, _)| *is <= offset);
        match after.checked_sub(1).and_then(|before| self.anchors.get(before)).or_else(|| self.anchors.first()) {
            Some((is, was)) => (offset + was).checked_sub(*is),
            None => Some(offset),
        }
    }

    /// Where what stood at `offset` of the first file, between sections, stands in the second.
    fn moved(&self, offset: u64) -> Option<u64> {
        let before = self.anchors.iter().filter(|(_, was)| *was <= offset).max_by_key(|(_, was)| *was);
        match before.or_else(|| self.anchors.first()) {
            Some((is, was)) => (offset + is).checked_sub(*was),
            None => Some(offset),
        }
    }

    fn while_same(&self, offset: u64, end: u64, holds: impl Fn(u8, u64) -> bool) -> Result<(Vec<usize>, u64)> {
        self.while_true(self.old.source, offset, end, |byte, at| Ok(holds(byte, at)))
    }

    /// The causes of the byte at `offset` of `source`, movers if it `holds`, and how far the answer is the same.
    fn while_true(
        &self,
        source: &dyn ReadAt,
        offset: u64,
        end: u64,
        holds: impl Fn(u8, u64) -> Result<bool>,
    ) -> Result<(Vec<usize>, u64)> {
        let bytes = source.bytes(offset, (end - offset).min(CHUNK))?;
        let mut first = None;
        let mut at = offset;
        for byte in bytes {
            let is_held = holds(byte, at)?;
            if *first.get_or_insert(is_held) != is_held {
                break;
            }
            at += 1;
        }
        Ok((if first == Some(true) { self.wishes.movers() } else { Vec::new() }, at.max(offset + 1)))
    }
}

/// The search path that `object` heeds.
fn run_path(object: &Object<'_>) -> Option<RunPath> {
    let (tag, text) = object.named(&[DT_RUNPATH]).or_else(|| object.named(&[DT_RPATH]))?;
    Some((tag == DT_RUNPATH, text))
}
