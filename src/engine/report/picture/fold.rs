//! Runs of parts of which there is nothing to say become one; a segment that holds nothing else becomes one with them.

use super::{Block, Change, Kind, Parts, Stripe};

/// Fewer parts than this stay as they are.
const FEWEST: usize = 3;

/// `stripes` with their quiet runs folded.
pub(super) fn fold(stripes: Vec<Stripe>) -> Vec<Stripe> {
    let mut folded = Vec::new();
    let mut run = Run::default();
    for stripe in stripes {
        let manner = manner(&stripe);
        if manner.is_none() || manner != run.manner {
            run.close(Follows::of(&stripe), &mut folded);
        }
        match manner {
            Some(_) => {
                run.manner = manner;
                run.stripes.push(stripe);
            }
            None => folded.push(stripe),
        }
    }
    run.close(Follows::Another, &mut folded);
    folded
}

/// How nothing became of a stripe: what became of it all the same, and on which sides it is read-only after relocation.
type Manner = (Change, bool, bool);

/// Only stripes that agree in this are folded together.
fn manner(stripe: &Stripe) -> Option<Manner> {
    let (Some(before), Some(after)) = (&stripe.before, &stripe.after) else { return None };
    let is_part = matches!(before.kind, Kind::Section | Kind::Table | Kind::Unused) && before.kind == after.kind;
    (is_part && stripe.is_quiet()).then_some((after.change, before.relro, after.relro))
}

/// Whether what follows a run belongs to the same segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Same,
    Another,
}

impl Follows {
    fn of(stripe: &Stripe) -> Self {
        let ends = |block: &Option<Block>| {
            let kind = block.as_ref().map(|block| block.kind);
            matches!(kind, None | Some(Kind::Segment | Kind::Apart | Kind::Between | Kind::End))
        };
        if ends(&stripe.before) && ends(&stripe.after) { Self::Another } else { Self::Same }
    }
}

/// Stripes of one manner that follow each other.
#[derive(Default)]
struct Run {
    manner: Option<Manner>,
    stripes: Vec<Stripe>,
}

impl Run {
    /// Ends the run: writes it to `folded` as one stripe, or as it is.
    fn close(&mut self, follows: Follows, folded: &mut Vec<Stripe>) {
        let (manner, mut stripes) = (self.manner.take(), std::mem::take(&mut self.stripes));
        let parts = parts(&stripes);
        let segment = folded.last().filter(|stripe| {
            let is_segment = |block: &Block| block.kind == Kind::Segment;
            let agrees = |block: &Block| Some(block.change) == manner.map(|manner| manner.0);
            stripe.before.as_ref().is_some_and(is_segment) && stripe.after.as_ref().is_some_and(agrees)
        });
        if follows == Follows::Another && segment.is_some() && parts.sections + parts.tables > 0 {
            for block in
                folded.last_mut().into_iter().flat_map(|stripe| [&mut stripe.before, &mut stripe.after]).flatten()
            {
                block.kind = Kind::Whole(parts);
                // As its parts are, which agree on each side.
                block.relro = manner.is_some_and(|manner| manner.1 && manner.2);
            }
        } else if parts.sections + parts.tables >= FEWEST {
            let before = side(&stripes, parts, |stripe| stripe.before.as_ref());
            let after = side(&stripes, parts, |stripe| stripe.after.as_ref());
            folded.push(Stripe { before, after });
        } else {
            folded.append(&mut stripes);
        }
    }
}

fn parts(stripes: &[Stripe]) -> Parts {
    let count = |kind: Kind| {
        let is_one = |stripe: &&Stripe| stripe.before.as_ref().is_some_and(|block| block.kind == kind);
        stripes.iter().filter(is_one).count()
    };
    Parts { tables: count(Kind::Table), sections: count(Kind::Section) }
}

/// One side of a run as one block, from its first part's beginning to its last one's end.
fn side(stripes: &[Stripe], parts: Parts, choose: fn(&Stripe) -> Option<&Block>) -> Option<Block> {
    let blocks = || stripes.iter().filter_map(choose);
    let named = |block: &&Block| block.kind == Kind::Section;
    let (first, last) = (blocks().next()?, blocks().next_back()?);
    let name = match (blocks().find(named), blocks().rev().find(named)) {
        (Some(from), Some(to)) => format!("{} … {}", from.name, to.name),
        _ => String::new(),
    };
    let size = match (first.at, last.at) {
        (Some(from), Some(to)) => to.saturating_add(last.size).saturating_sub(from),
        _ => blocks().fold(0, |sum, block| u64::saturating_add(sum, block.size)),
    };
    Some(Block { kind: Kind::Folded(parts), name, flags: String::new(), size, ..first.clone() })
}
