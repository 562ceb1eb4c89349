//! The compiler's files with bytes changed at random, through the engine in this process: no panic. The same numbers each time;
//! `WHEELWRIGHT_MUTATIONS=N` tries N of each file instead of 400.

use crate::elf::Elf;
use crate::headers::compiled;
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::audit::{AuditOptions, audit};
use wheelwright::engine::deps::{LoaderInputs, Placed, resolve};
use wheelwright::engine::project::{DiscoverOptions, discover};

/// A small generator (xorshift64*), so that a failure can be repeated by its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const ODD: [u32; 8] = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff, 0x1000, 0x6fff_ffff];
    for _ in 0..=random.below(6) {
        // Headers are where a byte says most.
        let zone = if random.below(2) == 0 { bytes.len().min(1024) } else { bytes.len() };
        let at = random.below(zone);
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => {
                let new = ODD[random.below(ODD.len())].to_le_bytes();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&new[..end - at]);
            }
            _ if random.below(8) == 0 => bytes.truncate(at.max(64)),
            _ => {
                let from = random.below(bytes.len());
                let length = 16.min(bytes.len() - at.max(from));
                bytes.copy_within(from..from + length, at);
            }
        }
    }
}

fn look(path: &Path, directory: &Path) {
    let context = Context::new();
    let inputs = LoaderInputs::new(directory.to_path_buf());
    // An error is what most of them are; a panic ends the test.
    let _ = resolve(&Placed::in_place(path), &inputs, &context);
    let options = DiscoverOptions { current_directory: directory.to_path_buf(), ..DiscoverOptions::default() };
    if let Ok(project) = discover(&[path.to_path_buf()], &options, &context) {
        for artifact in &project.artifacts {
            let mut options = AuditOptions::new(inputs.clone());
            options.questions.symbols = true;
            let found = audit(artifact, Some(path), &options, &context);
            assert!(serde_json::to_string(&found.report).is_ok());
        }
    }
}

#[test]
fn no_mutation_makes_the_engine_panic() {
    let rounds = std::env::var("WHEELWRIGHT_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let directory = tempfile::tempdir().unwrap();
    let compiled = compiled(directory.path());
    let mut packed = compiled.clone();
    packed[40..48].fill(0);
    packed[60..64].fill(0);
    let rich = Elf {
        soname: Some(b"librich.so".to_vec()),
        rpath: Some(b"$ORIGIN:/nowhere:$LIB".to_vec()),
        interpreter: Some(b"/lib64/ld-linux-x86-64.so.2".to_vec()),
        ..Elf::needing(["libc.so.6", "libm.so.6", "libnowhere.so"])
    };
    let seeds = [
        ("compiled", compiled),
        ("without-sections", packed),
        ("written", rich.bytes()),
        ("empty", Elf::default().bytes()),
        ("self", Elf { runpath: Some(b"$ORIGIN".to_vec()), ..Elf::needing(["self.so"]) }.bytes()),
    ];
    for (name, seed) in seeds {
        let path = directory.path().join(format!("{name}.so"));
        for round in 0..rounds {
            let mut bytes = seed.clone();
            mutate(&mut bytes, &mut Random(0x9e37_79b9 + round * 2 + 1));
            std::fs::write(&path, &bytes).unwrap();
            let looked = std::panic::catch_unwind(|| look(&path, directory.path()));
            assert!(looked.is_ok(), "{name}, round {round}");
        }
    }
}
