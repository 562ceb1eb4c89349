//! The verdict: the child is run, and what it and the loader's log say is made into a report.

use super::answer::{ANSWER, Answer, HIDDEN, Hidden, REQUEST, Request, RequestedProbe, read, write};
use super::lay_out::LaidOut;
use super::process::{self, End, Ended};
use super::seen::{self, Seen};
use super::{CHILD, LoadProof, Loading, listing, untried};
use crate::engine::audit::demands::is_dynamic_linker;
use crate::engine::report::dlopen::FoundIn;
use crate::engine::report::load::{LoadReport, LoadVerdict, LoadedLibrary, OpenedProbe};
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much the child may write to be read by us, in bytes.
const MOST_SAID: u64 = 64 << 20;
/// What a file of the bundle has before its place there.
const IN_BUNDLE: &str = "bundle:";

/// Loads the artifact of `proof` and says what came of it.
///
/// # Errors
/// [`Error::Cancelled`]; when the child can't be started.
pub(super) fn outcome(
    proof: &LoadProof<'_>,
    loading: &Loading,
    laid_out: &LaidOut,
    context: &Context,
) -> Result<LoadReport> {
    let request = request(proof, loading, laid_out)?;
    write(&laid_out.said, REQUEST, &request)?;
    let mut command = Command::new(&loading.helper);
    command.arg(CHILD).arg(&laid_out.said).env_clear().current_dir(&laid_out.empty);
    let is_over = (loading.clock)();
    let ended = process::run(&mut command, &*is_over, &|| size_below(&laid_out.said) > MOST_SAID, context)?;
    let Some(hidden) = read::<Hidden>(&laid_out.said, HIDDEN) else {
        return Err(Error::Tool {
            program: loading.helper.display().to_string(),
            message: format!("as the child that loads, {}", end(&ended)),
        });
    };
    let answer = read::<Answer>(&laid_out.said, ANSWER).or_else(|| listing::answer(&request, &ended));
    let judge = Judge { proof, laid_out, request: &request, ended: &ended };
    Ok(judge.report(hidden, answer))
}

fn request(proof: &LoadProof<'_>, loading: &Loading, laid_out: &LaidOut) -> Result<Request> {
    // Where Python is needed for nothing, the fewest things are in the process before.
    let asked = if untried::wants_python(proof)? { loading.interpreter() } else { None };
    let interpreter = asked.and_then(|asked| asked.as_ref().ok());
    Ok(Request {
        scratch: laid_out.scratch.clone(),
        bundle: laid_out.bundle.clone(),
        empty: laid_out.empty.clone(),
        artifact: laid_out.path(proof.entry),
        module: proof.module.filter(|_| interpreter.is_some()).map(str::to_owned),
        preload: proof.preload.iter().map(|at| laid_out.path(at)).collect(),
        probes: proof.open.iter().map(|probe| RequestedProbe { name: probe.name.clone(), by: probe.by }).collect(),
        hide: proof.hide.to_vec(),
        keep: interpreter.map(|interpreter| interpreter.keep.clone()).unwrap_or_default(),
        program: untried::is_program(proof),
        python: interpreter.map(|interpreter| interpreter.executable.clone()),
    })
}

/// The size of the files in `directory`, in bytes.
fn size_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// How a process ended, where it should have gone on.
fn end(ended: &Ended) -> String {
    match ended.end {
        End::Exited(status) => format!("the process ended by itself, with status {status}"),
        End::Signalled(signal) => match signal_name(signal) {
            Some(name) => format!("the process was ended by signal {signal} ({name})"),
            None => format!("the process was ended by signal {signal}"),
        },
        End::Late => "its time was over, and it was not done".to_owned(),
        End::TooMuch => "it wrote too much where the answer belongs".to_owned(),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    let named = [
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGTRAP, "SIGTRAP"),
    ];
    named.iter().find(|(number, _)| *number == signal).map(|(_, name)| *name)
}

/// What is known when the child has ended.
struct Judge<'a> {
    proof: &'a LoadProof<'a>,
    laid_out: &'a LaidOut,
    request: &'a Request,
    ended: &'a Ended,
}

impl Judge<'_> {
    fn report(&self, hidden: Hidden, answer: Option<Answer>) -> LoadReport {
        let said = answer.is_some();
        let answer = answer.unwrap_or_default();
        if let Some(why) = &answer.not_tried {
            return self.proof.not_tried(why);
        }
        let libraries = self.libraries(&answer);
        let (verdict, mut why) = match (&answer.error, answer.loaded) {
            (_, true) => verdict_on(&libraries),
            (Some(error), false) => self.failure(self.plain_words(error)),
            (None, false) if said => (LoadVerdict::Fails, "it is not in the process, and nobody says why".to_owned()),
            (None, false) => (LoadVerdict::Fails, self.crash()),
        };
        if !hidden.left.is_empty() {
            let left: Vec<String> = hidden.left.iter().map(|path| path.display().to_string()).collect();
            why = format!("{why}; left in reach, because something else lies there: {}", left.join(", "));
        }
        LoadReport {
            artifact: self.proof.artifact.path.clone(),
            verdict,
            why,
            loaded_by: Some(self.loaded_by()),
            build_hidden_by: hidden.by,
            opened: self.opened(&answer),
            started: answer.started.as_deref().map(|words| self.plain_words(words)),
            libraries,
        }
    }

    fn loaded_by(&self) -> String {
        match (&self.request.python, &self.request.module) {
            (Some(python), Some(_)) => format!("import by {}", python.display()),
            (Some(python), None) => format!("ctypes of {}", python.display()),
            _ if self.request.program => "its own loader, which runs nothing of it".to_owned(),
            _ => "dlopen".to_owned(),
        }
    }

    /// What the end of the process before any answer says.
    fn crash(&self) -> String {
        let said = String::from_utf8_lossy(&self.ended.stderr);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let end = format!("while it was loaded, {}", end(self.ended));
        match last {
            Some(last) => format!("{end}; last it said: {}", last.chars().take(200).collect::<String>()),
            None => end,
        }
    }

    /// The loader's words. A name of Python's that the interpreter at hand lacks says nothing of the bundle.
    fn failure(&self, words: String) -> (LoadVerdict, String) {
        let symbol = words.split("undefined symbol: ").nth(1).unwrap_or_default();
        if self.request.python.is_some() && crate::engine::symbols::python::is_python(symbol.as_bytes()) {
            return (LoadVerdict::NotTried, format!("it is for another version of Python: {words}"));
        }
        (LoadVerdict::Fails, words)
    }

    /// The files that came, the artifact's own left out.
    fn libraries(&self, answer: &Answer) -> Vec<LoadedLibrary> {
        let Request { artifact, preload, .. } = self.request;
        let seen = seen::all(answer, artifact, preload, &self.laid_out.said, self.ended.pid);
        seen.iter().map(|seen| self.library(seen)).collect()
    }

    fn library(&self, seen: &Seen) -> LoadedLibrary {
        let asked_by = seen.asked_by.as_deref().and_then(Path::file_name);
        LoadedLibrary {
            name: seen.name.clone(),
            path: self.place(&seen.path),
            asked_by: asked_by.map(|name| name.to_string_lossy().into_owned()),
            from: self.whose(seen),
        }
    }

    /// `path` as reports write it.
    fn place(&self, path: &Path) -> String {
        match path.strip_prefix(&self.laid_out.bundle) {
            Ok(place) => format!("{IN_BUNDLE}{}", place.display()),
            Err(_) => path.display().to_string(),
        }
    }

    fn whose(&self, seen: &Seen) -> FoundIn {
        if seen.path.starts_with(&self.laid_out.bundle) {
            return FoundIn::Bundle;
        }
        let real = seen.path.canonicalize();
        let real = real.as_deref().unwrap_or(&seen.path);
        let below = |directory: &PathBuf| {
            seen.path.starts_with(directory)
                || directory.canonicalize().is_ok_and(|directory| real.starts_with(directory))
        };
        let name = seen.path.file_name().unwrap_or_default().to_string_lossy();
        let allowed = |name: &str| (self.proof.allowed)(name) || is_dynamic_linker(name);
        // A directory of the system's that was given to the linker is the system's.
        let (hidden, _) = super::hide::choose(self.proof.hide, &self.request.keep);
        if hidden.iter().any(below) {
            FoundIn::Build
        } else if allowed(&seen.name) || allowed(&name) {
            FoundIn::Policy
        } else {
            FoundIn::System
        }
    }

    /// What came of each probe, the one included in which the process ended.
    fn opened(&self, answer: &Answer) -> Vec<OpenedProbe> {
        let cut_off = |name: &String| OpenedProbe {
            name: name.clone(),
            path: None,
            error: Some(format!("while it was opened, {}", end(self.ended))),
        };
        let all = answer.probes.iter().cloned().chain(answer.opening.iter().map(cut_off));
        let shown = all.map(|probe| OpenedProbe {
            path: probe.path.map(|path| self.place(&seen::plain(Path::new(&path)))),
            error: probe.error.map(|words| self.plain_words(&words)),
            name: probe.name,
        });
        shown.collect()
    }

    /// `words` with the bundle's files named by their places.
    fn plain_words(&self, words: &str) -> String {
        words.replace(&format!("{}/", self.laid_out.bundle.display()), IN_BUNDLE)
    }
}

/// The verdict on an artifact that loads.
fn verdict_on(libraries: &[LoadedLibrary]) -> (LoadVerdict, String) {
    let elsewhere: Vec<String> = libraries
        .iter()
        .filter_map(|library| match library.from {
            FoundIn::Bundle | FoundIn::Policy => None,
            FoundIn::Build => Some(format!("{} comes from the build: {}", library.name, library.path)),
            FoundIn::System => Some(format!("{} is this machine's own: {}", library.name, library.path)),
        })
        .collect();
    if !elsewhere.is_empty() {
        return (LoadVerdict::LoadsFromElsewhere, elsewhere.join("; "));
    }
    let count = |from| libraries.iter().filter(|library| library.from == from).count();
    let many = |count: usize| if count == 1 { "library" } else { "libraries" };
    let (bundle, policy) = (count(FoundIn::Bundle), count(FoundIn::Policy));
    let words = format!("{bundle} {} of the bundle, {policy} that its tag takes for granted", many(bundle));
    (LoadVerdict::Loads, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_from_elsewhere_is_named() {
        let library = |name: &str, from| LoadedLibrary {
            name: name.to_owned(),
            path: format!("/x/{name}"),
            asked_by: None,
            from,
        };
        let mut all = vec![library("a", FoundIn::Bundle), library("c", FoundIn::Policy), library("d", FoundIn::Policy)];
        let words = "1 library of the bundle, 2 that its tag takes for granted";
        assert_eq!(verdict_on(&all), (LoadVerdict::Loads, words.to_owned()));
        all.push(library("e", FoundIn::Build));
        let words = "e comes from the build: /x/e";
        assert_eq!(verdict_on(&all), (LoadVerdict::LoadsFromElsewhere, words.to_owned()));
    }
}
