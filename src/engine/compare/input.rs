//! One of the files that are compared: a file of its own, or one in a wheel.

use super::wheel;
use crate::engine::file::{ReadAt, Windows};
use crate::engine::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An open file, and where it comes from.
#[derive(Debug)]
pub struct Input {
    /// Its path, as it is told.
    pub path: PathBuf,
    /// The wheel that it lies in, if so.
    pub container: Option<PathBuf>,
    /// Its name in the wheel.
    pub member: Option<String>,
    /// Its bytes.
    pub file: Windows,
}

impl Input {
    /// Opens the file `path`. Where a part of the path is a wheel, or another ZIP archive, and the rest is the name of a file in
    /// it, that file is unpacked into a temporary file without a name.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be opened, [`Error::Refused`] when it is not a regular file, or the wheel has no such file or
    /// is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => match file_above(path) {
                Some((container, rest)) => Self::in_wheel(path, container, rest),
                None => Err(Error::io("open", path)(error)),
            },
            Ok(metadata) if metadata.is_dir() => Err(Error::Refused {
                path: path.to_path_buf(),
                reason: "is a directory".to_owned(),
                way_out: "name a file in it".to_owned(),
            }),
            _ => Ok(Self { path: path.to_path_buf(), container: None, member: None, file: Windows::open(path)? }),
        }
    }

    fn in_wheel(path: &Path, container: &Path, rest: &Path) -> Result<Self> {
        let ending = container.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        if !matches!(ending.as_deref(), Some("whl" | "zip")) {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                reason: format!("{} is a file, and neither a wheel nor another ZIP archive", container.display()),
                way_out: "name that file, or one in a *.whl".to_owned(),
            });
        }
        let Some(member) = rest.to_str() else {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                reason: "the name in the wheel is not UTF-8, as names in wheels are".to_owned(),
                way_out: "name a file that the wheel has".to_owned(),
            });
        };
        let file = Windows::of(wheel::member(container, member)?, path)?;
        Ok(Self {
            path: path.to_path_buf(),
            container: Some(container.to_path_buf()),
            member: Some(member.to_owned()),
            file,
        })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.file.size()
    }
}

/// The regular file that a part of `path` names, and the rest of `path` behind it.
fn file_above(path: &Path) -> Option<(&Path, &Path)> {
    let above = path.ancestors().skip(1).find(|above| std::fs::metadata(above).is_ok_and(|found| found.is_file()))?;
    Some((above, path.strip_prefix(above).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_nowhere_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let plain = directory.path().join("plain.so");
        std::fs::write(&plain, "x").unwrap();
        std::fs::write(directory.path().join("no.whl"), "x").unwrap();
        let table = [
            ("missing.so", "cannot open"),
            ("missing.whl/a.so", "cannot open"),
            ("plain.so/a.so", "neither a wheel nor another ZIP archive"),
            ("no.whl/a.so", "no readable ZIP archive"),
            (".", "is a directory"),
        ];
        for (name, expected) in table {
            let error = Input::open(&directory.path().join(name)).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{name}: {error}");
        }
        assert_eq!(Input::open(&plain).unwrap().member, None);
    }
}
