//! The files that are edited, each built once and then copied: programs and libraries from C and Rust.

use crate::linkers::{Layout, Linker};
use crate::machine::{Machine, succeed, text};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a file is to the loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program at a fixed address.
    Fixed,
    /// A position-independent program.
    Pie,
    /// A shared library.
    Library,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fixed, Self::Pie, Self::Library];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "executable",
            Self::Pie => "PIE",
            Self::Library => "library",
        }
    }
}

/// The language that a file is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// C.
    C,
    /// Rust.
    Rust,
}

/// The folder of the libraries and of the host program for one machine.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// The machine.
    pub machine: Machine,
    folder: PathBuf,
}

/// The libraries that the subjects need, by the file's name that they have there.
pub const LIBRARIES: [&str; 4] = ["libdeep.so.2", "libplain.so.1", "libspare.so.1", "libextra.so.1"];

impl Workshop {
    /// Builds the libraries and the host in `folder`.
    pub fn open(machine: Machine, folder: &Path) -> Result<Self, String> {
        let sources: [(&str, &str); 8] = [
            ("protection.c", include_str!("sources/protection.c")),
            ("deep.c", include_str!("sources/deep.c")),
            ("deep.map", include_str!("sources/deep.map")),
            ("plain.c", include_str!("sources/plain.c")),
            ("spare.c", include_str!("sources/spare.c")),
            ("subject.c", include_str!("sources/subject.c")),
            ("subject.rs", include_str!("sources/subject.rs")),
            ("host.c", include_str!("sources/host.c")),
        ];
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        for (name, text) in sources {
            std::fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
        }
        let library = |sources: &[&str], name: &str, more: &[&str]| {
            let soname = format!("-Wl,-soname,{name}");
            let arguments = [sources, &["-shared", "-fPIC", &soname, "-o", name], more].concat();
            machine.compile(folder, &arguments)
        };
        library(&["deep.c", "protection.c"], "libdeep.so.2", &["-Wl,--version-script=deep.map"])?;
        library(&["plain.c"], "libplain.so.1", &[])?;
        library(&["spare.c"], "libspare.so.1", &[])?;
        library(&["spare.c"], "libextra.so.1", &[])?;
        machine.compile(folder, &["host.c", "protection.c", "-ldl", "-o", "host"])?;
        Ok(Self { machine, folder: folder.to_owned() })
    }

    /// The path of its file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Builds a subject as `name` in C with `flags`.
    pub fn build_c(&self, kind: Kind, flags: &[String], name: &str) -> Result<PathBuf, String> {
        let mut arguments: Vec<&str> = match kind {
            Kind::Fixed => vec!["-DPROGRAM", "-no-pie"],
            Kind::Pie => vec!["-DPROGRAM", "-fPIE", "-pie"],
            Kind::Library => vec!["-shared", "-fPIC", "-Wl,-soname,libsubject.so.1"],
        };
        arguments.extend(["-O1", "-o", name, "subject.c", "-Wl,--no-as-needed"]);
        arguments.extend(["libdeep.so.2", "libplain.so.1", "libspare.so.1"]);
        arguments.extend(flags.iter().map(String::as_str));
        self.machine.compile(&self.folder, &arguments)?;
        Ok(self.path(name))
    }

    /// Builds a subject as `name` in Rust with `flags`, and the C compiler's `layout`.
    pub fn build_rust(&self, kind: Kind, flags: &[String], layout: &Layout, name: &str) -> Result<PathBuf, String> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let mut command = Command::new(rustc);
        command.current_dir(&self.folder).args(["--edition=2024", "-O", "-Cstrip=debuginfo", "-o", name, "subject.rs"]);
        match kind {
            Kind::Fixed => command.args(["--crate-type=bin", "-Crelocation-model=static"]),
            Kind::Pie => command.arg("--crate-type=bin"),
            Kind::Library => command.args(["--crate-type=cdylib", "-Clink-arg=-Wl,-soname,libsubject.so.1"]),
        };
        for library in ["-Wl,--no-as-needed", "libdeep.so.2", "libplain.so.1", "libspare.so.1"] {
            command.arg(format!("-Clink-arg={library}"));
        }
        for flag in layout.flags {
            command.arg(format!("-Clink-arg={flag}"));
        }
        succeed(command.args(flags))?;
        Ok(self.path(name))
    }
}

/// Checks that `linker` really made `file`.
pub fn made_by(linker: Linker, file: &Path) -> Result<(), String> {
    let output = succeed(Command::new("readelf").args(["-SW", "-p", ".comment"]).arg(file))?;
    let said = text(&output.stdout);
    let others = Linker::ALL.iter().filter_map(|other| other.signature()).filter(|sign| said.contains(sign));
    let found: Vec<&str> = others.collect();
    let is_right = match linker.signature() {
        Some(sign) => found.iter().all(|other| *other == sign) && !found.is_empty(),
        None => found.is_empty(),
    };
    if is_right { Ok(()) } else { Err(format!("{} did not make {}: {found:?}", linker.name(), file.display())) }
}
