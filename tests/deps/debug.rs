//! What glibc's loader says of its own search under `LD_DEBUG=libs`, held against what the lens recorded: the rule, the
//! object whose list it was, the entry, and the order of what was tried.

use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use wheelwright::engine::deps::{Edge, Graph};
use wheelwright::engine::report::audit::{FoundBy, SearchRule};

/// One search of the loader: the name, and what it tried by which list.
#[derive(Debug, Default)]
struct Search {
    name: String,
    steps: Vec<Step>,
}

/// A list and the files that were tried by it.
#[derive(Debug)]
struct Step {
    /// As the loader calls it: `RPATH`, `RUNPATH`, `LD_LIBRARY_PATH`, `system search path`, `cache`.
    list: String,
    /// The object whose list it is, as the loader names it.
    owner: Option<String>,
    tried: Vec<PathBuf>,
}

/// Every search of `graph` must be one that the loader reports in `text`; relative paths start from `directory`.
pub fn agrees(graph: &Graph, text: &str, directory: &Path) -> Result<(), Failed> {
    let mut searches = searches(text, directory);
    for edge in graph.edges.iter().filter(|edge| was_searched(edge)) {
        let name = filled_in(edge);
        let Some(place) = searches.iter().position(|search| search.name == name) else {
            // The loader gives up at the first file that makes the load fail, and searches for nothing after it.
            if graph.edges.iter().any(|edge| edge.gave_up.is_some()) {
                continue;
            }
            return Err(format!("the loader did not search for {name}").into());
        };
        compare(graph, edge, &searches.remove(place), directory)
            .map_err(|message| Failed::from(format!("{name}: {message}\nthe lens: {edge:#?}")))?;
    }
    Ok(())
}

/// Whether the loader would report a search: a name with a slash is opened, a loaded one answers at once.
fn was_searched(edge: &Edge) -> bool {
    let found = edge.found_by.as_ref().map(|by| by.rule);
    let known = matches!(
        found,
        Some(SearchRule::AlreadyLoaded | SearchRule::Absolute | SearchRule::Relative | SearchRule::LdPreload)
    );
    // What was missing before is searched for again by the loader, and it says so; our own record is the first one.
    !known && !edge.needed.as_bytes().contains(&b'/') && !edge.needed.as_bytes().contains(&b'$')
}

fn filled_in(edge: &Edge) -> String {
    edge.needed.to_text().into_owned()
}

fn compare(graph: &Graph, edge: &Edge, search: &Search, directory: &Path) -> Result<(), String> {
    let mut tried: Vec<&PathBuf> = search.steps.iter().flat_map(|step| &step.tried).collect();
    if let Some(by) = &edge.found_by {
        let last = search.steps.iter().rev().find(|step| !step.tried.is_empty()).ok_or("the loader tried nothing")?;
        let hit = tried.pop().ok_or("the loader tried nothing")?;
        let ours = graph.nodes[edge.to].path.as_ref().ok_or("the lens has no path")?;
        // A second name of a file that is loaded already leads to the object under its first name.
        let one_file = || hit.canonicalize().ok() == ours.canonicalize().ok();
        if edge.gave_up.is_none() && tidy(hit) != tidy(ours) && !one_file() {
            return Err(format!("the loader ends at {}", hit.display()));
        }
        rule_agrees(by, last)?;
        entry_agrees(graph, by, hit, directory)?;
    }
    let ours: Vec<PathBuf> = edge.candidates.iter().map(|candidate| tidy(&candidate.path)).collect();
    let theirs: Vec<PathBuf> = tried.into_iter().map(|path| tidy(path)).collect();
    // The loader leaves out directories that it found missing once, and tries subdirectories that are not there.
    let common = |one: &[PathBuf], other: &[PathBuf]| -> Vec<PathBuf> {
        let mut seen = Vec::new();
        for path in one.iter().filter(|path| other.contains(path)) {
            if !seen.contains(path) {
                seen.push(path.clone());
            }
        }
        seen
    };
    let (in_ours, in_theirs) = (common(&ours, &theirs), common(&theirs, &ours));
    if in_ours != in_theirs {
        return Err(format!("tried in another order: {in_theirs:?}"));
    }
    // Under DF_1_NODEFLIB the loader names the cache's answer and then does not open it.
    let unopened = search.steps.iter().filter(|step| step.list == "cache").flat_map(|step| &step.tried);
    let unopened: Vec<PathBuf> = unopened.map(|path| tidy(path)).collect();
    match theirs.iter().find(|path| path.exists() && !ours.contains(path) && !unopened.contains(path)) {
        Some(path) => Err(format!("the loader tried {}, which is there", path.display())),
        None => Ok(()),
    }
}

fn rule_agrees(by: &FoundBy, step: &Step) -> Result<(), String> {
    let expected: &[SearchRule] = match step.list.as_str() {
        "RPATH" => &[SearchRule::Rpath, SearchRule::MainRpath],
        "RUNPATH" => &[SearchRule::Runpath],
        "LD_LIBRARY_PATH" => &[SearchRule::LdLibraryPath],
        "system search path" => &[SearchRule::Default],
        "cache" => &[SearchRule::LdSoCache],
        other => return Err(format!("the loader names an unknown list: {other}")),
    };
    if !expected.contains(&by.rule) {
        return Err(format!("the loader found it by {}", step.list));
    }
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    match (&step.owner, &by.owner) {
        (Some(theirs), Some(ours)) if file(theirs) != file(ours) => Err(format!("the list is that of {theirs}")),
        (Some(theirs), None) => Err(format!("the lens names no owner; the loader says {theirs}")),
        _ => Ok(()),
    }
}

/// The entry must be the element whose directory the loader printed.
fn entry_agrees(graph: &Graph, by: &FoundBy, hit: &Path, directory: &Path) -> Result<(), String> {
    let (Some(entry), Some(mut found)) = (&by.entry, hit.parent()) else { return Ok(()) };
    if entry.contains("LIB") || entry.contains("PLATFORM") {
        return Ok(());
    }
    if by.hwcaps.is_some() {
        while !found.ends_with("glibc-hwcaps") {
            found = found.parent().ok_or("no glibc-hwcaps in the path")?;
        }
        found = found.parent().ok_or("no directory above glibc-hwcaps")?;
    }
    // In LD_LIBRARY_PATH the token stands for the program's directory.
    let owner = match &by.owner {
        Some(owner) => graph.nodes.iter().find(|node| node.name.to_text() == *owner),
        None => graph.nodes.first(),
    };
    let origin = owner.map(|node| node.directory.display().to_string()).unwrap_or_default();
    let expanded = entry.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    let meant = directory.join(expanded);
    if tidy(&meant) == tidy(found) { Ok(()) } else { Err(format!("the entry means {}", meant.display())) }
}

/// A path without doubled and trailing slashes and single dots.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

fn searches(text: &str, directory: &Path) -> Vec<Search> {
    let mut searches: Vec<Search> = Vec::new();
    for line in text.lines() {
        // Every line begins with the process's number.
        let Some((_, line)) = line.split_once(":\t") else { continue };
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("find library=") {
            let name = rest.split(" [").next().unwrap_or_default().to_owned();
            searches.push(Search { name, steps: Vec::new() });
        }
        let Some(search) = searches.last_mut() else { continue };
        if line.starts_with("search path=") {
            let label = line.rsplit_once("\t(").map_or("", |(_, label)| label.trim_end_matches(')'));
            let (list, owner) = match label.split_once(" from file ") {
                Some((list, owner)) => (list, Some(owner.to_owned())),
                None => (label, None),
            };
            search.steps.push(Step { list: list.to_owned(), owner, tried: Vec::new() });
        } else if line.starts_with("search cache=") {
            search.steps.push(Step { list: "cache".into(), owner: None, tried: Vec::new() });
        } else if let Some(path) = line.strip_prefix("trying file=")
            && let Some(step) = search.steps.last_mut()
        {
            step.tried.push(directory.join(path));
        }
    }
    searches
}
