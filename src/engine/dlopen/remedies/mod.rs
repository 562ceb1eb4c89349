//! Remedies for names that are opened at run time and not found in the bundle: what each would change, whether it helps, and
//! why, or why not.
//!
//! A remedy is an [`Adoption`](crate::engine::repair::Adoption) of the plan; what it makes of the bundle is worked out by who
//! asks, with the plan's own means, and stands here as data. Trying one on a real loader is the session's.

mod changes;
mod kinds;
mod lines;
mod reasons;

pub use kinds::{kind_names, kind_of, name_of};

use crate::engine::deps::Libc;
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::repair::Repair;
use crate::engine::report::dlopen::{FoundIn, OpenedName, OpenedVerdict, Opening, OpeningOutcome, Remedy, RemedyKind};
use std::path::Path;

/// The remedies from the least invasive on; the first that helps is the one to take.
///
/// A search path changes one entry of one file. A static dependency changes what is loaded, at once instead of when it is
/// opened. A kept SONAME does so too, and is a name that another package in the process may have; files and needs stay
/// unmistakable. A kept file name gives that up as well: whoever needs the file may then get another package's. Loading ahead
/// is code that somebody has to keep, and linking is a change of the sources.
pub const ORDER: [RemedyKind; 6] = [
    RemedyKind::AddRpath,
    RemedyKind::AddNeeded,
    RemedyKind::KeepSoname,
    RemedyKind::KeepName,
    RemedyKind::Preload,
    RemedyKind::LinkIt,
];

/// What is known of a name and its artifact before any remedy.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The artifact that opens the name.
    pub artifact: &'a Artifact,
    /// The name, with its verdict.
    pub opened: &'a OpenedName,
    /// The library on this machine.
    pub library: &'a Path,
    /// Whose rules count.
    pub libc: Libc,
    /// The repairs of the bundle's artifacts without the remedy, with the artifacts' file names.
    pub plain: &'a [(ArtifactId, String, Repair)],
}

/// What a remedy would make of the bundle.
#[derive(Debug, Clone)]
pub enum Made {
    /// The repairs of the bundle's artifacts, and what opening the name then comes to; `None` where that can't be said.
    Planned {
        /// The repairs, by artifact.
        repairs: Vec<(ArtifactId, Repair)>,
        /// The prediction.
        opening: Option<Opening>,
    },
    /// It can't be had, for this reason.
    Refused(String),
}

/// Whether something has to be done about a name, and can be thought of: the build machine must have the library.
#[must_use]
pub fn asks_for_one(opened: &OpenedName) -> bool {
    matches!(
        opened.verdict,
        OpenedVerdict::LostInBundle | OpenedVerdict::Renamed | OpenedVerdict::ByLoadOrder | OpenedVerdict::Missing
    )
}

/// The remedies of `case`, in [`ORDER`]; `make` says what each that is part of a plan would make of the bundle.
///
/// # Errors
/// What `make` returns.
pub fn judge<E>(case: &Case<'_>, mut make: impl FnMut(RemedyKind) -> Result<Made, E>) -> Result<Vec<Remedy>, E> {
    let mut remedies: Vec<Remedy> = Vec::new();
    for kind in ORDER {
        let remedy = match kind {
            RemedyKind::LinkIt => linked(case),
            RemedyKind::Preload => preloaded(case, &make(kind)?, &remedies),
            _ => planned(case, kind, &make(kind)?),
        };
        remedies.push(remedy);
    }
    Ok(remedies)
}

/// The remedy to take: the first that helps.
#[must_use]
pub fn choose(remedies: &[Remedy]) -> Option<RemedyKind> {
    remedies.iter().find(|remedy| remedy.helps == Some(true)).map(|remedy| remedy.kind)
}

/// Whether opening works on every machine of the tag.
#[must_use]
pub fn works(opening: &Opening) -> bool {
    matches!(opening.outcome, OpeningOutcome::Found | OpeningOutcome::Loaded)
        && matches!(opening.from, Some(FoundIn::Bundle | FoundIn::Policy))
}

fn remedy(kind: RemedyKind, changes: Vec<String>, helps: Option<bool>, why: String) -> Remedy {
    Remedy { kind, changes, helps, why, lines: Vec::new(), adopted: false, tried: None }
}

fn planned(case: &Case<'_>, kind: RemedyKind, made: &Made) -> Remedy {
    match made {
        Made::Refused(reason) => remedy(kind, Vec::new(), Some(false), reason.clone()),
        Made::Planned { repairs, opening } => {
            let changes = changes::between(case, repairs);
            let helps = opening.as_ref().map(works);
            let why = reasons::why(case, kind, repairs, opening.as_ref());
            remedy(kind, changes, helps, why)
        }
    }
}

/// What the loader finds loaded when it is asked is the same as with a kept SONAME and a need: only who loads it differs.
fn preloaded(case: &Case<'_>, made: &Made, judged: &[Remedy]) -> Remedy {
    let kind = RemedyKind::Preload;
    let repairs = match made {
        Made::Refused(reason) => return remedy(kind, Vec::new(), Some(false), reason.clone()),
        Made::Planned { repairs, .. } => repairs,
    };
    let changes = changes::between(case, repairs);
    if case.artifact.names.artifact_dir.is_empty() {
        let why = format!("{} lies in no package, so that there is no __init__.py to load it in", case.artifact.name);
        return remedy(kind, changes, Some(false), why);
    }
    let kept = judged.iter().find(|remedy| remedy.kind == RemedyKind::KeepSoname);
    let helps = kept.and_then(|kept| kept.helps);
    let why = match (helps, kept) {
        (Some(true), _) => reasons::preloaded(case),
        (_, Some(kept)) => kept.why.clone(),
        (_, None) => "whether it helps can't be said here".to_owned(),
    };
    let file = changes::graft_of(case, repairs).map(|graft| graft.name.clone());
    let lines = file.map(|file| lines::preload(case, &file)).unwrap_or_default();
    Remedy { lines, ..remedy(kind, changes, helps, why) }
}

fn linked(case: &Case<'_>) -> Remedy {
    let why = format!(
        "a library that is linked is grafted, and the name by which it is needed follows; the code must then call it directly \
         instead of opening {}",
        case.opened.name
    );
    Remedy { lines: lines::link(case), ..remedy(RemedyKind::LinkIt, Vec::new(), Some(true), why) }
}

#[cfg(test)]
mod tests;
