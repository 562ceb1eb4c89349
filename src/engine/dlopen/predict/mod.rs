//! What would come of each name that may be opened: as the artifact lies now, and in the bundle as it will be, on a machine
//! that has nothing of the build. Nothing is written or run.
//!
//! The evidence is given; which remedies help is asked by others, who predict again with another [`Repair`].

mod layout;
mod names;
mod origin;
mod verdict;

use crate::engine::audit::Granted;
use crate::engine::binary::Binary;
use crate::engine::deps::{Loader, LoaderInputs, Namespace, Open, Opened, Placed};
use crate::engine::project::Artifact;
use crate::engine::repair::{Mode, Repair};
use crate::engine::report::dlopen::{DlopenReport, FoundIn, OpenedName, Opening, OpeningOutcome};
use crate::engine::{Context, Result};
use layout::Layout;
use names::{Asked, Passed};
use origin::Origins;
use std::path::{Path, PathBuf};
use verdict::Case;

/// An artifact of a bundle.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The artifact.
    pub artifact: &'a Artifact,
    /// Where its clean bytes can be read now.
    pub clean: &'a Path,
    /// What was read of them.
    pub binary: &'a Binary,
    /// What is planned for it.
    pub repair: &'a Repair,
}

/// For whom a prediction is made.
#[derive(Debug, Clone, Copy)]
pub struct PredictSubject<'a> {
    /// The artifact that opens.
    pub member: Member<'a>,
    /// The other artifacts of its bundle.
    pub others: &'a [Member<'a>],
    /// For a wheel, or for an editable install, which leaves libraries where the build found them.
    pub mode: Mode,
    /// The platform tag without architecture (`manylinux_2_28`), by whose list libraries are taken for granted; `None` where
    /// there is none.
    pub tag: Option<&'a str>,
    /// What a loader would take from its process here, with the artifact's linked paths and the user's directories.
    pub inputs: &'a LoaderInputs,
    /// Directories of the build besides those that the artifacts and `inputs` name: a sandbox.
    pub hidden: &'a [PathBuf],
    /// Keeps what it reads for the next prediction.
    pub loader: &'a Loader,
}

/// Fills in what would come of the candidates of `report`. A report without candidates stays as it is.
///
/// # Errors
/// When the artifact itself, its host or a library that is grafted can't be read; [`crate::engine::Error::Cancelled`].
pub fn predict(report: &mut DlopenReport, subject: &PredictSubject<'_>, context: &Context) -> Result<()> {
    let Some(candidates) = &mut report.candidates else { return Ok(()) };
    if candidates.is_empty() {
        return Ok(());
    }
    let layout = Layout::of(subject)?;
    let granted = origin::granted(subject);
    let new_namespace = report.imports.iter().filter(|import| import.opens).all(|import| import.name == "dlmopen");
    let namespace = if new_namespace && !report.imports.is_empty() { Namespace::New } else { Namespace::Base };
    let asked: Vec<Asked> = candidates.iter().map(|name| Asked::of(name, subject, &layout)).collect();
    // The directories that the linker was told of are known to no loader.
    let inputs = LoaderInputs { linked_paths: Vec::new(), extra_paths: Vec::new(), ..subject.inputs.clone() };
    let here = World { subject, inputs: &inputs, layout: None, granted: &granted };
    let bundled = World { subject, inputs: &layout.inputs, layout: Some(&layout), granted: &granted };
    let opened_now = here.open(&asked, namespace, context)?;
    let opened_then = bundled.open(&asked, namespace, context)?;
    for (((name, asked), now_it), then_it) in candidates.iter_mut().zip(&asked).zip(opened_now).zip(opened_then) {
        let realpath = now_it.as_ref().and_then(|answer| answer.opened.node.as_ref()?.realpath.clone());
        name.grafted = layout.grafted(&name.name, realpath.as_deref());
        let now = now_it.map_or_else(|| unknown(asked), |answer| here.shown(name, answer));
        let then = then_it.map_or_else(|| unknown(asked), |answer| bundled.shown(name, answer));
        let case = Case { name, asked, now: &now, then: &then, subject, layout: &layout, granted: &granted };
        (name.verdict, name.why) = case.verdict();
        (name.would_resolve, name.in_bundle) = (Some(now), Some(then));
    }
    Ok(())
}

fn unknown(asked: &Asked) -> Opening {
    Opening {
        outcome: OpeningOutcome::Unknown,
        path: None,
        from: None,
        found_by: None,
        candidates: Vec::new(),
        missing: Vec::new(),
        note: asked.unknown.clone(),
    }
}

/// What came of one name, and who had to be loaded for it.
struct Answer {
    opened: Opened,
    /// The artifact of the bundle by whose libraries the name is answered, if it is.
    because_of: Option<String>,
}

/// A place to open names in: this machine, or the bundle on another.
struct World<'a> {
    subject: &'a PredictSubject<'a>,
    inputs: &'a LoaderInputs,
    layout: Option<&'a Layout>,
    granted: &'a Granted,
}

impl World<'_> {
    /// What comes of each name; `None` for one of which nothing can be said.
    fn open(&self, asked: &[Asked], namespace: Namespace, context: &Context) -> Result<Vec<Option<Answer>>> {
        let passed: Vec<Option<Passed<'_>>> = asked.iter().map(|asked| asked.passed(self.layout.is_some())).collect();
        let opens: Vec<Open<'_>> = passed
            .iter()
            .flatten()
            .map(|passed| Open { name: passed.name, caller: passed.caller, namespace })
            .collect();
        let own = self.open_after(&[], &opens, context)?;
        let mut answers: Vec<Answer> = own.into_iter().map(|opened| Answer { opened, because_of: None }).collect();
        if namespace == Namespace::Base {
            self.ask_others(&opens, &mut answers, context)?;
        }
        let mut answers = answers.into_iter();
        Ok(passed.iter().map(|passed| passed.as_ref().and_then(|_| answers.next())).collect())
    }

    fn open_after(&self, others: &[Placed<'_>], opens: &[Open<'_>], context: &Context) -> Result<Vec<Opened>> {
        let member = &self.subject.member;
        let placed = self.place(member);
        let placed = Placed { read_from: member.clean, loaded_as: &placed };
        self.subject.loader.open((&placed, 0), others, opens, self.inputs, context)
    }

    /// Where `member` lies.
    fn place(&self, member: &Member<'_>) -> PathBuf {
        self.layout.map_or_else(|| member.artifact.loaded_as.clone(), |layout| layout.place(member.artifact))
    }

    /// What fails alone may work where another artifact of the bundle was loaded before.
    fn ask_others(&self, opens: &[Open<'_>], answers: &mut [Answer], context: &Context) -> Result<()> {
        for other in self.subject.others {
            let open: Vec<usize> = (0..opens.len())
                .filter(|number| answers.get(*number).is_some_and(|answer| fails(&answer.opened)))
                .collect();
            if open.is_empty() {
                return Ok(());
            }
            let again: Vec<Open<'_>> = open.iter().filter_map(|number| opens.get(*number).copied()).collect();
            let place = self.place(other);
            let placed = [Placed { read_from: other.clean, loaded_as: &place }];
            // One that can't be loaded beside the artifact (of another machine) answers for nothing.
            let Ok(with) = self.open_after(&placed, &again, context) else {
                context.advance(0)?;
                continue;
            };
            for (number, opened) in open.into_iter().zip(with) {
                if let Some(answer) = answers.get_mut(number).filter(|_| !fails(&opened)) {
                    let outcome = OpeningOutcome::OnlyIfLoadedBefore;
                    let before = std::mem::take(&mut answer.opened.candidates);
                    let candidates = if opened.candidates.is_empty() { before } else { opened.candidates };
                    answer.opened = Opened { outcome, candidates, ..opened };
                    answer.because_of = Some(other.artifact.names.file_name.clone());
                }
            }
        }
        Ok(())
    }

    /// The document's form of `answer`.
    fn shown(&self, name: &OpenedName, answer: Answer) -> Opening {
        let Answer { mut opened, because_of } = answer;
        let origins = Origins { subject: self.subject, layout: self.layout, granted: self.granted };
        if self.layout.is_some() && self.subject.mode == Mode::Repair {
            without_build(&mut opened, &origins, &name.name);
        }
        let node = opened.node.as_ref();
        let path = node.and_then(|node| node.path.as_deref());
        let show = |path: &Path| self.layout.map_or_else(|| path.to_path_buf(), |layout| layout.shown(path));
        let from = node.map(|node| origins.of(node, opened.found_by.as_ref(), &name.name));
        let by = match (&because_of, node) {
            (Some(other), _) => Some(format!("works only where {other} was loaded before, which brings the library")),
            (None, Some(_)) => opened.note,
            (None, None) => opened.note.or_else(|| self.told_linker(&name.name)),
        };
        let candidates = opened.candidates.into_iter().map(|mut candidate| {
            candidate.path = show(&candidate.path);
            candidate
        });
        Opening {
            outcome: opened.outcome,
            path: path.map(|path| show(path).display().to_string()),
            from,
            found_by: opened.found_by,
            candidates: candidates.collect(),
            missing: opened.missing,
            note: by,
        }
    }

    /// Where `name` lies that is not found, if the linker was told of the directory.
    fn told_linker(&self, name: &str) -> Option<String> {
        let inputs = self.subject.inputs;
        let mut told = inputs.linked_paths.iter().chain(&inputs.extra_paths);
        let directory = told.find(|path| inputs.current_directory.join(path).join(name).is_file())?;
        let is_here = self.layout.is_none() && !name.contains('/');
        is_here.then(|| format!("it lies in {}, of which no loader knows", directory.display()))
    }
}

/// Takes away what only the build machine has, though no directory of the build is known to hold it: what an absolute path or
/// an absolute run path leads to.
fn without_build(opened: &mut Opened, origins: &Origins<'_>, name: &str) {
    let Some(node) = opened.node.as_ref().filter(|_| opened.outcome != OpeningOutcome::Missing) else { return };
    if origins.of(node, opened.found_by.as_ref(), name) == FoundIn::Build {
        let path = node.path.as_deref().unwrap_or(Path::new(name)).display();
        opened.note = Some(format!("{path} lies on this machine only"));
        (opened.outcome, opened.node, opened.found_by) = (OpeningOutcome::Missing, None, None);
        return;
    }
    for (brought, by) in &opened.brings {
        let name = brought.name.to_text();
        if origins.of(brought, by.as_ref(), &name) == FoundIn::Build {
            let path = brought.path.as_deref().unwrap_or(Path::new("")).display();
            opened.missing.push(format!("{name} ({path} lies on this machine only)"));
            opened.outcome = OpeningOutcome::Incomplete;
        }
    }
}

fn fails(opened: &Opened) -> bool {
    matches!(opened.outcome, OpeningOutcome::Missing | OpeningOutcome::Incomplete)
}
