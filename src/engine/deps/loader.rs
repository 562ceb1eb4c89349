//! The loader's lens on one artifact or on many: reads the artifact, places it, and keeps what was read for the next one.
//!
//! Nothing is run and nothing written. The load itself is in `load`; roles (what the repair makes of a library) are given
//! by others.

use super::graph::{Graph, Node, NodeKind};
use super::inputs::{LoaderInputs, Placed};
use super::load::{Before, Start, load, open};
use super::loaded::present;
use super::objects::Objects;
use super::opening::{Caller, Open, Opened};
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
        let artifact = self.artifact(artifact, slice, inputs)?;
        let host = inputs.host.as_deref().map(|path| self.host(path, &artifact.arch, inputs)).transpose()?;
        load(&self.objects, artifact, host, inputs, context)
    }

    /// What comes of each of `opens` in the process that has slice number `slice` of `artifact` in it, and `others` besides;
    /// each is opened for itself.
    ///
    /// # Errors
    /// As [`Loader::resolve`], for the artifact, the others and callers that are files.
    pub fn open(
        &self,
        (artifact, slice): (&Placed<'_>, usize),
        others: &[Placed<'_>],
        opens: &[Open<'_>],
        inputs: &LoaderInputs,
        context: &Context,
    ) -> Result<Vec<Opened>> {
        let artifact = self.artifact(artifact, slice, inputs)?;
        let arch = artifact.arch.clone();
        let host = inputs.host.as_deref().map(|path| self.host(path, &arch, inputs)).transpose()?;
        let others = others.iter().map(|other| self.fitting(other, &arch, inputs));
        let callers = opens.iter().filter_map(|open| match open.caller {
            Caller::File(path) => Some(self.fitting(&Placed::in_place(path), &arch, inputs)),
            _ => None,
        });
        let (others, callers) = (others.collect::<Result<_>>()?, callers.collect::<Result<_>>()?);
        open(&self.objects, Before { artifact, host, others, callers }, opens, inputs, context)
    }

    /// An object that is not searched for.
    fn artifact(&self, placed: &Placed<'_>, slice: usize, inputs: &LoaderInputs) -> Result<Start> {
        let (inode, binary) = self.read(placed, inputs)?;
        let Some(arch) = binary.slices.get(slice).map(|slice| slice.arch.clone()) else {
            let expected = format!("a slice of number {slice}, found {}", binary.slices.len());
            return Err(Error::malformed(placed.read_from, 0, expected));
        };
        Ok(Start { node: root_node(placed.loaded_as, binary, slice, inputs), arch, inode })
    }

    /// The slice of `placed` for the machine `wanted`.
    fn fitting(&self, placed: &Placed<'_>, wanted: &Arch, inputs: &LoaderInputs) -> Result<Start> {
        let (_, binary) = self.read(placed, inputs)?;
        let fits = |arch: &Arch| (arch.machine, arch.bits, arch.endian) == (wanted.machine, wanted.bits, wanted.endian);
        let slice = binary.slices.iter().position(|slice| fits(&slice.arch));
        let expected = || Error::malformed(placed.read_from, 0, format!("a file for {}, as the artifact", wanted.name));
        self.artifact(placed, slice.ok_or_else(expected)?, inputs)
    }

    /// What stands at the place that `placed` is loaded from: the overlay's file, if there is one.
    fn read(&self, placed: &Placed<'_>, inputs: &LoaderInputs) -> Result<((u64, u64), Arc<Binary>)> {
        let overlaid = inputs.overlay.as_ref().and_then(|overlay| overlay.file(placed.loaded_as));
        match overlaid.and_then(|object| Some((object.inode, object.binary.clone()?))) {
            Some(read) => Ok(read),
            None => self.objects.artifact(placed.read_from),
        }
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
    let root = Root::of(inputs);
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
