//! Random damage: whatever the bytes say, there is an answer.

use crate::flips::Subject;

/// Mutants of each file.
const MUTANTS: u64 = 400;
const SEED: u64 = 0x5eed_c0de_0bad_f00d;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

pub fn macho() {
    for name in ["liblabmac.dylib", "libgreet.1.dylib"] {
        damaged(name, &[0..1500, 0xc000..0xc2a0]);
    }
}

pub fn pe() {
    for name in ["labwin.dll", "greet.dll"] {
        damaged(name, &[0..0x400, 0x600..0x800, 0x800..0xc00]);
    }
}

/// Words that lead astray: offsets beyond the end, counts without bound, loops.
const WORDS: [u32; 8] = [0, 1, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 0xfff0, 0x1000, 40];

fn damaged(name: &str, places: &[std::ops::Range<usize>]) {
    let subject = Subject::lab(name);
    for mutant in 0..MUTANTS {
        let mut random = Random(SEED.wrapping_add(mutant.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
        let mut bytes = subject.bytes.clone();
        for _ in 0..=random.below(6) {
            let place = &places[random.below(places.len())];
            let at = (place.start + random.below(place.len())).min(bytes.len() - 4);
            if random.below(3) == 0 {
                bytes[at] = random.next() as u8;
            } else {
                let at = at & !3;
                bytes[at..at + 4].copy_from_slice(&WORDS[random.below(WORDS.len())].to_le_bytes());
            }
        }
        // `against` and `from` fail unless there is an answer; a panic names the mutant by its number.
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (subject.against(&bytes).runs_total, subject.from(&bytes).runs_total)
        }));
        let (there, back) = found.unwrap_or_else(|_| panic!("mutant {mutant} of {name}"));
        assert_eq!(there == 0, bytes == subject.bytes, "mutant {mutant} of {name}");
        assert_eq!(back == 0, there == 0, "mutant {mutant} of {name}");
    }
}
