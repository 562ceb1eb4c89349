//! Whose a file is that was found: the bundle's, one that the tag takes for granted, the system's, or the build's.

use super::PredictSubject;
use super::layout::Layout;
use crate::engine::audit::policy::{Family, policies};
use crate::engine::binary::Format;
use crate::engine::deps::{Libc, Node, NodeKind};
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::report::dlopen::FoundIn;
use std::path::Path;

/// Libraries that glibc is made of, beyond those on every list: they come with the loader itself.
const OF_GLIBC: [&str; 8] = [
    "libBrokenLocale.so.1",
    "libc_malloc_debug.so.0",
    "libmvec.so.1",
    "libnss_compat.so.2",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libnss_hesiod.so.2",
    "libthread_db.so.1",
];

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
        let granted = self.is_granted(leaf) && (soname.is_none() || soname.as_deref() == Some(leaf));
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

    /// Whether every machine of the tag has `name`, or every one with the C library.
    pub(super) fn is_granted(&self, name: &str) -> bool {
        is_granted(self.subject, name)
    }
}

/// Whether every machine of the subject's tag has `name`, or every one with its C library.
pub(super) fn is_granted(subject: &PredictSubject<'_>, name: &str) -> bool {
    let binary = subject.member.binary;
    if binary.format != Format::Elf {
        return false;
    }
    let libc = subject.inputs.libc_of(binary);
    if libc == Libc::Glibc && (OF_GLIBC.contains(&name) || name.starts_with("ld-linux") || name.starts_with("ld64.so"))
    {
        return true;
    }
    let family = if libc == Libc::Musl { Family::Musllinux } else { Family::Manylinux };
    let Some(architecture) = binary.slices.first().map(|slice| slice.arch.name.clone()) else { return false };
    let all = policies(family, &architecture);
    // What has no tag is compared with the shortest list.
    let tag = all.iter().find(|policy| Some(policy.name.as_str()) == subject.tag);
    tag.or_else(|| all.first()).is_some_and(|policy| policy.allowed.contains(name))
}
