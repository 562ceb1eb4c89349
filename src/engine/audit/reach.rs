//! What it would take to bear a tag: each demand of the artifact, and of the libraries that would be bundled with it, that
//! would have to go, with what could stand in its place and who makes it.
//!
//! Which demands those are, the policy's verdict says; here they are looked at closely. Bundling is no obstacle: the repair
//! does it.

use super::demands::{Demands, VersionDemand};
use super::policy::{Family, Policy, policies};
use super::tag::Tag;
use super::verdict::{Role, Verdict, reason};
use crate::engine::binary::Slice;
use crate::engine::binary::elf::{Steps, Symbols, VersionTable};
use crate::engine::code::users_of_symbols;
use crate::engine::deps::Graph;
use crate::engine::file::{ReadAt, Windows};
use crate::engine::report::audit::PolicyReason;
use crate::engine::report::reach::{ReachDemand, ReachReport};
use crate::engine::{Context, Error, Result, binary};
use std::collections::{BTreeMap, BTreeSet};

/// The artifact as its policies see it.
pub struct Subject<'a> {
    /// What it demands.
    pub demands: &'a Demands,
    /// Its C library.
    pub family: Family,
    /// What it may link.
    pub role: Role,
    /// The slice that is looked at.
    pub slice: &'a Slice,
    /// Its bytes.
    pub source: &'a dyn ReadAt,
    /// What the loader finds for it on this machine.
    pub graph: &'a Graph,
}

/// The policy by which `tag` is judged for a file of `family`; `None` when it asks for nothing. `pypi` takes any tag, hence
/// the newest policy.
#[must_use]
pub fn policy(tag: &Tag, family: Family, architecture: &str) -> Option<Policy> {
    match tag {
        Tag::Linux => None,
        Tag::Pypi => policies(family, architecture).pop(),
        Tag::Policy { family, name, .. } => {
            policies(*family, architecture).into_iter().find(|policy| policy.name == *name)
        }
    }
}

/// What stands between `subject`, with `bundled` beside it, and `tag`.
///
/// # Errors
/// [`Error::Malformed`] when the artifact's code can't be read, [`Error::Io`], [`Error::Cancelled`].
pub fn reach(
    tag: &Tag,
    subject: &Subject<'_>,
    bundled: &[(String, Demands)],
    context: &Context,
) -> Result<ReachReport> {
    let demands = match policy(tag, subject.family, &subject.demands.architecture) {
        Some(policy) => obstacles(tag, policy, subject, bundled, context)?,
        None => Vec::new(),
    };
    Ok(ReachReport { tag: tag.name().to_string(), reached: demands.is_empty(), demands })
}

fn obstacles(
    tag: &Tag,
    policy: Policy,
    subject: &Subject<'_>,
    bundled: &[(String, Demands)],
    context: &Context,
) -> Result<Vec<ReachDemand>> {
    let mut verdict = Verdict::new(policy, subject.demands, subject.role);
    bundled.iter().for_each(|(name, demands)| verdict.count_external(name, demands));
    let mut rows: Vec<PolicyReason> =
        [verdict.barriers, verdict.libpython, verdict.externals].into_iter().flatten().collect();
    if let Tag::Policy { architecture: Some(architecture), .. } = tag
        && *architecture != subject.demands.architecture
    {
        rows.push(reason(tag.name(), Some("architecture"), Some(subject.demands)));
    }
    let all: Vec<&Demands> =
        std::iter::once(subject.demands).chain(bundled.iter().map(|(_, demands)| demands)).collect();
    let mut alternatives = Alternatives { graph: subject.graph, policy: &verdict.policy, known: BTreeMap::new() };
    let mut found = Vec::new();
    for row in rows {
        context.advance(1)?;
        let Some(file) = row.file.clone() else { continue };
        let demands = all.iter().find(|demands| demands.file == file);
        let versioned = demands.and_then(|demands| versioned(demands, &row));
        // A row on a bundled library names that; what is demanded, and of whom, stands in the demand.
        let library = versioned.map(|demand| demand.library.clone()).or(row.library);
        let offer = match (&library, &row.symbol, &row.version) {
            (Some(library), Some(symbol), Some(_)) => alternatives.of(library, symbol),
            _ => Offer::NotSought,
        };
        let weakness =
            demands.zip(versioned).and_then(|(demands, demand)| note(demands, demand, row.symbol.as_deref()));
        let unknown = match (&offer, &library) {
            (Offer::Unknown, Some(library)) => Some(format!(
                "{library} can't be read on this machine, so that older versions of the symbol are not known"
            )),
            _ => None,
        };
        found.push(ReachDemand {
            rule: row.rule.unwrap_or_default(),
            file,
            library,
            symbol: row.symbol,
            version: row.version,
            older_version: if let Offer::Version(version) = offer { Some(version) } else { None },
            note: weakness.or(unknown),
            functions: None,
            functions_total: None,
        });
    }
    add_functions(&mut found, subject, context)?;
    Ok(found)
}

/// The demand of a version that `row` is about.
fn versioned<'a>(demands: &'a Demands, row: &PolicyReason) -> Option<&'a VersionDemand> {
    let same = |demand: &&VersionDemand| {
        Some(&demand.version) == row.version.as_ref()
            && match &row.symbol {
                Some(symbol) => demand.symbols.contains(symbol),
                None => demand.symbols.is_empty(),
            }
    };
    let own = |demand: &&VersionDemand| Some(&demand.library) == row.library.as_ref();
    demands.versions.iter().filter(same).find(own).or_else(|| demands.versions.iter().find(same))
}

/// What is to be known of a demand that looks as if it could be done without.
fn note(demands: &Demands, demand: &VersionDemand, symbol: Option<&str>) -> Option<String> {
    let text = match symbol {
        _ if demand.weak => "the version itself is asked for weakly (VER_FLG_WEAK): the loader does without it",
        None => "no symbol is bound to the version, and the loader asks for it all the same: a new link drops it",
        Some(symbol) if !demands.undefined.contains_key(symbol) => {
            "the symbol is weak, but its version is not: the loader refuses the file where the library lacks the version"
        }
        Some(_) => return None,
    };
    Some(text.to_string())
}

/// What a library on this machine offers in place of a version that is too new.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Offer {
    /// The row is on no symbol's version.
    NotSought,
    /// The library is not here, or can't be read.
    Unknown,
    /// It has no version of the symbol that the tag allows.
    Nothing,
    /// The newest that the tag allows.
    Version(String),
}

/// The versions of symbols that the libraries on this machine define.
struct Alternatives<'a> {
    graph: &'a Graph,
    policy: &'a Policy,
    known: BTreeMap<(String, String), Offer>,
}

impl Alternatives<'_> {
    fn of(&mut self, library: &str, symbol: &str) -> Offer {
        let key = (library.to_string(), symbol.to_string());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let offer = match self.versions(library, symbol) {
            Some(versions) => newest_allowed(self.policy, &versions).map_or(Offer::Nothing, Offer::Version),
            None => Offer::Unknown,
        };
        self.known.insert(key, offer.clone());
        offer
    }

    /// The versions under which `library` defines `symbol`; `None` where it can't be read.
    fn versions(&self, library: &str, symbol: &str) -> Option<BTreeSet<String>> {
        let node = self.graph.nodes.iter().find(|node| node.name.to_text() == library && node.loaded().is_some())?;
        let details = node.loaded()?.elf.as_ref()?;
        let source = Windows::open(node.realpath.as_deref().or(node.path.as_deref())?).ok()?;
        let table = VersionTable::read(&source, &details.tables).ok()?;
        let symbols = Symbols::open(&source, &details.tables).ok()?;
        let definitions = symbols.definitions(symbol.as_bytes(), &mut Steps::default()).ok()?;
        let versions = definitions.iter().filter_map(|definition| table.get(definition.version?));
        Some(versions.map(|version| version.name.to_text().into_owned()).collect())
    }
}

/// The newest of `versions` that `policy` allows.
fn newest_allowed(policy: &Policy, versions: &BTreeSet<String>) -> Option<String> {
    let allowed = policy.versions.as_ref()?;
    let holds = |version: &&String| {
        version
            .split_once('_')
            .is_some_and(|(space, number)| allowed.get(space).is_some_and(|all| all.contains(number)))
    };
    versions.iter().filter(holds).max_by_key(|version| numbers(version)).cloned()
}

/// The numbers in a version, by which versions of one namespace are ordered.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// Adds the functions that use each symbol, file by file: a file's code is read once.
fn add_functions(found: &mut [ReachDemand], subject: &Subject<'_>, context: &Context) -> Result<()> {
    let files: BTreeSet<_> =
        found.iter().filter(|demand| demand.symbol.is_some()).map(|demand| demand.file.clone()).collect();
    for file in files {
        let symbols: BTreeSet<String> =
            found.iter().filter(|demand| demand.file == file).filter_map(symbol_and_version).collect();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        let users = if file == subject.demands.file {
            users_of_symbols(subject.slice, subject.source, &symbols, context)?
        } else {
            match users_in_library(&file, &symbols, context) {
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                // Its demands were read; that its code can't be takes nothing from them.
                users => users.ok().flatten(),
            }
        };
        let Some(users) = users else { continue };
        for demand in found.iter_mut().filter(|demand| demand.file == file) {
            if let Some(users) = symbol_and_version(demand).and_then(|symbol| users.get(&symbol)) {
                demand.functions = Some(users.functions.clone());
                demand.functions_total = Some(users.total);
            }
        }
    }
    Ok(())
}

fn users_in_library(
    file: &std::path::Path,
    symbols: &[&str],
    context: &Context,
) -> Result<Option<BTreeMap<String, crate::engine::code::SymbolUsers>>> {
    let source = Windows::open(file)?;
    let binary = binary::read(&source)?;
    match binary.slices.first() {
        Some(slice) => users_of_symbols(slice, &source, symbols, context),
        None => Ok(None),
    }
}

/// `pthread_create@GLIBC_2.34`, or the name alone.
fn symbol_and_version(demand: &ReachDemand) -> Option<String> {
    let symbol = demand.symbol.as_ref()?;
    Some(demand.version.as_ref().map_or_else(|| symbol.clone(), |version| format!("{symbol}@{version}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_chosen_by_its_numbers() {
        let policy = policies(Family::Manylinux, "x86_64").into_iter().find(|policy| policy.name == "manylinux_2_28");
        let versions = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<BTreeSet<_>>();
        let newest = |names: &[&str]| newest_allowed(policy.as_ref().unwrap(), &versions(names));
        assert_eq!(newest(&["GLIBC_2.2.5", "GLIBC_2.14", "GLIBC_2.34"]).as_deref(), Some("GLIBC_2.14"));
        assert_eq!(newest(&["GLIBC_2.9", "GLIBC_2.10"]).as_deref(), Some("GLIBC_2.10"));
        assert_eq!(newest(&["GLIBC_2.34", "GLIBC_PRIVATE"]), None);
    }

    #[test]
    fn a_tag_is_judged_by_its_policy() {
        let named =
            |text: &str| policy(&Tag::parse(text).unwrap(), Family::Manylinux, "x86_64").map(|policy| policy.name);
        assert_eq!(named("2014").as_deref(), Some("manylinux_2_17"));
        assert_eq!(named("musllinux_1_1").as_deref(), Some("musllinux_1_1"));
        assert_eq!(named("pypi").as_deref(), Some("manylinux_2_41"));
        assert_eq!(named("linux"), None);
    }

    #[test]
    fn weakness_is_said_in_words() {
        let mut demand = VersionDemand {
            library: "libc.so.6".into(),
            version: "GLIBC_2.34".into(),
            symbols: ["maybe".to_string()].into(),
            weak: false,
        };
        let mut demands = Demands::default();
        assert!(note(&demands, &demand, Some("maybe")).unwrap().contains("weak, but its version is not"));
        demands.undefined.insert("maybe".into(), None);
        assert_eq!(note(&demands, &demand, Some("maybe")), None);
        assert!(note(&demands, &demand, None).unwrap().starts_with("no symbol"));
        demand.weak = true;
        assert!(note(&demands, &demand, Some("maybe")).unwrap().contains("VER_FLG_WEAK"));
    }
}
