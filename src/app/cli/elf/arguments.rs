//! The options of `wheelwright elf`: patchelf's names for what patchelf has, and our own beside them.

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// `elf`.
///
/// An option that takes a text also takes `@FILE`: the text is then the content of that file, to the last byte.
#[derive(Debug, Args)]
#[command(after_help = "TEXT may be @FILE: the text is then all that FILE holds. \
    Each file is edited once, with everything that is asked for; what is printed is what stood there before.")]
pub struct Elf {
    /// The files, each an ELF executable or shared library.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Print the interpreter.
    #[arg(long, help_heading = "Print")]
    pub print_interpreter: bool,
    /// Print the operating system ABI.
    #[arg(long, help_heading = "Print")]
    pub print_os_abi: bool,
    /// Print the SONAME.
    #[arg(long, help_heading = "Print")]
    pub print_soname: bool,
    /// Print the RUNPATH or RPATH.
    #[arg(long, help_heading = "Print")]
    pub print_rpath: bool,
    /// Print whether an executable stack is asked for.
    #[arg(long, help_heading = "Print")]
    pub print_execstack: bool,
    /// Print the names of the needed libraries, a line each.
    #[arg(long, help_heading = "Print")]
    pub print_needed: bool,

    // The identifier is that of the common option `--interpreter`, whose place this one takes here.
    /// Set the interpreter.
    #[arg(
        id = "interpreter",
        long = "set-interpreter",
        visible_alias = "interpreter",
        value_name = "TEXT",
        allow_hyphen_values = true,
        overrides_with = "interpreter",
        help_heading = "Change"
    )]
    pub set_interpreter: Option<PathBuf>,
    /// Set the operating system ABI: "System V", Linux, FreeBSD, ... in any case, or a number such as 0x61.
    #[arg(long, value_name = "TEXT", overrides_with = "set_os_abi", help_heading = "Change")]
    pub set_os_abi: Option<OsString>,
    /// Set the SONAME.
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        overrides_with = "set_soname",
        help_heading = "Change"
    )]
    pub set_soname: Option<OsString>,
    /// Set the RUNPATH.
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        overrides_with = "set_rpath",
        conflicts_with_all = ["add_rpath", "remove_rpath", "shrink_rpath"],
        help_heading = "Change"
    )]
    pub set_rpath: Option<OsString>,
    /// Append to the RUNPATH or RPATH; given several times, all are appended.
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        conflicts_with_all = ["remove_rpath", "shrink_rpath"],
        help_heading = "Change"
    )]
    pub add_rpath: Vec<OsString>,
    /// Remove RUNPATH and RPATH.
    #[arg(long, conflicts_with = "shrink_rpath", help_heading = "Change")]
    pub remove_rpath: bool,
    /// Keep those directories of the RUNPATH or RPATH only in which a needed library is found, and the relative ones.
    #[arg(long, help_heading = "Change")]
    pub shrink_rpath: bool,
    /// With --shrink-rpath: keep only directories that begin with one of these, separated by colons.
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        overrides_with = "allowed_rpath_prefixes",
        help_heading = "Change"
    )]
    pub allowed_rpath_prefixes: Option<OsString>,
    /// Write RPATH where the options above would write RUNPATH; without it they turn an RPATH into a RUNPATH.
    #[arg(long, help_heading = "Change")]
    pub force_rpath: bool,
    /// Need this library too; can be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Change")]
    pub add_needed: Vec<OsString>,
    /// Do not need this library; can be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Change")]
    pub remove_needed: Vec<OsString>,
    /// Need the second library instead of the first; can be given several times.
    #[arg(
        long,
        num_args = 2,
        value_names = ["TEXT", "NEW"],
        allow_hyphen_values = true,
        help_heading = "Change"
    )]
    pub replace_needed: Vec<OsString>,
    /// Leave the loader's default directories out of the search for what the file needs.
    #[arg(long, help_heading = "Change")]
    pub no_default_lib: bool,
    /// Look for this undefined symbol without a version; can be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Change")]
    pub clear_symbol_version: Vec<OsString>,
    /// Add a `DT_DEBUG` entry, by which debuggers find the loaded libraries.
    #[arg(long, help_heading = "Change")]
    pub add_debug_tag: bool,
    /// Do not ask for an executable stack.
    #[arg(long, conflicts_with = "set_execstack", help_heading = "Change")]
    pub clear_execstack: bool,
    /// Ask for an executable stack.
    #[arg(long, help_heading = "Change")]
    pub set_execstack: bool,

    /// Align what is added to pages of this many bytes; by default to the largest that the machine has.
    #[arg(long, value_name = "BYTES", value_parser = page_size, overrides_with = "page_size", help_heading = "Write")]
    pub page_size: Option<u64>,
    /// Write the result here, and leave the file as it is.
    #[arg(long, value_name = "FILE", overrides_with = "output", help_heading = "Write")]
    pub output: Option<PathBuf>,
    /// Show what would be done, and how it fits; write nothing.
    #[arg(long, help_heading = "Write")]
    pub dry_run: bool,
    /// Print one JSON document.
    #[arg(long, help_heading = "Write")]
    pub json: bool,
    /// Say on standard error what is written.
    #[arg(long, help_heading = "Write")]
    pub debug: bool,
    /// Nothing: headers are never sorted here.
    #[arg(long, help_heading = "Write")]
    pub no_sort: bool,
    /// Print the version.
    #[arg(long = "version", help_heading = "Write")]
    pub print_version: bool,

    /// Not done here.
    #[arg(long, hide = true)]
    pub build_resolution_cache: bool,
    /// Not done here.
    #[arg(long, hide = true, value_name = "FILE")]
    pub rename_dynamic_symbols: Option<PathBuf>,
    /// Not done here.
    #[arg(long, hide = true)]
    pub no_clobber_old_sections: bool,
}

/// A page size in bytes.
fn page_size(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(size) if size.is_power_of_two() && (512..=1 << 30).contains(&size) => Ok(size),
        _ => Err("a power of two from 512 to 1073741824".to_owned()),
    }
}
