//! The external libraries behind a library that is opened at run time: what would have to come into the bundle with it.

use super::exclude::Pattern;
use super::external::{External, merge, of_elf};
use super::{Audit, AuditOptions, evaluate_elf};
use crate::engine::binary::{self, Format};
use crate::engine::deps::{Placed, crate_tree_below};
use crate::engine::file::Windows;
use crate::engine::project::Artifact;
use crate::engine::{Error, Result};
use std::path::{Path, PathBuf};

/// `library`, opened as `name` by `artifact`, whose audit is `audit` and whose clean bytes are at `clean`, and what it needs
/// that a bundle for the artifact's tag would have to hold. The library itself comes first, whatever the tag says of it.
///
/// # Errors
/// [`Error::Refused`] when it is no ELF file; when it or the artifact can't be read, or the lddtree crate fails on it.
pub fn libraries_behind(
    library: &Path,
    name: &str,
    artifact: &Artifact,
    clean: &Path,
    audit: &Audit,
    options: &AuditOptions,
) -> Result<Vec<External>> {
    let source = Windows::open(library)?;
    let refused = |reason: &str| Error::Refused {
        path: library.to_path_buf(),
        reason: reason.to_owned(),
        way_out: "link it instead of opening it, and bundle it with the tools of its own platform".to_owned(),
    };
    if binary::sniff(&source)? != Some(Format::Elf) {
        return Err(refused("is not an ELF file, and files of other formats can't be grafted yet"));
    }
    let read = binary::read(&source)?;
    let Some(slice) = read.slices.first() else { return Err(refused("holds no code")) };
    let inputs = options.inputs_for(artifact);
    let paths: Vec<PathBuf> = inputs.linked_paths.iter().chain(&options.ld_paths).cloned().collect();
    let tree = crate_tree_below(&Placed::in_place(library), &paths, inputs.sysroot.as_deref())?;
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let itself = External {
        name: slice.soname.as_ref().map_or_else(|| leaf.to_owned(), |soname| soname.to_text().into_owned()),
        aliases: Vec::new(),
        realpath: Some(library.to_path_buf()),
        needed: tree.needed.clone(),
        rpath: tree.rpath.clone(),
    };
    let Some(binary) = &audit.binary else { return Ok(vec![itself]) };
    let libc = inputs.libc_of(binary);
    let evaluation = evaluate_elf(artifact, binary, &Windows::open(clean)?, libc, options.compatibility.as_ref())?;
    let exclude: Vec<Pattern> = options.exclude.iter().map(|text| Pattern::new(text)).collect();
    let behind = evaluation.as_ref().and_then(|one| one.bundle_policy()).map(|policy| of_elf(&tree, policy, &exclude));
    let others = behind.unwrap_or_default().into_iter().filter(|one| one.realpath.as_deref() != Some(library));
    Ok(std::iter::once(itself).chain(merge(others.collect())).collect())
}
