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
        match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => {
                Self::lock(&file, path)?;
                Ok(Some(Self { path: path.to_path_buf(), file }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", path)(error)),
        }
    }

    fn lock(file: &File, path: &Path) -> Result<()> {
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => Error::Locked { path: path.to_path_buf() },
            std::fs::TryLockError::Error(error) => Error::io("lock", path)(error),
        })
    }

    /// Its records. A last line that was cut off by the end of its process is taken off: nothing was done on its word.
    ///
    /// # Errors
    /// [`Error::Malformed`] when an earlier line is damaged.
    pub fn records(&mut self) -> Result<Vec<Record>> {
        self.file.rewind().map_err(Error::io("read", &self.path))?;
        let mut text = String::new();
        self.file.read_to_string(&mut text).map_err(Error::io("read", &self.path))?;
        let mut records = Vec::new();
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            match serde_json::from_str(line) {
                Ok(record) => records.push(record),
                Err(_) if !line.ends_with('\n') => {
                    self.file.set_len(offset).map_err(Error::io("trim", &self.path))?;
                    break;
                }
                Err(error) => {
                    return Err(Error::malformed(&self.path, offset, format!("a journal record ({error})")));
                }
            }
            offset += line.len() as u64;
        }
        Ok(records)
    }

    /// Appends `record`.
    ///
    /// # Errors
    /// [`Error::Io`]; the action it announces must not be carried out then.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| Error::io("write", &self.path)(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::io("write", &self.path))
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

    /// Whether there is an interrupted session at `path`; looks only.
    ///
    /// # Errors
    /// [`Error::Locked`] when its session is alive; [`Error::Io`].
    pub fn interrupted(path: &Path) -> Result<bool> {
        match Self::open_existing(path)? {
            Some(mut journal) => Ok(!journal.records()?.is_empty()),
            None => Ok(false),
        }
    }
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
