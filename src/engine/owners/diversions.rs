//! dpkg's diversions (dpkg-divert(1)): at a diverted name lies the file of the package that diverts, and the files that
//! other packages list under it lie at the name it is diverted to.

use super::Lookup;
use super::place::{Place, Root};
use super::read::{DATABASE, read};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One diversion.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Diversion {
    pub(super) from: Place,
    pub(super) to: Place,
    /// The package that diverts; `None` for one that the administrator made, which holds for every package.
    pub(super) by: Option<String>,
}

/// The diversions that the file `path` lists; none where it is not there.
pub(super) fn diversions(path: &Path, lookup: &Lookup<'_>) -> Vec<Diversion> {
    let mut bytes = Vec::new();
    match read(path, DATABASE, &mut bytes) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => lookup.notes.add(path, error),
    }
    let (diversions, whole) = parse(&bytes, lookup.root);
    if !whole {
        lookup.notes.add(path, "has a diversion that is not of three lines");
    }
    diversions
}

/// The diversions, and whether every line belongs to one.
fn parse(bytes: &[u8], root: &Root) -> (Vec<Diversion>, bool) {
    let place = |line: &[u8]| {
        let path = Path::new(OsStr::from_bytes(line));
        root.place(path).filter(|_| path.is_absolute())
    };
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let lines = lines.strip_suffix(&[b"".as_slice()]).unwrap_or(&lines);
    let of_three = |three: &[&[u8]]| {
        let &[from, to, by] = three else { return None };
        let by = (by != b":").then(|| String::from_utf8_lossy(by).into_owned());
        Some(Diversion { from: place(from)?, to: place(to)?, by })
    };
    let found: Vec<Diversion> = lines.chunks(3).filter_map(of_three).collect();
    let whole = found.len() * 3 == lines.len();
    (found, whole)
}
