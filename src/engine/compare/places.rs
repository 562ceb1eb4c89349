//! Where in a file the user wants to go: an offset, an address in memory, a section or a symbol by its name.
//!
//! A symbol is sought through its name: where the string table holds it, then which symbol names that place. Both are read
//! in windows, so that a table of any size costs time but no memory.

mod elf;
mod macho;
mod names;
mod pe;

use super::aligned::Which;
use crate::engine::binary::{Format, sniff};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};

/// A place as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file that is meant; the first, or else the second, when it is not said.
    pub which: Option<Which>,
    /// The place in it.
    pub spot: Spot,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// An offset in bytes.
    Offset(u64),
    /// An address in memory.
    Address(u64),
    /// A section or a symbol.
    Named(String),
}

/// A place that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its offset in bytes.
    pub offset: u64,
    /// What it is: `section .text`.
    pub what: String,
}

/// The file that a text means by beginning with `a:` or `b:`, and the rest. A name of Rust's such as `a::b` is none.
#[must_use]
pub fn of_file(text: &str) -> (Option<Which>, &str) {
    let meant = [("a:", Which::A), ("b:", Which::B)].into_iter().find_map(|(mark, which)| {
        let rest = text.strip_prefix(mark)?;
        (!rest.starts_with(':')).then_some((Some(which), rest))
    });
    meant.unwrap_or((None, text))
}

impl Target {
    /// What a text means: `0x1f40` or `8000` an offset, `@0x401000` an address, anything else a name; behind `a:` or `b:` in
    /// that file.
    ///
    /// # Errors
    /// Why it is none, as a sentence without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (which, text) = of_file(text.trim());
        let text = text.trim();
        let spot = match text.strip_prefix('@') {
            Some(address) => {
                Spot::Address(number(address).ok_or_else(|| format!("{address:?} is no address: @0x401000 would be"))?)
            }
            None if text.is_empty() => return Err("nothing was typed".into()),
            None => number(text).map_or_else(|| Spot::Named(text.to_owned()), Spot::Offset),
        };
        Ok(Self { which, spot })
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Where `spot` lies in `source`; `None` when it does not.
///
/// # Errors
/// [`crate::engine::Error::Io`]; [`crate::engine::Error::Malformed`] for a damaged file, unless an offset is sought;
/// [`crate::engine::Error::Cancelled`].
pub fn place(source: &dyn ReadAt, spot: &Spot, context: &Context) -> Result<Option<Found>> {
    if let Spot::Offset(offset) = spot {
        let found = Found { offset: *offset, what: format!("offset {offset:#x}") };
        return Ok((*offset < source.size()).then_some(found));
    }
    Ok(match sniff(source)? {
        Some(Format::Elf) => elf::place(source, spot, context)?,
        Some(Format::MachO) => macho::place(source, spot, context)?,
        Some(Format::Pe) => pe::place(source, spot, context)?,
        None => None,
    }
    .filter(|found| found.offset < source.size()))
}

fn section(name: &str, offset: u64) -> Found {
    Found { offset, what: format!("section {name}") }
}

fn symbol(name: &str, offset: u64) -> Found {
    Found { offset, what: format!("symbol {name}") }
}

fn address(address: u64, offset: u64) -> Found {
    Found { offset, what: format!("address {address:#x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_place_is_an_offset_an_address_or_a_name() {
        let spot = |text: &str| Target::parse(text).map(|target| (target.which, target.spot));
        assert_eq!(spot(" 0x1F "), Ok((None, Spot::Offset(31))));
        assert_eq!(spot("b: 31"), Ok((Some(Which::B), Spot::Offset(31))));
        assert_eq!(spot("@0x401000"), Ok((None, Spot::Address(0x40_1000))));
        assert_eq!(spot("a:.text"), Ok((Some(Which::A), Spot::Named(".text".into()))));
        assert_eq!(spot("a::b"), Ok((None, Spot::Named("a::b".into()))));
        assert!(spot("@main").unwrap_err().contains("no address"));
        assert!(spot("a: ").is_err());
    }
}
