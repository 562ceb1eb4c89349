//! The bytes panel: in every order, while a comparison runs, and of equal files.

use super::*;

/// The bytes panel after `actions`.
fn bytes_after(actions: &'static [Action]) -> impl Fn(u16, u16) -> State {
    move |width, height| {
        let mut state = fixture::showing(PATCHED, Panel::Bytes, width, height);
        for action in actions {
            update(&mut state, *action);
        }
        state
    }
}

#[test]
fn bytes() {
    let make = bytes_after(&[]);
    says(
        &make(120, 40),
        &[
            "1 range explained by nothing",
            "by [address 8]  meaning 7  effect 2  structure 3",
            "0x00028",
            "segment 7: PT_LOAD",
            "unexplained",
            "≠ 00028 77 68 65 65 6c 77 72 69 wheelwri",
            "explained by replace NEEDED libgreet.so.1",
            "… 0x1f8 equal bytes …",
        ],
    );
    pictures("bytes", make);
}

#[test]
fn bytes_that_were_inserted_stand_on_one_side() {
    let make = bytes_after(&[Action::NextChange, Action::NextChange]);
    says(&make(120, 40), &["removed", "note of the linker", "00a00 00 07 0e 15 1c 23 2a 31", "- "]);
    let make = bytes_after(&[Action::NextChange, Action::NextChange, Action::NextChange]);
    says(&make(120, 40), &["inserted page", "+ 00fe8 ", "4.0 KiB", "00ff0"]);
}

#[test]
fn bytes_by_meaning_and_by_effect() {
    let make = bytes_after(&[Action::Reorder]);
    says(&make(120, 40), &["[meaning 7]", "dynamic section", "2 ranges, 53 B", "  0x31000"]);
    let make = bytes_after(&[Action::Reorder, Action::Reorder]);
    says(
        &make(120, 40),
        &["[effect 2]", "explained by nothing", "1 range, 1 B", "explained by set RPATH to $ORIGIN/../labext.libs"],
    );
    pictures("bytes-by-effect", make);
}

#[test]
fn bytes_as_structure() {
    let make = bytes_after(&[Action::Reorder, Action::Reorder, Action::Reorder]);
    says(&make(120, 40), &["[structure 3]", "RUNPATH", "gone", "not there", "libgreet-47542e49.so.1"]);
    pictures("bytes-structure", make);
}

#[test]
fn bytes_while_the_comparison_runs() {
    let mut state = fixture::showing(PATCHED, Panel::Bytes, 120, 40);
    let compared = state.compared.as_mut().unwrap();
    let mut part = (**compared.diff.as_ref().unwrap()).clone();
    part.map.pending = (0..256).map(|part| part > 128).collect();
    part.bytes_compared = 250_000;
    part.runs.truncate(6);
    part.runs_total = 6;
    compared.take(std::sync::Arc::new(part.clone()), None);
    says(&state, &["6 ranges so far, 244 KiB of 533 KiB compared", "░░░░", "bytes, not known to differ yet"]);
    let compared = state.compared.as_mut().unwrap();
    part.runs.clear();
    part.runs_total = 0;
    compared.take(std::sync::Arc::new(part), None);
    says(&state, &["0 ranges so far", "nothing that differs was found so far", "clean", "staged"]);
}

#[test]
fn bytes_of_equal_files_can_be_looked_at() {
    let mut state = fixture::showing(PATCHED, Panel::Bytes, 120, 40);
    let compared = state.compared.as_mut().unwrap();
    let mut same = (**compared.diff.as_ref().unwrap()).clone();
    (same.equal, same.b_size, same.runs_total) = (true, same.a_size, 0);
    same.runs.clear();
    same.map.differing.fill(0);
    same.verdict = "equal to the last byte".into();
    compared.take(std::sync::Arc::new(same), None);
    says(&state, &["both files are equal to the last byte", "… 0x82400 equal bytes …", "by [address 0]"]);
}
