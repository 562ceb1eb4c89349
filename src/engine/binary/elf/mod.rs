//! ELF: the raw tables as they stand in the file, and what the normalized view takes from them.

mod abi;
mod dynamic;
mod hardening;
mod pages;
mod symbols;
mod tables;
mod versions;
mod view;

pub use abi::{os_abi_name, os_abi_of};
pub use dynamic::StringTable;
pub use hardening::hardening;
pub use pages::{largest_page, page_sizes};
pub use symbols::{Definition, Steps, Symbols, UndefinedSymbol, Use, hash_word};
pub use versions::{HIDDEN, NumberedVersion, VersionTable};
pub use view::read;

pub use tables::{DynamicEntry, Section, Segment, Tables};

use super::Name;

/// What only ELF files have.
#[derive(Debug, Clone)]
pub struct Details {
    /// The raw header, segments, sections and dynamic entries.
    pub tables: Tables,
    /// The symbol versions asked of each library (`.gnu.version_r`), in the file's order.
    pub version_needs: Vec<VersionNeed>,
    /// The symbol versions offered (`.gnu.version_d`), without the base version.
    pub version_definitions: Vec<Name>,
    /// The libraries whose symbols stand in for the file's own, in the file's order.
    pub filters: Vec<(FilterKind, Name)>,
    /// The build-id note's bytes.
    pub build_id: Option<Vec<u8>>,
}

/// How a library stands in for a file's own symbols (gABI 5, "Shared Object Dependencies"; Solaris and glibc load both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// `DT_FILTER`: the symbols are the library's, which must be there.
    Filter,
    /// `DT_AUXILIARY`: the library's symbols come first, if it is there.
    Auxiliary,
}

impl FilterKind {
    /// The kind that dynamic entry `tag` says, if it says one.
    #[must_use]
    pub fn of_tag(tag: u64) -> Option<Self> {
        match tag {
            0x7fff_ffff => Some(Self::Filter),
            0x7fff_fffd => Some(Self::Auxiliary),
            _ => None,
        }
    }
}

/// The versions that a file asks of one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionNeed {
    /// The library's NEEDED name (`vn_file`).
    pub library: Name,
    /// The versions, in the file's order.
    pub versions: Vec<NeededVersion>,
}

/// One symbol version that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededVersion {
    /// Its name: `GLIBC_2.34`.
    pub name: Name,
    /// Its index in `.gnu.version` (`vna_other`, without the hidden bit).
    pub index: u16,
    /// Whether its absence is tolerated (`VER_FLG_WEAK`).
    pub weak: bool,
}
