//! Cargo's JSON messages of a build: keeping them under the target directory and reading them back.
//!
//! Running the build is left to `build`, choosing between messages and build scripts' outputs to `linked`.

use super::cargo::target_of;
use crate::engine::{Error, Result};
use cargo_metadata::{Message, PackageId};
use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a build script told cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// The name of its package.
    pub package: String,
    /// The directories that it gave to the linker for native libraries, in its order; none unless it links a dylib.
    pub linked_paths: Vec<PathBuf>,
    /// Its OUT_DIR.
    pub out_directory: PathBuf,
}

/// The messages of one build.
#[derive(Debug, Clone)]
pub(super) struct Messages {
    /// The artifacts: manifest, target name and files of each.
    pub artifacts: Vec<BuiltArtifact>,
    /// The build scripts, in cargo's order.
    pub scripts: Vec<Script>,
    /// When they were kept; `None` for messages that come from nowhere.
    pub written: Option<SystemTime>,
}

/// An artifact of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BuiltArtifact {
    /// Its package's manifest.
    pub manifest: PathBuf,
    /// Its target's name.
    pub target: String,
    /// Whether the target is one that yields a native file for the user: a cdylib, a dylib or a program.
    pub native: bool,
    /// Its files.
    pub files: Vec<PathBuf>,
}

/// `<target>/wheelwright/messages-<triple>-<profile>.jsonl`, without the triple for the host's own directory.
pub(super) fn path(target_directory: &Path, triple: Option<&str>, profile: &str) -> PathBuf {
    let triple = triple.map(|triple| format!("{triple}-")).unwrap_or_default();
    target_directory.join("wheelwright").join(format!("messages-{triple}{profile}.jsonl"))
}

/// Puts `text` at `path` in one step: a reader sees the old messages or the new ones.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn keep(path: &Path, text: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    let mut file = tempfile::Builder::new()
        .prefix(".messages-")
        .tempfile_in(directory)
        .map_err(Error::io("create a file in", directory))?;
    file.write_all(text).map_err(Error::io("write", path))?;
    file.persist(path).map_err(|error| Error::io("replace", path)(error.error))?;
    Ok(())
}

impl Messages {
    /// The messages kept at `path`; `None` when there are none.
    ///
    /// # Errors
    /// [`Error::Io`] when they can't be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", path)(error)),
        };
        let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(Error::io("look at", path))?;
        let mut messages = Self::parse(file).map_err(Error::io("read", path))?;
        messages.written = Some(written);
        Ok(Some(messages))
    }

    /// Messages of a build that has not told anything yet.
    pub fn none() -> Self {
        Self { artifacts: Vec::new(), scripts: Vec::new(), written: None }
    }

    /// The messages in `source`, a line each. Lines that are no message we know are passed over.
    pub fn parse(source: impl Read) -> std::io::Result<Self> {
        let mut messages = Self::none();
        for message in Message::parse_stream(BufReader::new(source)) {
            messages.add(&message?);
        }
        Ok(messages)
    }

    /// Takes one message in.
    pub fn add(&mut self, message: &Message) {
        match message {
            Message::CompilerArtifact(artifact) => self.artifacts.push(BuiltArtifact {
                manifest: artifact.manifest_path.clone().into_std_path_buf(),
                target: artifact.target.name.clone(),
                native: target_of(&artifact.target).is_some(),
                files: artifact.filenames.iter().map(|path| path.clone().into_std_path_buf()).collect(),
            }),
            Message::BuildScriptExecuted(script) => {
                let links = script.linked_libs.iter().map(|library| library.as_str());
                let paths = script.linked_paths.iter().map(|path| path.as_str());
                self.scripts.push(Script {
                    package: package_name(&script.package_id),
                    linked_paths: linked_paths(links, paths),
                    out_directory: script.out_dir.clone().into_std_path_buf(),
                });
            }
            _ => {}
        }
    }

    /// The files of all artifacts.
    pub fn files(&self) -> BTreeSet<&Path> {
        self.artifacts.iter().flat_map(|artifact| &artifact.files).map(PathBuf::as_path).collect()
    }
}

/// maturin's filter: the directories of a script that links a dylib (kind `dylib` or none), and of these the ones of kind
/// `native`, `all` or none.
pub(super) fn linked_paths<'a>(
    libraries: impl IntoIterator<Item = &'a str>,
    paths: impl IntoIterator<Item = &'a str>,
) -> Vec<PathBuf> {
    let is_dylib = |library: &str| match library.split_once('=') {
        Some((kind, _)) => kind.split(':').next() == Some("dylib"),
        None => true,
    };
    if !libraries.into_iter().any(is_dylib) {
        return Vec::new();
    }
    let native = |path: &'a str| match path.split_once('=') {
        Some(("native" | "all", path)) => Some(path),
        Some(("dependency" | "crate" | "framework", _)) => None,
        _ => Some(path),
    };
    paths.into_iter().filter_map(native).map(PathBuf::from).collect()
}

/// The name in a package id: `…#name@version`, `…/name#version` or, from older cargos, `name version (…)`.
fn package_name(id: &PackageId) -> String {
    let Some((url, fragment)) = id.repr.rsplit_once('#') else {
        return id.repr.split(' ').next().unwrap_or_default().to_string();
    };
    if let Some((name, _)) = fragment.split_once('@') {
        return name.to_string();
    }
    let url = url.split('?').next().unwrap_or(url);
    url.rsplit('/').next().unwrap_or(url).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_stand_in_ids_in_three_ways() {
        let table = [
            ("path+file:///p/a#lab-ext@0.1.0", "lab-ext"),
            ("path+file:///p/lab-ext#0.1.0", "lab-ext"),
            ("git+https://h/lab?rev=1#0.1.0", "lab"),
            ("registry+https://h/index#libc@0.2.1", "libc"),
            ("libc 0.2.1 (registry+https://h/index)", "libc"),
        ];
        for (id, name) in table {
            assert_eq!(package_name(&PackageId { repr: id.into() }), name);
        }
    }

    #[test]
    fn linked_paths_pass_the_filter() {
        let paths = ["native=/n", "/none", "all=/a", "dependency=/d", "crate=/c", "framework=/f"];
        let kept = ["/n", "/none", "/a"].map(PathBuf::from);
        for library in ["greet", "dylib=greet", "dylib:+verbatim=libgreet.so.1"] {
            assert_eq!(linked_paths([library], paths), kept, "{library}");
        }
        for library in ["static=greet", "static:+whole-archive=greet", "framework=Greet", "raw-dylib=greet"] {
            assert!(linked_paths([library], paths).is_empty(), "{library}");
        }
        assert!(linked_paths([], paths).is_empty());
        assert_eq!(linked_paths(["static=a", "b"], paths), kept);
    }

    #[test]
    fn strange_lines_are_passed_over() {
        let text = concat!(
            "{\"reason\":\"build-script-executed\",\"package_id\":\"path+file:///p/a#b@1.0.0\",\"linked_libs\":[\"z\"],",
            "\"linked_paths\":[\"native=/n\"],\"cfgs\":[],\"env\":[],\"out_dir\":\"/o\"}\n",
            "words\n{\"reason\":\"future\"}\n{\"reason\":\n\n",
        );
        let messages = Messages::parse(text.as_bytes()).unwrap();
        let script = Script { package: "b".into(), linked_paths: vec!["/n".into()], out_directory: "/o".into() };
        assert_eq!(messages.scripts, [script]);
        assert!(messages.artifacts.is_empty());
    }

    #[test]
    fn kept_messages_are_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(directory.path(), Some("x86_64-unknown-linux-gnu"), "release");
        assert!(path.ends_with("wheelwright/messages-x86_64-unknown-linux-gnu-release.jsonl"));
        assert!(Messages::read(&path).unwrap().is_none());
        keep(&path, b"{}\n{}\n").unwrap();
        keep(&path, b"{}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(Messages::read(&path).unwrap().unwrap().written.is_some());
    }
}
