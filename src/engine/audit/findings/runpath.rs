//! WW010: a library is missing though a RUNPATH leads to it, because that RUNPATH stands in another object than the one that
//! needs it. glibc searches a RUNPATH for the needs of its own object alone (ld.so(8)); DT_RPATH is handed down.

use super::super::Audit;
use super::super::search_path::heeded;
use super::shipped::is_of_system;
use super::{finding, quoted};
use crate::engine::binary::{self, Arch, RunPathTag};
use crate::engine::deps::{Edge, Graph, Node, NodeKind};
use crate::engine::file::Windows;
use crate::engine::report::audit::{Finding, SearchRule, Severity, StagingReport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// WW010 for every missing library that a RUNPATH further up would have led to. The title begins with its name.
pub(super) fn not_inherited(audit: &Audit, staging: &StagingReport) -> Vec<Finding> {
    let Some(graph) = &audit.graph else { return Vec::new() };
    let mut found = BTreeMap::new();
    let mut askers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for edge in &graph.edges {
        askers.entry(edge.to).or_default().push(edge.from);
    }
    for edge in &graph.edges {
        let missing = graph.nodes.get(edge.to).is_some_and(|node| node.kind == NodeKind::Missing);
        // The artifact inherits from nobody here.
        if missing
            && edge.from != 0
            && let Some(case) = Case::of(graph, &above(&askers, edge.from), edge, audit.sysroot.as_deref())
        {
            let name = edge.needed.to_text().into_owned();
            found.entry(name.clone()).or_insert_with(|| case.finding(audit, staging, &name));
        }
    }
    found.into_values().collect()
}

/// One missing library and the RUNPATH that leads to it.
struct Case<'a> {
    graph: &'a Graph,
    /// The number of the object that needs it.
    asker: usize,
    /// The number of the object that the RUNPATH stands in.
    owner: usize,
    /// The entry as it stands there.
    entry: String,
    /// The file that it leads to.
    file: PathBuf,
}

impl<'a> Case<'a> {
    /// The first object `above` the one that asks whose RUNPATH leads to a fitting file of the name.
    fn of(graph: &'a Graph, above: &[usize], edge: &Edge, sysroot: Option<&Path>) -> Option<Self> {
        let arch = &graph.nodes.first()?.loaded()?.arch;
        let (asker, name) = (edge.from, Path::new(std::ffi::OsStr::from_bytes(edge.needed.as_bytes())));
        // A name with a slash is no matter of search paths.
        if name.components().count() != 1 {
            return None;
        }
        above.iter().find_map(|&owner| {
            let node = graph.nodes.get(owner)?;
            let run_path = heeded(node.loaded()?).filter(|path| path.tag == RunPathTag::Runpath)?;
            let text = run_path.text.to_text();
            text.split(':').find_map(|entry| {
                let file = directory(graph, owner, entry, sysroot)?.join(name);
                let fits = is_library_for(&file, arch);
                fits.then(|| Self { graph, asker, owner, entry: entry.to_string(), file })
            })
        })
    }

    fn finding(&self, audit: &Audit, staging: &StagingReport, name: &str) -> Finding {
        let text =
            |id: usize| self.graph.nodes.get(id).map(|node| node.name.to_text().into_owned()).unwrap_or_default();
        let (asker, owner) = (text(self.asker), text(self.owner));
        let evidence = vec![
            format!("{name} is needed by {asker} ({})", self.path(self.asker).display()),
            format!("the RUNPATH of {owner} has the entry {}", self.entry),
            format!("there it is: {}", self.file.display()),
            format!("a RUNPATH counts for what its own object needs: {asker} does not inherit that of {owner}"),
        ];
        let mut fix = vec![format!("# give {asker} a search path of its own:")];
        let added = self.relative_entry();
        // A new RUNPATH would end what the object inherits of RPATHs.
        let force = if self.asker_inherits() { "--force-rpath " } else { "" };
        let (added, file) = (quoted(Path::new(&added)), quoted(self.path(self.asker)));
        let line = format!("patchelf {force}--add-rpath {added} {file}");
        let of_system = is_of_system(self.path(self.asker));
        fix.push(if of_system { format!("# on a copy that you link instead of the system's: {line}") } else { line });
        if self.asker_inherits() {
            fix.push(format!("# or link {owner} with -Wl,--disable-new-dtags: its DT_RPATH is handed down"));
            if self.owner == 0 && staging.cargo_output.is_some() {
                fix.push("# RUSTFLAGS='-C link-arg=-Wl,--disable-new-dtags' cargo build --release".to_string());
            }
        }
        fix.push(format!("# or link {owner} to {name} itself, before {asker}: -Wl,--no-as-needed -l:{name}"));
        fix.push(format!("# wheelwright tree --all {}", quoted(&audit.report.path)));
        let title = format!("{name} is not found for {asker}: the RUNPATH of {owner} is not inherited");
        finding("WW010", Severity::Error, title, evidence, fix)
    }

    fn path(&self, id: usize) -> &Path {
        self.graph.nodes.get(id).and_then(|node| node.path.as_deref()).unwrap_or(Path::new(""))
    }

    /// An object with a RUNPATH of its own inherits no RPATH either.
    fn asker_inherits(&self) -> bool {
        let run_path = self.graph.nodes.get(self.asker).and_then(|node| heeded(node.loaded()?));
        run_path.is_none_or(|path| path.tag != RunPathTag::Runpath)
    }

    /// The entry for the asker's own RUNPATH: from its directory where they have more than the root in common.
    fn relative_entry(&self) -> String {
        let to = self.file.parent().unwrap_or(Path::new("/"));
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let (from, to) = (real(self.path(self.asker).parent().unwrap_or(Path::new("/"))), real(to));
        let common = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
        if common < 2 {
            return to.to_string_lossy().into_owned();
        }
        let up = from.components().skip(common).map(|_| "..".to_string());
        let down = to.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
        let parts: Vec<String> = std::iter::once("$ORIGIN".to_string()).chain(up).chain(down).collect();
        parts.join("/")
    }
}

/// The objects through which `node` came to be loaded, the nearest first, and of these those that were loaded first.
fn above(askers: &BTreeMap<usize, Vec<usize>>, node: usize) -> Vec<usize> {
    let mut seen = BTreeSet::from([node]);
    let mut queue = VecDeque::from([node]);
    let mut found = Vec::new();
    while let Some(at) = queue.pop_front() {
        let mut next = askers.get(&at).cloned().unwrap_or_default();
        next.sort_unstable();
        for asker in next.into_iter().filter(|asker| seen.insert(*asker)) {
            found.push(asker);
            queue.push_back(asker);
        }
    }
    found
}

/// The directory of `entry` in the run path of node `owner`, on this machine: as the loader's lens took it where it came to
/// the entry, else filled in here; `None` where only a process could tell it.
pub(super) fn directory(graph: &Graph, owner: usize, entry: &str, sysroot: Option<&Path>) -> Option<PathBuf> {
    taken(graph, owner, entry).or_else(|| filled_in(graph.nodes.get(owner)?, entry, sysroot))
}

/// The directory where a search went by the entry.
fn taken(graph: &Graph, owner: usize, entry: &str) -> Option<PathBuf> {
    let name = graph.nodes.get(owner)?.name.to_text();
    let candidates = graph.edges.iter().filter(|edge| edge.from == owner).flat_map(|edge| &edge.candidates);
    let mut by_entry = candidates.filter(|candidate| {
        matches!(candidate.rule, SearchRule::Runpath | SearchRule::Rpath)
            && candidate.entry.as_deref() == Some(entry)
            && candidate.owner.as_deref() == Some(name.as_ref())
            && candidate.hwcaps.is_none()
    });
    by_entry.next()?.path.parent().map(Path::to_path_buf)
}

fn filled_in(node: &Node, entry: &str, sysroot: Option<&Path>) -> Option<PathBuf> {
    let origin = node.directory.to_str()?;
    let braces = entry.replace("${ORIGIN}", origin);
    // `$ORIGINAL` is no token, and `$LIB` and `$PLATFORM` are the loader's to know.
    let parts = braces.split('/').map(|part| if part == "$ORIGIN" { origin } else { part });
    let filled = parts.collect::<Vec<_>>().join("/");
    if filled.contains('$') || !filled.starts_with('/') {
        return None;
    }
    match sysroot.filter(|_| entry.starts_with('/')) {
        Some(root) => Some(root.join(filled.trim_start_matches('/'))),
        None => Some(PathBuf::from(filled)),
    }
}

/// Whether a process of `arch` could load the file.
pub(super) fn is_library_for(path: &Path, arch: &Arch) -> bool {
    let slice = Windows::open(path).and_then(|windows| binary::read(&windows)).ok();
    let fits = |slice: &binary::Slice| {
        slice.arch.machine == arch.machine && slice.arch.bits == arch.bits && slice.arch.endian == arch.endian
    };
    slice.is_some_and(|binary| binary.slices.iter().any(fits))
}
