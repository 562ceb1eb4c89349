//! The exported names that begin with one of a few prefixes, for every format.

use super::{Binary, Format, Name, elf, macho, pe};
use crate::engine::Result;
use crate::engine::file::ReadAt;
use std::collections::BTreeSet;

/// The exports of any slice of `binary`, read from `source`, that begin with one of `prefixes`; sorted, each once.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the export tables lead out of the file.
pub fn exported_with_prefixes(source: &dyn ReadAt, binary: &Binary, prefixes: &[&[u8]]) -> Result<Vec<Name>> {
    let mut names = BTreeSet::new();
    for slice in &binary.slices {
        match (binary.format, &slice.elf) {
            (Format::Elf, Some(details)) => {
                names.extend(elf::Symbols::open(source, &details.tables)?.exported_with_prefixes(prefixes)?);
            }
            (Format::Elf, None) => {}
            (Format::MachO, _) => {
                let place = macho::Place { offset: slice.offset, size: slice.size };
                names.extend(macho::exported_with_prefixes(source, &macho::Image::read(source, place)?, prefixes)?);
            }
            (Format::Pe, _) => names.extend(pe::exported_with_prefixes(source, &pe::Headers::read(source)?, prefixes)?),
        }
    }
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary;
    use crate::engine::file::Windows;
    use std::process::Command;

    #[test]
    fn only_exports_with_a_prefix_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.c");
        std::fs::write(&source, "void PyInit_b(void) {} void PyInit_a(void) {} void my_PyInit_c(void) {}").unwrap();
        let output = directory.path().join("a.so");
        let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&output, &source]).status().unwrap();
        assert!(status.success());
        let windows = Windows::open(&output).unwrap();
        let binary = binary::read(&windows).unwrap();
        let names = exported_with_prefixes(&windows, &binary, &[b"PyInit_", b"PyInit"]).unwrap();
        assert_eq!(names, [Name::from("PyInit_a"), Name::from("PyInit_b")]);
    }
}
