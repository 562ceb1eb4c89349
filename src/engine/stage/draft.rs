//! One step's effects as they come together, with the model folded along.

use super::effect::{Action, Effect};
use super::model::{Content, Model};
use super::places::Places;
use super::plan::Planner;
use super::state::{State, Transition};
use crate::engine::project::Artifact;
use crate::engine::repair::{Repair, describe};
use crate::engine::report::plan::{Refusal, Step};
use std::path::{Path, PathBuf};

/// A step's effects as they come together, with the model folded along.
pub(super) struct Draft<'a> {
    pub(super) planner: &'a Planner<'a>,
    pub(super) artifact: &'a Artifact,
    pub(super) model: Model,
    pub(super) effects: Vec<Effect>,
    pub(super) notes: Vec<String>,
    pub(super) step: Step,
}

impl Draft<'_> {
    fn places(&self) -> &Places {
        self.planner.places
    }

    fn effect(&self, action: Action, why: &str) -> Effect {
        Effect::new(self.artifact.id, action, why)
    }

    fn push(&mut self, effect: Effect) {
        // A disagreement shows when the step is folded for good; a draft only looks ahead.
        let _ = self.model.fold(&effect.action);
        self.effects.push(effect);
    }

    fn refuse<T>(&self, reason: impl Into<String>, way_out: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal { artifact: self.artifact.path.clone(), reason: reason.into(), way_out: way_out.into() })
    }

    /// Directories that are missing up to `directory`, outermost first.
    fn directories(&mut self, directory: &Path) {
        let mut missing: Vec<PathBuf> = Vec::new();
        let mut at = Some(directory);
        while let Some(path) = at {
            // The home is made together with the journal, before any effect; of another place, the directory that the user
            // named may be missing as well.
            let places = self.places();
            let named = (places.staging != places.home).then(|| places.staging.parent()).flatten();
            let ours = places.in_staging(path) || named == Some(path);
            if self.model.is_directory(path) || path == places.home || !ours {
                break;
            }
            missing.push(path.to_path_buf());
            at = path.parent();
        }
        for path in missing.into_iter().rev() {
            let effect = self.effect(Action::Mkdir { path }, "the session keeps its files here").shared();
            self.push(effect);
        }
    }

    /// Takes away what an earlier session left at `path`.
    fn clear(&mut self, path: &Path) {
        if self.model.exists(path) {
            let effect = self.discard(path, "an earlier session left it");
            self.push(effect);
        }
    }

    /// Takes `path` away, into the trash.
    fn discard(&mut self, path: &Path, why: &str) -> Effect {
        self.directories(&self.places().trash());
        let mut trash = self.places().trashed(&self.step.title().replace(' ', "-"), path);
        while self.model.exists(&trash) {
            trash.as_mut_os_string().push("+");
        }
        self.effect(Action::Unlink { path: path.to_path_buf(), trash }, why)
    }

    pub(super) fn stage(&mut self, repair: &Repair) -> Result<State, Refusal> {
        let artifact = self.artifact;
        let staged = self.places().staged(artifact);
        if self.model.exists(&artifact.path) && self.model.file(&artifact.path).is_none() {
            let what = if self.model.is_directory(&artifact.path) { "a directory" } else { "a symbolic link" };
            return self.refuse(format!("{what} is there, not a file"), "build it again, or give the path of a file");
        }
        if !self.model.exists(&artifact.path) {
            let way_out = match &artifact.cargo {
                Some(cargo) => format!("build it again: cargo clean -p {} and cargo build", cargo.package),
                None => "give the path of a file".to_owned(),
            };
            return self.refuse("nothing is there to stage", way_out);
        }
        self.directories(&self.places().folder(artifact));
        self.clear(&staged);
        let by_rename = artifact.cargo.is_some() && !self.planner.facts.other_filesystem.contains(&artifact.id);
        let (from, to) = (artifact.path.clone(), staged);
        if by_rename {
            let action = Action::Rename { from, to, displaces: None };
            let effect = self.effect(action, "cargo's output moves to our private place at no cost");
            self.push(effect);
        } else {
            let why = match artifact.cargo {
                Some(_) => "staging lies on another filesystem, where a file can only be copied",
                None => "a file that is not cargo's output is copied, and itself never touched",
            };
            let effect = self.effect(copy(from, to), why).costing(repair.size, repair.size);
            self.push(effect);
        }
        let by = if by_rename { Transition::StageByRename } else { Transition::StageByCopy };
        self.next(State::NotStaged, by)
    }

    pub(super) fn audit(&mut self, repair: &Repair, state: State) -> Result<State, Refusal> {
        match &repair.unreadable {
            Some(reason) => {
                // The refusal names the file already.
                let own = format!("{}: ", self.artifact.path.display());
                let reason = reason.strip_prefix(&own).unwrap_or(reason);
                self.refuse(reason.to_owned(), "look at the file's first bytes, or build it again")
            }
            None => Ok(state),
        }
    }

    pub(super) fn graft(&mut self, repair: &Repair, state: State) -> Result<State, Refusal> {
        if let Some((reason, way_out)) = &repair.graft_refusal {
            return self.refuse(reason.clone(), way_out.clone());
        }
        self.notes.extend(repair.notes.iter().cloned());
        for graft in &repair.grafts {
            let to = self.places().grafted(self.artifact, &graft.name);
            if let Some(file) = self.model.file(&to)
                && matches!(file.content, Content::Library(_))
            {
                // The name says which bytes it is, so that only what will be edited in it can be at odds.
                if file.meant == graft.edit.requests {
                    continue;
                }
                return self.refuse(
                    format!("{} is in the bundle already, and needs other libraries there than here", graft.name),
                    "repair the artifacts one by one, each in a session of its own",
                );
            }
            if self.model.exists(&to) {
                // Whoever needs the new file last gives the old one back.
                let effect = self.discard(&to, "an earlier session left it").shared();
                self.push(effect);
            }
            let directory = to.parent().map(Path::to_path_buf).unwrap_or_default();
            self.directories(&directory);
            let verb = if repair.opened.contains(&graft.needed_as) { "opens" } else { "needs" };
            let why =
                format!("{} {verb} {}, which the tag's machines do not have", self.artifact.name, graft.needed_as);
            let meant = graft.edit.requests.clone();
            let action = Action::ReflinkOrCopy { from: graft.realpath.clone(), to: to.clone(), meant };
            let effect = self.effect(action, &why).costing(graft.size, graft.size).shared();
            self.push(effect);
            self.make_writable(&to, graft.mode, true);
        }
        Ok(state)
    }

    pub(super) fn copy_back(&mut self, repair: &Repair, state: State) -> Result<State, Refusal> {
        if let Some((reason, way_out)) = &repair.edit_refusal {
            return self.refuse(reason.clone(), way_out.clone());
        }
        if !repair.edits_artifact() {
            return Ok(state);
        }
        let (path, staged) = (self.artifact.path.clone(), self.places().staged(self.artifact));
        if state == State::Renamed {
            let private = self.places().private(self.artifact);
            self.clear(&private);
            let copy = copy(staged.clone(), private.clone());
            let copy = self.effect(copy, "an edit needs an inode of its own");
            self.push(copy.costing(repair.size, repair.size));
            self.make_writable(&private, repair.mode, false);
            if self.planner.facts.no_hard_links {
                let back = Action::Rename { from: staged.clone(), to: path.clone(), displaces: None };
                let back = self.effect(back, "cargo gets its own inode back, bytes and time as they were");
                self.push(back);
                let swap = Action::Rename { from: private, to: staged, displaces: Some(path) };
                let swap = self.effect(swap, "the private copy takes the staged name");
                self.push(swap);
            } else {
                // A build that found everything fresh has linked it there by itself.
                if !self.model.same_file(&path, &staged) {
                    let back = Action::Link { from: staged.clone(), to: path.clone() };
                    let back = self.effect(back, "cargo gets its own inode back, bytes and time as they were");
                    self.push(back);
                }
                let swap = Action::Rename { from: private, to: staged, displaces: Some(path) };
                let swap = self.effect(swap, "the private copy takes the staged name; the clean inode keeps cargo's");
                self.push(swap);
            }
        }
        if state == State::Mirrored {
            self.make_writable(&self.places().staged(self.artifact), repair.mode, false);
        }
        self.next(state, Transition::CopyBack)
    }

    /// Lets the owner write to a copy of a read-only file.
    fn make_writable(&mut self, copy: &Path, mode: u32, shared: bool) {
        if mode & 0o200 == 0 {
            let action = Action::SetMode { path: copy.to_path_buf(), mode: (mode & 0o7777) | 0o200 };
            let effect = self.effect(action, "the copy must be writable to be edited");
            self.push(if shared { effect.shared() } else { effect });
        }
    }

    pub(super) fn patch(&mut self, repair: &Repair, state: State) -> Result<State, Refusal> {
        let staged = self.places().staged(self.artifact);
        self.notes.extend(repair.notes.iter().cloned());
        if let Some(plan) = repair.artifact_edit.as_ref().filter(|plan| !plan.is_empty()) {
            let action = Action::edit(staged, self.artifact.path.clone(), plan);
            let effect = self.effect(action, &repair.why_artifact);
            self.push(effect.costing(plan.reads + plan.shifted, plan.writes + plan.shifted).saying(describe(plan)));
        }
        for graft in repair.grafts.iter().filter(|graft| !graft.edit.is_empty()) {
            let path = self.places().grafted(self.artifact, &graft.name);
            if self.model.file(&path).is_some_and(|file| file.edited) {
                continue;
            }
            let action = Action::edit(path, graft.realpath.clone(), &graft.edit);
            let effect = self.effect(action, &graft.why_edit).shared();
            self.push(
                effect
                    .costing(graft.edit.reads + graft.edit.shifted, graft.edit.writes + graft.edit.shifted)
                    .saying(describe(&graft.edit)),
            );
        }
        Ok(state)
    }

    pub(super) fn finalize(&mut self, state: State) -> Result<State, Refusal> {
        let after = self.end_staging(state);
        let bundled = self.places().bundled(self.artifact);
        let directory = bundled.parent().map(Path::to_path_buf).unwrap_or_default();
        if self.model.exists(&bundled) && self.taken_by_another(&bundled) {
            return self.refuse(
                format!("another artifact already has the name {} in the bundle", bundled.display()),
                "give the artifacts different module names in pyproject.toml, or finalize one of them",
            );
        }
        self.clear(&bundled);
        self.directories(&directory);
        if state == State::Patched {
            let from = self.places().staged(self.artifact);
            if self.planner.facts.no_hard_links {
                let size = self.model.file(&from).map_or(0, |file| file.size);
                let copy = self.effect(copy(from, bundled), "the edited file goes into the bundle");
                self.push(copy.costing(size, size));
            } else {
                let link = self.effect(Action::Link { from, to: bundled }, "the edited file goes into the bundle");
                self.push(link);
            }
        } else if self.planner.facts.no_symlinks {
            let from = self.artifact.path.clone();
            let size = self.model.file(&from).map_or(0, |file| file.size);
            let copy = self.effect(copy(from, bundled), "an unedited file goes into the bundle as a copy");
            self.push(copy.costing(size, size));
        } else {
            let target = self.places().way(&directory, &self.artifact.path);
            let link =
                self.effect(Action::Symlink { path: bundled, target }, "an unedited file is the original itself");
            self.push(link);
        }
        Ok(after)
    }

    fn taken_by_another(&self, bundled: &Path) -> bool {
        self.planner.project.artifacts.iter().any(|other| {
            other.id != self.artifact.id
                && self.places().bundled(other) == bundled
                && (self.model.file(bundled).is_some_and(|file| file.content == Content::Copy(other.id))
                    || self.model.symlink(bundled).is_some_and(|target| {
                        target == self.places().way(bundled.parent().unwrap_or(Path::new("/")), &other.path)
                    }))
        })
    }

    /// Puts back a file that was renamed, drops a duplicate, leaves a patched file.
    pub(super) fn end_staging(&mut self, state: State) -> State {
        let (path, staged) = (self.artifact.path.clone(), self.places().staged(self.artifact));
        let effect = match state {
            State::Renamed if self.model.same_file(&path, &staged) => {
                Some(self.discard(&staged, "cargo has put its own name back; ours is not needed"))
            }
            State::Renamed => {
                let action = Action::Rename { from: staged, to: path, displaces: None };
                Some(self.effect(action, "nothing was edited: cargo's output goes back to its place"))
            }
            State::Mirrored => Some(self.discard(&staged, "nothing was edited: the duplicate is dropped")),
            State::NotStaged | State::Patched => None,
        };
        if let Some(effect) = effect {
            self.push(effect);
        }
        state.after(Transition::Finalize).unwrap_or(state)
    }

    fn next(&self, state: State, by: Transition) -> Result<State, Refusal> {
        match state.after(by) {
            Some(after) => Ok(after),
            None => self.refuse(format!("{} does not follow this state", self.step.title()), "take the steps in order"),
        }
    }
}

/// A copy of which nobody says what will be edited in it.
fn copy(from: PathBuf, to: PathBuf) -> Action {
    Action::ReflinkOrCopy { from, to, meant: Vec::new() }
}
