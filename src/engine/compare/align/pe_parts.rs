//! The named parts of a PE file: its headers, the entries of the section table, the sections, the certificates.

use super::parts::Parts;
use crate::engine::Result;
use crate::engine::binary::pe::{Headers, directory};
use crate::engine::file::ReadAt;

/// The bytes of a section header.
const SECTION_HEADER: u64 = 40;

/// The parts of `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when its headers don't fit, [`crate::engine::Error::Io`].
pub fn parts(source: &dyn ReadAt) -> Result<Parts> {
    let headers = Headers::read(source)?;
    let mut parts = Parts::default();
    parts.add("DOS header", 0, headers.signature);
    let size = headers.sections_offset.saturating_sub(headers.signature);
    parts.add("PE headers", headers.signature, size);
    for (number, section) in headers.sections.iter().enumerate() {
        let name = section.name.to_text();
        let at = headers.sections_offset.saturating_add(number as u64 * SECTION_HEADER);
        parts.add(format!("section header {name}"), at, SECTION_HEADER);
        parts.add(format!("section {name}"), section.offset, section.file_size);
    }
    if let Some(certificates) = headers.directory(directory::CERTIFICATES) {
        parts.add("certificates", certificates.address, certificates.size);
    }
    Ok(parts)
}
