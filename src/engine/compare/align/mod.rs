//! Which bytes of one file belong to which of another: the pairs of an [`Alignment`], found by structure or by content.
//!
//! Two binaries of one format and machine are set against each other part by part ([`structure`]); all other files by what
//! they hold ([`content`]). Where both ways leave less equal than the plain offsets do, the offsets stand. How much that is
//! is told by a look at 256 places of the files, so that the choice costs the same at any size.

mod chain;
mod chunks;
mod content;
mod elf_parts;
mod macho_parts;
mod pairs;
mod parts;
mod pe_parts;
mod sample;
mod structure;
mod unique;

use super::alignment::{Alignment, Pair};
use super::input::Input;
use crate::engine::binary::Binary;
use crate::engine::report::diff::AlignedBy;
use crate::engine::{Context, Result};
use content::{Aligner, Between};
use sample::equal_bytes;
use structure::by_structure;

/// Files of equal size stay aligned by offset when this part of them is equal so, without a further look.
const MOSTLY: f64 = 0.75;
/// Files of equal size are aligned by content when that makes at least this part of them more equal.
const MUCH_MORE: f64 = 0.25;
/// Alignment by structure stands if it leaves no more than one part in so many less equal than the offsets do.
const SLACK: u64 = 16;

/// Sets the bytes of `a` against those of `b`; `old` and `new` are the binaries that they hold, where they do. The way is
/// `asked`, or the one that leaves most bytes equal; where the way asked for can't be gone, it is by offset. Counts the bytes
/// that are read whole for it on `context`.
///
/// Files of equal size that are no binaries are set against each other by offset, unless less than three quarters are equal
/// so, and content makes another quarter of them equal.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a file shrinks meanwhile, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn align(
    a: &Input,
    b: &Input,
    old: Option<&Binary>,
    new: Option<&Binary>,
    asked: Option<AlignedBy>,
    context: &Context,
) -> Result<Alignment> {
    let plain = Alignment::by_offset(a.size(), b.size());
    if plain.pairs.is_empty() || asked == Some(AlignedBy::Offset) {
        return Ok(plain);
    }
    let equal = |pairs: &[Pair]| equal_bytes(&a.file, &b.file, pairs);
    if asked == Some(AlignedBy::Content) {
        return Ok(better(by_content(a, b, context)?, plain));
    }
    if let Some((old, new)) = old.zip(new)
        && let Some(found) = by_structure((a, old), (b, new), context)?
        && (asked.is_some() || found.pairs == plain.pairs || enough(&found, &plain, equal)?)
    {
        return Ok(better(found, plain));
    }
    if asked.is_some() {
        return Ok(plain);
    }
    content_if_better(a, b, plain, equal, context)
}

/// What was found, unless it is the offsets by another name.
fn better(found: Alignment, plain: Alignment) -> Alignment {
    if found.pairs == plain.pairs { plain } else { found }
}

/// Whether what was found leaves as much equal as the offsets do, but for what a look at a few places can't tell.
fn enough(found: &Alignment, plain: &Alignment, equal: impl Fn(&[Pair]) -> Result<u64>) -> Result<bool> {
    let slack = plain.paired() / SLACK;
    Ok(equal(&found.pairs)?.saturating_add(slack) >= equal(&plain.pairs)?)
}

fn by_content(a: &Input, b: &Input, context: &Context) -> Result<Alignment> {
    let mut aligner = Aligner::new(&a.file, &b.file, context);
    aligner.add(Between { a: (0, a.size()), b: (0, b.size()) })?;
    let pairs = aligner.pairs.into_list();
    Ok(Alignment { by: AlignedBy::Content, a_size: a.size(), b_size: b.size(), pairs, moved: Vec::new() })
}

fn content_if_better(
    a: &Input,
    b: &Input,
    plain: Alignment,
    equal: impl Fn(&[Pair]) -> Result<u64>,
    context: &Context,
) -> Result<Alignment> {
    let part = |part: f64| (plain.paired() as f64 * part) as u64;
    let same_size = a.size() == b.size();
    let in_place = if same_size { equal(&plain.pairs)? } else { 0 };
    if same_size && in_place >= part(MOSTLY) {
        return Ok(plain);
    }
    let found = by_content(a, b, context)?;
    let is_better = !same_size || equal(&found.pairs)? >= in_place.saturating_add(part(MUCH_MORE));
    Ok(if is_better { better(found, plain) } else { plain })
}
