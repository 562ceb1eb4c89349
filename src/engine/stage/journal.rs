//! The journal: what a session is about to do, written before it is done, so that a killed one can be rolled back.
//!
//! One JSON record a line. A step is recorded whole and synced once; each effect then gets a mark when it begins and when it
//! is done. Its lock makes a second session read-only. An empty journal is a session that ended in order.

use super::effect::Action;
use crate::engine::file::Identity;
use crate::engine::report::plan::Step;
use crate::engine::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A session begins.
    Open {
        /// The format's number.
        version: u32,
        /// The staging directory.
        #[serde(with = "super::exact")]
        staging: PathBuf,
        /// Directories whose cargo lock is held while effects run.
        #[serde(with = "super::exact::list")]
        cargo_directories: Vec<PathBuf>,
    },
    /// A step is about to be taken.
    Step {
        /// Its number in this session.
        number: u64,
        /// The step; `None` when outputs are put back at the end of a session.
        step: Option<Step>,
        /// Its actions, each with the identity of what it starts from, where that was there.
        actions: Vec<(Action, Option<Identity>)>,
    },
    /// What an action starts from, where an earlier action of the same step made it.
    Before {
        /// The step's number.
        step: u64,
        /// The action's place in the step.
        action: usize,
        /// The identity.
        identity: Option<Identity>,
    },
    /// An action begins.
    Begin {
        /// The step's number.
        step: u64,
        /// The action's place in the step.
        action: usize,
    },
    /// An action is done.
    Done {
        /// The step's number.
        step: u64,
        /// The action's place in the step.
        action: usize,
    },
    /// An action was undone.
    Undone {
        /// The step's number.
        step: u64,
        /// The action's place in the step.
        action: usize,
    },
}

/// The format's number.
pub const VERSION: u32 = 1;

/// An open journal, whose lock we hold.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal at `path`, made where it is missing, and takes its lock.
    ///
    /// # Errors
    /// [`Error::Locked`] when another session holds it, [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        }
        let file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(Error::io("open", path))?;
        Self::lock(&file, path)?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Opens the journal at `path` if there is one; nothing is made.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>> {
        let Some(file) = existing(OpenOptions::new().read(true).append(true), path)? else { return Ok(None) };
        Self::lock(&file, path)?;
        Ok(Some(Self { path: path.to_path_buf(), file }))
    }

    fn lock(file: &File, path: &Path) -> Result<()> {
        file.try_lock().map_err(|error| not_locked(error, path))
    }

    /// Its records. A last line that was cut off by the end of its process is taken off: nothing was done on its word.
    ///
    /// # Errors
    /// [`Error::Malformed`] when an earlier line is damaged, [`Error::Refused`] for a journal of another format.
    pub fn records(&mut self) -> Result<Vec<Record>> {
        let (records, whole) = read(&mut self.file, &self.path)?;
        let length = self.file.metadata().map_err(Error::io("look at", &self.path))?.len();
        if whole < length {
            self.file.set_len(whole).map_err(Error::io("trim", &self.path))?;
        }
        Ok(records)
    }

    /// Appends `record`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`]; the action it announces must not be carried out then.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| Error::io("write", &self.path)(error.into()))?;
        line.push(b'\n');
        let before = self.file.metadata().map_err(Error::io("look at", &self.path))?.len();
        self.file.write_all(&line).map_err(|error| {
            // On a full disk part of a line may stand there. The next record must not be appended to it.
            let _ = self.file.set_len(before);
            Error::io("write", &self.path)(error)
        })
    }

    /// Makes sure that what was written is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }

    /// Empties it: the session ended in order.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn close(self) -> Result<()> {
        self.file.set_len(0).map_err(Error::io("empty", &self.path))
    }

    /// Whether there is an interrupted session at `path`; looks only, also where nothing can be written.
    ///
    /// # Errors
    /// [`Error::Locked`] when its session is alive; as [`Journal::records`]; [`Error::Io`].
    pub fn interrupted(path: &Path) -> Result<bool> {
        let Some(mut file) = existing(OpenOptions::new().read(true), path)? else { return Ok(false) };
        // Shared: two that look at the same time must not take each other for a session.
        file.try_lock_shared().map_err(|error| not_locked(error, path))?;
        Ok(!read(&mut file, path)?.0.is_empty())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Said, not left to the closing: a child that is just being made holds the same open file.
        let _ = self.file.unlock();
    }
}

/// The file at `path`, if there is one.
fn existing(options: &OpenOptions, path: &Path) -> Result<Option<File>> {
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("open", path)(error)),
    }
}

fn not_locked(error: std::fs::TryLockError, path: &Path) -> Error {
    match error {
        std::fs::TryLockError::WouldBlock => Error::Locked { path: path.to_path_buf() },
        std::fs::TryLockError::Error(error) => Error::io("lock", path)(error),
    }
}

/// The records of the journal at `path`, read without its lock and without changing it.
///
/// # Errors
/// As [`Journal::records`].
pub fn records_at(path: &Path) -> Result<Vec<Record>> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    Ok(read(&mut file, path)?.0)
}

/// The first line of a journal of any format.
#[derive(Deserialize)]
struct Opening {
    open: Format,
}

#[derive(Deserialize)]
struct Format {
    version: u32,
}

/// The records in `file`, and how many bytes their lines have.
fn read(file: &mut File, path: &Path) -> Result<(Vec<Record>, u64)> {
    file.rewind().map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let mut records = Vec::new();
    let mut offset = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // Another format's records can't be read, but its first line can.
        if let (0, Ok(Opening { open })) = (offset, serde_json::from_slice(line))
            && open.version != VERSION
        {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                reason: format!("the journal has format {}, and this program reads {VERSION}", open.version),
                way_out: "recover with the version of wheelwright that wrote it".to_owned(),
            });
        }
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(_) if line.last() != Some(&b'\n') => break,
            Err(error) => return Err(Error::malformed(path, offset, format!("a journal record ({error})"))),
        }
        offset += line.len() as u64;
    }
    Ok((records, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: u64) -> Record {
        let action = Action::Mkdir { path: PathBuf::from("/x") };
        Record::Step { number, step: Some(Step::Stage), actions: vec![(action, None)] }
    }

    #[test]
    fn records_come_back_and_a_torn_last_line_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wheelwright/journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.write(&step(1)).unwrap();
        journal.write(&Record::Begin { step: 1, action: 0 }).unwrap();
        journal.file.write_all(b"{\"done\":{\"st").unwrap();
        assert_eq!(journal.records().unwrap(), [step(1), Record::Begin { step: 1, action: 0 }]);
        drop(journal);
        assert!(Journal::interrupted(&path).unwrap());
    }

    #[test]
    fn looking_leaves_a_torn_line_and_another_looker_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.write(&step(1)).unwrap();
        journal.file.write_all(b"{\"done\":{\"st").unwrap();
        drop(journal);
        let before = std::fs::read(&path).unwrap();
        let looker = File::open(&path).unwrap();
        looker.try_lock_shared().unwrap();
        assert!(Journal::interrupted(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_journal_of_another_format_says_so_whatever_it_holds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, "{\"open\":{\"version\":7,\"place\":1}}\n{\"novel\":{}}\n").unwrap();
        let error = Journal::open(&path).unwrap().records().unwrap_err();
        assert!(error.to_string().contains("format 7"), "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_damage_with_a_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, b"\xff\xfe\n{}\n").unwrap();
        let error = Journal::open(&path).unwrap().records().unwrap_err();
        assert!(matches!(error, Error::Malformed { offset: 0, .. }), "{error}");
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_an_error_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, "{\"begin\":{\"step\":1,\"action\":0}}\nnonsense\n{}\n").unwrap();
        let error = Journal::open(&path).unwrap().records().unwrap_err();
        assert!(error.to_string().contains("0x20"), "{error}");
    }

    #[test]
    fn a_second_session_is_locked_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let first = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(Error::Locked { .. })));
        first.close().unwrap();
        assert!(!Journal::interrupted(&path).unwrap());
    }
}
