//! What repairing one artifact takes: which libraries are grafted under which names, and which edits follow.
//!
//! The names and values are maturin's (`auditwheel/linux.rs` of 1.16) wherever its result loads on a clean machine; where it
//! does not, ours loads, and the reason stands in the plan.

use super::adoption::{KeptNames, clash, with_opened};
use super::search_path::{editable_requests, search_path_request};
use super::{Adoption, EditPlan, EditRefusal, EditRequest, Editor, ExecStack};
use crate::engine::Result;
use crate::engine::audit::{External, grafted_name};
use crate::engine::binary::{self, Binary, Format, Name, RunPathTag, Slice};
use crate::engine::file::{Identity, ReadAt, Windows, sha256};
use crate::engine::project::Artifact;
use crate::engine::report::fit_words;
use crate::engine::{Context, Error};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// For whom the artifact is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// For a wheel: libraries are grafted and found beside the artifact.
    #[default]
    Repair,
    /// For an editable install: libraries stay where the build found them.
    Editable,
}

impl Mode {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Editable => "editable",
        }
    }
}

/// How a repair is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepairOptions {
    /// For whom.
    pub mode: Mode,
    /// Whether absolute entries of the build machine are taken out of the search path.
    pub drop_build_rpaths: bool,
    /// What is done for libraries that are opened at run time, for all artifacts of the bundle: names have to agree. Heeded
    /// for a wheel only.
    pub adopted: Vec<Adoption>,
}

/// A library that is copied into the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graft {
    /// The file that is copied.
    pub realpath: PathBuf,
    /// The name that it is needed by.
    pub needed_as: String,
    /// The name that it gets: hash-suffixed, unless an adoption keeps another.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// What is edited in it.
    pub edit: EditPlan,
    /// Why.
    pub why_edit: String,
}

/// What repairing one artifact takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    /// The artifact's size in bytes.
    pub size: u64,
    /// The artifact's permission bits.
    pub mode: u32,
    /// Why the artifact can't be read, if it can't.
    pub unreadable: Option<String>,
    /// The libraries that are grafted, in a stable order.
    pub grafts: Vec<Graft>,
    /// Why grafting can't be done, and the way out.
    pub graft_refusal: Option<(String, String)>,
    /// What is edited in the artifact; `None` where no editor for its format exists.
    pub artifact_edit: Option<EditPlan>,
    /// Why the artifact is edited.
    pub why_artifact: String,
    /// Why an edit can't be made, and the way out.
    pub edit_refusal: Option<(String, String)>,
    /// The editor's own words of that refusal, for the finding.
    pub refused_edit: Option<EditRefusal>,
    /// The needed names of grafts that only an adoption brings, because the artifact opens them; sorted.
    pub opened: Vec<String>,
    /// What there is to say about grafting and patching.
    pub notes: Vec<String>,
}

impl Repair {
    /// Whether the patch step edits the artifact: the prediction. A refused edit counts.
    #[must_use]
    pub fn edits_artifact(&self) -> bool {
        self.refused_edit.is_some() || self.artifact_edit.as_ref().is_some_and(|plan| !plan.is_empty())
    }

    /// The prediction as documents show it: `None` where no editor for the format exists or grafting was not looked at.
    #[must_use]
    pub fn will_patch(&self) -> Option<bool> {
        if self.refused_edit.is_some() {
            return Some(true);
        }
        self.artifact_edit.as_ref().map(|plan| !plan.is_empty())
    }
}

/// An edit in words, one clause a request.
#[must_use]
pub fn describe(plan: &EditPlan) -> String {
    let clauses: Vec<String> = plan.requests.iter().map(describe_request).collect();
    let way = plan.fit.as_ref().map_or_else(|| plan.layout.clone(), fit_words::chosen);
    format!("{} ({way})", clauses.join("; "))
}

/// One request in words.
#[must_use]
pub fn describe_request(request: &EditRequest) -> String {
    match request {
        EditRequest::SetSoname(name) => format!("SONAME = {name}"),
        EditRequest::SetRpath(text) => format!("DT_RPATH = {text}"),
        EditRequest::SetRunpath(text) => format!("DT_RUNPATH = {text}"),
        EditRequest::AppendRunPath(text) => format!("search path + {text}"),
        EditRequest::RemoveRunPaths => "no RPATH".to_owned(),
        EditRequest::ReplaceNeeded { from, to } => format!("NEEDED {from} → {to}"),
        EditRequest::AddNeeded(name) => format!("NEEDED + {name}"),
        EditRequest::RemoveNeeded(name) => format!("NEEDED - {name}"),
        EditRequest::SetInterpreter(name) => format!("interpreter = {name}"),
        EditRequest::SetExecStack(ExecStack::Asked) => "executable stack".to_owned(),
        EditRequest::SetExecStack(ExecStack::NotAsked) => "no executable stack".to_owned(),
        EditRequest::NoDefaultLib => "no default directories".to_owned(),
        EditRequest::AddDebugEntry => "DT_DEBUG".to_owned(),
        EditRequest::SetOsAbi(abi) => format!("OS ABI = {abi}"),
        EditRequest::ClearSymbolVersion(name) => format!("no version of symbol {name}"),
    }
}

/// An artifact as it is prepared: what was found out about it, and where its clean bytes are.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The artifact.
    pub artifact: &'a Artifact,
    /// Where its clean bytes can be read now.
    pub clean: &'a Path,
    /// What was read of it.
    pub binary: &'a Binary,
    /// Its external libraries; `None` when that lens was not used.
    pub externals: Option<&'a [External]>,
}

/// Works out what repairing `subject` takes. Reads headers, and hashes external libraries for their names.
///
/// # Errors
/// [`Error`] when a file can't be read; what can't be *done* is a refusal in the [`Repair`].
pub fn prepare(
    subject: &Subject<'_>,
    options: &RepairOptions,
    editor: &dyn Editor,
    context: &Context,
) -> Result<Repair> {
    let mode = Identity::of(subject.clean)?.map_or(0, |identity| identity.mode);
    let mut repair = Repair { size: subject.binary.size, mode, ..Repair::default() };
    if subject.binary.format != Format::Elf {
        let format = match subject.binary.format {
            Format::MachO => "Mach-O",
            Format::Pe => "PE",
            Format::Elf => "ELF",
        };
        repair.notes.push(format!("editing {format} files is not offered yet: nothing is grafted or edited"));
        return Ok(repair);
    }
    let Some(slice) = subject.binary.slices.first() else { return Ok(repair) };
    let requests = match options.mode {
        Mode::Repair => {
            let Some(externals) = subject.externals else { return Ok(repair) };
            let of_artifact = |adoption: &&Adoption| adoption.artifact == subject.artifact.id;
            let own: Vec<&Adoption> = options.adopted.iter().filter(of_artifact).collect();
            let all = with_opened(externals, &own);
            if let Some(clash) = clash(&options.adopted) {
                repair.graft_refusal = Some(clash);
                Vec::new()
            } else if graft(&all, KeptNames(&options.adopted), editor, &mut repair, context)? {
                repair.opened = opened(&own, &repair.grafts, externals);
                repair.why_artifact = why_artifact(&own, externals);
                let reaches = !externals.is_empty() || own.iter().any(|adoption| adoption.needs_search_path());
                let mut requests = needs_requests(slice, &all, &own, &repair.grafts);
                requests.extend(reaches.then(|| search_path_request(subject.artifact, slice, options)));
                requests
            } else {
                Vec::new()
            }
        }
        Mode::Editable => {
            "its libraries stay where the build found them".clone_into(&mut repair.why_artifact);
            editable_requests(subject.artifact, slice)
        }
    };
    let source = Windows::open(subject.clean)?;
    match plan_or_nothing(editor, &source, &requests)? {
        Ok(plan) => repair.artifact_edit = Some(plan),
        Err(refusal) => {
            repair.edit_refusal = Some((refusal.reason.clone(), refusal.way_out.clone()));
            repair.refused_edit = Some(refusal);
        }
    }
    Ok(repair)
}

/// An editor is asked only when there is something to ask for: a file that needs no edit may be one it can't edit.
fn plan_or_nothing(
    editor: &dyn Editor,
    source: &Windows,
    requests: &[EditRequest],
) -> Result<Result<EditPlan, EditRefusal>> {
    if requests.is_empty() {
        return Ok(Ok(EditPlan::nothing(source.size())));
    }
    editor.plan(source, requests)
}

/// Fills `repair.grafts`; `false` when it can't be done.
fn graft(
    externals: &[External],
    kept: KeptNames<'_>,
    editor: &dyn Editor,
    repair: &mut Repair,
    context: &Context,
) -> Result<bool> {
    let missing: Vec<&str> = externals
        .iter()
        .filter(|external| external.realpath.is_none())
        .map(|external| external.name.as_str())
        .collect();
    if !missing.is_empty() {
        repair.graft_refusal = Some((
            format!("{} is found nowhere, so it can't be bundled", missing.join(", ")),
            "name its directory with --ld-path, or exclude it with --exclude".to_owned(),
        ));
        return Ok(false);
    }
    let mut named = BTreeMap::new();
    for external in externals {
        let Some(realpath) = &external.realpath else { continue };
        let name = match kept.file(realpath) {
            Some(name) => name,
            None => grafted_name(&external.name, &sha256(realpath, context)?),
        };
        for needed in std::iter::once(&external.name).chain(&external.aliases) {
            named.insert(needed.clone(), name.clone());
        }
    }
    for external in externals {
        let (Some(realpath), Some(name)) = (&external.realpath, named.get(&external.name)) else { continue };
        let identity = Identity::of(realpath)?
            .ok_or_else(|| Error::Changed { path: realpath.clone(), what: "it is gone".to_owned() })?;
        let source = Windows::open(realpath)?;
        let library = binary::read(&source)?;
        let (requests, why_edit) = library_requests(external, realpath, &library, kept, &named);
        match plan_or_nothing(editor, &source, &requests)? {
            Ok(edit) => repair.grafts.push(Graft {
                realpath: realpath.clone(),
                needed_as: external.name.clone(),
                name: name.clone(),
                size: identity.size,
                mode: identity.mode,
                edit,
                why_edit,
            }),
            Err(refusal) => {
                let reason = format!("{}: {}", realpath.display(), refusal.reason);
                repair.edit_refusal = Some((reason, refusal.way_out.clone()));
                repair.refused_edit = Some(refusal);
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The grafts that `own` adoptions bring and nothing needs.
fn opened(own: &[&Adoption], grafts: &[Graft], externals: &[External]) -> Vec<String> {
    let is_own = |graft: &&Graft| {
        let realpath = Some(&graft.realpath);
        own.iter().any(|adoption| adoption.brings.iter().any(|library| library.realpath.as_ref() == realpath))
            && !externals.iter().any(|external| external.realpath.as_ref() == realpath)
    };
    grafts.iter().filter(is_own).map(|graft| graft.needed_as.clone()).collect()
}

fn why_artifact(own: &[&Adoption], externals: &[External]) -> String {
    let mut names: Vec<&str> = own.iter().map(|adoption| adoption.name.as_str()).collect();
    names.dedup();
    let opens = format!("it opens {} from the bundle", names.join(", "));
    let has = format!("its {} external libraries lie in the bundle", externals.len());
    match (externals.is_empty(), own.is_empty()) {
        (_, true) => has,
        (true, false) => opens,
        (false, false) => format!("{has}, and {opens}"),
    }
}

fn replacements(slice: &Slice, named: &BTreeMap<String, String>) -> Vec<EditRequest> {
    slice
        .needed
        .iter()
        .filter_map(|needed| {
            let to = named.get(needed.name.to_text().as_ref())?;
            Some(EditRequest::ReplaceNeeded { from: needed.name.clone(), to: Name::from(to.as_str()) })
        })
        .collect()
}

/// The edits of a grafted library, and why.
fn library_requests(
    external: &External,
    realpath: &Path,
    library: &Binary,
    kept: KeptNames<'_>,
    named: &BTreeMap<String, String>,
) -> (Vec<EditRequest>, String) {
    let file = named.get(&external.name).cloned().unwrap_or_default();
    let (soname, mut why) = match kept.soname(realpath) {
        Some(soname) => (soname, "its SONAME is the name by which it is opened".to_owned()),
        None => (file, "its name says which bytes it is".to_owned()),
    };
    let mut requests = vec![EditRequest::SetSoname(Name::from(soname.as_str()))];
    if let Some(slice) = library.slices.first() {
        let replaced = replacements(slice, named);
        let runpath = slice.run_paths.iter().any(|path| path.tag == RunPathTag::Runpath);
        if !external.rpath.is_empty() {
            requests.push(EditRequest::SetRpath(Name::from("$ORIGIN")));
            why.push_str(", and its search path led out of the bundle");
        } else if runpath && !replaced.is_empty() {
            // maturin sees no search path here, since its directories don't exist, and leaves the RUNPATH; ld.so then
            // ignores the RPATHs of those that need it, and its sibling in the bundle is not found.
            requests.push(EditRequest::SetRpath(Name::from("$ORIGIN")));
            why.push_str(
                ", and its RUNPATH, though its directories don't exist, would keep ld.so from its sibling (maturin leaves it)",
            );
        } else if kept.is_opened(realpath) && !replaced.is_empty() {
            requests.push(EditRequest::SetRpath(Name::from("$ORIGIN")));
            why.push_str(", and whoever opens it may have no search path for its siblings to inherit");
        }
        requests.extend(replaced);
    }
    (requests, why)
}

/// What the artifact comes to need under the grafts' names.
fn needs_requests(slice: &Slice, externals: &[External], own: &[&Adoption], grafts: &[Graft]) -> Vec<EditRequest> {
    let mut named = BTreeMap::new();
    for external in externals {
        let graft = grafts.iter().find(|graft| Some(&graft.realpath) == external.realpath.as_ref());
        if let Some(graft) = graft {
            for needed in std::iter::once(&external.name).chain(&external.aliases) {
                named.insert(needed.clone(), graft.name.clone());
            }
        }
    }
    let mut requests = replacements(slice, &named);
    let needed = own.iter().filter(|adoption| adoption.is_needed());
    let needed = needed.filter_map(|adoption| grafts.iter().find(|graft| graft.realpath == adoption.library));
    requests.extend(needed.map(|graft| EditRequest::AddNeeded(Name::from(graft.name.as_str()))));
    requests
}
