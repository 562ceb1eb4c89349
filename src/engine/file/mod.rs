//! Access to files: who a file is ([`Identity`]), reading it in windows or through a map, copying and hashing it.
//!
//! A file at cargo's own path is read through [`Windows`], never a map: cargo may truncate it while we look.

mod copy;
mod extents;
mod hash;
mod identity;
mod map;
mod private;
mod ways;
mod windows;

pub use copy::{CopyMethod, clone_data, copy_data, copy_sparse, reflink_or_copy};
pub use extents::{Extent, Unwritten, extents_from, may_share};
pub use hash::{Sha256Hex, sha256, sha256_of};
pub use identity::Identity;
pub use map::Mapped;
pub use private::{NAME_MAX, is_private, private_beside};
pub use ways::{below, relative_path};
pub use windows::{MemoryBytes, ReadAt, Windows};
