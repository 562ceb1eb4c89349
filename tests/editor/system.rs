//! The built-in editor on the libraries of the system that the tests run on.

use crate::fixtures::{Loader, missing, strip, warnings};
use crate::{Outcome, Test, edit, names, rpath, soname};
use std::path::{Path, PathBuf};

/// The tests of this file.
pub const TESTS: &[Test] = &[("system::libraries_load_after_an_edit", libraries)];

/// So many must be found and edited for the test to say something.
const FEWEST: usize = 30;
/// More are not tried: the test would only take longer.
const MOST: usize = 40;

fn libraries() -> Outcome {
    let loader = Loader::build(&[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut edited = 0;
    for library in candidates() {
        if edited == MOST {
            break;
        }
        // A library that does not load as it is, or not as a second copy, says nothing about the edit.
        let Some(name) = library.file_name() else { continue };
        let copy = folder.path().join(name);
        if is_loader(&library) || std::fs::copy(&library, &copy).is_err() || loader.loads(&copy).is_err() {
            continue;
        }
        check(&library, &copy, &loader);
        std::fs::remove_file(&copy).unwrap();
        edited += 1;
    }
    if edited < FEWEST {
        return Err(format!("only {edited} system libraries were found that load"));
    }
    Ok(())
}

fn check(library: &Path, copy: &Path, loader: &Loader) {
    let warned = missing("readelf").is_none().then(|| warnings(copy));
    let before = names(copy);
    let mut paths = format!("$ORIGIN/../some-distribution.libs:{}", library.parent().unwrap().display());
    for path in &before.2 {
        paths.push(':');
        paths.push_str(path.split_once(' ').unwrap().1);
    }
    edit(copy, &[soname("a-name-that-this-library-never-had-0123abcd.so.1"), rpath(&paths)]);
    let after = names(copy);
    assert_eq!((after.1, after.3), (before.1, before.3));
    assert_eq!(after.0.as_deref(), Some("a-name-that-this-library-never-had-0123abcd.so.1"));
    assert_eq!(after.2, [format!("Rpath {paths}")]);
    loader.loads(copy).unwrap_or_else(|said| panic!("{}: {said}", library.display()));
    if let Some(warned) = warned {
        assert_eq!(warnings(copy), warned, "{}", library.display());
    }
    if missing("strip").is_none() {
        strip(copy);
        loader.loads(copy).unwrap_or_else(|said| panic!("{} after strip: {said}", library.display()));
    }
}

fn is_loader(library: &Path) -> bool {
    library.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-"))
}

/// Regular files named `*.so*` in the directories where systems keep libraries, in order.
fn candidates() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(PathBuf::from).to_vec();
    for entry in std::fs::read_dir("/usr/lib").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains("-linux-gnu") {
            directories.push(entry.path());
        }
    }
    directories.retain(|directory| directory.is_dir());
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in directories {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && entry.file_name().to_string_lossy().contains(".so") {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
