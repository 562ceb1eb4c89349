//! WW005, symbols newer than the tag allows; WW018, the same in a library that would be bundled; WW006, black-listed symbols.

use super::{finding, quoted};
use crate::engine::report::audit::{ArtifactReport, Finding, PolicyReason, PolicyReport, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// WW005: an error for the tag that was asked for; a note where nobody asked and no tag at all can be had.
pub(super) fn too_new_symbols(report: &ArtifactReport) -> Option<Finding> {
    let (severity, rows) = rows(report.policy.as_ref()?, "symbol_version")?;
    let first = rows.first()?;
    let title = format!("symbols newer than {} allows", first.tag);
    Some(finding("WW005", severity, title, rows.iter().map(|row| demand(row)).collect(), fix(report, first)))
}

/// WW018: as WW005, for the libraries that would be bundled; also a note where one of them demands a newer tag than the
/// artifact itself.
pub(super) fn too_new_libraries(report: &ArtifactReport) -> Option<Finding> {
    const RULE: &str = "external_symbol_version";
    let policy = report.policy.as_ref()?;
    let beyond_artifact = || {
        let of_tag = |row: &&PolicyReason| row.tag == policy.symbol_tag && row.rule.as_deref() == Some(RULE);
        let rows: Vec<&PolicyReason> = policy.reasons.iter().filter(of_tag).collect();
        (policy.requested.is_none() && !rows.is_empty()).then_some((Severity::Note, rows))
    };
    let (severity, rows) = rows(policy, RULE).or_else(beyond_artifact)?;
    let first = rows.first()?;
    let mut groups: BTreeMap<(&str, &str), Vec<&PolicyReason>> = BTreeMap::new();
    for row in &rows {
        let key = (row.library.as_deref().unwrap_or_default(), row.version.as_deref().unwrap_or_default());
        groups.entry(key).or_default().push(row);
    }
    let mut evidence: Vec<String> = groups.iter().map(|(key, rows)| demands(*key, rows)).collect();
    let libraries: BTreeSet<&str> = groups.keys().map(|(library, _)| *library).collect();
    for library in report.external_libs.iter().flatten().filter(|library| libraries.contains(library.name.as_str())) {
        evidence.push(match &library.symbol_ceiling {
            Some(tag) => format!("{} can do with {tag}", library.name),
            None => format!("{} can do with no tag that is known", library.name),
        });
    }
    let names: Vec<&str> = libraries.into_iter().collect();
    let title = match names.as_slice() {
        [one] => format!("{one}, to be bundled, demands more than {} allows", first.tag),
        more => format!("{} libraries to be bundled demand more than {} allows", more.len(), first.tag),
    };
    let which = if names.len() > 3 { "these libraries".to_string() } else { names.join(", ") };
    let mut fix = vec![format!("# take {which} from a system as old as {}, or link statically", first.tag)];
    fix.extend(self::fix(report, first));
    Some(finding("WW018", severity, title, evidence, fix))
}

/// The rows on one version that one library demands: `libdeep.so.2 needs GLIBC_2.34: dlopen and 3 more (in /x/libdeep.so.2)`.
fn demands((library, version): (&str, &str), rows: &[&PolicyReason]) -> String {
    const SHOWN: usize = 6;
    let symbols: Vec<&str> = rows.iter().filter_map(|row| row.symbol.as_deref()).collect();
    let shown = symbols.get(..SHOWN).unwrap_or(&symbols).join(", ");
    let text = match symbols.len().checked_sub(SHOWN) {
        _ if symbols.is_empty() => "no symbol of that version, but the version itself".to_string(),
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    };
    let file = rows.first().map(|row| file(row)).unwrap_or_default();
    format!("{library} needs {version}: {text}{file}")
}

/// A row on a symbol version: `libc.so.6 GLIBC_2.34: dlopen (in /x/liba.so)`.
fn demand(row: &PolicyReason) -> String {
    let version = row.version.as_deref().unwrap_or_default();
    let symbol = row.symbol.as_deref().unwrap_or("no symbol of that version, but the version itself");
    format!("{} {version}: {symbol}{}", row.library.as_deref().unwrap_or_default(), file(row))
}

/// WW006: as WW005, for symbols that an allowed library does not have on every machine of the tag.
pub(super) fn black_listed_symbols(report: &ArtifactReport) -> Option<Finding> {
    let (severity, rows) = rows(report.policy.as_ref()?, "blacklist")?;
    let first = rows.first()?;
    let line = |row: &&PolicyReason| {
        let (library, symbol) = (row.library.as_deref().unwrap_or_default(), row.symbol.as_deref().unwrap_or_default());
        format!("{library}: {symbol}{}", file(row))
    };
    let title = format!("uses symbols that {} does not promise", first.tag);
    let mut fix = fix(report, first);
    fix.insert(0, "# link these libraries statically, or do without the symbols".to_string());
    Some(finding("WW006", severity, title, rows.iter().map(line).collect(), fix))
}

/// The rows of `rule` for the tag that was asked for, or for the newest tag when none can be had.
fn rows<'a>(policy: &'a PolicyReport, rule: &str) -> Option<(Severity, Vec<&'a PolicyReason>)> {
    let (severity, tag) = match policy.requested.as_deref() {
        Some("linux") => return None,
        Some("pypi") => (Severity::Error, newest(policy).filter(|_| policy.tag == "linux")?),
        Some(asked) => (Severity::Error, asked),
        None => (Severity::Note, newest(policy).filter(|_| policy.tag == "linux")?),
    };
    let rows: Vec<_> =
        policy.reasons.iter().filter(|row| row.tag == tag && row.rule.as_deref() == Some(rule)).collect();
    (!rows.is_empty()).then_some((severity, rows))
}

fn newest(policy: &PolicyReport) -> Option<&str> {
    policy.reasons.last().map(|row| row.tag.as_str())
}

fn file(row: &PolicyReason) -> String {
    row.file.as_ref().map(|file| format!(" (in {})", file.display())).unwrap_or_default()
}

fn fix(report: &ArtifactReport, ruled_out: &PolicyReason) -> Vec<String> {
    let tag = report.policy.as_ref().map_or("linux", |policy| policy.tag.as_str());
    let mut fix = Vec::new();
    if tag != "linux" {
        fix.push(format!("# {tag} would do:"));
        fix.push(format!("# wheelwright audit --compatibility {tag} {}", quoted(&report.path)));
    }
    fix.push(format!(
        "# or build on a machine that is as old as {}: in its container, or with zig as the linker",
        ruled_out.tag
    ));
    fix
}
