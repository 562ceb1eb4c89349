//! Names that could lead astray: of profiles, artifacts, wheels and directories; and bundles that two artifacts share.

use crate::small::{ALL, NEEDY, PLAIN, Small, THIRSTY, advance, tree};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::project::Project;
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Outcome, Places, Session};

fn go(session: &mut Session) {
    for id in ALL {
        advance(session, id, Step::Finalize);
    }
}

/// Moves the outputs to another profile.
fn in_profile(small: &Small, profile: &str) -> Project {
    let directory = small.target().join(profile);
    std::fs::rename(small.target().join("release"), &directory).unwrap();
    let mut project = small.project();
    for artifact in &mut project.artifacts {
        artifact.path = directory.join(&artifact.name);
        let cargo = artifact.cargo.as_mut().unwrap();
        profile.clone_into(&mut cargo.profile);
        cargo.profile_directory.clone_from(&directory);
        cargo.build_profile_directory.clone_from(&directory);
    }
    project
}

/// A profile may be called as one of our own folders, which are emptied.
pub fn profiles_named_like_our_folders() {
    for profile in ["trash", "kept", "verify", "files", "journal"] {
        let small = Small::new();
        let clean = small.clean();
        let mut session = small.session_with(in_profile(&small, profile), |_| {});
        advance(&mut session, PLAIN, Step::Predict);
        advance(&mut session, NEEDY, Step::Verify);
        advance(&mut session, THIRSTY, Step::Finalize);
        session.leave().unwrap();
        std::fs::rename(small.target().join(profile), small.target().join("release")).unwrap();
        assert_eq!(small.clean(), clean, "profile {profile}");
    }
}

/// A program may be called as the bundle's folder, another file as a private copy.
pub fn artifacts_named_like_our_files() {
    for name in ["bundle", "libneedy.so.private"] {
        let small = Small::new();
        let mut project = small.project();
        let output = small.output(name);
        std::fs::rename(small.output("libplain.so"), &output).unwrap();
        project.artifacts[PLAIN.0].path.clone_from(&output);
        name.clone_into(&mut project.artifacts[PLAIN.0].name);
        let clean = small.clean();
        let mut session = small.session_with(project, |_| {});
        advance(&mut session, PLAIN, Step::Stage);
        advance(&mut session, NEEDY, Step::Finalize);
        session.leave().unwrap();
        assert_eq!(small.clean(), clean, "{name}");
    }
}

/// The user's own folders in a place that they named are theirs, whatever they are called.
pub fn a_staging_directory_with_others_files() {
    let small = Small::new();
    let clean = small.clean();
    let place = small.root.join("my place");
    for file in ["trash/letter", "verify/proof", "kept/memory", "release/notes", "journal"] {
        crate::support::write(&place.join(file), file);
    }
    let before = tree(&place);
    let mut session = small.session_with(small.project(), |options| options.staging = Some(place.clone()));
    go(&mut session);
    session.leave().unwrap();
    let mut after = tree(&place);
    after.retain(|path, _| !path.starts_with(place.join("wheelwright")));
    assert_eq!(after, before);
    assert_eq!(small.clean(), clean);
}

/// Names from a pyproject.toml can't lead out of the bundle.
pub fn wheel_names_that_lead_elsewhere() {
    for (directory, libs) in [("/elsewhere", "/elsewhere.libs"), ("../../../../../out", "../../../../../out.libs")] {
        let small = Small::new();
        let mut project = small.project();
        let absolute = |name: &str| match name.strip_prefix('/') {
            Some(name) => small.root.join(name).display().to_string(),
            None => name.to_owned(),
        };
        for artifact in &mut project.artifacts {
            artifact.names.artifact_dir = absolute(directory);
            artifact.names.libs_dir = absolute(libs);
        }
        let before = tree(&small.root);
        let mut session = small.session_with(project, |_| {});
        go(&mut session);
        session.leave().unwrap();
        let mut after = tree(&small.root);
        after.retain(|path, _| !path.starts_with(small.home()));
        assert_eq!(after, before);
    }
}

/// A library that two artifacts would need with different edits is refused to the second; the first one's stays as it was.
pub fn a_library_that_two_need_differently() {
    let small = Small::new();
    let mut project = small.project();
    // The same libgreet, by name and bytes, beside another libdeep.
    project.artifacts[THIRSTY.0].linked_paths.paths = vec![small.root.join("other")];
    let mut session = small.session_with(project.clone(), |_| {});
    let whole = session.plan_document(Step::Finalize, &Context::new()).unwrap();
    let refused: Vec<_> = whole.steps.iter().flat_map(|step| &step.refusals).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].artifact, small.output("libthirsty.so"));
    advance(&mut session, NEEDY, Step::Finalize);
    let bundle = tree(&small.home().join("release/bundle/small.libs"));
    advance(&mut session, THIRSTY, Step::Audit);
    let Outcome::Refused(refusal) = session.step(THIRSTY, &Context::new()).unwrap() else { panic!("grafted") };
    assert!(refusal.reason.contains("libgreet"), "{}", refusal.reason);
    assert_eq!(tree(&small.home().join("release/bundle/small.libs")), bundle);
    // Without the first, the second can have it.
    while session.undo(NEEDY, &Context::new()).unwrap().is_some() {}
    advance(&mut session, THIRSTY, Step::Finalize);
    session.leave().unwrap();
}

/// The same library twice, at two places, with the same edits, is one in the bundle.
pub fn the_same_library_from_two_places() {
    let small = Small::new();
    let mut project = small.project();
    std::fs::copy(small.root.join("private/libdeep.so.2"), small.root.join("other/libdeep.so.2")).unwrap();
    project.artifacts[THIRSTY.0].linked_paths.paths = vec![small.root.join("other")];
    let mut session = small.session_with(project, |_| {});
    advance(&mut session, NEEDY, Step::Verify);
    let bundle = tree(&small.home().join("release/bundle/small.libs"));
    advance(&mut session, THIRSTY, Step::Finalize);
    assert_eq!(tree(&small.home().join("release/bundle/small.libs")), bundle);
    session.leave().unwrap();
}

/// Two artifacts with one place in the bundle: the second is told so, edited or not.
pub fn two_artifacts_with_one_place_in_the_bundle() {
    for (first, second) in [(NEEDY, THIRSTY), (PLAIN, NEEDY), (NEEDY, PLAIN)] {
        let small = Small::new();
        let clean = small.clean();
        let mut project = small.project();
        for artifact in &mut project.artifacts {
            "same.so".clone_into(&mut artifact.names.file_name);
        }
        let mut session = small.session_with(project, |_| {});
        advance(&mut session, first, Step::Finalize);
        advance(&mut session, second, Step::Verify);
        let bundle = tree(&small.home().join("release/bundle"));
        let Outcome::Refused(refusal) = session.step(second, &Context::new()).unwrap() else { panic!("finalized") };
        assert!(refusal.reason.contains("another artifact"), "{}", refusal.reason);
        session.leave().unwrap();
        assert_eq!(tree(&small.home().join("release/bundle")), bundle);
        assert_eq!(small.clean(), clean);
    }
}

/// Links in the bundle lead to the outputs, by whatever way target directory and staging are reached.
pub fn directories_behind_symbolic_links() {
    for (linked, staging) in [(true, false), (false, true), (true, true)] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (deep, place) = (root.join("a/b/c/d"), root.join("x/y/z"));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(&place).unwrap();
        std::os::unix::fs::symlink(&deep, root.join("way")).unwrap();
        std::os::unix::fs::symlink(&place, root.join("place")).unwrap();
        let small = Small::below(&if linked { root.join("way") } else { deep });
        let clean = small.clean();
        let staging = staging.then(|| root.join("place"));
        let mut session = small.session_with(small.project(), |options| options.staging.clone_from(&staging));
        go(&mut session);
        let bundle = session.bundles().into_keys().next().unwrap();
        assert_eq!(std::fs::read(bundle.join("small/plain.so")).unwrap(), clean[&small.output("libplain.so")]);
        session.leave().unwrap();
        assert_eq!(small.clean(), clean);
    }
    // Our own folder in the target directory may be such a link as well.
    let small = Small::new();
    let place = small.root.join("u/v/w");
    std::fs::create_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(&place, small.home()).unwrap();
    let mut session = small.session();
    go(&mut session);
    let bundle = session.bundles().into_keys().next().unwrap();
    assert!(bundle.join("small/plain.so").canonicalize().is_ok());
    session.leave().unwrap();
}

/// Spaces, quotes, newlines and bytes that are no text: forward, back, and again.
pub fn odd_directory_names() {
    for name in [&b"with space"[..], b"it's \"so\"", b"new\nline", b"not \xff\xfe text", b"-rf", b"$ORIGIN:;"] {
        let directory = tempfile::tempdir().unwrap();
        let small = Small::below(&directory.path().canonicalize().unwrap().join(Path::new(OsStr::from_bytes(name))));
        let clean = small.clean();
        let mut session = small.session();
        // The needed libraries are found through directories that no search path can name, so only what needs none goes on.
        advance(&mut session, PLAIN, Step::Finalize);
        advance(&mut session, NEEDY, Step::Audit);
        let _ = session.step(NEEDY, &Context::new());
        session.leave().unwrap();
        assert_eq!(small.clean(), clean, "{:?}", OsStr::from_bytes(name));
    }
}

/// Staging is the folder `wheelwright` of the place that was named, and home stays in the target directory.
pub fn staging_has_a_folder_of_its_own() {
    let small = Small::new();
    let named = small.root.join("elsewhere");
    let places = Places::of(&small.project(), Some(&named), Path::new("/nonexistent"));
    assert_eq!((places.staging, places.home), (named.join("wheelwright"), small.home()));
    let places = Places::of(&small.project(), Some(&small.home()), Path::new("/nonexistent"));
    assert_eq!(places.staging, small.home());
}
