//! A machine whose files are made and run here: its own, or another's under qemu.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What makes, runs and strips the files of one machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name in the table.
    pub name: &'static str,
    /// Its C compiler.
    pub cc: &'static str,
    /// The user-mode emulator that runs its programs; `None` on the machine itself.
    pub emulator: Option<&'static str>,
    /// Where its C library stands; `/` on the machine itself.
    pub root: &'static str,
    /// The programs that strip its files, with their arguments; those that are not installed are left out.
    pub strips: Vec<Vec<&'static str>>,
    /// The largest page of the machine in bytes: the least alignment of its segments.
    pub page: u64,
}

impl Machine {
    /// The machine that this runs on.
    pub fn native() -> Self {
        let strips = [vec!["strip"], vec!["strip", "--strip-unneeded"], vec!["llvm-strip"], vec!["eu-strip"]];
        let strips = strips.into_iter().filter(|strip| is_installed(strip[0])).collect();
        Self { name: "x86_64", cc: "cc", emulator: None, root: "/", strips, page: 0x1000 }
    }

    /// The other machines, whose compilers and emulators may be missing: see [`Self::lacks`].
    pub fn others() -> Vec<Self> {
        let one = |name, emulator, cc, strip, root, page| Self {
            name,
            cc,
            emulator: Some(emulator),
            root,
            strips: vec![vec![strip], vec!["llvm-strip"]],
            page,
        };
        vec![
            one(
                "aarch64",
                "qemu-aarch64",
                "aarch64-linux-gnu-gcc",
                "aarch64-linux-gnu-strip",
                "/usr/aarch64-linux-gnu",
                0x1_0000,
            ),
            one(
                "armhf",
                "qemu-arm",
                "arm-linux-gnueabihf-gcc",
                "arm-linux-gnueabihf-strip",
                "/usr/arm-linux-gnueabihf",
                0x1000,
            ),
            one(
                "riscv64",
                "qemu-riscv64",
                "riscv64-linux-gnu-gcc",
                "riscv64-linux-gnu-strip",
                "/usr/riscv64-linux-gnu",
                0x1000,
            ),
            one(
                "ppc64le",
                "qemu-ppc64le",
                "powerpc64le-linux-gnu-gcc",
                "powerpc64le-linux-gnu-strip",
                "/usr/powerpc64le-linux-gnu",
                0x1_0000,
            ),
            one("s390x", "qemu-s390x", "s390x-linux-gnu-gcc", "s390x-linux-gnu-strip", "/usr/s390x-linux-gnu", 0x1000),
        ]
    }

    /// The first of its programs that is not installed.
    pub fn lacks(&self) -> Option<&'static str> {
        let strips = self.strips.iter().map(|strip| strip[0]);
        std::iter::once(self.cc).chain(self.emulator).chain(strips).find(|program| !is_installed(program))
    }

    /// Compiles in `folder`.
    pub fn compile(&self, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<(), String> {
        succeed(Command::new(self.cc).args(arguments).current_dir(folder)).map(drop)
    }

    /// A command that runs `program` on this machine.
    pub fn runs(&self, program: &Path) -> Command {
        match self.emulator {
            None => Command::new(program),
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.args(["-L", self.root]).arg(program);
                command
            }
        }
    }

    /// Where the file is that this machine's programs know as `path`.
    pub fn real(&self, path: &str) -> PathBuf {
        Path::new(self.root).join(path.trim_start_matches('/'))
    }
}

/// Whether `program` is there.
pub fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The output of `command`, which must succeed.
pub fn succeed(command: &mut Command) -> Result<Output, String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}: {}: {}{}", output.status, text(&output.stdout), text(&output.stderr)))
}

/// The output of `command`, however it ends.
pub fn output(command: &mut Command) -> Result<Output, String> {
    loop {
        match command.output() {
            // A child that another thread starts meanwhile can hold the file open for writing for a moment.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            Err(error) => return Err(format!("{command:?}: {error}")),
            Ok(output) => return Ok(output),
        }
    }
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
