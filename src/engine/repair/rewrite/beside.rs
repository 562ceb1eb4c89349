//! The edit on a private copy beside the file, which is swapped in when it is whole and on the disk.

use super::attributes::Attributes;
use super::carry::carry_out;
use super::insert::{Inserted, Shifting};
use super::lock::FileLock;
use super::private::Private;
use super::{Taken, Written};
use crate::engine::file::{CopyMethod, clone_data, copy_data};
use crate::engine::repair::{EditPlan, Editor};
use crate::engine::{Context, Error, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// An edit that is to be made beside the file.
pub struct Beside<'a> {
    /// The file, no symbolic link.
    pub path: &'a Path,
    /// It, open and locked.
    pub source: &'a FileLock,
    /// Who edits.
    pub editor: &'a dyn Editor,
    /// What.
    pub plan: &'a EditPlan,
}

impl Beside<'_> {
    /// Swaps an edited copy in; `first` is what is to be said of why it is a copy.
    pub fn copied(&self, first: Option<String>, context: &Context) -> Result<Written> {
        let attributes = Attributes::of(&self.source.file, self.path)?;
        let private = self.private(&attributes)?;
        let method = clone_data(&self.source.file, &private.file)
            .map_or_else(|| self.copy(&private, context), |()| Ok(CopyMethod::Reflink))?;
        self.finish(private, &attributes, method, first, context)
    }

    /// Swaps an edited reflink in; `None` where the filesystem has none, or the copy could not have the owner.
    pub fn cloned(&self, context: &Context) -> Result<Option<Written>> {
        let attributes = Attributes::of(&self.source.file, self.path)?;
        let private = Private::beside(self.path)?;
        if attributes.give_owner(&private.file, self.path).is_err()
            || clone_data(&self.source.file, &private.file).is_none()
        {
            return Ok(None);
        }
        self.finish(private, &attributes, CopyMethod::Reflink, None, context).map(Some)
    }

    /// Puts an edited copy to `output`, of whatever filesystem, with the mode of the file and the owner that it gets.
    pub fn to(&self, output: &Path, context: &Context) -> Result<Written> {
        match std::fs::symlink_metadata(output) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::Refused {
                    path: output.to_path_buf(),
                    reason: "is a directory".into(),
                    way_out: "name a file".into(),
                });
            }
            _ => {}
        }
        let attributes = Attributes::of(&self.source.file, self.path)?;
        let private = Private::beside(output)?;
        let method = clone_data(&self.source.file, &private.file)
            .map_or_else(|| self.copy(&private, context), |()| Ok(CopyMethod::Reflink))?;
        let (inserted, bytes_written) = self.edit(&private, method, context)?;
        attributes.give_mode(&private.file, output)?;
        sync(&private, output)?;
        self.source.still_the_same(self.path)?;
        private.swap_in(output)?;
        Ok(Written { way: Taken::Beside, cloned: method == CopyMethod::Reflink, inserted, bytes_written, note: None })
    }

    /// Whether a file that we make may be given the file's owner; usually it has that anyway.
    pub fn keeps_owner(&self) -> Result<bool> {
        let metadata = self.source.file.metadata().map_err(Error::io("look at", self.path))?;
        let user = rustix::process::geteuid();
        if user.is_root() || (metadata.uid(), metadata.gid()) == (user.as_raw(), rustix::process::getegid().as_raw()) {
            return Ok(true);
        }
        let private = Private::beside(self.path)?;
        Ok(Attributes::of(&self.source.file, self.path)?.give_owner(&private.file, self.path).is_ok())
    }

    fn private(&self, attributes: &Attributes) -> Result<Private> {
        let private = Private::beside(self.path)?;
        attributes.give_owner(&private.file, self.path)?;
        Ok(private)
    }

    fn copy(&self, private: &Private, context: &Context) -> Result<CopyMethod> {
        let size = self.source.identity.size;
        copy_data(&self.source.file, self.path, &private.file, &private.path, size, context)?;
        Ok(CopyMethod::Copy)
    }

    /// Edits the private copy; how the insertion was made, and the bytes that were written for it all.
    fn edit(&self, private: &Private, method: CopyMethod, context: &Context) -> Result<(Option<Inserted>, u64)> {
        let (plan, path) = (self.plan, private.path.as_path());
        let copied = if method == CopyMethod::Copy { plan.size_before } else { 0 };
        if plan.is_empty() {
            return Ok((None, copied));
        }
        if plan.patches.is_empty() {
            self.editor.apply(path, plan, context)?;
            return Ok((None, copied + plan.writes));
        }
        let mut inserted = None;
        let shifting = if method == CopyMethod::Copy { Shifting::Preferred } else { Shifting::Allowed };
        self.editor.apply_by(path, plan, &mut |file| {
            inserted = carry_out(file, path, plan, shifting, context)?;
            Ok(())
        })?;
        let shifted = if inserted == Some(Inserted::Shifted) { plan.shifted } else { 0 };
        Ok((inserted, copied + plan.writes + shifted))
    }

    fn finish(
        &self,
        private: Private,
        attributes: &Attributes,
        method: CopyMethod,
        first: Option<String>,
        context: &Context,
    ) -> Result<Written> {
        let (inserted, bytes_written) = self.edit(&private, method, context)?;
        attributes.give(&private.file, self.path)?;
        sync(&private, self.path)?;
        self.source.still_the_same(self.path)?;
        private.swap_in(self.path)?;
        let others = self.source.identity.links.saturating_sub(1);
        let links = match others {
            0 => None,
            1 => Some("the file's other name keeps the old bytes".to_owned()),
            _ => Some(format!("the file's {others} other names keep the old bytes")),
        };
        let notes: Vec<String> = [first, links].into_iter().flatten().collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(Written { way: Taken::Beside, cloned: method == CopyMethod::Reflink, inserted, bytes_written, note })
    }
}

/// Brings the private file to the disk before it takes the place of `target`. Where the filesystem does that by itself with a
/// file that replaces another, and says at once when there is no room, an edit of a small file is spared the wait.
fn sync(private: &Private, target: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::fs::fstatfs(&private.file).is_ok_and(|system| BY_ITSELF.contains(&(system.f_type as u64))) {
        return Ok(());
    }
    private.file.sync_all().map_err(Error::io("sync", target))
}

/// ext4 (its `auto_da_alloc`), btrfs, and tmpfs, which has no disk: `f_type` of statfs(2).
#[cfg(target_os = "linux")]
const BY_ITSELF: [u64; 3] = [0xef53, 0x9123_683e, 0x0102_1994];
