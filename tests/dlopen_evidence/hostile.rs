//! Damaged files, and the bound on what is read.

use super::{Case, build, same};
use libtest_mimic::Failed;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use wheelwright::engine::dlopen::evidence::{EvidenceOptions, collect};
use wheelwright::engine::file::{MemoryBytes, ReadAt};
use wheelwright::engine::{Context, Error, binary};

pub fn all() -> Vec<Case> {
    vec![
        ("damaged_files_are_borne", None, damaged),
        ("a_bound_on_text_keeps_it_from_being_read", None, bounded),
        ("cancelling_ends_the_search", None, cancelled),
    ]
}

const SOURCE: &str = r#"
#include <dlfcn.h>
static const char filler[3 << 20] = "libfiller.so";
const char *text(int at) { return filler + at; }
void *open_it(void) { return (char *)dlopen("libx.so.1", RTLD_NOW) + 1; }
"#;

/// A file in memory that counts the bytes that are read of it.
struct Counting {
    bytes: MemoryBytes,
    read: AtomicU64,
}

impl ReadAt for Counting {
    fn path(&self) -> &Path {
        self.bytes.path()
    }

    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.bytes.read_at(offset, buffer)
    }
}

fn library() -> Result<Vec<u8>, Failed> {
    let directory = tempfile::tempdir()?;
    Ok(std::fs::read(build("cc", SOURCE, &["-O1", "-shared", "-fPIC"], directory.path(), "liba.so")?)?)
}

fn damaged() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let small = SOURCE.replace("3 << 20", "64");
    let whole = std::fs::read(build("cc", &small, &["-O1", "-shared", "-fPIC"], directory.path(), "liba.so")?)?;
    let mut files: Vec<Vec<u8>> = (0..40).map(|part| whole[..whole.len() * part / 40].to_vec()).collect();
    // Bytes of headers, tables, notes and code, changed one after the other.
    for at in (0..whole.len()).step_by(97) {
        for value in [0, 0x7f, 0xff] {
            let mut file = whole.clone();
            file[at] = value;
            files.push(file);
        }
    }
    let mut read = 0;
    for file in files {
        let source = MemoryBytes::new("damaged.so".into(), file);
        let Ok(binary) = binary::read(&source) else { continue };
        // An error is as good as a report: what counts is that nothing panics or runs away.
        read +=
            usize::from(collect(source.path(), &binary, &source, &EvidenceOptions::default(), &Context::new()).is_ok());
    }
    same("most changes leave the file readable", read > 100, true)
}

fn bounded() -> Result<(), Failed> {
    let source = Counting { bytes: MemoryBytes::new("a.so".into(), library()?), read: AtomicU64::new(0) };
    let binary = binary::read(&source)?;
    let options = EvidenceOptions { most_text: Some(1 << 20), ..EvidenceOptions::default() };
    let report = collect(source.path(), &binary, &source, &options, &Context::new())?;
    same("bytes read", source.read.load(Ordering::Relaxed) < 1 << 20, true)?;
    same("notes", report.notes.iter().filter(|note| note.contains("were not searched")).count(), 1)?;
    let names: Vec<&str> = report.candidates.iter().flatten().map(|found| found.name.as_str()).collect();
    same("what calls pass is known all the same", names, vec!["libx.so.1"])
}

fn cancelled() -> Result<(), Failed> {
    let source = MemoryBytes::new("a.so".into(), library()?);
    let binary = binary::read(&source)?;
    let context = Context::new();
    context.cancel();
    let result = collect(source.path(), &binary, &source, &EvidenceOptions::default(), &context);
    same("cancelled", matches!(result, Err(Error::Cancelled)), true)
}
