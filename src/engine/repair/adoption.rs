//! Adoptions: what is to be done besides for a library that an artifact opens at run time, and the names in the bundle that
//! follow.
//!
//! [`super::prepare`] heeds them, so that plan, prediction, run, undo and verification need nothing of their own. Which remedy
//! helps is judged in [`crate::engine::dlopen::remedies`].

use crate::engine::audit::External;
use crate::engine::project::ArtifactId;
use crate::engine::report::dlopen::RemedyKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A remedy that is part of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Which.
    pub kind: RemedyKind,
    /// The artifact that opens the library.
    pub artifact: ArtifactId,
    /// The name, as it is opened.
    pub name: String,
    /// The library on this machine, symbolic links resolved.
    pub library: PathBuf,
    /// The library and what it needs, as a repair would bundle them; none where the remedy brings nothing into the bundle.
    pub brings: Vec<External>,
}

impl Adoption {
    /// Whether the library comes into the bundle by it.
    #[must_use]
    pub const fn grafts(&self) -> bool {
        match self.kind {
            RemedyKind::KeepName | RemedyKind::AddNeeded | RemedyKind::KeepSoname | RemedyKind::Preload => true,
            RemedyKind::AddRpath | RemedyKind::LinkIt => false,
        }
    }

    /// Whether the artifact gets a search path that reaches the bundle.
    #[must_use]
    pub const fn needs_search_path(&self) -> bool {
        match self.kind {
            RemedyKind::AddRpath | RemedyKind::KeepName | RemedyKind::AddNeeded | RemedyKind::KeepSoname => true,
            RemedyKind::Preload | RemedyKind::LinkIt => false,
        }
    }

    /// Whether the artifact comes to need the library.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        matches!(self.kind, RemedyKind::AddNeeded | RemedyKind::KeepSoname)
    }

    const fn keeps_soname(&self) -> bool {
        matches!(self.kind, RemedyKind::KeepSoname | RemedyKind::Preload)
    }

    /// The same remedy for the same name of the same artifact.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        (self.kind, self.artifact, &self.name) == (other.kind, other.artifact, &other.name)
    }
}

/// Why `adopted`, of one bundle, can't be had together, and the way out; `None` where they can.
#[must_use]
pub fn clash(adopted: &[Adoption]) -> Option<(String, String)> {
    let mut files: BTreeMap<&str, &Path> = BTreeMap::new();
    let (mut names, mut sonames): (BTreeMap<&Path, &str>, BTreeMap<&Path, &str>) = (BTreeMap::new(), BTreeMap::new());
    for adoption in adopted {
        let (name, library) = (adoption.name.as_str(), adoption.library.as_path());
        let kept = match adoption.kind {
            RemedyKind::KeepName => &mut names,
            _ if adoption.keeps_soname() => &mut sonames,
            _ => continue,
        };
        if name.is_empty() || name.contains('/') {
            let reason = format!("{name} is opened by its path, and not looked for by a name that could be kept");
            return Some((reason, "open it by its file name, or link it".to_owned()));
        }
        if let Some(other) = kept.insert(library, name).filter(|other| *other != name) {
            let reason =
                format!("{} is opened as {other} and as {name}, and can keep one of the names", library.display());
            return Some((
                reason,
                "open it by one name only, or adopt keep-name for one and keep-soname for the other".to_owned(),
            ));
        }
        if let Some(other) = files.insert(name, library).filter(|other| *other != library) {
            let reason = format!("both {} and {} would keep the name {name}", other.display(), library.display());
            return Some((
                reason,
                "let all artifacts open one file, or repair them in sessions of their own".to_owned(),
            ));
        }
    }
    None
}

/// The names that libraries keep in a bundle.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeptNames<'a>(pub &'a [Adoption]);

impl KeptNames<'_> {
    fn name(&self, library: &Path, keeps: impl Fn(&Adoption) -> bool) -> Option<String> {
        let adoption = self.0.iter().find(|adoption| adoption.library == library && keeps(adoption))?;
        Some(adoption.name.clone())
    }

    /// The file name that the library keeps, if it does.
    pub fn file(&self, library: &Path) -> Option<String> {
        self.name(library, |adoption| adoption.kind == RemedyKind::KeepName)
    }

    /// The SONAME that the library keeps, if it does.
    pub fn soname(&self, library: &Path) -> Option<String> {
        self.name(library, Adoption::keeps_soname)
    }

    /// Whether the library is opened from the bundle, so that it can't inherit a search path from who needs it.
    pub fn is_opened(&self, library: &Path) -> bool {
        self.0.iter().any(|adoption| adoption.grafts() && adoption.library == library)
    }
}

/// `externals`, and what `own` adoptions bring along that is not among them; sorted by name as they are.
pub(super) fn with_opened(externals: &[External], own: &[&Adoption]) -> Vec<External> {
    let mut all = externals.to_vec();
    for library in own.iter().filter(|adoption| adoption.grafts()).flat_map(|adoption| &adoption.brings) {
        let known = all.iter().any(|known| match &library.realpath {
            Some(realpath) => known.realpath.as_ref() == Some(realpath),
            None => known.name == library.name,
        });
        if !known {
            all.push(library.clone());
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// `library` and what it needs of `externals`, where they hold it: another artifact's, whose edits are then the same.
#[must_use]
pub fn shared_with(externals: &[External], library: &Path) -> Option<Vec<External>> {
    let first = externals.iter().find(|external| external.realpath.as_deref() == Some(library))?;
    let mut found: Vec<External> = Vec::new();
    let mut open = vec![first];
    while let Some(next) = open.pop() {
        if found.iter().any(|known| known.name == next.name) {
            continue;
        }
        found.push(next.clone());
        open.extend(externals.iter().filter(|external| {
            std::iter::once(&external.name).chain(&external.aliases).any(|name| next.needed.contains(name))
        }));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adoption(kind: RemedyKind, name: &str, library: &str) -> Adoption {
        let (name, library) = (name.to_owned(), PathBuf::from(library));
        Adoption { kind, artifact: ArtifactId(0), name, library, brings: Vec::new() }
    }

    fn external(name: &str, aliases: &[&str], needed: &[&str]) -> External {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let realpath = Some(PathBuf::from(format!("/lib/{name}")));
        External { name: name.to_owned(), aliases: list(aliases), realpath, needed: list(needed), rpath: Vec::new() }
    }

    #[test]
    fn one_name_a_library_and_one_library_a_name() {
        use RemedyKind::{AddNeeded, KeepName, KeepSoname, Preload};
        let fine = [
            adoption(KeepName, "libfoo.so", "/a/libfoo.so.1"),
            adoption(KeepName, "libfoo.so", "/a/libfoo.so.1"),
            adoption(KeepSoname, "libfoo.so.1", "/a/libfoo.so.1"),
            adoption(AddNeeded, "/by/path.so", "/a/path.so"),
        ];
        assert_eq!(clash(&fine), None);
        for (one, other, said) in [
            (adoption(KeepName, "libfoo.so", "/a/f"), adoption(KeepName, "libfoo.so.1", "/a/f"), "one of the names"),
            (adoption(KeepSoname, "libfoo.so", "/a/f"), adoption(Preload, "libfoo.so.1", "/a/f"), "one of the names"),
            (adoption(KeepName, "libfoo.so", "/a/f"), adoption(KeepName, "libfoo.so", "/b/f"), "would keep the name"),
            (adoption(KeepName, "./libfoo.so", "/a/f"), adoption(KeepName, "x.so", "/b/x"), "by its path"),
        ] {
            let (reason, way_out) = clash(&[one, other]).unwrap();
            assert!(reason.contains(said) && !way_out.is_empty(), "{reason}");
        }
    }

    #[test]
    fn a_library_that_another_artifact_grafts_comes_with_what_it_needs() {
        let externals = [
            external("liba.so", &[], &["libb-alias.so"]),
            external("libb.so", &["libb-alias.so"], &["liba.so"]),
            external("libc9.so", &[], &[]),
        ];
        let shared = shared_with(&externals, Path::new("/lib/liba.so")).unwrap();
        assert_eq!(shared.iter().map(|library| library.name.as_str()).collect::<Vec<_>>(), ["liba.so", "libb.so"]);
        assert_eq!(shared_with(&externals, Path::new("/lib/none.so")), None);
        let adoption = Adoption { brings: shared, ..adoption(RemedyKind::KeepName, "liba.so", "/lib/liba.so") };
        let all = with_opened(&externals[1..], &[&adoption]);
        assert_eq!(
            all.iter().map(|library| library.name.as_str()).collect::<Vec<_>>(),
            ["liba.so", "libb.so", "libc9.so"]
        );
    }
}
