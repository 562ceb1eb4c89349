//! The audit: what an artifact depends on, which of that a repair would bundle, which platform tag it may bear, what is
//! wrong with it. Reads only.
//!
//! [`audit`] fills in a report; the findings ([`findings`]) come afterwards, when the caller has added what it knows of
//! staging and of the planned edits.

mod blank;
pub mod demands;
pub mod entry_points;
pub mod evaluate;
pub mod exclude;
pub mod external;
pub mod findings;
mod granted;
mod opened;
pub mod owned;
pub mod pages;
pub mod policy;
mod questions;
mod reach;
mod roles;
pub mod search_path;
mod set;
pub mod tag;
mod trees;
pub mod verdict;

pub use blank::read_error;
pub use external::{External, grafted_name};
pub use granted::Granted;
pub use opened::libraries_behind;
pub use questions::{Question, Questions, answer};
pub use set::{SetTags, set_tags};
pub use tag::{Tag, UnknownTag};
pub use trees::loader_tree;

use crate::engine::binary::{self, Binary, Format, ObjectKind, RunPath};
use crate::engine::deps::{
    CrateTree, Graph, Libc, Loader, LoaderInputs, Placed, crate_tree_below, differences, pipe_on_the_way,
};
use crate::engine::dlopen::evidence;
use crate::engine::file::{ReadAt, Windows, sha256};
use crate::engine::owners::Owners;
use crate::engine::project::Artifact;
use crate::engine::report::audit::{ArtifactKind, ArtifactReport, ExternalLibrary};
use crate::engine::report::dlopen::DlopenReport;
use crate::engine::report::trace::TraceDocument;
use crate::engine::{Context, Error, Result};
use demands::Demands;
use evaluate::Evaluation;
use exclude::Pattern;
use policy::Family;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use verdict::Role;

/// Which lenses look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lenses {
    /// The loader's and the repair tool's.
    #[default]
    Both,
    /// The loader's: quick on any size, but without external libraries.
    LoaderOnly,
}

/// What an audit is told.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// The platform tag that was asked for.
    pub compatibility: Option<Tag>,
    /// Shell patterns over needed names and paths of libraries that shall not be bundled.
    pub exclude: Vec<String>,
    /// Which lenses look.
    pub lenses: Lenses,
    /// What is to be looked into besides.
    pub questions: Questions,
    /// Whether the artifact is hashed. External libraries always are: their names need it.
    pub hash: bool,
    /// What a loader would take from its process. Linked paths are the artifact's own, whatever stands here.
    pub loader: LoaderInputs,
    /// Directories that the user added, searched by both lenses after all others but the linked paths.
    pub ld_paths: Vec<PathBuf>,
    /// The last part of the module's name, where Python bindings are known to be meant.
    pub expected_entry_point: Option<String>,
    /// Whom files belong to; shared by the audits of a session, so that databases are read once.
    pub owners: Arc<Owners>,
    /// A run that was traced before: what it opened is set against what the artifact may open.
    pub trace: Option<Arc<TraceDocument>>,
}

impl AuditOptions {
    /// An audit through both lenses with nothing asked for besides; `loader` is what a loader would take from its process.
    #[must_use]
    pub fn new(loader: LoaderInputs) -> Self {
        Self {
            compatibility: None,
            exclude: Vec::new(),
            lenses: Lenses::Both,
            questions: Questions::default(),
            hash: false,
            loader,
            ld_paths: Vec::new(),
            expected_entry_point: None,
            owners: Arc::new(Owners::new(None)),
            trace: None,
        }
    }

    /// What the loader's lens is told for `artifact`.
    fn inputs_for(&self, artifact: &Artifact) -> LoaderInputs {
        let mut inputs = self.loader.clone();
        inputs.linked_paths.clone_from(&artifact.linked_paths.paths);
        inputs.extra_paths.extend(self.ld_paths.iter().cloned());
        inputs
    }
}

/// What an audit found.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The report; staging, the prediction and the findings are the caller's to fill in.
    pub report: ArtifactReport,
    /// The parsed artifact; `None` when it could not be read.
    pub binary: Option<Binary>,
    /// What a repair would bundle; `None` when it was not looked at.
    pub externals: Option<Vec<External>>,
    /// The search path that the loader heeds, of the first slice.
    pub run_path: Option<RunPath>,
    /// The first slice's tree as the loader's lens has it, with the parsed libraries; its node numbers are those of the
    /// report. `None` when nothing was resolved.
    pub graph: Option<Graph>,
    /// The directory that stands for the process's `/`; `None` for this machine's own.
    pub sysroot: Option<PathBuf>,
}

/// Audits `artifact`, whose clean bytes are now at `clean` (`None`: they are gone). What can't be read is the report's
/// `error`, and what could be found out all the same is there.
#[must_use]
pub fn audit(artifact: &Artifact, clean: Option<&Path>, options: &AuditOptions, context: &Context) -> Audit {
    let mut found = Audit {
        report: blank::report(artifact),
        binary: None,
        externals: None,
        run_path: None,
        graph: None,
        sysroot: options.loader.sysroot.clone(),
    };
    let result = match clean {
        Some(clean) => look(&mut found, artifact, clean, options, context),
        // An output that cargo believes fresh and that is gone is no bad input: it is the scene of a failed repair.
        None if artifact.cargo.is_some() => Ok(()),
        None => Err(Error::io("open", &artifact.path)(std::io::ErrorKind::NotFound.into())),
    };
    if let Err(error) = result {
        found.report.error = Some(blank::read_error(&error));
    }
    found
}

fn look(found: &mut Audit, artifact: &Artifact, clean: &Path, options: &AuditOptions, context: &Context) -> Result<()> {
    let windows = Windows::open(clean)?;
    found.report.size = Some(windows.size());
    found.report.format = binary::sniff(&windows)?;
    if options.hash {
        found.report.sha256 = Some(sha256(clean, context)?);
    }
    let binary = binary::read(&windows)?;
    found.report.slices = blank::slices(&binary, artifact);
    found.run_path = binary.slices.first().and_then(search_path::heeded).cloned();
    if options.lenses == Lenses::Both {
        found.report.dlopen = Some(match evidence::imports(&binary, &windows, context) {
            Ok(imports) => DlopenReport { imports, ..DlopenReport::default() },
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            // The rest of the file is as good as it was.
            Err(error) => DlopenReport { notes: vec![error.to_string()], ..DlopenReport::default() },
        });
    }
    let placed = Placed { read_from: clean, loaded_as: &artifact.loaded_as };
    let inputs = options.inputs_for(artifact);
    let job = Job { artifact, binary: &binary, source: &windows, placed, inputs, options, context };
    let result = job.run(found);
    found.binary = Some(binary);
    result?;
    answer(found, artifact, clean, options, &options.questions, context)
}

/// One audit under way.
struct Job<'a> {
    artifact: &'a Artifact,
    binary: &'a Binary,
    source: &'a dyn ReadAt,
    placed: Placed<'a>,
    inputs: LoaderInputs,
    options: &'a AuditOptions,
    context: &'a Context,
}

impl Job<'_> {
    fn run(&self, found: &mut Audit) -> Result<()> {
        let expected = self.options.expected_entry_point.as_deref();
        found.report.entry_points = entry_points::entry_points(self.binary, self.source, self.artifact.kind, expected)?;
        let exclude: Vec<Pattern> = self.options.exclude.iter().map(|text| Pattern::new(text)).collect();
        let loader = Loader::default();
        let graphs = (0..self.binary.slices.len())
            .map(|slice| loader.resolve(&self.placed, slice, &self.inputs, self.context))
            .collect::<Result<Vec<Graph>>>()?;
        // A tree that only the crate fails on (it can panic) is still shown as the loader sees it.
        let (tree, failure) = match self.options.lenses {
            Lenses::LoaderOnly => (None, None),
            Lenses::Both => match self.crate_tree(&graphs) {
                Ok(tree) => (Some(tree), None),
                Err(error) => (None, Some(error)),
            },
        };
        let mut evaluation = self.evaluate()?;
        let externals = self.externals(tree.as_ref(), &graphs, evaluation.as_ref(), &exclude);
        if let Some(externals) = &externals {
            let needs = demands_of(externals);
            evaluation.iter_mut().for_each(|evaluation| evaluation.tighten(&needs));
            found.report.external_libs = Some(self.describe(externals, &needs, evaluation.as_ref())?);
        }
        let roles = roles::Roles::new(self.binary.format, evaluation.as_ref(), externals.as_deref(), &exclude);
        for (slice, graph) in found.report.slices.iter_mut().zip(&graphs) {
            slice.tree = Some(graph.to_tree(&|node| roles.of(node)));
        }
        if let (Some(tree), Some(graph)) = (&tree, graphs.first()) {
            found.report.lens_differences = Some(differences(graph, tree));
        }
        found.report.policy = evaluation.as_ref().map(Evaluation::report);
        found.externals = externals;
        owned::fill_external_owners(&mut found.report, &self.options.owners, self.context)?;
        found.graph = graphs.into_iter().next();
        failure.map_or(Ok(()), Err)
    }

    fn crate_tree(&self, graphs: &[Graph]) -> Result<CrateTree> {
        if let Some(pipe) = graphs.iter().find_map(pipe_on_the_way) {
            let reason = "is a named pipe under a library's name, on which the repair tool would wait";
            let way_out = "remove it, or audit with --loader-only";
            return Err(Error::Refused { path: pipe.to_path_buf(), reason: reason.into(), way_out: way_out.into() });
        }
        crate_tree_below(&self.placed, &self.library_paths(), self.inputs.sysroot.as_deref())
    }

    /// Where lddtree looks last: maturin gives it the linked paths and rustflags' `-L`.
    fn library_paths(&self) -> Vec<PathBuf> {
        self.inputs.linked_paths.iter().chain(&self.options.ld_paths).cloned().collect()
    }

    fn evaluate(&self) -> Result<Option<Evaluation>> {
        let libc = self.inputs.libc_of(self.binary);
        evaluate_elf(self.artifact, self.binary, self.source, libc, self.options.compatibility.as_ref())
    }

    fn externals(
        &self,
        tree: Option<&CrateTree>,
        graphs: &[Graph],
        evaluation: Option<&Evaluation>,
        exclude: &[Pattern],
    ) -> Option<Vec<External>> {
        if self.binary.format != Format::Elf {
            let all = graphs.iter().map(|graph| external::of_graph(graph, self.binary.format, exclude));
            return Some(external::merge(all.flatten().collect()));
        }
        let (tree, evaluation) = (tree?, evaluation?);
        match evaluation.bundle_policy().filter(|_| evaluation.needs_bundling()) {
            Some(policy) => Some(external::of_elf(tree, policy, exclude)),
            None => Some(Vec::new()),
        }
    }

    /// The document's form of `externals`.
    fn describe(
        &self,
        externals: &[External],
        needs: &[(String, Demands)],
        evaluation: Option<&Evaluation>,
    ) -> Result<Vec<ExternalLibrary>> {
        let one = |library: &External| {
            let needs = needs.iter().find(|(name, _)| *name == library.name);
            let hash = match &library.realpath {
                Some(path) => match sha256(path, self.context) {
                    Err(Error::Cancelled) => return Err(Error::Cancelled),
                    // It was found and can't be read: it has no name in the bundle, and the graft step will say why.
                    hash => hash.ok(),
                },
                None => None,
            };
            Ok(ExternalLibrary {
                name: library.name.clone(),
                realpath: library.realpath.clone(),
                grafted_name: hash.map(|hash| grafted_name(&library.name, &hash)),
                aliases: library.aliases.clone(),
                symbol_ceiling: needs.and_then(|(_, demands)| evaluation?.ceiling(demands)),
                owner: None,
            })
        };
        externals.iter().map(one).collect()
    }
}

/// The verdicts of the policies on an ELF artifact; `None` for another format.
fn evaluate_elf(
    artifact: &Artifact,
    binary: &Binary,
    source: &dyn ReadAt,
    libc: Libc,
    requested: Option<&Tag>,
) -> Result<Option<Evaluation>> {
    let demands = demands_of_artifact(artifact, binary, source)?;
    Ok(demands.map(|(demands, role)| Evaluation::new(&demands, family_of(libc), role, requested)))
}

/// What the artifact demands, and what it may link; `None` for formats without policies.
fn demands_of_artifact(artifact: &Artifact, binary: &Binary, source: &dyn ReadAt) -> Result<Option<(Demands, Role)>> {
    let Some(slice) = binary.slices.first().filter(|_| binary.format == Format::Elf) else { return Ok(None) };
    let demands = Demands::of(slice, source, artifact.path.clone())?;
    let is_program = artifact.kind == ArtifactKind::Bin || slice.kind == ObjectKind::Executable;
    Ok(Some((demands, if is_program { Role::Program } else { Role::Library })))
}

const fn family_of(libc: Libc) -> Family {
    match libc {
        Libc::Glibc => Family::Manylinux,
        Libc::Musl => Family::Musllinux,
    }
}

/// What the external libraries that can be read demand themselves.
fn demands_of(externals: &[External]) -> Vec<(String, Demands)> {
    let one = |library: &External| {
        let path = library.realpath.as_deref()?;
        let windows = Windows::open(path).ok()?;
        let binary = binary::read(&windows).ok()?;
        let demands = Demands::of(binary.slices.first()?, &windows, path.to_path_buf()).ok()?;
        Some((library.name.clone(), demands))
    };
    externals.iter().filter_map(one).collect()
}
