//! Which package owns a file: by dpkg's, apk's, conda's and pip's own databases, read directly and without a child process.
//!
//! A file is asked for by the path that a loader found it under. That path may be a symbolic link of one package to the
//! file of another. dpkg and apk say who owns the file, and only without such an owner who owns the link; conda the other
//! way round, because there packages of mere links (libcblas) are what others depend on. rpm's databases are not read.
//!
//! A database that can't be read owns nothing and is a sentence of [`Owners::notes`], never an error.

mod apk;
mod conda;
mod diversions;
mod dpkg;
mod pip;
mod place;
mod read;
mod wanted;

use super::report::audit::Owner;
use super::{Context, Result};
use place::{Place, Root};
use read::Notes;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where rpm keeps its database, by the age of the distribution.
const RPM: [&str; 2] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];
const RPM_FILES: [&str; 4] = ["rpmdb.sqlite", "Packages.db", "Packages", "Index.db"];

/// The owners of files. Answers are kept: what is installed later is seen by new `Owners`.
#[derive(Debug)]
pub struct Owners {
    root: Root,
    answers: Mutex<HashMap<PathBuf, Option<Owner>>>,
    notes: Notes,
}

/// A file that is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// Where its name stands.
    name: Place,
    /// Where the file lies, if that is elsewhere.
    real: Option<Place>,
}

/// What a database is looked up with.
struct Lookup<'a> {
    root: &'a Root,
    asked: &'a [&'a Asked],
    notes: &'a Notes,
    context: &'a Context,
}

/// An answer for the name and one for the file behind it, in this order, for each file that is asked for.
type Answers = Vec<[Option<Owner>; 2]>;

impl Owners {
    /// Owners by the databases of this machine, or by those inside of the directory `root`.
    #[must_use]
    pub fn new(root: Option<&Path>) -> Self {
        Self { root: Root::new(root), answers: Mutex::default(), notes: Notes::default() }
    }

    /// The owner of each of `paths`, in their order; `None` where no database lists it. Paths are absolute, also those in a
    /// sysroot; what lies outside of the sysroot has no owner.
    ///
    /// # Errors
    /// [`super::Error::Cancelled`].
    pub fn of(&self, paths: &[&Path], context: &Context) -> Result<Vec<Option<Owner>>> {
        let new: BTreeSet<&Path> = {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            paths.iter().copied().filter(|path| !answers.contains_key(*path)).collect()
        };
        if !new.is_empty() {
            let found = self.look_up(&new, context)?;
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.extend(new.iter().map(|path| path.to_path_buf()).zip(found));
        }
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(paths.iter().map(|path| answers.get(*path).cloned().flatten()).collect())
    }

    /// What could not be read so far, one sentence each, sorted.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.sentences()
    }

    fn look_up(&self, paths: &BTreeSet<&Path>, context: &Context) -> Result<Vec<Option<Owner>>> {
        let asked: Vec<Option<Asked>> = paths.iter().map(|path| self.asked(path)).collect();
        let mut owners: Vec<Option<Owner>> = vec![None; asked.len()];
        // A prefix of conda lies below a system and knows its own files better. pip comes last: what a distribution
        // packages has pip's records too.
        let databases: [(fn(&Lookup<'_>) -> Result<Answers>, [usize; 2]); 4] =
            [(conda::owners, [0, 1]), (dpkg::owners, [1, 0]), (apk::owners, [1, 0]), (pip::owners, [0, 1])];
        for (look, preference) in databases {
            let open: Vec<usize> = (0..asked.len())
                .filter(|&at| matches!((asked.get(at), owners.get(at)), (Some(Some(_)), Some(None))))
                .collect();
            let pending: Vec<&Asked> = open.iter().filter_map(|&at| asked.get(at)?.as_ref()).collect();
            if pending.is_empty() {
                break;
            }
            let lookup = Lookup { root: &self.root, asked: &pending, notes: &self.notes, context };
            for (at, mut answer) in open.into_iter().zip(look(&lookup)?) {
                if let Some(owner) = owners.get_mut(at) {
                    *owner = preference.iter().find_map(|&which| answer.get_mut(which)?.take());
                }
            }
        }
        if owners.iter().any(Option::is_none) {
            self.note_rpm();
        }
        Ok(owners)
    }

    fn asked(&self, path: &Path) -> Option<Asked> {
        let inside = self.root.inside(path)?;
        let name = self.root.place(&inside)?;
        let real = self.root.real_place(&inside).filter(|real| *real != name);
        Some(Asked { name, real })
    }

    /// Says that rpm was not asked, where there is something to ask.
    fn note_rpm(&self) {
        let directories = RPM.iter().filter_map(|directory| self.root.directory(Path::new(directory)));
        for directory in directories.map(|directory| self.root.outside(&directory)) {
            if RPM_FILES.iter().any(|file| directory.join(file).is_file()) {
                self.notes.add(&directory, "rpm's database is not read: owners of its files are unknown");
            }
        }
    }
}

impl<'a> Lookup<'a> {
    /// Every place that is asked for, with the number of the file and whether it is the name (0) or the file behind it (1).
    fn places(&self) -> Vec<(&'a Place, (usize, usize))> {
        let both = |(at, asked): (usize, &&'a Asked)| {
            let asked: &'a Asked = asked;
            std::iter::once((&asked.name, (at, 0))).chain(asked.real.iter().map(move |real| (real, (at, 1))))
        };
        self.asked.iter().enumerate().flat_map(both).collect()
    }

    /// No answers yet.
    fn unanswered(&self) -> Answers {
        vec![[None, None]; self.asked.len()]
    }
}

/// Puts `owner` in, unless another one came first.
fn answer(answers: &mut Answers, (at, which): (usize, usize), owner: impl FnOnce() -> Owner) {
    if let Some(slot) = answers.get_mut(at).and_then(|slots| slots.get_mut(which))
        && slot.is_none()
    {
        *slot = Some(owner());
    }
}
