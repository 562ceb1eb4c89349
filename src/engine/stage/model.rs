//! The model of the files that a session touches: which names there are, and which of them are one inode.
//!
//! Planning folds effects over the model instead of asking the disk, so that all steps can be planned before the first is
//! taken. After each step the model is held against the disk.

use super::effect::Action;
use super::layered::Layered;
use crate::engine::file::Identity;
use crate::engine::project::ArtifactId;
use crate::engine::repair::EditRequest;
use crate::engine::{Error, Result};
use std::path::{Path, PathBuf};

/// What a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The clean output of an artifact's build.
    Output(ArtifactId),
    /// A copy of that output, free to be edited.
    Copy(ArtifactId),
    /// A copy of an external library.
    Library(PathBuf),
    /// Something that was there before: an earlier session's result.
    Leftover,
}

/// A file of the model: an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// What its bytes are.
    pub content: Content,
    /// Whether they were edited.
    pub edited: bool,
    /// What the patch step is to edit in it, where that is known.
    pub meant: Vec<EditRequest>,
    /// Its size in bytes before any edit.
    pub size: u64,
    /// Device and inode, once it is on the disk.
    pub on_disk: Option<(u64, u64)>,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Directory,
    Symlink(PathBuf),
    File(usize),
}

/// Names and inodes.
#[derive(Debug, Clone, Default)]
pub struct Model {
    names: Layered<PathBuf, Node>,
    files: Layered<usize, ModelFile>,
    /// How many files were ever known; the next one's number.
    known: usize,
}

impl Model {
    /// Takes in what `path` names now, if anything; `content` is what its bytes are if it is a file not known yet.
    ///
    /// # Errors
    /// When the system can't say what is there.
    pub fn look(&mut self, path: &Path, content: Content) -> Result<()> {
        let Some(identity) = Identity::of(path)? else {
            self.names.remove(path);
            return Ok(());
        };
        let node = if identity.is_directory() {
            Node::Directory
        } else if identity.is_symlink() {
            Node::Symlink(std::fs::read_link(path).map_err(Error::io("read", path))?)
        } else {
            let key = (identity.device, identity.inode);
            let known = self.named(key);
            Node::File(known.unwrap_or_else(|| {
                let (meant, size) = (Vec::new(), identity.size);
                self.add(ModelFile { content, edited: false, meant, size, on_disk: Some(key) })
            }))
        };
        self.names.insert(path.to_path_buf(), node);
        Ok(())
    }

    /// Takes in that `path` is a directory, or a link to one.
    pub fn know_directory(&mut self, path: &Path) {
        self.names.insert(path.to_path_buf(), Node::Directory);
    }

    /// Takes in everything below `directory`, as leftovers.
    ///
    /// # Errors
    /// When a directory can't be read.
    pub fn look_below(&mut self, directory: &Path) -> Result<()> {
        self.look(directory, Content::Leftover)?;
        if !self.is_directory(directory) {
            return Ok(());
        }
        let entries = std::fs::read_dir(directory).map_err(Error::io("list", directory))?;
        for entry in entries {
            let path = entry.map_err(Error::io("list", directory))?.path();
            self.look(&path, Content::Leftover)?;
            if self.is_directory(&path) {
                self.look_below(&path)?;
            }
        }
        Ok(())
    }

    /// Says what the patch step is to edit in the file of this name.
    pub fn mean(&mut self, path: &Path, meant: &[EditRequest]) {
        if let Some(Node::File(number)) = self.names.get(path)
            && let Some(file) = self.files.get_mut(number)
        {
            file.meant = meant.to_vec();
        }
    }

    /// Forgets `path`, to look at it anew.
    pub fn forget(&mut self, path: &Path) {
        self.names.remove(path);
    }

    /// Whether anything has this name.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.names.get(path).is_some()
    }

    /// Whether this is a directory.
    #[must_use]
    pub fn is_directory(&self, path: &Path) -> bool {
        matches!(self.names.get(path), Some(Node::Directory))
    }

    /// The file of this name, if it is one.
    #[must_use]
    pub fn file(&self, path: &Path) -> Option<&ModelFile> {
        match self.names.get(path)? {
            Node::File(number) => self.files.get(number),
            _ => None,
        }
    }

    /// What the symbolic link of this name leads to, if it is one.
    #[must_use]
    pub fn symlink(&self, path: &Path) -> Option<&Path> {
        match self.names.get(path)? {
            Node::Symlink(target) => Some(target),
            _ => None,
        }
    }

    /// Whether both names are one inode.
    #[must_use]
    pub fn same_file(&self, one: &Path, other: &Path) -> bool {
        match (self.names.get(one), self.names.get(other)) {
            (Some(Node::File(one)), Some(Node::File(other))) => one == other,
            _ => false,
        }
    }

    /// Does to the model what `action` does to the disk.
    ///
    /// # Errors
    /// [`Error::Changed`] when the model has no such file, or something in the way.
    pub fn fold(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Mkdir { path } => self.put(path, Node::Directory),
            Action::Rename { from, to, displaces } => {
                let number = self.number(from)?;
                if let Some(kept) = displaces {
                    if self.exists(to) && !self.same_file(kept, to) {
                        return Err(disagreement(to, "a second name of the file that gives way"));
                    }
                    self.names.remove(to);
                }
                self.put(to, Node::File(number))?;
                self.names.remove(from);
                Ok(())
            }
            Action::Link { from, to } => {
                let number = self.number(from)?;
                self.put(to, Node::File(number))
            }
            Action::ReflinkOrCopy { from, to, meant } => {
                let copied = ModelFile { meant: meant.clone(), ..self.copied(from) };
                let number = self.add(copied);
                self.put(to, Node::File(number))
            }
            Action::Unlink { path, trash } => match self.names.get(path) {
                Some(node @ (Node::File(_) | Node::Symlink(_))) => {
                    self.put(trash, node.clone())?;
                    self.names.remove(path);
                    Ok(())
                }
                _ => Err(disagreement(path, "a file")),
            },
            Action::Symlink { path, target } => self.put(path, Node::Symlink(target.clone())),
            Action::SetMode { path, .. } => self.number(path).map(|_| ()),
            Action::Edit { path, .. } => {
                let number = self.number(path)?;
                if let Some(file) = self.files.get_mut(&number) {
                    file.edited = true;
                }
                Ok(())
            }
        }
    }

    /// Holds the names that `action` touched against the disk, and learns the inodes that came into being.
    ///
    /// # Errors
    /// [`Error::Changed`] where disk and model differ.
    pub fn check(&mut self, action: &Action) -> Result<()> {
        let mut paths = vec![action.path()];
        paths.extend(action.to());
        if matches!(action, Action::ReflinkOrCopy { .. }) {
            // What is copied from may be any file of the machine; the model follows the copy.
            paths.remove(0);
        }
        for path in paths {
            self.check_name(path)?;
        }
        Ok(())
    }

    fn check_name(&mut self, path: &Path) -> Result<()> {
        let found = Identity::of(path)?;
        match (self.names.get(path), found) {
            (None, None) => Ok(()),
            (Some(Node::Directory), Some(identity)) if identity.is_directory() => Ok(()),
            (Some(Node::Symlink(_)), Some(identity)) if identity.is_symlink() => Ok(()),
            (Some(Node::File(number)), Some(identity)) if identity.is_file() => {
                let key = (identity.device, identity.inode);
                match self.files.get_mut(number) {
                    Some(file) if file.on_disk.is_none() || file.on_disk == Some(key) => {
                        file.on_disk = Some(key);
                        Ok(())
                    }
                    _ => Err(disagreement(path, "the file that was put there")),
                }
            }
            (None, Some(_)) => Err(disagreement(path, "nothing")),
            (Some(_), _) => Err(disagreement(path, "what was put there")),
        }
    }

    /// The file of inode `key` that a name of the model leads to. One without names may be gone, its inode number reused.
    fn named(&self, key: (u64, u64)) -> Option<usize> {
        self.names.values().find_map(|node| match node {
            Node::File(number) => {
                self.files.get(number).is_some_and(|file| file.on_disk == Some(key)).then_some(*number)
            }
            _ => None,
        })
    }

    fn copied(&self, from: &Path) -> ModelFile {
        match self.file(from) {
            Some(ModelFile { content: Content::Output(id) | Content::Copy(id), size, .. }) => {
                ModelFile { content: Content::Copy(*id), edited: false, meant: Vec::new(), size: *size, on_disk: None }
            }
            _ => {
                let content = Content::Library(from.to_path_buf());
                ModelFile { content, edited: false, meant: Vec::new(), size: 0, on_disk: None }
            }
        }
    }

    fn add(&mut self, file: ModelFile) -> usize {
        let number = self.known;
        self.files.insert(number, file);
        self.known += 1;
        number
    }

    fn number(&self, path: &Path) -> Result<usize> {
        match self.names.get(path) {
            Some(Node::File(number)) => Ok(*number),
            _ => Err(disagreement(path, "a file")),
        }
    }

    fn put(&mut self, path: &Path, node: Node) -> Result<()> {
        if self.names.get(path).is_some() {
            return Err(disagreement(path, "nothing"));
        }
        self.names.insert(path.to_path_buf(), node);
        Ok(())
    }
}

fn disagreement(path: &Path, expected: &str) -> Error {
    Error::Changed { path: path.to_path_buf(), what: format!("expected {expected} there") }
}
