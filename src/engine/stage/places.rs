//! Where a session keeps what it makes: one folder per triple and profile, so that equal names never collide.

use crate::engine::file::{below, relative_path};
use crate::engine::project::{Artifact, Project};
use sha2::{Digest, Sha256};
use std::path::{Component, Path, PathBuf};

/// Names in a staging directory that no profile's or target's folder may have.
const OURS: [&str; 5] = ["journal", "trash", "kept", "verify", "files"];
/// The folder of a bundle, beside the staged files.
const BUNDLE: &str = "bundle";
/// What a private copy has behind its name.
const PRIVATE: &str = ".private";

/// The directories of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `<target>/wheelwright`: journal and kept messages, wherever staging is.
    pub home: PathBuf,
    /// Under which everything is staged, and where nothing lies but what we made: `home`, or the folder `wheelwright` in the
    /// place that the user named.
    pub staging: PathBuf,
    /// Where staging really is, if the way out of it by `..` does not lead up the path that it is known by.
    real: Option<PathBuf>,
}

impl Places {
    /// The places of a session whose home and staging are known.
    #[must_use]
    pub fn new(home: PathBuf, staging: PathBuf) -> Self {
        let real = resolved(&staging);
        let beside_the_outputs = staging == home && home.parent().map(resolved).as_deref() == real.parent();
        let real = (real != staging && !beside_the_outputs).then_some(real);
        Self { home, staging, real }
    }

    /// The text of a symbolic link in `directory`, which lies in staging, to `path`.
    #[must_use]
    pub fn way(&self, directory: &Path, path: &Path) -> PathBuf {
        match (&self.real, directory.strip_prefix(&self.staging)) {
            (Some(real), Ok(rest)) => relative_path(&real.join(rest), path),
            _ => relative_path(directory, path),
        }
    }

    /// The places of `project`: below its target directory, or below `scratch` for loose files.
    #[must_use]
    pub fn of(project: &Project, staging: Option<&Path>, scratch: &Path) -> Self {
        let home = match &project.target_directory {
            Some(target) => target.join("wheelwright"),
            None => scratch.to_path_buf(),
        };
        let staging = match staging {
            // What the user names may hold other things: ours get a folder of their own, which we may empty.
            Some(named) if named != home => named.join("wheelwright"),
            _ => home.clone(),
        };
        Self::new(home, staging)
    }

    /// The journal's file.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.home.join("journal")
    }

    /// The folder of `artifact`'s profile.
    #[must_use]
    pub fn folder(&self, artifact: &Artifact) -> PathBuf {
        match &artifact.cargo {
            Some(cargo) => {
                let mut folder = self.staging.clone();
                folder
                    .extend(cargo.triple.iter().chain([&cargo.profile]).map(|name| own_name(name, &OURS, ".profile")));
                folder
            }
            None => {
                let directory = artifact.path.parent().unwrap_or(Path::new("/"));
                let digest = Sha256::digest(directory.as_os_str().as_encoded_bytes());
                let name: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                self.staging.join("files").join(name)
            }
        }
    }

    /// The staged file of `artifact`.
    #[must_use]
    pub fn staged(&self, artifact: &Artifact) -> PathBuf {
        let name = &artifact.name;
        let suffix = if name.ends_with(PRIVATE) { ".artifact" } else { "" };
        self.folder(artifact).join(own_name(&format!("{name}{suffix}"), &[BUNDLE], ".artifact"))
    }

    /// The private copy of the staged file, while it is being made.
    #[must_use]
    pub fn private(&self, artifact: &Artifact) -> PathBuf {
        private_of(&self.staged(artifact))
    }

    /// The bundle that `artifact` goes into.
    #[must_use]
    pub fn bundle(&self, artifact: &Artifact) -> PathBuf {
        self.folder(artifact).join(BUNDLE)
    }

    /// The artifact's place in the bundle.
    #[must_use]
    pub fn bundled(&self, artifact: &Artifact) -> PathBuf {
        below(&below(&self.bundle(artifact), &artifact.names.artifact_dir), &artifact.names.file_name)
    }

    /// The place of a grafted library in the bundle.
    #[must_use]
    pub fn grafted(&self, artifact: &Artifact, name: &str) -> PathBuf {
        below(&below(&self.bundle(artifact), &artifact.names.libs_dir), name)
    }

    /// The session's trash: on staging's filesystem, emptied when the session ends.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.staging.join("trash")
    }

    /// Where files go that could not be put back, because something newer was in their place.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        self.staging.join("kept")
    }

    /// The folder in which a bundle is laid out for verification.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.staging.join("verify")
    }

    /// Whether `path` lies in staging, where files may be edited.
    #[must_use]
    pub fn in_staging(&self, path: &Path) -> bool {
        path.starts_with(&self.staging)
    }

    /// The name in the trash of what lies at `path`.
    #[must_use]
    pub fn trashed(&self, step: &str, path: &Path) -> PathBuf {
        let relative = path.strip_prefix(&self.staging).unwrap_or(path);
        let mut name = self.trash().into_os_string();
        name.push("/");
        name.push(step);
        for part in relative.components() {
            if let Component::Normal(part) = part {
                name.push("+");
                name.push(part);
            }
        }
        PathBuf::from(name)
    }
}

/// The private file beside `path`.
#[must_use]
pub fn private_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(PRIVATE);
    PathBuf::from(name)
}

/// `path` with the symbolic links of its part that is there resolved.
fn resolved(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize(), path.strip_prefix(above)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_path_buf()
}

/// `name`, with `suffix` where it is one of `taken`. Cargo takes no profile whose name has a dot in it.
fn own_name(name: &str, taken: &[&str], suffix: &str) -> String {
    if taken.contains(&name) { format!("{name}{suffix}") } else { name.to_owned() }
}
