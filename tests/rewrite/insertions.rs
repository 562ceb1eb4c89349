//! What an insertion gives, on each filesystem: the plain splice, whichever way it was made; and that it goes back.

use crate::disks::{Disk, names};
use crate::hand::{Hand, Random, plan, spliced};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::repair::rewrite::{Inserted, Shifting, Taken, Way, carry_out, write_plan};

/// A file of random bytes with holes, on and off the blocks' borders.
fn make(path: &Path, random: &mut Random, size: u64) -> Vec<u8> {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    let mut at = random.below(10_000);
    while at < size {
        let length = (random.below(200_000) + 1).min(size - at);
        file.write_all_at(&random.bytes(length as usize), at).unwrap();
        at += length + [0, 3, 4096, 70_000][random.below(4) as usize];
    }
    std::fs::read(path).unwrap()
}

fn size(random: &mut Random) -> u64 {
    [1, 17, 4095, 4096, 4097, 8192, 100_000, 1 << 20, (2 << 20) + 777, 3_333_333][random.below(10) as usize]
}

/// Carries random plans out on files in `directory`; how many of each way there were.
fn all_splices(directory: &Path, rounds: u64) -> [u64; 3] {
    let mut ways = [0; 3];
    for seed in 0..rounds {
        let mut random = Random::new(seed + 1);
        let path = directory.join("file");
        let size = size(&mut random);
        let old = make(&path, &mut random, size);
        let plan = plan(seed, size);
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let context = Context::new();
        let inserted = carry_out(&file, &path, &plan, Shifting::Allowed, &context).unwrap();
        assert!(std::fs::read(&path).unwrap() == spliced(&old, &plan), "seed {seed}: {inserted:?}");
        let shifted = if inserted == Some(Inserted::Shifted) { plan.shifted } else { 0 };
        assert_eq!(context.progress().0, plan.writes + shifted, "seed {seed}");
        match inserted {
            None => {}
            Some(Inserted::Extended) => ways[0] += 1,
            Some(Inserted::Blocks) => ways[1] += 1,
            Some(Inserted::Shifted) => ways[2] += 1,
            Some(Inserted::Unavailable) => panic!("seed {seed}: it may be shifted"),
        }
    }
    ways
}

pub fn where_we_are() {
    let directory = tempfile::tempdir().unwrap();
    let [extended, blocks, shifted] = all_splices(directory.path(), 80);
    assert!(extended > 3 && blocks + shifted > 30);
}

pub fn on_ext4() {
    let disk = Disk::new("ext4", 64);
    let [_, blocks, shifted] = all_splices(&disk.root, 80);
    assert!(blocks > 30 && shifted == 0, "{blocks} by the filesystem, {shifted} shifted");
    holes_stay(&disk.root, Inserted::Blocks);
}

pub fn on_xfs() {
    let disk = Disk::new("xfs", 400);
    let [_, blocks, shifted] = all_splices(&disk.root, 80);
    assert!(blocks > 30 && shifted == 0, "{blocks} by the filesystem, {shifted} shifted");
    holes_stay(&disk.root, Inserted::Blocks);
}

pub fn on_btrfs() {
    let disk = Disk::new("btrfs", 300);
    let [_, blocks, shifted] = all_splices(&disk.root, 80);
    assert!(blocks == 0 && shifted > 20, "{blocks} by the filesystem, {shifted} shifted");
}

pub fn on_tmpfs() {
    let disk = Disk::new("tmpfs", 64);
    let [_, blocks, shifted] = all_splices(&disk.root, 80);
    assert!(blocks == 0 && shifted > 20, "{blocks} by the filesystem, {shifted} shifted");
    holes_stay(&disk.root, Inserted::Shifted);
}

/// Of 32 MiB with data at both ends only, an insertion leaves both ends' blocks.
fn holes_stay(directory: &Path, wanted: Inserted) {
    let path = directory.join("holes");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(32 << 20).unwrap();
    file.write_all_at(b"head", 0).unwrap();
    file.write_all_at(b"tail", (32 << 20) - 4).unwrap();
    let old = std::fs::read(&path).unwrap();
    let mut plan = plan(0, 32 << 20);
    plan.insertion = Some(wheelwright::engine::repair::Insertion { offset: 5000, length: 4096 });
    plan.patches.clear();
    let inserted = carry_out(&file, &path, &plan, Shifting::Allowed, &Context::new()).unwrap();
    assert_eq!(inserted, Some(wanted));
    assert!(std::fs::read(&path).unwrap() == spliced(&old, &plan));
    file.sync_all().unwrap();
    assert!(file.metadata().unwrap().blocks() * 512 < 4 << 20, "{} blocks", file.metadata().unwrap().blocks());
}

/// Larger than the bound above which a copy is too dear: it is cloned, edited and swapped in all the same.
pub fn a_large_file_on_xfs() {
    let disk = Disk::new("xfs", 400);
    let path = disk.root.join("large");
    let size = 300 << 20;
    let file = File::create(&path).unwrap();
    file.set_len(size).unwrap();
    file.write_all_at(b"head", 0).unwrap();
    let before = file.metadata().unwrap().ino();
    let plan = plan(3, size);
    let written = write_plan(&path, &Hand::of(3), &plan, Way::Auto, &|said| panic!("{said}"), &Context::new()).unwrap();
    assert!(written.cloned && written.way == Taken::Beside, "{written:?}");
    assert!(written.bytes_written < 1 << 20, "{written:?}");
    assert_ne!(std::fs::metadata(&path).unwrap().ino(), before);
    assert_eq!(names(&disk.root), ["large"]);
}

/// An edit in place whose check fails at its end has the old bytes, size, time and mode again.
pub fn edits_in_place_go_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut said = 0;
    for seed in 0..120 {
        let mut random = Random::new(seed + 1);
        let size = size(&mut random);
        let old = make(&path, &mut random, size);
        let before = std::fs::metadata(&path).unwrap();
        let (plan, count) = (plan(seed, size), std::cell::Cell::new(0));
        let editor = Hand { seed, fails: true };
        let say = |_: &str| count.set(count.get() + 1);
        let error = write_plan(&path, &editor, &plan, Way::InPlace, &say, &Context::new()).unwrap_err();
        assert!(error.to_string().contains("the test says so"), "seed {seed}: {error}");
        assert!(std::fs::read(&path).unwrap() == old, "seed {seed}");
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((after.ino(), after.mode(), after.mtime_nsec()), (before.ino(), before.mode(), before.mtime_nsec()));
        assert_eq!(names(directory.path()), ["file"]);
        said += count.get();
    }
    assert!(said > 20, "it was edited in place {said} times");
}
