//! Runs of parts of which there is nothing to say become one.

use super::{Block, Change, Kind, Stripe};

/// Fewer parts than this stay as they are.
const FEWEST: usize = 3;

/// `stripes` with their quiet runs folded.
pub(super) fn fold(stripes: Vec<Stripe>) -> Vec<Stripe> {
    let mut folded = Vec::new();
    let mut run: Vec<Stripe> = Vec::new();
    for stripe in stripes {
        let manner = manner(&stripe);
        if manner.is_none() || run.first().is_some_and(|first| self::manner(first) != manner) {
            close(&mut run, &mut folded);
        }
        if manner.is_some() { run.push(stripe) } else { folded.push(stripe) }
    }
    close(&mut run, &mut folded);
    folded
}

/// In which manner nothing became of a stripe: only such that agree are folded together.
fn manner(stripe: &Stripe) -> Option<(Change, bool, bool)> {
    let (Some(before), Some(after)) = (&stripe.before, &stripe.after) else { return None };
    let is_part = matches!(before.kind, Kind::Section | Kind::Unused) && before.kind == after.kind;
    (is_part && stripe.is_quiet()).then_some((after.change, before.relro, after.relro))
}

fn close(run: &mut Vec<Stripe>, folded: &mut Vec<Stripe>) {
    let is_part = |stripe: &&Stripe| stripe.before.as_ref().is_some_and(|block| block.kind != Kind::Unused);
    let count = run.iter().filter(is_part).count();
    let side = |choose: fn(&Stripe) -> Option<&Block>| {
        let named = |stripe: &Stripe| choose(stripe).filter(|block| block.kind != Kind::Unused).cloned();
        let (first, last) = (run.iter().find_map(named)?, run.iter().rev().find_map(named)?);
        let from = run.first().and_then(choose).and_then(|block| block.at);
        let size = |stripe: &Stripe| choose(stripe).map_or(0, |block| block.size);
        let whole = run.last().and_then(choose).and_then(|end| Some((end.at?, end.size)));
        let size = match (from, whole) {
            (Some(from), Some((at, size))) => at.saturating_add(size).saturating_sub(from),
            _ => run.iter().map(size).fold(0, u64::saturating_add),
        };
        let name = format!("{} … {}", first.name, last.name);
        Some(Block { kind: Kind::Folded(count), name, flags: String::new(), at: from, size, ..first })
    };
    let (before, after) = (side(|stripe| stripe.before.as_ref()), side(|stripe| stripe.after.as_ref()));
    if count >= FEWEST {
        run.clear();
        folded.push(Stripe { before, after });
    } else {
        folded.append(run);
    }
}
