//! The code signature of a Mach-O image: the blobs, and in a code directory its fields and the page that each hash is of.
//!
//! All numbers are big-endian (`cs_blobs.h` of XNU). Whether a signature is trusted is not judged here.

use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::macho::Image;
use crate::engine::binary::record::{Record, name_at};
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Fields, Records};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use sha2::{Digest, Sha256};

/// `CSMAGIC_EMBEDDED_SIGNATURE`.
const EMBEDDED: u32 = 0xfade_0cc0;
/// The hashes of larger images are not checked.
const MOST_HASHED: u64 = 32 << 20;
/// Nor are those of larger pages.
const MOST_PAGE: u64 = 1 << 20;
/// `CSMAGIC_CODEDIRECTORY`.
const DIRECTORY: u32 = 0xfade_0c02;
/// More blobs than this are taken as damage.
const MOST_BLOBS: u32 = 64;
/// The fields of a code directory: since which version, name, width.
const FIELDS: [(u32, &str, u64); 29] = [
    (0, "magic", 4),
    (0, "length", 4),
    (0, "version", 4),
    (0, "flags", 4),
    (0, "hashOffset", 4),
    (0, "identOffset", 4),
    (0, "nSpecialSlots", 4),
    (0, "nCodeSlots", 4),
    (0, "codeLimit", 4),
    (0, "hashSize", 1),
    (0, "hashType", 1),
    (0, "platform", 1),
    (0, "pageSize", 1),
    (0, "spare2", 4),
    (0x20100, "scatterOffset", 4),
    (0x20200, "teamOffset", 4),
    (0x20300, "spare3", 4),
    (0x20300, "codeLimit64", 8),
    (0x20400, "execSegBase", 8),
    (0x20400, "execSegLimit", 8),
    (0x20400, "execSegFlags", 8),
    (0x20500, "runtime", 4),
    (0x20500, "preEncryptOffset", 4),
    (0x20600, "linkageHashType", 1),
    (0x20600, "linkageApplicationType", 1),
    (0x20600, "linkageApplicationSubType", 2),
    (0x20600, "linkageOffset", 4),
    (0x20600, "linkageSize", 4),
    (u32::MAX, "", 0),
];
/// `CS_*` flags of a code directory.
const FLAGS: [(u64, &str); 10] = [
    (0x2, "adhoc"),
    (0x4, "get-task-allow"),
    (0x100, "hard"),
    (0x200, "kill"),
    (0x400, "check-expiration"),
    (0x800, "restrict"),
    (0x1000, "enforcement"),
    (0x2000, "library-validation"),
    (0x1_0000, "runtime"),
    (0x2_0000, "linker-signed"),
];

/// A code directory: which code it signs, and where its hashes stand.
#[derive(Debug, Clone)]
pub(crate) struct CodeDirectory {
    /// The identifier that it gives the code.
    identifier: String,
    /// The flags by name.
    flags: String,
    /// How many pages it has hashes of.
    code_slots: u32,
    /// How much of the image they are of.
    limit: u64,
    hash_type: u8,
    hashes: u64,
    hash_size: u64,
    special_slots: u32,
    page: u32,
    image: u64,
    prefix: String,
}

/// Adds the signature `size` bytes long at `start` of the file to `layout`.
pub(super) fn signature(
    source: &dyn ReadAt,
    (image, start, size): (u64, u64, u64),
    prefix: &str,
    layout: &mut Layout,
) -> Result<()> {
    let mut items = Vec::new();
    let title = format!("{prefix}signature");
    let told = Fields { class: Class::Signature, title: &title, say };
    let head = Record::read(source, start, 12, Endian::Big)?;
    told.tell(&head, 0, &[("magic", 4), ("length", 4), ("blob count", 4)], &mut items)?;
    for (number, (kind, offset, at)) in blobs(source, start)?.into_iter().enumerate() {
        let title = format!("{prefix}signature blob {number} ({})", slot(kind));
        let index = Record::read(source, start + 12 + number as u64 * 8, 8, Endian::Big)?;
        Fields { title: &title, ..told }.tell(&index, 0, &[("type", 4), ("offset", 4)], &mut items)?;
        if u64::from(offset) >= size {
            continue;
        }
        let blob = Record::read(source, at, 8, Endian::Big)?;
        let length = u64::from(blob.word(4)?).min(size - u64::from(offset));
        let region = format!("{prefix}code signature, {}", slot(kind));
        layout.region(Layer::Table, Class::Signature, at, length, region);
        if blob.word(0)? == DIRECTORY {
            directory(source, (image, at), prefix, layout, &mut items)?;
        } else {
            Fields { title: &title, ..told }.tell(&blob, 0, &[("magic", 4), ("length", 4)], &mut items)?;
        }
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}

/// The code directories of the signature of `image` that begins at `start` of the file.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when one leads out of the file.
pub(crate) fn directories(source: &dyn ReadAt, image: &Image<'_>, start: u64) -> Result<Vec<CodeDirectory>> {
    let mut found = Vec::new();
    for (_, _, at) in blobs(source, start)? {
        if Record::read(source, at, 4, Endian::Big)?.word(0)? == DIRECTORY {
            found.push(CodeDirectory::read(source, image.place.offset, at, "")?);
        }
    }
    Ok(found)
}

/// The blobs: kind, offset in the signature, place in the file.
fn blobs(source: &dyn ReadAt, start: u64) -> Result<Vec<(u32, u32, u64)>> {
    let head = Record::read(source, start, 12, Endian::Big)?;
    if head.word(0)? != EMBEDDED {
        return Ok(Vec::new());
    }
    let count = head.word(8)?.min(MOST_BLOBS);
    let index = Record::read(source, start + 12, u64::from(count) * 8, Endian::Big)?;
    let mut found = Vec::new();
    for number in 0..u64::from(count) {
        let (kind, offset) = (index.word(number * 8)?, index.word(number * 8 + 4)?);
        found.push((kind, offset, start.saturating_add(u64::from(offset))));
    }
    Ok(found)
}

fn directory(
    source: &dyn ReadAt,
    (image, at): (u64, u64),
    prefix: &str,
    layout: &mut Layout,
    items: &mut Vec<Item>,
) -> Result<()> {
    let version = Record::read(source, at, 12, Endian::Big)?.word(8)?;
    let fields: Vec<_> = FIELDS.iter().filter(|(since, _, _)| *since <= version && *since != u32::MAX).collect();
    let fields: Vec<_> = fields.into_iter().map(|(_, name, width)| (*name, *width)).collect();
    let size = fields.iter().map(|(_, width)| width).sum();
    let record = Record::read(source, at, size, Endian::Big)?;
    let title = format!("{prefix}code directory");
    Fields { class: Class::Signature, title: &title, say }.tell(&record, 0, &fields, items)?;
    let mut texts = vec![("identifier", record.word(20)?)];
    if version >= 0x20200 {
        texts.push(("team identifier", record.word(48)?));
    }
    for (what, offset) in texts.into_iter().filter(|(_, offset)| *offset != 0) {
        let place = at.saturating_add(u64::from(offset));
        let text = name_at(source, place, at.saturating_add(u64::from(record.word(4)?)))?;
        let length = text.as_bytes().len() as u64 + 1;
        items.push(Item::new(Class::Signature, place, length, format!("{title} {what}"), text.to_string()));
    }
    let found = CodeDirectory::read(source, image, at, prefix)?;
    let before = u64::from(found.special_slots) * found.hash_size;
    let count = u64::from(found.special_slots) + u64::from(found.code_slots);
    if let Some(start) = found.hashes.checked_sub(before).filter(|_| found.hash_size > 0) {
        let (entry, bytes) = (found.hash_size, count * found.hash_size);
        layout.table(start, bytes, entry, Box::new(Records { of: found, each: hash }));
    }
    Ok(())
}

impl CodeDirectory {
    fn read(source: &dyn ReadAt, image: u64, at: u64, prefix: &str) -> Result<Self> {
        let record = Record::read(source, at, 44, Endian::Big)?;
        let end = at.saturating_add(u64::from(record.word(4)?));
        Ok(Self {
            identifier: name_at(source, at.saturating_add(u64::from(record.word(20)?)), end)?.to_string(),
            flags: flags(u64::from(record.word(12)?)),
            code_slots: record.word(28)?,
            limit: u64::from(record.word(32)?),
            hash_type: record.byte(37)?,
            hashes: at.saturating_add(u64::from(record.word(16)?)),
            hash_size: u64::from(record.byte(36)?),
            special_slots: record.word(24)?,
            page: u32::from(record.byte(39)?),
            image,
            prefix: prefix.to_owned(),
        })
    }

    /// Identifier and flags, and whether the hashes are those of the pages.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the pages or hashes lie outside of the file.
    pub(crate) fn said(&self, source: &dyn ReadAt) -> Result<String> {
        let Self { identifier, flags, code_slots, .. } = self;
        let fit = match self.broken(source)? {
            None => String::new(),
            Some(0) => ", the hashes of all fit".into(),
            Some(count) => format!(", the hashes of {count} do not fit"),
        };
        Ok(format!("identifier {identifier}, flags {flags}, {code_slots} pages{fit}"))
    }

    /// How many pages are not those that were hashed; `None` where that is not looked at.
    fn broken(&self, source: &dyn ReadAt) -> Result<Option<u64>> {
        let (Some(page), true) =
            (1_u64.checked_shl(self.page).filter(|page| (1..=MOST_PAGE).contains(page)), self.page > 0)
        else {
            return Ok(None);
        };
        // SHA-256 whole, or cut to 20 bytes.
        if !matches!((self.hash_type, self.hash_size), (2, 32) | (3, 20)) || self.limit > MOST_HASHED {
            return Ok(None);
        }
        let mut broken = 0;
        for slot in 0..u64::from(self.code_slots).min(self.limit.div_ceil(page)) {
            let start = slot * page;
            let bytes = source.bytes(self.image.saturating_add(start), page.min(self.limit - start))?;
            let stated = source.bytes(self.hashes.saturating_add(slot * self.hash_size), self.hash_size)?;
            broken += u64::from(!Sha256::digest(&bytes).starts_with(&stated));
        }
        Ok(Some(broken))
    }
}

fn hash(of: &CodeDirectory, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let CodeDirectory { special_slots, hash_size, page, image, prefix, .. } = of;
    let special = u64::from(*special_slots);
    let name = match number.checked_sub(special) {
        None => format!("{prefix}special slot -{}: hash of the {}", special - number, special_slot(special - number)),
        // A page size of 2^0 says that one hash is of the whole.
        Some(slot) if *page == 0 => format!("{prefix}code slot {slot}: hash of the whole image"),
        Some(slot) => {
            let place = image.saturating_add(slot.checked_shl(*page).unwrap_or(u64::MAX));
            format!("{prefix}code slot {slot}: hash of the page at {place:#x}")
        }
    };
    let text: String = source.bytes(offset, *hash_size)?.iter().map(|byte| format!("{byte:02x}")).collect();
    items.push(Item::new(Class::Signature, offset, *hash_size, name, text));
    Ok(())
}

/// `CSSLOT_*`: what a blob is.
fn slot(kind: u32) -> String {
    match kind {
        0 => "code directory".into(),
        1..=7 => special_slot(u64::from(kind)).into(),
        0x1000..=0x1004 => format!("alternate code directory {}", kind - 0x1000),
        0x10000 => "CMS signature".into(),
        0x10001 => "identification".into(),
        0x10002 => "ticket".into(),
        other => format!("kind {other:#x}"),
    }
}

fn special_slot(number: u64) -> &'static str {
    match number {
        1 => "Info.plist",
        2 => "requirements",
        3 => "resource directory",
        4 => "application's own data",
        5 => "entitlements",
        6 => "representation's own data",
        7 => "entitlements in DER",
        8 => "launch constraints of itself",
        9 => "launch constraints of its parent",
        10 => "launch constraints of the responsible process",
        11 => "library constraints",
        _ => "slot of no known use",
    }
}

fn say(field: &str, value: u64) -> Option<String> {
    Some(match field {
        "flags" => flags(value),
        "hashType" => match value {
            1 => "SHA-1".into(),
            2 => "SHA-256".into(),
            3 => "SHA-256, cut to 20 bytes".into(),
            4 => "SHA-384".into(),
            5 => "SHA-512".into(),
            other => other.to_string(),
        },
        "pageSize" => format!("2^{value}"),
        "nSpecialSlots" | "nCodeSlots" | "blob count" | "hashSize" => value.to_string(),
        _ => return None,
    })
}

fn flags(value: u64) -> String {
    let names: Vec<_> = FLAGS.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { format!("{value:#x}") } else { format!("{value:#x} ({})", names.join(", ")) }
}
