//! The symbol table of a Mach-O image: its entries told on demand, and the symbol that an address belongs to.

use crate::engine::Result;
use crate::engine::binary::macho::{Image, kind};
use crate::engine::binary::record::{Record, name_at};
use crate::engine::binary::{Endian, Name};
use crate::engine::code::demangled;
use crate::engine::compare::item::Item;
use crate::engine::compare::tell::Fields;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::OnceLock;

/// At most this many symbols and function starts are kept to find addresses by; 16 bytes each.
const MOST_KEPT: usize = 1 << 20;
/// Symbols that are read at once.
const CHUNK: u64 = 4096;
/// More bytes of function starts than this are not looked at.
const MOST_START_BYTES: u64 = 4 << 20;

/// Where the symbols of an image lie. Addresses are looked up in a list that is made at the first question.
#[derive(Debug)]
pub(super) struct Symbols {
    end: u64,
    is_64: bool,
    endian: Endian,
    table: u64,
    count: u64,
    strings: u64,
    strings_size: u64,
    indirect: (u64, u64),
    starts: (u64, u64),
    base: u64,
    by_address: OnceLock<Vec<Known>>,
}

/// A place that a symbol or the list of function starts names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    address: u64,
    /// The symbol's number. Of several at one address an external one comes first, then local ones, marked so, and last a
    /// function start without a symbol.
    symbol: u32,
}

/// The mark of a symbol that is not external.
const LOCAL: u32 = 1 << 31;
const NAMELESS: u32 = u32::MAX;

/// What an address lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Within {
    /// The symbol, demangled; `None` where only the function's start is known.
    pub(super) name: Option<String>,
    /// Where it begins.
    pub(super) start: u64,
    /// Where the next one begins.
    pub(super) next: u64,
}

impl Symbols {
    /// The symbols of `image`, whose `__TEXT` is mapped at `base`; none where a load command is too short to say.
    pub(super) fn of(image: &Image<'_>, base: u64) -> Self {
        let field = |kind: u32, at: u64| match image.command(kind) {
            Some(command) => command.record.word(at).map_or(0, u64::from),
            None => 0,
        };
        let start = image.place.offset;
        Self {
            end: start.saturating_add(image.place.size),
            is_64: image.is_64,
            endian: image.endian,
            table: start.saturating_add(field(kind::LC_SYMTAB, 8)),
            count: field(kind::LC_SYMTAB, 12),
            strings: start.saturating_add(field(kind::LC_SYMTAB, 16)),
            strings_size: field(kind::LC_SYMTAB, 20),
            indirect: (start.saturating_add(field(kind::LC_DYSYMTAB, 56)), field(kind::LC_DYSYMTAB, 60)),
            starts: (start.saturating_add(field(kind::LC_FUNCTION_STARTS, 8)), field(kind::LC_FUNCTION_STARTS, 12)),
            base,
            by_address: OnceLock::new(),
        }
    }

    /// Bytes of an entry (`nlist`, `nlist_64`).
    pub(super) const fn entry(&self) -> u64 {
        if self.is_64 { 16 } else { 12 }
    }

    /// Where the table begins in the file, and how many entries it has.
    pub(super) const fn table(&self) -> (u64, u64) {
        (self.table, self.count)
    }

    /// Where the names begin in the file, and their length in bytes.
    pub(super) const fn strings(&self) -> (u64, u64) {
        (self.strings, self.strings_size)
    }

    /// Where the indirect symbols begin in the file, and how many there are.
    pub(super) const fn indirect(&self) -> (u64, u64) {
        self.indirect
    }

    /// The image's byte order.
    pub(super) const fn endian(&self) -> Endian {
        self.endian
    }

    /// The name of the symbol number `number`.
    pub(super) fn name(&self, source: &dyn ReadAt, number: u64) -> Result<Name> {
        let at = self.table.saturating_add(number.min(self.count).saturating_mul(self.entry()));
        self.text(source, u64::from(Record::read(source, at, 4, self.endian)?.word(0)?))
    }

    fn text(&self, source: &dyn ReadAt, at: u64) -> Result<Name> {
        let end = self.strings.saturating_add(self.strings_size).min(self.end);
        name_at(source, self.strings.saturating_add(at), end)
    }

    /// Adds the fields of the entry number `number` at `offset`.
    pub(super) fn tell(
        &self,
        source: &dyn ReadAt,
        prefix: &str,
        number: u64,
        offset: u64,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        let record = Record::read(source, offset, self.entry(), self.endian)?;
        let name = self.text(source, u64::from(record.word(0)?));
        let name = name.map(|name| shown(&name)).unwrap_or_else(|_| "a name outside of the strings".into());
        let title = format!("{prefix}symbol {number} ({name})");
        items.push(Item::new(Class::Symbol, offset, 4, title.as_str(), name).field("n_strx"));
        let value = if self.is_64 { 8 } else { 4 };
        let fields = [("n_type", 1), ("n_sect", 1), ("n_desc", 2), ("n_value", value)];
        Fields { class: Class::Symbol, title: &title, say }.tell(&record, 4, &fields, items)?;
        Ok(())
    }

    /// The name of the indirect symbol number `number`.
    pub(super) fn indirect_name(&self, source: &dyn ReadAt, number: u64) -> Result<String> {
        let at = self.indirect.0.saturating_add(number.saturating_mul(4));
        Ok(match Record::read(source, at, 4, self.endian)?.word(0)? {
            0x8000_0000 => "a local symbol".into(),
            0x4000_0000 => "an absolute symbol".into(),
            0xc000_0000 => "a local absolute symbol".into(),
            symbol => shown(&self.name(source, u64::from(symbol))?),
        })
    }

    /// What `address` of the section that begins at `section` lies in.
    pub(super) fn at(&self, source: &dyn ReadAt, address: u64, section: u64) -> Option<Within> {
        let list = self.by_address.get_or_init(|| self.list(source).unwrap_or_default());
        let after = list.partition_point(|known| known.address <= address);
        let known = list.get(after.checked_sub(1)?).filter(|known| known.address >= section)?;
        let next = list.get(after).map_or(u64::MAX, |known| known.address);
        let name = match known.symbol {
            NAMELESS => None,
            number => self.name(source, u64::from(number & !LOCAL)).ok().map(|name| shown(&name)),
        };
        Some(Within { name, start: known.address, next })
    }

    /// One entry for each address that a defined symbol or a function start names.
    fn list(&self, source: &dyn ReadAt) -> Result<Vec<Known>> {
        let mut list = Vec::new();
        let entry = self.entry();
        let mut first = 0;
        while first < self.count && list.len() < MOST_KEPT {
            let chunk = (self.count - first).min(CHUNK);
            let Ok(table) = Record::read(source, self.table.saturating_add(first * entry), chunk * entry, self.endian)
            else {
                break;
            };
            for number in 0..chunk {
                let at = number * entry;
                let n_type = table.byte(at + 4)?;
                if is_place(n_type) {
                    let address = if self.is_64 { table.long(at + 8)? } else { u64::from(table.word(at + 8)?) };
                    let number = u32::try_from(first + number).unwrap_or(NAMELESS);
                    list.push(Known { address, symbol: if n_type & 1 == 0 { number | LOCAL } else { number } });
                }
            }
            first += chunk;
        }
        if let Ok(starts) = function_starts(source, self.starts, self.base) {
            list.extend(starts.into_iter().map(|(_, address)| Known { address, symbol: NAMELESS }));
        }
        list.sort_unstable();
        list.dedup_by_key(|known| known.address);
        Ok(list)
    }

    /// The function starts by place: where each stands in the file, and its address.
    pub(super) fn starts(&self, source: &dyn ReadAt) -> Result<Vec<(u64, u64)>> {
        function_starts(source, self.starts, self.base)
    }
}

/// Differences of addresses as ULEB128 numbers, from the begin of `__TEXT` on, ended by 0.
fn function_starts(source: &dyn ReadAt, (offset, size): (u64, u64), base: u64) -> Result<Vec<(u64, u64)>> {
    let bytes = source.bytes(offset, size.min(MOST_START_BYTES))?;
    let (mut list, mut address, mut value, mut shift, mut start) = (Vec::new(), base, 0_u64, 0_u32, 0);
    for (at, byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 != 0 {
            continue;
        }
        if value == 0 || list.len() >= MOST_KEPT {
            break;
        }
        address = address.wrapping_add(value);
        list.push((offset + start as u64, address));
        (value, shift, start) = (0, 0, at + 1);
    }
    Ok(list)
}

/// Whether `n_type` is that of a symbol in a section, and no debugging entry.
const fn is_place(n_type: u8) -> bool {
    n_type & 0xe0 == 0 && n_type & 0x0e == 0x0e
}

/// `name` without C's underscore, demangled.
pub(super) fn shown(name: &Name) -> String {
    let text = name.to_text();
    demangled(text.strip_prefix('_').unwrap_or(&text))
}

fn say(field: &str, value: u64) -> Option<String> {
    if field != "n_type" {
        return None;
    }
    let kind = match value & 0x0e {
        _ if value & 0xe0 != 0 => return Some(format!("{value:#x} (debugging)")),
        0x0 => "undefined",
        0x2 => "absolute",
        0xa => "indirect",
        0xe => "in a section",
        _ => "of no known type",
    };
    let private = if value & 0x10 == 0 { "" } else { ", private external" };
    let external = if value & 1 == 0 { "" } else { ", external" };
    Some(format!("{value:#x} ({kind}{private}{external})"))
}
