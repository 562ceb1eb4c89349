//! Files that share blocks, and what a comparison makes of them.

use crate::disks::Disk;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::compare::{Input, Question, answer_streaming};
use wheelwright::engine::file::{CopyMethod, Windows, extents_from, may_share, reflink_or_copy};
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument, RunKind};

const MIB: u64 = 1 << 20;

/// Bytes that don't repeat.
fn noise(mut state: u64, size: u64) -> Vec<u8> {
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..size.div_ceil(8)).flat_map(|_| next()).take(size as usize).collect()
}

/// A file of `size` bytes on `disk`, and its clone.
fn clones(disk: &Disk, size: u64) -> (File, File) {
    let (a, b) = (disk.root.join("a"), disk.root.join("b"));
    std::fs::write(&a, noise(7, size)).unwrap();
    assert_eq!(reflink_or_copy(&a, &b, &Context::new()).unwrap(), CopyMethod::Reflink);
    let open = |path: &Path| File::options().read(true).write(true).open(path).unwrap();
    (open(&a), open(&b))
}

fn compared(disk: &Disk, alignment: AlignedBy) -> DiffDocument {
    let open = |name: &str| Input::open(&disk.root.join(name)).unwrap();
    let question = Question { alignment: Some(alignment), ..Question::default() };
    let document = answer_streaming(&open("a"), &open("b"), &question, &mut |_| (), &Context::new()).unwrap();
    let (a, b) = (std::fs::read(disk.root.join("a")).unwrap(), std::fs::read(disk.root.join("b")).unwrap());
    assert_eq!(document.equal, a == b);
    if alignment == AlignedBy::Offset {
        let differing = a.iter().zip(&b).filter(|(one, other)| one != other).count() as u64;
        assert_eq!(document.bytes.changed, differing, "no differing byte is passed over");
    }
    document
}

fn places(document: &DiffDocument) -> Vec<(u64, u64)> {
    document.runs.iter().map(|run| (run.offset, run.len)).collect()
}

pub fn changed_pages_are_found(kind: &str) {
    let disk = Disk::new(kind, 400);
    let (_, b) = clones(&disk, 64 * MIB + 77);
    assert!(compared(&disk, AlignedBy::Offset).bytes_compared < MIB, "equal clones need next to no reading");
    // Nothing is synced: the filesystem still tells the old extents for these, unless it is made to write.
    for page in [3, 9000, 16000_u64] {
        b.write_all_at(b"!!!!", page * 4096 + 10).unwrap();
    }
    let document = compared(&disk, AlignedBy::Offset);
    assert_eq!(places(&document), [3, 9000, 16000].map(|page| (page * 4096 + 10, 4)));
    assert!(document.bytes_compared < 2 * MIB, "{} compared", document.bytes_compared);
    assert_eq!(document.bytes_compared + document.bytes_skipped, 64 * MIB + 77);
}

pub fn a_mapped_page_is_found(kind: &str) {
    let disk = Disk::new(kind, 400);
    let (_, b) = clones(&disk, 8 * MIB);
    let script = "import mmap, sys\nwith open(sys.argv[1], 'r+b') as file:\n  map = mmap.mmap(file.fileno(), 0)\n  \
                  map[5000000] ^= 1\n";
    let written = Command::new("python3").args(["-c", script]).arg(disk.root.join("b")).status();
    if !written.is_ok_and(|status| status.success()) {
        // Without an interpreter a plain write has to do.
        b.write_all_at(&[0], 5_000_000).unwrap();
    }
    assert_eq!(places(&compared(&disk, AlignedBy::Offset)), [(5_000_000, 1)]);
}

pub fn many_small_changes_are_found(kind: &str) {
    let disk = Disk::new(kind, 400);
    let (a, b) = clones(&disk, 48 * MIB);
    // More extents than are asked for at once, some next to each other, in either file.
    for number in 0..600 {
        let file = if number % 3 == 0 { &a } else { &b };
        file.write_all_at(&[0, 0, 0, 1], number * 80 * 1024 + number).unwrap();
    }
    b.sync_all().unwrap();
    let file = Windows::open(&disk.root.join("b")).unwrap();
    let extents = extents_from(file.file(), 0, wheelwright::engine::file::Unwritten::WrittenFirst).unwrap();
    assert!(extents.len() >= 100, "{} extents", extents.len());
    let document = compared(&disk, AlignedBy::Offset);
    assert!(document.runs_total >= 600);
    assert!(document.bytes_skipped > 24 * MIB, "{} skipped", document.bytes_skipped);
}

pub fn other_offsets_are_not_read(kind: &str) {
    let disk = Disk::new(kind, 400);
    let a = disk.root.join("a");
    std::fs::write(&a, noise(7, 32 * MIB)).unwrap();
    let (a, b) = (File::open(&a).unwrap(), File::create(disk.root.join("b")).unwrap());
    b.write_all_at(&noise(9, MIB), 0).unwrap();
    let length = std::num::NonZeroU64::new(32 * MIB).unwrap();
    reflink_copy::ReflinkBlockBuilder::new(&a, &b, length).to_offset(MIB).reflink_block().unwrap();
    b.write_all_at(b"!!!!", 20 * MIB).unwrap();
    let document = compared(&disk, AlignedBy::Content);
    let kinds: Vec<_> = document.runs.iter().map(|run| (run.kind, run.len)).collect();
    assert!(kinds.contains(&(RunKind::Inserted, MIB)), "{kinds:?}");
    assert_eq!(document.bytes.changed, 4);
    assert!(document.bytes_skipped > 30 * MIB, "{} skipped", document.bytes_skipped);
}

pub fn preallocated_blocks_are_zeros(kind: &str) {
    let disk = Disk::new(kind, 400);
    let (a, b) = (File::create(disk.root.join("a")).unwrap(), File::create(disk.root.join("b")).unwrap());
    for file in [&a, &b] {
        rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, 4 * MIB).unwrap();
    }
    assert!(compared(&disk, AlignedBy::Offset).equal);
    b.write_all_at(b"x", 3 * MIB).unwrap();
    assert_eq!(places(&compared(&disk, AlignedBy::Offset)), [(3 * MIB, 1)]);
}

pub fn small_files_and_tails_are_compared(kind: &str) {
    let disk = Disk::new(kind, 400);
    for size in [1, 100, 4095, 4097, 70_001] {
        let _ = std::fs::remove_file(disk.root.join("b"));
        let (a, b) = clones(&disk, size);
        assert!(may_share(&a, &b));
        assert!(compared(&disk, AlignedBy::Offset).equal, "{size}");
        let last = noise(7, size)[size as usize - 1];
        b.write_all_at(&[!last], size - 1).unwrap();
        assert_eq!(places(&compared(&disk, AlignedBy::Offset)), [(size - 1, 1)], "{size}");
    }
}

pub fn compressed_blocks_are_read(kind: &str) {
    let disk = Disk::new(kind, 400);
    let status = Command::new("mount").args(["-o", "remount,compress-force=zlib"]).arg(&disk.root).status();
    assert!(status.unwrap().success());
    let text: Vec<u8> = noise(3, MIB).into_iter().map(|byte| b'a' + byte % 4).collect();
    std::fs::write(disk.root.join("a"), text.repeat(8)).unwrap();
    reflink_or_copy(&disk.root.join("a"), &disk.root.join("b"), &Context::new()).unwrap();
    let document = compared(&disk, AlignedBy::Offset);
    assert_eq!((document.equal, document.bytes_skipped), (true, 0), "where compressed bytes lie says nothing");
    let b = File::options().write(true).open(disk.root.join("b")).unwrap();
    b.write_all_at(b"Z", 5_000_000).unwrap();
    assert_eq!(places(&compared(&disk, AlignedBy::Offset)), [(5_000_000, 1)]);
}
