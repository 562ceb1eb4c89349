//! The remedies' names on the command line.

use super::ORDER;
use crate::engine::report::dlopen::RemedyKind;

/// The name of `kind`: `keep-soname`.
#[must_use]
pub const fn name_of(kind: RemedyKind) -> &'static str {
    match kind {
        RemedyKind::AddRpath => "add-rpath",
        RemedyKind::KeepName => "keep-name",
        RemedyKind::AddNeeded => "add-needed",
        RemedyKind::KeepSoname => "keep-soname",
        RemedyKind::Preload => "preload",
        RemedyKind::LinkIt => "link-it",
    }
}

/// The kind of this name.
#[must_use]
pub fn kind_of(name: &str) -> Option<RemedyKind> {
    ORDER.into_iter().find(|kind| name_of(*kind) == name)
}

/// The names of those that can be part of a plan, from the least invasive on.
pub fn kind_names() -> impl Iterator<Item = &'static str> {
    ORDER.into_iter().filter(|kind| *kind != RemedyKind::LinkIt).map(name_of)
}
