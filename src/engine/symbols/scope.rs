//! The objects in which a loader looks for a symbol, in its order, and looking one up in them.
//!
//! The order is that of the load: what the host program has loaded, the artifact, `LD_PRELOAD`, then breadth first what is
//! needed (gABI "Shared Object Dependencies"). An object linked with `-Bsymbolic` looks in itself first. The interpreter
//! takes part only where an object needs it.

use super::pages::Pages;
use super::rules;
use crate::engine::Result;
use crate::engine::binary::elf::{Definition, NumberedVersion, Steps, Symbols, UndefinedSymbol, Use, VersionTable};
use crate::engine::binary::{Name, Slice};
use crate::engine::deps::{Graph, Libc, Node, NodeKind};
use crate::engine::file::ReadAt;
use goblin::elf::dynamic::{DF_SYMBOLIC, DT_FLAGS, DT_SYMBOLIC, DT_VERDEF};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What an object asks for.
pub(super) struct Reference {
    /// The symbol's name.
    pub(super) name: Name,
    /// The version that it names.
    pub(super) version: Option<NumberedVersion>,
    /// What its relocations want of it.
    pub(super) usage: Use,
}

/// What a lookup comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The member that defines it.
    Found(usize),
    /// No member does.
    Nobody,
    /// ld.so gives up at this member: it has no version table, and a version is asked of it by its name.
    Aborts(usize),
}

/// An object in scope.
struct Member<'a> {
    /// Its number in the graph; `None` for one that only the host has loaded.
    node: Option<usize>,
    name: String,
    /// Every name that a version may know it by.
    names: BTreeSet<&'a Name>,
    slice: &'a Slice,
    symbols: Option<Symbols<'a>>,
    versions: VersionTable,
    /// Whether the loader heeds its version table.
    is_versioned: bool,
    looks_in_itself: bool,
    /// Whether its own references are looked up, too.
    is_checked: bool,
    steps: Steps,
    error: Option<String>,
}

/// The members in the loader's order, and what was looked up in them.
pub(super) struct Scope<'a> {
    members: Vec<Member<'a>>,
    libc: Libc,
    known: HashMap<(Name, Option<Name>, Use), Outcome>,
}

/// What one member is read from: `None` for the artifact, whose bytes the caller has open.
pub(super) type Source = Option<Result<Pages>>;

/// A node that takes part in the scope.
struct Part<'a> {
    id: Option<usize>,
    is_host: bool,
    node: &'a Node,
    slice: &'a Slice,
}

/// Opens what the members are read from: first those of `before`, then those of `graph`.
pub(super) fn sources(graph: &Graph, before: &[&Node]) -> Vec<Source> {
    let parts = parts(graph, before);
    let open = |part: &Part<'_>| {
        let path = part.node.path.as_deref().filter(|_| part.is_host || part.id != Some(0))?;
        Some(Pages::open(path, parts.len()))
    };
    parts.iter().map(open).collect()
}

fn parts<'a>(graph: &'a Graph, before: &[&'a Node]) -> Vec<Part<'a>> {
    let same =
        |host: &Node| graph.nodes.iter().position(|node| node.realpath.is_some() && node.realpath == host.realpath);
    let host = before.iter().map(|node| (same(node), true, *node));
    let own = graph.nodes.iter().enumerate().filter(|(id, node)| match node.kind {
        NodeKind::Root | NodeKind::Library => true,
        NodeKind::Interpreter => graph.edges.iter().any(|edge| edge.to == *id),
        NodeKind::System | NodeKind::Libpython | NodeKind::Missing => false,
    });
    let all = host.chain(own.map(|(id, node)| (Some(id), false, node)));
    let part = |(id, is_host, node): (_, _, &'a Node)| {
        let slice = node.loaded().filter(|slice| slice.elf.is_some())?;
        Some(Part { id, is_host, node, slice })
    };
    all.filter_map(part).collect()
}

impl<'a> Scope<'a> {
    /// The scope of `graph`'s artifact, behind the objects `before`; `sources` are [`sources`] of the same.
    pub(super) fn open(
        graph: &'a Graph,
        root: &'a dyn ReadAt,
        sources: &'a [Source],
        before: &[&'a Node],
        libc: Libc,
    ) -> Self {
        let open = |(part, source): (Part<'a>, &'a Source)| {
            let mut member = Member::new(graph, &part);
            match source {
                None => member.read(root),
                Some(Ok(pages)) => member.read(pages),
                Some(Err(error)) => member.error = Some(error.to_string()),
            }
            member
        };
        let members = parts(graph, before).into_iter().zip(sources).map(open).collect();
        Self { members, libc, known: HashMap::new() }
    }

    /// The members whose references are looked up, in load order.
    pub(super) fn checked(&self) -> Vec<usize> {
        (0..self.members.len())
            .filter(|&number| self.members.get(number).is_some_and(|member| member.is_checked))
            .collect()
    }

    /// The member's number in the graph, and its name.
    pub(super) fn node_of(&self, member: usize) -> (Option<usize>, String) {
        self.members.get(member).map(|member| (member.node, member.name.clone())).unwrap_or_default()
    }

    /// What kept the member from being read.
    pub(super) fn error(&self, member: usize) -> Option<String> {
        self.members.get(member)?.error.clone()
    }

    /// The member's undefined symbols that a loader looks up.
    pub(super) fn undefined(&mut self, member: usize) -> Vec<UndefinedSymbol> {
        let Some(member) = self.members.get_mut(member) else { return Vec::new() };
        let Some(symbols) = &member.symbols else { return Vec::new() };
        let mut found = member.kept(symbols.undefined());
        found.retain(|symbol| !symbol.is_local);
        found
    }

    /// Of the member's symbols `among`, those that its relocations name; all where these can't be read.
    pub(super) fn relocated(&mut self, member: usize, among: &BTreeSet<u64>) -> BTreeMap<u64, Use> {
        let Some(member) = self.members.get_mut(member) else { return BTreeMap::new() };
        let Some(symbols) = member.symbols.as_ref().filter(|_| !among.is_empty()) else { return BTreeMap::new() };
        symbols.relocated(among).unwrap_or_else(|error| {
            member.error.get_or_insert(error.to_string());
            among.iter().map(|symbol| (*symbol, Use::Call)).collect()
        })
    }

    /// What `symbol` of `member` asks for.
    pub(super) fn reference(&self, member: usize, symbol: &UndefinedSymbol, usage: Use) -> Reference {
        let versions = self.members.get(member).filter(|member| member.is_versioned).map(|member| &member.versions);
        let version = symbol.version.and_then(|number| versions?.get(number)).filter(|version| version.hash != 0);
        Reference { name: symbol.name.clone(), version: version.cloned(), usage }
    }

    /// Who defines what `member` asks for.
    pub(super) fn look_up(&mut self, member: usize, reference: &Reference) -> Outcome {
        let itself = self.members.get(member).is_some_and(|member| member.looks_in_itself);
        if itself && let Some(found) = self.look_in(member, reference) {
            return found;
        }
        let key =
            (reference.name.clone(), reference.version.as_ref().map(|version| version.name.clone()), reference.usage);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let found =
            (0..self.members.len()).find_map(|member| self.look_in(member, reference)).unwrap_or(Outcome::Nobody);
        self.known.insert(key, found);
        found
    }

    fn look_in(&mut self, number: usize, reference: &Reference) -> Option<Outcome> {
        let definitions = self.definitions(number, &reference.name);
        let member = self.members.get(number).filter(|_| !definitions.is_empty())?;
        // Without a hash table the loader has no way to find anything.
        if !member.symbols.as_ref().is_some_and(Symbols::has_hash) {
            return None;
        }
        let wanted = reference.version.as_ref();
        let found = match self.libc {
            Libc::Glibc => {
                rules::glibc(&definitions, member.is_versioned.then_some(&member.versions), wanted, reference.usage)
            }
            Libc::Musl => rules::musl(&definitions, reference.usage),
        };
        let by_name =
            || wanted.and_then(|wanted| wanted.library.as_ref()).is_some_and(|name| member.names.contains(name));
        match found {
            Some(_) if self.libc == Libc::Glibc && !member.is_versioned && by_name() => Some(Outcome::Aborts(number)),
            Some(_) => Some(Outcome::Found(number)),
            None => None,
        }
    }

    /// The member's symbols called `name`, in the order of its hash chain.
    pub(super) fn definitions(&mut self, member: usize, name: &Name) -> Vec<Definition> {
        let Some(member) = self.members.get_mut(member) else { return Vec::new() };
        let Some(symbols) = &member.symbols else { return Vec::new() };
        let found = symbols.definitions(name.as_bytes(), &mut member.steps);
        member.kept(found)
    }

    /// The name of the version that a definition of the member has.
    pub(super) fn version_name(&self, member: usize, definition: &Definition) -> Option<&Name> {
        let member = self.members.get(member).filter(|member| member.is_versioned)?;
        Some(&member.versions.get(definition.version?)?.name)
    }

    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether a loader can find anything in the member.
    pub(super) fn has_hash(&self, member: usize) -> bool {
        self.members.get(member).and_then(|member| member.symbols.as_ref()).is_some_and(Symbols::has_hash)
    }

    /// Whether the member defines no versions though this one is asked of it, of which ld.so warns.
    pub(super) fn warns(&self, member: usize, version: &NumberedVersion) -> bool {
        let Some(member) = self.members.get(member).filter(|_| self.libc == Libc::Glibc) else { return false };
        let defines =
            member.slice.elf.as_ref().is_some_and(|details| details.tables.dynamic_value(DT_VERDEF).is_some());
        !defines && version.library.as_ref().is_some_and(|name| member.names.contains(name))
    }
}

impl<'a> Member<'a> {
    fn new(graph: &'a Graph, part: &Part<'a>) -> Self {
        let (node, slice) = (part.node, part.slice);
        let asked = graph.edges.iter().filter(|edge| Some(edge.to) == part.id).map(|edge| &edge.needed);
        let value = |tag| slice.elf.as_ref().and_then(|details| details.tables.dynamic_value(tag));
        let asks = slice.elf.as_ref().is_some_and(|details| !details.version_needs.is_empty());
        Self {
            node: part.id,
            name: node.name.to_text().into_owned(),
            names: asked.chain([&node.name]).collect(),
            slice,
            symbols: None,
            versions: VersionTable::default(),
            is_versioned: asks || value(DT_VERDEF).is_some(),
            looks_in_itself: value(DT_SYMBOLIC).is_some()
                || value(DT_FLAGS).is_some_and(|flags| flags & DF_SYMBOLIC != 0),
            is_checked: !part.is_host && node.kind != NodeKind::Interpreter,
            steps: Steps::default(),
            error: None,
        }
    }

    fn read(&mut self, source: &'a dyn ReadAt) {
        let Some(details) = &self.slice.elf else { return };
        let read = VersionTable::read(source, &details.tables)
            .and_then(|versions| Ok((versions, Symbols::open(source, &details.tables)?)));
        match read {
            Ok((versions, symbols)) => (self.versions, self.symbols) = (versions, Some(symbols)),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// What was found; nothing from a damaged file, whose first error is kept.
    fn kept<T: Default>(&mut self, found: Result<T>) -> T {
        found.unwrap_or_else(|error| {
            self.error.get_or_insert(error.to_string());
            T::default()
        })
    }
}
