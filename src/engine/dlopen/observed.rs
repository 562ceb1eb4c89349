//! What a traced run did, set against what a file may open: which foreseen names were asked for, by whom, with what result,
//! and what was opened that nothing in the file foresaw.
//!
//! The run may have been another machine's: files are told by name, nothing is looked up here.

use crate::engine::report::audit::ArtifactReport;
use crate::engine::report::dlopen::{Confidence, DlopenReport, ObservedOpening, OpenedName};
use crate::engine::report::trace::{LoadCause, TraceDocument, TracedLoad};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The fewest letters of a pattern's own that make it tell one name from another: `%s.so` would foresee everything.
const TELLING: usize = 4;

/// Adds to `report` what the run of `trace` opened. A report that was not asked what the file may open stays as it is.
pub fn observe(report: &mut ArtifactReport, trace: &TraceDocument) {
    let Some(mut opened) = report.dlopen.take() else { return };
    let asker = Asker::of(report);
    let runs = openings(trace, &asker);
    compare(&mut opened, &runs);
    report.dlopen = Some(opened);
}

/// Sets the distinct openings of a run against the candidates.
fn compare(opened: &mut DlopenReport, runs: &[ObservedOpening]) {
    let mut foreseen = BTreeSet::new();
    for candidate in opened.candidates.iter_mut().flatten() {
        let meant: Vec<&ObservedOpening> = runs.iter().filter(|run| foresees(candidate, &run.name)).collect();
        foreseen.extend(meant.iter().map(|run| run.name.clone()));
        let mut meant: Vec<ObservedOpening> = meant.into_iter().cloned().collect();
        meant.sort_by(|one, other| other.by_artifact.cmp(&one.by_artifact).then_with(|| one.cmp(other)));
        candidate.observed = Some(meant);
    }
    let own = runs.iter().filter(|run| run.by_artifact && !foreseen.contains(&run.name));
    opened.opened_unforeseen = Some(own.cloned().collect());
}

/// Whether `candidate` may be the name `asked`.
fn foresees(candidate: &OpenedName, asked: &str) -> bool {
    match candidate.confidence {
        Confidence::Pattern => fits(&candidate.name, asked),
        _ => candidate.name == asked,
    }
}

/// Whether `name` may be made of `pattern`: of its own letters in their order, with anything in place of printf's
/// conversions, of `{}` and of `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let pieces = pieces(pattern);
    if pieces.iter().map(|piece| piece.chars().filter(|letter| letter.is_alphanumeric()).count()).sum::<usize>()
        < TELLING
    {
        return false;
    }
    let Some((first, rest)) = pieces.split_first() else { return false };
    let Some(mut left) = name.strip_prefix(first.as_str()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
    for piece in middle {
        let Some((_, behind)) = left.split_once(piece.as_str()) else { return false };
        left = behind;
    }
    left.ends_with(last.as_str())
}

/// The pattern's own letters, between what is put in. One piece where nothing is.
fn pieces(pattern: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let put_in = match letter {
            '*' => true,
            '{' => letters.by_ref().any(|letter| letter == '}'),
            '%' if letters.peek() == Some(&'%') => {
                letters.next();
                false
            }
            '%' => letters.by_ref().any(|letter| letter.is_ascii_alphabetic() && !"hlLqjzt".contains(letter)),
            _ => false,
        };
        if put_in {
            pieces.push(String::new());
        } else if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
    }
    pieces
}

/// The distinct openings of all processes, in order.
fn openings(trace: &TraceDocument, asker: &Asker<'_>) -> Vec<ObservedOpening> {
    let mut distinct: BTreeMap<ObservedOpening, u64> = BTreeMap::new();
    let opened = trace.processes.iter().flat_map(|process| &process.loads);
    for load in opened.filter(|load| load.cause == LoadCause::Opened) {
        *distinct.entry(asker.observed(load)).or_default() += 1;
    }
    distinct.into_iter().map(|(opening, times)| ObservedOpening { times, ..opening }).collect()
}

/// The names that a loader may know the file by.
struct Asker<'a> {
    path: &'a Path,
    names: Vec<&'a str>,
}

impl<'a> Asker<'a> {
    fn of(report: &'a ArtifactReport) -> Self {
        let mut names = vec![report.name.as_str()];
        names.extend(report.names.as_ref().map(|names| names.file_name.as_str()));
        Self { path: &report.path, names }
    }

    fn is(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        path == self.path || name.is_some_and(|name| self.names.contains(&name))
    }

    fn observed(&self, load: &TracedLoad) -> ObservedOpening {
        ObservedOpening {
            by_artifact: load.asked_by.as_deref().is_some_and(|path| self.is(path)),
            name: load.name.clone(),
            result: load.result,
            asked_by: load.asked_by.clone(),
            path: load.path.clone(),
            error: load.error.clone(),
            times: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::audit::Host;
    use crate::engine::report::dlopen::{OpenedBy, OpenedVerdict};
    use crate::engine::report::trace::{LoadResult, TraceMethod, TracedProcess};
    use std::path::PathBuf;

    fn load(name: &str, asked_by: &str, result: LoadResult) -> TracedLoad {
        TracedLoad {
            name: name.into(),
            namespace: 0,
            cause: LoadCause::Opened,
            asked_by: Some(asked_by.into()),
            result,
            path: (result != LoadResult::Failed).then(|| PathBuf::from(format!("/usr/lib/{name}"))),
            found_by: None,
            searched: Vec::new(),
            tried: Vec::new(),
            error: (result == LoadResult::Failed).then(|| "cannot open shared object file".to_owned()),
        }
    }

    fn trace(loads: Vec<TracedLoad>) -> TraceDocument {
        let process = TracedProcess {
            pid: 7,
            parent: None,
            program: None,
            method: TraceMethod::LdDebug,
            loads,
            errors: Vec::new(),
            compared: None,
        };
        TraceDocument {
            schema: "wheelwright/trace/1".into(),
            command: Vec::new(),
            host: Host { os: "linux".into(), arch: "x86_64".into(), libc: None },
            ended: None,
            processes: vec![process],
            unseen: Vec::new(),
        }
    }

    fn candidate(name: &str, confidence: Confidence) -> OpenedName {
        OpenedName {
            name: name.into(),
            confidence,
            caller: OpenedBy::Artifact,
            evidence: Vec::new(),
            would_resolve: None,
            in_bundle: None,
            grafted: None,
            verdict: OpenedVerdict::Unknown,
            why: String::new(),
            remedy: None,
            remedies: Vec::new(),
            observed: None,
        }
    }

    const ARTIFACT: &str = "/build/out/labb.so";

    /// What `candidates` are said to have done in a run, and what they did not foresee.
    fn seen(candidates: &[(&str, Confidence)], loads: Vec<TracedLoad>) -> DlopenReport {
        let mut report = DlopenReport {
            candidates: Some(candidates.iter().map(|(name, confidence)| candidate(name, *confidence)).collect()),
            ..DlopenReport::default()
        };
        let asker = Asker { path: Path::new(ARTIFACT), names: vec!["labb.so", "labb.abi3.so"] };
        compare(&mut report, &openings(&trace(loads), &asker));
        report
    }

    #[test]
    fn a_name_is_loaded_failed_or_never_asked_for() {
        use LoadResult::{Failed, Loaded};
        let report = seen(
            &[("liba.so", Confidence::Passed), ("libb.so", Confidence::Text), ("libc.so", Confidence::Text)],
            vec![
                load("liba.so", "/python/_ctypes.so", Failed),
                load("liba.so", "/site/pkg/labb.abi3.so", Loaded),
                load("liba.so", "/site/pkg/labb.abi3.so", Loaded),
                load("libb.so", "/usr/bin/program", Failed),
            ],
        );
        let candidates = report.candidates.unwrap();
        let liba = candidates[0].observed.as_ref().unwrap();
        assert_eq!(liba.len(), 2);
        assert_eq!((liba[0].by_artifact, liba[0].result, liba[0].times), (true, Loaded, 2), "its own first");
        assert_eq!((liba[1].by_artifact, liba[1].result, liba[1].times), (false, Failed, 1));
        let libb = candidates[1].observed.as_ref().unwrap();
        assert_eq!(libb[0].error.as_deref(), Some("cannot open shared object file"));
        assert_eq!(candidates[2].observed.as_deref(), Some(&[][..]), "no request was seen");
        assert_eq!(report.opened_unforeseen.as_deref(), Some(&[][..]));
    }

    #[test]
    fn what_no_candidate_foresaw_is_listed_where_the_file_itself_asked() {
        let report = seen(
            &[("liba.so", Confidence::Passed), ("libplug_%s.so", Confidence::Pattern)],
            vec![
                load("libplug_jpeg.so", ARTIFACT, LoadResult::Loaded),
                load("libz.so.1", ARTIFACT, LoadResult::Loaded),
                load("libother.so", "/usr/bin/program", LoadResult::Loaded),
            ],
        );
        let unforeseen: Vec<String> = report.opened_unforeseen.unwrap().into_iter().map(|run| run.name).collect();
        assert_eq!(unforeseen, ["libz.so.1"]);
        let pattern = &report.candidates.unwrap()[1];
        assert_eq!(pattern.observed.as_ref().unwrap()[0].name, "libplug_jpeg.so");
    }

    #[test]
    fn needed_libraries_are_nobodys_openings() {
        let mut needed = load("libz.so.1", ARTIFACT, LoadResult::Loaded);
        needed.cause = LoadCause::Needed;
        assert_eq!(seen(&[], vec![needed]).opened_unforeseen.as_deref(), Some(&[][..]));
    }

    #[test]
    fn patterns_fit_by_their_own_letters() {
        for (pattern, name, fit) in [
            ("lib%s.so", "libfoo.so", true),
            ("lib%s.so", "libfoo.so.1", false),
            ("lib%s.so.%d", "libfoo.so.12", true),
            ("%s/libfoo-%02ld.so", "/opt/x/libfoo-07.so", true),
            ("plugin_{name}.so", "plugin_a.so", true),
            ("libcuda*.so", "libcudart.so", true),
            ("lib100%%.so", "lib100%.so", true),
            ("lib%s%s.so", "lib.so", true),
            ("lib%s.so", "li.so", false),
            ("%s.so", "anything.so", false),
            ("%", "%", false),
            ("{", "{", false),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }
}
