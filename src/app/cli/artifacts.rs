//! From the command line's paths and options to a project and a session on it.

use super::arguments::{Common, LoadName, ModeName, PatcherName};
use super::output::Output;
use super::torn;
use super::{adopt, environment};
use crate::engine::Context;
use crate::engine::audit::{AuditOptions, Lenses, Questions, Tag};
use crate::engine::deps::{GlibcVersion, LoaderInputs, Maker, host_libc, hwcaps_of_level, level_names};
use crate::engine::dlopen::proof::{Loading, Which};
use crate::engine::owners::Owners;
use crate::engine::project::{DiscoverOptions, Project, discover, sandboxed};
use crate::engine::repair::{Builtin, EditOptions, Editor, Mode, Patchelf, RepairOptions};
use crate::engine::report::audit::Host;
use crate::engine::report::trace::TraceDocument;
use crate::engine::stage::{Session, SessionOptions};
use color_eyre::Result;
use color_eyre::eyre::eyre;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long one artifact may take to load.
const LONGEST_LOAD: Duration = Duration::from_secs(60);

/// Finds what `paths` name.
///
/// # Errors
/// When a path names nothing that can be opened.
pub fn find(paths: &[PathBuf], common: &Common, context: &Context) -> Result<Project> {
    let options = DiscoverOptions {
        cargo: environment::cargo(),
        current_directory: environment::current_directory()?,
        cargo_target_dir: std::env::var_os("CARGO_TARGET_DIR"),
        distribution: common.dist_name.clone(),
        module: common.module_name.clone(),
        ld_paths: common.ld_path.clone(),
        interpreter: common.interpreter.clone(),
    };
    let mut said = torn::mend(paths.iter().map(PathBuf::as_path));
    let mut project = discover(paths, &options, context)?;
    let also = torn::mend(project.artifacts.iter().map(|artifact| artifact.path.as_path()));
    let also: Vec<String> = also.into_iter().filter(|sentence| !said.contains(sentence)).collect();
    if !also.is_empty() {
        project = discover(paths, &options, context)?;
        said.extend(also);
    }
    said.append(&mut project.notes);
    project.notes = said;
    Ok(project)
}

/// Through which lenses an audit looks, and what it looks into besides.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The lenses.
    pub lenses: Lenses,
    /// What takes its time and was asked for.
    pub questions: Questions,
}

impl From<Lenses> for Look {
    fn from(lenses: Lenses) -> Self {
        Self { lenses, questions: Questions::default() }
    }
}

/// Begins a session on `project`.
///
/// # Errors
/// When an option's value is wrong or staging can't be looked at.
pub fn session(project: Project, common: &Common, look: impl Into<Look>) -> Result<Session> {
    Ok(Session::open(project, options(common, look.into())?)?)
}

/// A session on what the user named, and the directory of copies that it works on with `--sandbox`.
pub struct Opened {
    /// The session; it ends before its directory goes.
    pub session: Session,
    /// Removed at the end, unless it is kept.
    pub sandbox: Option<TempDir>,
}

/// Leaves the sandbox where it is, because a result lies in it, and says where that is.
pub fn keep(sandbox: Option<TempDir>, output: &mut Output) {
    if let Some(sandbox) = sandbox {
        let place = sandbox.keep();
        output.note(format_args!("the result lies in the sandbox, which is kept: {}", place.display()));
    }
}

/// A session on what `paths` name. Nothing found is an error.
///
/// # Errors
/// As [`find`] and [`session`].
pub fn open(
    paths: &[PathBuf],
    common: &Common,
    look: impl Into<Look>,
    context: &Context,
    output: &mut Output,
) -> Result<Opened> {
    let mut project = find(paths, common, context)?;
    for note in &project.notes {
        output.note(format_args!("note: {note}"));
    }
    if project.artifacts.is_empty() {
        return Err(eyre!("there is no native artifact here; build one with `wheelwright build`, or name a file"));
    }
    let mut sandbox = None;
    if common.sandbox {
        let scratch = tempfile::Builder::new().prefix("wheelwright-sandbox-").tempdir()?;
        project = sandboxed(&project, scratch.path(), context)?;
        output.note(format_args!("working on copies in {}", scratch.path().display()));
        sandbox = Some(scratch);
    }
    let mut session = session(project, common, look)?;
    adopt::adopt(&mut session, common, context)?;
    Ok(Opened { session, sandbox })
}

/// Whether one of the session's artifacts could not be read.
#[must_use]
pub fn any_unreadable(session: &Session) -> bool {
    let ids = session.project().artifacts.iter().map(|artifact| artifact.id);
    ids.filter_map(|id| session.report(id)).any(|report| report.error.is_some())
}

/// What an audit is told by the command line and the environment.
///
/// # Errors
/// When an option's value is wrong.
pub fn audit_options(common: &Common, look: Look) -> Result<AuditOptions> {
    let directory = environment::current_directory()?;
    let mut loader = LoaderInputs::new(directory.clone());
    loader.ld_library_path = std::env::var_os("LD_LIBRARY_PATH");
    loader.ld_preload = std::env::var_os("LD_PRELOAD");
    loader.sysroot = common.sysroot.as_deref().map(sysroot).transpose()?;
    loader.host = common.host.as_deref().map(environment::program).transpose()?;
    loader.glibc = common.glibc.as_deref().map(glibc).transpose()?;
    if let Some(level) = &common.cpu {
        loader.hwcaps = cpu(level)?;
        loader.maker = Maker::Other;
    }
    loader.extra_paths = common.ld_path.iter().map(|path| directory.join(path)).collect();
    Ok(AuditOptions {
        compatibility: common.compatibility.as_deref().map(Tag::parse).transpose()?,
        exclude: common.exclude.clone(),
        lenses: look.lenses,
        questions: look.questions,
        owners: owners(common)?,
        hash: common.hash,
        trace: common.trace.as_deref().map(trace).transpose()?,
        ..AuditOptions::new(loader)
    })
}

fn options(common: &Common, look: Look) -> Result<SessionOptions> {
    Ok(SessionOptions {
        audit: audit_options(common, look)?,
        repair: RepairOptions {
            mode: match common.mode {
                ModeName::Repair => Mode::Repair,
                ModeName::Editable => Mode::Editable,
            },
            drop_build_rpaths: common.drop_build_rpaths,
            adopted: Vec::new(),
        },
        staging: common.staging_dir.as_deref().map(staging).transpose()?,
        scratch: environment::scratch_directory(),
        editor: editor(common)?,
        loading: loading(common),
        observer: None,
    })
}

/// Who loads artifacts; nobody where another system's root is looked at, whose libraries this machine has not.
fn loading(common: &Common) -> Option<Loading> {
    let which = match common.load {
        LoadName::Never => return None,
        LoadName::Auto if common.sysroot.is_some() => return None,
        LoadName::Auto => Which::Outputs,
        LoadName::Always => Which::All,
    };
    let interpreter = common.interpreter.clone().or_else(environment::python);
    Some(Loading::new(environment::own_executable()?, interpreter, which, environment::clock(LONGEST_LOAD)))
}

/// Who can be asked whom a file belongs to.
///
/// # Errors
/// When the sysroot is no directory.
pub fn owners(common: &Common) -> Result<Arc<Owners>> {
    let sysroot = common.sysroot.as_deref().map(sysroot).transpose()?;
    Ok(Arc::new(Owners::new(sysroot.as_deref())))
}

/// The largest trace that is read: a run of minutes with hundreds of processes stays far below.
const TRACE: u64 = 256 << 20;

fn trace(file: &Path) -> Result<Arc<TraceDocument>> {
    let name = file.display();
    let size = std::fs::metadata(file).map_err(|error| eyre!("--trace {name}: {error}"))?.len();
    if size > TRACE {
        return Err(eyre!("--trace {name}: is larger than any trace ({} MiB)", size >> 20));
    }
    let text = std::fs::read(file).map_err(|error| eyre!("--trace {name}: {error}"))?;
    let trace: TraceDocument = serde_json::from_slice(&text)
        .map_err(|error| eyre!("--trace {name}: is no saved trace: {error}; `wheelwright trace --json` makes one"))?;
    match trace.schema.as_str() {
        "wheelwright/trace/1" => Ok(Arc::new(trace)),
        other => Err(eyre!("--trace {name}: is a document of another kind: {other}")),
    }
}

fn glibc(version: &str) -> Result<GlibcVersion> {
    GlibcVersion::parse(version).ok_or_else(|| eyre!("--glibc {version}: not a version; write it as 2.28"))
}

fn cpu(level: &str) -> Result<Vec<String>> {
    hwcaps_of_level(level)
        .ok_or_else(|| eyre!("--cpu {level}: glibc knows no such level; it knows {}", level_names().join(", ")))
}

fn sysroot(directory: &Path) -> Result<PathBuf> {
    let directory = environment::absolute(directory);
    if directory.is_dir() { Ok(directory) } else { Err(eyre!("--sysroot {}: is not a directory", directory.display())) }
}

fn staging(directory: &Path) -> Result<PathBuf> {
    let directory = environment::absolute(directory);
    if directory.exists() && !directory.is_dir() {
        return Err(eyre!(
            "--staging-dir {}: is not a directory; name one, or one that is not there yet",
            directory.display()
        ));
    }
    Ok(directory)
}

/// The editor that `--patcher` names.
///
/// # Errors
/// When patchelf is asked for and not there, too old, or asked for what it can't keep.
pub fn editor(common: &Common) -> Result<Box<dyn Editor>> {
    match common.patcher {
        PatcherName::Builtin => {
            Ok(Box::new(Builtin { options: EditOptions { keep_relro: common.keep_relro, page_size: None } }))
        }
        PatcherName::Patchelf if common.keep_relro => {
            Err(eyre!("--keep-relro: patchelf can't say beforehand what an edit does to RELRO; leave --patcher away"))
        }
        PatcherName::Patchelf => match Patchelf::find(&environment::path_variable())? {
            Some(patchelf) => Ok(Box::new(patchelf)),
            None => Err(eyre!("--patcher patchelf: there is no patchelf on PATH; install it, or leave --patcher away")),
        },
    }
}

/// The machine that we look from.
#[must_use]
pub fn host() -> Host {
    let libc = cfg!(target_os = "linux").then(|| match host_libc() {
        crate::engine::deps::Libc::Glibc => "glibc".to_owned(),
        crate::engine::deps::Libc::Musl => "musl".to_owned(),
    });
    Host { os: std::env::consts::OS.to_owned(), arch: std::env::consts::ARCH.to_owned(), libc }
}
