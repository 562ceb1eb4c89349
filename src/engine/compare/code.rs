//! Which function or variable the bytes of a run belong to: `code in foo::bar +0x1c`.
//!
//! The symbol table is walked once for all runs, and only what belongs to a run is kept, so that a library with a million
//! symbols costs a walk and no memory. Names are read when they are told.

use super::alignment::ByteRun;
use super::layout::Layout;
use super::meaning::{Side, pieces};
use crate::engine::Result;
use crate::engine::binary::record::name_at;
use crate::engine::code::demangled;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::{Class, RunKind};
use std::fmt::Debug;
use std::num::NonZeroU32;

/// A longer name is cut.
const LONGEST_NAME: usize = 160;

/// A symbol that has bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// The offset of its first byte.
    pub start: u64,
    /// Its size in bytes; 0 where the file does not say, so that it reaches up to the next symbol.
    pub size: u32,
    /// The place of its name among the names; a symbol without one is none that can be told.
    pub name: NonZeroU32,
}

/// Where names lie: the offset of the first, and the end of the last.
pub type Names = (u64, u64);

/// The symbols of one file.
pub trait Symbols: Debug + Send + Sync {
    /// Calls `visit` for every function and variable that has bytes in the file; where the file has two tables, for those
    /// of the fuller one. Where their names lie is the answer.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when a table leads out of the file, [`crate::engine::Error::Io`].
    fn each(&self, source: &dyn ReadAt, visit: &mut dyn FnMut(Symbol)) -> Result<Names>;
}

/// The symbols of the places that were asked for.
#[derive(Debug, Default)]
pub struct Named {
    places: Vec<u64>,
    symbols: Vec<Option<Symbol>>,
    names: Names,
}

/// What is known of the symbols that begin behind the place before, and not behind this one.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The last to begin of those that reach the place.
    nearest: Option<Symbol>,
    /// The one of them that reaches furthest.
    furthest: Option<Symbol>,
    /// The last one of unknown size.
    open: Option<Symbol>,
    /// Where the last of all begins.
    last: Option<u64>,
}

impl Symbol {
    fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.size))
    }
}

impl Named {
    /// The symbols of `source` in which `places` lie.
    ///
    /// # Errors
    /// As [`Symbols::each`].
    pub fn find(source: &dyn ReadAt, symbols: &dyn Symbols, mut places: Vec<u64>) -> Result<Self> {
        places.sort_unstable();
        places.dedup();
        let Some(last) = places.last().copied() else { return Ok(Self::default()) };
        let mut slots = vec![Slot::default(); places.len()];
        let names = symbols.each(source, &mut |symbol| {
            if symbol.start > last {
                return;
            }
            let index = places.partition_point(|place| *place < symbol.start);
            if let Some((slot, place)) = slots.get_mut(index).zip(places.get(index)) {
                slot.take(symbol, *place);
            }
        })?;
        let (mut around, mut open, mut begun): (Vec<Symbol>, Option<Symbol>, Option<u64>) = (Vec::new(), None, None);
        let mut found = Vec::with_capacity(places.len());
        for (slot, place) in slots.iter().zip(&places) {
            // Symbols lie within others, in the order in which they begin; one that ended is none of any later place.
            around.extend(slot.furthest.filter(|furthest| Some(*furthest) != slot.nearest));
            around.extend(slot.nearest);
            while around.last().is_some_and(|symbol| symbol.end() <= *place) {
                around.pop();
            }
            open = slot.open.or(open);
            begun = slot.last.or(begun);
            found.push(around.last().copied().or(open.filter(|open| Some(open.start) == begun)));
        }
        Ok(Self { places, symbols: found, names })
    }

    fn at(&self, place: u64) -> Option<Symbol> {
        let index = match self.places.binary_search(&place) {
            Ok(index) => return self.symbols.get(index).copied().flatten(),
            Err(index) => index,
        };
        // What was found for a place nearby holds here too, if it reaches here.
        let around = [index.checked_sub(1), Some(index)].into_iter().flatten();
        let mut symbols = around.filter_map(|index| self.symbols.get(index).copied().flatten());
        symbols.find(|symbol| (symbol.start..symbol.end()).contains(&place))
    }
}

impl Slot {
    fn take(&mut self, symbol: Symbol, place: u64) {
        self.last = self.last.max(Some(symbol.start));
        // Of several at one place the last of the table stays, since the global ones stand last.
        if symbol.size == 0 {
            if self.open.is_none_or(|open| symbol.start >= open.start) {
                self.open = Some(symbol);
            }
        } else if symbol.end() > place {
            if self.nearest.is_none_or(|nearest| symbol.start >= nearest.start) {
                self.nearest = Some(symbol);
            }
            if self.furthest.is_none_or(|furthest| symbol.end() > furthest.end()) {
                self.furthest = Some(symbol);
            }
        }
    }
}

/// Looks up the symbols of all `runs` in both files.
///
/// # Errors
/// [`crate::engine::Error::Io`]; where a symbol table is damaged its symbols are not told.
pub fn look_up(
    (a, ours): (&mut Layout, &dyn ReadAt),
    (b, theirs): (&mut Layout, &dyn ReadAt),
    runs: &[ByteRun],
) -> Result<()> {
    let (mut in_a, mut in_b) = (Vec::new(), Vec::new());
    for piece in runs.iter().flat_map(|run| pieces(a, b, *run)) {
        let ends = |start| [start, start + piece.len - 1];
        if piece.kind != RunKind::Inserted && holds_symbols(a, piece.a) {
            in_a.extend(ends(piece.a));
        }
        if piece.kind != RunKind::Removed && holds_symbols(b, piece.b) {
            in_b.extend(ends(piece.b));
        }
    }
    a.name(ours, in_a)?;
    b.name(theirs, in_b)
}

/// Whether functions or variables lie at `offset`.
fn holds_symbols(layout: &Layout, offset: u64) -> bool {
    layout.part_at(offset).is_some_and(|part| matches!(part.class, Class::Code | Class::Data))
}

/// What bytes belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A function or a variable: `code in foo::bar +0x1c`.
    Symbol(String),
    /// A section, and the place in it: `.text +0x1c at address 0x101c`.
    Section(String),
}

/// What the `len` bytes at `offset` belong to.
#[must_use]
pub fn owner(side: &Side<'_>, offset: u64, len: u64) -> Option<Owner> {
    let part = side.layout.part_at(offset)?;
    let symbol = |place| {
        let symbol = side.layout.named().at(place)?;
        // What has no size does not reach over the end of its section.
        let inside = symbol.size > 0 || side.layout.part_at(symbol.start).is_some_and(|other| other == part);
        let (names, end) = side.layout.named().names;
        let name = name_at(side.source, names.saturating_add(u64::from(symbol.name.get())), end).ok();
        let name = name.filter(|name| !name.is_empty() && inside)?;
        Some((clipped(demangled(&name.to_text())), place - symbol.start))
    };
    let kind = if part.class == Class::Code { "code in" } else { "data of" };
    let last = offset.saturating_add(len).saturating_sub(1);
    Some(match (symbol(offset), symbol(last)) {
        (Some((first, at)), Some((last, end))) if first != last => {
            Owner::Symbol(format!("{kind} {first} +{at:#x} to {last} +{end:#x}"))
        }
        (Some((name, at)), _) => Owner::Symbol(format!("{kind} {name} +{at:#x}")),
        (None, _) => {
            let address = side.layout.address_of(offset).map(|address| format!(" at address {address:#x}"));
            Owner::Section(format!("{} +{:#x}{}", part.name, offset - part.start, address.unwrap_or_default()))
        }
    })
}

fn clipped(mut name: String) -> String {
    if let Some((end, _)) = name.char_indices().nth(LONGEST_NAME) {
        name.truncate(end);
        name.push_str("...");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[derive(Debug)]
    struct List(Vec<(u64, u32)>);

    impl Symbols for List {
        fn each(&self, _: &dyn ReadAt, visit: &mut dyn FnMut(Symbol)) -> Result<Names> {
            for (number, (start, size)) in self.0.iter().enumerate() {
                let name = NonZeroU32::new(number as u32 + 1).unwrap();
                visit(Symbol { start: *start, size: *size, name });
            }
            Ok((0, 0))
        }
    }

    #[test]
    fn each_place_gets_the_symbol_around_it_that_begins_last() {
        // Out of order, one within another, two without a size, one with two names.
        let list = List(vec![(100, 10), (10, 50), (20, 5), (200, 0), (300, 8), (300, 8), (400, 0), (5, 1000)]);
        let list = &List(list.0.into_iter().take(7).collect());
        let source = MemoryBytes::new("a".into(), Vec::new());
        let places = vec![9, 10, 22, 24, 25, 59, 60, 105, 110, 150, 205, 299, 301, 308, 500];
        let named = Named::find(&source, list, places.clone()).unwrap();
        let found: Vec<Option<u32>> =
            places.iter().map(|place| named.at(*place).map(|symbol| symbol.name.get() - 1)).collect();
        let expected = [
            None,
            Some(1),
            Some(2),
            Some(2),
            Some(1),
            Some(1),
            None,
            Some(0),
            None,
            None,
            Some(3),
            Some(3),
            Some(5),
            None,
            Some(6),
        ];
        assert_eq!(found, expected);
        let nearby = |place| named.at(place).map(|symbol| symbol.name.get() - 1);
        assert_eq!((nearby(11), nearby(309)), (Some(1), None), "places that were not asked for");
    }
}
