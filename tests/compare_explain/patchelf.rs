//! Results of patchelf, which does not say what it will write: explained by what the two files say.

use crate::builtin::{flip, text_offset};
use crate::shop::{Shop, assert_explained, compared, edit, patchelf, replace, requests, unexplained};
use wheelwright::engine::compare::Logged;
use wheelwright::engine::repair::{EditRequest, ExecStack};
use wheelwright::engine::report::diff::{AlignedBy, Class};

const ALIGNMENTS: [Option<AlignedBy>; 2] = [None, Some(AlignedBy::Offset)];

fn assert_all(shop: &Shop, name: &str, requests: &[EditRequest]) {
    let (plan, edited) = shop.edited(name, &patchelf().unwrap(), requests);
    for alignment in ALIGNMENTS {
        let document = compared(&shop.path(name), &edited, alignment, Some(vec![Logged::of(&plan)]));
        assert_explained(&document, &format!("{name}: {requests:?} by {alignment:?}"));
    }
}

pub fn verb_by_verb() {
    let shop = Shop::new();
    for requests in requests() {
        assert_all(&shop, "liba.so", &requests);
    }
    let rest = [EditRequest::SetExecStack(ExecStack::Asked), EditRequest::NoDefaultLib, EditRequest::AddDebugEntry];
    for request in rest {
        assert_all(&shop, "liba.so", &[request]);
    }
}

pub fn clears_a_symbol_version() {
    let shop = Shop::new();
    let copy = shop.copy("liba.so");
    let program = patchelf().unwrap().program().to_path_buf();
    let ran = std::process::Command::new(program).args(["--clear-symbol-version", "puts"]).arg(&copy).status().unwrap();
    assert!(ran.success());
    let asked = |name: &str| vec![Logged::asked(vec![EditRequest::ClearSymbolVersion(name.into())])];
    for alignment in ALIGNMENTS {
        let document = compared(&shop.path("liba.so"), &copy, alignment, Some(asked("puts")));
        assert_explained(&document, "the version of puts");
        let other = compared(&shop.path("liba.so"), &copy, alignment, Some(asked("need")));
        assert!(!unexplained(&other).is_empty(), "the version of another symbol was cleared");
    }
}

pub fn on_a_program() {
    let shop = Shop::new();
    let long = EditRequest::SetInterpreter("/a/way/to/the/interpreter/that/is/longer/ld-linux.so.2".into());
    assert_all(&shop, "tool", std::slice::from_ref(&long));
    assert_all(&shop, "tool", &[long, replace("libneed.so.1", "libneed-0123456789abcdef.so.1")]);
    for requests in requests() {
        if !requests.iter().any(|request| matches!(request, EditRequest::SetSoname(_))) {
            assert_all(&shop, "tool", &requests);
        }
    }
}

pub fn did_more_than_was_logged() {
    let shop = Shop::new();
    let path = EditRequest::SetRunpath("/a/new/path/that/is/longer/than/the/old/one".into());
    let soname = EditRequest::SetSoname("libsilent-0123456789.so.1".into());
    let copy = shop.copy("liba.so");
    edit(&copy, &patchelf().unwrap(), &[path.clone(), soname]);
    for alignment in ALIGNMENTS {
        let document = compared(&shop.path("liba.so"), &copy, alignment, Some(vec![Logged::asked(vec![path.clone()])]));
        let left = unexplained(&document);
        assert!(!left.is_empty() && left.len() <= 4, "{left:#?}");
        for run in &left {
            let is_soname = run.meaning.as_deref().is_some_and(|text| text.contains("libsilent"));
            assert!(is_soname, "{run:#?}");
        }
        assert!(left.iter().any(|run| run.class == Class::Dynamic), "{left:#?}");
        assert!(left.iter().any(|run| run.class == Class::String), "{left:#?}");
    }
}

pub fn and_a_flipped_byte() {
    let shop = Shop::new();
    let requests = [EditRequest::SetRunpath("/a/new/path/that/is/longer/than/the/old/one".into())];
    let (plan, edited) = shop.edited("liba.so", &patchelf().unwrap(), &requests);
    let place = text_offset(&edited) + 3;
    flip(&edited, place);
    for alignment in ALIGNMENTS {
        let document = compared(&shop.path("liba.so"), &edited, alignment, Some(vec![Logged::of(&plan)]));
        let left = unexplained(&document);
        assert_eq!(left.len(), 1, "{left:#?}");
        assert_eq!((left[0].len, left[0].class), (1, Class::Code));
        assert!(document.verdict.ends_with("; 1 code byte changed"), "{}", document.verdict);
    }
}
