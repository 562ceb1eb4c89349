//! One policy's verdict on one file: each thing that rules its tag out, as rows of the report.

use super::demands::{Demands, VersionDemand, is_dynamic_linker, is_libpython};
use super::policy::Policy;
use crate::engine::report::audit::PolicyReason;
use std::collections::BTreeSet;

/// More rows of one kind than this are counted for a tag and not listed.
const MOST_ROWS: usize = 500;

/// What the file is allowed that others are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A program: it may link libpython.
    Program,
    /// A library.
    Library,
}

/// One policy's verdict on a file.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The policy.
    pub policy: Policy,
    /// What rules the tag out for good.
    pub barriers: Vec<PolicyReason>,
    /// Libraries that are not allowed; bundling them is the remedy.
    pub to_bundle: Vec<PolicyReason>,
    /// libpython, where it may not be linked.
    pub libpython: Vec<PolicyReason>,
    /// What libraries that would be bundled need beyond the policy.
    pub externals: Vec<PolicyReason>,
    /// The artifact's machine; a library of another is no use beside it.
    architecture: String,
}

impl Verdict {
    /// Judges `demands` by `policy`.
    #[must_use]
    pub fn new(policy: Policy, demands: &Demands, role: Role) -> Self {
        let mut verdict = Self {
            barriers: Vec::new(),
            to_bundle: Vec::new(),
            libpython: Vec::new(),
            externals: Vec::new(),
            architecture: demands.architecture.clone(),
            policy,
        };
        if verdict.policy.versions.is_none() {
            verdict.barriers.push(verdict.reason("architecture", demands));
        }
        let too_new = too_new(&verdict.policy, demands, Scope::Artifact);
        for demand in too_new {
            verdict.barriers.extend(version_reasons(&verdict.policy, demands, demand, None, "symbol_version"));
        }
        let black_listed = verdict.black_listed(demands);
        verdict.barriers.extend(black_listed);
        verdict.judge_libraries(demands, role);
        verdict
    }

    /// Whether the tag can be had, with libraries bundled if need be.
    #[must_use]
    pub fn is_within_reach(&self) -> bool {
        self.barriers.is_empty()
    }

    fn reason(&self, rule: &str, demands: &Demands) -> PolicyReason {
        reason(&self.policy.name, Some(rule), Some(demands))
    }

    /// A row for each symbol of the black list that is used of a library.
    fn black_listed(&self, demands: &Demands) -> Vec<PolicyReason> {
        let mut rows = Vec::new();
        for (library, symbols) in &self.policy.black_list {
            if !demands.needed.contains(library) {
                continue;
            }
            for symbol in symbols.iter() {
                let bound_to = demands.undefined.get(symbol);
                if bound_to.is_some_and(|bound_to| bound_to.as_ref().is_none_or(|bound_to| bound_to == library)) {
                    let (library, symbol) = (Some(library.clone()), Some(symbol.clone()));
                    rows.push(PolicyReason { library, symbol, ..self.reason("blacklist", demands) });
                }
            }
        }
        rows
    }

    fn judge_libraries(&mut self, demands: &Demands, role: Role) {
        let mut seen = BTreeSet::new();
        let versioned = demands.versions.iter().map(|version| &version.library);
        for name in demands.needed.iter().chain(versioned) {
            if is_dynamic_linker(name) || self.policy.allowed.contains(name) || !seen.insert(name) {
                continue;
            }
            let library = Some(name.clone());
            if is_libpython(name) {
                if role == Role::Library {
                    self.libpython.push(PolicyReason { library, ..self.reason("libpython", demands) });
                }
                continue;
            }
            let reason = PolicyReason { library, ..self.reason("library", demands) };
            // The C library of another family can't be brought along: maturin leaves "libc.*" out of every bundle.
            if name.starts_with("libc.") { self.barriers.push(reason) } else { self.to_bundle.push(reason) }
        }
    }

    /// Counts what an external library `name` needs beyond the policy: versions and black-listed symbols of allowed
    /// libraries (the others lie in the bundle), and another machine.
    pub fn count_external(&mut self, name: &str, demands: &Demands) {
        for demand in too_new(&self.policy, demands, Scope::Artifact) {
            let rows = version_reasons(&self.policy, demands, demand, Some(name), "external_symbol_version");
            self.externals.extend(rows);
        }
        let black_listed = self.black_listed(demands);
        self.externals.extend(black_listed);
        if demands.architecture != self.architecture {
            let library = Some(name.to_string());
            self.externals.push(PolicyReason { library, ..self.reason("architecture", demands) });
        }
    }

    /// Whether an external library with `demands` can do with the policy's symbol versions.
    #[must_use]
    pub fn suits_external(&self, demands: &Demands) -> bool {
        self.policy.versions.is_some() && too_new(&self.policy, demands, Scope::Artifact).is_empty()
    }

    /// The report's rows: what rules the tag out, or one row that it holds. Of thousands of rows of one kind the first
    /// [`MOST_ROWS`] are listed, and a row of the rule `left_out` says how many more there are.
    #[must_use]
    pub fn rows(&self) -> Vec<PolicyReason> {
        let mut rows = Vec::new();
        for all in [&self.barriers, &self.to_bundle, &self.libpython, &self.externals] {
            rows.extend(all.iter().take(MOST_ROWS).cloned());
            if let Some(more) = all.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
                let symbol = Some(format!("{more} more are left out"));
                rows.push(PolicyReason { symbol, ..reason(&self.policy.name, Some("left_out"), None) });
            }
        }
        if rows.is_empty() { vec![reason(&self.policy.name, None, None)] } else { rows }
    }
}

/// A row on `tag`: without a rule, that it holds.
pub(super) fn reason(tag: &str, rule: Option<&str>, demands: Option<&Demands>) -> PolicyReason {
    PolicyReason {
        tag: tag.to_string(),
        ok: rule.is_none(),
        rule: rule.map(str::to_string),
        library: None,
        symbol: None,
        version: None,
        file: demands.map(|demands| demands.file.clone()),
    }
}

/// Whose symbol versions are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The artifact's: a namespace that the policy does not know is too new.
    Artifact,
    /// Every library's, known namespaces only: auditwheel's "symbol tag".
    KnownNamespaces,
}

/// The versions that `policy` does not allow.
pub(super) fn too_new<'a>(policy: &Policy, demands: &'a Demands, scope: Scope) -> Vec<&'a VersionDemand> {
    let Some(allowed) = policy.versions.as_ref().filter(|allowed| !allowed.is_empty()) else { return Vec::new() };
    let judged = |demand: &&VersionDemand| {
        let known_library = scope == Scope::KnownNamespaces || policy.allowed.contains(&demand.library);
        let Some((namespace, version)) = demand.parts() else { return false };
        if is_dynamic_linker(&demand.library) || !known_library {
            return false;
        }
        match allowed.get(namespace) {
            Some(versions) => !versions.contains(version),
            None => scope == Scope::Artifact,
        }
    };
    demands.versions.iter().filter(judged).collect()
}

/// A row for every symbol of `demand`, or one without a symbol. `library` stands in for the library that has the symbol.
fn version_reasons<'a>(
    policy: &'a Policy,
    demands: &'a Demands,
    demand: &'a VersionDemand,
    library: Option<&'a str>,
    rule: &'a str,
) -> impl Iterator<Item = PolicyReason> + 'a {
    let symbols = demand.symbols.iter().map(Some).chain(demand.symbols.is_empty().then_some(None));
    symbols.map(move |symbol| PolicyReason {
        library: Some(library.unwrap_or(&demand.library).to_string()),
        symbol: symbol.cloned(),
        version: Some(demand.version.clone()),
        ..reason(&policy.name, Some(rule), Some(demands))
    })
}
