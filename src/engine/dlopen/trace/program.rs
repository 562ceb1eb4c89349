//! What kind of program a file is, as far as tracing goes: whose loader it has, and whether that loader will talk.

use crate::engine::binary::{self, Binary};
use crate::engine::deps::{Libc, guess_libc};
use crate::engine::file::Windows;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whose loader a program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// glibc's, which talks.
    Glibc,
    /// glibc's or musl's, started with other rights than ours: it ignores what the environment says.
    OtherRights,
    /// musl's, which says nothing.
    Musl,
    /// None.
    Static,
    /// The file can't be read.
    Unknown,
}

/// What `program` is.
pub(super) fn kind(program: &Path) -> Kind {
    let Some(binary) = binary_of(program) else { return Kind::Unknown };
    if binary.slices.iter().all(|slice| slice.interpreter.is_none()) {
        // The loader itself, started by name, has no interpreter, and talks.
        let is_loader = program.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld-linux"));
        return if is_loader { Kind::Glibc } else { Kind::Static };
    }
    if has_other_rights(program) {
        return Kind::OtherRights;
    }
    match guess_libc(&binary) {
        Libc::Glibc => Kind::Glibc,
        Libc::Musl => Kind::Musl,
    }
}

/// The program, read.
pub(super) fn binary_of(program: &Path) -> Option<Binary> {
    binary::read(&Windows::open(program).ok()?).ok()
}

/// The interpreter that `program` names.
pub(super) fn interpreter(program: &Path) -> Option<PathBuf> {
    let binary = binary_of(program)?;
    let name = binary.slices.iter().find_map(|slice| slice.interpreter.as_ref())?;
    Some(PathBuf::from(OsStr::from_bytes(name.as_bytes())))
}

/// Whether the kernel gives a program rights that we don't have (ld.so(8), "secure-execution mode").
fn has_other_rights(program: &Path) -> bool {
    let Ok(file) = std::fs::metadata(program) else { return false };
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let of_user = file.mode() & 0o4000 != 0 && file.uid() != user.as_raw();
    let of_group = file.mode() & 0o2000 != 0 && file.gid() != group.as_raw();
    of_user || of_group || (!user.is_root() && has_capabilities(program))
}

#[cfg(target_os = "linux")]
fn has_capabilities(program: &Path) -> bool {
    let mut value = [0u8; 64];
    rustix::fs::getxattr(program, "security.capability", &mut value).is_ok_and(|length| length > 0)
}

#[cfg(not(target_os = "linux"))]
fn has_capabilities(_: &Path) -> bool {
    false
}
