//! Whose a file is that was found: the bundle's, one that the tag takes for granted, the system's, or the build's.

use super::PredictSubject;
use super::layout::Layout;
use crate::engine::audit::Granted;
use crate::engine::audit::policy::Family;
use crate::engine::binary::Format;
use crate::engine::deps::{Libc, Node, NodeKind};
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::report::dlopen::FoundIn;
use std::path::Path;

/// Where a system keeps its libraries, in any of the usual layouts (FHS 3.0, multiarch, macOS).
const SYSTEM: [&str; 8] =
    ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/local/lib"];

/// Whether the system keeps libraries in `path` or below it, or above it.
pub(super) fn is_system_directory(path: &Path) -> bool {
    SYSTEM.iter().any(|system| path.starts_with(system) || Path::new(system).starts_with(path))
        || path.starts_with("/System")
}

/// Tells whose a file is.
#[derive(Clone, Copy)]
pub(super) struct Origins<'a> {
    pub(super) subject: &'a PredictSubject<'a>,
    /// The bundle, where files are sought in it.
    pub(super) layout: Option<&'a Layout>,
    /// What every machine of the subject's tag has.
    pub(super) granted: &'a Granted,
}

impl Origins<'_> {
    /// Whose `node` is, found `by`, opened as `name`.
    pub(super) fn of(&self, node: &Node, by: Option<&FoundBy>, name: &str) -> FoundIn {
        if matches!(node.kind, NodeKind::System | NodeKind::Interpreter) {
            return FoundIn::Policy;
        }
        let Some(path) = &node.path else { return FoundIn::System };
        if self.layout.is_some_and(|layout| layout.holds(path)) {
            return FoundIn::Bundle;
        }
        let real = node.realpath.as_deref().unwrap_or(path);
        let rule = by.map(|by| by.rule);
        let by_system = matches!(
            rule,
            Some(SearchRule::LdSoCache | SearchRule::LdSoConf | SearchRule::Default | SearchRule::MuslPath)
        );
        let inside = |path: &Path| self.is_of_system(path);
        if !(by_system || inside(path) || inside(real)) {
            let installed = self.layout.is_some_and(|layout| layout.is_beside(path));
            return if installed { FoundIn::System } else { FoundIn::Build };
        }
        let leaf = name.rsplit('/').next().unwrap_or(name);
        let soname = node.loaded().and_then(|slice| slice.soname.as_ref()).map(|name| name.to_text().into_owned());
        let granted = self.granted.holds(leaf) && (soname.is_none() || soname.as_deref() == Some(leaf));
        if granted { FoundIn::Policy } else { FoundIn::System }
    }

    fn is_of_system(&self, path: &Path) -> bool {
        let inside = match &self.subject.inputs.sysroot {
            Some(sysroot) => match path.strip_prefix(sysroot) {
                Ok(inside) => Path::new("/").join(inside),
                Err(_) => return false,
            },
            None => path.to_path_buf(),
        };
        SYSTEM.iter().any(|system| inside.starts_with(system)) || inside.starts_with("/System")
    }
}

/// What every machine of the subject's tag has, or every one with its C library; nothing is told of other formats.
pub(super) fn granted(subject: &PredictSubject<'_>) -> Granted {
    let binary = subject.member.binary;
    let Some(slice) = binary.slices.first().filter(|_| binary.format == Format::Elf) else {
        return Granted::default();
    };
    let family = if subject.inputs.libc_of(binary) == Libc::Musl { Family::Musllinux } else { Family::Manylinux };
    Granted::new(family, &slice.arch.name, subject.tag)
}
