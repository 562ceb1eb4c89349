//! The documents' values of opening and loading in words, the same on the screen and on the command line.

use super::dlopen::{
    Confidence, FoundIn, NameEvidence, ObservedOpening, OpenedBy, OpenedVerdict, Opening, OpeningCall, OpeningOutcome,
    RemedyKind,
};
use super::load::{LoadReport, LoadVerdict};
use super::trace::LoadResult;
use super::words::{counted, found_by};

/// The verdict in a word: small where all is well, large where something is lost.
#[must_use]
pub const fn verdict(verdict: OpenedVerdict) -> &'static str {
    match verdict {
        OpenedVerdict::Works => "works",
        OpenedVerdict::SystemDependent => "system?",
        OpenedVerdict::LostInBundle => "LOST",
        OpenedVerdict::Renamed => "RENAMED",
        OpenedVerdict::ByLoadOrder => "by order",
        OpenedVerdict::Missing => "MISSING",
        OpenedVerdict::Unknown => "unknown",
    }
}

/// What the verdict means, for every name that has it.
#[must_use]
pub const fn meaning(verdict: OpenedVerdict) -> &'static str {
    match verdict {
        OpenedVerdict::Works => "works in the bundle, on every machine of its tag",
        OpenedVerdict::SystemDependent => "works where the user's system has the library",
        OpenedVerdict::LostInBundle => "works on this machine, and not in the bundle",
        OpenedVerdict::Renamed => "the library is in the bundle under another name",
        OpenedVerdict::ByLoadOrder => "works only after something else has loaded the library",
        OpenedVerdict::Missing => "is found nowhere, here neither",
        OpenedVerdict::Unknown => "nothing can be said",
    }
}

/// How sure it is that a name is opened, in a word.
#[must_use]
pub const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Declared => "declared",
        Confidence::Passed => "passed",
        Confidence::Referred => "referred",
        Confidence::Text => "text",
        Confidence::Pattern => "pattern",
    }
}

/// The same in a sentence.
#[must_use]
pub const fn how_sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Declared => "declared: the file says itself that it opens it",
        Confidence::Passed => "passed: a call passes just this name",
        Confidence::Referred => "referred: code that opens libraries refers to it",
        Confidence::Text => "text: it looks like a library's name, which need not be opened",
        Confidence::Pattern => "pattern: names are made of it at run time",
    }
}

/// Who opens a name.
#[must_use]
pub const fn caller(caller: OpenedBy) -> &'static str {
    match caller {
        OpenedBy::Artifact => "the artifact's own code",
        OpenedBy::Python => "Python (ctypes, cffi): the search is that of its ctypes module",
    }
}

/// What opening comes to.
#[must_use]
pub const fn outcome(outcome: OpeningOutcome) -> &'static str {
    match outcome {
        OpeningOutcome::Found => "found",
        OpeningOutcome::Loaded => "in the process already",
        OpeningOutcome::OnlyIfLoadedBefore => "only if loaded before",
        OpeningOutcome::Missing => "not found",
        OpeningOutcome::Incomplete => "found, but incomplete",
        OpeningOutcome::Unknown => "can't be said",
    }
}

/// Whose a file is.
#[must_use]
pub const fn whose(from: FoundIn) -> &'static str {
    match from {
        FoundIn::Bundle => "the bundle's",
        FoundIn::Policy => "on every machine of the tag",
        FoundIn::System => "this system's",
        FoundIn::Build => "the build's",
    }
}

/// An opening in short: `found, the bundle's`, `not found`.
#[must_use]
pub fn opening(opening: Option<&Opening>) -> String {
    let Some(opening) = opening else { return "not worked out".to_owned() };
    let word = outcome(opening.outcome);
    opening.from.map_or_else(|| word.to_owned(), |from| format!("{word}, {}", whose(from)))
}

/// By what rule an opening found its file; `None` where it found none.
#[must_use]
pub fn by_rule(opening: &Opening) -> Option<String> {
    opening.found_by.as_ref().map(found_by)
}

/// One place where a name was seen: `call in load_plugins, .text at 0x1234 of labb.so`.
#[must_use]
pub fn seen(evidence: &NameEvidence) -> String {
    let kind = match evidence.kind.as_str() {
        "note" => "declared in .note.dlopen",
        "call" => "passed by a call",
        "text" => "a text of the file",
        "ctypes" => "opened by ctypes",
        "cffi" => "opened by cffi",
        other => other,
    };
    let mut text = kind.to_owned();
    if let Some(function) = &evidence.function {
        text.push_str(&format!(" in {function}"));
    }
    let section = evidence.section.as_ref().map(|section| format!(", {section}")).unwrap_or_default();
    text.push_str(&section);
    if let Some(address) = evidence.address {
        text.push_str(&format!(" at {address:#x}"));
    }
    let file = evidence.file.file_name().unwrap_or(evidence.file.as_os_str()).to_string_lossy();
    match evidence.line {
        Some(line) => text.push_str(&format!(", {file}:{line}")),
        None => text.push_str(&format!(", {file}")),
    }
    text
}

/// A remedy's name.
#[must_use]
pub const fn remedy(kind: RemedyKind) -> &'static str {
    match kind {
        RemedyKind::AddRpath => "add an RPATH",
        RemedyKind::KeepName => "graft under the opened name",
        RemedyKind::AddNeeded => "add a NEEDED entry",
        RemedyKind::KeepSoname => "keep the SONAME",
        RemedyKind::Preload => "preload in __init__.py",
        RemedyKind::LinkIt => "link it in the sources",
    }
}

/// Whether a remedy would help.
#[must_use]
pub const fn helps(helps: Option<bool>) -> &'static str {
    match helps {
        Some(true) => "helps",
        Some(false) => "does not help",
        None => "can't be said",
    }
}

/// How names come about over all calls, the unknown ones first: `2 calls pass a name made at run time: what they open is not
/// known`. Calls that pass a constant are known by their names; no line where there are no calls.
#[must_use]
pub fn calls(calls: &[OpeningCall]) -> Vec<String> {
    let mut lines = Vec::new();
    let of = |how: &dyn Fn(&OpeningCall) -> bool| calls.iter().filter(|call| how(call)).count();
    let constant = of(&|call| call.passes.is_some());
    let null = of(&|call| call.passes.is_none() && call.how.starts_with("null"));
    let argument = of(&|call| call.passes.is_none() && call.how.contains("argument"));
    let made = calls.len() - constant - null - argument;
    let says = |count: usize| if count == 1 { "call passes" } else { "calls pass" };
    if made > 0 {
        let they = if made == 1 { "it opens" } else { "they open" };
        lines.push(format!("{made} {} a name made at run time: what {they} is not known", says(made)));
    }
    if argument > 0 {
        let their = if argument == 1 { "its" } else { "their" };
        lines.push(format!("{argument} {} on {their} own caller's argument, which is not known", says(argument)));
    }
    if constant > 0 {
        lines.push(format!("{constant} {} a constant name", says(constant)));
    }
    if null > 0 {
        lines.push(format!("{null} {} null: the program itself", says(null)));
    }
    lines
}

/// What came of a request in a traced run.
#[must_use]
pub const fn result(result: LoadResult) -> &'static str {
    match result {
        LoadResult::Loaded => "loaded",
        LoadResult::AlreadyLoaded => "was loaded already",
        LoadResult::Failed => "FAILED",
    }
}

/// A name's fate in a traced run, in a word; `None` where no trace was given.
#[must_use]
pub fn fate(observed: Option<&[ObservedOpening]>) -> Option<&'static str> {
    let runs = observed?;
    let any = |wanted: LoadResult| runs.iter().any(|run| run.result == wanted);
    Some(match runs {
        [] => "not seen",
        _ if any(LoadResult::Failed) && runs.iter().any(|run| run.result != LoadResult::Failed) => "loaded, FAILED",
        _ if any(LoadResult::Failed) => "FAILED",
        _ => "loaded",
    })
}

/// One request of a traced run: `loaded from /usr/lib/libz.so.1, by /site/labb.so, 2 times`.
#[must_use]
pub fn observed(run: &ObservedOpening) -> String {
    let mut text = result(run.result).to_owned();
    if let Some(path) = &run.path {
        text.push_str(&format!(" from {}", path.display()));
    }
    match (&run.asked_by, run.by_artifact) {
        (Some(by), true) => text.push_str(&format!(", for this file ({})", by.display())),
        (Some(by), false) => text.push_str(&format!(", for {}", by.display())),
        (None, _) => text.push_str(", for whom is not known"),
    }
    if run.times > 1 {
        text.push_str(&format!(", {} times", run.times));
    }
    if let Some(error) = &run.error {
        text.push_str(&format!(": {error}"));
    }
    text
}

/// The load proof's verdict, in a word.
#[must_use]
pub const fn load_verdict(verdict: LoadVerdict) -> &'static str {
    match verdict {
        LoadVerdict::Loads => "loads",
        LoadVerdict::LoadsFromElsewhere => "loads, but from elsewhere",
        LoadVerdict::Fails => "FAILS",
        LoadVerdict::NotTried => "not tried",
    }
}

/// Whose the libraries are that a load brought in: `2 of the bundle, 3 of the policy`.
#[must_use]
pub fn loaded_from(load: &LoadReport) -> String {
    let count = |from: FoundIn| load.libraries.iter().filter(|library| library.from == from).count();
    let of = [
        (FoundIn::Bundle, "of the bundle"),
        (FoundIn::Policy, "of the policy"),
        (FoundIn::System, "of this system"),
        (FoundIn::Build, "of the build"),
    ];
    let parts = of.into_iter().map(|(from, of)| (count(from), of)).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, of)| format!("{count} {of}")).collect();
    if parts.is_empty() { "no library".to_owned() } else { parts.join(", ") }
}

/// The load proof in one line: `loads: 2 of the bundle, 3 of the policy`, `FAILS: libgreet.so.1: cannot open ...`.
#[must_use]
pub fn load(load: &LoadReport) -> String {
    let word = load_verdict(load.verdict);
    match load.verdict {
        LoadVerdict::Loads => format!("{word}: {}", loaded_from(load)),
        LoadVerdict::LoadsFromElsewhere => format!("{word}: {}; {}", loaded_from(load), load.why),
        LoadVerdict::Fails | LoadVerdict::NotTried => format!("{word}: {}", load.why),
    }
}

/// What came of trying a remedy, and whether it works: what counts is the name that was opened, where one was.
#[must_use]
pub fn tried(load: &LoadReport) -> (String, bool) {
    let loads = matches!(load.verdict, LoadVerdict::Loads | LoadVerdict::LoadsFromElsewhere);
    match load.opened.iter().find(|probe| probe.path.is_none()).or(load.opened.first()) {
        Some(probe) if loads => match (&probe.path, &probe.error) {
            (Some(path), _) => (format!("opens {}: {path}", probe.name), load.verdict == LoadVerdict::Loads),
            (None, Some(error)) => (format!("loads, and FAILS to open {}: {error}", probe.name), false),
            (None, None) => (format!("loads, and FAILS to open {}", probe.name), false),
        },
        _ => (self::load(load), load.verdict == LoadVerdict::Loads),
    }
}

/// How many calls and functions there are, for a heading: `dlopen, dlsym · 4 calls`.
#[must_use]
pub fn imports<'a>(names: impl Iterator<Item = &'a str>, calls: Option<usize>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let mut text = if seen.is_empty() { "imports nothing that opens libraries".to_owned() } else { seen.join(", ") };
    if let Some(calls) = calls.filter(|_| !seen.is_empty()) {
        text.push_str(&format!(" · {}", counted(calls, "call", "calls")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::load::OpenedProbe;

    fn call(passes: Option<&str>, how: &str) -> OpeningCall {
        OpeningCall {
            arch: "x86_64".into(),
            address: 0x1000,
            function: "dlopen".into(),
            caller: None,
            passes: passes.map(Into::into),
            how: how.into(),
        }
    }

    #[test]
    fn what_is_not_known_is_said_first() {
        let all = [
            call(Some("libz.so.1"), "a constant"),
            call(None, "made at run time"),
            call(None, "made at run time"),
            call(None, "the caller's own argument"),
            call(None, "null: the program itself"),
        ];
        assert_eq!(
            calls(&all),
            [
                "2 calls pass a name made at run time: what they open is not known",
                "1 call passes on its own caller's argument, which is not known",
                "1 call passes a constant name",
                "1 call passes null: the program itself",
            ]
        );
        assert_eq!(calls(&all[1..2]), ["1 call passes a name made at run time: what it opens is not known"]);
        assert!(calls(&[]).is_empty());
    }

    #[test]
    fn what_counts_in_a_trial_is_the_name_that_was_opened() {
        let probe = |path: Option<&str>| OpenedProbe {
            name: "libfoo.so".into(),
            path: path.map(Into::into),
            error: path.is_none().then(|| "cannot open".into()),
        };
        let load = |verdict, opened| LoadReport {
            artifact: "/a/b.so".into(),
            verdict,
            why: "it broke".into(),
            loaded_by: None,
            build_hidden_by: None,
            libraries: Vec::new(),
            opened,
            started: None,
        };
        use LoadVerdict::{Fails, Loads};
        assert_eq!(tried(&load(Loads, vec![probe(Some("bundle:x"))])), ("opens libfoo.so: bundle:x".into(), true));
        let (said, works) = tried(&load(Loads, vec![probe(Some("bundle:x")), probe(None)]));
        assert_eq!((said.as_str(), works), ("loads, and FAILS to open libfoo.so: cannot open", false));
        assert_eq!(tried(&load(Fails, vec![probe(Some("bundle:x"))])), ("FAILS: it broke".into(), false));
        assert_eq!(tried(&load(Loads, Vec::new())), ("loads: no library".into(), true));
    }

    #[test]
    fn imports_are_named_once() {
        assert_eq!(imports(["dlopen", "dlsym", "dlopen"].into_iter(), Some(1)), "dlopen, dlsym · 1 call");
        assert_eq!(imports(std::iter::empty(), Some(0)), "imports nothing that opens libraries");
    }
}
