//! The dlopen panel: which remedy keys choose, what they ask of the session, and what is asked without a key.

use super::*;
use crate::app::fixture::opened;
use crate::app::jobs::RemedyFor;
use crate::engine::audit::Question;
use crate::engine::report::dlopen::RemedyKind;
use crate::engine::report::load::LoadVerdict;

/// An artifact that was not staged, and that opens what the fixture has.
const TOOL: usize = 2;

fn opening() -> State {
    fixture::showing_report(TOOL, Panel::Dlopen, (120, 40), |report| report.dlopen = Some(opened::labext()))
}

fn wanted(kind: RemedyKind) -> RemedyFor {
    RemedyFor { artifact: ArtifactId(TOOL), name: "libgreet.so.1".into(), kind }
}

fn said(state: &State) -> &str {
    state.toast.as_ref().map_or("", |toast| &toast.text)
}

#[test]
fn the_remedy_to_take_is_chosen_until_the_user_chooses() {
    let mut state = opening();
    let commands = keys(&mut state, "t");
    assert_eq!(started(&commands)[0].request, Request::TryRemedy(wanted(RemedyKind::KeepName)));
    state.jobs = Default::default();
    keys(&mut state, "]]");
    assert!(said(&state).starts_with("remedy 4 of 6: keep the SONAME: helps"), "{}", said(&state));
    let commands = keys(&mut state, "x");
    assert_eq!(started(&commands)[0].request, Request::Adopt(wanted(RemedyKind::KeepSoname)));
    state.jobs = Default::default();
    keys(&mut state, "jk[");
    assert!(said(&state).starts_with("remedy 1 of 6: add an RPATH: does not help"), "another row begins anew");
}

#[test]
fn the_keys_hold_on_the_page_of_a_name_too() {
    let mut state = opening();
    keys(&mut state, "<Enter>]");
    assert_eq!(state.remedy, Some(2));
    assert!(matches!(state.overlay, Overlay::Page(_)), "the page stays");
    assert_eq!(started(&keys(&mut state, "t"))[0].request, Request::TryRemedy(wanted(RemedyKind::AddNeeded)));
}

#[test]
fn what_can_not_be_done_says_why() {
    let mut state = opening();
    keys(&mut state, "[[t");
    assert!(said(&state).contains("done in the sources"), "{}", said(&state));
    keys(&mut state, "jt");
    assert_eq!(said(&state), "nothing has to be done about this name");
    assert!(availability(&fixture::state(80, 24), Action::TryRemedy).unwrap_err().contains("only in the dlopen panel"));
    let grafted = fixture::showing(LABEXT, Panel::Dlopen, 120, 40);
    assert!(availability(&grafted, Action::AdoptRemedy).unwrap_err().contains("undo its steps to before graft"));
    let traced =
        fixture::showing_report(TOOL, Panel::Dlopen, (120, 40), |report| report.dlopen = Some(opened::traced()));
    let mut traced = traced;
    keys(&mut traced, "<End>x");
    assert!(said(&traced).contains("only a run has shown this name"), "{}", said(&traced));
}

#[test]
fn an_adopted_remedy_is_dropped_and_a_tried_one_is_said() {
    let mut state = opening();
    let job = started(&keys(&mut state, "t"))[0].clone();
    let mut after = (*state.snapshot).clone();
    let report = Arc::make_mut(after.artifacts[TOOL].report.as_mut().unwrap());
    let remedy = &mut report.dlopen.as_mut().unwrap().candidates.as_mut().unwrap()[0].remedies[1];
    (remedy.tried, remedy.adopted) = (Some(opened::load(LoadVerdict::Fails)), true);
    ended(&mut state, &job, Outcome::Session(Arc::new(after)));
    assert!(said(&state).starts_with("graft under the opened name: FAILS: libgreet"), "{}", said(&state));
    assert!(state.toast.as_ref().unwrap().failed);
    let commands = keys(&mut state, "x");
    assert_eq!(started(&commands)[0].request, Request::Drop(wanted(RemedyKind::KeepName)));
}

#[test]
fn what_imports_dlopen_is_looked_into_by_itself_after_the_audits_one_at_a_time() {
    let mut state = fixture::state(80, 24);
    let mut snapshot = fixture::snapshot();
    for artifact in [LABEXT, BROKEN, PATCHED] {
        let report = Arc::make_mut(snapshot.artifacts[artifact].report.as_mut().unwrap());
        report.dlopen.as_mut().unwrap().candidates = None;
    }
    state.audited.remove(&ArtifactId(7));
    state.snapshot = Arc::new(snapshot);
    let question = |id| Request::LookInto(ArtifactId(id), Question::Dlopen);
    let audit = started(&update(&mut state, Action::Redraw))[0].clone();
    assert_eq!(audit.request, Request::Audit(ArtifactId(7)), "audits come first");
    assert!(!state.jobs.is_looking_into(&Question::Dlopen));
    let commands = ended(&mut state, &audit, Outcome::Failed("gone".into()));
    let first = started(&commands)[0].clone();
    assert_eq!(first.request, question(LABEXT));
    assert!(!state.jobs.holds(&question(PATCHED)));
    let commands = ended(&mut state, &first, Outcome::Cancelled);
    let second = started(&commands)[0].clone();
    assert_eq!(second.request, question(PATCHED), "the one between imports nothing of the kind");
    assert!(started(&ended(&mut state, &second, Outcome::Cancelled)).is_empty(), "each is asked for once");
}
