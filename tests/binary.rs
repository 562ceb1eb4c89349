//! The binary view against goblin's whole-file parse as a second parser, on this system's own files and on the demo
//! lab's, and damaged copies of real files, which may be refused but never end the program.

use goblin::Object;
use goblin::mach::{Mach, MachO, SingleArch};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wheelwright::engine::binary::{self, Binary, Name, NeededBinding, Slice};
use wheelwright::engine::file::{MemoryBytes, Windows};

/// Exports that are looked for; every system has libraries with some of them.
const PREFIXES: [&[u8]; 3] = [b"PyInit_", b"_Z", b"g"];

fn lab(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built").join(name)
}

/// This test's own program, and up to 150 of the system's libraries: each its own inode, none large.
fn system_files() -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for directory in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib"] {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let wanted = entry.file_name().to_string_lossy().contains(".so");
            if wanted && entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() < 4 << 20) {
                files.insert(entry.path());
            }
        }
    }
    files.into_iter().take(150).chain(std::env::current_exe()).collect()
}

fn texts<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<String> {
    names.into_iter().map(|name| name.to_text().into_owned()).collect()
}

fn needed(slice: &Slice) -> Vec<String> {
    texts(slice.needed.iter().map(|needed| &needed.name))
}

fn exports(source: &Windows, binary: &Binary) -> Vec<String> {
    texts(&binary::exported_with_prefixes(source, binary, &PREFIXES).unwrap())
}

fn is_wanted(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.as_bytes().starts_with(prefix))
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.filter(|name| is_wanted(name)).map(String::from).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn elf_files_read_as_goblin_reads_them() {
    let mut compared = 0;
    for path in system_files() {
        let bytes = std::fs::read(&path).unwrap();
        // goblin refuses a few files whose section headers it dislikes; linker scripts are no binaries.
        let Ok(Object::Elf(theirs)) = Object::parse(&bytes) else { continue };
        let source = Windows::open(&path).unwrap();
        let binary = binary::read(&source).unwrap();
        let slice = &binary.slices[0];
        let place = path.display();
        assert_eq!(needed(slice), theirs.libraries, "{place}");
        assert_eq!(slice.soname.as_ref().map(|name| name.to_text().into_owned()).as_deref(), theirs.soname, "{place}");
        assert_eq!(slice.interpreter.as_ref().map(|name| name.to_text()).as_deref(), theirs.interpreter, "{place}");
        let paths = texts(slice.run_paths.iter().map(|path| &path.text));
        assert_eq!(paths, [theirs.rpaths.as_slice(), &theirs.runpaths].concat(), "{place}");
        let defined = theirs.dynsyms.iter().filter(|symbol| symbol.st_shndx != 0);
        let defined = sorted(defined.filter_map(|symbol| theirs.dynstrtab.get_at(symbol.st_name)));
        assert_eq!(exports(&source, &binary), defined, "{place}");
        compared += 1;
    }
    assert!(compared > 0 || !cfg!(target_os = "linux"));
}

fn assert_same_mach(source: &Windows, slice: &Slice, theirs: &MachO<'_>) {
    // goblin puts "self" before the libraries.
    assert_eq!(needed(slice), theirs.libs[1..]);
    assert_eq!(slice.soname.as_ref().map(|name| name.to_text().into_owned()).as_deref(), theirs.name);
    assert_eq!(texts(slice.run_paths.iter().map(|path| &path.text)), theirs.rpaths);
    assert_eq!((slice.arch.machine, slice.arch.flags), (theirs.header.cputype, theirs.header.cpusubtype));
    let one = Binary { format: binary::Format::MachO, size: slice.size, slices: vec![slice.clone()] };
    let found = theirs.exports().unwrap();
    let names = found.iter().map(|export| export.name.strip_prefix('_').unwrap_or(&export.name));
    let all = binary::exported_with_prefixes(source, &one, &[b""]).unwrap();
    assert_eq!(texts(&all), names.map(String::from).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    assert!(!all.is_empty());
}

#[test]
fn mach_o_files_read_as_goblin_reads_them() {
    for name in ["liblabmac.dylib", "libgreet.1.dylib"] {
        let bytes = std::fs::read(lab(name)).unwrap();
        let source = Windows::open(&lab(name)).unwrap();
        let binary = binary::read(&source).unwrap();
        match Mach::parse(&bytes).unwrap() {
            Mach::Binary(theirs) => {
                assert_eq!(binary.slices.len(), 1);
                assert_same_mach(&source, &binary.slices[0], &theirs);
            }
            Mach::Fat(theirs) => {
                let arches = theirs.arches().unwrap();
                assert_eq!(binary.slices.len(), arches.len());
                for (number, (slice, arch)) in binary.slices.iter().zip(&arches).enumerate() {
                    assert_eq!((slice.offset, slice.size), (u64::from(arch.offset), u64::from(arch.size)));
                    let SingleArch::MachO(theirs) = theirs.get(number).unwrap() else { panic!("an archive") };
                    assert_same_mach(&source, slice, &theirs);
                }
            }
        }
    }
}

/// A universal file of the lab's dylib and a 64-bit table of architectures, as a linker for many machines writes it.
#[test]
fn slices_of_a_universal_file_read_as_the_thin_file_does() {
    let thin = std::fs::read(lab("liblabmac.dylib")).unwrap();
    let alone = binary::read(&MemoryBytes::new("thin".into(), thin.clone())).unwrap();
    let mut bytes = [0xcafe_babf_u32.to_be_bytes(), 2_u32.to_be_bytes()].concat();
    let second = 0x1000 + (thin.len() as u64).next_multiple_of(0x1000);
    for offset in [0x1000, second] {
        bytes.extend([0_u8; 8]);
        bytes.extend([offset.to_be_bytes(), (thin.len() as u64).to_be_bytes()].concat());
        bytes.extend([0_u8; 8]);
    }
    for offset in [0x1000, second] {
        bytes.resize(offset as usize, 0);
        bytes.extend(&thin);
    }
    let source = MemoryBytes::new("fat".into(), bytes);
    let both = binary::read(&source).unwrap();
    assert_eq!(both.slices.iter().map(|slice| slice.offset).collect::<Vec<_>>(), [0x1000, second]);
    for slice in &both.slices {
        assert_eq!((needed(slice), &slice.soname), (needed(&alone.slices[0]), &alone.slices[0].soname));
    }
    let names = binary::exported_with_prefixes(&source, &both, &[b""]).unwrap();
    let thin = MemoryBytes::new("thin".into(), thin);
    assert_eq!(names, binary::exported_with_prefixes(&thin, &alone, &[b""]).unwrap());
}

#[test]
fn pe_files_read_as_goblin_reads_them() {
    for name in ["labwin.dll", "greet.dll"] {
        let bytes = std::fs::read(lab(name)).unwrap();
        let theirs = goblin::pe::PE::parse(&bytes).unwrap();
        let source = Windows::open(&lab(name)).unwrap();
        let binary = binary::read(&source).unwrap();
        let slice = &binary.slices[0];
        let required = slice.needed.iter().filter(|needed| needed.binding == NeededBinding::Required);
        let ours: BTreeSet<String> = texts(required.map(|needed| &needed.name)).into_iter().collect();
        assert_eq!(ours, theirs.libraries.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(slice.soname.as_ref().map(|name| name.to_text().into_owned()).as_deref(), theirs.name);
        let names = theirs.exports.iter().filter_map(|export| export.name).map(String::from);
        let all = texts(&binary::exported_with_prefixes(&source, &binary, &[b""]).unwrap());
        assert_eq!(all, names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        assert!(!all.is_empty());
    }
}

/// No linker here makes delay-loads, so one is written into a section's padding: by relative and by absolute address.
#[test]
fn delay_loaded_libraries_follow_the_others() {
    let bytes = std::fs::read(lab("labwin.dll")).unwrap();
    let theirs = goblin::pe::PE::parse(&bytes).unwrap();
    let base = 0x1000_0000_u32;
    let room = theirs.sections.iter().find(|section| section.size_of_raw_data >= section.virtual_size + 96).unwrap();
    let (address, place) =
        (room.virtual_address + room.virtual_size, (room.pointer_to_raw_data + room.virtual_size) as usize);
    let optional = theirs.header.dos_header.pe_pointer as usize + 24;
    for (attributes, name) in [(1_u32, address + 64), (0, address + 64 + base)] {
        let mut delayed = bytes.clone();
        let descriptor = [attributes.to_le_bytes(), name.to_le_bytes()].concat();
        delayed[optional + 24..optional + 32].copy_from_slice(&u64::from(base).to_le_bytes());
        delayed[place..place + 96].fill(0);
        delayed[place..place + 8].copy_from_slice(&descriptor);
        delayed[place + 64..place + 73].copy_from_slice(b"later.dll");
        let entry = optional + 112 + 13 * 8;
        delayed[entry..entry + 4].copy_from_slice(&address.to_le_bytes());
        let binary = binary::read(&MemoryBytes::new("delayed".into(), delayed)).unwrap();
        let last = binary.slices[0].needed.last().cloned().unwrap();
        assert_eq!((last.name, last.binding), (Name::from("later.dll"), NeededBinding::Delayed));
    }
}

/// Reads everything that can be read of `bytes`; whether it works does not matter here.
fn read_all(bytes: Vec<u8>) -> bool {
    let source = MemoryBytes::new("damaged".into(), bytes);
    let Ok(binary) = binary::read(&source) else { return false };
    for slice in &binary.slices {
        let _ = binary::repaired_evidence(slice);
        if let Some(details) = &slice.elf {
            let _ = binary::elf::hardening(&details.tables);
            let _ = binary::elf::Symbols::open(&source, &details.tables).and_then(|symbols| symbols.undefined());
        }
    }
    binary::exported_with_prefixes(&source, &binary, &[b"PyInit_", b"_"]).is_ok()
}

#[test]
fn damaged_files_never_panic() {
    for name in ["liblabext.so", "libdeep.so.2", "liblabmac.dylib", "libgreet.1.dylib", "labwin.dll", "greet.dll"] {
        let bytes = std::fs::read(lab(name)).unwrap();
        assert!(read_all(bytes.clone()), "{name}");
        let length = bytes.len();
        for end in (0..length.min(2048)).chain((2048..length).step_by(487)) {
            read_all(bytes[..end].to_vec());
        }
        // xorshift: the same damage on every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut refused = 0;
        for round in 0..1500 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + round % 4 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Most of the damage goes where the headers are.
                let place = (state >> 16) as usize % if round % 3 == 0 { length } else { length.min(4096) };
                damaged[place] = match state % 4 {
                    0 => 0xff,
                    1 => 0,
                    _ => damaged[place] ^ (1 << (state >> 8 & 7)),
                };
            }
            refused += usize::from(!read_all(damaged));
        }
        assert!(refused > 0, "{name}: some damage is seen");
    }
}
