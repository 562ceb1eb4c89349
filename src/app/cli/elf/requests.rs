//! What the options ask of one file, as the editor takes it.

use super::arguments::Elf;
use crate::engine::binary::elf::os_abi_of;
use crate::engine::binary::{Name, RunPathTag, Slice};
use crate::engine::repair::shrink::{holds, shrink};
use crate::engine::repair::{EditRequest, ExecStack};
use crate::engine::report::elf::heeded;
use color_eyre::Result;
use color_eyre::eyre::{bail, eyre};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the options ask of every file, with each `@FILE` read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Requests that are the same for every file.
    pub fixed: Vec<EditRequest>,
    /// What becomes of the search path.
    pub run_path: RunPathVerb,
    /// The tag that the search path shall have when it is written.
    pub tag: RunPathTag,
}

/// What becomes of the search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunPathVerb {
    /// Nothing.
    Keep,
    /// It is this.
    Set(Name),
    /// It has this behind it.
    Append(Name),
    /// There is none.
    Remove,
    /// It keeps what is of use, with these prefixes only if there are any.
    Shrink(Option<Vec<Name>>),
}

impl Asked {
    /// What `arguments` ask.
    ///
    /// # Errors
    /// When a file named by `@FILE` can't be read, or a word is not known.
    pub fn of(arguments: &Elf) -> Result<Self> {
        let mut fixed = Vec::new();
        if let Some(name) = &arguments.set_soname {
            fixed.push(EditRequest::SetSoname(text(name)?));
        }
        if let Some(name) = &arguments.set_interpreter {
            fixed.push(EditRequest::SetInterpreter(text(name.as_os_str())?));
        }
        for pair in arguments.replace_needed.chunks_exact(2) {
            if let [from, to] = pair {
                fixed.push(EditRequest::ReplaceNeeded { from: text(from)?, to: text(to)? });
            }
        }
        for name in &arguments.remove_needed {
            fixed.push(EditRequest::RemoveNeeded(text(name)?));
        }
        for name in &arguments.add_needed {
            fixed.push(EditRequest::AddNeeded(text(name)?));
        }
        for name in &arguments.clear_symbol_version {
            fixed.push(EditRequest::ClearSymbolVersion(text(name)?));
        }
        if arguments.no_default_lib {
            fixed.push(EditRequest::NoDefaultLib);
        }
        if arguments.add_debug_tag {
            fixed.push(EditRequest::AddDebugEntry);
        }
        if arguments.set_execstack {
            fixed.push(EditRequest::SetExecStack(ExecStack::Asked));
        }
        if arguments.clear_execstack {
            fixed.push(EditRequest::SetExecStack(ExecStack::NotAsked));
        }
        if let Some(name) = &arguments.set_os_abi {
            let name = text(name)?;
            let known = os_abi_of(&name.to_text());
            fixed.push(EditRequest::SetOsAbi(known.ok_or_else(|| eyre!("--set-os-abi: no ABI is called {name}"))?));
        }
        let tag = if arguments.force_rpath { RunPathTag::Rpath } else { RunPathTag::Runpath };
        Ok(Self { fixed, run_path: run_path_verb(arguments)?, tag })
    }

    /// What is asked of the file with `slice`; a search path is shrunk by what the disk holds now.
    #[must_use]
    pub fn requests(&self, slice: &Slice) -> Vec<EditRequest> {
        let mut requests: Vec<EditRequest> = self.run_path_request(slice).into_iter().collect();
        requests.extend(self.fixed.iter().cloned());
        requests
    }

    fn run_path_request(&self, slice: &Slice) -> Option<EditRequest> {
        let set = |text: Name| match self.tag {
            RunPathTag::Rpath => EditRequest::SetRpath(text),
            RunPathTag::Runpath | RunPathTag::LcRpath => EditRequest::SetRunpath(text),
        };
        let old = heeded(slice);
        match (&self.run_path, old) {
            (RunPathVerb::Keep, _) | (RunPathVerb::Shrink(_), None) => None,
            (RunPathVerb::Remove, _) => Some(EditRequest::RemoveRunPaths),
            (RunPathVerb::Set(text) | RunPathVerb::Append(text), None) => (!text.is_empty()).then(|| set(text.clone())),
            (RunPathVerb::Set(text), Some(_)) => Some(set(text.clone())),
            (RunPathVerb::Append(text), Some(old)) if old.tag == self.tag => {
                Some(EditRequest::AppendRunPath(text.clone()))
            }
            (RunPathVerb::Append(text), Some(old)) => Some(set(joined([&old.text, text]))),
            (RunPathVerb::Shrink(prefixes), Some(old)) => {
                let tables = &slice.elf.as_ref()?.tables;
                let needed: Vec<Name> = slice.needed.iter().map(|needed| needed.name.clone()).collect();
                let holds = |directory: &Name, name: &Name| holds(tables, directory, name);
                // An empty RUNPATH stays: it keeps the RPATHs of whoever loads the file out of its search (ld.so(8)).
                Some(set(shrink(&old.text, &needed, prefixes.as_deref(), holds)))
            }
        }
    }
}

fn run_path_verb(arguments: &Elf) -> Result<RunPathVerb> {
    if arguments.allowed_rpath_prefixes.is_some() && !arguments.shrink_rpath {
        bail!("--allowed-rpath-prefixes goes with --shrink-rpath");
    }
    if arguments.shrink_rpath {
        let prefixes = arguments.allowed_rpath_prefixes.as_deref().map(text).transpose()?;
        return Ok(RunPathVerb::Shrink(prefixes.map(|prefixes| {
            let parts = prefixes.as_bytes().split(|byte| *byte == b':').filter(|part| !part.is_empty());
            parts.map(Name::new).collect()
        })));
    }
    if arguments.remove_rpath {
        return Ok(RunPathVerb::Remove);
    }
    if let Some(path) = &arguments.set_rpath {
        return Ok(RunPathVerb::Set(text(path)?));
    }
    let added: Vec<Name> = arguments.add_rpath.iter().map(text).collect::<Result<_>>()?;
    Ok(if added.is_empty() { RunPathVerb::Keep } else { RunPathVerb::Append(joined(&added)) })
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a Name>) -> Name {
    let parts: Vec<&[u8]> = parts.into_iter().map(Name::as_bytes).filter(|part| !part.is_empty()).collect();
    Name::new(parts.join(&b':'))
}

/// The text that an option gives: itself, or for `@FILE` what the file holds.
fn text(argument: impl AsRef<OsStr>) -> Result<Name> {
    let bytes = argument.as_ref().as_bytes();
    match bytes.strip_prefix(b"@") {
        None => Ok(Name::new(bytes)),
        Some(path) => Ok(Name::new(content(Path::new(OsStr::from_bytes(path)))?)),
    }
}

/// A longer text is no name and no search path.
const LONGEST_TEXT: u64 = 4 << 20;

fn content(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    // "getting info about" is what patchelf says, and what its users' scripts look for.
    std::fs::metadata(path).map_err(|error| eyre!("@{shown}: getting info about this file failed: {error}"))?;
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_TEXT + 1).read_to_end(&mut content));
    read.map_err(|error| eyre!("@{shown}: cannot read: {error}"))?;
    if content.len() as u64 > LONGEST_TEXT {
        bail!("@{shown}: it is longer than 4 MiB, too long for a name or a search path");
    }
    Ok(content)
}
