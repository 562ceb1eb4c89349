//! Damaged files against sound ones: whatever stands in a file, a comparison ends, soon and without a panic, and what is
//! readable keeps its meaning.

use crate::foreign::{Kind, object};
use crate::library::{built, compared, written};
use crate::{Outcome, Test};
use std::time::{Duration, Instant};
use wheelwright::engine::report::diff::RunKind;

pub const TESTS: &[Test] = &[("mutations::of_small_objects", objects), ("mutations::of_a_library", library)];

/// The seed of the random numbers.
const SEED: u64 = 0x5eed_0005;
/// No comparison of such small files takes longer, on any machine.
const LONGEST: Duration = Duration::from_secs(10);

/// Random numbers, always the same ones (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// `bytes` with up to eight of them overwritten, most often where the tables are; sometimes cut.
    fn mutated(&mut self, bytes: &[u8], tables: &[(usize, usize)]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(8) {
            let (start, end) = match self.below(3) {
                0 => (0, bytes.len()),
                _ => tables[self.below(tables.len())],
            };
            let place = start + self.below(end - start);
            let byte = [0, 1, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(6)];
            let width = [1, 1, 2, 4, 8][self.below(5)].min(bytes.len() - place);
            bytes[place..place + width].fill(byte);
        }
        if self.below(16) == 0 {
            bytes.truncate(self.below(bytes.len()));
        }
        bytes
    }
}

fn judge(bytes: &[u8], tables: &[(usize, usize)], tries: usize) {
    let directory = tempfile::tempdir().unwrap();
    let whole = written(directory.path(), "whole", bytes);
    let mut random = Random(SEED);
    for number in 0..tries {
        let damaged = random.mutated(bytes, tables);
        let other = written(directory.path(), "damaged", &damaged);
        let began = Instant::now();
        let forth = compared(&whole, &other, None);
        let back = compared(&other, &whole, None);
        assert!(began.elapsed() < LONGEST, "mutation {number} of seed {SEED:#x}");
        for document in [&forth, &back] {
            for run in &document.runs {
                let told = run.meaning.as_ref().is_some_and(|meaning| !meaning.is_empty());
                assert!(run.region.is_none() || told, "mutation {number} of seed {SEED:#x}: {run:?}");
            }
        }
        let sum = |kind| forth.runs.iter().filter(|run| run.kind == kind).map(|run| run.len).sum::<u64>();
        let grown = damaged.len() as i64 - bytes.len() as i64;
        assert_eq!(
            sum(RunKind::Inserted).cast_signed() - sum(RunKind::Removed).cast_signed(),
            grown,
            "mutation {number}"
        );
    }
}

fn objects() -> Outcome {
    for (is_64, is_big) in [(false, false), (false, true), (true, false), (true, true)] {
        let (bytes, starts) = object(Kind { is_64, is_big });
        let headers = *starts.last().unwrap() as usize;
        judge(&bytes, &[(16, 64), (headers, bytes.len())], 600);
    }
    Ok(())
}

fn library() -> Outcome {
    let (_directory, path) = built();
    let bytes = std::fs::read(path).unwrap();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (segments, sections) = (word(32), word(40));
    // The headers, then what stands behind them: notes, hash tables, symbols, versions, relocations.
    let tables = [(16, 64), (segments, segments + 9 * 56), (sections, bytes.len()), (0x200, 0x900)];
    judge(&bytes, &tables, 800);
    Ok(())
}
