//! The linkers, how the C compiler and rustc are told to use them, and the layouts that each is asked for.

use std::path::PathBuf;
use std::process::Command;

/// A linker by its common name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linker {
    /// The lld that rustc brings along, and uses by default on x86-64 Linux.
    RustLld,
    /// The lld of the system.
    Lld,
    /// GNU ld.
    Bfd,
    /// GNU gold.
    Gold,
    /// mold.
    Mold,
}

/// A layout by its name, with what the linker is told through the compiler.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Its name in the table.
    pub name: &'static str,
    /// The compiler's arguments.
    pub flags: &'static [&'static str],
}

const fn layout(name: &'static str, flags: &'static [&'static str]) -> Layout {
    Layout { name, flags }
}

/// The layout that a linker makes unasked.
pub const PLAIN: Layout = layout("plain", &[]);
const NOW: Layout = layout("now, sysv hash", &["-Wl,-z,now", "-Wl,--hash-style=sysv"]);
const LARGE: Layout = layout("64K pages", &["-Wl,-z,max-page-size=65536"]);
const BARE: Layout = layout("no RELRO, both hashes", &["-Wl,-z,norelro", "-Wl,--hash-style=both"]);
const PACKED: Layout =
    layout("packed relocations, gnu hash", &["-Wl,-z,pack-relative-relocs", "-Wl,--hash-style=gnu", "-Wl,-z,now"]);
const APART: Layout = layout(
    "packed relocations, separate code",
    &["-Wl,-z,pack-relative-relocs", "-Wl,--hash-style=gnu", "-Wl,-z,separate-code"],
);
const SEPARATE: Layout = layout("separate code", &["-Wl,-z,separate-code", "-Wl,--hash-style=gnu"]);
const JOINED: Layout = layout("code not separate", &["-Wl,-z,noseparate-code", "-Wl,--hash-style=both"]);
const OLD_TAGS: Layout = layout("with a build RPATH, stripped", &["-s", "-Wl,--disable-new-dtags,-rpath,/build/place"]);

impl Linker {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::RustLld, Self::Lld, Self::Bfd, Self::Gold, Self::Mold];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::RustLld => "rust-lld",
            Self::Lld => "lld",
            Self::Bfd => "bfd",
            Self::Gold => "gold",
            Self::Mold => "mold",
        }
    }

    /// What the C compiler is told, or why it can't be.
    pub fn cc(self) -> Result<Vec<String>, String> {
        let program = match self {
            Self::RustLld => return Ok(vec!["-fuse-ld=lld".to_owned(), format!("-B{}", wrappers()?.display())]),
            Self::Lld => "lld",
            Self::Bfd => "bfd",
            Self::Gold => "gold",
            Self::Mold => "mold",
        };
        let said = Command::new(format!("ld.{program}")).arg("--version").output();
        match said {
            Ok(output) if output.status.success() => Ok(vec![format!("-fuse-ld={program}")]),
            _ => Err(format!("ld.{program} is not installed")),
        }
    }

    /// What rustc is told, or why it can't be.
    pub fn rustc(self) -> Result<Vec<String>, String> {
        let mut arguments = vec!["-Clinker-features=-lld".to_owned()];
        arguments.extend(self.cc()?.into_iter().map(|flag| format!("-Clink-arg={flag}")));
        Ok(arguments)
    }

    /// Words of which `readelf -p .comment` or the section table shows one, if this linker made a file.
    pub fn signature(self) -> Option<&'static str> {
        match self {
            Self::RustLld | Self::Lld => Some("Linker: "),
            Self::Mold => Some("mold "),
            Self::Gold => Some(".note.gnu.gold"),
            Self::Bfd => None,
        }
    }

    /// The layouts that C files are made in.
    pub fn layouts(self) -> &'static [Layout] {
        match self {
            Self::RustLld => &[PLAIN, NOW, APART, LARGE, BARE, OLD_TAGS],
            Self::Lld => &[PLAIN, NOW, SEPARATE, LARGE, BARE, OLD_TAGS],
            Self::Bfd => &[PLAIN, NOW, PACKED, JOINED, LARGE, BARE, OLD_TAGS],
            // mold 1.10 packs relocations without the version by which glibc knows them: the file does not load.
            Self::Mold => &[PLAIN, NOW, JOINED, LARGE, BARE, OLD_TAGS],
            Self::Gold => &[PLAIN, NOW, LARGE, BARE, OLD_TAGS],
        }
    }

    /// The layouts that Rust files are made in.
    pub fn rust_layouts(self) -> &'static [Layout] {
        match self {
            Self::RustLld => &[PLAIN, APART],
            Self::Bfd => &[PLAIN, PACKED],
            Self::Lld | Self::Mold => &[PLAIN, NOW],
            Self::Gold => &[PLAIN],
        }
    }
}

/// The folder of rustc's own `ld.lld`.
fn wrappers() -> Result<PathBuf, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().map_err(|error| error.to_string())?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let folder = sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld");
    if folder.join("ld.lld").is_file() { Ok(folder) } else { Err("this rustc brings no lld along".to_owned()) }
}
