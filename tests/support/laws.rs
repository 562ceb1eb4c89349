//! What holds for every comparison of two files: its runs make one of the other, and are told as what they are.
#![allow(dead_code, missing_docs)]

use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::compare::{Input, Question, answer_streaming};
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument, Run, RunKind};

/// Aligned as is thought best.
pub fn compared(a: &[u8], b: &[u8]) -> DiffDocument {
    asked(a, b, None)
}

pub fn asked(a: &[u8], b: &[u8], alignment: Option<AlignedBy>) -> DiffDocument {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("a"), directory.path().join("b"));
    std::fs::write(&one, a).unwrap();
    std::fs::write(&other, b).unwrap();
    let document = aligned(&one, &other, alignment);
    assert_eq!(document, aligned(&one, &other, alignment), "the same question has the same answer");
    document
}

pub fn aligned(a: &Path, b: &Path, alignment: Option<AlignedBy>) -> DiffDocument {
    let question = Question { alignment, ..Question::default() };
    let (a, b) = (Input::open(a).unwrap(), Input::open(b).unwrap());
    answer_streaming(&a, &b, &question, &mut |_| (), &Context::new()).unwrap()
}

/// Where a run begins in the first file and in the second.
pub fn places(run: &Run) -> (usize, usize) {
    let (own, other) = (run.offset as usize, run.other_offset as usize);
    if run.kind == RunKind::Inserted { (other, own) } else { (own, other) }
}

/// What becomes of `a` when the runs are done to it in their order, with the bytes of `b`. Every run stands behind the one
/// before it, and its two places are those that belong to each other.
pub fn replayed(a: &[u8], b: &[u8], runs: &[Run]) -> Vec<u8> {
    let (mut bytes, mut taken) = (Vec::new(), 0);
    for run in runs {
        let ((in_a, in_b), len) = (places(run), run.len as usize);
        assert!(len > 0 && in_a >= taken, "{run:?} stands before what lies before it");
        bytes.extend(&a[taken..in_a]);
        assert_eq!(bytes.len(), in_b, "{run:?} stands at another place of the second file");
        taken = if run.kind == RunKind::Inserted { in_a } else { in_a + len };
        if run.kind != RunKind::Removed {
            bytes.extend(&b[in_b..in_b + len]);
        }
    }
    bytes.extend(&a[taken..]);
    bytes
}

/// The runs, joined again where they were told in two.
fn joined(runs: &[Run]) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.kind == run.kind && touches(last, run) => last.len += run.len,
            _ => joined.push(run.clone()),
        }
    }
    joined
}

fn touches(last: &Run, run: &Run) -> bool {
    let other = if run.kind == RunKind::Changed { last.len } else { 0 };
    (last.offset + last.len, last.other_offset + other) == (run.offset, run.other_offset)
}

/// What holds for every comparison, however the bytes were set against each other.
pub fn assert_replays(a: &[u8], b: &[u8], document: &DiffDocument) {
    assert!(replayed(a, b, &document.runs) == b, "the runs don't make the second file of the first");
    assert_eq!(document.equal, a == b);
    assert_eq!(document.runs.is_empty(), a == b);
    assert_eq!(document.runs_total, document.runs.len() as u64);
    for run in joined(&document.runs).iter().filter(|run| run.kind == RunKind::Changed) {
        let ((in_a, in_b), last) = (places(run), run.len as usize - 1);
        assert_ne!(a[in_a], b[in_b], "{run:?}");
        assert_ne!(a[in_a + last], b[in_b + last], "{run:?}");
    }
    let of = |kind| document.runs.iter().filter(|run| run.kind == kind).map(|run| run.len).sum::<u64>();
    let bytes = document.bytes;
    assert_eq!(
        [bytes.changed, bytes.inserted, bytes.removed],
        [of(RunKind::Changed), of(RunKind::Inserted), of(RunKind::Removed)]
    );
    let paired = a.len() as u64 - bytes.removed;
    assert_eq!((paired, document.bytes_compared + document.bytes_skipped), (b.len() as u64 - bytes.inserted, paired));
}
