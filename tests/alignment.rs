//! Which bytes of two files belong together: the laws of a comparison under insertions, removals and moves, and files of
//! every format in which something was inserted.

#[path = "support/laws.rs"]
mod laws;

use laws::{aligned, asked, assert_replays, compared};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::binary::macho::{Image, Place};
use wheelwright::engine::binary::pe::Headers;
use wheelwright::engine::file::{MemoryBytes, Windows};
use wheelwright::engine::repair::{Builtin, EditRequest, Editor};
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument, RunKind};

/// What is done to a file between two comparisons.
#[derive(Debug, Clone)]
enum Edit {
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Overwrite(prop::sample::Index, Vec<u8>),
    /// Takes bytes away and puts them somewhere else.
    Move(prop::sample::Index, usize, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = || any::<prop::sample::Index>();
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        (place(), bytes()).prop_map(|(place, bytes)| Edit::Insert(place, bytes)),
        (place(), 1..900_usize).prop_map(|(place, len)| Edit::Remove(place, len)),
        (place(), bytes()).prop_map(|(place, bytes)| Edit::Overwrite(place, bytes)),
        (place(), 1..900_usize, place()).prop_map(|(from, len, to)| Edit::Move(from, len, to)),
    ]
}

fn done(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let size = bytes.len();
        let within = |place: &prop::sample::Index, len: usize| {
            let start = place.index(size + 1);
            start..(start + len).min(size)
        };
        match edit {
            Edit::Insert(place, new) => drop(bytes.splice(within(place, 0), new.iter().copied())),
            Edit::Remove(place, len) => drop(bytes.drain(within(place, *len))),
            Edit::Overwrite(place, new) => drop(bytes.splice(within(place, new.len()), new.iter().copied())),
            Edit::Move(from, len, to) => {
                let taken: Vec<u8> = bytes.drain(within(from, *len)).collect();
                let place = to.index(bytes.len() + 1);
                bytes.splice(place..place, taken);
            }
        }
    }
    bytes
}

/// Bytes of few values and of all, of some thousand to some hundred thousand.
fn content() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), prop_oneof![Just(4_usize), Just(256)], 1..60_000_usize).prop_map(|(seed, values, len)| {
        noise(seed, len).into_iter().map(|byte| (byte as usize % values) as u8).collect()
    })
}

/// Bytes that repeat nowhere, the same for one seed (xorshift, Marsaglia 2003).
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(step).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn runs_replayed_on_one_file_make_the_other(
        a in content(),
        edits in prop::collection::vec(edit(), 0..8),
        way in prop_oneof![Just(None), Just(Some(AlignedBy::Content)), Just(Some(AlignedBy::Structure))]
    ) {
        let b = done(a.clone(), &edits);
        for (a, b) in [(&a, &b), (&b, &a)] {
            assert_replays(a, b, &asked(a, b, way));
        }
    }

    /// An insertion is one run of its length. Where its first bytes are those that follow it, it may stand so much later.
    #[test]
    fn what_was_inserted_is_told_from_what_was_changed(
        seed in any::<u64>(),
        size in 0..300_000_usize,
        place in any::<prop::sample::Index>(),
        len in 1..5000_usize,
        changed in prop::option::of(any::<prop::sample::Index>())
    ) {
        let (a, new) = (noise(seed, size), noise(seed ^ 0x5555, len));
        let place = place.index(size + 1);
        let b = [&a[..place], &new, &a[place..]].concat();
        for (one, other, kind) in [(&a, &b, RunKind::Inserted), (&b, &a, RunKind::Removed)] {
            let document = compared(one, other);
            assert_replays(one, other, &document);
            prop_assert_eq!(document.runs.len(), 1);
            let run = &document.runs[0];
            prop_assert_eq!((run.kind, run.len), (kind, len as u64));
            prop_assert!(run.offset.abs_diff(place as u64) < 8);
        }
        // And one byte changed, far from it.
        let Some(at) = changed.map(|at| at.index(size.max(1))).filter(|at| at.abs_diff(place) > 20_000) else { return Ok(()) };
        let mut c = a.clone();
        c[at] ^= 0xff;
        let document = compared(&c, &b);
        let bytes = document.bytes;
        prop_assert_eq!((bytes.changed, bytes.inserted, bytes.removed), (1, len as u64, 0));
    }
}

/// The runs of `kind`, by place and length.
fn runs(document: &DiffDocument, kind: RunKind) -> Vec<(u64, u64)> {
    document.runs.iter().filter(|run| run.kind == kind).map(|run| (run.offset, run.len)).collect()
}

/// What stands in the middle of others was removed, and something else inserted there: content tells no more.
#[test]
fn what_replaces_something_of_another_length_is_removed_and_inserted() {
    let (before, behind) = (noise(1, 5000), noise(2, 5000));
    let a = [&before[..], &noise(3, 300), &behind].concat();
    let b = [&before[..], &noise(4, 200), &behind].concat();
    let document = compared(&a, &b);
    assert_replays(&a, &b, &document);
    assert_eq!(document.aligned_by, AlignedBy::Content);
    let (removed, inserted) = (runs(&document, RunKind::Removed), runs(&document, RunKind::Inserted));
    assert!(
        matches!((&removed[..], &inserted[..]), ([(removed, 296..=300)], [(inserted, 196..=200)]) if removed == inserted)
    );
}

#[test]
fn a_moved_block_leaves_the_rest_where_it_was() {
    let blocks: Vec<Vec<u8>> = (0..5).map(|seed| noise(seed * 2 + 1, 40_000)).collect();
    let a = blocks.concat();
    let b = [&blocks[0], &blocks[2], &blocks[3], &blocks[1], &blocks[4]].map(|block| &block[..]).concat();
    let document = asked(&a, &b, Some(AlignedBy::Content));
    assert_replays(&a, &b, &document);
    assert!(document.bytes.inserted < 41_000 && document.bytes.changed == 0, "{:?}", document.bytes);
    // Files of one size are aligned by content where that makes them much more equal, and by offset otherwise.
    assert_eq!(compared(&a, &b).aligned_by, AlignedBy::Content);
    assert_eq!(compared(&noise(1, 50_000), &noise(3, 50_000)).aligned_by, AlignedBy::Offset);
}

/// A library in `directory` with a table and some functions, linked by the C compiler.
fn library(directory: &Path) -> PathBuf {
    let functions: String = (0..200)
        .map(|number| format!("int f{number}(int x) {{ return x * {number} + table[x + {number}]; }}\n"))
        .collect();
    let source = directory.join("a.c");
    std::fs::write(&source, format!("int table[5000] = {{1, 2, 3}};\n{functions}")).unwrap();
    let output = directory.join("liba.so");
    let status = Command::new("cc")
        .args(["-g", "-shared", "-fPIC", "-Wl,-soname,liba.so.1", "-o"])
        .arg(&output)
        .arg(&source)
        .status();
    assert!(status.unwrap().success());
    output
}

#[test]
fn a_long_run_path_leaves_the_rest_of_a_library_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let a = library(directory.path());
    let b = directory.path().join("edited.so");
    std::fs::copy(&a, &b).unwrap();
    let request = EditRequest::SetRpath(format!("/{}", "long/".repeat(1000)).as_str().into());
    let plan = Builtin::default().plan(&Windows::open(&b).unwrap(), &[request]).unwrap().unwrap();
    Builtin::default().apply(&b, &plan, &Context::new()).unwrap();
    let (old, new) = (std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    for (one, other) in [(&a, &b), (&b, &a)] {
        let document = aligned(one, other, None);
        let bytes = document.bytes;
        assert_eq!(document.aligned_by, AlignedBy::Structure);
        assert_eq!(bytes.inserted.abs_diff(bytes.removed), (new.len() - old.len()) as u64);
        assert!(bytes.changed + bytes.inserted.min(bytes.removed) < 2500, "{bytes:?}");
    }
    assert_replays(&old, &new, &aligned(&a, &b, None));
    assert_replays(&new, &old, &aligned(&b, &a, None));
}

fn lab(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built").join(name)).unwrap()
}

/// `LC_RPATH` with the path `/x`, between the first load command of a Mach-O image and the others; its padding pays for it.
fn with_a_load_command(image: &[u8]) -> (Vec<u8>, usize) {
    let source = MemoryBytes::new("a".into(), image.to_vec());
    let parsed = Image::read(&source, Place { offset: 0, size: image.len() as u64 }).unwrap();
    let command = [0x8000_001c_u32, 24, 12, u32::from_le_bytes(*b"/x\0\0"), 0, 0].map(u32::to_le_bytes).concat();
    let second = parsed.commands[1].record.offset() as usize;
    let last = parsed.commands.last().unwrap();
    let end = last.record.offset() as usize + last.record.as_bytes().len();
    assert!(image[end..end + 24].iter().all(|byte| *byte == 0), "the image has no room for a load command");
    let mut edited = [&image[..second], &command, &image[second..end], &image[end + 24..]].concat();
    for (at, more) in [(16, 1), (20, 24)] {
        let value = u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) + more;
        edited[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    (edited, second)
}

#[test]
fn an_inserted_load_command_is_one() {
    let a = lab("liblabmac.dylib");
    let (b, place) = with_a_load_command(&a);
    let document = compared(&a, &b);
    assert_replays(&a, &b, &document);
    assert_eq!(document.aligned_by, AlignedBy::Structure);
    assert_eq!(runs(&document, RunKind::Inserted), [(place as u64, 24)]);
    assert_eq!(runs(&document, RunKind::Removed).iter().map(|run| run.1).sum::<u64>(), 24);
    assert!(document.bytes.changed <= 8);
}

/// A universal file of `images`, each at a page of its own.
fn universal(images: &[&[u8]]) -> Vec<u8> {
    let mut file = [0xcafe_babe_u32, images.len() as u32].map(u32::to_be_bytes).concat();
    let mut offset = 0x4000;
    for image in images {
        let cpu = [4, 8].map(|at| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()));
        file.extend([cpu[0], cpu[1], offset, image.len() as u32, 14].map(u32::to_be_bytes).concat());
        offset = (offset + image.len() as u32).next_multiple_of(0x4000);
    }
    for image in images {
        file.resize(file.len().next_multiple_of(0x4000), 0);
        file.extend(*image);
    }
    file
}

#[test]
fn images_of_one_architecture_belong_together() {
    let arm = lab("liblabmac.dylib");
    let mut intel = arm.clone();
    intel[4..8].copy_from_slice(&0x0100_0007_u32.to_le_bytes());
    intel.iter_mut().skip(0x1000).for_each(|byte| *byte ^= 0x40);
    let both = universal(&[&arm, &intel]);
    for (a, b) in [(&both, &universal(&[&intel, &arm])), (&both, &universal(&[&arm])), (&arm, &both)] {
        let document = compared(a, b);
        assert_replays(a, b, &document);
        // The file without its last image is aligned by the offsets, which say the same.
        let cut = b.len() + arm.len().next_multiple_of(0x4000) == a.len();
        assert_eq!(document.aligned_by, if cut { AlignedBy::Offset } else { AlignedBy::Structure });
        // One image stays, whole, and nothing of it is taken for the other.
        let paired = a.len() as u64 - document.bytes.removed;
        assert!(paired >= arm.len() as u64 && document.bytes.changed < 100, "{:?}", document.bytes);
    }
}

#[test]
fn a_grown_section_of_a_dll_moves_those_behind_it() {
    let a = lab("labwin.dll");
    let headers = Headers::read(&MemoryBytes::new("a".into(), a.clone())).unwrap();
    let first = headers.sections.first().unwrap();
    let end = (first.offset + first.file_size) as usize;
    let new = noise(7, 0x200);
    let mut b = [&a[..end], &new, &a[end..]].concat();
    for (number, section) in headers.sections.iter().enumerate() {
        let at = headers.sections_offset as usize + number * 40;
        let (field, value) = if number == 0 { (16, section.file_size) } else { (20, section.offset) };
        b[at + field..at + field + 4].copy_from_slice(&(value as u32 + 0x200).to_le_bytes());
    }
    let document = compared(&a, &b);
    assert_replays(&a, &b, &document);
    assert_eq!(document.aligned_by, AlignedBy::Structure);
    assert_eq!(runs(&document, RunKind::Inserted).iter().map(|run| run.1).sum::<u64>(), 0x200);
    assert!(document.bytes.removed == 0 && document.bytes.changed <= 4 * headers.sections.len() as u64);
}

/// An ELF file of one-byte sections without names, `count` of them, whose bytes stand in the order that `place` gives.
fn many_sections(count: u64, place: impl Fn(u64) -> u64) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    file.resize(16, 0);
    file.extend([3_u16, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0_u64, 0, 64].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    // e_shnum is 0: the count stands in the first header.
    file.extend([64_u16, 56, 0, 64, 0, 0].map(u16::to_le_bytes).concat());
    let data = 64 + (count + 1) * 64;
    for number in 0..=count {
        let (kind, offset, size) = if number == 0 { (0, 0, count + 1) } else { (1, data + place(number - 1), 1) };
        file.extend([0_u32, kind].map(u32::to_le_bytes).concat());
        file.extend([0_u64, 0, offset, size].map(u64::to_le_bytes).concat());
        file.extend([0_u8; 24]);
    }
    file.extend((0..count).map(|number| (number % 251) as u8));
    file
}

#[test]
fn very_many_sections_are_set_against_each_other_soon() {
    let count = 70_000;
    let a = many_sections(count, |number| number);
    let b = many_sections(count, |number| count - 1 - number);
    let c = many_sections(count + 1000, |number| (number * 7919) % (count + 1000));
    assert_replays(&a, &b, &compared(&a, &b));
    assert_replays(&a, &c, &compared(&a, &c));
}

/// Where the tables of the lab's files stand, and numbers that do harm there.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u64)>> {
    let value = prop_oneof![Just(0), Just(u64::MAX), Just(1 << 31), 0..5000_u64, any::<u64>()];
    prop::collection::vec((any::<prop::sample::Index>(), value), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn damaged_tables_do_no_harm(
        name in prop_oneof![Just("liblabext.so"), Just("liblabmac.dylib"), Just("labwin.dll"), Just("labtool")],
        damage in damage(),
        way in prop_oneof![Just(None), Just(Some(AlignedBy::Structure))],
        shift in 0..3_usize
    ) {
        let whole = lab(name);
        let mut hurt = whole.clone();
        // Of an ELF file the section headers, and the heads of all.
        let sections = usize::try_from(u64::from_le_bytes(whole[40..48].try_into().unwrap())).unwrap_or(0);
        let table = if whole.starts_with(b"\x7fELF") && sections < whole.len() { sections..whole.len() } else { 0..2000 };
        for (number, (place, value)) in damage.iter().enumerate() {
            let range = if number % 2 == 0 { table.clone() } else { 0..1024 };
            let at = (range.start + place.index(range.len())).min(whole.len() - 8) & !3;
            hurt[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        hurt.splice(1500..1500, vec![0x5a; shift * 16]);
        assert_replays(&whole, &hurt, &asked(&whole, &hurt, way));
        assert_replays(&hurt, &whole, &asked(&hurt, &whole, way));
    }
}
