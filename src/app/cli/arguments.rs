//! What can be written on the command line. Parser, help, manual and completions are all made of these types.

use super::elf::Elf;
use crate::engine::dlopen::trace::TraceOptions;
use crate::engine::report::plan::Step;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A terminal inspector for what happens to a native artifact between `cargo build` and the wheel.
#[derive(Debug, Parser)]
#[command(name = "wheelwright", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to open: a cargo or maturin project (default: here), artifact files, or a folder.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,

    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
}

/// What can be asked besides opening the inspector.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the inspector on the built-in lab: artifacts of all three formats, nothing to install.
    Demo,
    /// Dependency trees, external libraries, policy, predictions, findings. Reads only.
    Audit(Audit),
    /// One dependency tree, with what found each library, or where it was sought.
    Tree(Tree),
    /// The effects of every step, without one of them.
    Plan(Plan),
    /// Carry the steps out; without --until, the whole pipeline.
    Run(Run),
    /// What differs between two files, in bytes and in meaning.
    Diff(Diff),
    /// Print and change what the loader reads of ELF files: patchelf's verbs, by our editor.
    Elf(Box<Elf>),
    /// Roll an interrupted session back to clean cargo outputs.
    Recover(Recover),
    /// Run `cargo build` and keep what it says about artifacts and build scripts.
    Build(Build),
    /// Run a command and say what the loader opened, for whom, and what it did not find.
    Trace(Trace),
    /// Print the page of a finding.
    Explain(Explain),
    /// Print a shell's completions.
    Completions(Completions),
    /// Print the manual page (roff).
    Man,
}

/// Options of every command that resolves or plans.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The platform tag to reach: `manylinux_X_Y`, `musllinux_X_Y`, `linux`, `pypi`.
    #[arg(long, global = true, value_name = "TAG")]
    pub compatibility: Option<String>,
    /// Whether libraries are bundled for a wheel, or found where the build left them.
    #[arg(long, global = true, value_enum, default_value = "repair")]
    pub mode: ModeName,
    /// The distribution's name; by default from pyproject.toml.
    #[arg(long, global = true, value_name = "NAME")]
    pub dist_name: Option<String>,
    /// The module's full name; by default from pyproject.toml.
    #[arg(long, global = true, value_name = "NAME")]
    pub module_name: Option<String>,
    /// A directory to look for libraries in; can be given several times.
    #[arg(long, global = true, value_name = "DIR")]
    pub ld_path: Vec<PathBuf>,
    /// The directory that stands for `/`: the loader's paths, its cache and its libraries are looked up below it.
    #[arg(long, global = true, value_name = "DIR")]
    pub sysroot: Option<PathBuf>,
    /// The program that will load the artifact, by path or as found on PATH: its libraries are there before, and its RPATH
    /// counts.
    #[arg(long, global = true, value_name = "PROGRAM")]
    pub host: Option<PathBuf>,
    /// The version of glibc whose rules count, such as 2.28; by default that of the loader that is found.
    #[arg(long, global = true, value_name = "VERSION")]
    pub glibc: Option<String>,
    /// The processor whose `glibc-hwcaps` subdirectories count, such as x86-64-v3; by default this one.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub cpu: Option<String>,
    /// A library (name or path, `*` and `?` allowed) that is never bundled; can be given several times.
    #[arg(long, global = true, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// The interpreter to ask for the extension's file name suffix.
    #[arg(long, global = true, value_name = "PYTHON")]
    pub interpreter: Option<PathBuf>,
    /// A remedy for a library that is opened at run time, as part of the plan; can be given several times. KIND is add-rpath,
    /// add-needed, keep-soname, keep-name or preload; without ARTIFACT, for all that are seen to open NAME.
    #[arg(long, global = true, value_name = "KIND:NAME[@ARTIFACT]")]
    pub adopt: Vec<String>,
    /// Which artifacts the verify step loads in a process of their own, which runs their code; auto: those that cargo made here.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub load: LoadName,
    /// Where files are staged; by default `<target>/wheelwright`.
    #[arg(long, global = true, value_name = "DIR")]
    pub staging_dir: Option<PathBuf>,
    /// Work on copies in a scratch directory; leave the target directory alone.
    #[arg(long, global = true)]
    pub sandbox: bool,
    /// A saved `wheelwright/trace/1` document: mark what that run opened. It may be of another machine.
    #[arg(long, global = true, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Who edits ELF files.
    #[arg(long, global = true, value_enum, default_value = "builtin")]
    pub patcher: PatcherName,
    /// Refuse an edit that would take `.dynamic` out of RELRO, which keeps it read-only while the program runs.
    #[arg(long, global = true)]
    pub keep_relro: bool,
    /// Take absolute search path entries of the build machine out when patching.
    #[arg(long, global = true)]
    pub drop_build_rpaths: bool,
    /// Hash the artifacts as well.
    #[arg(long, global = true)]
    pub hash: bool,
    /// Whether to use colours.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub color: ColorChoice,
    /// Say more: every place that was tried, all the evidence of a finding.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// `--mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// For a wheel.
    Repair,
    /// For an editable install.
    Editable,
}

/// `--load`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadName {
    /// All.
    Always,
    /// Cargo's own outputs.
    Auto,
    /// None.
    Never,
}

/// `--patcher`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PatcherName {
    /// The editor of this program.
    Builtin,
    /// The patchelf found on PATH.
    Patchelf,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--lens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LensName {
    /// What the real loader would do.
    Loader,
    /// What the repair tool believes: the lddtree crate, as maturin uses it.
    Lddtree,
}

/// `--until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum StepName {
    Stage,
    Audit,
    Graft,
    Predict,
    #[value(alias = "copy_back")]
    CopyBack,
    Patch,
    Verify,
    Finalize,
}

impl From<StepName> for Step {
    fn from(name: StepName) -> Self {
        match name {
            StepName::Stage => Self::Stage,
            StepName::Audit => Self::Audit,
            StepName::Graft => Self::Graft,
            StepName::Predict => Self::Predict,
            StepName::CopyBack => Self::CopyBack,
            StepName::Patch => Self::Patch,
            StepName::Verify => Self::Verify,
            StepName::Finalize => Self::Finalize,
        }
    }
}

/// `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Projects, artifact files or folders; default: here.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Use the loader's lens alone: faster, but external libraries are not looked at.
    #[arg(long)]
    pub loader_only: bool,
    /// Find out which library binds each undefined symbol.
    #[arg(long)]
    pub symbols: bool,
    /// Look for instructions that the architecture's baseline does not have.
    #[arg(long)]
    pub instructions: bool,
    /// Say what is opened at run time (dlopen and its like), what would come of it in the bundle, and what can be done.
    #[arg(long)]
    pub dlopen: bool,
    /// Name the package that owns each library, not of the external ones only.
    #[arg(long)]
    pub owners: bool,
    /// Try every remedy for what is opened and not found in the bundle. Runs code, by --load only that of cargo's own outputs.
    #[arg(long)]
    pub try_remedies: bool,
    /// Say what it would take to bear this platform tag.
    #[arg(long, value_name = "TAG")]
    pub reach: Option<String>,
}

/// `tree`.
#[derive(Debug, Args)]
pub struct Tree {
    /// The artifact.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Through whose eyes.
    #[arg(long, value_enum, default_value = "loader")]
    pub lens: LensName,
    /// Show a library's own needs each time it is met, not only the first.
    #[arg(long)]
    pub all: bool,
    /// Name the package that owns each library.
    #[arg(long)]
    pub owners: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Projects, artifact files or folders; default: here.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// The last step to plan.
    #[arg(long, value_enum, value_name = "STEP")]
    pub until: Option<StepName>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Projects, artifact files or folders; default: here.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// The last step to take; outputs are put back then, edited results stay in staging.
    #[arg(long, value_enum, value_name = "STEP")]
    pub until: Option<StepName>,
    /// Copy the bundle here, as real files.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The first file.
    pub a: PathBuf,
    /// The second file. Both can lie in a wheel: `dist/pkg.whl/pkg/_pkg.so`.
    pub b: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Set every byte against the one at its own offset, whatever was inserted or moved.
    #[arg(long)]
    pub same_offset: bool,
    /// Explain by the edits that this document tells of: what `run`, `plan` or `elf` printed with --json. Can be repeated.
    #[arg(long, value_name = "FILE")]
    pub log: Vec<PathBuf>,
}

/// `recover`.
#[derive(Debug, Args)]
pub struct Recover {
    /// The project or its target directory; default: here.
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

/// `build`.
#[derive(Debug, Args)]
pub struct Build {
    /// Arguments for `cargo build`.
    #[arg(value_name = "CARGO ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// `trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// The command and its arguments, after `--`.
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        required_unless_present_any = ["open", "read"],
        conflicts_with_all = ["open", "read"]
    )]
    pub command: Vec<OsString>,
    /// Print one JSON document; what the command prints goes to standard error.
    #[arg(long)]
    pub json: bool,
    /// Write the JSON document to this file; what the command prints goes where it always does.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// End the command and all that it started after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// End it when the loader's logs are longer than this, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = TraceOptions::MAX_LOG)]
    pub max_log: u64,
    /// Show a document that was saved before, here or on another machine.
    #[arg(long, value_name = "FILE", conflicts_with = "read")]
    pub open: Option<PathBuf>,
    /// Read what glibc's loader wrote under LD_DEBUG=libs,files, wherever it ran: files of LD_DEBUG_OUTPUT.
    #[arg(long, value_name = "LOG", num_args = 1..)]
    pub read: Vec<PathBuf>,
}

/// Seconds, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0);
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    duration.ok_or_else(|| "a number of seconds above 0 is expected, such as 30 or 0.5".to_owned())
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The finding's code, such as WW001; without one, all codes.
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}
