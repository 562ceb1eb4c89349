//! Damaged files: an error or a refusal, never a panic, and never a result that its own check does not accept.

use crate::fixtures::Chain;
use crate::{Outcome, Test, needed, rpath, soname};
use std::path::{Path, PathBuf};
use wheelwright::engine::Context;
use wheelwright::engine::file::MemoryBytes;
use wheelwright::engine::repair::{Builtin, Editor};

/// The tests of this file.
pub const TESTS: &[Test] = &[("damage::truncated_files", truncated), ("damage::changed_bytes", changed)];

fn plan(bytes: &[u8]) -> Option<wheelwright::engine::repair::EditPlan> {
    let requests = [soname("lib-new.so"), rpath("$ORIGIN/../x.libs"), needed("libdeep.so.2", "libdeep-0.so.2")];
    let source = MemoryBytes::new(PathBuf::from("damaged"), bytes.to_vec());
    let plan = Builtin::default().plan(&source, &requests).ok()?.ok()?;
    assert!(plan.writes < 1 << 20, "a small file costs little: {}", plan.writes);
    Some(plan)
}

fn truncated() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    for name in ["libgreet.so.1", "main"] {
        let bytes = std::fs::read(chain.path(name)).unwrap();
        assert!(plan(&bytes).is_some());
        for length in (0..bytes.len()).step_by(7) {
            plan(&bytes[..length]);
        }
    }
    Ok(())
}

fn changed() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["libgreet.so.1", "main"] {
        let original = std::fs::read(chain.path(name)).unwrap();
        let tables = tables(&original);
        for (number, &at) in tables.iter().enumerate() {
            let mut bytes = original.clone();
            bytes[at] = [0xff, bytes[at] ^ 0x80, bytes[at].wrapping_add(8), 0][number % 4];
            if let Some(plan) = plan(&bytes).filter(|_| number % 3 == 0) {
                try_to_apply(folder.path(), &bytes, &plan);
            }
        }
    }
    Ok(())
}

/// The bytes of the header, the program headers, the section headers and the dynamic section.
fn tables(bytes: &[u8]) -> Vec<usize> {
    let source = MemoryBytes::new(PathBuf::from("whole"), bytes.to_vec());
    let tables = wheelwright::engine::binary::elf::Tables::read(&source).unwrap();
    let segments = tables.segments.len() * usize::from(tables.header.e_phentsize);
    let (start, length) = tables.dynamic_range.unwrap();
    let dynamic = start as usize..(start + length) as usize;
    (0..64 + segments).chain(dynamic).chain(tables.header.e_shoff as usize..bytes.len()).collect()
}

fn try_to_apply(folder: &Path, bytes: &[u8], plan: &wheelwright::engine::repair::EditPlan) {
    let file = folder.join("damaged");
    // A damaged address can ask for a file of many gigabytes; its plan is enough.
    if plan.size_after.is_some_and(|size| size < 1 << 24) {
        std::fs::write(&file, bytes).unwrap();
        let _ = Builtin::default().apply(&file, plan, &Context::new());
    }
}
