//! Words that hold addresses: the global offset table, arrays of functions, the table of `.eh_frame_hdr`.

use super::super::item::{Entries, Item};
use super::super::layout::Layout;
use super::fields::Shape;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::Arc;

/// `DW_EH_PE_sdata4 | DW_EH_PE_pcrel`, `DW_EH_PE_udata4` and `DW_EH_PE_sdata4 | DW_EH_PE_datarel`: what every linker writes
/// (LSB, "DWARF Exception Header Encoding").
const USUAL_ENCODINGS: [u8; 3] = [0x1b, 0x03, 0x3b];

/// Where things are loaded: address, end and name, by address.
#[derive(Debug, Default)]
pub struct Addresses(Vec<(u64, u64, String)>);

impl Addresses {
    /// Of these stretches: address, end, name.
    #[must_use]
    pub fn new(mut list: Vec<(u64, u64, String)>) -> Self {
        list.retain(|(start, end, _)| end > start);
        list.sort();
        Self(list)
    }

    /// `address`, with what is loaded there.
    #[must_use]
    pub fn said(&self, address: u64) -> String {
        let after = self.0.partition_point(|(start, ..)| *start <= address);
        let found = after.checked_sub(1).and_then(|index| self.0.get(index)).filter(|(_, end, _)| address < *end);
        match found {
            Some((start, _, name)) if *start == address => format!("{address:#x} ({name})"),
            Some((start, _, name)) => format!("{address:#x} ({name}+{:#x})", address - start),
            None => format!("{address:#x}"),
        }
    }
}

/// A table of addresses.
#[derive(Debug)]
pub struct Pointers {
    /// The file's class and byte order.
    pub shape: Shape,
    /// What one of them is called: `GOT entry`.
    pub called: &'static str,
    /// What lies at the addresses.
    pub addresses: Arc<Addresses>,
}

impl Entries for Pointers {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let width = self.shape.address();
        let value = self.addresses.said(self.shape.number_at(source, offset, width)?);
        Ok(vec![Item::new(Class::Data, offset, width, format!("{} {number}", self.called), value)])
    }
}

/// The table of `.eh_frame_hdr`: functions and their records, as distances from the header.
#[derive(Debug)]
struct Frames {
    shape: Shape,
    base: u64,
    addresses: Arc<Addresses>,
}

impl Entries for Frames {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let record = self.shape.record(source, offset, 8)?;
        let address = |at| Ok(self.base.wrapping_add_signed(i64::from(record.word(at)?.cast_signed())));
        let name = format!("unwind table entry {number}");
        let item = |at, field, value: u64| {
            Item::new(Class::Unwind, offset + at, 4, name.as_str(), self.addresses.said(value)).field(field)
        };
        Ok(vec![item(0, "function", address(0)?), item(4, "record", address(4)?)])
    }
}

/// Adds `.eh_frame_hdr` of `size` bytes at `offset`, loaded at `address`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file ends before.
pub fn add_frame_header(
    source: &dyn ReadAt,
    shape: Shape,
    (offset, size, address): (u64, u64, u64),
    addresses: &Arc<Addresses>,
    layout: &mut Layout,
) -> Result<()> {
    let head = shape.record(source, offset, size.min(12))?;
    let bytes = head.as_bytes();
    let hex: String = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    layout.item(Class::Unwind, offset, 4.min(size), "unwind header", format!("version and encodings {hex}"));
    if bytes.get(1..4) != Some(&USUAL_ENCODINGS) || size < 12 {
        return Ok(());
    }
    let frames = address.wrapping_add(4).wrapping_add_signed(i64::from(head.word(4)?.cast_signed()));
    let item = |at, field, text: String| Item::new(Class::Unwind, offset + at, 4, "unwind header", text).field(field);
    layout.add_item(item(4, "eh_frame_ptr", addresses.said(frames)));
    layout.add_item(item(8, "fde_count", format!("{:#x}", head.word(8)?)));
    let table = Frames { shape, base: address, addresses: Arc::clone(addresses) };
    layout.table(offset + 12, size - 12, 8, Box::new(table));
    Ok(())
}

/// Adds `.gnu_debuglink` of `size` bytes at `offset`: a file's name and its checksum.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file ends before.
pub fn add_debug_link(
    source: &dyn ReadAt,
    shape: Shape,
    (offset, size): (u64, u64),
    layout: &mut Layout,
) -> Result<()> {
    let record = shape.record(source, offset, size.min(8192))?;
    let name = record.name(0, record.as_bytes().len() as u64)?;
    let sum = (name.as_bytes().len() as u64 + 1).next_multiple_of(4);
    layout.item(Class::Debug, offset, sum.min(size), "debug link", name.to_text());
    if let Ok(number) = record.word(sum) {
        layout.item(Class::Checksum, offset + sum, 4, "debug link CRC-32", format!("{number:#x}"));
    }
    Ok(())
}
