//! WW009: the loader and the repair tool find different things under one name.

use super::{finding, quoted};
use crate::engine::report::audit::{ArtifactReport, Finding, LensDifference, NodeRole, Severity, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// WW009 for every library on which the lenses disagree. What follows from another difference, because only one lens comes
/// to the library that needs it, is told with that one.
pub(super) fn lens_differences(report: &ArtifactReport) -> Vec<Finding> {
    let Some(differences) = report.lens_differences.as_deref() else { return Vec::new() };
    let tree = report.slices.first().and_then(|slice| slice.tree.as_ref());
    let causes = tree.map(|tree| causes(tree, differences)).unwrap_or_default();
    let mut followers: BTreeMap<&str, Vec<&LensDifference>> = BTreeMap::new();
    for difference in differences {
        if let Some(cause) = causes.get(difference.name.as_str()) {
            followers.entry(cause).or_default().push(difference);
        }
    }
    let (beyond, met): (Vec<&LensDifference>, Vec<&LensDifference>) =
        differences.iter().partition(|difference| is_beyond(tree, difference));
    let own: Vec<&LensDifference> =
        met.into_iter().filter(|difference| !causes.contains_key(difference.name.as_str())).collect();
    // What only lddtree comes to is behind a library that only lddtree finds; which one, where there are several, it does
    // not say.
    let mut only_lddtree = own.iter().filter(|difference| difference.loader.is_none());
    let only_one = only_lddtree.next().filter(|_| only_lddtree.next().is_none()).map(|one| one.name.as_str());
    let mut found: Vec<Finding> = Vec::new();
    for difference in own {
        let mut behind = followers.remove(difference.name.as_str()).unwrap_or_default();
        if only_one == Some(difference.name.as_str()) {
            behind.extend(&beyond);
        }
        found.push(one(report, difference, &behind));
    }
    found.extend(beyond_the_loader(report, &beyond).filter(|_| only_one.is_none()));
    found
}

/// Whether no object that the loader comes to asks for the name.
fn is_beyond(tree: Option<&Tree>, difference: &LensDifference) -> bool {
    difference.loader.is_none()
        && tree.is_some_and(|tree| !tree.edges.iter().any(|edge| edge.needed == difference.name))
}

/// For each name that only the loader finds, and that only such libraries need, the first of the line.
fn causes<'a>(tree: &'a Tree, differences: &'a [LensDifference]) -> BTreeMap<&'a str, &'a str> {
    let only_loader: BTreeSet<&str> = differences
        .iter()
        .filter(|difference| difference.loader.is_some() && difference.lddtree.is_none())
        .map(|difference| difference.name.as_str())
        .collect();
    // A node may be called otherwise than it is asked for: by the path that a token leads to.
    let mut named: BTreeMap<usize, &str> = BTreeMap::new();
    let mut askers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for edge in &tree.edges {
        if let Some(name) = only_loader.get(edge.needed.as_str()) {
            named.entry(edge.to).or_insert(name);
        }
        askers.entry(edge.to).or_default().push(edge.from);
    }
    // The loader meets a library after the one that needs it, so that a cause is known before what follows from it.
    let mut causes: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, name) in &named {
        let names: Option<Vec<&str>> =
            askers.get(id).into_iter().flatten().map(|asker| named.get(asker).copied()).collect();
        if let Some(first) = names.and_then(|names| names.first().copied()).filter(|first| first != name) {
            causes.insert(name, causes.get(first).copied().unwrap_or(first));
        }
    }
    causes
}

fn one(report: &ArtifactReport, difference: &LensDifference, followers: &[&LensDifference]) -> Finding {
    let name = &difference.name;
    let mut evidence = needed_by(report, name);
    evidence.push(format!("the loader: {}", place(difference.loader.as_deref())));
    evidence.push(format!("lddtree, by which a repair goes: {}", place(difference.lddtree.as_deref())));
    evidence.push(format!("the reason: {}", difference.why));
    for follower in followers {
        let path = place(follower.loader.as_deref().or(follower.lddtree.as_deref()));
        evidence.push(format!("so it is with {}, which is needed from there: {path}", follower.name));
    }
    let artifact = quoted(&report.path);
    let (severity, title, mut fix) = match (&difference.loader, &difference.lddtree) {
        (Some(loader), Some(lddtree)) => (
            Severity::Error,
            format!("the lenses find different files for {name}"),
            vec![
                format!(
                    "# what you load here is not what a wheel would hold; if both are the same, this says nothing:"
                ),
                format!("# cmp {} {}", quoted(loader), quoted(lddtree)),
                "# else take the one that is not meant off its search path, so that one is left".to_string(),
            ],
        ),
        (Some(loader), None) => {
            let directory = quoted(loader.parent().unwrap_or(Path::new("/")));
            (
                Severity::Note,
                format!("only the loader finds {name}"),
                vec![
                    "# where it has to be bundled, name its directory, which both lenses then search:".to_string(),
                    format!("# wheelwright audit --ld-path {directory} {artifact}"),
                ],
            )
        }
        (None, _) => {
            let mut fix =
                vec!["# nothing to mend if a repair bundles it; the file loads after that, and not before".to_string()];
            if is_missing(report, name) {
                fix.push("# WW003 shows where the loader sought it".to_string());
            }
            (Severity::Note, format!("only lddtree finds {name}"), fix)
        }
    };
    fix.push(format!("# wheelwright tree --all {artifact}"));
    fix.push(format!("# wheelwright tree --lens lddtree {artifact}"));
    finding("WW009", severity, title, evidence, fix)
}

/// What lddtree lists and the loader never comes to: one note for all of it.
fn beyond_the_loader(report: &ArtifactReport, differences: &[&LensDifference]) -> Option<Finding> {
    let title = match differences {
        [] => return None,
        [one] => format!("lddtree goes on to {}, which the loader does not come to", one.name),
        more => format!("lddtree goes on to {} libraries that the loader does not come to", more.len()),
    };
    let line = |one: &&LensDifference| format!("{}: {}", place(one.lddtree.as_deref()), one.why);
    let artifact = quoted(&report.path);
    let fix = vec![
        "# nothing to mend of itself: see the library that needs them".to_string(),
        format!("# wheelwright tree --lens lddtree {artifact}"),
    ];
    Some(finding("WW009", Severity::Note, title, differences.iter().map(line).collect(), fix))
}

fn needed_by(report: &ArtifactReport, name: &str) -> Vec<String> {
    let trees = report.slices.first().and_then(|slice| slice.tree.as_ref());
    let mut askers: Vec<&str> = trees
        .into_iter()
        .flat_map(|tree| {
            tree.edges.iter().filter(|edge| edge.needed == name).filter_map(|edge| tree.nodes.get(edge.from))
        })
        .map(|node| node.name.as_str())
        .collect();
    askers.sort_unstable();
    askers.dedup();
    if askers.is_empty() { Vec::new() } else { vec![format!("{name} is needed by {}", askers.join(", "))] }
}

fn is_missing(report: &ArtifactReport, name: &str) -> bool {
    let trees = report.slices.iter().filter_map(|slice| slice.tree.as_ref());
    trees.flat_map(|tree| &tree.nodes).any(|node| node.role == NodeRole::Missing && node.name == name)
}

fn place(path: Option<&Path>) -> String {
    path.map_or_else(|| "found nowhere".to_string(), |path| path.display().to_string())
}
