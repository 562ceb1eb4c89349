//! How the files of one artifact hang together: which are names of one inode, which only of one build, which only of one name.

use super::artifact::{Artifact, CargoOutput, Project};
use super::evidence::Evidence;
use super::leftovers::{self, Candidate, Role};
use crate::engine::file::Identity;
use crate::engine::report::audit::{ArtifactKind, RelatedFile};
use std::path::{Path, PathBuf};

/// How closely a file is tied to its artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    Name,
    BuildId,
    Inode,
}

impl Tie {
    fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BuildId => "build_id",
            Self::Inode => "inode",
        }
    }
}

/// A file with all that is known of it.
struct Seen {
    candidate: Candidate,
    identity: Identity,
    evidence: Evidence,
}

/// The files that cargo and maturin keep of `artifact`: in `deps/`, in the build directory, in `target/maturin/`. Each is tied
/// to the artifact's own file, or to the others where that is gone. By role and then by path.
#[must_use]
pub fn related(artifact: &Artifact, project: &Project) -> Vec<RelatedFile> {
    let Some(cargo) = place(artifact, project) else { return Vec::new() };
    let own = Identity::of(&artifact.path).ok().flatten();
    let own_evidence = own.map(|_| Evidence::of(&artifact.path));
    let seen: Vec<Seen> = leftovers::candidates(&cargo, &artifact.name, artifact.kind)
        .into_iter()
        .filter_map(|candidate| {
            let identity = Identity::of(&candidate.path).ok().flatten()?;
            let evidence = Evidence::of(&candidate.path);
            Some(Seen { candidate, identity, evidence })
        })
        .collect();
    let mut tied: Vec<(Tie, &Seen)> = seen
        .iter()
        .map(|one| {
            let to_own = own.zip(own_evidence.as_ref()).map(|(identity, evidence)| tie(one, &identity, evidence));
            let to_others = || {
                let others = seen.iter().filter(|other| other.candidate != one.candidate);
                others.map(|other| tie(one, &other.identity, &other.evidence)).max().unwrap_or(Tie::Name)
            };
            (to_own.unwrap_or_else(to_others), one)
        })
        .collect();
    leave_out_other_builds(&mut tied, artifact, own.is_some());
    tied.retain(|(tie, one)| {
        *tie > Tie::Name || one.candidate.role != Role::MaturinStaged || !is_anothers(one, artifact, project)
    });
    tied.into_iter().map(|(tie, one)| report(tie, one)).collect()
}

/// The other names of the inode `identity` among `candidates`, and how many more its link count says there are. `known` are
/// names that are shown elsewhere (the artifact's own path, the staged file): they count but are not listed.
#[must_use]
pub fn aliases(identity: &Identity, known: &[PathBuf], candidates: &[PathBuf]) -> (Vec<PathBuf>, u64) {
    let is_name = |path: &&PathBuf| matches!(Identity::of(path), Ok(Some(other)) if other.same_inode(identity));
    let distinct = |paths: &[PathBuf]| {
        let mut paths: Vec<PathBuf> = paths.iter().filter(is_name).cloned().collect();
        paths.sort();
        paths.dedup();
        paths
    };
    let known = distinct(known);
    let mut found = distinct(candidates);
    found.retain(|path| !known.contains(path));
    let elsewhere = identity.links.saturating_sub((known.len() + found.len()) as u64);
    (found, elsewhere)
}

/// What cargo says of the artifact. For a file found without cargo, in a profile directory, what its place says.
fn place(artifact: &Artifact, project: &Project) -> Option<CargoOutput> {
    if artifact.cargo.is_some() {
        return artifact.cargo.clone();
    }
    let target_directory = project.target_directory.clone()?;
    let profile_directory = artifact.path.parent()?.to_path_buf();
    let depth = profile_directory.strip_prefix(&target_directory).ok()?.components().count();
    if !(1..=2).contains(&depth) || profile_directory.ends_with("maturin") {
        return None;
    }
    let target = artifact.name.strip_suffix(".exe").unwrap_or(&artifact.name).to_string();
    Some(CargoOutput {
        build_profile_directory: profile_directory.clone(),
        profile: profile_directory.file_name()?.to_string_lossy().into_owned(),
        triple: None,
        package: String::new(),
        target,
        target_directory,
        profile_directory,
    })
}

fn tie(one: &Seen, identity: &Identity, evidence: &Evidence) -> Tie {
    match (&one.evidence.build_id, &evidence.build_id) {
        _ if one.identity.same_inode(identity) => Tie::Inode,
        (Some(own), Some(other)) if own == other => Tie::BuildId,
        _ => Tie::Name,
    }
}

/// `deps/` keeps a program of every feature set under a hash of its own: of those that are tied by no more than their name
/// only the newest stays, and none beside the program itself or a file that is tied better.
fn leave_out_other_builds(tied: &mut Vec<(Tie, &Seen)>, artifact: &Artifact, exists: bool) {
    if artifact.kind != ArtifactKind::Bin {
        return;
    }
    let is_loose = |(tie, one): &(Tie, &Seen)| *tie == Tie::Name && one.candidate.role != Role::MaturinStaged;
    let has_better =
        exists || tied.iter().any(|(tie, one)| *tie > Tie::Name && one.candidate.role != Role::MaturinStaged);
    let age = |one: &Seen| (one.identity.mtime_seconds, one.identity.mtime_nanoseconds);
    let newest = tied.iter().filter(|one| is_loose(one)).map(|(_, one)| age(one)).max();
    tied.retain(|one| !is_loose(one) || (!has_better && Some(age(one.1)) == newest));
}

/// Whether maturin's staged file, which has this artifact's name, is of another profile's or triple's artifact.
fn is_anothers(staged: &Seen, artifact: &Artifact, project: &Project) -> bool {
    let namesakes = project.artifacts.iter().filter(|other| other.name == artifact.name && other.path != artifact.path);
    namesakes.into_iter().any(|other| {
        let kept = other.cargo.iter().flat_map(|cargo| leftovers::kept_by_cargo(cargo, &other.name, other.kind));
        let paths: Vec<PathBuf> = std::iter::once(other.path.clone()).chain(kept.map(|one| one.path)).collect();
        paths.iter().any(|path| is_tied(staged, path))
    })
}

fn is_tied(staged: &Seen, path: &Path) -> bool {
    let identity = Identity::of(path).ok().flatten();
    identity.is_some_and(|identity| tie(staged, &identity, &Evidence::of(path)) > Tie::Name)
}

fn report(tie: Tie, one: &Seen) -> RelatedFile {
    RelatedFile {
        path: one.candidate.path.clone(),
        role: one.candidate.role.label().into(),
        tie: tie.label().into(),
        device: one.identity.device,
        inode: one.identity.inode,
        links: one.identity.links,
        size: one.identity.size,
        repaired: one.evidence.repaired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_counted_against_the_links() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("own"), "x").unwrap();
        std::fs::write(at("other"), "x").unwrap();
        for name in ["deps", "staged", "elsewhere"] {
            std::fs::hard_link(at("own"), at(name)).unwrap();
        }
        let identity = Identity::of(&at("own")).unwrap().unwrap();
        let candidates = [at("deps"), at("other"), at("absent"), at("staged"), at("deps")];
        assert_eq!(aliases(&identity, &[at("own"), at("staged")], &candidates), (vec![at("deps")], 1));
        let (found, more) = aliases(&identity, &[at("own")], &candidates);
        assert_eq!((found, more), (vec![at("deps"), at("staged")], 1));
        let stale = Identity { links: 1, ..identity };
        assert_eq!(aliases(&stale, &[at("own")], &candidates).1, 0, "links that grew since are not negative");
    }
}
