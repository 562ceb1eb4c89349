//! `.note.dlopen`, as the specification UAPI.12 lays it out and as a compiler's assembler writes it; a second reader, in
//! Python, is asked for the same names.

use super::{Case, build, report, same};
use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::report::dlopen::Confidence;

pub fn all() -> Vec<Case> {
    vec![
        ("declared_names_are_read", None, declared),
        ("declared_names_are_read_as_another_reader_reads_them", Some("python3"), as_another_reader),
    ]
}

/// A library with two good notes, one that is no JSON and one of another owner.
const SOURCE: &str = r#"
#define NOTE(owner, text) __asm__( \
    ".pushsection .note.dlopen, \"a\", %note\n .balign 4\n" \
    " .long 771f - 770f\n .long 773f - 772f\n .long 0x407c0c0a\n" \
    "770: .asciz \"" owner "\"\n771: .balign 4\n" \
    "772: .asciz \"" text "\"\n773: .balign 4\n .popsection\n")
NOTE("FDO", "[{\\\"soname\\\":[\\\"libone.so.1\\\",\\\"libone.so.0\\\"],\\\"feature\\\":\\\"one\\\","
            "\\\"description\\\":\\\"The first\\\",\\\"priority\\\":\\\"required\\\"}]");
NOTE("FDO", "[{\\\"soname\\\":[\\\"libtwo.so.2\\\"]},{\\\"soname\\\":[\\\"libthree.so.3\\\"],\\\"priority\\\":\\\"suggested\\\"}]");
NOTE("FDO", "[{\\\"soname\\\":");
NOTE("XYZ", "[{\\\"soname\\\":[\\\"libother.so\\\"]}]");
int answer(void) { return 42; }
"#;

fn names(path: &Path) -> Result<Vec<String>, Failed> {
    let report = report(path)?;
    let declared = report.candidates.iter().flatten().filter(|found| found.confidence == Confidence::Declared);
    Ok(declared.map(|found| found.name.clone()).collect())
}

fn library(directory: &Path, flags: &[&str]) -> Result<std::path::PathBuf, Failed> {
    build("cc", SOURCE, &[&["-shared", "-fPIC"], flags].concat(), directory, "liba.so")
}

fn declared() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    for flags in [&[][..], &["-s"]] {
        let path = library(directory.path(), flags)?;
        let report = report(&path)?;
        same(
            "names",
            names(&path)?,
            ["libone.so.0", "libone.so.1", "libthree.so.3", "libtwo.so.2"].map(str::to_owned).to_vec(),
        )?;
        let first = report.candidates.iter().flatten().find(|found| found.name == "libone.so.1");
        let detail = first.and_then(|found| found.evidence.first()?.detail.clone());
        same("detail", detail.as_deref(), Some("feature one; required; The first"))?;
        same("notes", report.notes.iter().filter(|note| note.contains("can't be understood")).count(), 1)?;
    }
    Ok(())
}

/// Finds the notes' names without knowing the format's tables: by the note's header.
const READER: &str = r#"# Prints the names in the .note.dlopen notes of the file named first, sorted.
import json, struct, sys
data, found, at = open(sys.argv[1], 'rb').read(), set(), 0
head = struct.pack('<I', 0x407c0c0a) + b'FDO\0'
while (at := data.find(head, at)) >= 0:
    size = struct.unpack_from('<I', data, at - 4)[0]
    try:
        for entry in json.loads(data[at + 8:at + 8 + size].split(b'\0')[0]):
            found.update(entry['soname'])
    except ValueError:
        pass
    at += 8
print(*sorted(found), sep='\n')
"#;

fn as_another_reader() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = library(directory.path(), &[])?;
    // A distribution whose systemd has such notes lends real files to the comparison.
    let systemd = ["/usr/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib64/systemd"];
    let real = systemd.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|entry| entry.path());
    let real = real.filter(|path| path.to_string_lossy().contains("libsystemd-"));
    for path in std::iter::once(path).chain(real) {
        let output = Command::new("python3").args(["-c", READER]).arg(&path).output()?;
        let expected: Vec<String> =
            String::from_utf8(output.stdout)?.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        same(&path.display().to_string(), names(&path)?, expected)?;
    }
    Ok(())
}
