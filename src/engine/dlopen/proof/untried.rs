//! When an artifact is not loaded, and why: another machine's, another system's, or nobody to load it.

use super::{LoadProof, Loading, Which};
use crate::engine::Result;
use crate::engine::binary::elf::Symbols;
use crate::engine::binary::{Format, ObjectKind, Slice};
use crate::engine::deps::{Libc, guess_libc};
use crate::engine::file::Windows;
use crate::engine::report::audit::ArtifactKind;
use crate::engine::report::dlopen::OpenedBy;
use crate::engine::symbols::python::is_python;

/// Said where an interpreter is needed.
const NO_PYTHON: &str =
    "it needs what only a Python interpreter defines, and none is there; name one with --interpreter";

/// Why `proof`'s artifact is not loaded, if it is not.
///
/// # Errors
/// When the artifact can't be read.
pub(super) fn reason(proof: &LoadProof<'_>, loading: &Loading) -> Result<Option<String>> {
    if loading.which == Which::Outputs && proof.artifact.cargo.is_none() {
        return Ok(Some("loading runs its code, and cargo did not make it here; `--load always` loads it".to_owned()));
    }
    if let Some(why) = by_headers(proof) {
        return Ok(Some(why));
    }
    if !proof.files.iter().any(|file| file.at == proof.entry) {
        return Ok(Some("it is not in the bundle".to_owned()));
    }
    if proof.scratch.to_str().is_none() || proof.files.iter().any(|file| file.at.contains('\0')) {
        return Ok(Some("its place is no text that can be passed on".to_owned()));
    }
    if proof.module.is_none() && !needs_python(proof)? {
        return Ok(None);
    }
    Ok(match loading.interpreter() {
        Some(Ok(_)) => None,
        Some(Err(why)) => Some(format!("no Python interpreter can load it: {why}")),
        None if proof.module.is_some() && !needs_python(proof)? => None,
        None => Some(NO_PYTHON.to_owned()),
    })
}

/// Whether an interpreter loads `proof`'s artifact, or opens something for it. To ask one takes its time.
///
/// # Errors
/// When the artifact can't be read.
pub(super) fn wants_python(proof: &LoadProof<'_>) -> Result<bool> {
    let by_python = proof.open.iter().any(|probe| probe.by == OpenedBy::Python);
    Ok(!is_program(proof) && (proof.module.is_some() || by_python || needs_python(proof)?))
}

/// What the headers and the kind of the artifact say.
fn by_headers(proof: &LoadProof<'_>) -> Option<String> {
    let [slice] = proof.binary.slices.as_slice() else { return Some("it is for another system".to_owned()) };
    if proof.binary.format != Format::Elf {
        let format = if proof.binary.format == Format::Pe { "a PE" } else { "a Mach-O" };
        return Some(format!("it is {format} file, which this system does not load"));
    }
    if !cfg!(target_os = "linux") {
        return Some("loading is tried on Linux alone".to_owned());
    }
    if slice.arch.name != native_arch() {
        return Some(format!("it is for {}, and this machine is {}", slice.arch.name, native_arch()));
    }
    if is_program(proof) && slice.interpreter.is_none() {
        return Some("it is a program that needs no loader".to_owned());
    }
    if is_program(proof) && !proof.open.is_empty() {
        return Some("it is a program, which would have to run to open anything".to_owned());
    }
    if slice.kind != ObjectKind::SharedLibrary && slice.kind != ObjectKind::Executable {
        return Some("it is nothing that a loader loads".to_owned());
    }
    if is_program(proof) && guess_libc(proof.binary) == Libc::Musl {
        return Some("it is a program for musl, whose loader can't be asked without running it".to_owned());
    }
    let own = if cfg!(target_env = "musl") { Libc::Musl } else { Libc::Glibc };
    let libc = guess_libc(proof.binary);
    if libc != own && !is_program(proof) {
        let name = |libc| if libc == Libc::Musl { "musl" } else { "glibc" };
        return Some(format!("it is for {}, and what would load it is for {}", name(libc), name(own)));
    }
    if cfg!(target_feature = "crt-static") && proof.module.is_none() && !is_program(proof) {
        return Some("this program is linked statically, and can load nothing".to_owned());
    }
    None
}

/// Whether the artifact is begun by execve(2) and not opened by another program.
pub(super) fn is_program(proof: &LoadProof<'_>) -> bool {
    let executable = |slice: &Slice| slice.kind == ObjectKind::Executable;
    proof.artifact.kind == ArtifactKind::Bin || proof.binary.slices.first().is_some_and(executable)
}

/// This machine, as wheel tags write it.
fn native_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86" => "i686",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "arm" => "armv7l",
        other => other,
    }
}

/// Whether the file asks for symbols that no library of its own brings, but an interpreter does.
fn needs_python(proof: &LoadProof<'_>) -> Result<bool> {
    let Some(slice) = proof.binary.slices.first() else { return Ok(false) };
    let Some(file) = proof.files.iter().find(|file| file.at == proof.entry) else { return Ok(false) };
    let links_it = slice.needed.iter().any(|needed| needed.name.as_bytes().starts_with(b"libpython"));
    let (false, Some(details)) = (links_it, &slice.elf) else { return Ok(false) };
    let source = Windows::open(&file.from)?;
    let undefined = Symbols::open(&source, &details.tables)?.undefined()?;
    Ok(undefined.iter().any(|symbol| !symbol.weak && is_python(symbol.name.as_bytes())))
}
