//! Taking the bundle out of staging: real copies, for whoever packs the wheel.

use crate::engine::file::reflink_or_copy;
use crate::engine::{Context, Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Copies `files`, which lie below `bundle`, to the same places below `to`, symbolic links followed. A file of the same name is
/// replaced whole: its place is taken by rename, so that nobody ever sees half a file. One that is not there is left out.
///
/// # Errors
/// [`Error::Io`] when a file can't be read or written, [`Error::Cancelled`].
pub fn copy_bundle(bundle: &Path, files: &BTreeSet<PathBuf>, to: &Path, context: &Context) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for (from, place) in files.iter().filter_map(|from| Some((from, from.strip_prefix(bundle).ok()?))) {
        let to = to.join(place);
        let real = match from.canonicalize() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            real => real.map_err(Error::io("resolve", from))?,
        };
        if let Some(directory) = to.parent() {
            std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        }
        let fresh = super::places::private_of(&to);
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &fresh)(error));
            }
            _ => {}
        }
        let copied = reflink_or_copy(&real, &fresh, context)
            .and_then(|_| std::fs::rename(&fresh, &to).map_err(Error::io("rename", &fresh)));
        if let Err(error) = copied {
            // Half a file helps nobody; why there is no whole one is what the user has to hear.
            let _ = std::fs::remove_file(&fresh);
            return Err(error);
        }
    }
    Ok(())
}
