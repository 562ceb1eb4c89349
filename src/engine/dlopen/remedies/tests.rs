//! The remedies of the known case: one artifact links a library, another of the same wheel only opens it.

use super::*;
use crate::engine::binary::Name;
use crate::engine::project::LinkedPaths;
use crate::engine::repair::{EditPlan, EditRequest, Graft};
use crate::engine::report::audit::{ArtifactKind, BundleNames};
use crate::engine::report::dlopen::{Confidence, GraftedAs, OpenedBy};
use std::path::PathBuf;

const HASHED: &str = "libfoo-47542e49.so.1";
const NAME: &str = "libfoo.so.1";

fn artifact(directory: &str) -> Artifact {
    let path = PathBuf::from("/t/release/libb.so");
    Artifact {
        id: ArtifactId(1),
        loaded_as: path.clone(),
        path,
        name: "libb.so".to_owned(),
        kind: ArtifactKind::Cdylib,
        cargo: None,
        linked_paths: LinkedPaths::default(),
        out_directories: Vec::new(),
        names: BundleNames {
            distribution: "labext".to_owned(),
            module: "labext.b".to_owned(),
            file_name: "b.so".to_owned(),
            artifact_dir: directory.to_owned(),
            libs_dir: "labext.libs".to_owned(),
            defaulted: Vec::new(),
        },
        expected_entry_point: None,
    }
}

fn opened(name: &str, caller: OpenedBy) -> OpenedName {
    let because_of = vec!["liba.so".to_owned()];
    OpenedName {
        name: name.to_owned(),
        confidence: Confidence::Passed,
        caller,
        evidence: Vec::new(),
        would_resolve: None,
        in_bundle: None,
        observed: None,
        grafted: Some(GraftedAs { needed_as: NAME.to_owned(), name: HASHED.to_owned(), because_of }),
        verdict: OpenedVerdict::Renamed,
        why: String::new(),
        remedy: None,
        remedies: Vec::new(),
    }
}

fn repair(graft: Option<(&str, &str)>, edits: Vec<EditRequest>) -> Repair {
    let edit = |requests: Vec<EditRequest>| EditPlan { requests, ..EditPlan::nothing(1) };
    let grafts = graft.map(|(name, soname)| Graft {
        realpath: PathBuf::from("/opt/libfoo.so.1.2"),
        needed_as: NAME.to_owned(),
        name: name.to_owned(),
        size: 1,
        mode: 0o644,
        edit: edit(if soname == NAME { Vec::new() } else { vec![EditRequest::SetSoname(Name::from(soname))] }),
        why_edit: String::new(),
    });
    Repair { grafts: grafts.into_iter().collect(), artifact_edit: Some(edit(edits)), ..Repair::default() }
}

fn path() -> EditRequest {
    EditRequest::SetRpath(Name::from("$ORIGIN/../labext.libs"))
}

fn need(name: &str) -> EditRequest {
    EditRequest::AddNeeded(Name::from(name))
}

fn plain() -> Vec<(ArtifactId, String, Repair)> {
    let renamed = EditRequest::ReplaceNeeded { from: Name::from(NAME), to: Name::from(HASHED) };
    let first = repair(Some((HASHED, HASHED)), vec![renamed, path()]);
    vec![(ArtifactId(0), "liba.so".to_owned(), first), (ArtifactId(1), "libb.so".to_owned(), repair(None, Vec::new()))]
}

fn opening(outcome: OpeningOutcome, from: Option<FoundIn>) -> Opening {
    Opening { outcome, path: None, from, found_by: None, candidates: Vec::new(), missing: Vec::new(), note: None }
}

/// What each remedy makes of the bundle, as the session works it out, with glibc's or musl's answer.
fn made(kind: RemedyKind, libc: Libc) -> Made {
    let missing = opening(OpeningOutcome::Missing, None);
    let first = |graft, edits| repair(Some(graft), edits);
    let renamed = || EditRequest::ReplaceNeeded { from: Name::from(NAME), to: Name::from(HASHED) };
    let (a, b, opening) = match kind {
        RemedyKind::AddRpath => (first((HASHED, HASHED), vec![renamed(), path()]), repair(None, vec![path()]), missing),
        RemedyKind::AddNeeded => (
            first((HASHED, HASHED), vec![renamed(), path()]),
            repair(Some((HASHED, HASHED)), vec![need(HASHED), path()]),
            missing,
        ),
        RemedyKind::KeepSoname => (
            first((HASHED, NAME), vec![renamed(), path()]),
            repair(Some((HASHED, NAME)), vec![need(HASHED), path()]),
            if libc == Libc::Glibc { opening(OpeningOutcome::Loaded, Some(FoundIn::Bundle)) } else { missing },
        ),
        RemedyKind::KeepName => (
            first((NAME, NAME), vec![path()]),
            repair(Some((NAME, NAME)), vec![path()]),
            opening(OpeningOutcome::Found, Some(FoundIn::Bundle)),
        ),
        RemedyKind::Preload => {
            (first((HASHED, NAME), vec![renamed(), path()]), repair(Some((HASHED, NAME)), Vec::new()), missing)
        }
        RemedyKind::LinkIt => unreachable!("nothing of a plan"),
    };
    Made::Planned { repairs: vec![(ArtifactId(0), a), (ArtifactId(1), b)], opening: Some(opening) }
}

fn judged(artifact: &Artifact, opened: &OpenedName, libc: Libc) -> Vec<Remedy> {
    let plain = plain();
    let library = Path::new("/opt/libfoo.so.1.2");
    let case = Case { artifact, opened, library, libc, plain: &plain };
    judge(&case, |kind| Ok::<_, ()>(made(kind, libc))).unwrap()
}

fn of(remedies: &[Remedy], kind: RemedyKind) -> &Remedy {
    remedies.iter().find(|remedy| remedy.kind == kind).unwrap()
}

#[test]
fn the_known_case() {
    let remedies = judged(&artifact("labext"), &opened(NAME, OpenedBy::Artifact), Libc::Glibc);
    assert_eq!(remedies.iter().map(|remedy| remedy.kind).collect::<Vec<_>>(), ORDER);
    let helps: Vec<bool> = remedies.iter().map(|remedy| remedy.helps.unwrap()).collect();
    assert_eq!(helps, [false, false, true, true, true, true]);
    assert_eq!(choose(&remedies), Some(RemedyKind::KeepSoname));
    let alone = of(&remedies, RemedyKind::AddRpath);
    assert_eq!(alone.changes, ["libb.so: DT_RPATH = $ORIGIN/../labext.libs"]);
    assert_eq!(
        alone.why,
        "the file in the bundle is called libfoo-47542e49.so.1 and its SONAME says so too, so a search for libfoo.so.1 \
         never finds it"
    );
    let needed = of(&remedies, RemedyKind::AddNeeded);
    assert!(needed.why.contains("does not know it as libfoo.so.1"), "{}", needed.why);
    let name = of(&remedies, RemedyKind::KeepName);
    assert!(name.changes.contains(&"liba.so: not any more NEEDED libfoo.so.1 → libfoo-47542e49.so.1".to_owned()));
    assert!(
        name.changes.contains(&"labext.libs/libfoo.so.1: under this name instead of libfoo-47542e49.so.1".to_owned())
    );
    let preload = of(&remedies, RemedyKind::Preload);
    assert!(preload.lines[0].starts_with("# Python, at the top of labext/__init__.py"), "{:?}", preload.lines);
    assert!(preload.lines[2].ends_with("\"..\", \"labext.libs\", \"libfoo-47542e49.so.1\")"), "{:?}", preload.lines);
    let link = of(&remedies, RemedyKind::LinkIt);
    assert_eq!(link.lines[2], "    println!(\"cargo:rustc-link-search=native=/opt\");");
    assert_eq!(link.lines[3], "    println!(\"cargo:rustc-link-arg-cdylib=-l:libfoo.so.1.2\");");
}

#[test]
fn musl_knows_a_library_by_its_file_only() {
    let remedies = judged(&artifact("labext"), &opened(NAME, OpenedBy::Artifact), Libc::Musl);
    assert_eq!(choose(&remedies), Some(RemedyKind::KeepName));
    assert!(of(&remedies, RemedyKind::KeepSoname).why.starts_with("musl does not look at SONAMEs"));
    assert_eq!(of(&remedies, RemedyKind::Preload).helps, Some(false));
}

#[test]
fn what_does_not_fit_the_case_is_said() {
    let remedies = judged(&artifact(""), &opened(NAME, OpenedBy::Artifact), Libc::Glibc);
    let preload = of(&remedies, RemedyKind::Preload);
    assert_eq!((preload.helps, preload.why.contains("no __init__.py")), (Some(false), true));
    let remedies = judged(&artifact("labext"), &opened(NAME, OpenedBy::Python), Libc::Glibc);
    assert!(of(&remedies, RemedyKind::AddRpath).why.contains("_ctypes"));
    let remedies = judged(&artifact("labext"), &opened("/opt/libfoo.so.1", OpenedBy::Artifact), Libc::Glibc);
    assert!(of(&remedies, RemedyKind::AddRpath).why.contains("by its path"));
}

#[test]
fn a_refusal_is_a_remedy_that_does_not_help() {
    let (artifact, opened, plain) = (artifact("labext"), opened(NAME, OpenedBy::Artifact), plain());
    let case =
        Case { artifact: &artifact, opened: &opened, library: Path::new("/opt/l"), libc: Libc::Glibc, plain: &plain };
    let remedies = judge(&case, |_| Ok::<_, ()>(Made::Refused("no editor".to_owned()))).unwrap();
    let (link, others) = remedies.split_last().unwrap();
    assert!(others.iter().all(|remedy| remedy.helps == Some(false) && remedy.why == "no editor"));
    assert_eq!((link.kind, choose(&remedies)), (RemedyKind::LinkIt, Some(RemedyKind::LinkIt)));
    assert_eq!(kind_of("keep-name"), Some(RemedyKind::KeepName));
    assert_eq!(kind_of("keep-it"), None);
    assert!(ORDER.iter().all(|kind| kind_of(name_of(*kind)) == Some(*kind)));
}
