//! Results of our own editor, whose plan says every byte.

use crate::shop::{Shop, assert_explained, builtin, compared, edit, replace, requests, unexplained};
use std::os::unix::fs::FileExt;
use wheelwright::engine::binary;
use wheelwright::engine::compare::Logged;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{EditRequest, ExecStack};
use wheelwright::engine::report::diff::{AlignedBy, Class, RunKind};

const ALIGNMENTS: [Option<AlignedBy>; 2] = [None, Some(AlignedBy::Offset)];

pub fn every_byte_of_an_edit_is_explained() {
    let shop = Shop::new();
    for requests in requests() {
        let (plan, edited) = shop.edited("liba.so", &builtin(), &requests);
        for alignment in ALIGNMENTS {
            let document = compared(&shop.path("liba.so"), &edited, alignment, Some(vec![Logged::of(&plan)]));
            assert_explained(&document, &format!("{requests:?} by {alignment:?}"));
            assert_eq!(document.edits.unwrap().len(), plan.requests.len());
        }
    }
}

pub fn the_requests_alone_explain_it_too() {
    let shop = Shop::new();
    for requests in requests() {
        let (plan, edited) = shop.edited("liba.so", &builtin(), &requests);
        for alignment in ALIGNMENTS {
            let asked = vec![Logged::asked(plan.requests.clone())];
            let document = compared(&shop.path("liba.so"), &edited, alignment, Some(asked));
            assert_explained(&document, &format!("{requests:?} by {alignment:?}, {}", plan.layout));
        }
    }
}

pub fn each_request_has_runs_of_its_own() {
    let shop = Shop::new();
    let requests = [
        EditRequest::SetSoname("libother-0123456789abcdef.so.1".into()),
        replace("libneed.so.1", "libneed-0123456789abcdef.so.1"),
        EditRequest::SetRunpath("$ORIGIN/../liba.libs".into()),
        EditRequest::SetExecStack(ExecStack::Asked),
    ];
    let (plan, edited) = shop.edited("liba.so", &builtin(), &requests);
    let document = shop.compared("liba.so", &edited, Some(vec![Logged::of(&plan)]));
    assert_explained(&document, "four requests");
    let words = document.edits.as_ref().unwrap();
    assert_eq!(words.len(), 4);
    for (number, word) in words.iter().enumerate() {
        let own = document.runs.iter().filter(|run| run.explained_by.as_deref() == Some(&[number]));
        assert!(own.count() > 0, "no run is explained by {word} alone: {:#?}", document.runs);
    }
    assert!(document.verdict.ends_with("all explained by 4 edits; no code byte changed"), "{}", document.verdict);
}

pub fn an_edit_that_nobody_logged() {
    let shop = Shop::new();
    let copy = shop.copy("liba.so");
    let logged = edit(&copy, &builtin(), &[EditRequest::SetRunpath("/a/new/path/that/is/longer".into())]);
    let logged_size = std::fs::metadata(&copy).unwrap().len();
    let between = std::fs::read(&copy).unwrap();
    let silent = edit(&copy, &builtin(), &[EditRequest::SetSoname("libsilent-0123456789.so.1".into())]);
    let document = shop.compared("liba.so", &copy, Some(vec![Logged::of(&logged)]));
    let left = unexplained(&document);
    assert!(!left.is_empty(), "{document:#?}");
    // What is left is what the second edit wrote, byte for byte.
    let after = std::fs::read(&copy).unwrap();
    assert_eq!(silent.insertion, None, "the second edit fits into the room of the first");
    let wrong = (0..after.len() as u64).filter(|at| between.get(*at as usize) != after.get(*at as usize));
    let wrong: Vec<u64> = wrong.collect();
    let kept = left.iter().filter(|run| run.kind != RunKind::Removed);
    let told: Vec<u64> = kept
        .flat_map(|run| {
            let start = if run.kind == RunKind::Inserted { run.offset } else { run.other_offset };
            start..start + run.len
        })
        .collect();
    let old = std::fs::read(shop.path("liba.so")).unwrap();
    // A byte that the second edit made what it was at first does not differ.
    let wrong: Vec<u64> =
        wrong.into_iter().filter(|at| *at >= logged_size || old.get(*at as usize) != after.get(*at as usize)).collect();
    for at in &told {
        assert!(wrong.contains(at), "{at:#x} was written by the logged edit");
    }
    assert!(!told.is_empty());
    assert!(document.findings[0].evidence.iter().any(|line| line.contains("libsilent")), "{:#?}", document.findings);
}

pub fn a_flipped_byte() {
    let shop = Shop::new();
    let (plan, edited) =
        shop.edited("liba.so", &builtin(), &[EditRequest::SetRunpath("/a/new/path/that/is/longer".into())]);
    let place = text_offset(&edited) + 3;
    flip(&edited, place);
    for edits in [Logged::of(&plan), Logged::asked(plan.requests.clone())] {
        let document = shop.compared("liba.so", &edited, Some(vec![edits]));
        let left = unexplained(&document);
        assert_eq!(left.len(), 1, "{left:#?}");
        assert_eq!((left[0].len, left[0].class, left[0].other_offset), (1, Class::Code, place));
        assert_eq!(document.bytes.code, 1);
        let end = "1 run of 1 byte is explained by nothing, the rest by 1 edit; 1 code byte changed";
        assert!(document.verdict.ends_with(end), "{}", document.verdict);
    }
}

pub fn without_a_log_nothing_is_said() {
    let shop = Shop::new();
    let (_, edited) = shop.edited("liba.so", &builtin(), &[EditRequest::SetRunpath("/new".into())]);
    let document = shop.compared("liba.so", &edited, None);
    assert_eq!((document.edits.as_ref(), document.unexplained), (None, None));
    assert!(document.runs.iter().all(|run| run.explained_by.is_none()));
    // An empty log is a log: it explains nothing.
    let document = shop.compared("liba.so", &edited, Some(Vec::new()));
    assert_eq!(unexplained(&document).len(), document.runs.len());
}

/// Where `.text` begins in the file.
pub fn text_offset(path: &std::path::Path) -> u64 {
    let binary = binary::read(&Windows::open(path).unwrap()).unwrap();
    let tables = &binary.slices[0].elf.as_ref().unwrap().tables;
    let code = tables.sections.iter().filter(|section| section.sh_flags & 4 != 0).max_by_key(|section| section.sh_size);
    code.unwrap().sh_offset
}

pub fn flip(path: &std::path::Path, place: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[!byte[0]], place).unwrap();
}
