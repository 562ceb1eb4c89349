//! Damaged tables: an error in the object's row, quickly, and the other objects all the same.

use crate::Case;
use crate::lab::{Lab, lacks_glibc, same};
use libtest_mimic::Failed;
use std::path::Path;
use std::time::{Duration, Instant};
use wheelwright::engine::binary;
use wheelwright::engine::file::Windows;

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("an_endless_hash_chain_ends", endless_chain),
        case("every_damaged_byte_of_the_tables_gives_a_report", every_byte),
    ]
}

/// The place of the dynamic entry's table in the file.
fn place(path: &Path, tag: u64) -> Result<usize, Failed> {
    let read = binary::read(&Windows::open(path)?)?;
    let tables = &read.slices[0].elf.as_ref().ok_or("no ELF file")?.tables;
    let found = tables.dynamic_value(tag).and_then(|address| tables.file_offset(address)).ok_or("no such table")?;
    Ok(found.0 as usize)
}

fn endless_chain() -> Result<(), Failed> {
    let lab = Lab::new();
    let library =
        lab.library("libf.so", "int f(void) { return 0; } int g(void) { return 0; }", &["-Wl,--hash-style=sysv"]);
    let names: Vec<String> = (0..500).map(|number| format!("n{number}")).collect();
    let declared: String = names.iter().map(|name| format!("int {name}(void);\n")).collect();
    let text = format!(
        "{declared}int all(void) {{ return {}; }}",
        names.iter().map(|name| format!("{name}()")).collect::<Vec<_>>().join("+")
    );
    let program = lab.library("libp.so", &text, &["@libf.so"]);
    let at = place(&library, 4)?;
    let mut bytes = std::fs::read(&library)?;
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (buckets, symbols) = (word(&bytes, at) as usize, word(&bytes, at + 4) as usize);
    // Every bucket leads to symbol 1, and symbol 1 to itself.
    for number in 0..buckets + symbols {
        bytes[at + 8 + number * 4..][..4].copy_from_slice(&1_u32.to_le_bytes());
    }
    std::fs::write(&library, bytes)?;
    let start = Instant::now();
    let report = lab.report(&program);
    same(start.elapsed() < Duration::from_secs(100), true)?;
    same(report.objects.first().map(|object| object.unbound), Some(500))?;
    same(report.objects.get(1).is_some_and(|object| object.error.is_some()), true)
}

fn every_byte() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int nowhere(void); int g(void) { return nowhere(); }";
    let library = lab.versioned("libf.so", text, "V1 { global: f; g; };", &[]);
    let program = lab.build("p", "int f(void); int main(void) { return f(); }", &["@libf.so"]);
    let whole = std::fs::read(&library)?;
    let end = place(&library, 5)?.min(whole.len()) + 200;
    for at in (0x40..end).step_by(5) {
        for value in [0, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            std::fs::write(&library, &bytes)?;
            let report = lab.report(&program);
            same(report.objects.first().map(|object| object.node), Some(0))?;
        }
    }
    Ok(())
}
