//! The dependency graph laid out as rows, with folded branches left out. Computed when something changes, not when drawn.
//!
//! An object that several others need is unfolded where it is met first; its later rows refer to that one.

use crate::engine::report::audit::{ArtifactReport, Tree, TreeEdge, TreeNode};
use std::collections::{BTreeSet, HashSet};

/// A row of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRow {
    /// The slice that the tree belongs to.
    pub slice: usize,
    /// The node.
    pub node: usize,
    /// The edge that led here, by its place in the tree's edges; `None` for a root.
    pub edge: Option<usize>,
    /// How deep, from 0.
    pub depth: usize,
    /// Bit n is set where the ancestor at depth n has a sibling below (n < 64).
    pub guides: u64,
    /// Whether it is the last of its siblings.
    pub last: bool,
    /// What is below it.
    pub branch: Branch,
}

/// What is below a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// Nothing.
    Leaf,
    /// Rows follow.
    Open,
    /// Rows are left out.
    Folded,
    /// Rows follow at this object's first place.
    Elsewhere,
}

/// The laid-out trees of one artifact.
#[derive(Debug, Clone, Default)]
pub struct TreeRows {
    /// The rows, slice by slice.
    pub rows: Vec<TreeRow>,
    /// What the user has folded: slice and node.
    pub folded: BTreeSet<(usize, usize)>,
}

impl TreeRows {
    /// Lays out all slices of `report`. With `unfold`, folded branches are shown too, so that a search sees them.
    pub fn rebuild(&mut self, report: Option<&ArtifactReport>, unfold: bool) {
        self.rows.clear();
        let Some(report) = report else { return };
        for (slice, tree) in report.slices.iter().enumerate().filter_map(|(n, slice)| Some((n, slice.tree.as_ref()?))) {
            self.lay_out(slice, tree, unfold);
        }
    }

    fn lay_out(&mut self, slice: usize, tree: &Tree, unfold: bool) {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); tree.nodes.len()];
        for (number, edge) in tree.edges.iter().enumerate() {
            if let Some(edges) = below.get_mut(edge.from) {
                edges.push(number);
            }
        }
        let mut met = HashSet::new();
        let mut pending = Vec::new();
        if !tree.nodes.is_empty() {
            pending.push((0, None, 0usize, 0u64, true));
        }
        while let Some((node, edge, depth, guides, last)) = pending.pop() {
            let children = below.get(node).map_or(&[][..], Vec::as_slice);
            let branch = if children.is_empty() {
                Branch::Leaf
            } else if !met.insert(node) {
                Branch::Elsewhere
            } else if !unfold && self.folded.contains(&(slice, node)) {
                Branch::Folded
            } else {
                Branch::Open
            };
            self.rows.push(TreeRow { slice, node, edge, depth, guides, last, branch });
            if branch != Branch::Open {
                continue;
            }
            let guide = if last || depth >= 64 { 0 } else { 1 << depth };
            for (place, &number) in children.iter().enumerate().rev() {
                if let Some(edge) = tree.edges.get(number) {
                    pending.push((edge.to, Some(number), depth + 1, guides | guide, place + 1 == children.len()));
                }
            }
        }
    }

    /// Folds or unfolds the branch at `row`; a leaf folds the branch that it hangs on. The row to choose afterwards.
    pub fn toggle(&mut self, row: usize) -> Option<usize> {
        let at = self.rows.get(row)?;
        let row = match at.branch {
            Branch::Open | Branch::Folded => row,
            Branch::Leaf | Branch::Elsewhere => self.parent(row)?,
        };
        let target = self.rows.get(row)?;
        let key = (target.slice, target.node);
        if !self.folded.remove(&key) {
            self.folded.insert(key);
        }
        Some(row)
    }

    /// The row of which `row` is a child.
    #[must_use]
    pub fn parent(&self, row: usize) -> Option<usize> {
        let depth = self.rows.get(row)?.depth;
        self.rows.get(..row)?.iter().rposition(|other| other.depth < depth)
    }

    /// The rows for which `matches` holds, with the rows that lead to them.
    #[must_use]
    pub fn matching(&self, matches: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut shown = BTreeSet::new();
        for row in (0..self.rows.len()).filter(|&row| matches(row)) {
            let mut at = Some(row);
            while let Some(row) = at.filter(|row| shown.insert(*row)) {
                at = self.parent(row);
            }
        }
        shown.into_iter().collect()
    }
}

/// The node and the edge that a row stands for.
#[must_use]
pub fn resolve<'a>(report: &'a ArtifactReport, row: &TreeRow) -> Option<(&'a TreeNode, Option<&'a TreeEdge>)> {
    let tree = report.slices.get(row.slice)?.tree.as_ref()?;
    Some((tree.nodes.get(row.node)?, row.edge.and_then(|edge| tree.edges.get(edge))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;

    fn names(rows: &TreeRows, report: &ArtifactReport) -> Vec<String> {
        rows.rows.iter().map(|row| resolve(report, row).unwrap().0.name.clone()).collect()
    }

    #[test]
    fn rows_follow_the_loader_and_an_object_is_unfolded_once() {
        let report = fixture::labext_report();
        let mut rows = TreeRows::default();
        rows.rebuild(Some(&report), false);
        let all = names(&rows, &report);
        assert_eq!(&all[..4], ["liblabext.so", "libgreet.so.1", "libdeep.so.2", "libc.so.6"]);
        let unfolded = rows.rows.iter().filter(|row| row.branch == Branch::Open).map(|row| row.node);
        assert_eq!(unfolded.clone().count(), unfolded.collect::<HashSet<_>>().len());
    }

    #[test]
    fn folding_hides_the_branch_and_unfolding_brings_it_back() {
        let report = fixture::labext_report();
        let mut rows = TreeRows::default();
        rows.rebuild(Some(&report), false);
        let before = rows.rows.clone();
        assert_eq!(rows.toggle(2), Some(1), "a leaf folds what it hangs on");
        rows.rebuild(Some(&report), false);
        assert_eq!(rows.rows[1].branch, Branch::Folded);
        assert!(rows.rows.len() < before.len());
        rows.toggle(1);
        rows.rebuild(Some(&report), false);
        assert_eq!(rows.rows, before);
    }

    #[test]
    fn a_cycle_ends() {
        let mut report = fixture::labext_report();
        let tree = report.slices[0].tree.as_mut().unwrap();
        let mut back = tree.edges[0].clone();
        (back.from, back.to) = (1, 0);
        tree.edges.push(back);
        let mut rows = TreeRows::default();
        rows.rebuild(Some(&report), false);
        assert!(rows.rows.iter().any(|row| row.branch == Branch::Elsewhere && row.node == 0));
    }

    #[test]
    fn a_match_brings_its_ancestors() {
        let report = fixture::labext_report();
        let mut rows = TreeRows::default();
        rows.rebuild(Some(&report), true);
        let shown = rows.matching(|row| resolve(&report, &rows.rows[row]).unwrap().0.name == "libdeep.so.2");
        assert_eq!(shown, [0, 1, 2]);
    }
}
