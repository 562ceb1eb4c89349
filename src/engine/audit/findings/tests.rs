//! The findings on reports that are made up; files that are built stand in `tests/findings`.

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
    Audit { report, binary: None, externals: None, run_path: None, graph: None, sysroot: None }
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
    audit.report.entry_points = Some(EntryPoints { expected: Some("one".into()), found: vec!["PyInit_two".into()] });
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

#[test]
fn an_external_library_that_is_newer_than_the_artifact_is_told() {
    let mut audit = bare(ArtifactKind::Cdylib);
    let row = |tag: &str, symbol: String| PolicyReason {
        tag: tag.into(),
        ok: false,
        rule: Some("external_symbol_version".into()),
        library: Some("libdeep.so.2".into()),
        symbol: Some(symbol),
        version: Some("GLIBC_2.34".into()),
        file: Some(PathBuf::from("/p/libdeep.so.2")),
    };
    let reasons = |tag: &'static str| (0..9).map(move |number| row(tag, format!("s{number}")));
    let policy = |requested: Option<&str>| PolicyReport {
        tag: "manylinux_2_34".into(),
        symbol_tag: "manylinux_2_17".into(),
        requested: requested.map(str::to_string),
        reasons: reasons("manylinux_2_17").chain(reasons("manylinux_2_28")).collect(),
        reach: None,
    };
    audit.report.external_libs = Some(vec![ExternalLibrary {
        name: "libdeep.so.2".into(),
        realpath: Some("/p/libdeep.so.2".into()),
        grafted_name: None,
        aliases: Vec::new(),
        symbol_ceiling: Some("manylinux_2_34".into()),
        owner: None,
    }]);
    for (requested, expected, tag) in [
        (None, Some(Severity::Note), "manylinux_2_17"),
        (Some("manylinux_2_28"), Some(Severity::Error), "manylinux_2_28"),
        (Some("manylinux_2_34"), None, ""),
        (Some("linux"), None, ""),
        (Some("pypi"), None, ""),
    ] {
        audit.report.policy = Some(policy(requested));
        let found = find(&audit, &audit.report.staging.clone());
        assert_eq!(codes(&found), expected.map(|severity| ("WW018", severity)).into_iter().collect::<Vec<_>>());
        if let Some(one) = found.first() {
            assert_eq!(one.title, format!("libdeep.so.2, to be bundled, demands more than {tag} allows"));
            let demand = "libdeep.so.2 needs GLIBC_2.34: s0, s1, s2, s3, s4, s5 and 3 more (in /p/libdeep.so.2)";
            assert_eq!(one.evidence, [demand, "libdeep.so.2 can do with manylinux_2_34"]);
        }
    }
}

#[test]
fn what_follows_from_a_difference_is_told_with_it() {
    let mut audit = bare(ArtifactKind::Cdylib);
    need(&mut audit, "liba.so", NodeRole::Allowed, Some(SearchRule::LdSoCache));
    need(&mut audit, "libb.so", NodeRole::Allowed, Some(SearchRule::LdSoCache));
    audit.report.slices[0].tree.as_mut().unwrap().edges[1].from = 1;
    let difference = |name: &str, loader: Option<&str>, lddtree: Option<&str>| LensDifference {
        name: name.into(),
        loader: loader.map(PathBuf::from),
        lddtree: lddtree.map(PathBuf::from),
        why: format!("why of {name}"),
    };
    audit.report.lens_differences =
        Some(vec![difference("liba.so", Some("/c/liba.so"), None), difference("libb.so", Some("/c/libb.so"), None)]);
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(codes(&found), [("WW009", Severity::Note)]);
    let evidence = [
        "liba.so is needed by libit's.so",
        "the loader: /c/liba.so",
        "lddtree, by which a repair goes: found nowhere",
        "the reason: why of liba.so",
        "so it is with libb.so, which is needed from there: /c/libb.so",
    ];
    assert_eq!(found[0].evidence, evidence);
    // Also where the loader calls the first by the path that it filled in.
    audit.report.slices[0].tree.as_mut().unwrap().nodes[1].name = "/c/liba.so".into();
    assert_eq!(find(&audit, &audit.report.staging.clone()).len(), 1);
    // Once the artifact itself needs the second, it is a case of its own.
    audit.report.slices[0].tree.as_mut().unwrap().edges[1].from = 0;
    assert_eq!(find(&audit, &audit.report.staging.clone()).len(), 2);
    // Names that the loader never comes to are one note, or stand with the one library that they must be behind.
    let differences = audit.report.lens_differences.as_mut().unwrap();
    *differences = vec![difference("liba.so", Some("/c/liba.so"), Some("/d/liba.so"))];
    differences.extend(["libc1.so", "libc2.so"].map(|name| difference(name, None, Some("/d/x.so"))));
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(codes(&found), [("WW009", Severity::Note), ("WW009", Severity::Error)]);
    assert_eq!(found[0].title, "lddtree goes on to 2 libraries that the loader does not come to");
    audit.report.lens_differences.as_mut().unwrap()[0].loader = None;
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(codes(&found), [("WW009", Severity::Note)]);
    assert_eq!(found[0].evidence.len(), 6);
}

#[test]
fn a_delayed_library_may_be_missing_and_is_told() {
    let mut audit = bare(ArtifactKind::Cdylib);
    need(&mut audit, "late.dll", NodeRole::Missing, None);
    let edge = |audit: &mut Audit, weak| audit.report.slices[0].tree.as_mut().unwrap().edges[0].weak = weak;
    for (format, weak, expected) in [
        (Format::Pe, true, Some(("WW029", Severity::Warning))),
        (Format::Pe, false, Some(("WW003", Severity::Error))),
        (Format::MachO, true, Some(("WW029", Severity::Warning))),
        (Format::Elf, true, None),
    ] {
        audit.report.format = Some(format);
        edge(&mut audit, weak);
        let found = find(&audit, &audit.report.staging.clone());
        assert_eq!(codes(&found), expected.into_iter().collect::<Vec<_>>(), "{format:?} {weak}");
    }
    audit.report.format = Some(Format::Pe);
    edge(&mut audit, true);
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(found[0].evidence[0], "needed by libit's.so, delay-loaded");
    assert!(found[0].evidence[1].contains("/opt/lib/late.dll: no such file"));
}

#[test]
fn instructions_are_told_only_where_they_were_looked_for() {
    let mut audit = bare(ArtifactKind::Cdylib);
    let function = FunctionUse {
        name: Some("sum".into()),
        address: 0x1000,
        instructions: 3,
        first: 0x1004,
        example: "vpaddd".into(),
    };
    let avx2 = FeatureUse {
        feature: "AVX2".into(),
        level: Some("x86-64-v3".into()),
        instructions: 1200,
        functions_total: 1,
        functions: vec![function],
    };
    let mut seen = InstructionsReport { baseline: "x86-64".into(), bytes_decoded: 9, ..Default::default() };
    audit.report.slices[0].instructions = Some(seen.clone());
    assert_eq!(find(&audit, &audit.report.staging.clone()), []);
    seen.features.push(avx2.clone());
    seen.level = Some("x86-64-v3".into());
    audit.report.slices[0].instructions = Some(seen.clone());
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(codes(&found), [("WW025", Severity::Note)]);
    assert_eq!(found[0].title, "contains instructions of x86-64-v3");
    let path = "/p/target/release/libit's.so";
    let line = "AVX2 (x86-64-v3): 1 200 instructions in 1 function, first vpaddd at 0x1004 in sum";
    assert_eq!(found[0].evidence, [format!("{path} (x86_64): {line}")]);
    seen.level = None;
    seen.features.push(FeatureUse { feature: "SHA".into(), level: None, ..avx2 });
    audit.report.slices[0].instructions = Some(seen.clone());
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(found[0].title, "contains instructions of 2 features that x86-64 does not have");
    assert!(found[0].evidence[1].contains("SHA (of no level): "));
    seen.features.clear();
    seen.marked = Some("x86-64-v2".into());
    audit.report.slices[0].instructions = Some(seen);
    assert_eq!(find(&audit, &audit.report.staging.clone())[0].title, "is marked as needing x86-64-v2");
}

#[test]
fn two_libraries_to_be_bundled_under_one_name() {
    let mut audit = bare(ArtifactKind::Cdylib);
    let library = |name: &str, aliases: &[&str]| ExternalLibrary {
        name: name.into(),
        realpath: Some(PathBuf::from(format!("/real{name}"))),
        grafted_name: Some(format!("libx-{}.so", name.len())),
        aliases: aliases.iter().map(|name| (*name).to_string()).collect(),
        symbol_ceiling: None,
        owner: None,
    };
    audit.report.external_libs = Some(vec![library("/a/libx.so", &["libx.so"]), library("liby.so", &[])]);
    assert_eq!(find(&audit, &audit.report.staging.clone()), [], "a name and its alias are one library");
    audit.report.external_libs = Some(vec![library("/a/libx.so", &[]), library("/bb/libx.so", &[])]);
    let found = find(&audit, &audit.report.staging.clone());
    assert_eq!(codes(&found), [("WW017", Severity::Warning)]);
    assert_eq!(found[0].title, "2 different files would be bundled for libx.so");
    assert_eq!(found[0].evidence[0], "/real/a/libx.so, needed as /a/libx.so, would be bundled as libx-10.so");
}
