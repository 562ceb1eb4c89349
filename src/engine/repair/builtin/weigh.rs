//! The ways of making room, tried from the least invasive on; each with what it needs and what there is.

use super::layout::{Content, Demand, Layout, Piece, SPARE, dynamic_piece, interpreter_piece, strings_piece};
use super::padding::{self, NoPadding, Padding};
use super::placement::{Filled, Placement, Valued};
use super::plan::Edit;
use super::redundant::{self, is_new};
use super::room::{self, HeaderRoom, growing_segment, header_room};
use super::shift;
use crate::engine::file::ReadAt;
use crate::engine::repair::Insertion;
use crate::engine::repair::facts::{Facts, Stop};
use crate::engine::report::fit::Strategy::{
    self, Appended, DynamicMoved, InPlace, RelroPadding, RelroPaddingAndSegment, StringsSegment,
};
use crate::engine::report::fit::{Considered, Verdict};
use goblin::elf::dynamic::DT_NEEDED;

/// With more bytes than this behind it, an insertion is dear also where the filesystem has it: the cached pages behind are given
/// up (ext4: about 50 ms of processor time a GiB), or all is written again. Then a hint in `.dynamic` is given up first.
const DEAR_TO_MOVE: u64 = 256 << 20;

/// A way that can't be gone.
struct Short {
    verdict: Verdict,
    need: Option<u64>,
    room: Option<u64>,
    why: String,
}

impl Short {
    fn because(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refused, need: None, room: None, why: why.into() }
    }

    /// A way to room that nothing needs.
    fn needless(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotNeeded, ..Self::because(why) }
    }

    fn of_room(need: u64, room: u64, why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refused, need: Some(need), room: Some(room), why: why.into() }
    }
}

/// What was weighed: the ways with their verdicts, and the measures that the rooms are shown by.
pub(super) struct Weighed {
    /// The way that is taken; `None` when there is none.
    pub placement: Option<Placement>,
    /// All ways.
    pub considered: Vec<Considered>,
    /// Unused bytes behind the string table.
    pub slack: u64,
    /// The RELRO padding, or why there is none.
    pub padding: Result<Padding, NoPadding>,
    /// Bytes that would go into the padding: what does not fit where it is.
    pub wanted_in_padding: u64,
    /// Entries that could be given up.
    pub redundant: Vec<String>,
}

/// The entries that fit where they are, and why others were given up; or how many are needed and how many fit.
type Fitting = Result<(Vec<Valued>, Vec<String>), (u64, u64)>;

/// What does not fit where it is.
struct Lack<'a> {
    facts: &'a Facts,
    edit: &'a Edit<'a>,
    strings: bool,
    interpreter: Option<u64>,
    page_size: Option<u64>,
    entries: Fitting,
    /// The same, giving up hints as well.
    giving_up_hints: Fitting,
}

/// Weighs the ways for `edit`.
pub(super) fn weigh(
    source: &dyn ReadAt,
    edit: &Edit<'_>,
    page_size: Option<u64>,
    keep_relro: bool,
) -> Result<Weighed, Stop> {
    let facts = edit.facts;
    let added = edit.strings.added().len() as u64;
    let slack = room::behind_strings(facts, source, added)?;
    let padding = padding::find(facts, source)?;
    let in_relro = facts.dynamic_in_relro();
    let is_dear =
        |padding: &Padding| padding.free < padding.room && facts.size.saturating_sub(padding.offset) > DEAR_TO_MOVE;
    let dear = in_relro && padding.as_ref().is_ok_and(is_dear);
    let lack = Lack {
        facts,
        edit,
        strings: added > slack,
        interpreter: edit
            .interpreter
            .as_ref()
            .map(|name| name.len() as u64)
            .filter(|&need| need > interpreter_room(facts)),
        page_size,
        entries: fitting(facts, &edit.entries, dear),
        giving_up_hints: fitting(facts, &edit.entries, true),
    };
    let ways = [
        (InPlace, lack.in_place(slack)),
        (RelroPadding, lack.padding(&padding)),
        (RelroPaddingAndSegment, lack.padding_and_segment(&padding)),
        (StringsSegment, lack.strings_segment()),
        (Appended, lack.appended(in_relro)),
        (DynamicMoved, lack.dynamic_moved(in_relro && keep_relro)),
    ];
    let (placement, considered) = choose(ways, dear);
    let wanted_in_padding = lack.pieces(&lack.entries).iter().fold(0, |sum, piece| sum + piece.length);
    let redundant = could_be_given_up(edit.entries.clone());
    Ok(Weighed { placement, considered, slack, padding, wanted_in_padding, redundant })
}

/// A way to make room, or what it is short of.
type Tried = (Strategy, Result<Placement, Short>);

/// Takes the least invasive of the `ways` that can be gone, and says of each why or why not.
fn choose(ways: [Tried; 6], dear: bool) -> (Option<Placement>, Vec<Considered>) {
    let inserts = |way: &Result<Placement, Short>| way.as_ref().is_ok_and(|placement| placement.insertion.is_some());
    // A segment of its own costs the file nothing but the strings; an inserted page moves all that is behind it.
    let padding_first = ways.iter().any(|(strategy, way)| *strategy == RelroPadding && !inserts(way));
    let order = if padding_first {
        [InPlace, RelroPadding, StringsSegment, RelroPaddingAndSegment, Appended, DynamicMoved]
    } else if dear {
        [InPlace, StringsSegment, Appended, RelroPadding, RelroPaddingAndSegment, DynamicMoved]
    } else {
        [InPlace, StringsSegment, RelroPadding, RelroPaddingAndSegment, Appended, DynamicMoved]
    };
    let works = |strategy: &Strategy| ways.iter().any(|(one, way)| one == strategy && way.is_ok());
    let chosen = order.into_iter().find(works);
    let mut placement = None;
    let consider = |(strategy, way): Tried| {
        let (verdict, need, room, why) = match way {
            Ok(found) if Some(strategy) == chosen => {
                placement = Some(found);
                (Verdict::Chosen, None, None, describe(strategy).to_owned())
            }
            Ok(found) => (Verdict::NotNeeded, None, None, why_not(strategy, &found, chosen)),
            Err(Short { verdict, need, room, why }) => (verdict, need, room, why),
        };
        Considered { strategy, verdict, need, room, why }
    };
    let considered = ways.into_iter().map(consider).collect();
    (placement, considered)
}

/// Why another way was taken than this, which could be gone.
fn why_not(strategy: Strategy, found: &Placement, chosen: Option<Strategy>) -> String {
    match found.insertion {
        Some(page) if chosen > Some(strategy) => {
            format!("it would insert {} bytes and move all that is behind them", page.length)
        }
        _ => "a less invasive way will do".to_owned(),
    }
}

/// Why each of the entries could be given up that are not needed.
fn could_be_given_up(mut entries: Vec<Valued>) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < redundant::MOST
        && let Some(one) = redundant::said_twice(&entries).or_else(|| redundant::hint(&entries))
    {
        entries.remove(one.number);
        found.push(one.why);
    }
    found
}

/// Bytes that the interpreter's name can take where it is.
pub(super) fn interpreter_room(facts: &Facts) -> u64 {
    let segment = facts.interpreter.as_ref().and_then(|found| facts.tables.segments.get(found.segment));
    segment.map_or(0, |segment| segment.p_filesz)
}

/// `entries` without as many that can be given up as is needed for the rest to fit; else the entries needed and those there
/// is room for.
fn fitting(facts: &Facts, entries: &[Valued], with_hints: bool) -> Fitting {
    let capacity = facts.tables.dynamic.len() as u64 + facts.tables.dynamic_nulls.saturating_sub(1);
    let (mut left, mut given_up) = (entries.to_vec(), Vec::new());
    if left.len() as u64 > capacity.saturating_add(redundant::MOST as u64) {
        return Err((left.len() as u64, capacity));
    }
    while left.len() as u64 > capacity {
        let hint = || redundant::hint(&left).filter(|_| with_hints);
        let Some(one) = redundant::said_twice(&left).or_else(hint) else {
            return Err((left.len() as u64, capacity));
        };
        if left.get(one.number).is_some_and(is_new) {
            return Err((left.len() as u64, capacity));
        }
        left.remove(one.number);
        // A new entry in its place leaves the others where they are.
        if let Some(new) = left.pop_if(|last| last.2.old.is_none() && last.0 != DT_NEEDED) {
            left.insert(one.number.min(left.len()), new);
        }
        given_up.push(one.why);
    }
    Ok((left, given_up))
}

impl Lack<'_> {
    fn placement(&self, strategy: Strategy, entries: &[Valued], given_up: &[String]) -> Placement {
        let (entries, given_up) = (entries.to_vec(), given_up.to_vec());
        Placement { strategy, entries, given_up, insertion: None, padding: None, segment: None }
    }

    fn in_place(&self, slack: u64) -> Result<Placement, Short> {
        if self.strings {
            let need = self.edit.strings.added().len() as u64;
            return Err(Short::of_room(need, slack, "the new strings do not fit behind .dynstr"));
        }
        if let Some(need) = self.interpreter {
            return Err(Short::of_room(need, interpreter_room(self.facts), "the interpreter's name does not fit"));
        }
        let (entries, given_up) = self.entries.as_ref().map_err(|short| self.full(*short))?;
        Ok(self.placement(InPlace, entries, given_up))
    }

    fn full(&self, (need, room): (u64, u64)) -> Short {
        let size = self.facts.dynamic_entry();
        Short::of_room((need + 1) * size, (room + 1) * size, ".dynamic is full")
    }

    /// What does not fit where it is, as pieces: .dynamic unless `entries` fit, the interpreter, the strings last, since
    /// they may grow again.
    fn pieces(&self, entries: &Fitting) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if entries.is_err() {
            pieces.push(dynamic_piece(self.facts, self.edit.entries.len() as u64));
        }
        pieces.extend(self.interpreter.map(|length| interpreter_piece(self.facts, length)));
        pieces.extend(self.strings.then(|| strings_piece(self.facts, self.edit.strings.size())));
        pieces
    }

    fn padding(&self, padding: &Result<Padding, NoPadding>) -> Result<Placement, Short> {
        let filled = self.fill(padding, self.pieces(&self.entries))?;
        let (entries, given_up) = self.entries.clone().unwrap_or_else(|_| (self.edit.entries.clone(), Vec::new()));
        let mut placement = self.placement(RelroPadding, &entries, &given_up);
        placement.insertion = insertion(&filled)?;
        placement.padding = Some(filled);
        Ok(placement)
    }

    fn padding_and_segment(&self, padding: &Result<Padding, NoPadding>) -> Result<Placement, Short> {
        if self.entries.is_ok() {
            return Err(Short::needless(".dynamic fits where it is"));
        }
        if !self.strings && self.interpreter.is_none() {
            return Err(Short::needless("nothing needs a segment"));
        }
        let filled = self.fill(padding, vec![dynamic_piece(self.facts, self.edit.entries.len() as u64)])?;
        let mut placement = self.placement(RelroPaddingAndSegment, &self.edit.entries, &[]);
        placement.insertion = insertion(&filled)?;
        let shifted = placement.insertion.map(|insertion| shift::facts(self.facts, &filled.padding, insertion));
        placement.segment = Some(self.layout(shifted.as_ref().unwrap_or(self.facts), None)?);
        placement.padding = Some(filled);
        Ok(placement)
    }

    fn strings_segment(&self) -> Result<Placement, Short> {
        if !self.strings && self.interpreter.is_none() {
            return Err(Short::needless("no string needs room"));
        }
        let (entries, given_up) = self.entries.as_ref().map_err(|short| self.full(*short))?;
        let grows = growing_segment(self.facts, self.interpreter.is_some()).is_some();
        if !grows && !matches!(header_room(self.facts), HeaderRoom::Unused(_) | HeaderRoom::PhdrEntry(_)) {
            return Err(Short::because("no program header can be given up for a new segment"));
        }
        let mut placement = self.placement(StringsSegment, entries, given_up);
        placement.segment = Some(self.layout(self.facts, None)?);
        Ok(placement)
    }

    fn appended(&self, in_relro: bool) -> Result<Placement, Short> {
        if !self.strings && self.interpreter.is_none() {
            return Err(Short::needless("no string needs room"));
        }
        // Where .dynamic is not protected, moving it loses less than a hint.
        let entries = if in_relro { &self.giving_up_hints } else { &self.entries };
        let (entries, given_up) = entries.as_ref().map_err(|short| self.full(*short))?;
        let mut placement = self.placement(Appended, entries, given_up);
        placement.segment = Some(self.layout(self.facts, None)?);
        Ok(placement)
    }

    fn dynamic_moved(&self, refused: bool) -> Result<Placement, Short> {
        if refused {
            return Err(Short::because("it would take .dynamic out of RELRO, which was not to be"));
        }
        let mut placement = self.placement(DynamicMoved, &self.edit.entries, &[]);
        placement.segment = Some(self.layout(self.facts, Some(self.edit.entries.len() as u64))?);
        Ok(placement)
    }

    fn layout(&self, facts: &Facts, dynamic: Option<u64>) -> Result<Layout, Short> {
        let demand = Demand {
            strings: self.strings.then(|| self.edit.strings.size()),
            dynamic,
            strings_size: self.edit.strings.size(),
            interpreter: self.interpreter,
            page_size: self.page_size,
        };
        Layout::of(facts, demand).map_err(|stop| match stop {
            Stop::Refusal(refusal) => {
                Short { verdict: Verdict::Refused, need: refusal.need, room: refusal.room, why: refusal.reason }
            }
            Stop::Error(error) => Short::because(error.to_string()),
        })
    }

    fn fill(&self, padding: &Result<Padding, NoPadding>, pieces: Vec<Piece>) -> Result<Filled, Short> {
        let padding = padding.as_ref().map_err(|why| Short::because(*why))?;
        if let Some(filled) = self.grow_strings(padding, &pieces) {
            return Ok(filled);
        }
        let entry = self.facts.dynamic_entry();
        let least = (self.edit.entries.len() as u64 + 1) * entry;
        for spare in (0..=SPARE).rev() {
            let (mut at, mut placed) = (0, pieces.clone());
            for piece in &mut placed {
                if piece.content == Content::Dynamic {
                    piece.length = least + spare * entry;
                }
                let address = padding.address.saturating_add(at);
                let gap = address.next_multiple_of(piece.align.max(1)) - address;
                piece.address = address + gap;
                piece.offset = padding.offset.saturating_add(at + gap);
                at = at.saturating_add(gap).saturating_add(piece.length);
            }
            if at <= padding.room {
                return Ok(Filled { padding: padding.clone(), pieces: placed, taken: at });
            }
            if spare == 0 {
                return Err(Short::of_room(at, padding.room, "the padding behind RELRO's bytes is too small"));
            }
        }
        Err(Short::because("the padding behind RELRO's bytes is too small"))
    }
}

/// Bytes of alignment that can stand between the strings and the end of the segment's bytes.
const LAST_GAP: u64 = 8;

impl Lack<'_> {
    /// The strings grown where they are, if an earlier edit put them at the end of RELRO's bytes and only they lack room.
    fn grow_strings(&self, padding: &Padding, pieces: &[Piece]) -> Option<Filled> {
        let [strings] = pieces else { return None };
        let facts = self.facts;
        let end = facts.strings_offset.checked_add(facts.strings.len() as u64)?;
        let gap = padding.offset.checked_sub(end)?;
        let taken = strings.length.checked_sub(facts.strings.len() as u64 + gap)?;
        let (offset, address) = (facts.strings_offset, facts.strings_address);
        let in_step = address.checked_add(padding.offset - offset) == Some(padding.address);
        let is_last = in_step && gap < LAST_GAP && strings.content == Content::Strings && taken <= padding.room;
        let piece = Piece { offset, address, ..*strings };
        is_last.then(|| Filled { padding: padding.clone(), pieces: vec![piece], taken })
    }
}

fn insertion(filled: &Filled) -> Result<Option<Insertion>, Short> {
    let padding = &filled.padding;
    if filled.taken <= padding.free {
        return Ok(None);
    }
    match padding.insertion {
        Some(insertion) if insertion.length >= filled.taken => Ok(Some(insertion)),
        _ => Err(Short::because("nothing can be inserted into the file behind RELRO's bytes")),
    }
}

fn describe(strategy: Strategy) -> &'static str {
    match strategy {
        InPlace => "everything fits where it is",
        RelroPadding => "it fits into the padding behind RELRO's bytes",
        RelroPaddingAndSegment => ".dynamic fits into the padding behind RELRO's bytes",
        StringsSegment => "only strings need room, and a program header is to be had",
        Appended => ".dynamic stays where it is",
        DynamicMoved => "nothing less will do",
    }
}
