//! The plain words for how an edit fits: ways, places, verdicts, RELRO, costs. Commands and panels use the same.
//!
//! Which of them is a warning, and in which colour, is left to whoever shows them.

use super::fit::{Considered, Fit, RelroFate, Room, RoomPlace, Strategy, Verdict};
use super::picture::Change;
use super::words::grouped;

/// A way of making room.
#[must_use]
pub const fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::InPlace => "in place",
        Strategy::RelroPadding => "in the RELRO padding",
        Strategy::RelroPaddingAndSegment => ".dynamic in the RELRO padding, strings in a new segment",
        Strategy::StringsSegment => "strings in a new read-only segment",
        Strategy::Appended => "in a new segment at the end",
        Strategy::DynamicMoved => ".dynamic moved out of RELRO, into a new segment",
    }
}

/// The chosen way, and what it does to the file's length: `in the RELRO padding, one page inserted`.
#[must_use]
pub fn chosen(fit: &Fit) -> String {
    let way = strategy(fit.strategy);
    let Some(inserted) = fit.inserted else { return way.to_owned() };
    match inserted.length {
        0x1000 | 0x4000 | 0x1_0000 => format!("{way}, one page inserted"),
        length => format!("{way}, {} inserted", count(length)),
    }
}

/// By how much the file's length changes: `the file grows by 4 096 bytes`.
#[must_use]
pub fn growth(fit: &Fit) -> String {
    let (before, after) = (fit.before.size, fit.after.size);
    match after.checked_sub(before) {
        Some(0) => "the file keeps its length".to_owned(),
        Some(more) => format!("the file grows by {}", count(more)),
        None => format!("the file loses {}", count(before - after)),
    }
}

/// What becomes of `.dynamic` under RELRO.
#[must_use]
pub const fn relro(fate: RelroFate) -> &'static str {
    match fate {
        RelroFate::None => "no RELRO over .dynamic, before or after",
        RelroFate::Kept => "RELRO kept",
        RelroFate::Lost => "RELRO lost",
    }
}

/// A place with room.
#[must_use]
pub const fn place(place: RoomPlace) -> &'static str {
    match place {
        RoomPlace::SpareEntries => "spare entries",
        RoomPlace::RedundantEntries => "redundant entries",
        RoomPlace::UnusedStrings => "unused strings",
        RoomPlace::StringSlack => "behind .dynstr",
        RoomPlace::Interpreter => "interpreter",
        RoomPlace::RelroPadding => "RELRO padding",
        RoomPlace::ProgramHeaders => "program headers",
        RoomPlace::OwnSegment => "own segment",
    }
}

/// Whether a place is enough: `fits`, `short by 24`, `not needed`.
#[must_use]
pub fn enough(room: &Room) -> String {
    match room.need {
        None => "not needed".to_owned(),
        Some(need) => match need.checked_sub(room.room) {
            None | Some(0) => "fits".to_owned(),
            Some(short) => format!("short by {}", grouped(short)),
        },
    }
}

/// What became of a way.
#[must_use]
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Chosen => "chosen",
        Verdict::Refused => "refused",
        Verdict::NotNeeded => "not needed",
    }
}

/// Why a way is taken or not, with the figures where room is what matters: `too few entries (needs 32 bytes, has 16)`.
#[must_use]
pub fn why(way: &Considered) -> String {
    match (way.need, way.room) {
        (Some(need), Some(room)) if way.why.is_empty() => format!("needs {}, has {}", count(need), grouped(room)),
        (Some(need), Some(room)) => format!("{} (needs {}, has {})", way.why, count(need), grouped(room)),
        _ => way.why.clone(),
    }
}

/// What became of a part of a layout: `moved`; nothing for what is as it was.
#[must_use]
pub const fn change(change: Change) -> &'static str {
    match change {
        Change::Same => "",
        Change::Shifted => "higher",
        Change::Moved => "moved",
        Change::Grown => "grown",
        Change::Shrunk => "shrunk",
        Change::Flags => "flags",
        Change::New => "new",
        Change::Gone => "gone",
    }
}

/// `1 byte`, `4 096 bytes`.
#[must_use]
pub fn count(bytes: u64) -> String {
    format!("{} {}", grouped(bytes), if bytes == 1 { "byte" } else { "bytes" })
}
