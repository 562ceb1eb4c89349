//! Whether a file that a search came upon is the library: taken, passed over, or the end of the search.
//!
//! ld.so passes over a file of another class or machine and looks on; a file that is no ELF at all, has the other byte
//! order or another OS ABI ends the whole load with a message (glibc `elf/dl-load.c`, `open_verify`); a file that can't be
//! opened for another reason than that it is not there or not allowed ends the list it was sought by (`open_path`). musl
//! takes the first file that it can open and fails if that is not the one. dyld and Windows look on.

use super::abi::{self, AbiMatch};
use super::inputs::Libc;
use super::objects::{Looked, Object};
use crate::engine::binary::{Arch, Binary, Endian, Format};
use crate::engine::report::audit::Rejection;
use std::sync::Arc;

const FLAGS_1: u64 = 0x6fff_fffb;
const PIE: u64 = 0x0800_0000;
const EXECUTABLE: u16 = 2;

/// Which loader judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    /// An ELF loader.
    Elf(Libc),
    /// dyld or the Windows loader.
    Other(Format),
}

/// The judgement on one file.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is the library: its content and the number of the fitting slice.
    Taken { object: Arc<Object>, binary: Arc<Binary>, slice: usize },
    /// Not this one; the search goes on.
    PassedOver(Rejection),
    /// Not this one, nor any later one of the same list; the next list is searched.
    EndsList(Rejection),
    /// Not this one, and the loader gives up with this message.
    Ends(Rejection, &'static str),
}

/// Judges what was `looked` at for a process of machine `wanted`.
pub(super) fn judge(looked: Looked, wanted: &Arch, judge: Judge) -> Verdict {
    let verdict = match looked {
        Looked::Missing => return Verdict::PassedOver(Rejection::Missing),
        Looked::Unreadable => return Verdict::PassedOver(Rejection::Unreadable),
        Looked::Broken => match judge {
            Judge::Elf(Libc::Glibc) => return Verdict::EndsList(Rejection::Unreadable),
            Judge::Elf(Libc::Musl) => return Verdict::Ends(Rejection::Unreadable, "can't be opened"),
            Judge::Other(_) => return Verdict::PassedOver(Rejection::Unreadable),
        },
        Looked::NotAFile => match judge {
            Judge::Elf(_) => Verdict::Ends(Rejection::NotALibrary, "cannot read file data"),
            Judge::Other(_) => Verdict::PassedOver(Rejection::NotALibrary),
        },
        Looked::Object(object) => match judge {
            Judge::Elf(_) => judge_elf(object, wanted),
            Judge::Other(format) => judge_other(object, wanted, format),
        },
    };
    match verdict {
        Verdict::PassedOver(rejection) if judge == Judge::Elf(Libc::Musl) => {
            Verdict::Ends(rejection, "musl tries no other file after one that it could open")
        }
        verdict => verdict,
    }
}

fn judge_elf(object: Arc<Object>, wanted: &Arch) -> Verdict {
    if let Some(refused) = judge_header(&object.head, wanted) {
        return refused;
    }
    let Some(binary) = object.binary.clone() else {
        return Verdict::Ends(Rejection::NotALibrary, "damaged beyond its header");
    };
    let Some(slice) = binary.slices.first() else {
        return Verdict::Ends(Rejection::NotALibrary, "damaged beyond its header");
    };
    let flags = slice.elf.as_ref().and_then(|details| details.tables.dynamic_value(FLAGS_1)).unwrap_or(0);
    if flags & PIE != 0 {
        return Verdict::Ends(Rejection::NotALibrary, "cannot dynamically load position-independent executable");
    }
    Verdict::Taken { object, binary, slice: 0 }
}

/// What ld.so finds wrong with an ELF header; `None` when nothing. The order is that of its own checks.
fn judge_header(head: &[u8], wanted: &Arch) -> Option<Verdict> {
    const SHARED_OBJECT: u16 = 3;
    let wanted_length = if wanted.bits == 64 { 64 } else { 52 };
    if head.len() < wanted_length {
        return Some(Verdict::Ends(Rejection::NotALibrary, "file too short"));
    }
    if !head.starts_with(b"\x7fELF") {
        return Some(Verdict::Ends(Rejection::NotALibrary, "invalid ELF header"));
    }
    let byte = |at: usize| head.get(at).copied().unwrap_or_default();
    if byte(4) != if wanted.bits == 64 { 2 } else { 1 } {
        return Some(Verdict::PassedOver(Rejection::WrongClass));
    }
    match (wanted.endian, byte(5)) {
        (Endian::Little, 1) | (Endian::Big, 2) => {}
        (Endian::Little, _) => {
            return Some(Verdict::Ends(Rejection::WrongEndian, "ELF file data encoding not little-endian"));
        }
        (Endian::Big, _) => {
            return Some(Verdict::Ends(Rejection::WrongEndian, "ELF file data encoding not big-endian"));
        }
    }
    if let Some(message) = wrong_ident(head, wanted) {
        let rejection = if message.contains("ABI") { Rejection::WrongAbi } else { Rejection::NotALibrary };
        return Some(Verdict::Ends(rejection, message));
    }
    let half = |at: usize| match wanted.endian {
        Endian::Little => u16::from_le_bytes([byte(at), byte(at + 1)]),
        Endian::Big => u16::from_be_bytes([byte(at), byte(at + 1)]),
    };
    let word = |at: usize| match wanted.endian {
        Endian::Little => u32::from(half(at)) | u32::from(half(at + 2)) << 16,
        Endian::Big => u32::from(half(at)) << 16 | u32::from(half(at + 2)),
    };
    let of_machine = u32::from(half(18)) == wanted.machine;
    let abi = abi::matches(wanted, word(if wanted.bits == 64 { 48 } else { 36 }));
    // ARM's float ABI is part of what its ld.so expects of the first bytes.
    if of_machine && abi == AbiMatch::Ends {
        return Some(Verdict::Ends(Rejection::WrongAbi, "internal error"));
    }
    if word(20) != 1 {
        return Some(Verdict::Ends(Rejection::NotALibrary, "ELF file version does not match current one"));
    }
    if !of_machine {
        return Some(Verdict::PassedOver(Rejection::WrongArch));
    }
    if abi == AbiMatch::PassedOver {
        return Some(Verdict::PassedOver(Rejection::WrongAbi));
    }
    let program_header_size = if wanted.bits == 64 { 56 } else { 32 };
    match half(16) {
        SHARED_OBJECT | EXECUTABLE if half(if wanted.bits == 64 { 54 } else { 42 }) != program_header_size => {
            Some(Verdict::Ends(Rejection::NotALibrary, "ELF file's phentsize not the expected size"))
        }
        SHARED_OBJECT => None,
        EXECUTABLE => Some(Verdict::Ends(Rejection::NotALibrary, "cannot dynamically load executable")),
        _ => Some(Verdict::Ends(Rejection::NotALibrary, "only ET_DYN and ET_EXEC can be loaded")),
    }
}

/// What is wrong with the identification's last bytes, in the loader's words.
fn wrong_ident(head: &[u8], wanted: &Arch) -> Option<&'static str> {
    const ARM: u32 = 40;
    let rest = head.get(6..16)?;
    match rest {
        [version, ..] if *version != 1 => Some("ELF file version ident does not match current one"),
        // 0 is System V, 3 GNU, 64 ARM's own; ld.so takes no others.
        [_, os, ..] if !(matches!(os, 0 | 3) || (*os == 64 && wanted.machine == ARM)) => {
            Some("ELF file OS ABI invalid")
        }
        [_, os, version, ..] if !fits_abi_version(wanted, *os, *version) => Some("ELF file ABI version invalid"),
        [_, _, _, padding @ ..] if padding.iter().any(|byte| *byte != 0) => Some("nonzero padding in e_ident"),
        _ => None,
    }
}

/// glibc's `libc-abis` count the extensions of GNU that a file may need; MIPS counts its own from the beginning.
fn fits_abi_version(wanted: &Arch, os: u8, version: u8) -> bool {
    const MIPS: [u32; 2] = [8, 10];
    let is_mips = MIPS.contains(&wanted.machine);
    version == 0 || (os == 3 && version < 4) || (is_mips && version < 6)
}

fn judge_other(object: Arc<Object>, wanted: &Arch, format: Format) -> Verdict {
    let Some(binary) = object.binary.clone().filter(|binary| binary.format == format) else {
        return Verdict::PassedOver(Rejection::NotALibrary);
    };
    let fitting = |(_, arch): &(usize, &Arch)| arch.machine == wanted.machine && arch.bits == wanted.bits;
    match binary.slices.iter().map(|slice| &slice.arch).enumerate().find(fitting) {
        Some((slice, _)) => Verdict::Taken { object, binary, slice },
        None => Verdict::PassedOver(Rejection::WrongArch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(edit: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
        head[16] = 3;
        head[18] = 62;
        head[20] = 1;
        head[54] = 56;
        edit(&mut head);
        head
    }

    #[test]
    fn headers_are_judged_as_by_the_loader() {
        let wanted = Arch { name: "x86_64".into(), bits: 64, endian: Endian::Little, machine: 62, flags: 0 };
        let passed = |head: Vec<u8>| match judge_header(&head, &wanted) {
            None => "taken".to_string(),
            Some(Verdict::PassedOver(rejection)) => format!("passed over {rejection:?}"),
            Some(Verdict::Ends(rejection, _)) => format!("ends {rejection:?}"),
            Some(Verdict::EndsList(_) | Verdict::Taken { .. }) => "impossible".to_string(),
        };
        assert_eq!(passed(header(|_| ())), "taken");
        assert_eq!(passed(header(|head| head[7] = 3)), "taken");
        assert_eq!(passed(header(|head| head[4] = 1)), "passed over WrongClass");
        assert_eq!(passed(header(|head| head[18] = 183)), "passed over WrongArch");
        assert_eq!(passed(header(|head| head[5] = 2)), "ends WrongEndian");
        assert_eq!(passed(header(|head| head[7] = 9)), "ends WrongAbi");
        assert_eq!(passed(header(|head| head[16] = 2)), "ends NotALibrary");
        assert_eq!(passed(header(|head| head[0] = b'!')), "ends NotALibrary");
        assert_eq!(passed(header(|head| head[6] = 2)), "ends NotALibrary", "version in the identification");
        assert_eq!(passed(header(|head| head[8] = 1)), "ends WrongAbi", "ABI version");
        assert_eq!(passed(header(|head| head[54] = 32)), "ends NotALibrary", "size of program headers");
        assert_eq!(passed(header(|head| head[12] = 1)), "ends NotALibrary", "padding");
        assert_eq!(passed(header(|head| head[20] = 2)), "ends NotALibrary", "version");
        assert_eq!(passed(b"INPUT(-lx)".to_vec()), "ends NotALibrary");
        assert_eq!(passed(Vec::new()), "ends NotALibrary");
    }
}
