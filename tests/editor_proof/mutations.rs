//! Damaged files: the program gives an error and leaves the file as it is, or makes an edit that passes the proof; it never
//! ends by a signal or a panic.
//!
//! 200 files by default, 20,000 with `WHEELWRIGHT_EDIT_MUTATIONS=20000`; file number N is always the same.

use crate::elf64::Elf64;
use crate::fixtures::{Built, source};
use std::path::Path;
use std::process::{Command, Output};
use wheelwright::engine::file::{ReadAt, Windows};
use wheelwright::engine::repair::EditRequest::{
    self, AddNeeded, ClearSymbolVersion, RemoveNeeded, RemoveRunPaths, ReplaceNeeded, SetExecStack, SetInterpreter,
    SetRunpath, SetSoname,
};
use wheelwright::engine::repair::proof::prove;
use wheelwright::engine::repair::{Builtin, Editor, ExecStack};

/// The files that are damaged.
const BASES: [&str; 5] = ["libdeep.so.2", "libgreet.so.1", "libstripped.so.1", "libtiny.so", "main"];
/// Where the numbers begin.
const SEED: u64 = 0x5eed_0000_0000_0001;
/// What a child may use: virtual memory in KiB, and seconds of a processor.
const LIMITS: &str = "ulimit -v 4000000; ulimit -t 60; exec \"$0\" \"$@\"";

/// A small generator (splitmix64), so that a failure can be repeated by its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A number that damage likes: an extreme, or one near `was`.
    fn odd(&mut self, was: u64) -> u64 {
        const ODD: [u64; 12] = [
            0,
            1,
            7,
            0xffff,
            0x1000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 40,
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
        ];
        match self.below(4) {
            0 => was.wrapping_add(self.one(&[1, 8, 16, 0x1000, u64::MAX, u64::MAX - 15])),
            1 => was ^ (1 << self.below(32)),
            _ => self.one(&ODD),
        }
    }
}

/// The tables of a file: where each begins, how long an entry is, and how many there are.
fn tables(elf: &Elf64) -> Vec<(usize, usize, usize)> {
    let (dynamic, length) = (elf.segment(2), 56);
    let mut tables = vec![
        (elf.long(32) as usize, length, usize::from(elf.half(56))),
        (elf.long(dynamic + 8) as usize, 16, elf.long(dynamic + 32) as usize / 16),
    ];
    if elf.long(40) != 0 {
        tables.push((elf.long(40) as usize, 64, usize::from(elf.half(60))));
    }
    // Symbols, versions needed, hash table, relocations.
    for (tag, entry, count) in [(6, 24, 8), (0x6fff_fffe, 16, 4), (0x6fff_fef5, 8, 6), (7, 24, 6)] {
        let place = elf.find_dynamic(tag).map(|at| elf.offset_of(elf.long(at + 8)));
        tables.extend(place.map(|place| (place, entry, count)));
    }
    tables
}

fn mutate(elf: &mut Elf64, random: &mut Random) {
    let tables = tables(elf);
    for _ in 0..=random.below(3) {
        let (start, entry, count) = random.one(&tables);
        let count = count.min((elf.0.len() - start) / entry);
        let at = start + entry * random.below(count);
        match random.below(8) {
            // A field of the header, by its width.
            0 => {
                let (field, width) = random.one(&[
                    (16, 2),
                    (18, 2),
                    (24, 8),
                    (32, 8),
                    (40, 8),
                    (48, 4),
                    (52, 2),
                    (54, 2),
                    (56, 2),
                    (58, 2),
                    (60, 2),
                    (62, 2),
                ]);
                let value = random.odd(elf.long(field));
                elf.0[field..field + width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
            1 => elf.0[random.below(64)] = random.next() as u8,
            // Fields of table entries: longs, words, bytes.
            2 | 3 => {
                let field = at + 8 * random.below(entry / 8);
                let value = random.odd(elf.long(field));
                elf.set_long(field, value);
            }
            4 => {
                let field = at + 4 * random.below(entry / 4);
                let value = random.odd(elf.word(field).into());
                elf.set_word(field, value as u32);
            }
            5 => elf.0[at + random.below(entry)] ^= 1 << random.below(8),
            // Entries change places.
            6 => {
                let other = start + entry * random.below(count);
                (0..entry).for_each(|byte| elf.0.swap(at + byte, other + byte));
            }
            // Zeros over a stretch.
            _ => elf.0[at..at + entry].fill(0),
        }
    }
    if random.below(8) == 0 {
        let length = random.below(elf.0.len());
        elf.0.truncate(length);
    }
}

/// What is asked for, as requests and as options of the command.
fn asked(random: &mut Random) -> (Vec<EditRequest>, Vec<String>) {
    let long = "/a/long/way".repeat(random.one(&[1, 4, 40, 400]));
    let all: [(EditRequest, [&str; 2]); 9] = [
        (SetRunpath(long.as_str().into()), ["--set-rpath", &long]),
        (SetSoname("libanother-0123abcd.so.1".into()), ["--set-soname", "libanother-0123abcd.so.1"]),
        (
            ReplaceNeeded { from: "libc.so.6".into(), to: "libc-0123abcd.so.6".into() },
            ["--replace-needed", "libc.so.6"],
        ),
        (AddNeeded("libnew.so.1".into()), ["--add-needed", "libnew.so.1"]),
        (RemoveNeeded("libdeep.so.2".into()), ["--remove-needed", "libdeep.so.2"]),
        (RemoveRunPaths, ["--remove-rpath", ""]),
        (SetExecStack(ExecStack::Asked), ["--set-execstack", ""]),
        (ClearSymbolVersion("puts".into()), ["--clear-symbol-version", "puts"]),
        (
            SetInterpreter("/opt/a/longer/place/than/before/ld.so".into()),
            ["--set-interpreter", "/opt/a/longer/place/than/before/ld.so"],
        ),
    ];
    let (mut requests, mut words) = (Vec::new(), Vec::new());
    for _ in 0..=random.below(2) {
        let (request, options) = &all[random.below(all.len())];
        // No two that contradict each other.
        let is_path = |request: &EditRequest| matches!(request, SetRunpath(_) | RemoveRunPaths);
        if requests.iter().any(|other| other == request || (is_path(other) && is_path(request))) {
            continue;
        }
        requests.push(request.clone());
        words.extend(options.iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()));
        if let ReplaceNeeded { to, .. } = request {
            words.push(to.to_text().into_owned());
        }
    }
    (requests, words)
}

fn run(file: &Path, words: &[String]) -> Output {
    let program = env!("CARGO_BIN_EXE_wheelwright");
    let mut command = Command::new("sh");
    command.args(["-c", LIMITS, program, "elf"]).args(words).arg(file);
    command.env("HOME", file.parent().unwrap()).output().unwrap()
}

/// Whether `file` holds `bytes`.
fn holds(file: &Path, bytes: &[u8]) -> bool {
    let is_as_long = std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == bytes.len() as u64);
    is_as_long && std::fs::read(file).is_ok_and(|found| found == bytes)
}

/// Edits damaged file `number`; whether the edit was made, and else what is wrong.
fn edited(number: u64, bases: &[Vec<u8>], file: &Path) -> Result<bool, String> {
    let mut random = Random(SEED.wrapping_add(number));
    let mut elf = Elf64(bases[number as usize % bases.len()].clone());
    mutate(&mut elf, &mut random);
    let (requests, words) = asked(&mut random);
    let before = elf.0;
    std::fs::write(file, &before).unwrap();
    let output = run(file, &words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = |what: &str| format!("{what} ({}): {words:?}: {}", output.status, said.trim());
    match output.status.code() {
        None => Err(told("ended by a signal")),
        Some(_) if said.contains("panicked") => Err(told("panicked")),
        Some(1 | 2) if holds(file, &before) => Ok(false),
        Some(1 | 2) => Err(told("refused, and the file changed")),
        Some(0) if holds(file, &before) => Ok(false),
        Some(0) => {
            let planned = Builtin::default().plan(&source(&before), &requests);
            let plan =
                planned.map_err(|error| told(&error.to_string()))?.map_err(|refusal| told(&refusal.to_string()))?;
            let after = Windows::open(file).map_err(|error| told(&error.to_string()))?;
            let proof = prove(&source(&before), &after, &plan).map_err(|error| told(&error.to_string()))?;
            match proof.failure() {
                None if Some(after.size()) == plan.size_after => Ok(true),
                None => Err(told("another size than planned")),
                Some(failure) => Err(told(&format!("{failure:?}"))),
            }
        }
        Some(_) => Err(told("an unknown status")),
    }
}

#[test]
fn damaged_files_are_refused_or_edited_so_that_the_proof_holds() {
    let count: u64 = std::env::var("WHEELWRIGHT_EDIT_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let built = Built::new();
    let bases: Vec<Vec<u8>> = BASES.iter().map(|name| built.bytes(name)).collect();
    let file = built.path("damaged");
    let (mut made, mut failures) = (0, Vec::new());
    for number in 0..count {
        match edited(number, &bases, &file) {
            Ok(was_made) => made += u64::from(was_made),
            Err(what) => failures.push(format!("number {number} ({}): {what}", BASES[number as usize % BASES.len()])),
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(made * 10 > count && made * 10 < count * 9, "some can be edited, others not: {made} of {count}");
}
