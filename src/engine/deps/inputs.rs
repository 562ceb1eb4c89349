//! What the loader's lens is told: the artifact, and everything that a real loader would take from its process.
//!
//! The engine reads no environment and no working directory; the caller fills [`LoaderInputs`] in.

use super::ldso::GlibcVersion;
use super::overlay::Overlay;
use super::processor::{Maker, host_hwcaps, host_maker};
use super::sysroot::{Root, View};
use crate::engine::binary::{Binary, Slice};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An artifact and the path that the loader would know it by.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// Where its bytes are now: its own path, or a staged file.
    pub read_from: &'a Path,
    /// Its own path (cargo's path for a cargo output): the directory of `$ORIGIN`, also while nothing is there.
    pub loaded_as: &'a Path,
}

impl<'a> Placed<'a> {
    /// A file that lies where it would be loaded from.
    #[must_use]
    pub fn in_place(path: &'a Path) -> Self {
        Self { read_from: path, loaded_as: path }
    }
}

/// The C library whose loader an ELF file will meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Libc {
    /// GNU libc: ld.so(8).
    Glibc,
    /// musl: its libc.so is the loader.
    Musl,
}

/// What a loader would take from its process and its machine.
#[derive(Debug, Clone)]
pub struct LoaderInputs {
    /// The value of `LD_LIBRARY_PATH`; `None` when unset.
    pub ld_library_path: Option<OsString>,
    /// The value of `LD_PRELOAD`; `None` when unset.
    pub ld_preload: Option<OsString>,
    /// The directories that build scripts gave to the linker. No loader knows them: they are searched last of all.
    pub linked_paths: Vec<PathBuf>,
    /// Directories that the user added (`--ld-path`), searched after the loader's own.
    pub extra_paths: Vec<PathBuf>,
    /// The working directory that relative entries are meant from; absolute.
    pub current_directory: PathBuf,
    /// The directory that stands for the process's `/` (`--sysroot`), absolute. Every absolute path that a loader would open
    /// lies below it, and what is found is reported where it lies on this machine. Linked paths, `extra_paths` and the
    /// artifact itself are paths of this machine, inside the sysroot or not. Of `ld_library_path` and `ld_preload`, which
    /// speak of this machine too, only those entries count that lie inside.
    pub sysroot: Option<PathBuf>,
    /// The program that will load the artifact, as dlopen(3) does (`--host`): its own libraries are in the process before, and
    /// its DT_RPATH counts. `None` for an artifact alone in its process, as `ld.so --list` has it.
    pub host: Option<PathBuf>,
    /// Whose loader it is; `None` to guess it for each artifact ([`LoaderInputs::libc_of`]).
    pub libc: Option<Libc>,
    /// The glibc-hwcaps subdirectories that the processor can use, best first ([`host_hwcaps`]).
    pub hwcaps: Vec<String>,
    /// Whose processor it is, which decides on `$PLATFORM` and, before glibc 2.37, on the legacy subdirectories.
    pub maker: Maker,
    /// The version of glibc (`--glibc`); `None` for that of the loader that is found.
    pub glibc: Option<GlibcVersion>,
    /// glibc's cache, usually `/etc/ld.so.cache`.
    pub cache_file: PathBuf,
    /// The loader's default directories; `None` for those that stand in the loader that is found, or, where none is, for those
    /// that the directory layout suggests.
    pub default_directories: Option<Vec<PathBuf>>,
    /// Files that are seen though they are not there yet, and directories that are not seen; `None` for what there is.
    pub overlay: Option<Arc<Overlay>>,
}

impl LoaderInputs {
    /// A process without any loader variables, working in `current_directory`, on this processor.
    #[must_use]
    pub fn new(current_directory: PathBuf) -> Self {
        Self {
            ld_library_path: None,
            ld_preload: None,
            linked_paths: Vec::new(),
            extra_paths: Vec::new(),
            current_directory,
            sysroot: None,
            host: None,
            libc: None,
            hwcaps: host_hwcaps(),
            maker: host_maker(),
            glibc: None,
            cache_file: PathBuf::from("/etc/ld.so.cache"),
            default_directories: None,
            overlay: None,
        }
    }
}

impl LoaderInputs {
    /// Whose loader will load `binary`: the caller's word, else what the file says, else what the sysroot or this machine
    /// has.
    #[must_use]
    pub fn libc_of(&self, binary: &Binary) -> Libc {
        let said = || self.libc.or_else(|| binary.slices.iter().find_map(libc_of_slice));
        said().unwrap_or_else(|| libc_below(&Root::of(self)))
    }
}

/// Whose loader will load `binary`: said by its interpreter, else by the libc it needs, else by what this machine has.
#[must_use]
pub fn guess_libc(binary: &Binary) -> Libc {
    binary.slices.iter().find_map(libc_of_slice).unwrap_or_else(host_libc)
}

/// What the file itself says: by its interpreter, else by the libc it needs.
fn libc_of_slice(slice: &Slice) -> Option<Libc> {
    let interpreter = slice.interpreter.iter().find_map(|name| {
        let text = name.to_text();
        let file = text.rsplit('/').next().unwrap_or_default();
        if file.starts_with("ld-musl-") {
            Some(Libc::Musl)
        } else if file.starts_with("ld-linux") || file.starts_with("ld64.so") || file == "ld.so.1" {
            Some(Libc::Glibc)
        } else {
            None
        }
    });
    interpreter.or_else(|| {
        slice.needed.iter().find_map(|needed| match needed.name.as_bytes() {
            b"libc.so" => Some(Libc::Musl),
            name if name.starts_with(b"libc.musl-") => Some(Libc::Musl),
            name if name.starts_with(b"libc.so.") => Some(Libc::Glibc),
            _ => None,
        })
    })
}

/// The libc of this machine: musl where its loader stands in `/lib` and glibc's cache does not exist.
#[must_use]
pub fn host_libc() -> Libc {
    libc_below(&Root::default())
}

fn libc_below(root: &Root) -> Libc {
    let entries = root.openable(View::Process, Path::new("/lib")).and_then(std::fs::read_dir);
    let musl = entries.is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"ld-musl-"))
    });
    let cached = root.openable(View::Process, Path::new("/etc/ld.so.cache")).is_ok_and(|path| path.exists());
    if musl && !cached { Libc::Musl } else { Libc::Glibc }
}
