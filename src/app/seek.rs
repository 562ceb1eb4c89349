//! Going to what is typed on the bytes panel: an offset, an address, a name; and searching both files.

use super::bytes::{go, name, place};
use super::compared::{Compared, Sought};
use super::jobs::Request;
use super::state::{Ask, Overlay, Prompt, State};
use super::update::say;
use crate::engine::compare::{Direction, Found, LONGEST_NEEDLE, Match, Place, Query, Spot, Target, Which, of_file};

/// Opens the line to type in.
pub fn ask(state: &mut State, ask: Ask) {
    state.overlay = Overlay::Prompt(Prompt { ask, text: String::new() });
}

/// Carries out what was typed.
pub fn accept(state: &mut State, prompt: &Prompt) {
    match prompt.ask {
        Ask::Place => match Target::parse(&prompt.text) {
            Ok(target) => look_up(state, target),
            Err(reason) => say(state, reason, true),
        },
        Ask::Search if prompt.text.is_empty() => search(state, Direction::Forward),
        Ask::Search => match sought(&prompt.text) {
            Ok(sought) => {
                if let Some(compared) = &mut state.compared {
                    compared.sought = Some(sought);
                }
                search(state, Direction::Forward);
            }
            Err(reason) => say(state, reason, true),
        },
    }
}

/// What a typed search means: a text, or bytes behind `hex:`; behind `a:` or `b:` in that file.
fn sought(typed: &str) -> Result<Sought, String> {
    let (which, text) = of_file(typed);
    let needle = match text.strip_prefix("hex:") {
        Some(digits) => bytes(digits).ok_or("bytes are typed as pairs of hex digits: hex:7f 45 4c 46")?,
        None => text.as_bytes().to_vec(),
    };
    if needle.is_empty() || needle.len() > LONGEST_NEEDLE {
        return Err(format!("from 1 to {LONGEST_NEEDLE} bytes can be searched for"));
    }
    Ok(Sought { text: text.to_owned(), needle, which, at: None })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| letter.to_digit(16))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| (high * 16 + low) as u8).collect())
}

fn look_up(state: &mut State, target: Target) {
    let Some(compared) = state.compared() else { return };
    let (end, spot) = (compared.aligned.end(), target.spot.clone());
    if let Spot::Offset(offset) = spot {
        let which = target.which.unwrap_or(if offset < end.a { Which::A } else { Which::B });
        return match offset < end.of(which) {
            true => arrive(state, which, &Found { offset, what: "offset".into() }),
            false => say(state, format!("{offset:#x} lies behind the end: {:#x}", end.of(which)), true),
        };
    }
    let (artifact, clean, staged) = (compared.artifact, compared.clean.clone(), compared.staged.clone());
    state.jobs.ask(Request::Place { artifact, clean, staged, target });
}

/// Takes the answer to where a place lies.
pub fn looked_up(state: &mut State, target: &Target, found: Option<(Which, Found)>) {
    match found {
        Some((which, found)) => arrive(state, which, &found),
        None => {
            let files = target.which.map_or("neither file has", |which| match which {
                Which::A => "the clean file does not have",
                Which::B => "the staged file does not have",
            });
            let what = match &target.spot {
                Spot::Offset(offset) => format!("the offset {offset:#x}"),
                Spot::Address(address) => format!("bytes for the address {address:#x}"),
                Spot::Named(name) => format!("a section or symbol {name:?} with bytes of its own"),
            };
            say(state, format!("{files} {what}"), true);
        }
    }
}

fn arrive(state: &mut State, which: Which, found: &Found) {
    let Some(compared) = state.compared() else { return };
    let place = compared.aligned.place(which, found.offset);
    go(state, place);
    say(state, format!("{}: {:#x} of the {} file", found.what, found.offset, name(which)), false);
}

/// Searches on, or backwards.
pub fn search(state: &mut State, direction: Direction) {
    let from = place(state);
    let Some(compared) = state.compared() else { return };
    let Some(sought) = &compared.sought else { return say(state, "nothing was searched for yet", false) };
    let (needle, which) = (sought.needle.clone(), sought.which);
    let from = match (sought.at, direction) {
        (Some((which, offset)), Direction::Forward) => behind(compared, compared.aligned.place(which, offset)),
        (Some((which, offset)), Direction::Backward) => compared.aligned.place(which, offset),
        (None, _) => from,
    };
    let request = Request::Search {
        artifact: compared.artifact,
        clean: compared.clean.clone(),
        staged: compared.staged.clone(),
        aligned: compared.aligned.clone(),
        query: Query { needle, which, from, direction },
    };
    state.jobs.ask(request);
}

/// The place one byte behind.
fn behind(compared: &Compared, place: Place) -> Place {
    let piece = compared.aligned.piece(place.number());
    let step = if piece.is_some_and(|piece| piece.is_paired()) { 2 } else { 1 };
    let number = place.number().saturating_add(step);
    match compared.aligned.piece(number) {
        Some(piece) if number < compared.aligned.end().number() => piece.place(number),
        _ => compared.aligned.end(),
    }
}

/// Takes the answer to a search.
pub fn found(state: &mut State, found: Option<Match>) {
    let Some(compared) = &mut state.compared else { return };
    let Some(sought) = &mut compared.sought else { return };
    let text = sought.text.clone();
    let Some(found) = found else {
        sought.at = None;
        let files = sought
            .which
            .map_or("neither file holds".to_owned(), |which| format!("the {} file does not hold", name(which)));
        return say(state, format!("{files} {text:?}"), true);
    };
    sought.at = Some((found.which, found.offset));
    let place = compared.aligned.place(found.which, found.offset);
    let files = match (found.in_both, sought.which) {
        (true, _) => "in both files".to_owned(),
        (false, Some(which)) => format!("in the {} file", name(which)),
        (false, None) => format!("in the {} file only", name(found.which)),
    };
    go(state, place);
    let round = if found.is_round { ", round the end" } else { "" };
    say(state, format!("{text:?} {files} at {:#x}{round}", found.offset), false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_a_text_or_bytes_in_hex_of_one_file_or_both() {
        assert_eq!(sought("libgreet").unwrap().needle, b"libgreet");
        let of_b = sought("b:hex:7f 45 4C46").unwrap();
        assert_eq!((of_b.needle.as_slice(), of_b.which), (&b"\x7fELF"[..], Some(Which::B)));
        for wrong in ["hex:7", "hex:xy", "hex:", "a:"] {
            assert!(sought(wrong).is_err(), "{wrong}");
        }
    }
}
