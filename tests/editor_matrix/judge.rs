//! One case: the file is copied, edited step by step, and judged after each by readelf, eu-elflint and the loader.

use crate::edits::{Case, Names, Step, renamed};
use crate::machine::{Machine, output, succeed, text};
use crate::readelf::Shown;
use crate::table::Row;
use crate::workshop::{Kind, LIBRARIES, Workshop};
use crate::{compare, lint};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{Builtin, EditPlan, EditRequest, Editor};
use wheelwright::engine::report::fit::RelroFate;

/// Bytes of a page as the programs here are run.
const PAGE: u64 = 0x1000;

/// Bytes that a moved dynamic section has more than before, at most: four entries of the larger class.
const MOST_NEW_ENTRIES: u64 = 64;

/// A file that is edited, and all that it takes to judge it.
#[derive(Debug, Clone)]
pub struct Subject<'w> {
    /// Where it and its libraries were built.
    pub workshop: &'w Workshop,
    /// What it is.
    pub kind: Kind,
    /// Linker and layout.
    pub label: String,
    /// The unedited file.
    pub file: PathBuf,
}

/// A copy of a subject in its own folder, with its libraries beside it under the names that it knows.
pub struct Bench<'w> {
    subject: &'w Subject<'w>,
    folder: tempfile::TempDir,
    libraries: BTreeMap<String, &'static str>,
}

impl<'w> Bench<'w> {
    /// Copies the subject.
    pub fn new(subject: &'w Subject<'w>) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let libraries = LIBRARIES.iter().take(3).map(|name| ((*name).to_owned(), *name)).collect();
        let bench = Self { subject, folder, libraries };
        std::fs::copy(&subject.file, bench.file()).map_err(|error| error.to_string())?;
        Ok(bench)
    }

    /// The copy.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("subject")
    }

    fn machine(&self) -> &Machine {
        &self.subject.workshop.machine
    }

    /// Another name of the program's interpreter, 200 bytes long and more; made if it is not there.
    pub fn interpreter(&self, real: &str) -> Result<String, String> {
        let folder = self.folder.path().join("i".repeat(200));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let path = folder.join("loader");
        if !path.exists() {
            symlink(self.machine().real(real), &path).map_err(|error| error.to_string())?;
        }
        Ok(path.display().to_string())
    }

    /// Plans and applies.
    pub fn edit(&mut self, requests: &[EditRequest]) -> Result<EditPlan, String> {
        let file = self.file();
        let source = Windows::open(&file).map_err(|error| error.to_string())?;
        let plan = Builtin::default().plan(&source, requests).map_err(|error| error.to_string())?;
        let plan = plan.map_err(|refusal| format!("refused: {refusal}"))?;
        Builtin::default().apply(&file, &plan, &Context::new()).map_err(|error| format!("not applied: {error}"))?;
        renamed(&mut self.libraries, requests);
        Ok(plan)
    }

    /// Runs `file`, whose names are `names`, binding its functions when they are called and once more at its start; says
    /// whether its dynamic section is writable while it runs.
    pub fn run(&self, file: &Path, names: &Names) -> Result<bool, String> {
        self.run_in(&[None, Some("1")], file, names)
    }

    fn run_in(&self, modes: &[Option<&str>], file: &Path, names: &Names) -> Result<bool, String> {
        let libs = self.folder.path().join("libs");
        let _ = std::fs::remove_dir_all(&libs);
        std::fs::create_dir(&libs).map_err(|error| error.to_string())?;
        for (name, real) in &self.libraries {
            symlink(self.subject.workshop.path(real), libs.join(name)).map_err(|error| error.to_string())?;
        }
        let finds_them = names.run_path.as_ref().is_some_and(|path| path.1.contains("$ORIGIN/libs"));
        let mut writable = Vec::new();
        for now in modes {
            let mut command = match self.subject.kind {
                Kind::Library => {
                    let mut command = self.machine().runs(&self.subject.workshop.path("host"));
                    command.arg(file);
                    command
                }
                Kind::Fixed | Kind::Pie => self.machine().runs(file),
            };
            command.env_remove("LD_LIBRARY_PATH").env_remove("LD_BIND_NOW");
            command.envs(now.map(|value| ("LD_BIND_NOW", value)));
            command.envs((!finds_them).then_some(("LD_LIBRARY_PATH", &libs)));
            let output = output(&mut command)?;
            match (output.status.success(), text(&output.stdout).trim()) {
                (true, "42 0") => writable.push(false),
                (true, "42 1") => writable.push(true),
                (_, said) => {
                    return Err(format!("{command:?}: {}: {said} {}", output.status, text(&output.stderr)));
                }
            }
        }
        writable.dedup();
        match writable[..] {
            [one] => Ok(one),
            _ => Err("RELRO differs with LD_BIND_NOW".to_owned()),
        }
    }

    /// Strips a copy in every way that there is, and runs it.
    fn stripped(&self, names: &Names) -> Vec<String> {
        let mut faults = Vec::new();
        for strip in &self.machine().strips {
            // The copy's name is the file's, and the folder too, since $ORIGIN and the interpreter hang on them.
            let (file, kept) = (self.file(), self.folder.path().join("kept"));
            let ran = std::fs::rename(&file, &kept)
                .and_then(|()| std::fs::copy(&kept, &file))
                .map_err(|error| error.to_string())
                .and_then(|_| succeed(Command::new(strip[0]).args(&strip[1..]).arg(&file)))
                .and_then(|_| self.run_in(&[Some("1")], &file, names));
            if let Err(said) = ran {
                faults.push(format!("after {}: {said}", strip.join(" ")));
            }
            if let Err(error) = std::fs::rename(&kept, &file) {
                faults.push(error.to_string());
            }
        }
        faults
    }
}

/// Whether the unedited file runs; if not, no edit of it says anything.
pub fn runs_unedited(subject: &Subject<'_>) -> Result<(), String> {
    let bench = Bench::new(subject)?;
    let shown = Shown::of(&bench.file())?;
    let writable =
        bench.run(&bench.file(), &shown.names()).map_err(|said| format!("it does not run unedited: {said}"))?;
    if writable == shown.is_dynamic_covered(PAGE) {
        Err("its RELRO is not what readelf shows".to_owned())
    } else {
        Ok(())
    }
}

/// Carries `case` out on a copy of `subject`; the row says what came of it.
pub fn judge(subject: &Subject<'_>, make: impl Fn(&str) -> Case) -> Row {
    let mut row = Row { label: subject.label.clone(), kind: subject.kind.name(), ..Row::default() };
    if let Err(said) = steps(subject, make, &mut row) {
        row.faults.push(said);
    }
    row
}

fn steps(subject: &Subject<'_>, make: impl Fn(&str) -> Case, row: &mut Row) -> Result<(), String> {
    let mut bench = Bench::new(subject)?;
    let mut before = Shown::of(&bench.file())?;
    let mut names = before.names();
    let interpreter = match &names.interpreter {
        Some(real) => bench.interpreter(real)?,
        None => String::new(),
    };
    let case = make(&interpreter);
    row.edit = case.name;
    row.size_before = size(&bench.file())?;
    for step in &case.steps {
        let file = bench.file();
        match step {
            Step::Strip => {
                succeed(Command::new(bench.machine().strips[0][0]).arg(&file))?;
                bench.run(&file, &names).map_err(|said| keep(&bench, row, "after strip", said))?;
                before = Shown::of(&file)?;
            }
            Step::Edit(requests) => {
                let kept = bench.folder.path().join("before");
                std::fs::copy(&file, &kept).map_err(|error| error.to_string())?;
                let lint_before = lint::complaints(&file)?;
                names = names.after(requests);
                let plan = bench.edit(requests).map_err(|said| keep(&bench, row, &format!("{requests:?}"), said))?;
                let after = Shown::of(&file)?;
                let mut faults = compare::faults(&before, &after, &plan, &names, bench.machine().page);
                let lint_after = lint::complaints(&file)?;
                faults.extend(
                    lint::new_ones(&lint_before, &lint_after).iter().map(|line| format!("eu-elflint now says: {line}")),
                );
                match bench.run(&file, &names) {
                    Ok(writable) => faults.extend(relro(&before, &after, &plan, writable)),
                    Err(said) => faults.push(said),
                }
                faults.extend(bench.stripped(&names));
                row.of_plan(&plan);
                for fault in faults {
                    let said = keep(&bench, row, &format!("{requests:?}"), fault);
                    row.faults.push(said);
                }
                before = after;
            }
        }
    }
    row.size_after = size(&bench.file())?;
    Ok(())
}

/// What is wrong with the plan's word on RELRO, and where RELRO was lost without need.
fn relro(before: &Shown, after: &Shown, plan: &EditPlan, writable: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let fate = plan.fit.as_ref().map(|fit| fit.relro);
    let (was, is) = (before.is_dynamic_covered(PAGE), after.is_dynamic_covered(PAGE));
    let told = match (was, is) {
        (false, _) => RelroFate::None,
        (true, true) => RelroFate::Kept,
        (true, false) => RelroFate::Lost,
    };
    if fate != Some(told) {
        faults.push(format!("the plan says of RELRO {fate:?}, readelf {told:?}"));
    }
    let padding = before.section(".relro_padding").map_or(0, |section| section.memory);
    let dynamic = before.section(".dynamic").map_or(0, |section| section.memory);
    if told == RelroFate::Lost && padding >= dynamic + MOST_NEW_ENTRIES {
        faults.push(format!("RELRO is lost, though {padding} bytes of padding can take the {dynamic} of .dynamic"));
    }
    if writable == is {
        faults.push(format!("covered as readelf has it: {is}; writable while it runs: {writable}"));
    }
    faults
}

/// Keeps the file before and after for whoever looks into the failure, if they named a folder for it.
fn keep(bench: &Bench<'_>, row: &Row, step: &str, said: String) -> String {
    let case = format!("{} {} {}", row.label, row.kind, row.edit).replace([' ', ',', '/'], "-");
    if let Some(folder) = std::env::var_os("WHEELWRIGHT_MATRIX_KEEP") {
        let folder = PathBuf::from(folder).join(&case);
        let _ = std::fs::create_dir_all(&folder);
        for name in ["before", "subject"] {
            let _ = std::fs::copy(bench.folder.path().join(name), folder.join(name));
        }
        let _ = std::fs::write(folder.join("said"), format!("{step}\n{said}\n"));
    }
    let step: String = step.chars().take(160).collect();
    format!("{said}  [{case}; {step}]")
}

/// A file's size in bytes.
pub fn size(file: &Path) -> Result<u64, String> {
    std::fs::metadata(file).map(|metadata| metadata.len()).map_err(|error| error.to_string())
}
