//! The search for texts that look like library names: every mark of such a name (`.so`, `.dll`) in data that nothing writes
//! to, with the text around it. Where the name begins and ends is decided by others.

use super::names::mark_at;
use super::places::Place;
use crate::engine::binary::Format;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};

/// Bytes that are read at once.
const WINDOW: u64 = 1 << 20;
/// So many letters before a mark are kept.
const BEFORE: usize = 512;
/// So many letters from a mark on are kept.
const BEHIND: usize = 128;
/// More marks than this are counted, and not kept.
const MOST_MARKS: usize = 20_000;

/// A mark of a library's name, and the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The number of its place.
    pub(super) place: usize,
    /// The address of the text's first byte.
    pub(super) address: u64,
    /// The text's letters, without the end marks around it.
    pub(super) text: Vec<u8>,
    /// Where in it the mark begins.
    pub(super) at: usize,
    /// How many bytes a letter takes: 1, or 2 for UTF-16.
    pub(super) width: u64,
    /// Whether the text ends with a NUL, and begins behind one or at the head of its place: a text of C.
    pub(super) is_closed: bool,
}

/// The marks in `places`, by address, and how many more there are than are kept.
///
/// # Errors
/// [`crate::engine::Error::Io`], [`crate::engine::Error::Malformed`] when the file has become shorter,
/// [`crate::engine::Error::Cancelled`].
pub(super) fn marks(
    places: &[Place],
    format: Format,
    source: &dyn ReadAt,
    context: &Context,
) -> Result<(Vec<Mark>, u64)> {
    let (mut found, mut more) = (Vec::new(), 0);
    context.expect(places.iter().map(|place| place.length).sum());
    let margin = (BEFORE.max(BEHIND) * 2 + 2) as u64;
    for (number, place) in places.iter().enumerate() {
        let mut at = 0;
        while at < place.length {
            let end = (at + WINDOW).min(place.length);
            context.advance(end - at)?;
            let (from, to) = (at.saturating_sub(margin), (end + margin).min(place.length));
            let bytes = source.bytes(place.offset + from, to - from)?;
            let window = Window { bytes: &bytes, is_head: from == 0, is_tail: to == place.length, format };
            let (first, last) = ((at - from) as usize, (end - from) as usize);
            for dot in memchr::memchr_iter(b'.', bytes.get(first..last).unwrap_or_default()) {
                let Some((start, mark)) = window.mark(first + dot) else { continue };
                if found.len() == MOST_MARKS {
                    more += 1;
                    continue;
                }
                found.push(Mark { place: number, address: place.address.saturating_add(from + start as u64), ..mark });
            }
            at = end;
        }
    }
    Ok((found, more))
}

/// A part of a place.
struct Window<'a> {
    bytes: &'a [u8],
    is_head: bool,
    is_tail: bool,
    format: Format,
}

impl Window<'_> {
    /// The mark that begins with the dot at `dot`, and where its text begins; `None` where none does.
    fn mark(&self, dot: usize) -> Option<(usize, Mark)> {
        if mark_at(self.bytes, dot, self.format).is_some() {
            return self.narrow(dot);
        }
        if self.format == Format::Pe && self.bytes.get(dot + 1) == Some(&0) { self.wide(dot) } else { None }
    }

    fn narrow(&self, dot: usize) -> Option<(usize, Mark)> {
        let before = self.bytes.get(..dot)?.iter().rev().take(BEFORE).take_while(|byte| is_text(**byte)).count();
        let behind = self.bytes.get(dot..)?.iter().take(BEHIND).take_while(|byte| is_text(**byte)).count();
        let (start, end) = (dot - before, dot + behind);
        let opened = match start.checked_sub(1).and_then(|at| self.bytes.get(at)) {
            Some(byte) => *byte == 0,
            None => self.is_head,
        };
        let closed = self.bytes.get(end).map_or(self.is_tail, |byte| *byte == 0);
        let text = self.bytes.get(start..end)?.to_vec();
        Some((start, Mark { place: 0, address: 0, text, at: before, width: 1, is_closed: opened && closed }))
    }

    /// The same in UTF-16, of which letters of other alphabets are left out.
    fn wide(&self, dot: usize) -> Option<(usize, Mark)> {
        let letter = |at: usize| {
            let pair = self.bytes.get(at..at.checked_add(2)?)?;
            matches!(pair, [byte, 0] if is_text(*byte)).then(|| pair.first().copied()).flatten()
        };
        let mut start = dot;
        while (dot - start) / 2 < BEFORE && start.checked_sub(2).and_then(letter).is_some() {
            start -= 2;
        }
        let text: Vec<u8> = (start..).step_by(2).map_while(letter).take((dot - start) / 2 + BEHIND).collect();
        let at = (dot - start) / 2;
        mark_at(&text, at, self.format)?;
        let end = start + text.len() * 2;
        let opened = match start.checked_sub(2).and_then(|before| self.bytes.get(before..start)) {
            Some(pair) => pair == [0, 0],
            None => self.is_head,
        };
        let closed = self.bytes.get(end..end + 2).map_or(self.is_tail, |pair| pair == [0, 0]);
        Some((start, Mark { place: 0, address: 0, text, at, width: 2, is_closed: opened && closed }))
    }
}

/// Whether `byte` may stand in a text; what is no ASCII may be UTF-8.
fn is_text(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f
}
