//! The editor that hands the work to `patchelf`, found on a PATH that is given; its results are read again.

use super::facts::{Facts, Stop};
use super::names::Names;
use super::{EditPlan, EditRefusal, EditRequest, Editor, ExecStack};
use crate::engine::binary::Name;
use crate::engine::file::{ReadAt, Windows};
use crate::engine::{Context, Error, Result};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest version that is taken; maturin asks for the same.
const OLDEST: [u64; 3] = [0, 14, 0];

/// `patchelf`, a program that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patchelf {
    program: PathBuf,
    version: String,
}

impl Patchelf {
    /// Looks for `patchelf` in the directories of `path_variable` (a value of `PATH`); `None` when none has it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the first one found is older than 0.14.0, [`Error::Tool`] when it does not tell its version.
    pub fn find(path_variable: &OsStr) -> Result<Option<Self>> {
        let candidates = std::env::split_paths(path_variable).map(|directory| directory.join("patchelf"));
        let Some(program) = candidates.into_iter().find(|candidate| is_program(candidate)) else { return Ok(None) };
        let output = run(Command::new(&program).arg("--version"))?;
        let version = output.trim().strip_prefix("patchelf ").unwrap_or(output.trim()).to_owned();
        let Some(numbers) = version_numbers(&version) else {
            return Err(Error::Tool {
                program: "patchelf".into(),
                message: format!("--version printed {version:?}, which is no version"),
            });
        };
        if numbers < OLDEST {
            return Err(Error::Refused {
                path: program,
                reason: format!("is patchelf {version}, older than 0.14.0"),
                way_out: "install a newer patchelf, or use the builtin editor".into(),
            });
        }
        Ok(Some(Self { program, version }))
    }

    /// Where the program is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its version as it prints it: "0.18.0".
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl Editor for Patchelf {
    fn name(&self) -> &'static str {
        "patchelf"
    }

    fn plan(&self, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<Result<EditPlan, EditRefusal>> {
        let kept = names(source).and_then(|names| names.effective(requests));
        let requests = match kept {
            Ok(requests) => requests,
            Err(Stop::Refusal(refusal)) => return Ok(Err(refusal)),
            Err(Stop::Error(error)) => return Err(error),
        };
        if requests.is_empty() {
            return Ok(Ok(EditPlan::nothing(source.size())));
        }
        // One call carries all requests; it reads and writes the file whole, and adds what is new.
        Ok(Ok(EditPlan {
            requests,
            size_after: None,
            layout: "layout unknown".into(),
            reads: source.size(),
            writes: source.size(),
            ..EditPlan::nothing(source.size())
        }))
    }

    fn apply(&self, path: &Path, plan: &EditPlan, context: &Context) -> Result<()> {
        if plan.is_empty() {
            return Ok(());
        }
        let metadata = std::fs::symlink_metadata(path).map_err(Error::io("look at", path))?;
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                reason: format!("it has {} names, and an edit would reach all of them", metadata.nlink()),
                way_out: "edit a copy of it".into(),
            });
        }
        let before = Windows::open(path)?;
        let changed = |what: String| Error::Changed { path: path.to_path_buf(), what };
        match self.plan(&before, &plan.requests)? {
            Ok(again) if again == *plan => {}
            Ok(_) => return Err(changed("it is not the file that the edit was planned for".into())),
            Err(refusal) => return Err(changed(format!("it can't be edited any more: {refusal}"))),
        }
        let names = |source: &dyn ReadAt| {
            names(source).map_err(|stop| match stop {
                Stop::Error(error) => error,
                Stop::Refusal(refusal) => changed(refusal.to_string()),
            })
        };
        let wanted = names(&before)?.after(&plan.requests);
        context.advance(0)?;
        // Behind "./" no file name can be taken for an option.
        let file = if path.is_absolute() { path.to_path_buf() } else { Path::new(".").join(path) };
        run(Command::new(&self.program).args(options(&plan.requests)).arg(file))?;
        context.advance(plan.size_before)?;
        let found = names(&Windows::open(path)?)?;
        if found == wanted {
            Ok(())
        } else {
            Err(changed(format!("after the edit it names {found:?}, not {wanted:?}")))
        }
    }
}

/// The options of the one call that carries `requests` out.
fn options(requests: &[EditRequest]) -> Vec<OsString> {
    let mut options: Vec<OsString> = Vec::new();
    for request in requests {
        let mut push = |option: &str, values: &[&Name]| {
            options.push(option.into());
            options.extend(values.iter().map(|value| OsStr::from_bytes(value.as_bytes()).to_owned()));
        };
        match request {
            EditRequest::SetSoname(name) => push("--set-soname", &[name]),
            EditRequest::SetRpath(text) => {
                push("--force-rpath", &[]);
                push("--set-rpath", &[text]);
            }
            EditRequest::SetRunpath(text) => push("--set-rpath", &[text]),
            EditRequest::AppendRunPath(text) => push("--add-rpath", &[text]),
            EditRequest::RemoveRunPaths => push("--remove-rpath", &[]),
            EditRequest::ReplaceNeeded { from, to } => push("--replace-needed", &[from, to]),
            EditRequest::AddNeeded(name) => push("--add-needed", &[name]),
            EditRequest::RemoveNeeded(name) => push("--remove-needed", &[name]),
            EditRequest::SetInterpreter(name) => push("--set-interpreter", &[name]),
            EditRequest::SetExecStack(ExecStack::Asked) => push("--set-execstack", &[]),
            EditRequest::SetExecStack(ExecStack::NotAsked) => push("--clear-execstack", &[]),
            EditRequest::NoDefaultLib => push("--no-default-lib", &[]),
            EditRequest::AddDebugEntry => push("--add-debug-tag", &[]),
            EditRequest::SetOsAbi(abi) => push("--set-os-abi", &[&Name::from(abi.to_string().as_str())]),
            EditRequest::ClearSymbolVersion(name) => push("--clear-symbol-version", &[name]),
        }
    }
    options
}

fn names(source: &dyn ReadAt) -> Result<Names, Stop> {
    Ok(Names::of(&Facts::read(source)?, source)?)
}

fn run(command: &mut Command) -> Result<String> {
    let failed = |message: String| Error::Tool { program: "patchelf".into(), message };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The first three numbers of a version; a missing one is 0, a fourth is left out.
fn version_numbers(version: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    for (number, part) in numbers.iter_mut().zip(version.split('.')) {
        let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        *number = part.get(..digits)?.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_by_their_first_three_numbers() {
        assert_eq!(version_numbers("0.19.3"), Some([0, 19, 3]));
        assert_eq!(version_numbers("0.17.2.4"), Some([0, 17, 2]));
        assert_eq!(version_numbers("0.14"), Some([0, 14, 0]));
        assert_eq!(version_numbers("0.18.0-rc1"), Some([0, 18, 0]));
        assert_eq!(version_numbers("dev"), None);
        assert!(version_numbers("0.13.9").unwrap() < OLDEST && version_numbers("0.9").unwrap() < OLDEST);
    }

    #[test]
    fn an_old_or_mute_program_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("patchelf");
        let found = |script: &str| {
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            Patchelf::find(directory.path().as_os_str())
        };
        assert!(matches!(found("echo patchelf 0.13.9"), Err(Error::Refused { .. })));
        assert!(matches!(found("echo hello"), Err(Error::Tool { .. })));
        assert!(matches!(found("exit 3"), Err(Error::Tool { .. })));
        assert_eq!(found("echo patchelf 0.17.2.4").unwrap().unwrap().version(), "0.17.2.4");
        assert_eq!(Patchelf::find(OsStr::new("/nowhere")).unwrap(), None);
    }

    #[test]
    fn all_requests_go_into_one_call() {
        let replace = EditRequest::ReplaceNeeded { from: "a".into(), to: "b".into() };
        let requests = [EditRequest::SetSoname("c".into()), replace, EditRequest::SetRpath("d".into())];
        let wanted = ["--set-soname", "c", "--replace-needed", "a", "b", "--force-rpath", "--set-rpath", "d"];
        assert_eq!(options(&requests), wanted.map(OsString::from));
    }
}
