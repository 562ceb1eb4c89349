//! A file in a wheel: found by its name, unpacked into a temporary file that has no name, checked by size and checksum.
//!
//! Nothing is written under a name that the archive gives, so that none can lead elsewhere. What an archive declares is not
//! believed: not more is unpacked than is declared, and not more is declared than its bytes can hold.

use crate::engine::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// A larger file is not unpacked.
const LARGEST: u64 = 16 << 30;
/// Deflate makes at most this many bytes of one (RFC 1951: 258 bytes of two bits).
const MOST_OF_ONE: u64 = 1032;
/// Bytes that are unpacked at once.
const CHUNK: usize = 256 << 10;
/// As many names are given where the one that is asked for is not there.
const MOST_NAMED: usize = 5;
/// File type bits of a mode, and those of a symbolic link and of a regular file (stat(2)).
const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// The file `name` of the archive `container`, in a temporary file.
///
/// # Errors
/// [`Error::Refused`] when there is no such file in it, or it is damaged, encrypted, a link, or larger than it can be;
/// [`Error::Io`].
pub fn member(container: &Path, name: &str) -> Result<File> {
    let refused = |reason: String, way_out: &str| Error::Refused {
        path: container.to_path_buf(),
        reason,
        way_out: way_out.to_owned(),
    };
    let file = File::open(container).map_err(Error::io("open", container))?;
    let mut archive = ZipArchive::new(file).map_err(|error| match error {
        ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Error::io("read", container)(error),
        error => refused(format!("is no readable ZIP archive ({error})"), "download or build it again"),
    })?;
    if name.split('/').any(|part| part == "..") {
        let way_out = "give the name as the wheel lists it";
        return Err(refused(format!("{name} has a `..`, which no name in a wheel has"), way_out));
    }
    let Some(index) = archive.index_for_name(name) else {
        return Err(refused(format!("has no file {name}"), &alike(&archive, name)));
    };
    let mut entry = archive.by_index(index).map_err(|error| {
        refused(format!("{name} can't be unpacked ({error})"), "unpack it by other means, and name the file")
    })?;
    let kind = entry.unix_mode().unwrap_or(0) & TYPE;
    if entry.is_dir() {
        return Err(refused(format!("{name} is a directory"), "name a file in it"));
    }
    if kind == LINK {
        return Err(refused(format!("{name} is a symbolic link, which no wheel has"), "name a file"));
    }
    let (size, packed) = (entry.size(), entry.compressed_size());
    if size > LARGEST || size > packed.saturating_mul(MOST_OF_ONE).saturating_add(MOST_OF_ONE) {
        let reason = format!("{name} says that it has {size} bytes, of which {packed} are stored");
        return Err(refused(reason, "do not trust this archive; download or build it again"));
    }
    let damaged = |reason: String| refused(format!("{name} is damaged: {reason}"), "download or build it again");
    unpack(&mut entry, size).map_err(|trouble| match trouble {
        Trouble::Read(error) => damaged(error.to_string()),
        Trouble::Size(found) => damaged(format!("it has {found} bytes and says {size}")),
        Trouble::Write(error) => Error::io("unpack", &container.join(name))(error),
    })
}

enum Trouble {
    Read(std::io::Error),
    Size(u64),
    Write(std::io::Error),
}

/// Everything that `entry` holds, up to `size` bytes, which it must have. Its end checks the checksum.
fn unpack(entry: &mut impl Read, size: u64) -> Result<File, Trouble> {
    let mut file = tempfile::tempfile().map_err(Trouble::Write)?;
    let mut chunk = vec![0; CHUNK];
    let mut done: u64 = 0;
    loop {
        let read = entry.read(&mut chunk).map_err(Trouble::Read)?;
        let bytes = chunk.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        done += read as u64;
        if done > size {
            return Err(Trouble::Size(done));
        }
        if bytes.iter().all(|byte| *byte == 0) {
            // Zeros cost no room on the disk.
            file.seek(SeekFrom::Start(done)).map_err(Trouble::Write)?;
        } else {
            file.write_all(bytes).map_err(Trouble::Write)?;
        }
    }
    if done != size {
        return Err(Trouble::Size(done));
    }
    file.set_len(size).map_err(Trouble::Write)?;
    Ok(file)
}

/// What to name instead of `name`: the files of that name in other folders, else those with a like name, else all libraries.
fn alike(archive: &ZipArchive<File>, name: &str) -> String {
    let base = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let stem =
        |name: &str| base(name).split(['.', '-']).next().unwrap_or_default().trim_start_matches("lib").to_owned();
    let is_library = |name: &str| {
        let base = base(name);
        base.contains(".so") || base.ends_with(".pyd") || base.ends_with(".dll") || base.ends_with(".dylib")
    };
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let files: Vec<String> = names.filter(|name| !name.ends_with('/')).collect();
    let fitting = |fits: &dyn Fn(&str) -> bool| -> Vec<String> {
        let mut found: Vec<String> = files.iter().filter(|name| fits(name)).cloned().collect();
        found.sort();
        found
    };
    let (wanted, wanted_stem) = (base(name), stem(name));
    let kinds: [&dyn Fn(&str) -> bool; 3] =
        [&|name| base(name) == wanted, &|name| !wanted_stem.is_empty() && stem(name) == wanted_stem, &is_library];
    let found = kinds.into_iter().map(fitting).find(|found| !found.is_empty()).unwrap_or_default();
    if found.is_empty() {
        return format!("it has {} files and none that is a library", files.len());
    }
    let more = found.len().saturating_sub(MOST_NAMED);
    let named = found.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("it has {named} and {more} more") } else { format!("it has {named}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compare::Input;
    use crate::engine::file::ReadAt;
    use std::path::PathBuf;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    fn wheel(directory: &Path, files: &[(&str, &[u8])]) -> PathBuf {
        let path = directory.join("pkg-1.0-py3-none-any.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (number, (name, bytes)) in files.iter().enumerate() {
            let method = if number % 2 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
            writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn complaint(path: &Path) -> String {
        let error = Input::open(path).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    #[test]
    fn a_member_is_what_was_packed() {
        let directory = tempfile::tempdir().unwrap();
        let mut long = vec![0; 700_000];
        long.extend((0..500_000_u32).map(|number| (number * 7 % 251) as u8));
        long.extend(vec![0; 300_000]);
        let path = wheel(directory.path(), &[("pkg/a.so", &long), ("pkg/b.so", b"b"), ("pkg/empty", b"")]);
        for (name, bytes) in [("pkg/a.so", &long[..]), ("pkg/b.so", b"b"), ("pkg/empty", b"")] {
            let input = Input::open(&path.join(name)).unwrap();
            assert_eq!(input.file.bytes(0, input.size()).unwrap(), bytes);
            assert_eq!((input.container.as_ref(), input.member.as_deref()), (Some(&path), Some(name)));
            assert_eq!(input.path, path.join(name));
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside the wheel");
        assert_eq!(Input::open(&path).unwrap().member, None, "the wheel itself is a file too");
    }

    #[test]
    fn a_missing_member_names_those_alike() {
        let directory = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 4] = [
            ("pkg/_pkg.abi3.so", b"a"),
            ("pkg.libs/libz-1234.so.1", b"z"),
            ("pkg/__init__.py", b""),
            ("pkg/x.py", b""),
        ];
        let path = wheel(directory.path(), &files);
        let table = [
            ("_pkg.abi3.so", "has no file _pkg.abi3.so; it has pkg/_pkg.abi3.so"),
            ("pkg.libs/libz.so.1", "has no file pkg.libs/libz.so.1; it has pkg.libs/libz-1234.so.1"),
            ("other.so", "has no file other.so; it has pkg.libs/libz-1234.so.1, pkg/_pkg.abi3.so"),
            ("../pkg/x.py", "has a `..`"),
        ];
        for (name, expected) in table {
            let found = complaint(&path.join(name));
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn a_damaged_member_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..50_000_u32).map(|number| (number * number % 253) as u8).collect();
        let path = wheel(directory.path(), &[("x", b"x"), ("pkg/a.so", &content)]);
        let clean = std::fs::read(&path).unwrap();
        // The second file is stored: a byte of it changes its checksum alone.
        let place = clean.windows(100).position(|bytes| bytes == &content[..100]).unwrap();
        let mut flipped = clean.clone();
        flipped[place + 50] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let found = complaint(&path.join("pkg/a.so"));
        assert!(found.contains("pkg/a.so is damaged") && found.contains("build it again"), "{found}");
        std::fs::write(&path, &clean[..clean.len() / 2]).unwrap();
        assert!(complaint(&path.join("pkg/a.so")).contains("no readable ZIP archive"));
    }

    #[test]
    fn what_an_archive_declares_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = wheel(directory.path(), &[("pkg/a.so", &[7; 100_000])]);
        let clean = std::fs::read(&path).unwrap();
        // The sizes in the local header and in the central directory (APPNOTE 4.3.7, 4.3.12).
        let declared = 100_000_u32.to_le_bytes();
        let declaring = |size: u32| {
            let mut bytes = clean.clone();
            let places: Vec<usize> =
                (0..bytes.len() - 4).filter(|place| bytes[*place..*place + 4] == declared).collect();
            assert_eq!(places.len(), 2);
            places.iter().for_each(|place| bytes[*place..*place + 4].copy_from_slice(&size.to_le_bytes()));
            std::fs::write(&path, bytes).unwrap();
            complaint(&path.join("pkg/a.so"))
        };
        let more = declaring(4_000_000_000);
        assert!(more.contains("says that it has 4000000000 bytes"), "{more}");
        for size in [99_999, 100_001] {
            let found = declaring(size);
            assert!(found.contains("pkg/a.so is damaged"), "{found}");
        }
    }
}
