//! The rows of the two lenses side by side: every needed name, where each lens finds it, and why where they differ.
//! Worked out when the report changes.

use crate::engine::report::audit::{ArtifactReport, NodeRole};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How the lenses' answers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Two different files.
    OtherFile,
    /// Only the loader finds one.
    LoaderOnly,
    /// Only the repair tool finds one.
    RepairToolOnly,
    /// The same file, or neither finds any.
    Same,
}

/// One needed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LensRow {
    /// The name.
    pub name: String,
    /// How the answers compare.
    pub verdict: Verdict,
    /// The loader's file.
    pub loader: Option<PathBuf>,
    /// What found it, in words.
    pub found_by: Option<String>,
    /// The repair tool's file.
    pub lddtree: Option<PathBuf>,
    /// The reason of the difference.
    pub why: Option<String>,
}

/// The rows of `report`: differences first, then by name. None where only one lens has looked.
#[must_use]
pub fn rows(report: Option<&ArtifactReport>) -> Vec<LensRow> {
    let Some((report, differences)) = report.and_then(|report| Some((report, report.lens_differences.as_ref()?)))
    else {
        return Vec::new();
    };
    let mut rows: BTreeMap<&str, LensRow> = BTreeMap::new();
    if let Some(tree) = report.slices.first().and_then(|slice| slice.tree.as_ref()) {
        for edge in &tree.edges {
            let Some(node) = tree.nodes.get(edge.to) else { continue };
            // The crate keeps the interpreter apart, and finds no library of the system that is no file.
            if matches!(node.role, NodeRole::Interpreter | NodeRole::System) {
                continue;
            }
            rows.entry(&edge.needed).or_insert_with(|| LensRow {
                name: edge.needed.clone(),
                verdict: Verdict::Same,
                loader: node.path.clone(),
                found_by: edge.found_by.as_ref().map(crate::engine::report::words::found_by),
                lddtree: node.path.clone(),
                why: None,
            });
        }
    }
    for difference in differences {
        let verdict = match (&difference.loader, &difference.lddtree) {
            (Some(_), Some(_)) => Verdict::OtherFile,
            (Some(_), None) => Verdict::LoaderOnly,
            _ => Verdict::RepairToolOnly,
        };
        let found_by = rows.get(difference.name.as_str()).and_then(|row| row.found_by.clone());
        let row = LensRow {
            name: difference.name.clone(),
            verdict,
            loader: difference.loader.clone(),
            found_by: found_by.filter(|_| difference.loader.is_some()),
            lddtree: difference.lddtree.clone(),
            why: Some(difference.why.clone()),
        };
        rows.insert(&difference.name, row);
    }
    let mut rows: Vec<LensRow> = rows.into_values().collect();
    rows.sort_by_key(|row| row.verdict);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;
    use crate::engine::report::audit::LensDifference;

    #[test]
    fn differences_come_first_and_the_rest_agrees() {
        let mut report = fixture::labext_report();
        report.lens_differences = Some(vec![LensDifference {
            name: "libgreet.so.1".into(),
            loader: None,
            lddtree: Some("/opt/other/libgreet.so.1".into()),
            why: "a reason".into(),
        }]);
        let rows = rows(Some(&report));
        let seen: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.verdict)).collect();
        assert_eq!(seen[0], ("libgreet.so.1", Verdict::RepairToolOnly));
        assert!(seen[1..].iter().all(|(_, verdict)| *verdict == Verdict::Same) && seen.len() > 2);
        assert!(seen.iter().all(|(name, _)| *name != "ld-linux-x86-64.so.2"));
        assert_eq!(rows[0].why.as_deref(), Some("a reason"));
        report.lens_differences = None;
        assert!(super::rows(Some(&report)).is_empty());
    }
}
