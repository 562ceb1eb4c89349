//! A trace in words: each process with what it loaded in a table, what it did not find, and where things went otherwise than
//! the trees say.

use super::output::{Output, Tone};
use crate::engine::report::trace::{
    ComparedLoad, ComparedStatus, Ended, LoadCause, LoadResult, TraceDocument, TraceMethod, TracedLoad, TracedProcess,
};
use crate::engine::report::words::{self, counted};
use color_eyre::Result;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

/// Prints `document`; `verbose` also shows every file that was tried, askers by their paths, and what was loaded already.
///
/// # Errors
/// When the output can't be written.
pub fn print(document: &TraceDocument, verbose: bool, output: &mut Output) -> Result<()> {
    for process in &document.processes {
        Printer { process, verbose, output }.print()?;
    }
    for text in &document.unseen {
        output.line(format_args!("not seen: {text}"))?;
    }
    output.line(output.tone(Tone::Strong, summary(document)))
}

/// The counts over all processes, in one line.
#[must_use]
pub fn summary(document: &TraceDocument) -> String {
    let loads = || document.processes.iter().flat_map(|process| &process.loads);
    let loaded = || loads().filter(|load| load.result == LoadResult::Loaded && load.cause != LoadCause::Program);
    let opened = loaded().filter(|load| matches!(load.cause, LoadCause::Opened | LoadCause::Libc)).count();
    let failed = loads().filter(|load| load.result == LoadResult::Failed).count();
    let mut parts = vec![
        counted(document.processes.len(), "process", "processes"),
        counted(loaded().count(), "load", "loads"),
        format!("{opened} opened at run time"),
        format!("{failed} failed"),
    ];
    if document.processes.iter().any(|process| process.compared.is_some()) {
        let rows = document.processes.iter().flat_map(|process| process.compared.iter().flatten());
        parts.push(format!("{} not as predicted", rows.filter(|row| is_otherwise(row)).count()));
    }
    parts.extend(document.ended.as_ref().and_then(ended));
    parts.join(", ")
}

fn ended(ended: &Ended) -> Option<String> {
    match (ended.limit.as_deref(), ended.status, ended.signal) {
        (Some("time"), ..) => Some("ended when its time was over".to_owned()),
        (Some(_), ..) => Some("ended when its output was too long".to_owned()),
        (None, Some(0), _) => None,
        (None, Some(status), _) => Some(format!("exit status {status}")),
        (None, None, Some(signal)) => Some(format!("ended by signal {signal}")),
        (None, None, None) => None,
    }
}

fn is_otherwise(row: &ComparedLoad) -> bool {
    matches!(row.status, ComparedStatus::Elsewhere | ComparedStatus::NotLoaded)
}

struct Printer<'a> {
    process: &'a TracedProcess,
    verbose: bool,
    output: &'a mut Output,
}

impl Printer<'_> {
    fn print(&mut self) -> Result<()> {
        let program = self.process.program.as_ref().map_or_else(|| "?".to_owned(), |path| path.display().to_string());
        let parent = self.process.parent.map(|parent| format!(", started by {parent}")).unwrap_or_default();
        let method = match self.process.method {
            TraceMethod::LdDebug => "",
            TraceMethod::Maps => ", by its memory map",
        };
        let aside = self.output.tone(Tone::Faint, format_args!("process {}{parent}{method}", self.process.pid));
        self.output.line(format_args!("{}  {aside}", self.output.tone(Tone::Strong, program)))?;
        self.table()?;
        for load in self.process.loads.iter().filter(|load| load.result == LoadResult::Failed) {
            self.failure(load)?;
        }
        for text in &self.process.errors {
            self.output.line(format_args!("  {}  {text}", self.output.tone(Tone::Bad, "error")))?;
        }
        for row in self.process.compared.iter().flatten().filter(|row| is_otherwise(row)) {
            self.otherwise(row)?;
        }
        Ok(())
    }

    /// Cause, name, rule, who asked, and the path last, since it may be long.
    fn table(&mut self) -> Result<()> {
        let shown = |load: &&TracedLoad| match load.result {
            LoadResult::Loaded => true,
            LoadResult::AlreadyLoaded => self.verbose,
            LoadResult::Failed => false,
        };
        let rows: Vec<[String; 5]> = self.process.loads.iter().filter(shown).map(|load| self.row(load)).collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|text| text.width()).filter(|width| *width <= 60).max()
        };
        let widths: Vec<usize> = (0..4).map(|column| width(column).unwrap_or(0)).collect();
        for row in &rows {
            let mut line = String::from(" ");
            for (column, text) in row.iter().enumerate() {
                let gap = widths.get(column).map_or(0, |width| width.saturating_sub(text.width()));
                line.push_str(&format!(" {text}{:gap$} ", ""));
            }
            self.output.line(line.trim_end())?;
        }
        Ok(())
    }

    fn row(&self, load: &TracedLoad) -> [String; 5] {
        let cause = match load.result {
            LoadResult::AlreadyLoaded => "there already",
            _ => cause(load.cause),
        };
        // A path tells its name itself.
        let name = Path::new(&load.name).file_name().map_or_else(
            || if load.name.is_empty() { "(the program)".to_owned() } else { load.name.clone() },
            |name| name.to_string_lossy().into_owned(),
        );
        let rule = load.found_by.as_ref().map(words::found_by).unwrap_or_default();
        let path = load.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let namespace = if load.namespace == 0 { String::new() } else { format!("  (namespace {})", load.namespace) };
        [cause.to_owned(), name, rule, self.asker(load.asked_by.as_ref()), format!("{path}{namespace}")]
    }

    fn asker(&self, asker: Option<&PathBuf>) -> String {
        let Some(path) = asker else { return String::new() };
        let name = path.file_name().filter(|_| !self.verbose).unwrap_or(path.as_os_str());
        format!("for {}", name.to_string_lossy())
    }

    fn failure(&mut self, load: &TracedLoad) -> Result<()> {
        let asker = self.asker(load.asked_by.as_ref());
        let why = load.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let word = self.output.tone(Tone::Bad, "failed");
        self.output.line(format_args!("  {word}  {}  {} {asker}{why}", load.name, cause(load.cause)))?;
        for list in &load.searched {
            let shown = list.directories.iter().filter(|one| self.verbose || !is_for_processor(one, &list.directories));
            let directories: Vec<String> = shown.map(|one| one.display().to_string()).collect();
            let text = format!("searched {}: {}", words::found_by(&list.rule), directories.join(":"));
            let text = text.strip_suffix(": ").unwrap_or(&text);
            self.output.line(format_args!("          {}", self.output.tone(Tone::Faint, text)))?;
        }
        for path in load.tried.iter().filter(|_| self.verbose) {
            let text = format!("tried {}", path.display());
            self.output.line(format_args!("          {}", self.output.tone(Tone::Faint, text)))?;
        }
        Ok(())
    }

    fn otherwise(&mut self, row: &ComparedLoad) -> Result<()> {
        let path = |path: &Option<PathBuf>| {
            path.as_ref().map_or_else(|| "nowhere".to_owned(), |path| path.display().to_string())
        };
        let asker = self.asker(row.asked_by.as_ref());
        let (word, text) = match row.status {
            ComparedStatus::Elsewhere => {
                ("elsewhere", format!("{}, where the tree has {}", path(&row.loaded), path(&row.predicted)))
            }
            _ => ("not loaded", format!("the tree has {}", path(&row.predicted))),
        };
        let note = row.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        let word = self.output.tone(Tone::Warning, word);
        self.output.line(format_args!("  {word}  {}  {asker}: {text}{note}", row.name))
    }
}

/// Whether a directory is one of those that glibc puts before each of a list, for the processor: there are twenty of them.
fn is_for_processor(directory: &Path, all: &[PathBuf]) -> bool {
    const NAMES: [&str; 8] = ["glibc-hwcaps", "tls", "x86_64", "haswell", "avx512_1", "xeon_phi", "atomics", "i686"];
    let begins = |rest: &Path| rest.iter().next().is_some_and(|first| NAMES.iter().any(|name| first == *name));
    all.iter().any(|other| other != directory && directory.strip_prefix(other).is_ok_and(begins))
}

const fn cause(cause: LoadCause) -> &'static str {
    match cause {
        LoadCause::Program => "program",
        LoadCause::Preload => "preloaded",
        LoadCause::Needed => "needed",
        LoadCause::Opened => "opened",
        LoadCause::Libc => "libc's own",
        LoadCause::Unknown => "loaded",
    }
}
