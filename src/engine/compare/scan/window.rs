//! What differs in one task: its bytes read, and the runs found, or only counted once enough are listed.
//!
//! What is found is kept short, 12 bytes a run, since it waits until the tasks before it are done.

use super::order::{Item, Task};
use crate::engine::Result;
use crate::engine::compare::alignment::{ByteRun, Pair};
use crate::engine::compare::listed::Listed;
use crate::engine::file::Windows;
use crate::engine::report::diff::RunKind;

/// Stretches of this many bytes are compared as slices before single bytes are. At most 255: they are counted in a byte.
const STRETCH: usize = 128;
/// A word of this many bytes is compared at once.
const WORD: usize = 8;

/// How much has to be known of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Each of them.
    Runs,
    /// How many they are, and how many bytes in each part of the map, which has so many bytes.
    Counts(u64),
}

/// A run, or several that are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// Where it begins, from the task's begin in the first file.
    at: u32,
    /// How many bytes differ.
    bytes: u32,
    /// How many runs these are.
    runs: u32,
}

/// What a task came to.
#[derive(Debug, Default)]
pub struct Finished {
    found: Vec<Found>,
    /// Bytes that were compared.
    pub compared: u64,
}

/// What a thread reads into.
#[derive(Debug, Default)]
pub struct Buffers {
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

/// Reads and compares what belongs to `task`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a file ends before the task does, [`crate::engine::Error::Io`].
pub fn look(a: &Windows, b: &Windows, task: &Task, detail: Detail, buffers: &mut Buffers) -> Result<Finished> {
    let mut finished = Finished::default();
    if task.a.1 == 0 {
        return Ok(finished);
    }
    let ours = filled(a, task.a, &mut buffers.ours)?;
    let theirs = filled(b, task.b, &mut buffers.theirs)?;
    for item in &task.items {
        let Item::Pair(pair) = item else { continue };
        finished.compared += pair.len;
        let (one, other) = (part(ours, pair.a - task.a.0, pair.len), part(theirs, pair.b - task.b.0, pair.len));
        if one == other {
            continue;
        }
        let start = pair.a - task.a.0;
        match detail {
            Detail::Runs => list(start, one, other, &mut finished.found),
            Detail::Counts(unit) => by_part(pair, unit, one, other, |into, one, other| {
                count(start + into, one, other, &mut finished.found);
            }),
        }
    }
    Ok(finished)
}

/// The bytes of `file` from one place to another, in `buffer`.
fn filled<'b>(file: &Windows, range: (u64, u64), buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
    let length = usize::try_from(range.1 - range.0).unwrap_or_default();
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let buffer = buffer.get_mut(..length).unwrap_or_default();
    file.read_direct(range.0, buffer)?;
    Ok(buffer)
}

fn part(bytes: &[u8], start: u64, length: u64) -> &[u8] {
    let (start, length) = (usize::try_from(start).unwrap_or_default(), usize::try_from(length).unwrap_or_default());
    bytes.get(start..).and_then(|rest| rest.get(..length)).unwrap_or_default()
}

/// Hands the parts of a pair that lie in one part of the map each to `each`, with how far into the pair they begin.
fn by_part(pair: &Pair, unit: u64, one: &[u8], other: &[u8], mut each: impl FnMut(u64, &[u8], &[u8])) {
    let unit = unit.max(1);
    let mut into = 0;
    while into < pair.len {
        let at = pair.a + into;
        let length = (unit - at % unit).min(pair.len - into);
        let range = usize::try_from(into).unwrap_or_default()..usize::try_from(into + length).unwrap_or_default();
        if let (Some(one), Some(other)) = (one.get(range.clone()), other.get(range))
            && one != other
        {
            each(into, one, other);
        }
        into += length;
    }
}

/// Adds every run of `one` and `other`, which begin at `start`.
fn list(start: u64, one: &[u8], other: &[u8], found: &mut Vec<Found>) {
    let first = found.len();
    let mut add = |at: u64, length: usize| match found.get_mut(first..).and_then(<[Found]>::last_mut) {
        Some(run) if u64::from(run.at) + u64::from(run.bytes) == at => run.bytes += length as u32,
        _ => found.push(Found { at: at as u32, bytes: length as u32, runs: 1 }),
    };
    for (number, (one, other)) in one.chunks(STRETCH).zip(other.chunks(STRETCH)).enumerate() {
        if one == other {
            continue;
        }
        let start = start + (number * STRETCH) as u64;
        let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<WORD>(), other.as_chunks::<WORD>());
        for (number, (one, other)) in words.iter().zip(other_words).enumerate() {
            let at = start + (number * WORD) as u64;
            match differing(u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other)) {
                0 => {}
                EVERY => add(at, WORD),
                bits => {
                    (0..WORD).filter(|byte| bits >> (byte * 8) & 0x80 != 0).for_each(|byte| add(at + byte as u64, 1))
                }
            }
        }
        let at = start + (words.len() * WORD) as u64;
        for (into, _) in rest.iter().zip(other_rest).enumerate().filter(|(_, (one, other))| one != other) {
            add(at + into as u64, 1);
        }
    }
}

/// The highest bit of each byte of a word.
const EVERY: u64 = 0x8080_8080_8080_8080;

/// The highest bit of each byte of `word` that is not 0.
const fn differing(word: u64) -> u64 {
    (((word & !EVERY) + !EVERY) | word) & EVERY
}

/// Adds the first and the last run of `one` and `other`, which differ, and counts those between. The first and last may go
/// on in what lies before and behind.
fn count(start: u64, one: &[u8], other: &[u8], found: &mut Vec<Found>) {
    let (runs, bytes) = counted(one, other);
    // One run between them would pass for a run that begins where the first ends.
    if runs <= 3 {
        return list(start, one, other, found);
    }
    let is_other = |(one, other): (&u8, &u8)| one != other;
    let is_same = |(one, other): (&u8, &u8)| one == other;
    let begin = one.iter().zip(other).position(is_other).unwrap_or_default();
    let end = one.iter().zip(other).rposition(is_other).unwrap_or_default() + 1;
    let (one, other) = (one.get(begin..end).unwrap_or_default(), other.get(begin..end).unwrap_or_default());
    let first = one.iter().zip(other).position(is_same).unwrap_or_default();
    let last = one.iter().zip(other).rev().position(is_same).unwrap_or_default();
    let at = |into: usize| (start + into as u64) as u32;
    found.push(Found { at: at(begin), bytes: first as u32, runs: 1 });
    found.push(Found { at: at(begin + first), bytes: bytes - (first + last) as u32, runs: runs - 2 });
    found.push(Found { at: at(end - last), bytes: last as u32, runs: 1 });
}

/// How many runs and bytes differ. Without a branch a byte, so that the compiler takes many bytes at once.
fn counted(one: &[u8], other: &[u8]) -> (u32, u32) {
    let (mut runs, mut bytes) = (0, 0);
    // Which bytes of a stretch differ, behind the last of the stretch before.
    let mut differs = [0_u8; STRETCH + 1];
    for (one, other) in one.chunks(STRETCH).zip(other.chunks(STRETCH)) {
        if one == other {
            differs[0] = 0;
            continue;
        }
        let here = differs.get_mut(1..=one.len()).unwrap_or_default();
        for ((is, one), other) in here.iter_mut().zip(one).zip(other) {
            *is = u8::from(one != other);
        }
        let here = differs.get(1..=one.len()).unwrap_or_default();
        bytes += u32::from(here.iter().fold(0_u8, |sum, is| sum.wrapping_add(*is)));
        runs += u32::from(here.iter().zip(&differs).fold(0_u8, |sum, (is, was)| sum.wrapping_add(is & !was)));
        differs[0] = here.last().copied().unwrap_or_default();
    }
    (runs, bytes)
}

/// Adds what was found in `task` to `listed`, which has all that lies before it.
pub fn merge(task: &Task, finished: &Finished, listed: &mut Listed) {
    let mut found = finished.found.iter().peekable();
    for item in &task.items {
        let pair = match item {
            Item::Gap(run) => {
                listed.add(*run);
                continue;
            }
            Item::Pair(pair) => pair,
        };
        let end = pair.a + pair.len - task.a.0;
        while let Some(one) = found.next_if(|one| u64::from(one.at) < end) {
            let a = task.a.0 + u64::from(one.at);
            let run = ByteRun { kind: RunKind::Changed, a, b: pair.b + (a - pair.a), len: u64::from(one.bytes) };
            if one.runs == 1 {
                listed.add(run);
            } else {
                listed.add_counted(run, u64::from(one.runs));
            }
        }
    }
}
