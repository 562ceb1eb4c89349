//! The definitions of one name that a loader could bind a reference to.

use super::Symbols;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::binary::elf::dynamic::numbered_versions;
use goblin::elf::sym::{STB_LOCAL, STT_FILE, STT_SECTION, STT_TLS, STV_DEFAULT, STV_PROTECTED, Sym};

/// A symbol with a value of zero counts where its section is this one (gABI `SHN_ABS`).
const ABSOLUTE: usize = 0xfff1;

/// One definition of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its entry in `.gnu.version`, hidden bit included; `None` where the file has no versions.
    pub version: Option<u16>,
    /// Whether references of other objects can be bound to it: it is neither local nor of hidden visibility, and has a
    /// value (glibc `elf/dl-lookup.c`, `check_match`).
    pub bindable: bool,
}

impl Symbols<'_> {
    /// The definitions of `name`, in the order in which the file's hash table has them.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the tables lead out of the file.
    pub fn definitions(&self, name: &[u8]) -> Result<Vec<Definition>> {
        let mut found = Vec::new();
        self.each_named(name, &mut |index, symbol| {
            found.push(Definition { version: self.raw_version(index)?, bindable: is_bindable(symbol) });
            Ok(true)
        })?;
        Ok(found)
    }

    /// The versions that the file offers, each with its index, without the one that names the file itself.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when a record lies outside of the file.
    pub fn offered_versions(&self) -> Result<Vec<(u16, Name)>> {
        numbered_versions(self.source, &self.details.tables, &self.strings)
    }

    /// Whether the file has a version for every symbol (`.gnu.version`).
    #[must_use]
    pub fn is_versioned(&self) -> bool {
        self.versions.is_some()
    }
}

fn is_bindable(symbol: &Sym) -> bool {
    let has_value = symbol.st_value != 0 || symbol.st_shndx == ABSOLUTE || symbol.st_type() == STT_TLS;
    has_value
        && symbol.st_bind() != STB_LOCAL
        && !matches!(symbol.st_type(), STT_SECTION | STT_FILE)
        && matches!(symbol.st_visibility(), STV_DEFAULT | STV_PROTECTED)
}
