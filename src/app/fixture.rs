//! Sessions made up for the tests of the screen, shaped like the demo lab.

use super::features::TerminalFeatures;
use super::panel::{Focus, Panel};
use super::receive::{self, WorkerEvent};
use super::state::{Compared, HexWindow, State};
use super::{filter, jobs};
use crate::engine::binary::{Format, RunPathTag};
use crate::engine::project::ArtifactId;
use crate::engine::report::audit::*;
use crate::engine::report::diff::{DiffDocument, Run, RunKind, StructureChange};
use crate::engine::report::plan::{PlannedEffect, Refusal, Step};
use crate::engine::stage::{ArtifactSnapshot, LogEntry, Snapshot, SnapshotStep};
use ratatui::layout::Size;
use std::path::PathBuf;
use std::sync::Arc;

/// A terminal that shows everything.
pub const RICH: TerminalFeatures = TerminalFeatures { color: true, unicode: true };
/// A terminal that shows ASCII without colour.
pub const POOR: TerminalFeatures = TerminalFeatures { color: false, unicode: false };

const TARGET: &str = "/home/ada/lab/target/release";
const STAGING: &str = "/home/ada/lab/target/wheelwright/release";

/// The artifacts' places in the fixture.
pub const LABEXT: usize = 0;
pub const BROKEN: usize = 3;
pub const MAC: usize = 4;
pub const TRUNCATED: usize = 5;
pub const PATCHED: usize = 6;

/// A state with the lab's artifacts, nothing running, at `width` x `height`.
pub fn state(width: u16, height: u16) -> State {
    let mut state = State::new(Arc::new(snapshot()), Size { width, height });
    state.audited = state.snapshot.artifacts.iter().map(|artifact| artifact.id).collect();
    filter::refresh(&mut state);
    receive::receive(&mut state, WorkerEvent::Snapshot(Arc::new(snapshot())));
    state.jobs = jobs::Jobs::default();
    state
}

/// The same with `artifact` chosen and `panel` shown.
pub fn showing(artifact: usize, panel: Panel, width: u16, height: u16) -> State {
    let mut state = state(width, height);
    super::update::choose_artifact(&mut state, |state, total, height| state.artifacts.choose(artifact, total, height));
    state.panel = Some(panel);
    state.focus = Focus::Panel;
    if panel == Panel::Bytes {
        state.compared = Some(compared(artifact));
    }
    super::update::finish(&mut state, Vec::new());
    state.jobs = jobs::Jobs::default();
    state
}

/// The session.
pub fn snapshot() -> Snapshot {
    let artifacts = vec![
        labext(),
        artifact(1, "libclean.so", ArtifactKind::Cdylib, StagingState::Renamed, Some(clean_report())),
        artifact(2, "labtool", ArtifactKind::Bin, StagingState::NotStaged, Some(tool_report())),
        artifact(BROKEN, "libbroken.so", ArtifactKind::Cdylib, StagingState::NotStaged, Some(broken_report())),
        artifact(MAC, "libmaclab.dylib", ArtifactKind::Library, StagingState::Mirrored, Some(mac_report())),
        artifact(TRUNCATED, "truncated.so", ArtifactKind::Library, StagingState::NotStaged, Some(truncated_report())),
        patched(),
        artifact(7, "labwin.pyd", ArtifactKind::Extension, StagingState::NotStaged, None),
    ];
    Snapshot {
        title: "labext 0.1.0".into(),
        profile: Some("release".into()),
        mode: "repair".into(),
        artifacts,
        log: vec![
            log(0, false, "stage: renamed to staging, 402 names kept"),
            log(0, false, "graft: libgreet-47542e49.so.1 and libdeep-845b8c15.so.2 written, 31 KiB"),
            log(3, true, "audit: libmissing.so.3 is found nowhere"),
            LogEntry { artifact: None, failed: false, text: "cargo build-directory lock taken".into() },
        ],
        read_only: None,
        notes: vec!["no pyproject.toml: names are defaults".into()],
    }
}

fn log(artifact: usize, failed: bool, text: &str) -> LogEntry {
    LogEntry { artifact: Some(ArtifactId(artifact)), failed, text: text.into() }
}

fn staging(name: &str, state: StagingState) -> StagingReport {
    let staged = (state != StagingState::NotStaged).then(|| PathBuf::from(format!("{STAGING}/{name}")));
    StagingReport {
        state,
        edited: false,
        cargo_output: Some(PathBuf::from(format!("{TARGET}/{name}"))),
        staged,
        device: Some(2049),
        inode: Some(1_313_572),
        links: Some(3),
        aliases: vec![PathBuf::from(format!("{TARGET}/deps/{name}"))],
        aliases_elsewhere: 1,
        related: vec![RelatedFile {
            path: PathBuf::from(format!("/home/ada/lab/target/maturin/{name}")),
            role: "maturin_staged".into(),
            tie: "build_id".into(),
            device: 2049,
            inode: 1_313_590,
            links: 1,
            size: 533_504,
            repaired: true,
        }],
    }
}

fn artifact(
    id: usize,
    name: &str,
    kind: ArtifactKind,
    state: StagingState,
    report: Option<ArtifactReport>,
) -> ArtifactSnapshot {
    let staged = state != StagingState::NotStaged;
    ArtifactSnapshot {
        id: ArtifactId(id),
        path: PathBuf::from(format!("{TARGET}/{name}")),
        name: name.into(),
        kind,
        report: report.map(Arc::new),
        staging: staging(name, state),
        done: staged.then_some(Step::Predict),
        next: Some(if staged { Step::CopyBack } else { Step::Stage }),
        steps: Arc::new(steps(name, if staged { 4 } else { 0 })),
    }
}

fn labext() -> ArtifactSnapshot {
    artifact(LABEXT, "liblabext.so", ArtifactKind::Cdylib, StagingState::Renamed, Some(labext_report()))
}

fn patched() -> ArtifactSnapshot {
    let mut report = labext_report();
    report.name = "libagain.so".into();
    report.path = PathBuf::from(format!("{TARGET}/libagain.so"));
    let mut artifact = artifact(PATCHED, "libagain.so", ArtifactKind::Cdylib, StagingState::Patched, Some(report));
    artifact.staging.edited = true;
    artifact.done = Some(Step::Patch);
    artifact.next = Some(Step::Verify);
    artifact.steps = Arc::new(steps("libagain.so", 6));
    artifact
}

/// One planned effect.
pub fn effect(kind: &str, path: &str, to: Option<&str>, writes: u64, why: &str) -> PlannedEffect {
    PlannedEffect {
        kind: kind.into(),
        artifact: None,
        path: path.into(),
        to: to.map(PathBuf::from),
        detail: None,
        reads: writes,
        writes,
        why: why.into(),
    }
}

fn steps(name: &str, done: usize) -> Vec<SnapshotStep> {
    let output = format!("{TARGET}/{name}");
    let staged = format!("{STAGING}/{name}");
    let private = format!("{STAGING}/{name}.private");
    let mut edit = effect("edit", &staged, None, 12_288, "the grafted names must be asked for");
    edit.detail = Some("NEEDED 1: libgreet.so.1 → libgreet-47542e49.so.1; RPATH: → $ORIGIN/../labext.libs".into());
    let effects = [
        vec![effect("rename", &output, Some(&staged), 0, "a build beside us must not find a half-edited file")],
        Vec::new(),
        vec![effect(
            "reflink_or_copy",
            "/opt/lab/lib/libgreet.so.1.0.0",
            Some("/home/ada/lab/target/wheelwright/bundle/labext.libs/libgreet-47542e49.so.1"),
            15_904,
            "external by the lddtree lens: it lies outside the policy's list",
        )],
        Vec::new(),
        vec![
            effect("reflink_or_copy", &staged, Some(&private), 533_504, "the file to be edited must be ours alone"),
            effect("link", &staged, Some(&output), 0, "cargo gets its own inode back, mtime and all"),
            effect("rename", &private, Some(&staged), 0, "the private copy takes the staged name"),
        ],
        vec![edit],
        Vec::new(),
        vec![effect("symlink", &staged, Some(&output), 0, "the bundle names the edited file")],
    ];
    let numbered = Step::ALL.into_iter().zip(effects).enumerate();
    numbered
        .map(|(place, (step, effects))| SnapshotStep {
            step,
            done: place < done,
            effects,
            refusal: None,
            notes: Vec::new(),
        })
        .collect()
}

fn report(name: &str, kind: ArtifactKind, format: Format, size: u64) -> ArtifactReport {
    ArtifactReport {
        path: PathBuf::from(format!("{TARGET}/{name}")),
        path_bytes: None,
        container: None,
        member: None,
        name: name.into(),
        kind,
        format: Some(format),
        size: Some(size),
        sha256: None,
        error: None,
        slices: Vec::new(),
        lens_differences: Some(Vec::new()),
        external_libs: Some(Vec::new()),
        policy: None,
        entry_points: None,
        dlopen: None,
        staging: staging(name, StagingState::NotStaged),
        will_patch: WillPatch::default(),
        findings: Vec::new(),
        names: None,
        linked_paths: LinkedPathsReport::default(),
    }
}

fn slice(arch: &str, needed: &[&str], tree: Tree) -> SliceReport {
    SliceReport {
        arch: arch.into(),
        soname: None,
        soname_bytes: None,
        needed: needed.iter().map(|name| (*name).into()).collect(),
        interpreter: None,
        rpath: RpathReport::default(),
        tree: Some(tree),
        hardening: None,
    }
}

fn node(id: usize, name: &str, path: Option<&str>, role: NodeRole) -> TreeNode {
    TreeNode {
        id,
        name: name.into(),
        path: path.map(PathBuf::from),
        realpath: path.map(PathBuf::from),
        arch: path.map(|_| "x86_64".into()),
        owner: None,
        role,
    }
}

fn edge(from: usize, needed: &str, to: usize, rule: Option<SearchRule>) -> TreeEdge {
    TreeEdge {
        from,
        needed: needed.into(),
        to,
        found_by: rule.map(|rule| FoundBy { rule, entry: None, owner: None, hwcaps: None }),
        candidates: Vec::new(),
        versions_missing: Vec::new(),
        weak: false,
    }
}

/// The report of the artifact with two libraries to graft.
pub fn labext_report() -> ArtifactReport {
    let mut deep = edge(1, "libdeep.so.2", 2, Some(SearchRule::Runpath));
    if let Some(found) = &mut deep.found_by {
        found.entry = Some("$ORIGIN".into());
        found.owner = Some("libgreet.so.1".into());
    }
    let mut greet = edge(0, "libgreet.so.1", 1, Some(SearchRule::LinkedPath));
    greet.candidates = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"]
        .map(|directory| Candidate {
            path: PathBuf::from(format!("{directory}/libgreet.so.1")),
            rule: SearchRule::Default,
            entry: None,
            rejected: Rejection::Missing,
        })
        .into();
    let tree = Tree {
        nodes: vec![
            node(0, "liblabext.so", Some("/home/ada/lab/target/release/liblabext.so"), NodeRole::Root),
            node(1, "libgreet.so.1", Some("/opt/lab/lib/libgreet.so.1"), NodeRole::External),
            node(2, "libdeep.so.2", Some("/opt/lab/lib/libdeep.so.2"), NodeRole::External),
            node(3, "libc.so.6", Some("/lib/x86_64-linux-gnu/libc.so.6"), NodeRole::Allowed),
            node(4, "libgcc_s.so.1", Some("/lib/x86_64-linux-gnu/libgcc_s.so.1"), NodeRole::Allowed),
            node(5, "ld-linux-x86-64.so.2", Some("/lib64/ld-linux-x86-64.so.2"), NodeRole::Interpreter),
        ],
        edges: vec![
            greet,
            deep,
            edge(0, "libgcc_s.so.1", 4, Some(SearchRule::LdSoCache)),
            edge(0, "libc.so.6", 3, Some(SearchRule::LdSoCache)),
            edge(1, "libc.so.6", 3, Some(SearchRule::AlreadyLoaded)),
            edge(3, "ld-linux-x86-64.so.2", 5, Some(SearchRule::AlreadyLoaded)),
        ],
    };
    let mut slice = slice("x86_64", &["libgreet.so.1", "libgcc_s.so.1", "libc.so.6"], tree);
    slice.soname = Some("liblabext.so".into());
    slice.rpath = RpathReport {
        tag: Some(RunPathTag::Runpath),
        entries: vec![
            RpathEntry {
                literal: "/opt/lab/lib".into(),
                expanded: Some("/opt/lab/lib".into()),
                exists: Some(true),
                note: Some("build machine only".into()),
            },
            RpathEntry {
                literal: "$ORIGIN/../lib".into(),
                expanded: Some("/home/ada/lab/target/lib".into()),
                exists: Some(false),
                note: None,
            },
        ],
    };
    slice.hardening =
        Some(Hardening { relro: "full".into(), now: true, nx: true, pie: true, execstack: false, textrel: false });
    let mut report = report("liblabext.so", ArtifactKind::Cdylib, Format::Elf, 533_504);
    report.slices = vec![slice];
    report.external_libs = Some(vec![
        library("libgreet.so.1", "/opt/lab/lib/libgreet.so.1.0.0", "libgreet-47542e49.so.1", "manylinux_2_17"),
        library("libdeep.so.2", "/opt/lab/lib/libdeep.so.2.3.1", "libdeep-845b8c15.so.2", "manylinux_2_34"),
    ]);
    report.policy = Some(PolicyReport {
        tag: "manylinux_2_34".into(),
        symbol_tag: "manylinux_2_17".into(),
        requested: None,
        reasons: vec![
            verdict("manylinux_2_41", None),
            verdict("manylinux_2_34", None),
            verdict("manylinux_2_28", Some(("libdeep.so.2", "__libc_start_main", "GLIBC_2.34"))),
            verdict("manylinux_2_28", Some(("libdeep.so.2", "dlsym", "GLIBC_2.34"))),
            verdict("manylinux_2_17", Some(("libdeep.so.2", "__libc_start_main", "GLIBC_2.34"))),
            verdict("musllinux_1_2", Some(("libc.so.6", "", ""))),
        ],
    });
    report.entry_points = Some(EntryPoints { expected: Some("labext".into()), found: vec!["PyInit_labext".into()] });
    report.will_patch = WillPatch {
        repair: Some(true),
        editable: Some(false),
        edits: vec![
            "NEEDED 1: libgreet.so.1 → libgreet-47542e49.so.1".into(),
            "RPATH: /opt/lab/lib:$ORIGIN/../lib → /opt/lab/lib:$ORIGIN/../labext.libs".into(),
        ],
        maturin_rule: MaturinRule { repair: Some(true), editable: Some(true) },
    };
    report.findings = vec![
        finding(
            "WW002",
            Severity::Note,
            "the cargo output shares its inode with 2 other paths",
            &["/home/ada/lab/target/release/deps/liblabext.so: inode 1313572, 3 links"],
        ),
        finding(
            "WW011",
            Severity::Warning,
            "an absolute RPATH entry of the build machine stays in the artifact",
            &["/opt/lab/lib stands first in DT_RUNPATH", "it is searched before $ORIGIN/../labext.libs"],
        ),
    ];
    report.names = Some(BundleNames {
        distribution: "labext".into(),
        module: "labext".into(),
        file_name: "labext.abi3.so".into(),
        artifact_dir: "labext".into(),
        libs_dir: "labext.libs".into(),
        defaulted: vec!["distribution".into()],
    });
    report.linked_paths = LinkedPathsReport { paths: vec!["/opt/lab/lib".into()], source: Some("build_output".into()) };
    report
}

fn library(name: &str, file: &str, grafted: &str, ceiling: &str) -> ExternalLibrary {
    ExternalLibrary {
        name: name.into(),
        realpath: Some(file.into()),
        grafted_name: Some(grafted.into()),
        aliases: Vec::new(),
        symbol_ceiling: Some(ceiling.into()),
        owner: None,
    }
}

fn verdict(tag: &str, against: Option<(&str, &str, &str)>) -> PolicyReason {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (library, symbol, version) = against.unwrap_or_default();
    PolicyReason {
        tag: tag.into(),
        ok: against.is_none(),
        rule: against.map(|_| if symbol.is_empty() { "library" } else { "external_symbol_version" }.into()),
        library: text(library),
        symbol: text(symbol),
        version: text(version),
        file: against.map(|_| format!("/opt/lab/lib/{library}").into()),
    }
}

fn finding(code: &str, severity: Severity, title: &str, evidence: &[&str]) -> Finding {
    Finding {
        code: code.into(),
        severity,
        title: title.into(),
        evidence: evidence.iter().map(|line| (*line).into()).collect(),
        fix: vec!["# give the library a place that the loader searches".into(), "ldconfig /opt/lab/lib".into()],
    }
}

fn clean_report() -> ArtifactReport {
    let mut report = report("libclean.so", ArtifactKind::Cdylib, Format::Elf, 411_648);
    report.slices = vec![slice("x86_64", &["libc.so.6"], Tree::default())];
    report.policy = Some(PolicyReport {
        tag: "manylinux_2_17".into(),
        symbol_tag: "manylinux_2_17".into(),
        requested: None,
        reasons: vec![verdict("manylinux_2_17", None)],
    });
    report.will_patch.repair = Some(false);
    report.will_patch.editable = Some(false);
    report
}

fn tool_report() -> ArtifactReport {
    let mut report = clean_report();
    (report.name, report.kind, report.size) = ("labtool".into(), ArtifactKind::Bin, Some(3_250_585));
    report
}

fn broken_report() -> ArtifactReport {
    let mut missing = edge(0, "libmissing.so.3", 1, None);
    missing.candidates = (1..=12)
        .map(|place| Candidate {
            path: PathBuf::from(format!("/opt/place{place}/lib/libmissing.so.3")),
            rule: if place < 3 { SearchRule::Runpath } else { SearchRule::Default },
            entry: (place < 3).then(|| format!("$ORIGIN/../place{place}")),
            rejected: if place == 5 { Rejection::WrongArch } else { Rejection::Missing },
        })
        .collect();
    let tree = Tree {
        nodes: vec![
            node(0, "libbroken.so", Some("/home/ada/lab/target/release/libbroken.so"), NodeRole::Root),
            node(1, "libmissing.so.3", None, NodeRole::Missing),
            node(2, "libc.so.6", Some("/lib/x86_64-linux-gnu/libc.so.6"), NodeRole::Allowed),
        ],
        edges: vec![missing, edge(0, "libc.so.6", 2, Some(SearchRule::LdSoCache))],
    };
    let mut report = report("libbroken.so", ArtifactKind::Cdylib, Format::Elf, 398_336);
    report.slices = vec![slice("x86_64", &["libmissing.so.3", "libc.so.6"], tree)];
    report.external_libs = Some(vec![ExternalLibrary {
        name: "libmissing.so.3".into(),
        realpath: None,
        grafted_name: None,
        aliases: Vec::new(),
        symbol_ceiling: None,
        owner: None,
    }]);
    report.policy = Some(PolicyReport {
        tag: "linux_x86_64".into(),
        symbol_tag: "manylinux_2_17".into(),
        requested: Some("manylinux_2_28".into()),
        reasons: vec![verdict("manylinux_2_28", Some(("libmissing.so.3", "", "")))],
    });
    report.will_patch.repair = Some(true);
    report.findings = vec![finding(
        "WW003",
        Severity::Error,
        "libmissing.so.3 is nowhere on the search",
        &[
            "12 places searched, none of them holds a library of that name for x86_64",
            "/opt/place5/lib/libmissing.so.3 is for another machine",
        ],
    )];
    report
}

fn mac_report() -> ArtifactReport {
    let tree = |path: &str| Tree {
        nodes: vec![
            node(0, "libmaclab.dylib", Some(path), NodeRole::Root),
            node(1, "@rpath/libgreet.1.dylib", None, NodeRole::Missing),
            node(2, "/usr/lib/libSystem.B.dylib", None, NodeRole::System),
        ],
        edges: vec![
            edge(0, "@rpath/libgreet.1.dylib", 1, None),
            edge(0, "/usr/lib/libSystem.B.dylib", 2, Some(SearchRule::Absolute)),
        ],
    };
    let mut report = report("libmaclab.dylib", ArtifactKind::Library, Format::MachO, 98_304);
    report.slices = ["x86_64", "arm64"]
        .map(|arch| {
            let needed = ["@rpath/libgreet.1.dylib", "/usr/lib/libSystem.B.dylib"];
            let mut slice = slice(arch, &needed, tree("/home/ada/lab/target/release/libmaclab.dylib"));
            slice.soname = Some("@rpath/libmaclab.dylib".into());
            slice.rpath = RpathReport {
                tag: Some(RunPathTag::LcRpath),
                entries: vec![RpathEntry {
                    literal: "@loader_path/../lib".into(),
                    expanded: Some("/home/ada/lab/target/lib".into()),
                    exists: None,
                    note: None,
                }],
            };
            slice
        })
        .into();
    report.external_libs = None;
    report
}

fn truncated_report() -> ArtifactReport {
    let mut report = report("truncated.so", ArtifactKind::Library, Format::Elf, 512);
    report.error = Some(ReadError {
        message: "the program headers lie behind the file's end".into(),
        offset: Some(0x40),
        expected: Some("11 program headers of 56 bytes, but the file ends at 0x200".into()),
    });
    report
}

/// Four changed ranges, one inserted, and three differences in structure.
pub fn compared(artifact: usize) -> Compared {
    let run = |offset: u64, len, kind, region: &str, meaning: &str| Run {
        offset,
        len,
        kind,
        region: Some(region.into()),
        meaning: (!meaning.is_empty()).then(|| meaning.to_owned()),
    };
    let diff = DiffDocument {
        schema: "wheelwright/diff/1".into(),
        a: format!("{TARGET}/libagain.so").into(),
        b: format!("{STAGING}/libagain.so").into(),
        equal: false,
        bytes_compared: 533_504,
        bytes_skipped: 0,
        runs_total: 5,
        runs: vec![
            run(0x28, 8, RunKind::Changed, "ELF header", "e_shoff: 0x81b40 → 0x84b40"),
            run(0x248, 112, RunKind::Changed, "program headers", "segment 7: PT_LOAD for the new string table"),
            run(0x3_1000, 37, RunKind::Changed, ".dynamic", "NEEDED 1: libgreet.so.1 → libgreet-47542e49.so.1"),
            run(0x3_1080, 16, RunKind::Changed, ".dynamic", "DT_RUNPATH → DT_RPATH"),
            run(533_504, 12_288, RunKind::Inserted, "end of file", "new .dynstr"),
        ],
        structure: vec![
            change("NEEDED 1", Some("libgreet.so.1"), Some("libgreet-47542e49.so.1")),
            change("RPATH", None, Some("/opt/lab/lib:$ORIGIN/../labext.libs")),
            change("RUNPATH", Some("/opt/lab/lib"), None),
        ],
    };
    let clean: Vec<u8> = (0..4096u32).map(|place| (place * 7 % 256) as u8).collect();
    let mut staged = clean.clone();
    staged[0x28..0x30].copy_from_slice(b"wheelwri");
    Compared {
        artifact: ArtifactId(artifact),
        clean: diff.a.clone(),
        staged: diff.b.clone(),
        diff: Some(Arc::new(diff)),
        problem: None,
        hex: Some(Arc::new(HexWindow { offset: 0, clean, staged })),
    }
}

fn change(what: &str, before: Option<&str>, after: Option<&str>) -> StructureChange {
    StructureChange { what: what.into(), before: before.map(Into::into), after: after.map(Into::into) }
}

/// A step that is refused.
pub fn refusal(artifact: &str) -> Refusal {
    Refusal {
        artifact: artifact.into(),
        reason: "the new string table needs 96 bytes and there is room for 40".into(),
        way_out: "link with -Wl,-z,separate-code".into(),
    }
}
