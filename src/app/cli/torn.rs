//! Files that an interrupted edit left torn: whatever looks at one first gives it its old bytes back, and says so.

use crate::engine::Context;
use crate::engine::repair::rewrite::{RolledBack, log_of, roll_back};
use std::path::Path;

/// Rolls back what was interrupted on `paths`; a sentence for each that was met. What can't be rolled back is said too, and is
/// no error: the other files can be looked at all the same.
pub fn mend<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
    paths.into_iter().filter_map(mend_one).collect()
}

fn mend_one(path: &Path) -> Option<String> {
    let real = std::fs::canonicalize(path).ok()?;
    let shown = real.display();
    match roll_back(path, &Context::new()) {
        Ok(None) => None,
        Ok(Some(RolledBack::Restored)) => {
            Some(format!("{shown}: an edit of it was interrupted; it has its old bytes again"))
        }
        Ok(Some(RolledBack::Foreign)) => Some(format!(
            "{shown}: {} is of another file than the one that has this name now; remove it if that file is gone",
            log_of(&real).display()
        )),
        Err(error) => {
            Some(format!("{shown}: an edit of it is going on or was interrupted, and is not rolled back: {error}"))
        }
    }
}
