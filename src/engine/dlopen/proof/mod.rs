//! The load proof: the bundle as it will be in the wheel is laid out in a scratch folder and loaded in a child process, under
//! an empty environment, with the build out of reach.
//!
//! [`LoadProof`] says what is loaded, [`Loading`] who may load it and for how long. The child is this program itself, begun
//! again with [`CHILD`] as its first argument; [`child`] is all that it does then. What it says is judged in `judge`, which
//! asks the loader's own log for who wanted what. Whether artifacts are loaded at all is the caller's to decide: loading runs
//! their code.

mod answer;
#[cfg(target_os = "linux")]
pub mod child;
mod hide;
mod interpreter;
mod judge;
mod lay_out;
mod listing;
#[cfg(target_os = "linux")]
mod native;
mod process;
mod seen;
mod untried;

use crate::engine::binary::Binary;
use crate::engine::project::Artifact;
use crate::engine::report::dlopen::OpenedBy;
use crate::engine::report::load::{LoadReport, LoadVerdict};
use crate::engine::{Context, Result};
use interpreter::Interpreter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The first argument of the child, which nobody types.
pub const CHILD: &str = "\u{1}load-proof";

/// Starts a clock; what it returns says whether the time of one load is over.
pub type StartClock = Arc<dyn Fn() -> Box<dyn Fn() -> bool + Send + Sync> + Send + Sync>;

/// Which artifacts are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// Those that cargo has just made for the user.
    #[default]
    Outputs,
    /// All, files of unknown origin too.
    All,
}

/// Who loads artifacts, and for how long one may take.
#[derive(Clone)]
pub struct Loading {
    /// This program's own executable.
    pub helper: PathBuf,
    /// A Python interpreter, for extension modules.
    pub interpreter: Option<PathBuf>,
    /// Which artifacts are loaded.
    pub which: Which,
    /// Measures the time of each load.
    pub clock: StartClock,
    asked: Arc<OnceLock<Result<Interpreter, String>>>,
}

impl Loading {
    /// Loading by `helper` and, for extension modules, `interpreter`; `clock` measures the time of each load.
    #[must_use]
    pub fn new(helper: PathBuf, interpreter: Option<PathBuf>, which: Which, clock: StartClock) -> Self {
        Self { helper, interpreter, which, clock, asked: Arc::default() }
    }

    /// What the interpreter says of itself; it is asked once.
    fn interpreter(&self) -> Option<&Result<Interpreter, String>> {
        let path = self.interpreter.as_deref()?;
        Some(self.asked.get_or_init(|| Interpreter::ask(path, &*(self.clock)())))
    }
}

impl std::fmt::Debug for Loading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Loading");
        shown.field("helper", &self.helper).field("interpreter", &self.interpreter).field("which", &self.which);
        shown.finish_non_exhaustive()
    }
}

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Its place in the bundle: `labext/labext.abi3.so`.
    pub at: String,
    /// The file on disk.
    pub from: PathBuf,
}

/// A name to be opened once the artifact is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The name, as it is passed to `dlopen`.
    pub name: String,
    /// As whose own call: the loader searches by the caller.
    pub by: OpenedBy,
}

/// One artifact to be loaded out of its bundle.
pub struct LoadProof<'a> {
    /// The artifact.
    pub artifact: &'a Artifact,
    /// Its headers.
    pub binary: &'a Binary,
    /// The bundle's files; the artifact is one of them.
    pub files: &'a [BundleFile],
    /// The artifact's place in the bundle.
    pub entry: &'a str,
    /// The module's full name, for an extension module that is imported: `labext._native`. `None`: it is opened.
    pub module: Option<&'a str>,
    /// Places in the bundle of libraries that are loaded first, as lines in `__init__.py` would.
    pub preload: &'a [String],
    /// Names that are opened when it is loaded.
    pub open: &'a [Probe],
    /// Directories of the build, which no other machine has.
    pub hide: &'a [PathBuf],
    /// Whether every machine of the artifact's tag has the library of this name.
    pub allowed: &'a (dyn Fn(&str) -> bool + Sync),
    /// An absolute path at which nothing lies, best on the files' own filesystem; nothing lies there afterwards.
    pub scratch: &'a Path,
}

impl LoadProof<'_> {
    /// Lays the bundle out, loads the artifact, removes what was laid out.
    ///
    /// # Errors
    /// [`crate::engine::Error::Cancelled`]; when the bundle can't be laid out or the child can't be started. That an artifact
    /// does not load is no error.
    pub fn run(&self, loading: &Loading, context: &Context) -> Result<LoadReport> {
        if let Some(why) = untried::reason(self, loading)? {
            return Ok(self.not_tried(why));
        }
        let laid_out = lay_out::LaidOut::make(self, context)?;
        let outcome = judge::outcome(self, loading, &laid_out, context);
        laid_out.remove()?;
        outcome
    }

    /// A report that says why the artifact was not loaded.
    #[must_use]
    pub fn not_tried(&self, why: impl Into<String>) -> LoadReport {
        not_tried(self.artifact, why)
    }
}

/// A report that says why `artifact` was not loaded.
#[must_use]
pub fn not_tried(artifact: &Artifact, why: impl Into<String>) -> LoadReport {
    LoadReport {
        artifact: artifact.path.clone(),
        verdict: LoadVerdict::NotTried,
        why: why.into(),
        loaded_by: None,
        build_hidden_by: None,
        libraries: Vec::new(),
        opened: Vec::new(),
        started: None,
    }
}
