//! The bytes panel: keys and what they make of the state, and answers that come while a comparison runs.

use super::*;
use crate::app::bytes::{chosen, entry, place, visible};
use crate::app::changes::{Common, Entry, Order};
use crate::engine::compare::{Direction, Found, Match, Place, Spot, Which};
use crate::engine::report::diff::{DiffDocument, Run};

fn panel() -> State {
    fixture::showing(PATCHED, Panel::Bytes, 120, 40)
}

fn run(state: &State) -> Option<&Run> {
    match entry(state)? {
        Entry::Run(number) => state.compared()?.diff.as_ref()?.runs.get(number),
        _ => None,
    }
}

fn toast(state: &State) -> &str {
    state.toast.as_ref().map_or("", |toast| toast.text.as_str())
}

#[test]
fn the_next_change_asks_for_its_bytes_once() {
    let mut state = panel();
    assert_eq!(run(&state).unwrap().offset, 0x28);
    let commands = keys(&mut state, "]]");
    assert_eq!(run(&state).unwrap().offset, 0xa00);
    let job = started(&commands)[0].clone();
    let Request::Hex { chunks, .. } = &job.request else { panic!("{job:?}") };
    assert_eq!(chunks.as_slice(), [(Which::B, 1)], "what was read already is not read again");
    assert!(started(&keys(&mut state, "]]")).is_empty(), "one piece of reading at a time");
    assert_eq!(run(&state).unwrap().offset, 0x1_f003);
    let read = chunks.iter().map(|id| (*id, vec![0; 4096])).collect();
    let commands = ended(&mut state, &job, Outcome::Hex(read));
    let Request::Hex { chunks, .. } = &started(&commands)[0].request else { panic!() };
    assert!(chunks.contains(&(Which::A, 0x1f)) && !chunks.contains(&(Which::B, 1)), "{chunks:?}");
    keys(&mut state, "[[[[");
    assert_eq!(run(&state).unwrap().offset, 0x28);
    keys(&mut state, "[");
    assert_eq!(toast(&state), "that was the first one");
}

#[test]
fn bytes_are_read_while_a_comparison_runs() {
    let mut state = panel();
    state.compared = None;
    let commands = crate::app::update::finish(&mut state, Vec::new());
    let diff = started(&commands)[0].clone();
    assert!(matches!(diff.request, Request::Diff { .. }));
    let document = fixture::compared(PATCHED).diff.unwrap();
    let commands = dispatch(&mut state, Event::Worker(WorkerEvent::Partial { id: diff.id, diff: document }));
    assert!(matches!(started(&commands)[0].request, Request::Hex { .. }), "the comparison still runs");
}

#[test]
fn the_chosen_range_stays_chosen_when_more_are_found() {
    let mut state = panel();
    state.compared = None;
    let commands = crate::app::update::finish(&mut state, Vec::new());
    let job = started(&commands)[0].clone();
    let whole = fixture::compared(PATCHED).diff.unwrap();
    let part = |from: usize| {
        let mut part: DiffDocument = (*whole).clone();
        part.runs.drain(..from);
        part.map.pending = vec![true; part.map.differing.len()];
        Arc::new(part)
    };
    let partial = |diff| Event::Worker(WorkerEvent::Partial { id: job.id, diff });
    dispatch(&mut state, partial(part(3)));
    keys(&mut state, "]");
    assert_eq!((run(&state).unwrap().offset, chosen(&state)), (0x1_f003, Some(1)));
    dispatch(&mut state, partial(part(1)));
    assert_eq!((run(&state).unwrap().offset, chosen(&state)), (0x1_f003, Some(3)));
    assert!(!state.compared().unwrap().is_complete());
    keys(&mut state, "oo");
    assert_eq!(run(&state).unwrap().offset, 0x1_f003, "in every order");
    ended(&mut state, &job, Outcome::Diff(whole.clone()));
    assert_eq!(run(&state).unwrap().offset, 0x1_f003);
    assert!(state.compared().unwrap().is_complete());
    let late = Event::Worker(WorkerEvent::Partial { id: job.id, diff: part(3) });
    dispatch(&mut state, late);
    assert!(state.compared().unwrap().is_complete(), "a job that has ended says nothing more");
}

#[test]
fn a_comparison_goes_on_where_the_user_looks() {
    let mut state = panel();
    state.compared = None;
    let commands = crate::app::update::finish(&mut state, Vec::new());
    let job = started(&commands)[0].clone();
    let mut part = (*fixture::compared(PATCHED).diff.unwrap()).clone();
    part.map.pending = vec![false; part.map.differing.len()];
    let pending = part.map.part(0x2_0000);
    part.map.pending[pending] = true;
    dispatch(&mut state, Event::Worker(WorkerEvent::Partial { id: job.id, diff: Arc::new(part) }));
    keys(&mut state, "t0x100<Enter>");
    assert!(!job.context.is_cancelled(), "that part is known already");
    keys(&mut state, "t0x20000<Enter>");
    assert!(job.context.is_cancelled());
    let commands = ended(&mut state, &job, Outcome::Cancelled);
    let anew = started(&commands).into_iter().find(|job| matches!(job.request, Request::Diff { .. }));
    assert!(matches!(anew.unwrap().request, Request::Diff { from: 0x2_0000, .. }));
    assert!(state.compared().unwrap().problem.is_none(), "what was found stays in sight");
}

#[test]
fn a_cancelled_comparison_keeps_what_it_found() {
    let mut state = panel();
    state.compared = None;
    let commands = crate::app::update::finish(&mut state, Vec::new());
    let job = started(&commands)[0].clone();
    let mut part = (*fixture::compared(PATCHED).diff.unwrap()).clone();
    part.map.pending = vec![true; part.map.differing.len()];
    dispatch(&mut state, Event::Worker(WorkerEvent::Partial { id: job.id, diff: Arc::new(part) }));
    keys(&mut state, "<Esc>");
    assert!(job.context.is_cancelled());
    ended(&mut state, &job, Outcome::Cancelled);
    let compared = state.compared().unwrap();
    assert!(compared.problem.as_ref().unwrap().contains("cancelled") && compared.changes.entries.len() == 8);
}

#[test]
fn the_list_is_ordered_by_address_meaning_effect_and_structure() {
    let mut state = panel();
    keys(&mut state, "]]]]");
    keys(&mut state, "o");
    assert_eq!((state.order, run(&state).unwrap().offset), (Order::Meaning, 0x1_f003));
    keys(&mut state, "oG");
    keys(&mut state, "g");
    let compared = state.compared().unwrap();
    assert_eq!(compared.changes.groups[0].common, Common::Edits(Vec::new()), "what nothing explains comes first");
    assert_eq!(entry(&state), Some(Entry::Group(0)));
    keys(&mut state, "]");
    assert_eq!(run(&state).unwrap().offset, 0x1_f003);
    keys(&mut state, "]");
    assert_eq!(run(&state).unwrap().offset, 0x28, "headings are passed over");
    keys(&mut state, "o");
    assert_eq!(state.order, Order::Structure);
    assert!(matches!(entry(&state), Some(Entry::Structure(_))));
    keys(&mut state, "o");
    assert_eq!(state.order, Order::Address);
}

#[test]
fn a_filter_holds_in_every_order() {
    let mut state = panel();
    keys(&mut state, "/.dynamic<Enter>");
    assert_eq!(state.cursor(Panel::Bytes).shown, Some(vec![5, 6]));
    keys(&mut state, "o");
    assert_eq!(state.cursor(Panel::Bytes).shown.as_ref().map(Vec::len), Some(2));
    keys(&mut state, "<Esc>/nothing<Enter>o");
    let shown = state.cursor(Panel::Bytes).shown.clone().unwrap();
    assert_eq!(shown, [0, 1], "the heading and the range that nothing explains");
}

#[test]
fn a_place_is_typed_and_brought_into_sight_with_the_range_before_it() {
    let mut state = panel();
    keys(&mut state, "t0x32000<Enter>");
    assert_eq!(place(&state), Place { a: 0x3_2000, b: 0x3_2fe8 });
    assert_eq!(run(&state).unwrap().offset, 0x3_1080);
    let seen = visible(&state);
    assert!(seen.iter().any(|row| row.at.a == 0x3_2000) && seen.iter().all(|row| !row.is_squeezed));
    assert!(toast(&state).contains("0x32000 of the clean file"), "{}", toast(&state));
    keys(&mut state, "[");
    assert_eq!((run(&state).unwrap().offset, place(&state).a), (0x3_1080, 0x3_1080), "back to the range before");
    keys(&mut state, "tb:0x1000<Enter>");
    assert_eq!(place(&state), Place { a: 0x1000, b: 0x1000 }, "on the inserted page");
    keys(&mut state, "t0xfffffff<Enter>");
    assert!(toast(&state).contains("behind the end"), "{}", toast(&state));
    keys(&mut state, "t@main<Enter>");
    assert!(toast(&state).contains("no address"), "{}", toast(&state));
    assert!(started(&keys(&mut state, "tx<Backspace><Esc>")).is_empty());
}

#[test]
fn a_name_is_looked_up_by_a_job() {
    let mut state = panel();
    let commands = keys(&mut state, "t.rodata<Enter>");
    let job = (*started(&commands).last().unwrap()).clone();
    let Request::Place { target, .. } = &job.request else { panic!("{job:?}") };
    assert_eq!(target.spot, Spot::Named(".rodata".into()));
    let found = Found { offset: 0x2_0000, what: "section .rodata".into() };
    ended(&mut state, &job, Outcome::Place(Some((Which::A, found))));
    assert_eq!(place(&state).a, 0x2_0000);
    assert_eq!(toast(&state), "section .rodata: 0x20000 of the clean file");
    let commands = keys(&mut state, "tnowhere<Enter>");
    let job = started(&commands).into_iter().find(|job| matches!(job.request, Request::Place { .. })).unwrap().clone();
    ended(&mut state, &job, Outcome::Place(None));
    assert!(toast(&state).contains("neither file has a section or symbol \"nowhere\""), "{}", toast(&state));
    assert_eq!(place(&state).a, 0x2_0000, "nothing has moved");
}

#[test]
fn a_search_goes_on_from_its_match_in_both_directions() {
    let mut state = panel();
    keys(&mut state, ";");
    assert_eq!(toast(&state), "nothing was searched for yet");
    let searched = |commands: &[Command]| {
        let job = started(commands).into_iter().find(|job| matches!(job.request, Request::Search { .. }));
        job.expect("a search").clone()
    };
    let job = searched(&keys(&mut state, "fhex:77 68<Enter>"));
    let Request::Search { query, .. } = &job.request else { panic!() };
    assert_eq!(
        (query.needle.as_slice(), query.from, query.direction),
        (&b"wh"[..], Place { a: 0x28, b: 0x28 }, Direction::Forward)
    );
    let hit = Match { which: Which::B, offset: 0x1000, in_both: false, is_round: false };
    ended(&mut state, &job, Outcome::Search(Some(hit)));
    assert_eq!(place(&state), Place { a: 0x1000, b: 0x1000 });
    assert!(toast(&state).contains("in the staged file only at 0x1000"), "{}", toast(&state));
    let job = searched(&keys(&mut state, ";"));
    let Request::Search { query, .. } = &job.request else { panic!() };
    assert_eq!(query.from, Place { a: 0x1000, b: 0x1001 }, "one byte on, on the inserted page");
    ended(&mut state, &job, Outcome::Search(None));
    assert!(toast(&state).contains("neither file holds"), "{}", toast(&state));
    let job = searched(&keys(&mut state, ","));
    let Request::Search { query, .. } = &job.request else { panic!() };
    assert_eq!(query.direction, Direction::Backward);
    keys(&mut state, "fhex:7<Enter>");
    assert!(toast(&state).contains("pairs of hex digits"), "{}", toast(&state));
}

#[test]
fn bytes_scroll_over_the_squeezed_stretches_and_follow_the_list_again() {
    let mut state = panel();
    keys(&mut state, ">>>");
    let top = state.compared().unwrap().top.unwrap();
    assert!(top.a > 0x200, "half a screen at a time, over what is equal: {top:?}");
    keys(&mut state, "<<");
    keys(&mut state, "<<");
    keys(&mut state, "j");
    assert_eq!((state.compared().unwrap().top, place(&state).a), (None, 0x248));
}

#[test]
fn the_map_is_a_way_to_go() {
    let mut state = panel();
    let mut after = |pressed| {
        keys(&mut state, pressed);
        run(&state).unwrap().offset
    };
    assert_eq!(after("}"), 0xa00, "the first range of the next part, past another of the same");
    assert_eq!([after("}"), after("}"), after("}")], [0xfe8, 0x1_f003, 0x3_1000]);
    assert_eq!(after("{"), 0x1_f003);
    let screen = layout::of(&state).unwrap();
    click(&mut state, Rect { x: screen.summary.x, ..screen.summary });
    assert_eq!(run(&state).unwrap().offset, 0x28);
    click(&mut state, Rect { x: screen.summary.x + 40, ..screen.summary });
    assert!(place(&state).a > 0x3_1080 && state.compared().unwrap().open.is_some(), "a part without a range");
}

#[test]
fn elsewhere_the_keys_of_the_bytes_say_why_not() {
    let mut state = fixture::showing(LABEXT, Panel::Bytes, 80, 24);
    for key in ["o", "t", "f", "]", "}"] {
        keys(&mut state, key);
        assert!(toast(&state).contains("until copy back"), "{key}: {}", toast(&state));
    }
    let mut state = fixture::showing(LABEXT, Panel::Overview, 80, 24);
    update(&mut state, Action::GoTo);
    assert_eq!(toast(&state), "only in the bytes panel");
}
