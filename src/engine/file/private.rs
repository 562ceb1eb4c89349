//! How our private files beside others are named: hidden, by the file that they will replace, and recognised by everybody.

use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What our private files' names end with.
const ENDING: &str = ".wheelwright-new";

/// The longest file name of the filesystems that there are, in bytes.
pub const NAME_MAX: usize = 255;

/// The private file's path for `target`: one for each, so that a leftover is found without a search.
#[must_use]
pub fn private_beside(target: &Path) -> PathBuf {
    let file = target.file_name().unwrap_or(OsStr::new(""));
    let mut name = OsString::from(".");
    if file.len() + ENDING.len() < NAME_MAX {
        name.push(file);
    } else {
        let digest = Sha256::digest(file.as_bytes());
        let mut short = String::new();
        for byte in digest.iter().take(16) {
            let _ = write!(short, "{byte:02x}");
        }
        name.push(short);
    }
    name.push(ENDING);
    target.with_file_name(name)
}

/// Whether `path` is named as our private files are: no file of its own, but one that is being made or was left.
#[must_use]
pub fn is_private(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.starts_with(b".") && name.ends_with(ENDING.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_private_one_that_is_not_too_long() {
        for length in [1, 20, 238, 239, 255] {
            let target = Path::new("/some/where").join("n".repeat(length));
            let private = private_beside(&target);
            assert_eq!(private.parent(), target.parent());
            assert!(is_private(&private) && !is_private(&target));
            assert!(private.file_name().unwrap().len() <= NAME_MAX, "{length}");
        }
        assert_ne!(
            private_beside(&Path::new("/").join("a".repeat(250))),
            private_beside(&Path::new("/").join("b".repeat(250)))
        );
    }
}
