//! Two columns side by side: what kept its place among the others stands on one line, the rest for itself.

use super::column::Entry;
use super::{Block, Change, Kind, Order, Stripe, change, change_in_memory, is_loaded};
use crate::engine::report::fit::{Inserted, ShapePart};
use std::collections::HashMap;

/// The two columns as stripes, with what became of every part.
pub(super) fn side_by_side(
    mut before: Vec<Entry<'_>>,
    mut after: Vec<Entry<'_>>,
    order: Order,
    inserted: Option<Inserted>,
) -> Vec<Stripe> {
    let partners = partners(&before, &after);
    judge(&mut before, &mut after, &partners, |was, is| match order {
        Order::Address if is_loaded(was) || is_loaded(is) => change_in_memory(was, is),
        _ => change(was, is, inserted),
    });
    let kept = in_order(&partners);
    let mut anchors = kept.into_iter().filter_map(|left| Some((left, (*partners.get(left)?)?))).peekable();
    let (mut left, mut right) = (before.into_iter().enumerate().peekable(), after.into_iter().enumerate().peekable());
    let mut stripes = Vec::new();
    loop {
        let anchor = anchors.peek().copied();
        let alone_left = left.next_if(|(place, _)| anchor.is_none_or(|anchor| *place < anchor.0));
        let stands_alone = alone_left.as_ref().is_some_and(|(_, entry)| !may_share(entry));
        let share = |(place, entry): &(usize, Entry<'_>)| {
            anchor.is_none_or(|anchor| *place < anchor.1) && (alone_left.is_none() || may_share(entry))
        };
        let alone_right = if stands_alone { None } else { right.next_if(share) };
        if alone_left.is_some() || alone_right.is_some() {
            let block = |entry: Option<(usize, Entry<'_>)>| entry.map(|(_, entry)| entry.block);
            stripes.push(Stripe { before: block(alone_left), after: block(alone_right) });
            continue;
        }
        let (Some(one), Some(other)) = (left.next(), right.next()) else { break };
        anchors.next();
        stripes.push(Stripe { before: Some(one.1.block), after: Some(other.1.block) });
    }
    stripes
}

/// Whether two entries that have nothing to do with each other may stand on one line: the place that one left, and what
/// is there now.
const fn may_share(entry: &Entry<'_>) -> bool {
    matches!(entry.block.kind, Kind::Section | Kind::Table | Kind::Unused)
}

/// For every entry before, the place of the same one after.
fn partners(before: &[Entry<'_>], after: &[Entry<'_>]) -> Vec<Option<usize>> {
    let places: HashMap<&str, usize> =
        after.iter().enumerate().map(|(place, entry)| (entry.key.as_str(), place)).collect();
    before.iter().map(|entry| places.get(entry.key.as_str()).copied()).collect()
}

/// Notes what became of every entry.
fn judge(
    before: &mut [Entry<'_>],
    after: &mut [Entry<'_>],
    partners: &[Option<usize>],
    change: impl Fn(&ShapePart, &ShapePart) -> Change,
) {
    for entry in after.iter_mut() {
        entry.block.change = Change::New;
    }
    for (entry, partner) in before.iter_mut().zip(partners) {
        let Some(now) = partner.and_then(|place| after.get_mut(place)) else {
            entry.block.change = Change::Gone;
            continue;
        };
        let found = match (entry.part, now.part) {
            (Some(was), Some(is)) => change(was, is),
            _ => of_what_is_no_part(&entry.block, &now.block),
        };
        (entry.block.change, now.block.change) = (found, found);
    }
}

fn of_what_is_no_part(before: &Block, after: &Block) -> Change {
    // The file's end has no length of its own.
    let length = |block: &Block| if block.kind == Kind::End { block.at.unwrap_or(0) } else { block.size };
    match length(after).cmp(&length(before)) {
        std::cmp::Ordering::Greater => Change::Grown,
        std::cmp::Ordering::Less => Change::Shrunk,
        std::cmp::Ordering::Equal if before.at != after.at => Change::Shifted,
        std::cmp::Ordering::Equal => Change::Same,
    }
}

/// The most entries before whose partners stand in the same order: the longest increasing subsequence.
fn in_order(partners: &[Option<usize>]) -> Vec<usize> {
    // For every length, the place of the entry that ends a run of it with the lowest partner.
    let mut ends: Vec<usize> = Vec::new();
    let mut earlier: Vec<Option<usize>> = vec![None; partners.len()];
    let partner = |place: usize| partners.get(place).copied().flatten();
    for place in 0..partners.len() {
        let Some(mine) = partner(place) else { continue };
        let length = ends.partition_point(|end| partner(*end).is_some_and(|theirs| theirs < mine));
        if let Some(link) = earlier.get_mut(place) {
            *link = length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied());
        }
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(place) = next {
        run.push(place);
        next = earlier.get(place).copied().flatten();
    }
    run.reverse();
    run
}
