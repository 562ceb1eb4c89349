//! Native files that no cargo metadata names: given by path, or found by walking a folder.

use crate::engine::binary::{self, Format, ObjectKind};
use crate::engine::file::{Windows, is_private};
use crate::engine::report::audit::ArtifactKind;
use crate::engine::{Context, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How many directories deep a folder is walked.
const DEPTH: usize = 16;

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sniffed {
    /// Its format.
    pub format: Format,
    /// Whether it is an object file for the linker, which nothing loads.
    pub relocatable: bool,
    /// Whether it is a program at a fixed address, as far as the first bytes tell.
    pub executable: bool,
}

/// Looks at the first bytes of `path`; `None` for what is no native file or can't be read.
pub(super) fn sniff(path: &Path) -> Option<Sniffed> {
    let mut head = Vec::with_capacity(32);
    // Opening a named pipe waits for somebody who writes into it.
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    File::open(path).ok()?.take(32).read_to_end(&mut head).ok()?;
    sniff_head(&head)
}

/// The types are those of the gABI (`e_type`), of `mach-o/loader.h` (`filetype`) and of the PE specification.
fn sniff_head(head: &[u8]) -> Option<Sniffed> {
    let number = |at: usize, little: bool| -> Option<u32> {
        let bytes: [u8; 4] = head.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    match head.get(..4)? {
        [0x7f, b'E', b'L', b'F'] => {
            let low = if head.get(5) == Some(&2) { 17 } else { 16 };
            let kind = head.get(low).copied();
            Some(Sniffed { format: Format::Elf, relocatable: kind == Some(1), executable: kind == Some(2) })
        }
        magic @ ([0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe]) => {
            let kind = number(12, magic.first() != Some(&0xfe));
            Some(Sniffed { format: Format::MachO, relocatable: kind == Some(1), executable: kind == Some(2) })
        }
        // Java classes begin alike; where a universal file counts its slices they have a version of 45 or more.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf] => {
            (number(4, false)? < 45).then_some(Sniffed { format: Format::MachO, relocatable: false, executable: false })
        }
        [b'M', b'Z', ..] => Some(Sniffed { format: Format::Pe, relocatable: false, executable: false }),
        _ => None,
    }
}

/// The native files under `directory`, by path. Symbolic links to directories are not followed, nor are cargo's target
/// directories entered; one inode seen twice is two files. An empty file with a library's name counts: a broken repair
/// leaves such.
///
/// # Errors
/// [`crate::engine::Error::Cancelled`].
pub(super) fn walk(directory: &Path, context: &Context) -> Result<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![(directory.to_path_buf(), 0)];
    while let Some((directory, depth)) = open.pop() {
        for entry in super::leftovers::sorted_entries(&directory) {
            context.advance(1)?;
            let Ok(metadata) = std::fs::symlink_metadata(&entry) else { continue };
            if metadata.is_dir() {
                if depth < DEPTH && !is_skipped(&entry) {
                    open.push((entry, depth + 1));
                }
            } else if metadata.is_file() && !is_private(&entry) && is_native(&entry) {
                found.insert(entry);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Whether a folder's file is taken for an artifact.
pub(super) fn is_native(path: &Path) -> bool {
    match sniff(path) {
        Some(sniffed) => !sniffed.relocatable,
        None => has_library_name(path) && std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0),
    }
}

fn is_skipped(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name == ".git" || name == "node_modules")
        || directory.join("CACHEDIR.TAG").exists()
}

fn has_library_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".so") || name.contains(".so.") || [".dylib", ".dll", ".pyd"].iter().any(|end| name.ends_with(end))
}

/// What the file at `path` is: by its header where that can be read, else by its first bytes and its name.
pub(super) fn kind(path: &Path, sniffed: Option<Sniffed>) -> ArtifactKind {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let library =
        if super::names::extension_module(&name).is_some() { ArtifactKind::Extension } else { ArtifactKind::Library };
    let read = sniffed.and_then(|_| Windows::open(path).and_then(|source| binary::read(&source)).ok());
    match read.and_then(|binary| binary.slices.first().map(|slice| slice.kind)) {
        Some(ObjectKind::Executable) => ArtifactKind::Bin,
        Some(ObjectKind::SharedLibrary) => library,
        _ if sniffed.is_some_and(|one| one.executable) => ArtifactKind::Bin,
        _ if library == ArtifactKind::Extension || has_library_name(path) => library,
        _ => ArtifactKind::Bin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(kind: u8) -> Vec<u8> {
        let mut head = vec![0; 32];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[16] = kind;
        head
    }

    #[test]
    fn first_bytes_tell_formats_and_types() {
        type Expected = Option<(Format, bool, bool)>;
        let table: [(&[u8], Expected); 9] = [
            (&elf(3), Some((Format::Elf, false, false))),
            (&elf(1), Some((Format::Elf, true, false))),
            (&elf(2), Some((Format::Elf, false, true))),
            (b"\xcf\xfa\xed\xfe\0\0\0\0\0\0\0\0\x01\0\0\0", Some((Format::MachO, true, false))),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", Some((Format::MachO, false, false))),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", None),
            (b"MZ\x90\0", Some((Format::Pe, false, false))),
            (b"\x7fEL", None),
            (b"#!/bin/sh", None),
        ];
        for (head, expected) in table {
            let found = sniff_head(head).map(|one| (one.format, one.relocatable, one.executable));
            assert_eq!(found, expected, "{head:x?}");
        }
    }

    #[test]
    fn a_walk_is_sorted_and_skips_what_it_should() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["b", "a", "target", ".git"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("target/CACHEDIR.TAG"), "").unwrap();
        std::os::unix::fs::symlink("..", at("a/loop")).unwrap();
        let files = [
            ("b/x.so", elf(3)),
            ("a/tool", elf(2)),
            ("a/empty.so.1", Vec::new()),
            ("a/empty.txt", Vec::new()),
            ("a/x.o", elf(1)),
            ("a/text.so", b"INPUT(x)".to_vec()),
            ("target/x.so", elf(3)),
            (".git/x.so", elf(3)),
            ("b/.x.so.wheelwright-new", elf(3)),
        ];
        for (name, content) in files {
            std::fs::write(at(name), content).unwrap();
        }
        let found = walk(directory.path(), &Context::new()).unwrap();
        assert_eq!(found, [at("a/empty.so.1"), at("a/tool"), at("b/x.so")]);
        let context = Context::new();
        context.cancel();
        assert!(walk(directory.path(), &context).is_err());
    }

    #[test]
    fn kinds_of_unreadable_files_follow_names_and_first_bytes() {
        let sniffed = |kind: u8| sniff_head(&elf(kind));
        let table = [
            ("x.abi3.so", 3, ArtifactKind::Extension),
            ("libx.so.1", 3, ArtifactKind::Library),
            ("tool", 3, ArtifactKind::Bin),
            ("odd.so", 2, ArtifactKind::Bin),
        ];
        for (name, kind_byte, expected) in table {
            assert_eq!(kind(Path::new(name), sniffed(kind_byte)), expected, "{name}");
        }
    }

    #[test]
    fn kinds_of_linked_files_follow_their_headers() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.c"), "int main(void) { return 0; }\n").unwrap();
        let table = [
            ("tool.so", ["-pie", "-fPIE"], ArtifactKind::Bin),
            ("fixed", ["-no-pie", "-O1"], ArtifactKind::Bin),
            ("plugin", ["-shared", "-fPIC"], ArtifactKind::Library),
            ("x.abi3.so", ["-shared", "-fPIC"], ArtifactKind::Extension),
        ];
        for (name, flags, expected) in table {
            let mut compiler = std::process::Command::new("cc");
            compiler.current_dir(directory.path()).args(flags).args(["-o", name, "a.c"]);
            assert!(compiler.status().unwrap().success());
            let path = directory.path().join(name);
            assert_eq!(kind(&path, sniff(&path)), expected, "{name}");
        }
    }
}
