//! Opening by name in a process that has the artifact in it: each name for itself, with everything that it needs.
//!
//! glibc: `_dl_map_object` as called by `dl_open_worker` (the caller's search path counts for the name, and not for what the
//! library needs: it has no loader in that sense). musl: `dlopen` asks on behalf of the program. dyld: the caller's run paths
//! come before those of the program (dlopen(3) of macOS). Windows: LoadLibrary, "Dynamic-link library search order".

use super::super::graph::{Edge, Node, NodeKind};
use super::super::host::reached;
use super::super::inputs::{Libc, LoaderInputs};
use super::super::load_notes;
use super::super::objects::Objects;
use super::super::opening::{Caller, Namespace, Open, Opened};
use super::super::search::{Group, search};
use super::super::{dyld, glibc, musl, windows};
use super::{Bounds, Judge, Load, Loaded, OwnSearches, Start, begin};
use crate::engine::binary::{Format, Name, NeededBinding, ObjectKind};
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::report::dlopen::OpeningOutcome;
use crate::engine::{Context, Result};

/// What is in the process before anything is opened by name.
#[derive(Debug)]
pub(in crate::engine::deps) struct Before {
    /// The artifact.
    pub artifact: Start,
    /// The program that loads it, if it is known.
    pub host: Option<Start>,
    /// What was loaded besides, after the artifact.
    pub others: Vec<Start>,
    /// The callers that are files, in the order of the openings that name them.
    pub callers: Vec<Start>,
}

/// Opens each of `opens` in the process after `before`.
pub(in crate::engine::deps) fn open(
    objects: &Objects,
    before: Before,
    opens: &[Open<'_>],
    inputs: &LoaderInputs,
    context: &Context,
) -> Result<Vec<Opened>> {
    let mut load = begin(objects, before.host.as_ref().unwrap_or(&before.artifact), inputs);
    let is_program = before.artifact.node.loaded().is_some_and(|slice| slice.kind == ObjectKind::Executable);
    let has_program = before.host.is_some() || is_program;
    let artifact = match before.host {
        Some(host) => {
            load.run(host, context)?;
            load.open(before.artifact, context)?
        }
        None => {
            load.run(before.artifact, context)?;
            0
        }
    };
    for other in before.others {
        let id = load.loaded.add_root(other.node, other.inode);
        load.queue.push_back(id);
        load.walk(context)?;
    }
    let mut callers = Vec::new();
    for caller in before.callers {
        let id = load.loaded.add_root(caller.node, caller.inode);
        load.queue.push_back(id);
        load.walk(context)?;
        callers.push(id);
    }
    let own = reached(&load.loaded.graph, artifact);
    load.loaded.graph.edges.clear();
    if has_program && load.process.opened_from.is_none() {
        load.process.opened_from = Some(load.loaded.nodes().len());
    }
    let process = load.loaded.clone();
    let mut callers = callers.into_iter();
    let mut answers = Vec::new();
    for open in opens {
        context.advance(1)?;
        let caller = match open.caller {
            Caller::Artifact => Some(artifact),
            Caller::Object(name) => load.loaded.answering(name),
            Caller::File(_) => callers.next(),
            Caller::Stranger => None,
        };
        let requester = match load.judge {
            Judge::Elf(Libc::Musl) => has_program.then_some(0),
            _ => caller,
        };
        let mut opening = Opening { load: &mut load, own: &own, caller, requester };
        answers.push(opening.open(open, context)?);
        load.forget(&process);
    }
    Ok(answers)
}

impl Load<'_> {
    /// Goes back to `process`.
    fn forget(&mut self, process: &Loaded) {
        self.loaded = process.clone();
        self.queue.clear();
        // Lists and searches are kept by the numbers of nodes, which are given anew.
        self.process.lists = Default::default();
        self.own_searches = OwnSearches::default();
        self.bounds = Bounds::default();
    }
}

/// One opening under way.
struct Opening<'l, 'a> {
    load: &'l mut Load<'a>,
    /// Whether each object is the artifact or comes with it.
    own: &'l [bool],
    /// Who calls.
    caller: Option<usize>,
    /// On whose behalf the loader searches.
    requester: Option<usize>,
}

impl Opening<'_, '_> {
    fn open(&mut self, open: &Open<'_>, context: &Context) -> Result<Opened> {
        if open.namespace == Namespace::New {
            self.load.loaded.begin_namespace();
        }
        let name = self.passed(open.name);
        if let Some(id) = self.load.already_loaded(0, &name) {
            return Ok(self.loaded_before(&name, id, open.caller));
        }
        if let Some(kind) = self.load.known_by_name(&name) {
            return Ok(system(&name, kind));
        }
        let places = self.places(&name);
        let request = self.load.searched(&name);
        let mut outcome = search(self.load.objects, request, &places);
        let Some(found) = outcome.found.take() else {
            let kind = match self.load.judge {
                Judge::Other(Format::Pe) => windows::known_by_name(name.as_bytes()),
                _ => None,
            };
            if let Some(kind) = kind {
                return Ok(system(&name, kind));
            }
            let note = outcome.gave_up.or_else(|| self.windows_note(&name));
            return Ok(Opened { candidates: outcome.candidates, note, ..nothing() });
        };
        let by = found.by.clone();
        let first = self.load.loaded.nodes().len();
        // glibc forgets who called; musl makes the program the requester; dyld keeps the chain.
        let keeps = !matches!(self.load.judge, Judge::Elf(Libc::Glibc) | Judge::Other(Format::Pe));
        let id = self.load.loaded.add_found(self.requester.filter(|_| keeps), &name, found);
        if id == first {
            self.load.queue.push_back(id);
            self.load.walk(context)?;
        }
        let missing = self.missing();
        let outcome_of = if missing.is_empty() { OpeningOutcome::Found } else { OpeningOutcome::Incomplete };
        Ok(Opened {
            outcome: outcome_of,
            node: self.load.loaded.nodes().get(id).cloned(),
            brings: self.brought(first, &by),
            found_by: Some(by),
            candidates: outcome.candidates,
            missing,
            note: None,
        })
    }

    /// The name as the loader takes it: glibc fills in tokens, for the caller; Windows adds `.dll` to a name without a dot.
    fn passed(&self, name: &Name) -> Name {
        match (self.load.judge, self.caller) {
            (Judge::Elf(Libc::Glibc), Some(caller)) => self.load.filled_in(caller, name),
            (Judge::Other(Format::Pe), _) => windows::with_extension(name),
            _ => name.clone(),
        }
    }

    fn places(&self, name: &Name) -> Vec<Group> {
        let (process, nodes) = (&self.load.process, self.load.loaded.nodes());
        match self.load.judge {
            Judge::Elf(Libc::Glibc) => glibc::places(process, nodes, self.requester, name),
            Judge::Elf(Libc::Musl) => musl::places(process, nodes, self.requester, name),
            Judge::Other(Format::Pe) => windows::opening_places(process, nodes),
            Judge::Other(_) => dyld::opening_places(process, nodes, self.requester, name),
        }
    }

    /// Something that answers without a search: always, where it came with the artifact and the artifact calls. A stranger
    /// may call before the artifact is there.
    fn loaded_before(&mut self, name: &Name, id: usize, caller: Caller<'_>) -> Opened {
        let node = self.load.loaded.nodes().get(id).cloned();
        let is_own = self.own.get(id) == Some(&true) && matches!(caller, Caller::Artifact | Caller::Object(_));
        let always = is_own || node.as_ref().is_some_and(|node| node.kind == NodeKind::Interpreter);
        let by = FoundBy { rule: SearchRule::AlreadyLoaded, entry: None, owner: None, hwcaps: None };
        let loaded = Opened { outcome: OpeningOutcome::Loaded, node, found_by: Some(by), ..nothing() };
        if always {
            return loaded;
        }
        let places = self.places(name);
        let outcome = search(self.load.objects, self.load.searched(name), &places);
        let candidates = outcome.candidates;
        match outcome.found {
            Some(found) if self.load.loaded.is_file(id, found.object.inode) => {
                Opened { outcome: OpeningOutcome::Found, found_by: Some(found.by), candidates, ..loaded }
            }
            own => {
                let path = own.as_ref().map(|own| own.path.as_path());
                let note = Some(load_notes::by_order(name, self.load.loaded.nodes(), id, path));
                let outcome = if own.is_some() { OpeningOutcome::Found } else { OpeningOutcome::OnlyIfLoadedBefore };
                Opened { outcome, candidates, note, ..loaded }
            }
        }
    }

    /// The libraries from node `first` on, which was found `by` its name.
    fn brought(&self, first: usize, by: &FoundBy) -> Vec<(Node, Option<FoundBy>)> {
        let edges = &self.load.loaded.graph.edges;
        let found = |id: usize| match id == first {
            true => Some(by.clone()),
            false => edges.iter().find(|edge| edge.to == id).and_then(|edge| edge.found_by.clone()),
        };
        let new = self.load.loaded.nodes().iter().enumerate().skip(first);
        new.filter(|(_, node)| node.kind == NodeKind::Library).map(|(id, node)| (node.clone(), found(id))).collect()
    }

    /// What was needed for the opening and is not there.
    fn missing(&self) -> Vec<String> {
        let nodes = self.load.loaded.nodes();
        let name = |id: usize| nodes.get(id).map(|node| node.name.to_text()).unwrap_or_default();
        let mut missing = Vec::new();
        for edge in &self.load.loaded.graph.edges {
            if edge.binding != NeededBinding::Required {
                continue;
            }
            if is_missing(nodes, edge) {
                missing.push(format!("{} (needed by {})", edge.needed, name(edge.from)));
            }
            for version in &edge.versions_missing {
                missing.push(format!("version {version} of {} (needed by {})", edge.needed, name(edge.from)));
            }
        }
        missing.dedup();
        missing
    }

    /// Where a DLL of that name lies beside the one that asks.
    fn windows_note(&self, name: &Name) -> Option<String> {
        if self.load.judge != Judge::Other(Format::Pe) {
            return None;
        }
        let beside = windows::beside(&self.load.process, self.load.loaded.nodes().get(self.caller?)?);
        let found = search(self.load.objects, self.load.searched(name), &[beside]).found?;
        Some(format!(
            "{} lies beside the DLL that opens it, where LoadLibrary does not look: only LOAD_WITH_ALTERED_SEARCH_PATH with \
             a full path, or AddDllDirectory, makes it do so",
            found.path.display()
        ))
    }
}

fn is_missing(nodes: &[Node], edge: &Edge) -> bool {
    nodes.get(edge.to).is_some_and(|node| node.kind == NodeKind::Missing)
}

fn nothing() -> Opened {
    Opened {
        outcome: OpeningOutcome::Missing,
        node: None,
        found_by: None,
        candidates: Vec::new(),
        missing: Vec::new(),
        brings: Vec::new(),
        note: None,
    }
}

/// A part of the operating system, which is there under its name.
fn system(name: &Name, kind: NodeKind) -> Opened {
    let node = super::super::loaded::absent(kind, None);
    Opened { outcome: OpeningOutcome::Found, node: Some(Node { name: name.clone(), ..node }), ..nothing() }
}
