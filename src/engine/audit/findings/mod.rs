//! The findings on an artifact: what is wrong with it, the evidence, and what mends it.
//!
//! Codes and severities are promised to scripts (README, "Findings"); every code has a page under `assets/findings`. A fix is
//! lines for `sh` that work from any directory, and sentences behind a `#`, so that all of it can be run.

mod answer;
mod cache;
mod edit;
mod editable;
mod hardening;
mod lens;
mod missing;
mod module;
mod processor;
mod runpath;
mod segments;
mod shipped;
mod tag;
mod twins;

use super::Audit;
use crate::engine::repair::{EditRefusal, Mode};
use crate::engine::report::audit::{Finding, Severity, StagingReport};
use std::path::Path;

/// The codes that [`findings`] can give.
pub const CODES: [&str; 22] = [
    "WW001", "WW002", "WW003", "WW004", "WW005", "WW006", "WW009", "WW010", "WW011", "WW012", "WW013", "WW014",
    "WW015", "WW016", "WW017", "WW018", "WW019", "WW022", "WW025", "WW026", "WW027", "WW029",
];

/// What the findings need beyond the audit.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where the artifact's files are.
    pub staging: &'a StagingReport,
    /// Why the planned edits can't be made, if they can't.
    pub refusal: Option<&'a EditRefusal>,
    /// What changed in the artifact since it was staged, if something did; one sentence.
    pub changed: Option<&'a str>,
    /// What the artifact is being made ready for.
    pub mode: Mode,
}

/// The findings, by code and then by title.
#[must_use]
pub fn findings(audit: &Audit, circumstances: &Circumstances<'_>) -> Vec<Finding> {
    let report = &audit.report;
    let staging = circumstances.staging;
    let repaired = cache::already_repaired(report, staging);
    let not_inherited = runpath::not_inherited(audit, staging);
    let mut found: Vec<Finding> = Vec::new();
    found.extend(missing::missing_libraries(report, repaired.is_some(), &not_inherited));
    found.extend(missing::weak_libraries(report));
    found.extend(not_inherited);
    found.extend(repaired);
    found.extend(cache::shared_inode(report, staging));
    found.extend(module::libpython(report));
    found.extend(module::build_machine_paths(report));
    found.extend(module::no_entry_point(report));
    found.extend(editable::cargo_paths(audit, staging, circumstances.mode));
    found.extend(tag::too_new_symbols(report));
    found.extend(tag::too_new_libraries(report));
    found.extend(tag::black_listed_symbols(report));
    found.extend(lens::lens_differences(report));
    found.extend(answer::missing_versions(audit));
    found.extend(answer::wrong_files(audit, staging));
    found.extend(twins::twins(audit));
    found.extend(hardening::executable_stack(audit, staging));
    found.extend(hardening::text_relocations(audit));
    found.extend(segments::misaligned(audit));
    found.extend(processor::beyond_baseline(report));
    found.extend(circumstances.refusal.map(|refusal| edit::does_not_fit(report, refusal)));
    found.extend(circumstances.changed.map(|what| edit::changed(report, what)));
    found.sort_by(|one, other| (&one.code, &one.title).cmp(&(&other.code, &other.title)));
    found
}

fn finding(code: &str, severity: Severity, title: String, evidence: Vec<String>, fix: Vec<String>) -> Finding {
    Finding { code: code.to_string(), severity, title, evidence, fix }
}

/// `path` as one word for `sh`.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::audit::blank;
    use crate::engine::binary::{Format, RunPathTag};
    use crate::engine::project::{Artifact, ArtifactId, LinkedPaths};
    use crate::engine::report::audit::*;
    use std::path::PathBuf;

    fn bare(kind: ArtifactKind) -> Audit {
        let artifact = Artifact {
            id: ArtifactId(0),
            path: PathBuf::from("/p/target/release/libit's.so"),
            loaded_as: PathBuf::from("/p/target/release/libit's.so"),
            name: "libit's.so".into(),
            kind,
            cargo: None,
            linked_paths: LinkedPaths::default(),
            out_directories: Vec::new(),
            expected_entry_point: None,
            names: BundleNames {
                distribution: "its".into(),
                module: "its".into(),
                file_name: "its.so".into(),
                artifact_dir: "its".into(),
                libs_dir: "its.libs".into(),
                defaulted: Vec::new(),
            },
        };
        let mut report = blank::report(&artifact);
        report.format = Some(Format::Elf);
        report.size = Some(1);
        report.slices = vec![SliceReport {
            arch: "x86_64".into(),
            soname: None,
            soname_bytes: None,
            needed: vec!["libc.so.6".into()],
            interpreter: None,
            rpath: RpathReport::default(),
            tree: Some(Tree { nodes: vec![node(0, "libit's.so", NodeRole::Root)], edges: Vec::new() }),
            hardening: None,
            symbols: None,
            instructions: None,
        }];
        Audit { report, binary: None, externals: None, run_path: None, graph: None }
    }

    fn node(id: usize, name: &str, role: NodeRole) -> TreeNode {
        TreeNode { id, name: name.into(), path: None, realpath: None, arch: None, owner: None, role }
    }

    fn need(audit: &mut Audit, name: &str, role: NodeRole, found_by: Option<SearchRule>) {
        let slice = &mut audit.report.slices[0];
        slice.needed.push(name.into());
        let tree = slice.tree.as_mut().unwrap();
        let id = tree.nodes.len();
        tree.nodes.push(node(id, name, role));
        let candidate = Candidate {
            path: PathBuf::from("/opt/lib").join(name),
            rule: SearchRule::Runpath,
            entry: Some("/opt/lib".into()),
            owner: None,
            hwcaps: None,
            rejected: Rejection::Missing,
        };
        tree.edges.push(TreeEdge {
            from: 0,
            needed: name.into(),
            to: id,
            found_by: found_by.map(|rule| FoundBy { rule, entry: None, owner: None, hwcaps: None }),
            candidates: vec![candidate],
            versions_missing: Vec::new(),
            weak: false,
            note: None,
            gave_up: None,
        });
    }

    fn search_path(audit: &mut Audit, literal: &str, exists: Option<bool>) {
        let rpath = &mut audit.report.slices[0].rpath;
        rpath.tag = Some(RunPathTag::Rpath);
        rpath.entries.push(RpathEntry { literal: literal.into(), expanded: None, exists, note: None });
    }

    fn related(path: &str, role: &str, inode: u64, repaired: bool) -> RelatedFile {
        let tie = "inode".to_string();
        RelatedFile { path: path.into(), role: role.into(), tie, device: 1, inode, links: 2, size: 1, repaired }
    }

    fn find(audit: &Audit, staging: &StagingReport) -> Vec<Finding> {
        findings(audit, &Circumstances { staging, refusal: None, changed: None, mode: Mode::Repair })
    }

    fn codes(found: &[Finding]) -> Vec<(&str, Severity)> {
        found.iter().map(|one| (one.code.as_str(), one.severity)).collect()
    }

    #[test]
    fn a_sound_artifact_has_no_findings() {
        let audit = bare(ArtifactKind::Cdylib);
        assert_eq!(find(&audit, &audit.report.staging.clone()), []);
    }

    #[test]
    fn what_maturin_leaves_behind_is_seen_without_the_cargo_output() {
        let mut audit = bare(ArtifactKind::Cdylib);
        audit.report.size = None;
        audit.report.slices.clear();
        let mut staging = audit.report.staging.clone();
        staging.cargo_output = Some(audit.report.path.clone());
        staging.related = vec![
            related("/p/target/maturin/libit's.so", "maturin_staged", 7, true),
            related("/p/target/release/deps/libit's.so", "deps", 7, true),
        ];
        let found = find(&audit, &staging);
        assert_eq!(codes(&found), [("WW001", Severity::Error), ("WW002", Severity::Note)]);
        for path in ["/p/target/maturin/libit's.so", "/p/target/release/deps/libit's.so"] {
            assert!(found[0].evidence.iter().any(|line| *line == format!("{path}: device 1, inode 7, links 2")));
            assert!(found[1].evidence.iter().any(|line| line.starts_with(path)));
        }
        assert!(found[0].evidence.iter().any(|line| line.ends_with("is gone, and cargo believes it fresh")));
        let line = found[0].fix.iter().find(|line| !line.starts_with('#')).unwrap();
        assert_eq!(
            line,
            r"rm -f '/p/target/maturin/libit'\''s.so' '/p/target/release/deps/libit'\''s.so' '/p/target/release/libit'\''s.so'"
        );
        // maturin's own staged file is meant to be patched.
        staging.related.retain(|file| file.role == "maturin_staged");
        assert_eq!(codes(&find(&audit, &staging)), [("WW002", Severity::Note)]);
    }

    #[test]
    fn a_repaired_file_is_at_fault_only_without_its_libraries() {
        let mut audit = bare(ArtifactKind::Extension);
        need(&mut audit, "libgreet-47542e49.so.1", NodeRole::Allowed, Some(SearchRule::Rpath));
        search_path(&mut audit, "$ORIGIN/../its.libs", Some(true));
        let mut staging = audit.report.staging.clone();
        assert_eq!(find(&audit, &staging), []);
        staging.cargo_output = Some(audit.report.path.clone());
        assert_eq!(codes(&find(&audit, &staging)), [("WW001", Severity::Error)]);
        staging.cargo_output = None;
        audit.report.slices[0].tree.as_mut().unwrap().nodes[1].role = NodeRole::Missing;
        let found = find(&audit, &staging);
        assert_eq!(codes(&found), [("WW001", Severity::Error)], "the missing grafted name is not told twice");
        assert!(found[0].evidence[0].contains("libgreet-47542e49.so.1"));
        assert!(found[0].fix.iter().all(|line| line.starts_with('#')));
    }

    #[test]
    fn a_search_path_of_the_linkers_own_is_no_repair() {
        let mut audit = bare(ArtifactKind::Cdylib);
        search_path(&mut audit, "$ORIGIN/../its.libs", Some(false));
        let mut staging = audit.report.staging.clone();
        staging.cargo_output = Some(audit.report.path.clone());
        assert_eq!(find(&audit, &staging), []);
    }

    #[test]
    fn a_missing_library_says_where_it_was_sought() {
        let mut audit = bare(ArtifactKind::Cdylib);
        need(&mut audit, "libmissing.so.3", NodeRole::Missing, None);
        let found = find(&audit, &audit.report.staging.clone());
        assert_eq!(codes(&found), [("WW003", Severity::Error)]);
        let sought = "sought 1: RUNPATH /opt/lib: /opt/lib/libmissing.so.3: no such file";
        assert_eq!(found[0].evidence, ["needed by libit's.so", sought]);
        let missing = PathBuf::from("/elsewhere/libmissing.so.3");
        audit.report.lens_differences = Some(vec![LensDifference {
            name: "libmissing.so.3".into(),
            loader: None,
            lddtree: Some(missing),
            why: String::new(),
        }]);
        let found = find(&audit, &audit.report.staging.clone());
        assert_eq!(codes(&found), [("WW003", Severity::Note), ("WW009", Severity::Note)]);
        assert!(found[1].fix.iter().any(|line| line.contains("WW003")), "the second points to the first");
        audit.report.lens_differences = None;
        audit.report.slices[0].tree.as_mut().unwrap().edges[0].weak = true;
        assert_eq!(find(&audit, &audit.report.staging.clone()), []);
    }

    #[test]
    fn a_linked_path_is_a_note() {
        let mut audit = bare(ArtifactKind::Cdylib);
        need(&mut audit, "libgreet.so.1", NodeRole::External, Some(SearchRule::LinkedPath));
        assert_eq!(codes(&find(&audit, &audit.report.staging.clone())), [("WW003", Severity::Note)]);
    }

    #[test]
    fn libpython_is_an_error_for_extensions_only() {
        let mut audit = bare(ArtifactKind::Cdylib);
        audit.report.slices[0].needed.push("libpython3.11.so.1.0".into());
        assert_eq!(codes(&find(&audit, &audit.report.staging.clone())), [("WW004", Severity::Error)]);
        audit.report.kind = ArtifactKind::Bin;
        assert_eq!(find(&audit, &audit.report.staging.clone()), []);
    }

    #[test]
    fn symbols_weigh_by_whether_a_tag_was_asked_for() {
        let mut audit = bare(ArtifactKind::Cdylib);
        let row = |tag: &str, rule: &str, symbol: &str| PolicyReason {
            tag: tag.into(),
            ok: false,
            rule: Some(rule.into()),
            library: Some("libc.so.6".into()),
            symbol: Some(symbol.into()),
            version: Some("GLIBC_2.99".into()),
            file: Some(PathBuf::from("/p/a.so")),
        };
        let reasons = ["manylinux_2_5", "manylinux_2_41"]
            .into_iter()
            .flat_map(|tag| [row(tag, "symbol_version", "newest"), row(tag, "blacklist", "gzflags")]);
        let policy = |tag: &str, requested: Option<&str>| PolicyReport {
            tag: tag.into(),
            symbol_tag: "linux".into(),
            requested: requested.map(str::to_string),
            reasons: reasons.clone().collect(),
            reach: None,
        };
        for (tag, requested, expected) in [
            ("linux", None, Some(Severity::Note)),
            ("linux", Some("manylinux_2_5"), Some(Severity::Error)),
            ("linux", Some("pypi"), Some(Severity::Error)),
            ("linux", Some("linux"), None),
            ("manylinux_2_41", None, None),
        ] {
            audit.report.policy = Some(policy(tag, requested));
            let found = find(&audit, &audit.report.staging.clone());
            let expected: Vec<_> =
                expected.into_iter().flat_map(|severity| [("WW005", severity), ("WW006", severity)]).collect();
            assert_eq!(codes(&found), expected, "{tag} {requested:?}");
        }
        audit.report.policy = Some(policy("manylinux_2_38", Some("manylinux_2_5")));
        let found = find(&audit, &audit.report.staging.clone());
        assert_eq!(found[0].evidence, ["libc.so.6 GLIBC_2.99: newest (in /p/a.so)"]);
        assert!(found[0].fix.iter().any(|line| line.contains("--compatibility manylinux_2_38")));
    }

    #[test]
    fn build_machine_paths_and_entry_points() {
        let mut audit = bare(ArtifactKind::Cdylib);
        search_path(&mut audit, "/home/me/lib", Some(true));
        search_path(&mut audit, "$ORIGIN/../x", None);
        audit.report.entry_points =
            Some(EntryPoints { expected: Some("one".into()), found: vec!["PyInit_two".into()] });
        let found = find(&audit, &audit.report.staging.clone());
        assert_eq!(codes(&found), [("WW011", Severity::Warning), ("WW012", Severity::Error)]);
        assert_eq!(found[0].evidence, ["\"/home/me/lib\" is an absolute path of the build machine; it exists here"]);
        assert!(found[1].evidence[0].ends_with("exports PyInit_two"));
        assert!(found[1].fix.iter().any(|line| line.contains("in two")));
    }

    #[test]
    fn what_the_caller_knows_becomes_findings() {
        let audit = bare(ArtifactKind::Cdylib);
        let refusal = EditRefusal {
            reason: "the header pad is too small".into(),
            way_out: "link with -headerpad_max_install_names".into(),
            need: Some(56),
            room: Some(32),
        };
        let staging = audit.report.staging.clone();
        let circumstances = Circumstances {
            staging: &staging,
            refusal: Some(&refusal),
            changed: Some("another inode"),
            mode: Mode::Repair,
        };
        let found = findings(&audit, &circumstances);
        assert_eq!(codes(&found), [("WW019", Severity::Error), ("WW026", Severity::Error)]);
        assert!(found[0].evidence.contains(&"needed: 56 bytes".to_string()));
    }

    #[test]
    fn a_date_in_a_name_is_no_repair() {
        let mut audit = bare(ArtifactKind::Cdylib);
        need(&mut audit, "libfoo-20240101.so", NodeRole::Allowed, Some(SearchRule::Default));
        let mut staging = audit.report.staging.clone();
        staging.cargo_output = Some(audit.report.path.clone());
        assert_eq!(find(&audit, &staging), []);
    }
}
