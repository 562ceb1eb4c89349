//! Effects: every change that the program makes to files, as data that can be shown, journaled, applied and undone.

use crate::engine::project::{ArtifactId, Project};
use crate::engine::repair::{EditPlan, EditRequest};
use crate::engine::report::edits::LoggedEdit;
use crate::engine::report::plan::PlannedEffect;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A change to files. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Make a directory whose parent is there.
    Mkdir {
        /// The directory.
        #[serde(with = "super::exact")]
        path: PathBuf,
    },
    /// Give a file another name on the same filesystem. Nothing is overwritten, except where `displaces` says so.
    Rename {
        /// The name that it has.
        #[serde(with = "super::exact")]
        from: PathBuf,
        /// The name that it gets.
        #[serde(with = "super::exact")]
        to: PathBuf,
        /// A name that the inode keeps which `to` names before, or named until this very step.
        #[serde(with = "super::exact::option")]
        displaces: Option<PathBuf>,
    },
    /// Give an inode one more name.
    Link {
        /// A name that it has.
        #[serde(with = "super::exact")]
        from: PathBuf,
        /// The name that it gets as well.
        #[serde(with = "super::exact")]
        to: PathBuf,
    },
    /// Make a private copy, sharing blocks where the filesystem can.
    ReflinkOrCopy {
        /// The file that is copied.
        #[serde(with = "super::exact")]
        from: PathBuf,
        /// The copy, in staging.
        #[serde(with = "super::exact")]
        to: PathBuf,
        /// What the patch step will edit in the copy, where that is known: artifacts that want other edits can't share it.
        /// Not journaled: going back needs the names only.
        #[serde(skip)]
        meant: Vec<EditRequest>,
    },
    /// Take a file out of the way; it lies in the session's trash until the session ends.
    Unlink {
        /// The file.
        #[serde(with = "super::exact")]
        path: PathBuf,
        /// Where it lies until then.
        #[serde(with = "super::exact")]
        trash: PathBuf,
    },
    /// Make a symbolic link.
    Symlink {
        /// The link.
        #[serde(with = "super::exact")]
        path: PathBuf,
        /// Its text: what it leads to, relative to the link's directory.
        #[serde(with = "super::exact")]
        target: PathBuf,
    },
    /// Set the permission bits of a file in staging.
    SetMode {
        /// The file.
        #[serde(with = "super::exact")]
        path: PathBuf,
        /// The bits.
        mode: u32,
    },
    /// Edit a file in staging that has no other name.
    Edit {
        /// The file.
        #[serde(with = "super::exact")]
        path: PathBuf,
        /// Where its clean bytes can be cloned from when the edit is undone.
        #[serde(with = "super::exact")]
        clean: PathBuf,
        /// What the editor will do. Not journaled: going back needs the clean bytes only.
        #[serde(skip)]
        plan: Option<Box<EditPlan>>,
        /// What is asked of the file, for those who read the journal.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        asked: Vec<LoggedEdit>,
    },
}

impl Action {
    /// The edit of `path` that `plan` describes; its clean bytes are those of `clean`.
    #[must_use]
    pub fn edit(path: PathBuf, clean: PathBuf, plan: &EditPlan) -> Self {
        let asked = LoggedEdit::list(&plan.requests);
        Self::Edit { path, clean, plan: Some(Box::new(plan.clone())), asked }
    }

    /// Its name in documents and journal.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mkdir { .. } => "mkdir",
            Self::Rename { .. } => "rename",
            Self::Link { .. } => "link",
            Self::ReflinkOrCopy { .. } => "reflink_or_copy",
            Self::Unlink { .. } => "unlink",
            Self::Symlink { .. } => "symlink",
            Self::SetMode { .. } => "set_mode",
            Self::Edit { .. } => "edit",
        }
    }

    /// The file or directory that it starts from.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Rename { from, .. } | Self::Link { from, .. } | Self::ReflinkOrCopy { from, .. } => from,
            Self::Mkdir { path }
            | Self::Unlink { path, .. }
            | Self::Symlink { path, .. }
            | Self::SetMode { path, .. }
            | Self::Edit { path, .. } => path,
        }
    }

    /// The name that it brings into being, at which nothing may lie before.
    #[must_use]
    pub fn makes(&self) -> Option<&Path> {
        match self {
            Self::Rename { displaces: Some(_), .. } | Self::SetMode { .. } | Self::Edit { .. } => None,
            Self::Rename { to, .. } | Self::Link { to, .. } | Self::ReflinkOrCopy { to, .. } => Some(to),
            Self::Mkdir { path } | Self::Symlink { path, .. } => Some(path),
            Self::Unlink { trash, .. } => Some(trash),
        }
    }

    /// The name at which its result lies.
    #[must_use]
    pub fn lies_at(&self) -> &Path {
        self.to().unwrap_or_else(|| self.path())
    }

    /// The second path of those that have two and show it.
    #[must_use]
    pub fn to(&self) -> Option<&Path> {
        match self {
            Self::Rename { to, .. } | Self::Link { to, .. } | Self::ReflinkOrCopy { to, .. } => Some(to),
            _ => None,
        }
    }
}

/// Who an effect is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    /// One artifact.
    Artifact,
    /// A place or a grafted library that other artifacts of the session may need as well.
    Session,
}

/// An action with its reason and its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What is done.
    pub action: Action,
    /// The artifact for whose step it was planned.
    pub artifact: ArtifactId,
    /// Whether it serves that artifact alone.
    pub serves: Serves,
    /// What exactly, in words, where the paths don't say it.
    pub detail: Option<String>,
    /// The most bytes that it reads.
    pub reads: u64,
    /// The most bytes that it writes.
    pub writes: u64,
    /// Why it is done.
    pub why: String,
}

impl Effect {
    /// An effect for one artifact that moves no bytes.
    #[must_use]
    pub fn new(artifact: ArtifactId, action: Action, why: impl Into<String>) -> Self {
        Self { action, artifact, serves: Serves::Artifact, detail: None, reads: 0, writes: 0, why: why.into() }
    }

    /// The same, reading and writing at most so many bytes.
    #[must_use]
    pub fn costing(mut self, reads: u64, writes: u64) -> Self {
        (self.reads, self.writes) = (reads, writes);
        self
    }

    /// The same, with words for what exactly is done.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same, for whichever artifacts need it.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.serves = Serves::Session;
        self
    }

    /// The effect as documents show it.
    #[must_use]
    pub fn planned(&self, project: &Project) -> PlannedEffect {
        PlannedEffect {
            kind: self.action.kind().to_owned(),
            artifact: match self.serves {
                Serves::Artifact => project.artifacts.get(self.artifact.0).map(|artifact| artifact.path.clone()),
                Serves::Session => None,
            },
            path: self.action.path().to_path_buf(),
            to: self.action.to().map(Path::to_path_buf),
            detail: self.detail.clone(),
            reads: self.reads,
            writes: self.writes,
            why: self.why.clone(),
            fit: match &self.action {
                Action::Edit { plan: Some(plan), .. } => plan.fit.clone(),
                _ => None,
            },
            edits: match &self.action {
                Action::Edit { plan: Some(plan), .. } => Some(LoggedEdit::list(&plan.requests)),
                _ => None,
            },
        }
    }
}
