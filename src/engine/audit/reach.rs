//! What it would take to bear a platform tag: every symbol, version and library that stands between, in which file, and what
//! could take its place.
//!
//! What a repair would bundle does not count: bundling is how the tag is reached. Which functions use a symbol is read from
//! the code, so this is worked out on demand.

use super::demands::is_dynamic_linker;
use super::evaluate::Evaluation;
use super::policy::{Policy, policies};
use super::{Audit, Tag};
use crate::engine::binary::elf::Symbols;
use crate::engine::binary::{self, Name, Slice};
use crate::engine::code::{SymbolUsers, users_of_symbols};
use crate::engine::deps::Graph;
use crate::engine::file::{ReadAt, Windows};
use crate::engine::report::audit::PolicyReason;
use crate::engine::report::reach::{ReachDemand, ReachReport};
use crate::engine::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What stands between `found`, the audit of an artifact whose clean bytes are at `clean`, and `tag`. `evaluation` is the
/// artifact's, with that tag asked for and its external libraries counted.
///
/// # Errors
/// When a file can't be read any more; [`crate::engine::Error::Cancelled`].
pub fn reach(
    found: &Audit,
    clean: &Path,
    evaluation: &Evaluation,
    tag: &Tag,
    context: &Context,
) -> Result<ReachReport> {
    let report = evaluation.report();
    let named = |row: &PolicyReason| row.tag == tag.name() || row.tag.strip_prefix(tag.name()).is_some_and(is_suffix);
    let rows = report.reasons.iter().filter(|row| named(row) && !row.ok && row.rule.as_deref() != Some("library"));
    let rows: Vec<&PolicyReason> = rows.collect();
    let architecture = found.report.slices.first().map_or("", |slice| slice.arch.as_str());
    let policy = match tag {
        Tag::Policy { family, name, .. } => {
            policies(*family, architecture).into_iter().find(|policy| policy.name == *name)
        }
        Tag::Linux | Tag::Pypi => None,
    };
    let files = files(found, clean, &rows, context)?;
    let mut older = OlderVersions { graph: found.graph.as_ref(), policy: policy.as_ref(), known: BTreeMap::new() };
    let mut demands = Vec::new();
    for row in rows {
        context.advance(0)?;
        let file = row.file.clone().unwrap_or_else(|| found.report.path.clone());
        let of_file = files.get(&file);
        let weak = row.symbol.as_ref().zip(of_file).is_some_and(|(symbol, of_file)| of_file.weak.contains(symbol));
        let users = row.symbol.as_ref().and_then(|symbol| of_file?.users.as_ref()?.get(&versioned(symbol, row)));
        demands.push(ReachDemand {
            rule: row.rule.clone().unwrap_or_default(),
            library: row.library.clone(),
            symbol: row.symbol.clone(),
            version: row.version.clone(),
            weak,
            older_version: older.of(row)?,
            functions: users.map(|users| users.functions.clone()),
            functions_total: users.map(|users| users.total),
            file,
        });
    }
    let key = |demand: &ReachDemand| {
        (demand.file.clone(), demand.library.clone(), demand.version.clone(), demand.symbol.clone())
    };
    demands.sort_by_key(key);
    Ok(ReachReport { tag: tag.name().to_owned(), reached: demands.is_empty(), demands })
}

/// Whether `rest` is what follows a tag where it names an architecture.
fn is_suffix(rest: &str) -> bool {
    rest.starts_with('_') && !rest.trim_start_matches('_').starts_with(|first: char| first.is_ascii_digit())
}

fn versioned(symbol: &str, row: &PolicyReason) -> String {
    row.version.as_ref().map_or_else(|| symbol.to_owned(), |version| format!("{symbol}@{version}"))
}

/// What a file says of its symbols.
struct OfFile {
    /// Which functions use those that are asked about; `None` of a machine whose code is not read.
    users: Option<BTreeMap<String, SymbolUsers>>,
    /// The weak ones.
    weak: BTreeSet<String>,
}

/// What every file concerned says of the symbols in `rows`.
fn files(found: &Audit, clean: &Path, rows: &[&PolicyReason], context: &Context) -> Result<BTreeMap<PathBuf, OfFile>> {
    let mut wanted: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        if let (Some(file), Some(symbol)) = (&row.file, &row.symbol) {
            wanted.entry(file.clone()).or_default().insert(versioned(symbol, row));
        }
    }
    let mut files = BTreeMap::new();
    for (file, symbols) in wanted {
        let source = Windows::open(if file == found.report.path { clean } else { &file })?;
        let binary = binary::read(&source)?;
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        let Some(slice) = binary.slices.first() else { continue };
        let users = users_of_symbols(slice, &source, &symbols, context)?;
        let undefined = match &slice.elf {
            Some(details) => Symbols::open(&source, details)?.undefined()?,
            None => Vec::new(),
        };
        let weak = undefined.into_iter().filter(|symbol| symbol.weak);
        files.insert(file, OfFile { users, weak: weak.map(|symbol| symbol.name.to_text().into_owned()).collect() });
    }
    Ok(files)
}

/// The older versions of symbols, in the libraries that the loader finds here.
struct OlderVersions<'a> {
    graph: Option<&'a Graph>,
    policy: Option<&'a Policy>,
    known: BTreeMap<PathBuf, Option<Vec<(u16, Name)>>>,
}

impl OlderVersions<'_> {
    /// The newest version of the row's symbol that the policy allows and the library here still has.
    fn of(&mut self, row: &PolicyReason) -> Result<Option<String>> {
        let (Some(graph), Some(policy), Some(symbol), Some(version)) =
            (self.graph, self.policy, &row.symbol, &row.version)
        else {
            return Ok(None);
        };
        let Some((namespace, _)) = version.split_once('_') else { return Ok(None) };
        let Some(allowed) = policy.versions.as_ref().and_then(|versions| versions.get(namespace)) else {
            return Ok(None);
        };
        let mut best: Option<String> = None;
        for node in &graph.nodes {
            let name = node.name.to_text();
            let (Some(path), Some(slice)) = (&node.path, node.loaded()) else { continue };
            if !policy.allowed.contains(name.as_ref()) && !is_dynamic_linker(&name) {
                continue;
            }
            for offered in self.offered(path, slice, symbol.as_bytes())? {
                let fits = offered
                    .split_once('_')
                    .is_some_and(|(space, number)| space == namespace && allowed.contains(number));
                if fits && best.as_ref().is_none_or(|best| order(&offered) > order(best)) {
                    best = Some(offered);
                }
            }
        }
        Ok(best)
    }

    /// The versions under which the library at `path` defines `symbol`.
    fn offered(&mut self, path: &Path, slice: &Slice, symbol: &[u8]) -> Result<Vec<String>> {
        let Some(details) = &slice.elf else { return Ok(Vec::new()) };
        let Ok(source) = Windows::open(path) else { return Ok(Vec::new()) };
        let source: &dyn ReadAt = &source;
        let symbols = Symbols::open(source, details)?;
        let versions = match self.known.get(path) {
            Some(known) => known.clone(),
            None => {
                let read = symbols.offered_versions().ok();
                self.known.insert(path.to_path_buf(), read.clone());
                read
            }
        };
        let definitions = symbols.definitions(symbol)?;
        let name = |entry: u16| {
            let versions = versions.iter().flatten();
            versions
                .into_iter()
                .find(|(index, _)| *index == entry & 0x7fff)
                .map(|(_, name)| name.to_text().into_owned())
        };
        Ok(definitions.into_iter().filter(|one| one.bindable).filter_map(|one| name(one.version?)).collect())
    }
}

/// A version's numbers, in the order in which versions follow each other: 2.9 before 2.17.
fn order(version: &str) -> Vec<u64> {
    let number = version.rsplit_once('_').map_or(version, |(_, number)| number);
    number.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = vec!["GLIBC_2.17", "GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.34"];
        versions.sort_by_key(|version| order(version));
        assert_eq!(versions, ["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.17", "GLIBC_2.34"]);
    }

    #[test]
    fn a_tag_with_an_architecture_is_the_same_tag() {
        assert!(is_suffix("_x86_64") && is_suffix("_aarch64"));
        assert!(!is_suffix("4") && !is_suffix("_17") && !is_suffix(""));
    }
}
