//! The loader's lens on one artifact or on many: reads the artifact, places it, and keeps what was read for the next one.
//!
//! Nothing is run and nothing written. The load itself is in `load`; roles (what the repair makes of a library) are given
//! by others.

use super::graph::{Graph, Node, NodeKind};
use super::inputs::{LoaderInputs, Placed};
use super::load::{Start, load};
use super::loaded::present;
use super::objects::Objects;
use super::sysroot::Root;
use crate::engine::binary::{Arch, Binary, Name, ObjectKind};
use crate::engine::{Context, Error, Result};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Resolves dependencies, and keeps what it has read for the next artifact.
#[derive(Debug, Default)]
pub struct Loader {
    objects: Objects,
}

/// The dependencies of the first slice of `artifact`; for one artifact alone.
///
/// # Errors
/// As [`Loader::resolve`].
pub fn resolve(artifact: &Placed<'_>, inputs: &LoaderInputs, context: &Context) -> Result<Graph> {
    Loader::default().resolve(artifact, 0, inputs, context)
}

impl Loader {
    /// The dependencies of slice number `slice` of `artifact`. A library that is not found is a node of its own.
    ///
    /// # Errors
    /// When the artifact itself or its host can't be read, or has no such slice; [`Error::Cancelled`].
    pub fn resolve(
        &self,
        artifact: &Placed<'_>,
        slice: usize,
        inputs: &LoaderInputs,
        context: &Context,
    ) -> Result<Graph> {
        let (inode, binary) = self.objects.artifact(artifact.read_from)?;
        let Some(arch) = binary.slices.get(slice).map(|slice| slice.arch.clone()) else {
            let expected = format!("a slice of number {slice}, found {}", binary.slices.len());
            return Err(Error::malformed(artifact.read_from, 0, expected));
        };
        let root = root_node(artifact.loaded_as, binary, slice, inputs);
        let host = inputs.host.as_deref().map(|path| self.host(path, &arch, inputs)).transpose()?;
        load(&self.objects, Start { node: root, arch, inode }, host, inputs, context)
    }

    /// The program that loads an artifact of machine `wanted`.
    fn host(&self, path: &Path, wanted: &Arch, inputs: &LoaderInputs) -> Result<Start> {
        let path = &inputs.current_directory.join(path);
        let (inode, binary) = self.objects.artifact(path)?;
        let fits = |arch: &Arch| (arch.machine, arch.bits, arch.endian) == (wanted.machine, wanted.bits, wanted.endian);
        let Some(slice) = binary.slices.iter().position(|slice| fits(&slice.arch)) else {
            return Err(Error::malformed(
                path,
                0,
                format!("a program for {}, as the artifact it is to load", wanted.name),
            ));
        };
        let arch = binary.slices.get(slice).map_or_else(|| wanted.clone(), |slice| slice.arch.clone());
        Ok(Start { node: root_node(path, binary, slice, inputs), arch, inode })
    }
}

/// The artifact's node. The kernel starts a program by its real path, so that `$ORIGIN` is the directory of the file and
/// not of a symbolic link to it; a library keeps the path that it is loaded by.
fn root_node(loaded_as: &Path, binary: Arc<Binary>, slice: usize, inputs: &LoaderInputs) -> Node {
    let root = Root::new(inputs.sysroot.as_deref());
    let path = inputs.current_directory.join(loaded_as);
    let file = path.file_name().unwrap_or(path.as_os_str());
    let name = Name::new(file.as_bytes());
    let real = |path: &Path| {
        let (view, path) = root.view(path);
        root.real(view, &path).ok()
    };
    // The file may be away in staging; its directory says then where it really lies.
    let realpath = real(&path).or_else(|| Some(real(path.parent()?)?.join(file)));
    let mut node = present(NodeKind::Root, name, (path.clone(), realpath), None);
    let is_program = binary.slices.get(slice).is_some_and(|slice| slice.kind == ObjectKind::Executable);
    if let Some(real) = node.realpath.as_ref().and_then(|path| path.parent()).filter(|_| is_program) {
        node.directory = real.to_path_buf();
    }
    Node { binary: Some(binary), slice, ..node }
}
