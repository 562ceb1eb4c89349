//! What a panel shows stands in the headless documents: every name, path, tag, version and code that is drawn for the demo lab
//! is found in what `audit`, `plan` and `run` print of the same session.
#![allow(missing_docs)]

mod support;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use support::{options, run};
use wheelwright::app::action::Action;
use wheelwright::app::cursor::Motion;
use wheelwright::app::features::TerminalFeatures;
use wheelwright::app::fits;
use wheelwright::app::panel::Panel;
use wheelwright::app::state::State;
use wheelwright::app::update::update;
use wheelwright::engine::Context;
use wheelwright::engine::project::{DiscoverOptions, discover, lab};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::Host;
use wheelwright::engine::report::dlopen::OpenedVerdict;
use wheelwright::engine::report::fit::Fit;
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::report::trace::{LoadResult, TraceDocument};
use wheelwright::engine::stage::Session;
use wheelwright::views::layout;
use wheelwright::views::theme::Theme;

/// Wide and high enough that nothing is cut off or wrapped.
const SIZE: Size = Size { width: 320, height: 64 };

/// How the panels call what the documents write as a key or a code of their own.
const OUR_WORDS: [&str; 3] = ["BIND_NOW", "ld.so.cache", "LD_LIBRARY_PATH"];

#[test]
fn what_panels_show_stands_in_the_documents() {
    let directory = tempfile::tempdir().unwrap();
    let project = lab::lay_out(directory.path()).unwrap().project;
    let mut session = Session::open(project, options(Mode::Repair, None)).unwrap();
    let context = Context::new();
    let plan = session.plan_document(Step::Finalize, &context).unwrap();
    let ids: Vec<_> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    for half_way in [false, true] {
        if half_way {
            for id in &ids {
                while session.next_step(*id).is_some_and(|step| step <= Step::Patch) {
                    if !matches!(session.step(*id, &context), Ok(wheelwright::engine::stage::Outcome::Taken(_))) {
                        break;
                    }
                }
            }
        }
        let host = Host { os: "linux".into(), arch: "x86_64".into(), libc: None };
        let mut documents = serde_json::to_string(&session.audit_document(host, &context).unwrap()).unwrap();
        documents.push_str(&serde_json::to_string(&plan).unwrap());
        let run = session.run_document(&plan, &Default::default(), &context).unwrap();
        documents.push_str(&serde_json::to_string(&run).unwrap());
        let documents = documents.replace("\\\"", "\"");
        let shown = shown(&session);
        assert!(shown.len() > 500, "only {} names were looked at", shown.len());
        let unknown: Vec<_> = shown
            .into_iter()
            .filter(|(_, _, token)| !stands_in(&documents, token) && !OUR_WORDS.contains(&token.as_str()))
            .collect();
        assert!(unknown.is_empty(), "no document has {unknown:#?}");
    }
    session.leave().unwrap();
}

/// A library that opens others, in a bundle with one that needs them, against a saved trace: every row of the dlopen panel as a
/// page, with every remedy.
#[test]
fn what_the_dlopen_panel_shows_stands_in_the_audit() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    opening_library(&directory);
    let file = directory.join("labb.so");
    let found = DiscoverOptions { current_directory: directory.clone(), ..DiscoverOptions::default() };
    let context = Context::new();
    let project = discover(std::slice::from_ref(&file), &found, &context).unwrap();
    let mut options = options(Mode::Repair, None);
    options.scratch = directory.join("scratch");
    options.audit.questions.dlopen = true;
    options.audit.trace = Some(Arc::new(trace(&file)));
    let mut session = Session::open(project, options).unwrap();
    let host = Host { os: "linux".into(), arch: "x86_64".into(), libc: None };
    let document = session.audit_document(host, &context).unwrap();
    let documents = serde_json::to_string(&document).unwrap().replace("\\\"", "\"");
    let opened = document.artifacts[0].dlopen.as_ref().unwrap();
    let names = opened.candidates.as_ref().unwrap();
    let lost = names.iter().find(|name| name.name == "libfoo.so.1").unwrap();
    assert_eq!(lost.verdict, OpenedVerdict::LostInBundle, "{}", lost.why);
    assert!(lost.remedies.iter().any(|remedy| remedy.helps == Some(true)));
    assert_eq!(lost.observed.as_ref().unwrap()[0].result, LoadResult::Loaded);
    assert_eq!(opened.opened_unforeseen.as_ref().unwrap()[0].name, "libunforeseen.so.3");

    let mut state = State::new(Arc::new(session.snapshot()), SIZE);
    update(&mut state, Action::Show(Panel::Dlopen));
    let mut tokens = BTreeSet::new();
    for row in 0..=names.len() {
        let remedies = names.get(row).map_or(1, |name| name.remedies.len().max(1));
        for _ in 0..remedies {
            tokens.extend(panel_lines(&state).iter().flat_map(|line| data(line)));
            update(&mut state, Action::Open);
            tokens.extend(page_lines(&state).iter().flat_map(|line| data(line)));
            update(&mut state, Action::Close);
            update(&mut state, Action::NextRemedy);
        }
        update(&mut state, Action::Move(Motion::Down));
    }
    for name in ["libfoo.so.1", "lib%s_plugin.so", "libunforeseen.so.3", "$ORIGIN/../labb.libs"] {
        assert!(tokens.iter().any(|token| token.contains(name)), "{name} is not shown");
    }
    let unknown: Vec<&String> =
        tokens.iter().filter(|token| !stands_in(&documents, token) && !OUR_WORDS.contains(&token.as_str())).collect();
    assert!(unknown.is_empty(), "no document has {unknown:#?}");
    session.leave().unwrap();
}

/// `labb.so` in `directory`, which opens libfoo.so.1 of its RUNPATH, libm.so.6, and what its caller wants.
fn opening_library(directory: &Path) {
    std::fs::create_dir(directory.join("private")).unwrap();
    let compile = |output: &str, soname: &str, source: &str| {
        std::fs::write(directory.join("source.c"), source).unwrap();
        let runpath = format!("-Wl,--enable-new-dtags,-rpath,{}", directory.join("private").display());
        let soname = format!("-Wl,-soname,{soname}");
        let arguments = ["-shared", "-fPIC", "-O1", &runpath, &soname, "-o", output, "source.c", "-ldl"];
        run(Command::new("cc").current_dir(directory).args(arguments));
    };
    compile("private/libfoo.so.1", "libfoo.so.1", "int foo(void) { return 42; }\n");
    compile(
        "labb.so",
        "labb.so",
        "#include <dlfcn.h>\n#include <stdio.h>\n\
         void *foo(void) { return dlopen(\"libfoo.so.1\", RTLD_NOW); }\n\
         void *math(void) { return dlopen(\"libm.so.6\", RTLD_NOW); }\n\
         void *plugin(const char *which) {\n\
             char name[99]; snprintf(name, sizeof name, \"lib%s_plugin.so\", which); return dlopen(name, RTLD_NOW);\n\
         }\n",
    );
}

/// A run in which `file` opened one name that is foreseen, and one that is not.
fn trace(file: &Path) -> TraceDocument {
    let load = |name: &str, path: &str| {
        serde_json::json!({
            "name": name, "namespace": 0, "cause": "opened", "asked_by": file, "result": "loaded", "path": path,
            "found_by": null, "searched": [], "tried": [], "error": null
        })
    };
    let loads =
        [load("libfoo.so.1", "/elsewhere/libfoo.so.1"), load("libunforeseen.so.3", "/usr/lib/libunforeseen.so.3")];
    let process = serde_json::json!({
        "pid": 1, "parent": null, "program": null, "method": "ld_debug", "loads": loads, "errors": [], "compared": null
    });
    let host = serde_json::json!({ "os": "linux", "arch": "x86_64", "libc": "glibc" });
    let document = serde_json::json!({
        "schema": "wheelwright/trace/1", "command": ["program"], "host": host, "ended": null, "processes": [process],
        "unseen": []
    });
    serde_json::from_value(document).unwrap()
}

/// Every edit of the lab is shown with its room and its layouts, and what is shown of them stands in its plan: words as
/// they are, places as a part's beginning or end.
#[test]
fn what_the_pages_on_edits_show_stands_in_the_plan() {
    let directory = tempfile::tempdir().unwrap();
    let project = lab::lay_out(directory.path()).unwrap().project;
    let mut session = Session::open(project, options(Mode::Repair, None)).unwrap();
    let plan = session.plan_document(Step::Finalize, &Context::new()).unwrap();
    let fits: Vec<&Fit> =
        plan.steps.iter().flat_map(|step| &step.effects).filter_map(|effect| effect.fit.as_ref()).collect();
    let places: BTreeSet<u64> = fits.iter().flat_map(|fit| places(fit)).collect();
    let documents = serde_json::to_string(&plan).unwrap();
    let mut state = State::new(Arc::new(session.snapshot()), SIZE);
    let mut edits = 0;
    for _ in 0..session.project().artifacts.len() {
        update(&mut state, Action::Show(Panel::Plan));
        edits += fits::edits(&state).count();
        for number in 0..fits::edits(&state).count() {
            update(&mut state, Action::Fit);
            for _ in 0..number {
                update(&mut state, Action::NextEdit);
            }
            let shape = &fits::edits(&state).nth(number).unwrap().fit.as_ref().unwrap().after;
            let sections = shape.sections.len();
            for action in [Action::Redraw, Action::Fit, Action::FitOrder] {
                update(&mut state, action);
                let lines = page_lines(&state);
                for token in lines.iter().flat_map(|line| data(line)) {
                    assert!(stands_in(&documents, &token), "no document has {token}");
                }
                let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
                let words = lines.iter().flat_map(|line| line.split([' ', ',']));
                let shown: Vec<u64> = words.filter_map(hex).collect();
                assert!(shown.iter().all(|place| places.contains(place)), "{lines:#?}");
                assert!(action == Action::Redraw || (shown.len() > 12 && sections > 9), "{lines:#?}");
            }
            update(&mut state, Action::Close);
        }
        update(&mut state, Action::Artifact(Motion::Down));
    }
    assert_eq!(edits, fits.len(), "all that are planned, and some were: {}", fits.len());
    assert!(edits > 3);
    session.leave().unwrap();
}

/// The beginnings and ends of everything in both layouts, in the file and in memory.
fn places(fit: &Fit) -> Vec<u64> {
    let mut places: Vec<u64> = fit.inserted.iter().flat_map(|zeros| [zeros.offset, zeros.length]).collect();
    for shape in [&fit.before, &fit.after] {
        places.push(shape.size);
        for part in shape.tables.iter().chain(&shape.segments).chain(&shape.sections) {
            places.extend([part.offset, part.offset + part.size, part.address, part.address + part.memory]);
        }
    }
    places
}

/// Whether the documents have `token`: whole, or, for `symbol@version` and places in the wheel, part by part.
fn stands_in(documents: &str, token: &str) -> bool {
    let parts = || token.split(['@', '/']).filter(|part| !part.is_empty());
    documents.contains(token)
        || (!token.starts_with('/') && parts().all(|part| documents.contains(&format!("\"{part}\""))))
}

/// The tokens that carry data, of every panel (but bytes, which shows the diff document, and the log) and artifact.
fn shown(session: &Session) -> BTreeSet<(Panel, usize, String)> {
    let mut state = State::new(Arc::new(session.snapshot()), SIZE);
    let mut tokens = BTreeSet::new();
    for artifact in 0..session.project().artifacts.len() {
        for panel in Panel::ALL.into_iter().filter(|panel| !matches!(panel, Panel::Bytes | Panel::Log)) {
            update(&mut state, Action::Show(panel));
            update(&mut state, Action::FocusPanel);
            update(&mut state, Action::Move(Motion::Home));
            for _ in 0..8 {
                let texts = panel_lines(&state);
                tokens.extend(texts.iter().flat_map(|text| data(text)).map(|token| (panel, artifact, token)));
                update(&mut state, Action::Move(Motion::Down));
            }
        }
        update(&mut state, Action::Artifact(Motion::Down));
    }
    tokens
}

fn panel_lines(state: &State) -> Vec<String> {
    lines(state, |screen| vec![screen.summary, screen.rows, screen.detail])
}

fn page_lines(state: &State) -> Vec<String> {
    lines(state, |screen| vec![layout::inside(screen.page())])
}

fn lines(state: &State, parts: impl Fn(&layout::Screen) -> Vec<ratatui::layout::Rect>) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(SIZE.width, SIZE.height)).unwrap();
    let theme = Theme::new(TerminalFeatures { color: false, unicode: true });
    let mut areas = Vec::new();
    terminal
        .draw(|frame| {
            wheelwright::views::draw(frame, state, theme);
            if let Some(screen) = layout::compute(frame.area(), state) {
                areas.extend(parts(&screen));
            }
        })
        .unwrap();
    let buffer = terminal.backend().buffer();
    let line = |area: &ratatui::layout::Rect, y: u16| -> String {
        (area.left()..area.right()).map(|x| buffer[(x, y)].symbol()).collect()
    };
    areas.iter().flat_map(|area| (area.top()..area.bottom()).map(|y| line(area, y)).collect::<Vec<_>>()).collect()
}

/// Words that name something: with a dot, slash, underscore or dollar sign inside. Sentences and figures are ours.
fn data(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|letter: char| ":,;()".contains(letter)).trim_end_matches('.'))
        .filter(|word| word.len() > 4 && word.chars().any(|letter| "./_$".contains(letter)))
        .filter(|word| word.chars().any(char::is_alphabetic) && !word.contains('…'))
        .map(str::to_owned)
        .collect()
}
