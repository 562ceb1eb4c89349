//! What a glibc loader says of itself in its bytes, without being run: its version, its default directories, its `$LIB`.
//!
//! The version stands in `ld.so` since glibc 2.33 (`elf/rtld.c`, `--version`); before, its file bears it, or libc defines it.
//! The directories are the array `system_dirs` of `elf/dl-load.c`: texts that begin and end with a slash, one behind the other.

use super::objects::{Looked, Objects};
use super::tokens::as_path;
use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::file::{ReadAt, Windows};
use goblin::elf::program_header::PT_LOAD;
use memchr::memmem;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A larger file is no loader.
const LARGEST: u64 = 16 << 20;

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlibcVersion {
    /// 2.
    pub major: u32,
    /// 36 of 2.36.
    pub minor: u32,
}

impl GlibcVersion {
    /// The first version that knows glibc-hwcaps subdirectories.
    pub(super) const HWCAPS: Self = Self { major: 2, minor: 33 };
    /// The first version that knows no legacy subdirectories.
    pub(super) const NO_LEGACY: Self = Self { major: 2, minor: 37 };

    /// The version that `text` begins with: `2.36`, `2.36-9+deb12u14`, `2.35.1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = text.split_once('.')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let rest = rest.get(..digits)?;
        Some(Self { major: major.parse().ok()?, minor: rest.parse().ok()? })
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// What one loader says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LdSo {
    /// Its version.
    pub(super) version: Option<GlibcVersion>,
    /// Its default directories; empty when they were not recognized.
    pub(super) directories: Vec<PathBuf>,
    /// What `$LIB` stands for.
    pub(super) library: Option<String>,
}

impl LdSo {
    /// Reads the loader `path`; nothing is known of what can't be read.
    pub(super) fn read(path: &Path, objects: &Objects) -> Self {
        let Ok(bytes) = Windows::open(path).and_then(|windows| texts(&windows)) else { return Self::default() };
        let mut found = Self::parse(&bytes);
        let real = std::fs::canonicalize(path).unwrap_or(path.to_path_buf());
        found.version = found.version.or_else(|| version_of_file(&real)).or_else(|| version_of_libc(&real, objects));
        found
    }

    fn parse(bytes: &[u8]) -> Self {
        let directories = system_directories(bytes);
        let library = directories.iter().find_map(|directory| {
            let name = directory.strip_prefix("/usr").unwrap_or(directory).strip_prefix("/").ok()?;
            let name = name.to_str().filter(|name| !name.is_empty())?;
            memmem::find(bytes, format!("\0{name}\0").as_bytes()).map(|_| name.to_string())
        });
        Self { version: version_in(bytes), directories, library }
    }
}

/// The bytes in which texts stand: the segments that are only read. All of a file that has none, as older linkers made it.
fn texts(windows: &Windows) -> Result<Vec<u8>> {
    const READ_ONLY: u32 = 4;
    let tables = Tables::read(windows)?;
    let mut bytes = Vec::new();
    for segment in tables.segments.iter().filter(|one| one.p_type == PT_LOAD && one.p_flags == READ_ONLY) {
        bytes.extend(windows.bytes(segment.p_offset, segment.p_filesz.min(LARGEST))?);
        // Two segments are no neighbours.
        bytes.push(0xff);
    }
    if bytes.is_empty() { windows.bytes(0, windows.size().min(LARGEST)) } else { Ok(bytes) }
}

/// The number behind the words of `ld.so --version`.
fn version_in(bytes: &[u8]) -> Option<GlibcVersion> {
    const WORDS: &[u8] = b" release version ";
    memmem::find_iter(bytes, WORDS).find_map(|at| {
        let rest = bytes.get(at + WORDS.len()..)?;
        GlibcVersion::parse(std::str::from_utf8(rest.get(..rest.len().min(16))?.split(|byte| *byte == 0).next()?).ok()?)
    })
}

/// Before 2.34 the file was called `ld-2.31.so`, and the loader's name a symbolic link to it.
fn version_of_file(real: &Path) -> Option<GlibcVersion> {
    GlibcVersion::parse(real.file_name()?.to_str()?.strip_prefix("ld-")?)
}

/// The newest version that the libc beside the loader defines; a release without new functions defines none.
fn version_of_libc(real: &Path, objects: &Objects) -> Option<GlibcVersion> {
    let Looked::Object(libc) = objects.look(&real.parent()?.join("libc.so.6")) else { return None };
    let details = libc.binary.as_ref()?.slices.first()?.elf.as_ref()?;
    let names = details.version_definitions.iter();
    names.filter_map(|name| GlibcVersion::parse(name.to_text().strip_prefix("GLIBC_")?)).max()
}

/// The longest row of directories, the first of several.
fn system_directories(bytes: &[u8]) -> Vec<PathBuf> {
    let (mut best, mut row): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    let mut next = 0;
    // Only texts that begin with a slash count, so that most of the file is passed over in one go.
    for slash in memmem::find_iter(bytes, b"\0/").map(|before| before + 1) {
        let rest = bytes.get(slash..).unwrap_or_default();
        let text = rest.get(..memchr::memchr(0, rest).unwrap_or(rest.len())).unwrap_or_default();
        if slash != next {
            row.clear();
        }
        next = slash + text.len() + 1;
        if !is_library_directory(text) {
            row.clear();
            continue;
        }
        row.push(text);
        if row.len() > best.len() {
            best.clone_from(&row);
        }
    }
    let directory = |text: &&[u8]| Some(as_path(text.strip_suffix(b"/")?).to_path_buf());
    best.iter().filter_map(directory).collect()
}

fn is_library_directory(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"/").and_then(|rest| rest.strip_suffix(b"/"));
    let plain = |byte: &u8| byte.is_ascii_graphic();
    inner.is_some_and(|inner| {
        inner.len() < 4096
            && inner.iter().all(plain)
            && as_path(inner).iter().any(|part| part.as_bytes().starts_with(b"lib"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_is_read_without_being_run() {
        let debian = b"\x01\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0/\0/lib64/x.so\0\
                       lib/x86_64-linux-gnu\0ld.so (Debian GLIBC 2.36-9) stable release version 2.36.\nCopy\0";
        let found = LdSo::parse(debian);
        assert_eq!(found.version, Some(GlibcVersion { major: 2, minor: 36 }));
        let expected = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"].map(PathBuf::from);
        assert_eq!(found.directories, expected);
        assert_eq!(found.library.as_deref(), Some("lib/x86_64-linux-gnu"));
        let plain = LdSo::parse(b"\0lib64\0/lib64/\0/usr/lib64/\0/var/run/\0");
        assert_eq!(plain.directories, ["/lib64", "/usr/lib64"].map(PathBuf::from));
        assert_eq!((plain.library.as_deref(), plain.version), (Some("lib64"), None));
        assert_eq!(LdSo::parse(b""), LdSo::default());
    }

    #[test]
    fn versions_are_read_from_their_beginning() {
        let version = |minor| Some(GlibcVersion { major: 2, minor });
        for (text, expected) in [
            ("2.36", version(36)),
            ("2.35-0ubuntu3", version(35)),
            ("2.31.so", version(31)),
            ("2", None),
            ("two.one", None),
        ] {
            assert_eq!(GlibcVersion::parse(text), expected, "{text}");
        }
        assert_eq!(version_of_file(Path::new("/lib/ld-2.31.so")), version(31));
        assert_eq!(version_of_file(Path::new("/lib/ld-linux-x86-64.so.2")), None);
        assert!(GlibcVersion::parse("2.4") < GlibcVersion::parse("2.33"));
    }
}
