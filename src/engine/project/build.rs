//! `wheelwright build`: cargo's own build, with its messages kept for discovery.
//!
//! Cargo's progress and rendered diagnostics go to the inherited standard error, so that a person sees what they are used
//! to. What the messages mean is left to `messages` and `linked`.

use super::cargo::{TargetDirVariable, Workspace};
use super::messages::{self, Messages};
use super::pyproject::Pyproject;
use crate::engine::{Error, Result};
use cargo_metadata::Message;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What cargo told while it was building.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// An artifact is there.
    Artifact {
        /// The cargo target's name.
        target: String,
        /// Its files.
        files: Vec<PathBuf>,
        /// Whether it was there already.
        fresh: bool,
    },
    /// A build script ran, now or in an earlier build.
    BuildScript {
        /// Its package's name.
        package: String,
        /// The directories that it gave to the linker, where it links a dylib.
        linked_paths: Vec<PathBuf>,
    },
    /// A line on cargo's standard output that is no message of cargo's.
    Text(String),
}

/// How a build ended.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// Cargo's exit status.
    pub status: ExitStatus,
    /// The target directory; `None` where cargo could not tell.
    pub target_directory: Option<PathBuf>,
    /// The files of the artifacts that cargo put into profile directories, in its order.
    pub outputs: Vec<PathBuf>,
    /// The files that the messages were kept in, one for each triple and profile; empty for a failed build.
    pub kept: Vec<PathBuf>,
}

/// Runs `cargo build` with `arguments` in `directory` and keeps its messages under `<target>/wheelwright/`. The messages of a
/// failed build are not kept: they would hide those of the build that the files are from.
///
/// # Errors
/// [`Error::Tool`] when cargo can't be run, [`Error::Io`] when its messages can't be read or kept. A failed build is an
/// outcome, not an error.
pub fn build(
    cargo: &Path,
    arguments: &[OsString],
    directory: &Path,
    on_event: &mut dyn FnMut(BuildEvent),
) -> Result<BuildOutcome> {
    let request = Request::read(arguments, directory);
    let failed = |error: std::io::Error| Error::Tool { program: "cargo build".into(), message: error.to_string() };
    let mut command = Command::new(cargo);
    command.arg("build").arg("--message-format=json-render-diagnostics").args(&request.added).args(arguments);
    let mut child = command.current_dir(directory).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut raw = Vec::new();
    let mut messages = Messages::none();
    let read = match child.stdout.take() {
        Some(output) => follow(output, &mut raw, &mut messages, on_event),
        None => Ok(()),
    };
    // The child is waited for in any case, lest it stay a zombie.
    let status = child.wait().map_err(failed)?;
    read.map_err(failed)?;
    let workspace = request.workspace(cargo);
    let mut outcome = BuildOutcome { status, target_directory: None, outputs: Vec::new(), kept: Vec::new() };
    let Some(workspace) = workspace else { return Ok(outcome) };
    let mut places = BTreeSet::new();
    for file in messages.artifacts.iter().flat_map(|artifact| &artifact.files) {
        if let Some(place) = place_of(file, &workspace.target_directory) {
            places.insert(place);
            outcome.outputs.push(file.clone());
        }
    }
    if places.is_empty() {
        places.extend(request.places());
    }
    if status.success() {
        for (triple, profile) in &places {
            let path = messages::path(&workspace.target_directory, triple.as_deref(), profile);
            messages::keep(&path, &raw)?;
            outcome.kept.push(path);
        }
    }
    outcome.target_directory = Some(workspace.target_directory);
    Ok(outcome)
}

/// Reads cargo's standard output to its end: messages into `raw` and `messages`, all else to `on_event` as text.
fn follow(
    output: impl std::io::Read,
    raw: &mut Vec<u8>,
    messages: &mut Messages,
    on_event: &mut dyn FnMut(BuildEvent),
) -> std::io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line).trim_end().to_string();
        match Message::parse_stream(text.as_bytes()).next().transpose()? {
            None => {}
            // A message of a newer cargo is kept as well, for a newer reader.
            Some(Message::TextLine(text)) if text.starts_with('{') => keep_line(raw, &text),
            Some(Message::TextLine(text)) => on_event(BuildEvent::Text(text)),
            Some(message) => {
                keep_line(raw, &text);
                messages.add(&message);
                if let Some(event) = event(&message, messages) {
                    on_event(event);
                }
            }
        }
        line.clear();
    }
    Ok(())
}

fn keep_line(raw: &mut Vec<u8>, text: &str) {
    raw.extend_from_slice(text.as_bytes());
    raw.push(b'\n');
}

fn event(message: &Message, messages: &Messages) -> Option<BuildEvent> {
    match message {
        Message::CompilerArtifact(artifact) => messages.artifacts.last().map(|built| BuildEvent::Artifact {
            target: built.target.clone(),
            files: built.files.clone(),
            fresh: artifact.fresh,
        }),
        Message::BuildScriptExecuted(_) => messages.scripts.last().map(|script| BuildEvent::BuildScript {
            package: script.package.clone(),
            linked_paths: script.linked_paths.clone(),
        }),
        _ => None,
    }
}

/// The triple and the profile of an output in the target directory; `None` for files of `deps/`, `build/` and `examples/`.
fn place_of(file: &Path, target_directory: &Path) -> Option<(Option<String>, String)> {
    let inside = file.strip_prefix(target_directory).ok()?;
    let parts: Option<Vec<&str>> = inside.iter().map(OsStr::to_str).collect();
    match parts?.as_slice() {
        [profile, _] => Some((None, (*profile).to_string())),
        [_, "deps" | "examples" | "build", _] => None,
        [triple, profile, _] => Some((Some((*triple).to_string()), (*profile).to_string())),
        _ => None,
    }
}

/// What the arguments say about where the build's files will be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    /// What is added to cargo's arguments.
    added: Vec<OsString>,
    manifest: Option<PathBuf>,
    target_directory: Option<OsString>,
    triples: Vec<String>,
    profile: Option<String>,
    /// Options that bear on metadata as well.
    shared: Vec<OsString>,
}

impl Request {
    fn read(arguments: &[OsString], directory: &Path) -> Self {
        let mut request = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let text = argument.to_string_lossy();
            let (name, joined) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name.to_string(), Some(OsString::from(value))),
                _ => (text.to_string(), None),
            };
            let mut value = || joined.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
            match name.as_str() {
                "--manifest-path" => request.manifest = Some(directory.join(value())),
                "--target-dir" => request.target_directory = Some(directory.join(value()).into_os_string()),
                "--target" => request.triples.push(file_stem(&value())),
                "--profile" => request.profile = Some(profile_directory(&value().to_string_lossy()).to_string()),
                "--release" | "-r" => request.profile = Some("release".into()),
                "--config" | "-Z" => request.shared.extend([OsString::from(&name), value()]),
                _ if name.starts_with("-Z") => request.shared.push(argument.clone()),
                _ => {}
            }
        }
        if request.manifest.is_none() {
            request.manifest = directory.ancestors().map(|above| above.join("Cargo.toml")).find(|path| path.is_file());
        }
        if request.manifest.is_none() {
            // A Python project may keep its crate elsewhere; cargo alone would not find it.
            let named = Pyproject::read(directory).and_then(std::result::Result::ok).and_then(|one| one.manifest());
            request
                .added
                .extend(named.iter().flat_map(|path| ["--manifest-path".into(), path.clone().into_os_string()]));
            request.manifest = named;
        }
        request
    }

    fn workspace(&self, cargo: &Path) -> Option<Workspace> {
        let variable = self.target_directory.as_deref().map_or(TargetDirVariable::Inherited, TargetDirVariable::Set);
        Workspace::ask(cargo, self.manifest.as_deref()?, variable, &self.shared).ok()
    }

    /// The triples and profiles that were asked for, for a build whose messages name no output.
    fn places(&self) -> Vec<(Option<String>, String)> {
        let profile = self.profile.clone().unwrap_or_else(|| "debug".into());
        if self.triples.is_empty() {
            return vec![(None, profile)];
        }
        self.triples.iter().map(|triple| (Some(triple.clone()), profile.clone())).collect()
    }
}

/// The directory of a profile: the built-in ones share two (the cargo book, "Profiles").
fn profile_directory(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    }
}

/// A triple, or the name of a target specification's file.
fn file_stem(target: &OsStr) -> String {
    let text = target.to_string_lossy();
    match text.strip_suffix(".json") {
        Some(path) => path.rsplit('/').next().unwrap_or(path).to_string(),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_tell_where_the_files_will_be() {
        let directory = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let arguments: Vec<OsString> = text.split_whitespace().map(OsString::from).collect();
            Request::read(&arguments, directory.path())
        };
        let request =
            read("--release --target a-b-c --target=specs/odd.json --manifest-path x/Cargo.toml --target-dir=t");
        assert_eq!(
            request.places(),
            [(Some("a-b-c".into()), "release".into()), (Some("odd".into()), "release".into())]
        );
        assert_eq!(request.manifest, Some(directory.path().join("x/Cargo.toml")));
        assert_eq!(request.target_directory, Some(directory.path().join("t").into_os_string()));
        assert_eq!(read("--profile dev").places(), [(None, "debug".into())]);
        assert_eq!(read("--profile=bench").places(), [(None, "release".into())]);
        assert_eq!(read("--profile lto").places(), [(None, "lto".into())]);
        assert_eq!(read("").places(), [(None, "debug".into())]);
        assert_eq!(read("--config a=1 -Zx -Z y").shared, ["--config", "a=1", "-Zx", "-Z", "y"]);
        assert_eq!(read("").manifest, None);
        std::fs::create_dir(directory.path().join("rust")).unwrap();
        std::fs::write(directory.path().join("rust/Cargo.toml"), "").unwrap();
        std::fs::write(directory.path().join("pyproject.toml"), "").unwrap();
        assert_eq!(read("").added.len(), 2, "cargo is told where the crate is");
    }

    #[test]
    fn outputs_lie_in_profile_directories() {
        let table = [
            ("/t/release/liba.so", Some((None, "release"))),
            ("/t/x-y/debug/a", Some((Some("x-y"), "debug"))),
            ("/t/release/deps/liba.so", None),
            ("/t/release/examples/a", None),
            ("/t/x-y/release/deps/liba.so", None),
            ("/u/release/liba.so", None),
        ];
        for (file, expected) in table {
            let expected = expected.map(|(triple, profile)| (triple.map(str::to_string), profile.to_string()));
            assert_eq!(place_of(Path::new(file), Path::new("/t")), expected, "{file}");
        }
    }
}
