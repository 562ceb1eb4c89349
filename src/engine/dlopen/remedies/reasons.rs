//! Why a remedy helps, or does not: one sentence each.

use super::{Case, changes, works};
use crate::engine::deps::Libc;
use crate::engine::project::ArtifactId;
use crate::engine::repair::{EditRequest, Graft, Repair};
use crate::engine::report::dlopen::{OpenedBy, Opening, OpeningOutcome, RemedyKind};

/// Why `kind` makes opening come to `opening`.
pub(super) fn why(
    case: &Case<'_>,
    kind: RemedyKind,
    repairs: &[(ArtifactId, Repair)],
    opening: Option<&Opening>,
) -> String {
    let graft = changes::graft_of(case, repairs);
    match opening {
        None => "whether it helps can't be said: the search depends on what only a process knows".to_owned(),
        Some(opening) if works(opening) => helps(case, kind, graft),
        Some(opening) if opening.outcome == OpeningOutcome::Incomplete => {
            format!("{} is found then, and {} that it needs is not", case.opened.name, opening.missing.join(", "))
        }
        Some(opening) if opening.outcome == OpeningOutcome::Found => {
            let path = opening.path.as_deref().unwrap_or("another file");
            format!("the search still ends at {path}, which is not of the bundle")
        }
        Some(_) => does_not(case, kind, graft),
    }
}

fn helps(case: &Case<'_>, kind: RemedyKind, graft: Option<&Graft>) -> String {
    let name = &case.opened.name;
    let file = graft.map_or(name.as_str(), |graft| graft.name.as_str());
    match kind {
        RemedyKind::KeepSoname => format!(
            "the artifact loads {file} itself, and glibc answers {name} by the SONAME of a library that is loaded"
        ),
        RemedyKind::AddNeeded => {
            format!("the artifact loads {file} itself, and the loader knows it by the name {name}")
        }
        RemedyKind::KeepName => {
            format!("the file in the bundle is called {name}, and the artifact's RPATH leads to it")
        }
        RemedyKind::AddRpath | RemedyKind::Preload | RemedyKind::LinkIt => {
            format!("{name} lies in the bundle under just this name, and the RPATH leads to it")
        }
    }
}

fn does_not(case: &Case<'_>, kind: RemedyKind, graft: Option<&Graft>) -> String {
    let name = &case.opened.name;
    if name.contains('/') {
        return format!("{name} is opened by its path: neither a search path nor a name in the bundle counts");
    }
    let Some(graft) = graft else {
        return format!("nothing brings {name} into the bundle, so that a search path finds nothing there");
    };
    let file = &graft.name;
    if case.opened.caller == OpenedBy::Python && matches!(kind, RemedyKind::AddRpath | RemedyKind::KeepName) {
        return format!(
            "Python opens {name}, and searches by the RPATH of its own _ctypes module, not of {}",
            case.artifact.name
        );
    }
    match kind {
        RemedyKind::KeepSoname if case.libc == Libc::Musl => {
            format!("musl does not look at SONAMEs: it knows the library as {file} only, by which it was loaded")
        }
        RemedyKind::KeepSoname | RemedyKind::AddNeeded
            if case.opened.caller == OpenedBy::Python && knows(graft, name) =>
        {
            format!("Python opens {name}, maybe before {} is imported, which loads it", case.artifact.name)
        }
        RemedyKind::AddNeeded => format!(
            "{file} is then loaded, but its name and its SONAME are {file}, so that the loader does not know it as {name}"
        ),
        RemedyKind::AddRpath if file != name => format!(
            "the file in the bundle is called {file} and its SONAME says so too, so a search for {name} never finds it"
        ),
        _ => format!("a search for {name} does not come to {file} all the same"),
    }
}

/// Why loading it ahead helps.
pub(super) fn preloaded(case: &Case<'_>) -> String {
    format!(
        "the package loads it before anything opens it, and glibc answers {} by the SONAME of a library that is loaded",
        case.opened.name
    )
}

/// Whether the graft bears `name` as its SONAME.
fn knows(graft: &Graft, name: &str) -> bool {
    let set = graft.edit.requests.iter().find_map(|request| match request {
        EditRequest::SetSoname(soname) => Some(soname.to_text().into_owned()),
        _ => None,
    });
    // Without an edit the SONAME stayed what the file was needed by.
    set.map_or(graft.needed_as == name, |soname| soname == name)
}
