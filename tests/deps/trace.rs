//! What glibc's loader says of its own search (`LD_DEBUG=libs,files`), and whether the lens says the same: the same requests
//! in the same order, the same files tried, and for each hit the same rule, owner and list entry.
//!
//! ld.so keeps one record of a directory for all lists and labels it with the list that named it first; it forgets a
//! directory that is not there. Both are allowed for here, and nothing else.

use crate::lab::{Lab, is_library_root};
use libtest_mimic::Failed;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::binary::RunPathTag;
use wheelwright::engine::deps::{Edge, Graph, Node, NodeKind};
use wheelwright::engine::report::audit::SearchRule;

/// What ld.so says of a file that it tried.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    Rpath(String),
    Runpath(String),
    Variable,
    Cache,
    System,
}

/// One request that ld.so could not answer from what was loaded.
#[derive(Debug, Default)]
struct Asked {
    name: String,
    by: String,
    tried: Vec<(PathBuf, Option<Label>)>,
    loaded: bool,
}

/// Everything ld.so says of one load.
#[derive(Debug)]
pub struct Trace {
    asked: Vec<Asked>,
    /// Its message, where it gave up.
    pub failure: Option<String>,
}

impl Trace {
    /// Runs the loader as `lab` says, over `root`.
    pub fn of(lab: &Lab, root: &Path) -> Result<Self, Failed> {
        let output = lab.traced_command(root).env("LD_DEBUG", "libs,files").output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Self::parse(&said))
    }

    fn parse(said: &str) -> Self {
        let mut asked: Vec<Asked> = Vec::new();
        let (mut label, mut failure) = (None, None);
        for line in said.lines() {
            if let Some((_, message)) = line.split_once("error while loading shared libraries: ") {
                failure = Some(message.to_string());
            }
            let Some((_, text)) = line.split_once(":\t") else { continue };
            let text = text.trim();
            if let Some((name, by)) = text.strip_prefix("file=").and_then(|rest| rest.split_once(" [0];  needed by ")) {
                let by = by.trim_end_matches(" [0]").to_string();
                asked.push(Asked { name: name.to_string(), by, ..Asked::default() });
                label = None;
                continue;
            }
            let Some(last) = asked.last_mut() else { continue };
            if text.starts_with("search path=") {
                label = text.rsplit_once("\t\t(").and_then(|(_, by)| Label::parse(by.strip_suffix(')')?));
            } else if text.starts_with("search cache=") {
                label = Some(Label::Cache);
            } else if let Some(path) = text.strip_prefix("trying file=") {
                last.tried.push((PathBuf::from(path), label.clone()));
            } else if text.starts_with("file=") && text.ends_with("generating link map") {
                last.loaded = true;
            }
        }
        Self { asked, failure }
    }
}

impl Label {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "LD_LIBRARY_PATH" => Some(Self::Variable),
            "system search path" => Some(Self::System),
            _ => match text.split_once(" from file ")? {
                ("RPATH", file) => Some(Self::Rpath(file.to_string())),
                ("RUNPATH", file) => Some(Self::Runpath(file.to_string())),
                _ => None,
            },
        }
    }
}

/// The lens against what the loader says of its search.
pub fn agrees(lab: &Lab, graph: &Graph, root: &Path) -> Result<(), Failed> {
    let trace = Trace::of(lab, root)?;
    let comparison = Comparison { lab, graph, root };
    let searched: Vec<&Edge> = graph.edges.iter().filter(|edge| comparison.is_search(edge)).collect();
    let end = searched.iter().position(|edge| edge.gave_up.is_some());
    let counted = end.map_or(searched.len(), |at| at + 1);
    match (end.and_then(|at| searched[at].gave_up.as_ref()), &trace.failure) {
        (None, None) => {}
        (Some(ours), Some(theirs)) if same_message(ours, theirs) => {}
        (ours, theirs) => return Err(format!("the lens gives up with {ours:?}, the loader with {theirs:?}").into()),
    }
    for (edge, asked) in searched.iter().zip(&trace.asked) {
        comparison.request(edge, asked).map_err(|why| {
            Failed::from(format!(
                "{} asked for by {}: {why}\nthe lens: {edge:#?}\nthe loader: {asked:#?}",
                asked.name, asked.by
            ))
        })?;
    }
    if counted != trace.asked.len() {
        let ours: Vec<String> = searched.iter().take(counted).map(|edge| edge.needed.to_text().into_owned()).collect();
        return Err(format!("the lens searches for {ours:?}, the loader for {:?}", trace.asked).into());
    }
    Ok(())
}

/// ld.so names the file by its path or, late in a load, by the name that was asked for; which file it was, the tried ones say.
/// What our reader can't make sense of has our words: the loader's depend on how far it came.
fn same_message(ours: &str, theirs: &str) -> bool {
    match (ours.split_once(": "), theirs.split_once(": ")) {
        (Some((file, words)), Some((their_file, their_words))) => {
            let last = |file: &str| file.rsplit('/').next().map(str::to_string);
            let damaged = words == "damaged beyond its header";
            last(file) == last(their_file) && (damaged || their_words.starts_with(words))
        }
        _ => false,
    }
}

struct Comparison<'a> {
    lab: &'a Lab,
    graph: &'a Graph,
    root: &'a Path,
}

impl Comparison<'_> {
    /// Whether anything was looked for on behalf of `edge`.
    fn is_search(&self, edge: &Edge) -> bool {
        let loaded = edge.found_by.as_ref().is_some_and(|by| by.rule == SearchRule::AlreadyLoaded);
        !loaded && self.graph.nodes[edge.to].kind != NodeKind::Interpreter
    }

    fn request(&self, edge: &Edge, asked: &Asked) -> Result<(), String> {
        let literal = edge.needed.to_text();
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_string();
        let named = if literal.contains('$') { last(&literal) == last(&asked.name) } else { literal == asked.name };
        expect(named, || format!("the lens asks for {literal}"))?;
        let requester = &self.graph.nodes[edge.from];
        expect(self.is(requester, &asked.by), || format!("the lens asks for {:?}", requester.path))?;
        let target = &self.graph.nodes[edge.to];
        let preloaded = edge.found_by.as_ref().is_some_and(|by| by.rule == SearchRule::LdPreload);
        if !asked.name.contains('/') {
            self.order(edge, asked, target)?;
        }
        match &edge.found_by {
            // A program is mapped before it is refused.
            None => expect(!asked.loaded || edge.gave_up.is_some(), || "the loader finds it".to_string()),
            Some(_) if asked.name.contains('/') || preloaded => Ok(()),
            Some(_) => self.hit(edge, asked),
        }
    }

    /// Files below directories that are there must be tried by both, one after the other; of the others ld.so leaves out
    /// what it knows to be missing, and the lens the subdirectories for processors that are missing.
    fn order(&self, edge: &Edge, asked: &Asked, target: &Node) -> Result<(), String> {
        let mut ours: Vec<PathBuf> = edge.candidates.iter().map(|tried| self.plain(&tried.path)).collect();
        if edge.found_by.is_some() {
            ours.extend(self.found_path(edge, asked, target));
        }
        // ld.so names the cache's file before it leaves it for `nodefaultlib`.
        let left = |path: &Path, label: &Option<Label>| {
            let below = self.lab.default_directories().iter().any(|directory| path.starts_with(directory));
            *label == Some(Label::Cache)
                && !asked.loaded
                && below
                && has_no_default_libraries(&self.graph.nodes[edge.from])
        };
        let tried = asked.tried.iter().filter(|(path, label)| !left(path, label));
        let theirs: Vec<PathBuf> = tried.map(|(path, _)| self.plain(path)).collect();
        let there = |path: &&PathBuf| path.parent().is_some_and(Path::is_dir);
        let both: (Vec<_>, Vec<_>) = (ours.iter().filter(there).collect(), theirs.iter().filter(there).collect());
        expect(both.0 == both.1, || {
            format!("tried where there is a directory: {:?}, the loader {:?}", both.0, both.1)
        })?;
        let mut rest = ours.iter();
        let known: Vec<&PathBuf> = theirs.iter().filter(|path| there(path) || ours.contains(path)).collect();
        expect(known.iter().all(|path| rest.any(|own| own == *path)), || format!("order: {ours:?}, {theirs:?}"))?;
        let unknown = theirs.iter().find(|path| !ours.contains(path) && !in_subdirectory(path));
        expect(unknown.is_none(), || format!("the loader tries {unknown:?} too"))
    }

    /// The path by which a hit was tried: another than the node's, when the file was loaded under another name.
    fn found_path(&self, edge: &Edge, asked: &Asked, target: &Node) -> Option<PathBuf> {
        let last = self.plain(&asked.tried.last()?.0);
        let file = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let same_file = file(&last).is_some() && file(&last) == target.path.as_deref().and_then(file);
        let again = same_file && target.name != edge.needed;
        if again { Some(last) } else { target.path.as_deref().map(|path| self.plain(path)) }
    }

    fn hit(&self, edge: &Edge, asked: &Asked) -> Result<(), String> {
        let by = edge.found_by.as_ref().ok_or("no hit")?;
        let (path, label) = asked.tried.last().ok_or("the loader tries nothing")?;
        let path = self.plain(path);
        let label = label.as_ref().ok_or("no label")?;
        let directory =
            path.parent().map(|parent| without_subdirectory(parent, by.hwcaps.as_deref())).unwrap_or_default();
        if !self.labelled(label, by.rule, by.owner.as_deref()) {
            // The record of the directory is another list's, which must name the directory too.
            let named = self.list_names(label, &directory);
            expect(named, || format!("{:?} of {:?}, the loader says {label:?}", by.rule, by.owner))?;
        }
        self.entry(by.rule, by.entry.as_deref(), by.owner.as_deref(), &directory)
    }

    /// Whether the list that a label stands for names `directory`.
    fn list_names(&self, label: &Label, directory: &Path) -> bool {
        let in_object = |file: &str, tag: RunPathTag| {
            self.graph.nodes.iter().filter(|node| self.is(node, file)).any(|node| {
                let paths = node.loaded().map(|slice| slice.run_paths.as_slice()).unwrap_or_default();
                let texts = paths.iter().filter(|path| path.tag == tag).map(|path| path.text.to_text());
                texts.into_iter().any(|text| text.split(':').any(|element| self.means(element, node, directory)))
            })
        };
        match label {
            Label::Rpath(file) => in_object(file, RunPathTag::Rpath),
            Label::Runpath(file) => in_object(file, RunPathTag::Runpath),
            Label::System => self.lab.default_directories().iter().any(|default| default == directory),
            Label::Variable => {
                let text = self.lab.library_path.as_ref().map(|text| text.to_string_lossy().into_owned());
                let text = text.unwrap_or_default();
                text.split([':', ';']).any(|element| self.means(element, &self.graph.nodes[0], directory))
            }
            Label::Cache => false,
        }
    }

    fn labelled(&self, label: &Label, rule: SearchRule, owner: Option<&str>) -> bool {
        let owns = |file: &str| {
            self.graph.nodes.iter().any(|node| self.is(node, file) && owner == Some(&*node.name.to_text()))
        };
        match label {
            Label::Rpath(file) => matches!(rule, SearchRule::Rpath | SearchRule::MainRpath) && owns(file),
            Label::Runpath(file) => rule == SearchRule::Runpath && owns(file),
            Label::Variable => rule == SearchRule::LdLibraryPath,
            Label::Cache => rule == SearchRule::LdSoCache,
            Label::System => rule == SearchRule::Default,
        }
    }

    /// The entry stands in its list and means the directory of the hit, and none before it does.
    fn entry(
        &self,
        rule: SearchRule,
        entry: Option<&str>,
        owner: Option<&str>,
        directory: &Path,
    ) -> Result<(), String> {
        let (list, owner, separators): (String, &Node, &[char]) = match rule {
            SearchRule::LdLibraryPath => {
                let text = self.lab.library_path.as_ref().ok_or("no variable")?;
                (text.to_string_lossy().into_owned(), &self.graph.nodes[0], &[':', ';'])
            }
            SearchRule::Rpath | SearchRule::Runpath => {
                let tag = if rule == SearchRule::Rpath { RunPathTag::Rpath } else { RunPathTag::Runpath };
                let node =
                    self.graph.nodes.iter().find(|node| owner == Some(&*node.name.to_text())).ok_or("no owner")?;
                let paths = &node.loaded().ok_or("no slice")?.run_paths;
                let path = paths.iter().rev().find(|path| path.tag == tag).ok_or("no list")?;
                (path.text.to_text().into_owned(), node, &[':'])
            }
            _ => return expect(entry.is_none(), || format!("an entry where there is no list: {entry:?}")),
        };
        let meant = list.split(separators).find(|element| self.means(element, owner, directory));
        expect(meant.is_some() && meant == entry, || format!("entry {entry:?} of {list:?}, the loader's is {meant:?}"))
    }

    fn means(&self, element: &str, owner: &Node, directory: &Path) -> bool {
        let origin = owner.directory.display().to_string();
        let filled = element.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", &origin);
        let filled = filled.replace("${LIB}", "$LIB").replace("$LIB", "lib/x86_64-linux-gnu");
        let filled = filled.replace("${PLATFORM}", "$PLATFORM");
        let meant = |text: &str| self.plain(Path::new(text)) == directory;
        meant(&filled) || ["haswell", "xeon_phi", "x86_64"].iter().any(|name| meant(&filled.replace("$PLATFORM", name)))
    }

    fn is(&self, node: &Node, file: &str) -> bool {
        let file = self.plain(Path::new(file));
        let path = node.path.as_deref().map(|path| self.plain(path));
        path.as_ref() == Some(&file) || (node.kind == NodeKind::Root && file == self.root)
    }

    /// Absolute, without what changes nothing: `//` and `/./`.
    fn plain(&self, path: &Path) -> PathBuf {
        self.lab.working_directory.join(path).components().collect()
    }
}

fn has_no_default_libraries(node: &Node) -> bool {
    const FLAGS_1: u64 = 0x6fff_fffb;
    const NO_DEFAULT_LIBRARIES: u64 = 0x800;
    let tables = node.loaded().and_then(|slice| slice.elf.as_ref()).map(|details| &details.tables);
    tables.and_then(|tables| tables.dynamic_value(FLAGS_1)).unwrap_or(0) & NO_DEFAULT_LIBRARIES != 0
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// `directory` without the subdirectory that was chosen for the processor.
fn without_subdirectory(directory: &Path, hwcaps: Option<&str>) -> PathBuf {
    let Some(hwcaps) = hwcaps else { return directory.to_path_buf() };
    let bytes = |text: &str| directory.as_os_str().as_bytes().ends_with(text.as_bytes());
    let levels = Path::new("glibc-hwcaps").join(hwcaps);
    let count = if bytes(&levels.display().to_string()) { 2 } else { Path::new(hwcaps).components().count() };
    directory.ancestors().nth(count).unwrap_or(directory).to_path_buf()
}

/// Whether a file lies in a subdirectory that ld.so adds to every directory for the processor.
fn in_subdirectory(path: &Path) -> bool {
    let own = ["glibc-hwcaps", "tls", "x86_64", "haswell", "avx512_1", "xeon_phi", "i686", "sse2"];
    path.parent().is_some_and(|parent| parent.iter().any(|part| own.iter().any(|name| part == *name)))
}

/// The command that makes the loader list `root`: the program itself, or the loader for what is none.
pub fn command(root: &Path) -> Command {
    if is_library_root(root) {
        // Unlike `--list`, which then gives up, this also lists what is not found.
        let mut command = Command::new(crate::lab::loader_of(root));
        command.arg(root).env("LD_TRACE_LOADED_OBJECTS", "1");
        command
    } else {
        let mut command = Command::new(root);
        command.env("LD_TRACE_LOADED_OBJECTS", "1");
        command
    }
}
