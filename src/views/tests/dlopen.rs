//! The dlopen panel, a name as a page, a traced run, and the load proof where it is shown.

use super::*;
use crate::engine::report::load::LoadVerdict;

#[test]
fn dlopen() {
    let make = panel(LABEXT, Panel::Dlopen);
    says(
        &make(120, 40),
        &[
            "dlopen, dlsym · 4 calls",
            "2 calls pass a name made at run time: what they open is not known",
            "RENAMED   libgreet.so.1",
            "there as libgreet-47542e49.so.1",
            "LOST      libplug.so",
            "by order",
            "unknown   lib%s_plugin.so",
            "RENAMED: the library is in the bundle under another name",
            "loader.py can't be parsed",
        ],
    );
    pictures("dlopen", make);
}

#[test]
fn a_name_that_is_opened_as_a_page() {
    let make = |width, height| {
        let mut state = fixture::showing(LABEXT, Panel::Dlopen, width, height);
        state.overlay = Overlay::Page(Page { source: PageSource::Detail, scroll: 0 });
        state
    };
    says(
        &make(120, 40),
        &[
            "│ in the bundle",
            "found, the build's",
            "by RUNPATH of liblabext.so: /opt/lab/lib",
            "2 places were tried before",
            "▸ graft under the opened name: helps",
            "add an RPATH: does not help",
            "it was renamed",
            "changes liblabext.so: DT_RPATH = $ORIGIN/../labext.libs",
            "passed by a call in labext::greet, .rodata at 0x68d0, liblabext.so",
        ],
    );
    let mut state = make(120, 40);
    update(&mut state, Action::NextRemedy);
    update(&mut state, Action::NextRemedy);
    says(
        &state,
        &[
            "▸ keep the SONAME: helps, tried: works",
            "tried   opens libgreet.so.1: bundle:labext.libs/libgreet-47542e49.so.1",
            "loads: 1 of the bundle, 1 of the policy",
        ],
    );
    pictures("dlopen-page", make);
}

#[test]
fn dlopen_in_a_traced_run() {
    let make = |width, height| {
        fixture::showing_report(LABEXT, Panel::Dlopen, (width, height), |report| {
            report.dlopen = Some(fixture::opened::traced());
        })
    };
    says(
        &make(120, 40),
        &["traced run: 2 of 7 names asked for, 1 opened and not foreseen", "not seen", "FAILED", "unforeseen"],
    );
    pictures("dlopen-traced", make);
}

#[test]
fn nothing_to_open_has_a_reason() {
    let says_empty = |state: &State, reason: &str| {
        let text = glyphs(&drawn(state, RICH, 120, 40));
        assert!(text.contains(reason), "{text}");
    };
    says_empty(&fixture::showing(BROKEN, Panel::Dlopen, 120, 40), "it opens nothing");
    says_empty(&fixture::showing(MAC, Panel::Dlopen, 120, 40), "nothing was found out about what this file opens");
    says_empty(&fixture::showing(7, Panel::Dlopen, 120, 40), "not audited yet");
    let asked = |candidates| {
        fixture::showing_report(LABEXT, Panel::Dlopen, (120, 40), move |report| {
            let opened = report.dlopen.as_mut().unwrap();
            opened.candidates = candidates;
        })
    };
    says_empty(&asked(Some(Vec::new())), "names may be made at run time");
    let mut state = asked(None);
    says_empty(&state, "were not looked for");
    state.looked_into.clear();
    update(&mut state, Action::Redraw);
    says_empty(&state, "being looked for");
}

/// The artifact whose edits are made, with a load that went like `verdict`.
fn loaded(verdict: LoadVerdict, which: Panel) -> impl Fn(u16, u16) -> State {
    move |width, height| {
        fixture::showing_report(PATCHED, which, (width, height), |report| {
            report.load = Some(fixture::opened::load(verdict));
        })
    }
}

#[test]
fn whether_it_loads() {
    let make = loaded(LoadVerdict::Loads, Panel::Staging);
    says(
        &make(120, 40),
        &[
            "load proof    loads: 1 of the bundle, 1 of the policy",
            "loaded by import, /usr/bin/python3",
            "the build kept out of reach by: mount namespace",
            "bundle:labext.libs/libgreet-47542e49.so.1",
        ],
    );
    pictures("staging-loads", make);
    let fails = "load proof    FAILS: libgreet-47542e49.so.1: cannot open shared object file";
    says(&loaded(LoadVerdict::Fails, Panel::Overview)(120, 40), &[fails, "1 RENAMED", "1 works"]);
    let elsewhere = loaded(LoadVerdict::LoadsFromElsewhere, Panel::Overview);
    says(&elsewhere(120, 40), &["loads, but from elsewhere", "libssl.so.3 came from this system", "verify"]);
    let wide = glyphs(&drawn(&elsewhere(160, 48), RICH, 160, 48));
    assert!(wide.contains("from elsewhere ── finalize"), "{wide}");
}

#[test]
fn the_chosen_remedy_comes_in_sight() {
    let mut state = fixture::showing(LABEXT, Panel::Dlopen, 80, 24);
    update(&mut state, Action::NextRemedy);
    assert!(glyphs(&drawn(&state, RICH, 80, 24)).contains("▸ add a NEEDED entry"), "in the lower part");
    state.overlay = Overlay::Page(Page { source: PageSource::Detail, scroll: 0 });
    for _ in 0..3 {
        update(&mut state, Action::NextRemedy);
    }
    let page = glyphs(&drawn(&state, RICH, 80, 24));
    assert!(page.contains("▸ link it in the sources") && page.contains("cargo:rustc-link-lib"), "{page}");
}
