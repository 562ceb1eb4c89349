//! The engine's errors: each names its file and, where bytes were read, the place and what was expected there.

use std::path::{Path, PathBuf};

/// What the engine's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the engine. The text is one sentence, lower-case, without a trailing dot.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or change a file.
    #[error("{path}: cannot {action}: {source}", path = .path.display())]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What was being done, as an infinitive: "open", "read", "rename".
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file's bytes are not what their format demands.
    #[error("{path}: at offset {offset:#x}: expected {expected}", path = .path.display())]
    Malformed {
        /// The file concerned.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What should have stood there, and what did.
        expected: String,
    },
    /// The request can't be carried out; nothing was changed.
    #[error("{path}: {reason}; {way_out}", path = .path.display())]
    Refused {
        /// The file concerned.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What the user can do instead.
        way_out: String,
    },
    /// The file is no longer the one that was planned for (finding WW026).
    #[error("{path}: changed under us: {what}", path = .path.display())]
    Changed {
        /// The file concerned.
        path: PathBuf,
        /// What was expected and what was found.
        what: String,
    },
    /// An outside program (patchelf, cargo) failed.
    #[error("{program} failed: {message}")]
    Tool {
        /// The program's name.
        program: String,
        /// What it said.
        message: String,
    },
    /// Another session holds the journal.
    #[error("{path}: held by another wheelwright session", path = .path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// The user cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Io`] constructor for `map_err`: `.map_err(Error::io("open", path))`.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { path: path.to_path_buf(), action, source }
    }

    /// An [`Error::Malformed`] at `offset` of `path`.
    pub fn malformed(path: &Path, offset: u64, expected: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_path_buf(), offset, expected: expected.into() }
    }
}
