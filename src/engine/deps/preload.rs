//! The libraries that come before all others: `LD_PRELOAD` and, with glibc, `/etc/ld.so.preload` (glibc `elf/rtld.c`,
//! `handle_preload_list`; musl `ldso/dynlink.c`, `load_preload`).
//!
//! A program that runs under `AT_SECURE` takes fewer of them; that mode is not followed.

use super::inputs::Libc;
use super::process::Process;
use super::sysroot::View;
use super::tokens::as_path;
use crate::engine::binary::Name;
use crate::engine::file::{ReadAt, Windows};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const FILE: &str = "/etc/ld.so.preload";
/// A larger file is no list of libraries.
const LARGEST: u64 = 1 << 20;

/// A library to load before all others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preload {
    /// As it is named.
    pub(super) name: Name,
    /// The file that names it; `None` for the variable.
    pub(super) file: Option<&'static str>,
}

/// The libraries to load before all others, in order.
pub(super) fn preloads(process: &Process<'_>, libc: Libc) -> Vec<Preload> {
    let text = process.inputs.ld_preload.as_ref().map(|text| text.as_bytes()).unwrap_or_default();
    let separates: fn(&u8) -> bool = match libc {
        Libc::Glibc => |byte| b" :".contains(byte),
        Libc::Musl => |byte| *byte == b':' || byte.is_ascii_whitespace() || *byte == 0x0b,
    };
    let names = text.split(separates).filter(|name| !name.is_empty());
    let variable = names.filter_map(|name| in_process(process, name)).map(|name| Preload { name, file: None });
    let file = if libc == Libc::Glibc { read_file(process) } else { Vec::new() };
    variable.chain(file.into_iter().map(|name| Preload { name, file: Some(FILE) })).collect()
}

/// The variable speaks of this machine: in a sysroot only what lies there can be meant.
fn in_process(process: &Process<'_>, name: &[u8]) -> Option<Name> {
    if !process.root.is_sysroot() {
        return Some(Name::new(name));
    }
    let (view, path) = process.root.view(as_path(name));
    (view == View::Process).then(|| Name::new(path.as_os_str().as_bytes()))
}

fn read_file(process: &Process<'_>) -> Vec<Name> {
    let Ok(path) = process.root.openable(View::Process, Path::new(FILE)) else { return Vec::new() };
    let read = |windows: Windows| windows.bytes(0, windows.size().min(LARGEST));
    Windows::open(&path).and_then(read).map(|text| names(&text)).unwrap_or_default()
}

/// The names of the file's text: `#` begins a comment, blanks and colons separate.
fn names(text: &[u8]) -> Vec<Name> {
    let lines = text.split(|&byte| byte == b'\n');
    let bare = lines.filter_map(|line| line.split(|&byte| byte == b'#').next());
    let words = bare.flat_map(|line| line.split(|byte| b": \t".contains(byte)));
    words.filter(|word| !word.is_empty()).map(Name::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_as_the_loader_reads_it() {
        let found = names(b"# all\nliba.so:/opt/libb.so\tlibc.so # libno.so\n\n  libd.so");
        let expected: Vec<Name> = ["liba.so", "/opt/libb.so", "libc.so", "libd.so"].map(Name::from).into();
        assert_eq!(found, expected);
        assert!(names(b"").is_empty());
    }
}
