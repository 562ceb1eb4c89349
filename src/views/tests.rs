//! Every panel at three sizes, in colour and in plain ASCII, as glyphs and as style runs; facts; and no panic at any size.

mod bytes;
mod dlopen;

use super::theme::Theme;
use crate::app::action::Action;
use crate::app::features::TerminalFeatures;
use crate::app::fixture::{self, BROKEN, LABEXT, MAC, PATCHED, POOR, RICH, TRUNCATED};
use crate::app::panel::{Focus, Panel};
use crate::app::state::{Overlay, Page, PageSource, Palette, State};
use crate::app::update::update;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Style;
use std::fmt::Write as _;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

/// The screen as the terminal would get it.
fn drawn(state: &State, features: TerminalFeatures, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| super::draw(frame, state, Theme::new(features))).unwrap();
    terminal.backend().buffer().clone()
}

/// The characters, a line a row, without the blanks at the end.
fn glyphs(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.area.rows() {
        let line: String = row.columns().map(|cell| buffer[(cell.x, cell.y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The styles: for every row the runs of cells that have one.
fn styles(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.area.rows() {
        let mut runs: Vec<(u16, u16, Style)> = Vec::new();
        for cell in row.columns() {
            let cell_style = buffer[(cell.x, cell.y)].style();
            match runs.last_mut() {
                Some((_, end, style)) if *style == cell_style => *end = cell.x,
                _ => runs.push((cell.x, cell.x, cell_style)),
            }
        }
        let plain = buffer_default();
        let named: Vec<String> = runs
            .into_iter()
            .filter(|(_, _, style)| *style != plain)
            .map(|(start, end, style)| format!("{start}-{end} {}", named(style)))
            .collect();
        if !named.is_empty() {
            writeln!(text, "{:>2}: {}", row.y, named.join(", ")).unwrap();
        }
    }
    text
}

fn buffer_default() -> Style {
    Buffer::empty(ratatui::layout::Rect::new(0, 0, 1, 1))[(0, 0)].style()
}

fn named(style: Style) -> String {
    let mut words = Vec::new();
    if let Some(color) = style.fg.filter(|color| *color != ratatui::style::Color::Reset) {
        words.push(color.to_string().to_lowercase());
    }
    if let Some(color) = style.bg.filter(|color| *color != ratatui::style::Color::Reset) {
        words.push(format!("on {}", color.to_string().to_lowercase()));
    }
    if !style.add_modifier.is_empty() {
        words.push(format!("{:?}", style.add_modifier).to_lowercase().replace(" | ", "+"));
    }
    words.join(" ")
}

/// Snapshots of a state that `make` makes at every size, in both themes.
fn pictures(name: &str, make: impl Fn(u16, u16) -> State) {
    for (width, height) in SIZES {
        let state = make(width, height);
        let rich = drawn(&state, RICH, width, height);
        insta::assert_snapshot!(
            format!("{name}-{width}x{height}-colour"),
            format!("{}\n{}", glyphs(&rich), styles(&rich))
        );
        let poor = drawn(&state, POOR, width, height);
        let text = glyphs(&poor);
        assert!(text.is_ascii(), "{name} at {width}x{height}");
        for cell in &poor.content {
            let style = cell.style();
            assert!([style.fg, style.bg].into_iter().flatten().all(|color| color == ratatui::style::Color::Reset));
        }
        insta::assert_snapshot!(format!("{name}-{width}x{height}-ascii"), text);
    }
}

/// Asserts that the screen at 120x40 says each of `facts`.
fn says(state: &State, facts: &[&str]) {
    assert!(facts.len() >= 3);
    let text = glyphs(&drawn(state, RICH, 120, 40));
    for fact in facts {
        assert!(text.contains(fact), "{fact:?} is not said:\n{text}");
    }
}

fn panel(artifact: usize, panel: Panel) -> impl Fn(u16, u16) -> State {
    move |width, height| fixture::showing(artifact, panel, width, height)
}

#[test]
fn overview() {
    let make = panel(LABEXT, Panel::Overview);
    says(
        &make(120, 40),
        &["manylinux_2_34", "PyInit_labext (expected: labext)", "labext/labext.abi3.so", "RELRO full"],
    );
    pictures("overview", make);
}

#[test]
fn tree() {
    let make = panel(LABEXT, Panel::Tree);
    says(
        &make(120, 40),
        &["├─ libgreet.so.1", "RUNPATH of libgreet.so.1: $ORIGIN", "linked path (build machine only)"],
    );
    pictures("tree", make);
}

#[test]
fn tree_with_a_missing_library() {
    let make = |width, height| {
        let mut state = fixture::showing(BROKEN, Panel::Tree, width, height);
        update(&mut state, Action::Move(crate::app::cursor::Motion::Down));
        state
    };
    says(&make(120, 40), &["MISSING", "12 places searched", "in the loader's order", "wrong architecture"]);
    pictures("tree-missing", make);
}

#[test]
fn lenses() {
    let make = |width, height| {
        let mut state = fixture::showing(LABEXT, Panel::Tree, width, height);
        update(&mut state, Action::Lenses);
        state
    };
    says(&make(120, 40), &["other file", "/usr/lib", "lddtree searches it for every library", "same"]);
    pictures("lenses", make);
}

#[test]
fn symbols() {
    let make = panel(LABEXT, Panel::Symbols);
    says(
        &make(120, 40),
        &[
            "2 bound, 1 of Python",
            "UNBOUND",
            "greet_v2@GREET_2.0",
            "has it as GREET_1.0 only",
            "wanted by libdeep.so.2",
        ],
    );
    pictures("symbols", make);
}

#[test]
fn cpu() {
    let make = panel(LABEXT, Panel::Cpu);
    says(&make(120, 40), &["contains instructions of x86-64-v3", "AVX2", "1 204", "function at 0x20000", "vpcmpeqb"]);
    pictures("cpu", make);
}

#[test]
fn what_a_tag_would_take() {
    let make = |width, height| {
        let mut state = fixture::showing(LABEXT, Panel::Policy, width, height);
        state.overlay = Overlay::Page(Page { source: PageSource::Reach { tag: "manylinux_2_17".into() }, scroll: 0 });
        state
    };
    says(
        &make(120, 40),
        &[
            "2 things stand between",
            "pthread_create@GLIBC_2.34 of libc.so.6",
            "as GLIBC_2.2.5 would do",
            "std::thread::spawn",
        ],
    );
    pictures("reach", make);
}

#[test]
fn libraries() {
    let make = panel(LABEXT, Panel::Libraries);
    says(&make(120, 40), &["2 external libraries", "labext.libs", "libdeep-845b8c15.so.2", "manylinux_2_17"]);
    pictures("libraries", make);
}

#[test]
fn policy() {
    let make = panel(LABEXT, Panel::Policy);
    says(
        &make(120, 40),
        &["holds", "ruled out", "__libc_start_main@GLIBC_2.34 of libdeep.so.2", "by its own symbols alone"],
    );
    pictures("policy", make);
}

#[test]
fn rpath() {
    let make = panel(LABEXT, Panel::Rpath);
    says(
        &make(120, 40),
        &[
            "DT_RUNPATH",
            "$ORIGIN/../lib",
            "not there",
            "DT_RPATH after the patch step",
            "$ORIGIN/../labext.libs",
            "by 2 edits",
        ],
    );
    pictures("rpath", make);
}

#[test]
fn plan() {
    let make = panel(LABEXT, Panel::Plan);
    says(
        &make(120, 40),
        &[
            "▸  copy back",
            "reflink or copy",
            "≤ 521 KiB",
            "nothing to copy".replace("nothing to copy", "✓  stage").as_str(),
        ],
    );
    pictures("plan", make);
}

/// The page on how an edit of the plan fits, after `actions`.
fn edit(actions: &'static [Action]) -> impl Fn(u16, u16) -> State {
    move |width, height| {
        let mut state = fixture::showing(LABEXT, Panel::Plan, width, height);
        update(&mut state, Action::Fit);
        for action in actions {
            update(&mut state, *action);
        }
        state
    }
}

#[test]
fn how_an_edit_fits() {
    let make = edit(&[]);
    says(
        &make(120, 40),
        &[
            "how it fits · edit 1 of 2",
            "in the RELRO padding, one page inserted · RELRO kept",
            "the file grows by 4 096 bytes",
            "short by 66",
            "refused     in place: the new strings do not fit behind .dynstr (needs 69 bytes, has 3)",
            "chosen      in the RELRO padding",
            "· .dynamic stays in RELRO",
        ],
    );
    pictures("room", make);
}

#[test]
fn the_layout_before_and_after() {
    let make = edit(&[Action::Fit]);
    says(
        &make(120, 40),
        &["before, 403 009 bytes", "after, 407 105 bytes", "page inserted", "┃moved", "by places in the file"],
    );
    pictures("layout", make);
    let make = edit(&[Action::Fit, Action::FitOrder]);
    says(&make(120, 40), &["by addresses in memory", "moved", "not loaded"]);
    pictures("layout-addresses", make);
}

#[test]
fn the_layout_of_a_library_whose_sections_make_way() {
    let make = edit(&[Action::Fit, Action::NextEdit]);
    says(&make(120, 40), &["libgreet-47542e49.so.1", "new", "moved", ".note.gnu.build-id"]);
    pictures("layout-appended", make);
}

#[test]
fn an_edit_of_another_editor_has_no_fit() {
    let mut state = edit(&[])(120, 40);
    let mut snapshot = fixture::snapshot();
    let mut steps = snapshot.artifacts[LABEXT].steps.to_vec();
    steps[5].effects[0].fit = None;
    snapshot.artifacts[LABEXT].steps = steps.into();
    state.snapshot = snapshot.into();
    says(&state, &["liblabext.so", "NEEDED 1: libgreet.so.1", "does not say beforehand how the edit fits"]);
    update(&mut state, Action::Fit);
    says(&state, &["liblabext.so", "layout before and after", "does not say beforehand how the edit fits"]);
}

#[test]
fn staging() {
    let make = panel(PATCHED, Panel::Staging);
    says(&make(120, 40), &["[patched]", "1313572", "1 more name", "deps/libagain.so"]);
    pictures("staging", make);
}

#[test]
fn findings() {
    let make = panel(LABEXT, Panel::Findings);
    says(&make(120, 40), &["WW002  note", "WW011  warning", "shares its inode", "ldconfig /opt/lab/lib"]);
    pictures("findings", make);
}

#[test]
fn log() {
    let make = panel(LABEXT, Panel::Log);
    says(&make(120, 40), &["failed  libbroken.so", "session", "libmissing.so.3 is found nowhere"]);
    pictures("log", make);
}

#[test]
fn mach_o_says_that_it_can_not_be_edited_yet() {
    for which in [Panel::Plan, Panel::Findings] {
        let state = fixture::showing(MAC, which, 120, 40);
        says(&state, &["Mach-O can be staged and finalized; editing it is not offered yet", "no policy", "no editor"]);
    }
    says(&fixture::showing(MAC, Panel::Tree, 120, 40), &["x86_64", "arm64", "@rpath/libgreet.1.dylib"]);
}

#[test]
fn an_unreadable_artifact_is_a_row_with_its_error() {
    let make = panel(TRUNCATED, Panel::Overview);
    says(&make(120, 40), &["unreadable", "the program headers lie behind the file's end", "offset 0x40"]);
    pictures("unreadable", make);
    says(
        &fixture::showing(TRUNCATED, Panel::Tree, 120, 40),
        &["truncated.so", "(at offset 0x40)", "lie behind the file's end"],
    );
}

#[test]
fn the_list() {
    let make = |width, height| {
        let mut state = fixture::state(width, height);
        state.focus = Focus::Artifacts;
        state
    };
    says(&make(120, 40), &["liblabext.so", "will patch", "1 error", "not audited yet", "Mach-O 2 slices"]);
    pictures("artifacts", make);
}

#[test]
fn the_help() {
    let make = |width, height| {
        let mut state = fixture::showing(LABEXT, Panel::Tree, width, height);
        state.overlay = Overlay::Palette(Palette::default());
        state
    };
    says(&make(120, 40), &["take the next step of this artifact", "Shift-Tab", "Enter runs it"]);
    pictures("help", make);
}

#[test]
fn a_page() {
    let make = |width, height| {
        let mut state = fixture::showing(BROKEN, Panel::Findings, width, height);
        let text = "# WW003: a needed library is nowhere\n\nThe loader asks for it by name.\n\n    ldd libbroken.so\n";
        state.overlay = Overlay::Page(Page { source: PageSource::Finding { index: 0, text }, scroll: 0 });
        state
    };
    says(&make(120, 40), &["evidence", "WW003: a needed library", "ldd libbroken.so"]);
    pictures("page", make);
}

#[test]
fn too_small_is_one_sentence() {
    let state = fixture::state(39, 9);
    let text = glyphs(&drawn(&state, RICH, 39, 9));
    assert!(text.starts_with("wheelwright needs a terminal of 40x10;\nthis one has 39x9\n"), "{text}");
}

#[test]
fn an_empty_session_says_so() {
    let state = State { size: (80, 24).into(), ..State::default() };
    let text = glyphs(&drawn(&state, RICH, 80, 24));
    assert_eq!(text.matches("no artifact was found here").count(), 2, "{text}");
}

/// What the bytes panel can be asked; the line to type in stays open at the end.
const BYTES_ACTIONS: [Action; 11] = [
    Action::DetailDown,
    Action::NextChange,
    Action::NextPart,
    Action::Open,
    Action::Close,
    Action::Reorder,
    Action::Move(crate::app::cursor::Motion::End),
    Action::Reorder,
    Action::Reorder,
    Action::DetailUp,
    Action::GoTo,
];

#[test]
fn nothing_panics_at_any_size() {
    let sizes = (0..=6).flat_map(|width| (0..=6).map(move |height| (width, height)));
    for (width, height) in
        sizes.chain([(39, 9), (40, 10), (41, 11), (72, 14), (80, 24), (300, 100), (40, 200), (400, 10)])
    {
        for which in Panel::ALL {
            for artifact in [LABEXT, BROKEN, MAC, TRUNCATED, PATCHED, 7] {
                let mut state = fixture::showing(artifact, which, width, height);
                for overlay in [
                    Overlay::None,
                    Overlay::Find,
                    Overlay::Palette(Palette::default()),
                    Overlay::Page(Page { source: PageSource::Detail, scroll: 3 }),
                ] {
                    state.overlay = overlay;
                    // A terminal too small for a buffer's cells has none; ratatui takes it.
                    drawn(&state, if width % 2 == 0 { RICH } else { POOR }, width, height);
                }
                state.overlay = Overlay::None;
                for action in [Action::Fit, Action::Fit, Action::FitOrder, Action::NextEdit] {
                    if which == Panel::Plan {
                        update(&mut state, action);
                        drawn(&state, if height % 2 == 0 { RICH } else { POOR }, width, height);
                    }
                }
                for action in BYTES_ACTIONS {
                    if which == Panel::Bytes {
                        update(&mut state, action);
                        drawn(&state, if height % 2 == 0 { RICH } else { POOR }, width, height);
                    }
                }
            }
        }
    }
}
