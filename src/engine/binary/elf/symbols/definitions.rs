//! Every symbol of one name that a file has, found through its hash table in the order in which a loader meets them (gABI
//! "Hash Table", GNU hash). Which of them a reference takes is for the loader's rules, which are not here.

use super::{Hash, Symbols};
use crate::engine::{Error, Result};
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF};
use goblin::elf::sym::Sym;

/// A symbol of a file that a reference may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// `STT_*`.
    pub kind: u8,
    /// `STB_*`.
    pub binding: u8,
    /// `STV_*`.
    pub visibility: u8,
    /// Whether its value is zero.
    pub is_zero: bool,
    /// Whether the value is no address (`SHN_ABS`).
    pub is_absolute: bool,
    /// Whether it is undefined and has a value all the same: a program's stub, which stands for the function's address.
    pub is_stub: bool,
    /// Its entry of `.gnu.version`, with the hidden bit; `None` when the file has no such table.
    pub version: Option<u16>,
}

/// How much looking up is still allowed in one file: a garbled chain may be as long as the file.
#[derive(Debug, Clone, Copy)]
pub struct Steps(u64);

impl Default for Steps {
    fn default() -> Self {
        // A library with a hundred thousand references takes a few each.
        Self(1 << 22)
    }
}

impl Steps {
    /// Counts one; `false` when none is left.
    pub(super) fn take(&mut self) -> bool {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

impl Symbols<'_> {
    /// Whether the file has a hash table. No loader finds anything in one that has none.
    #[must_use]
    pub fn has_hash(&self) -> bool {
        !matches!(self.hash, Hash::None)
    }

    /// The symbols called `name` that the file defines or has a stub for, in the order of its hash chain; by a walk where
    /// it has none.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tables lead out of the file, or `steps` are used up.
    pub fn definitions(&self, name: &[u8], steps: &mut Steps) -> Result<Vec<Definition>> {
        let mut found = Vec::new();
        let mut keep = |index: u64, symbol: &Sym| {
            let is_undefined = symbol.st_shndx == SHN_UNDEF as usize;
            if !(is_undefined && symbol.st_value == 0) && self.named(symbol, name)? {
                found.push(Definition {
                    kind: symbol.st_type(),
                    binding: symbol.st_bind(),
                    visibility: symbol.st_visibility(),
                    is_zero: symbol.st_value == 0,
                    is_stub: is_undefined,
                    is_absolute: symbol.st_shndx == SHN_ABS as usize,
                    version: self.raw_version(index)?,
                });
            }
            Ok(true)
        };
        match self.hash {
            Hash::Gnu { offset, buckets, first, bloom, shift } => {
                self.gnu_chain(name, offset, [buckets, first, bloom, shift], steps, &mut keep)?;
            }
            Hash::SysV { offset, buckets, .. } => self.sysv_chain(name, offset, buckets, steps, &mut keep)?,
            Hash::None => self.walk(1, self.count_by_sections(), &mut |index, symbol| {
                if steps.take() { keep(index, symbol) } else { Err(self.too_long()) }
            })?,
        }
        Ok(found)
    }

    pub(super) fn too_long(&self) -> Error {
        Error::malformed(self.source.path(), self.table.unwrap_or(0), "hash chains of a sane length")
    }
}
