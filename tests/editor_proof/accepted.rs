//! Real edits pass: on the plan, on the written file, and in the loader.

use crate::fixtures::{Built, Edited, FILES, overlaid, run, source};
use wheelwright::engine::Context;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::EditRequest::{
    self, AddDebugEntry, AddNeeded, AppendRunPath, ClearSymbolVersion, NoDefaultLib, RemoveNeeded, RemoveRunPaths,
    ReplaceNeeded, SetExecStack, SetInterpreter, SetOsAbi, SetRpath, SetRunpath, SetSoname,
};
use wheelwright::engine::repair::proof::{Expected, prove};
use wheelwright::engine::repair::{Builtin, Editor, ExecStack};

fn renamed(from: &str, to: &str) -> EditRequest {
    ReplaceNeeded { from: from.into(), to: to.into() }
}

/// Requests of every kind, alone and together.
fn requests() -> Vec<Vec<EditRequest>> {
    let long = "/a/long/way".repeat(400);
    vec![
        vec![SetSoname("libother-0123abcd.so.1".into())],
        vec![SetRpath("$ORIGIN/../x.libs".into())],
        vec![SetRunpath(long.as_str().into())],
        vec![AppendRunPath("/more".into())],
        vec![RemoveRunPaths],
        vec![renamed("libc.so.6", "libc-0123abcd.so.6")],
        vec![renamed("libc.so.6", "c"), renamed("libdeep.so.2", "libdeep-0123abcd.so.2")],
        vec![AddNeeded("libnew.so".into())],
        (0..12).map(|number| AddNeeded(format!("libnew{number}.so").as_str().into())).collect(),
        vec![RemoveNeeded("libc.so.6".into())],
        vec![SetExecStack(ExecStack::Asked)],
        vec![NoDefaultLib, AddDebugEntry],
        vec![SetOsAbi(3)],
        vec![ClearSymbolVersion("puts".into())],
        vec![ClearSymbolVersion("printf".into()), SetRpath(long.as_str().into())],
        vec![SetInterpreter("/opt/a/much/longer/place/for/an/interpreter/ld-linux.so.2".into())],
        vec![SetSoname("x".into()), SetRpath(long.as_str().into()), renamed("libdeep.so.2", "libdeep-0.so.2")],
    ]
}

#[test]
fn every_kind_of_request_is_proven_and_applied() {
    let built = Built::new();
    let (mut proven, mut inserted) = (0, 0);
    for name in FILES {
        for requests in requests() {
            let before = built.bytes(name);
            let plan = match Builtin::default().plan(&source(&before), &requests).unwrap() {
                Ok(plan) => plan,
                Err(refusal) => {
                    assert!(!refusal.reason.contains("proof"), "{name} {requests:?}: {refusal}");
                    continue;
                }
            };
            let foretold = Expected::of(&source(&before), &plan).unwrap();
            assert_eq!(foretold.proof().failure(), None, "{name} {requests:?}");
            assert_eq!(foretold.proof().checks.len(), 14);
            let file = built.path("edited");
            std::fs::write(&file, &before).unwrap();
            let applied = Builtin::default().apply(&file, &plan, &Context::new());
            assert!(applied.is_ok(), "{name} {requests:?}: {applied:?}");
            let after = Windows::open(&file).unwrap();
            assert_eq!(prove(&source(&before), &after, &plan).unwrap().failure(), None, "{name} {requests:?}");
            foretold.confirm(&after).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), overlaid(&before, &plan));
            proven += usize::from(!plan.is_empty());
            inserted += usize::from(plan.insertion.is_some());
        }
    }
    assert!(proven > 40, "{proven}");
    let has_padding = built.bytes("libtiny.so").windows(15).any(|bytes| bytes == b".relro_padding\0");
    assert_eq!(inserted > 0, has_padding, "what lld links is given a page");
}

#[test]
fn edits_upon_edits_are_proven_and_run() {
    let built = Built::new();
    let main = built.path("main");
    let here = built.path("").display().to_string();
    let expected = run(&main);
    for number in 0..8 {
        let text = format!("{here}:{}", "/another/way".repeat(number * 7 % 5 * 40));
        let before = std::fs::read(&main).unwrap();
        let plan = Builtin::default().plan(&source(&before), &[SetRunpath(text.as_str().into())]).unwrap().unwrap();
        Builtin::default().apply(&main, &plan, &Context::new()).unwrap();
        let after = Windows::open(&main).unwrap();
        assert_eq!(prove(&source(&before), &after, &plan).unwrap().failure(), None, "edit {number}");
        assert_eq!(run(&main), expected, "edit {number}");
    }
}

#[test]
fn what_was_wrong_before_is_no_failure() {
    let built = Built::new();
    let mut edited = Edited::new(built.bytes("libgreet.so.1"), &[SetRpath("/a".into())]);
    // The section header of .dynamic says another length, before and after.
    for file in [&mut edited.before, &mut edited.after.0] {
        let mut elf = crate::elf64::Elf64(std::mem::take(file));
        let at = elf.section(".dynamic") + crate::elf64::SH_SIZE;
        elf.set_long(at, elf.long(at) - 16);
        *file = elf.0;
    }
    let plan = Builtin::default().plan(&source(&edited.before), &[SetRpath("/a".into())]).unwrap().unwrap();
    edited.after.0 = overlaid(&edited.before, &plan);
    edited.plan = plan;
    assert_eq!(edited.proof().failure(), None);
}

#[test]
fn a_written_file_that_differs_anywhere_the_proof_looked_is_not_confirmed() {
    let built = Built::new();
    let edited = Edited::new(built.bytes("libgreet.so.1"), &[SetRpath("/a/new/place".into())]);
    let expected = Expected::of(&source(&edited.before), &edited.plan).unwrap();
    expected.confirm(&source(&edited.after.0)).unwrap();
    // What is zero is mostly padding between pages.
    let bytes: Vec<usize> = (0..edited.after.0.len()).filter(|&at| edited.after.0[at] != 0).step_by(5).collect();
    let differs = |at: &&usize| {
        let mut other = edited.after.0.clone();
        other[**at] ^= 0x10;
        expected.confirm(&source(&other)).is_err()
    };
    let seen = bytes.iter().filter(differs).count();
    assert!(seen * 5 > bytes.len() * 4, "of a small file most is looked at: {seen} of {}", bytes.len());
    let shorter = &edited.after.0[..edited.after.0.len() - 1];
    assert!(expected.confirm(&source(shorter)).is_err());
}
