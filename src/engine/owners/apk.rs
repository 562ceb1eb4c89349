//! apk's database (the installed database of Alpine's "Apk spec"): one text file, `installed`, with a record for each
//! package. `P:` is its name, `V:` its version, `F:` a directory without the leading slash, `R:` a file in the directory
//! before it; an empty line ends it.
//!
//! Of several packages with one file the first in the database counts.

use super::read::{DATABASE, read};
use super::wanted::Wanted;
use super::{Answers, Lookup, answer};
use crate::engine::Result;
use crate::engine::report::audit::Owner;
use std::path::Path;

/// The database's place, of old and of new releases.
const PLACES: [&str; 2] = ["/lib/apk/db", "/usr/lib/apk/db"];

/// The owners by apk.
pub(super) fn owners(lookup: &Lookup<'_>) -> Result<Answers> {
    let mut answers = lookup.unanswered();
    let (places, slots): (Vec<_>, Vec<_>) = lookup.places().into_iter().unzip();
    let wanted = Wanted::new(lookup.root, places);
    let mut directories: Vec<_> = PLACES.iter().filter_map(|place| lookup.root.directory(Path::new(place))).collect();
    // With a merged /usr both are one.
    directories.dedup();
    for directory in directories {
        let path = lookup.root.outside(&directory).join("installed");
        let mut bytes = Vec::new();
        match read(&path, DATABASE, &mut bytes) {
            Ok(()) => {
                lookup.context.advance(0)?;
                if !search(&bytes, &wanted, |hit, owner| {
                    if let Some(&slot) = slots.get(hit) {
                        answer(&mut answers, slot, owner);
                    }
                }) {
                    lookup.notes.add(&path, "has a file that belongs to no package");
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => lookup.notes.add(&path, error),
        }
    }
    Ok(answers)
}

/// Calls `hit` for every wanted file with a way to name its owner; whether every file belongs to a package.
fn search(bytes: &[u8], wanted: &Wanted<'_>, mut hit: impl FnMut(usize, &dyn Fn() -> Owner)) -> bool {
    let (mut package, mut version, mut directory) = (None, None, b"".as_slice());
    let mut sound = true;
    for line in bytes.split(|&byte| byte == b'\n') {
        match line.split_first_chunk() {
            Some((b"P:", name)) => package = Some(name),
            Some((b"V:", number)) => version = Some(number),
            Some((b"F:", path)) => directory = path,
            Some((b"R:", file)) => {
                let Some(name) = package else {
                    sound = false;
                    continue;
                };
                let owner = || Owner {
                    kind: "apk".to_owned(),
                    package: String::from_utf8_lossy(name).into_owned(),
                    version: version.map(|number| String::from_utf8_lossy(number).into_owned()),
                    build: None,
                };
                wanted.met(file, || [b"/", directory].concat(), |number| hit(number, &owner));
            }
            None if line.is_empty() => (package, version, directory) = (None, None, b""),
            _ => {}
        }
    }
    sound
}
