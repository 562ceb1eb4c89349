//! Taking the bundle out of staging: real copies, for whoever packs the wheel.

use crate::engine::file::reflink_or_copy;
use crate::engine::{Context, Error, Result};
use std::path::Path;

/// Copies everything below `bundle` to `to`, symbolic links followed. A file of the same name is replaced whole: its place is
/// taken by rename, so that nobody ever sees half a file.
///
/// # Errors
/// [`Error::Io`] when a file can't be read or written, [`Error::Cancelled`].
pub fn copy_bundle(bundle: &Path, to: &Path, context: &Context) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    let mut entries: Vec<_> =
        std::fs::read_dir(bundle).and_then(Iterator::collect).map_err(Error::io("list", bundle))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let metadata = std::fs::metadata(&from).map_err(Error::io("look at", &from))?;
        if metadata.is_dir() {
            copy_bundle(&from, &to, context)?;
            continue;
        }
        let real = from.canonicalize().map_err(Error::io("resolve", &from))?;
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
