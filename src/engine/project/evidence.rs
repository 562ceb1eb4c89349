//! What ties a file to another state of it and what shows that it was repaired, as far as discovery asks.

use crate::engine::binary::{self, repaired_evidence};
use crate::engine::file::Windows;
use std::path::Path;

/// What one file shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The bytes of its build-id note, where it is ELF and has one.
    pub build_id: Option<Vec<u8>>,
    /// Whether a repair tool edited it.
    pub repaired: bool,
}

impl Evidence {
    /// What the file at `path` shows; nothing, where it can't be read as a binary: the audit tells why not.
    pub fn of(path: &Path) -> Self {
        let Ok(binary) = Windows::open(path).and_then(|source| binary::read(&source)) else { return Self::default() };
        let details = binary.slices.iter().find_map(|slice| slice.elf.as_ref());
        Self {
            build_id: details.and_then(|details| details.build_id.clone()).filter(|id| !id.is_empty()),
            repaired: binary.slices.iter().any(|slice| repaired_evidence(slice).is_repaired()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_linked_file_shows_its_build_id_and_its_repair() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.c"), "int a(void) { return 1; }\n").unwrap();
        let link = |name: &str, flags: &[&str]| {
            let mut compiler = Command::new("cc");
            compiler.current_dir(directory.path()).args(["-shared", "-fPIC", "-o", name, "a.c"]).args(flags);
            assert!(compiler.status().unwrap().success());
            Evidence::of(&directory.path().join(name))
        };
        let clean = link("libz-1a2b3c4d.so", &["-Wl,--build-id=0xc0ffee42"]);
        assert_eq!(clean, Evidence { build_id: Some(vec![0xc0, 0xff, 0xee, 0x42]), repaired: false });
        let flags =
            ["-Wl,--no-as-needed", "-L.", "-lz-1a2b3c4d", "-Wl,-rpath,$ORIGIN/../x.libs", "-Wl,--build-id=none"];
        assert_eq!(link("repaired.so", &flags), Evidence { build_id: None, repaired: true });
        assert_eq!(Evidence::of(&directory.path().join("a.c")), Evidence::default());
    }
}
