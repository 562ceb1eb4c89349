//! The tag of several artifacts that will lie in one wheel, as they stand: before a repair bundles anything.
//!
//! It follows from the artifacts' own reports. A library that the set itself brings, by file name or SONAME, is inside; any
//! other that a tag doesn't list rules the tag out, as for `auditwheel show`.

use super::policy::{Family, names};
use crate::engine::report::audit::{ArtifactReport, PolicyReason, PolicyReport};
use std::collections::BTreeSet;

/// The tags of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetTags {
    /// The tag for most machines that every artifact can bear as it stands; `linux` when there is none.
    pub tag: String,
    /// The same by symbol versions alone.
    pub symbol_tag: String,
}

/// The tags of all `reports` together; `None` when no policy applies to any of them, or one can't be judged.
#[must_use]
pub fn set_tags(reports: &[ArtifactReport]) -> Option<SetTags> {
    if reports.iter().any(|report| report.error.is_some()) {
        return None;
    }
    let inside = inside(reports);
    let judged: Vec<Member<'_>> = reports.iter().filter_map(|report| Member::of(report, &inside)).collect();
    if judged.is_empty() {
        return None;
    }
    let architectures: BTreeSet<&str> = judged.iter().map(|member| member.architecture).collect();
    let first = |holds: &dyn Fn(&Member<'_>, &str) -> bool| {
        let mut all = candidates(&judged).into_iter();
        let tag = all.find(|tag| judged.iter().all(|member| holds(member, tag))).filter(|_| architectures.len() == 1);
        tag.unwrap_or("linux").to_string()
    };
    Some(SetTags {
        tag: first(&|member, tag| member.bears(tag)),
        symbol_tag: first(&|member, tag| member.bears_symbols(tag)),
    })
}

/// The names under which the set's own files can be needed.
fn inside(reports: &[ArtifactReport]) -> BTreeSet<&str> {
    let sonames = reports.iter().flat_map(|report| report.slices.iter().filter_map(|slice| slice.soname.as_deref()));
    reports.iter().map(|report| report.name.as_str()).chain(sonames).collect()
}

/// The tags among which one is chosen, that for most machines first. Nothing tells musl's tags apart: the newest is taken.
fn candidates(judged: &[Member<'_>]) -> Vec<&'static str> {
    let is_musl = |member: &Member<'_>| member.needs_libc && member.family == Family::Musllinux;
    let family = match judged.iter().find(|member| member.needs_libc).or(judged.first()) {
        _ if judged.iter().any(is_musl) => Family::Musllinux,
        Some(member) => member.family,
        None => Family::Manylinux,
    };
    let all: Vec<&str> = names(family).into_iter().map(|(name, _)| name).collect();
    match family {
        Family::Musllinux => all.last().copied().into_iter().collect(),
        Family::Manylinux => all,
    }
}

/// One artifact with a policy.
struct Member<'a> {
    policy: &'a PolicyReport,
    inside: &'a BTreeSet<&'a str>,
    architecture: &'a str,
    family: Family,
    /// Whether it needs a C library, so that only that library's tags are for it.
    needs_libc: bool,
}

impl<'a> Member<'a> {
    fn of(report: &'a ArtifactReport, inside: &'a BTreeSet<&'a str>) -> Option<Self> {
        let (policy, slice) = (report.policy.as_ref()?, report.slices.first()?);
        let is_musl = policy.reasons.first().is_some_and(|row| row.tag.starts_with("musllinux"));
        let is_libc = |name: &String| name.starts_with("libc.");
        Some(Self {
            policy,
            inside,
            architecture: &slice.arch,
            family: if is_musl { Family::Musllinux } else { Family::Manylinux },
            needs_libc: slice.interpreter.is_some() || slice.needed.iter().any(is_libc),
        })
    }

    /// Whether it can bear `tag` with the set's libraries beside it.
    fn bears(&self, tag: &str) -> bool {
        self.holds(tag, &|row| row.ok || row.library.as_deref().is_some_and(|name| self.inside.contains(name)))
    }

    /// Whether its symbol versions suffice for `tag`.
    fn bears_symbols(&self, tag: &str) -> bool {
        let order: Vec<&str> = [Family::Manylinux, Family::Musllinux]
            .into_iter()
            .flat_map(|family| names(family).into_iter().map(|(name, _)| name))
            .collect();
        let place = |tag: &str| order.iter().position(|name| *name == tag);
        let is_foreign = self.is_foreign(tag);
        match (place(&self.policy.symbol_tag), place(tag)) {
            _ if is_foreign => !self.needs_libc,
            (Some(own), Some(asked)) => own <= asked,
            _ => false,
        }
    }

    /// Whether `tag` is for another C library than the one that the artifact was judged for.
    fn is_foreign(&self, tag: &str) -> bool {
        !names(self.family).iter().any(|(name, _)| *name == tag)
    }

    /// Whether every row on `tag` passes. What needs no C library is judged by its own family's rows on every tag.
    fn holds(&self, tag: &str, passes: &dyn Fn(&PolicyReason) -> bool) -> bool {
        let own = if self.is_foreign(tag) {
            if self.needs_libc {
                return false;
            }
            self.policy.reasons.last().map_or("", |row| row.tag.as_str())
        } else {
            tag
        };
        // What libraries that would be bundled need is no matter of the set as it stands: those inside speak for themselves.
        let counts = |row: &&PolicyReason| row.tag == own && row.rule.as_deref() != Some("external_symbol_version");
        let mut rows = self.policy.reasons.iter().filter(counts).peekable();
        rows.peek().is_some() && rows.all(passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn row(tag: &str, rule: Option<&str>, library: Option<&str>) -> Value {
        json!({"tag": tag, "ok": rule.is_none(), "rule": rule, "library": library, "symbol": null, "version": null, "file": null})
    }

    fn policy(symbol_tag: &str, reasons: Vec<Value>) -> PolicyReport {
        let document =
            json!({"tag": symbol_tag, "symbol_tag": symbol_tag, "requested": null, "reasons": reasons, "reach": null});
        serde_json::from_value(document).unwrap()
    }

    fn member<'a>(policy: &'a PolicyReport, inside: &'a BTreeSet<&'a str>, needs_libc: bool) -> Member<'a> {
        let family = if policy.symbol_tag.starts_with("musl") { Family::Musllinux } else { Family::Manylinux };
        Member { policy, inside, architecture: "x86_64", family, needs_libc }
    }

    #[test]
    fn a_library_of_the_set_is_inside() {
        let policy = policy("manylinux_2_17", vec![row("manylinux_2_17", Some("library"), Some("liba-1.so"))]);
        let (with, without) = (BTreeSet::from(["liba-1.so"]), BTreeSet::new());
        assert!(member(&policy, &with, true).bears("manylinux_2_17"));
        assert!(!member(&policy, &without, true).bears("manylinux_2_17"));
        assert!(!member(&policy, &with, true).bears("manylinux_2_28"), "no row says so");
    }

    #[test]
    fn symbols_of_an_older_tag_do_for_a_newer_one() {
        let (policy, inside) = (policy("manylinux_2_17", vec![row("manylinux_2_17", None, None)]), BTreeSet::new());
        let member = member(&policy, &inside, true);
        assert!(member.bears_symbols("manylinux_2_17") && member.bears_symbols("manylinux_2_28"));
        assert!(!member.bears_symbols("manylinux_2_5") && !member.bears_symbols("musllinux_1_2"));
    }

    #[test]
    fn what_needs_no_libc_fits_either_family() {
        let glibc = policy("manylinux_2_5", vec![row("manylinux_2_5", None, None)]);
        let musl = policy("musllinux_1_2", vec![row("musllinux_1_2", None, None)]);
        let inside = BTreeSet::new();
        let judged = [member(&glibc, &inside, false), member(&musl, &inside, true)];
        assert_eq!(candidates(&judged), ["musllinux_1_2"]);
        assert!(judged.iter().all(|member| member.bears("musllinux_1_2") && member.bears_symbols("musllinux_1_2")));
        assert!(!member(&glibc, &inside, true).bears("musllinux_1_2"));
    }
}
