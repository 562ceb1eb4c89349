//! Whether a definition answers a reference: names and versions (glibc `elf/dl-lookup.c`, `check_match`; musl
//! `ldso/dynlink.c`, `find_sym`).

use super::object::Object;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::deps::Libc;

/// The hidden bit of an entry of `.gnu.version`.
pub(super) const HIDDEN: u16 = 0x8000;
/// The lowest index of a version that no unversioned reference takes without a look at the others: 0 is local, 1 global,
/// 2 the oldest version.
const LATER: u16 = 3;

/// What an undefined symbol asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The name.
    pub(super) name: Name,
    /// The version; `None` for any.
    pub(super) version: Option<Name>,
}

/// The rules of one loader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whose.
    pub(super) libc: Libc,
}

impl Rules {
    /// Whether `object` has a definition that the loader would bind `reference` to.
    pub(super) fn defines(self, object: &Object<'_>, reference: &Reference) -> Result<bool> {
        let definitions = object.definitions(&reference.name)?;
        let versions = definitions.iter().filter(|one| one.bindable).map(|one| one.version);
        if self.libc == Libc::Musl {
            return Ok(versions.into_iter().any(|version| version.is_none_or(|version| version & HIDDEN == 0)));
        }
        match &reference.version {
            Some(wanted) => {
                let fits = |version: Option<u16>| match version {
                    // A library without versions is taken for whatever version is asked of it.
                    None => true,
                    Some(version) => match object.version_name(version) {
                        Some(name) => name == wanted,
                        None => version & HIDDEN == 0,
                    },
                };
                Ok(versions.into_iter().any(fits))
            }
            None => {
                let mut later = 0;
                for version in versions {
                    match version {
                        Some(version) if version & !HIDDEN >= LATER => later += u32::from(version & HIDDEN == 0),
                        _ => return Ok(true),
                    }
                }
                Ok(later == 1)
            }
        }
    }
}
