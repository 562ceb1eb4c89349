//! The scan against a loop over single bytes, for alignments, windows and threads of any kind; and how it ends when it must.

use super::window::Finished;
use super::*;
use crate::engine::Error;
use crate::engine::compare::alignment::{ByteRun, Pair};
use crate::engine::compare::listed::MOST_LISTED;
use crate::engine::report::diff::{AlignedBy, RunKind};
use proptest::prelude::*;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn how(from: u64, window: u64, threads: usize) -> How {
    How { from, window, threads, step: window }
}

fn file(directory: &Path, name: &str, bytes: &[u8]) -> Windows {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    Windows::open(&path).unwrap()
}

fn sparse(path: &Path, size: u64, writes: &[(u64, &[u8])]) -> Windows {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (offset, bytes) in writes {
        file.write_all_at(bytes, *offset).unwrap();
    }
    file.sync_all().unwrap();
    Windows::open(path).unwrap()
}

/// Every run, by a loop over single bytes.
fn naive(a: &[u8], b: &[u8], alignment: &Alignment) -> Vec<ByteRun> {
    let mut runs: Vec<ByteRun> = Vec::new();
    let mut add = |run: ByteRun| match runs.last_mut() {
        Some(last) if last.kind == run.kind && last.ends() == (run.a, run.b) => last.len += run.len,
        _ => runs.push(run),
    };
    for index in 0..=alignment.pairs.len() {
        alignment.unpaired_before(index).for_each(&mut add);
        let Some(pair) = alignment.pairs.get(index) else { break };
        for into in 0..pair.len {
            let (at, other) = (pair.a + into, pair.b + into);
            if a[at as usize] != b[other as usize] {
                add(ByteRun { kind: RunKind::Changed, a: at, b: other, len: 1 });
            }
        }
    }
    runs
}

/// Two files whose pairs differ in some bytes, of lengths and distances from single bytes to several windows.
fn aligned() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Alignment)> {
    let length = prop_oneof![3 => 1..20_u64, 2 => 1..400_u64, 1 => 1..60_000_u64];
    let gap = || prop_oneof![4 => Just(0_u64), 3 => 1..30_u64, 1 => 1..40_000_u64];
    let pairs = prop::collection::vec((gap(), gap(), length), 0..30);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 1..700_usize, any::<bool>()), 0..30);
    (pairs, gap(), gap(), edits).prop_map(|(lengths, last_a, last_b, edits)| {
        let (mut pairs, mut end) = (Vec::new(), (0, 0));
        for (before_a, before_b, len) in lengths {
            let pair = Pair { a: end.0 + before_a, b: end.1 + before_b, len };
            end = (pair.a + len, pair.b + len);
            pairs.push(pair);
        }
        let (a_size, b_size) = (end.0 + last_a, end.1 + last_b);
        let (mut a, mut b) = (vec![1_u8; a_size as usize], vec![2_u8; b_size as usize]);
        let is_empty = b.is_empty();
        for pair in &pairs {
            for into in 0..pair.len {
                let byte = ((pair.a + into) % 251) as u8;
                a[(pair.a + into) as usize] = byte;
                b[(pair.b + into) as usize] = byte;
            }
        }
        for (place, len, in_steps) in edits.into_iter().filter(|_| !is_empty) {
            let start = place.index(b.len());
            let end = (start + len).min(b.len());
            b[start..end].iter_mut().step_by(if in_steps { 2 } else { 1 }).for_each(|byte| *byte ^= 0x40);
        }
        (a, b, Alignment { by: AlignedBy::Structure, a_size, b_size, pairs, moved: Vec::new() })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_runs_are_those_of_a_naive_loop(
        (a, b, alignment) in aligned(),
        window in prop_oneof![Just(1_u64), 2..100_u64, 100..70_000_u64],
        threads in 1..5_usize,
        from in any::<prop::sample::Index>(),
    ) {
        // A window of a byte takes long where there are many.
        let window = window.max(alignment.paired() / 500);
        let from = from.index(a.len() + 10) as u64;
        let directory = tempfile::tempdir().unwrap();
        let (ours, theirs) = (file(directory.path(), "a", &a), file(directory.path(), "b", &b));
        let expected = naive(&a, &b, &alignment);
        let context = Context::new();
        let (mut done, mut answers) = (0, 0);
        let found = scan(&ours, &theirs, &alignment, &how(from, window, threads), &mut |so_far| {
            let now = so_far.scanned.compared + so_far.scanned.skipped;
            assert!(now >= done && now <= alignment.paired());
            done = now;
            answers += 1;
            if answers > 5 {
                return Ok(());
            }
            // What was found so far is part of what there is, and lies where it was looked.
            let map = so_far.listed.map();
            assert!(so_far.listed.runs().is_sorted_by_key(|run| (run.a, run.b)));
            for run in so_far.listed.runs() {
                assert!(expected.iter().any(|whole| {
                    whole.kind == run.kind && whole.offset() <= run.offset() && run.ends() <= whole.ends()
                }));
            }
            for (part, is_pending) in map.pending.iter().enumerate() {
                let (start, end) = (part as u64 * map.unit, (part as u64 + 1) * map.unit);
                let within: u64 = expected
                    .iter()
                    .filter(|run| run.kind == RunKind::Changed)
                    .map(|run| (run.a + run.len).min(end).saturating_sub(run.a.max(start)))
                    .sum();
                assert!(*is_pending || map.differing[part] >= within, "part {part}");
            }
            Ok(())
        }, &context).unwrap();
        prop_assert_eq!(found.listed.runs(), &expected[..]);
        prop_assert_eq!(found.listed.total(), expected.len() as u64);
        let bytes = found.listed.bytes();
        prop_assert_eq!(bytes.changed + bytes.inserted + bytes.removed, expected.iter().map(|run| run.len).sum::<u64>());
        prop_assert_eq!(found.listed.map().differing.iter().sum::<u64>(), bytes.changed + bytes.inserted + bytes.removed);
        prop_assert!(found.listed.map().pending.is_empty());
        prop_assert_eq!(found.scanned.compared + found.scanned.skipped, alignment.paired());
        prop_assert_eq!(context.progress(), (alignment.paired(), alignment.paired()));
    }
}

/// Bytes of a small generator, the same for the same `seed`.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size).map(|_| next()).collect()
}

#[test]
fn unrelated_files_are_counted_to_the_last_run() {
    let directory = tempfile::tempdir().unwrap();
    let size = 3 << 20;
    let a = noise(7, size);
    // Some differ in every other byte, so that there are more runs than are listed in less than two windows.
    let mut b = noise(9, size);
    for (at, byte) in b.iter_mut().enumerate().take(400_000) {
        *byte = if at % 2 == 0 { a[at] } else { !a[at] };
    }
    b[700_000..1_000_000].copy_from_slice(&a[700_000..1_000_000]);
    let (ours, theirs) = (file(directory.path(), "a", &a), file(directory.path(), "b", &b));
    let alignment = Alignment::by_offset(size as u64, size as u64);
    let expected = naive(&a, &b, &alignment);
    assert!(expected.len() > MOST_LISTED + 5000);
    for (from, window, threads) in [(0, WINDOW, 1), (0, 5000, 4), (1 << 20, WINDOW, 2), (2_900_000, 77_777, 3)] {
        let how = how(from, window, threads);
        let found = scan(&ours, &theirs, &alignment, &how, &mut |_| Ok(()), &Context::new()).unwrap();
        assert_eq!(found.listed.total(), expected.len() as u64, "{how:?}");
        let begin = from - from % window;
        let first = expected.partition_point(|run| run.a + run.len <= begin);
        let mut nearest: Vec<ByteRun> =
            expected[first..].iter().chain(&expected[..first]).take(MOST_LISTED).copied().collect();
        nearest.sort_by_key(|run| run.a);
        assert_eq!(found.listed.runs().len(), MOST_LISTED);
        let differing: Vec<_> = found.listed.runs().iter().zip(&nearest).filter(|(one, other)| one != other).collect();
        assert!(differing.is_empty(), "{how:?}: {differing:?}");
        let map = found.listed.map();
        assert_eq!(map.differing.iter().sum::<u64>(), found.listed.bytes().changed);
        for (part, count) in map.differing.iter().enumerate() {
            let start = part * map.unit as usize;
            let end = (start + map.unit as usize).min(size);
            assert_eq!(*count, (start..end).filter(|at| a[*at] != b[*at]).count() as u64, "{how:?}: part {part}");
        }
    }
}

#[test]
fn what_lies_from_the_given_place_on_is_told_first() {
    let directory = tempfile::tempdir().unwrap();
    let a = vec![1; 1 << 20];
    let mut b = a.clone();
    for at in [10, 500_000, 900_000] {
        b[at] = 2;
    }
    let (ours, theirs) = (file(directory.path(), "a", &a), file(directory.path(), "b", &b));
    let alignment = Alignment::by_offset(1 << 20, 1 << 20);
    let mut seen: Vec<Vec<u64>> = Vec::new();
    let how = how(600_000, 4096, 1);
    scan(
        &ours,
        &theirs,
        &alignment,
        &how,
        &mut |so_far| {
            seen.push(so_far.listed.runs().iter().map(|run| run.a).collect());
            let pending = &so_far.listed.map().pending;
            assert!(
                pending[(so_far.listed.map().differing.len() - 1) / 2] || seen.len() > 128,
                "the middle comes last"
            );
            Ok(())
        },
        &Context::new(),
    )
    .unwrap();
    seen.dedup();
    assert_eq!(seen, [vec![], vec![900_000], vec![10, 900_000], vec![10, 500_000, 900_000]]);
}

#[test]
fn holes_of_both_are_skipped_and_runs_cross_windows() {
    let directory = tempfile::tempdir().unwrap();
    let size = 256 * WINDOW;
    let edge = 32 * WINDOW;
    let a = sparse(&directory.path().join("a"), size, &[(edge - 2, b"abcd"), (size - 1, b"z")]);
    let b = sparse(&directory.path().join("b"), size, &[(edge - 2, b"ABCD"), (80 * WINDOW, b"x")]);
    let context = Context::new();
    let alignment = Alignment::by_offset(size, size);
    let found = scan(&a, &b, &alignment, &How::suiting(size, 0), &mut |_| Ok(()), &context).unwrap();
    let expected = [(edge - 2, 4), (80 * WINDOW, 1), (size - 1, 1)];
    assert_eq!(found.listed.runs().iter().map(|run| (run.a, run.len)).collect::<Vec<_>>(), expected);
    assert_eq!(found.scanned.compared + found.scanned.skipped, size);
    assert_eq!(context.progress(), (size, size));
    // On a filesystem without holes everything is compared.
    let stored = a.file().metadata().unwrap().blocks() * 512;
    assert!(found.scanned.skipped > size / 2 || stored >= size, "{} of {size} skipped", found.scanned.skipped);

    // The same where the holes of one lie at other offsets than those of the other.
    let pairs = vec![Pair { a: 2 * WINDOW + 5, b: 90 * WINDOW, len: 20 * WINDOW }];
    let alignment = Alignment { by: AlignedBy::Content, a_size: size, b_size: size, pairs, moved: Vec::new() };
    let found = scan(&a, &b, &alignment, &How::suiting(size, 0), &mut |_| Ok(()), &Context::new()).unwrap();
    assert_eq!(found.listed.bytes().changed, 0);
    assert!(found.scanned.skipped > 19 * WINDOW || stored >= size, "{} skipped", found.scanned.skipped);
}

#[test]
fn a_cancelled_scan_stops() {
    let directory = tempfile::tempdir().unwrap();
    let a = file(directory.path(), "a", &vec![3; 4 << 20]);
    let b = file(directory.path(), "b", &vec![4; 4 << 20]);
    let alignment = Alignment::by_offset(4 << 20, 4 << 20);
    let cancelled_by = |threads: usize, on_the_way: &mut dyn FnMut(&Context)| {
        let context = Context::new();
        on_the_way(&context);
        let mut told = |_| {
            on_the_way(&context);
            Ok(())
        };
        let found = scan(&a, &b, &alignment, &how(0, 4096, threads), &mut told, &context);
        assert!(matches!(found, Err(Error::Cancelled)), "{threads}");
        assert!(context.progress().0 < 1 << 20, "{threads}");
    };
    for threads in 1..4 {
        cancelled_by(threads, &mut |context| context.cancel());
    }
    // On its own, since others may be done before the caller's thread has its turn.
    let mut turns = 0;
    cancelled_by(1, &mut |context| {
        turns += 1;
        if turns > 1 {
            context.cancel();
        }
    });
    assert_eq!(turns, 2);
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let a = file(directory.path(), "a", &vec![3; 4 << 20]);
    let b = file(directory.path(), "b", &vec![3; 4 << 20]);
    let alignment = Alignment::by_offset(4 << 20, 4 << 20);
    File::options().write(true).open(directory.path().join("b")).unwrap().set_len(3 << 20).unwrap();
    for threads in 1..4 {
        let found = scan(&a, &b, &alignment, &how(0, 4096, threads), &mut |_| Ok(()), &Context::new());
        assert!(matches!(found, Err(Error::Malformed { .. })), "{threads}: {found:?}");
    }
    // What is no longer there is no hole.
    let (a, b) = (sparse(&directory.path().join("a"), 1 << 20, &[]), sparse(&directory.path().join("b"), 1 << 20, &[]));
    File::options().write(true).open(directory.path().join("b")).unwrap().set_len(1 << 19).unwrap();
    let alignment = Alignment::by_offset(1 << 20, 1 << 20);
    let found = scan(&a, &b, &alignment, &how(1 << 19, 4096, 2), &mut |_| Ok(()), &Context::new());
    assert!(matches!(found, Err(Error::Malformed { .. })), "{found:?}");
}

#[test]
fn a_panic_in_any_thread_ends_the_call() {
    let directory = tempfile::tempdir().unwrap();
    let a = file(directory.path(), "a", &vec![3; 1 << 20]);
    let alignment = Alignment::by_offset(1 << 20, 1 << 20);
    let caller = std::thread::current().id();
    for (threads, panics_in_caller) in [(1, true), (3, true), (2, false), (4, false)] {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let order = Order::new(&alignment, Known::new(&a, &a), 0, 4096);
            let look = |_: &order::Task, _, _: &mut window::Buffers| {
                assert!((std::thread::current().id() == caller) != panics_in_caller, "as planned");
                // The others get their turn.
                std::thread::sleep(std::time::Duration::from_millis(1));
                Ok(Finished::default())
            };
            let listed = Listed::new(1 << 20, 1 << 20);
            pool::run(order, listed, &look, &how(0, 4096, threads), &mut |_| Ok(()), &Context::new()).map(drop)
        }));
        assert!(ended.is_err(), "{threads} threads");
    }
}

#[test]
fn few_bytes_are_not_worth_a_thread() {
    assert_eq!(How::suiting(WORTH_A_THREAD, 0).threads, 1);
    assert!((1..=MOST_THREADS).contains(&How::suiting(u64::MAX, 0).threads));
}
