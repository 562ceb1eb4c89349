//! Where two short stretches of bytes agree: around sequences that each of them holds once.
//!
//! What both hold once belongs together, if it stands in the same order (the idea of a patience diff). Sequences that occur
//! often, such as zeros, say nothing and are left to what lies around them.

use super::chain::{Link, heaviest};

/// The bytes of a sequence.
const SEQUENCE: usize = 8;

/// A stretch that is equal in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// Where it begins in the first.
    pub a: usize,
    /// Where it begins in the second.
    pub b: usize,
    /// Its length in bytes.
    pub len: usize,
}

/// The stretches that `a` and `b` have in common around sequences that are unique in both; in order, none on another.
#[must_use]
pub fn common(a: &[u8], b: &[u8]) -> Vec<Common> {
    let (ours, theirs) = (once(a), once(b));
    let mut shared = Vec::new();
    let mut others = theirs.iter().peekable();
    for (sequence, place) in &ours {
        while others.next_if(|(other, _)| other < sequence).is_some() {}
        if let Some((_, other)) = others.next_if(|(other, _)| other == sequence) {
            shared.push((*place, *other));
        }
    }
    shared.sort_unstable();
    let links: Vec<Link> = shared.iter().map(|(_, place)| Link { place: *place as u64, weight: 1 }).collect();
    let mut found: Vec<Common> = Vec::new();
    for (at_a, at_b) in heaviest(&links).into_iter().filter_map(|number| shared.get(number).copied()) {
        let (free_a, free_b) = found.last().map_or((0, 0), |last| (last.a + last.len, last.b + last.len));
        // The next sequences of one stretch lie within it.
        if at_a < free_a || at_b < free_b {
            continue;
        }
        let (head_a, head_b) = (a.get(free_a..at_a).unwrap_or_default(), b.get(free_b..at_b).unwrap_or_default());
        let back = head_a.iter().rev().zip(head_b.iter().rev()).take_while(|(one, other)| one == other).count();
        let (tail_a, tail_b) = (a.get(at_a..).unwrap_or_default(), b.get(at_b..).unwrap_or_default());
        let forth = tail_a.iter().zip(tail_b).take_while(|(one, other)| one == other).count();
        found.push(Common { a: at_a - back, b: at_b - back, len: back + forth });
    }
    found
}

/// The sequences that `bytes` holds once, by value, with their places.
fn once(bytes: &[u8]) -> Vec<([u8; SEQUENCE], usize)> {
    let sequence = |(place, window): (usize, &[u8])| Some((window.try_into().ok()?, place));
    let mut all: Vec<([u8; SEQUENCE], usize)> = bytes.windows(SEQUENCE).enumerate().filter_map(sequence).collect();
    all.sort_unstable();
    let groups = all.chunk_by(|one, other| one.0 == other.0);
    groups.filter_map(|group| if let [single] = group { Some(*single) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_insertions_close_to_each_other_are_told_apart() {
        let (a, b) = (b"the quick brown fox jumps over a dog", b"the quick red brown fox jumps over the lazy dog");
        let found = common(a, b);
        assert_eq!(found.first(), Some(&Common { a: 0, b: 0, len: 10 }));
        for common in &found {
            assert_eq!(a[common.a..common.a + common.len], b[common.b..common.b + common.len]);
        }
        assert!(found.windows(2).all(|two| two[0].a + two[0].len <= two[1].a && two[0].b + two[0].len <= two[1].b));
        assert_eq!(found.iter().map(|common| common.len).sum::<usize>(), 31);
    }

    #[test]
    fn what_occurs_often_is_no_anchor() {
        assert_eq!(common(&[0; 100], &[0; 90]), []);
        assert_eq!(common(b"short", b"short"), []);
    }
}
