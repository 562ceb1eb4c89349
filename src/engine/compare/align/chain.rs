//! Which of many pairs stand in the order of both files: the heaviest chain of them, in O(n log n).

/// A pair, seen from the second file; the pairs come in the order of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its place in the second file; no two pairs share one.
    pub place: u64,
    /// What it is worth: its bytes, or 1.
    pub weight: u64,
}

/// The numbers of the links of the heaviest chain whose places rise. Of two that weigh the same it is always the same one.
#[must_use]
pub fn heaviest(links: &[Link]) -> Vec<usize> {
    let mut places: Vec<u64> = links.iter().map(|link| link.place).collect();
    places.sort_unstable();
    // A Fenwick tree over the places: each node holds the heaviest chain that ends in its range, and its last link.
    let mut tree: Vec<(u64, Option<usize>)> = vec![(0, None); links.len() + 1];
    let mut before: Vec<Option<usize>> = Vec::with_capacity(links.len());
    let mut best = (0, None);
    for (number, link) in links.iter().enumerate() {
        let rank = places.partition_point(|place| *place < link.place);
        let (mut at, mut chain) = (rank, (0, None));
        while at > 0 {
            if let Some(node) = tree.get(at).filter(|node| node.0 > chain.0) {
                chain = *node;
            }
            at &= at - 1;
        }
        before.push(chain.1);
        let longer = (chain.0.saturating_add(link.weight.max(1)), Some(number));
        let mut at = rank + 1;
        while let Some(node) = tree.get_mut(at) {
            if longer.0 > node.0 {
                *node = longer;
            }
            at += at & at.wrapping_neg();
        }
        if longer.0 > best.0 {
            best = longer;
        }
    }
    let mut chain = Vec::new();
    let mut next = best.1;
    while let Some(number) = next {
        chain.push(number);
        next = before.get(number).copied().flatten();
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(list: &[(u64, u64)]) -> Vec<Link> {
        list.iter().map(|&(place, weight)| Link { place, weight }).collect()
    }

    #[test]
    fn the_heavier_chain_wins_over_the_longer() {
        assert_eq!(heaviest(&links(&[(10, 1), (11, 1), (0, 9), (12, 1)])), [2, 3]);
        assert_eq!(heaviest(&links(&[(10, 5), (11, 5), (0, 9), (12, 1)])), [0, 1, 3]);
        assert_eq!(heaviest(&[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn no_chain_is_heavier(weights in prop::collection::vec(1..50_u64, 0..11), seed in any::<u64>()) {
            // A permutation of the places by the seed.
            let mut places: Vec<u64> = (0..weights.len() as u64).collect();
            places.sort_by_key(|place| (place + 1).wrapping_mul(seed | 1).rotate_left(17));
            let list: Vec<Link> = places.iter().zip(&weights).map(|(&place, &weight)| Link { place, weight }).collect();
            let chain = heaviest(&list);
            prop_assert!(chain.windows(2).all(|two| two[0] < two[1] && list[two[0]].place < list[two[1]].place));
            let of = |numbers: &[usize]| numbers.iter().map(|number| list[*number].weight).sum::<u64>();
            let rises = |numbers: &[usize]| numbers.windows(2).all(|two| list[two[0]].place < list[two[1]].place);
            let subsets = (0..1_usize << list.len()).map(|bits| (0..list.len()).filter(|at| bits >> at & 1 == 1).collect::<Vec<_>>());
            let most = subsets.filter(|numbers| rises(numbers)).map(|numbers| of(&numbers)).max().unwrap();
            prop_assert_eq!(of(&chain), most);
        }
    }
}
