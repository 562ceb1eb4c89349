//! `wheelwright elf [patchelf's options] FILE...`: each file is read, printed from, planned and written by itself.
//!
//! A file that can't be done does not keep the others from being done. Everything that is asked of a file is one edit.

mod arguments;
mod print;
mod requests;
mod show;
mod write;

pub use arguments::Elf;

use super::arguments::{Common, PatcherName};
use super::output::{Output, Tone};
use super::{FINDINGS, OK, TROUBLE, environment, torn};
use crate::engine::audit::read_error;
use crate::engine::binary::{self, Format, Slice};
use crate::engine::file::{ReadAt, Windows};
use crate::engine::repair::proof::{Overlay, prove};
use crate::engine::repair::rewrite::{RolledBack, Way, log_of, roll_back};
use crate::engine::repair::{Builtin, EditOptions, EditPlan, EditRequest, Editor, describe_request};
use crate::engine::report::elf::{ElfDocument, ElfFile, ElfPlan, ElfState};
use crate::engine::{Context, Error, Result as EngineResult};
use color_eyre::Result;
use color_eyre::eyre::{bail, eyre};
use print::Printed;
use requests::Asked;
use std::path::{Path, PathBuf};

/// Prints and edits.
///
/// # Errors
/// When the options don't go together, a file named by `@FILE` can't be read, or the output can't be written.
pub fn elf(arguments: &Elf, common: &Common, output: &mut Output) -> Result<u8> {
    if arguments.print_version {
        output.line(format_args!("wheelwright {}, with the options of patchelf", env!("CARGO_PKG_VERSION")))?;
        return Ok(OK);
    }
    check(arguments, common)?;
    if arguments.recover {
        return recover(&arguments.files, output);
    }
    let job = Job {
        arguments,
        asked: Asked::of(arguments)?,
        editor: Builtin { options: EditOptions { keep_relro: common.keep_relro, page_size: arguments.page_size } },
        context: environment::interruptible()?,
        details: arguments.debug || common.verbose,
    };
    let (mut files, mut status) = (Vec::new(), OK);
    for path in &arguments.files {
        // A torn file would be read wrongly.
        for said in torn::mend([path.as_path()]) {
            output.note(format_args!("note: {said}"));
        }
        let mut file = blank(path, arguments);
        status = status.max(job.file(path, &mut file, output)?);
        files.push(file);
    }
    if arguments.json {
        let schema = "wheelwright/elf/1".to_owned();
        output.json(&ElfDocument { schema, dry_run: arguments.dry_run, files })?;
    }
    Ok(status)
}

/// Gives each of `files` its old bytes back where an edit in place was interrupted.
fn recover(files: &[PathBuf], output: &mut Output) -> Result<u8> {
    let mut status = OK;
    for path in files {
        let shown = path.display();
        let log = log_of(&std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()));
        let done = match path.metadata() {
            Ok(_) => roll_back(path, &Context::new()),
            Err(error) => Err(Error::io("open", path)(error)),
        };
        match done {
            Ok(None) => output.line(format_args!("{shown}: no edit of it was interrupted"))?,
            Ok(Some(RolledBack::Restored)) => output.line(format_args!("{shown}: has its old bytes again"))?,
            Ok(Some(RolledBack::Foreign)) => {
                status = status.max(FINDINGS);
                output.line(format_args!("{shown}: left alone, since {} is of another file", log.display()))?;
            }
            Err(error) => {
                status = TROUBLE;
                output.error(&error.into());
            }
        }
    }
    Ok(status)
}

/// Refuses what can't be done for any file.
fn check(arguments: &Elf, common: &Common) -> Result<()> {
    if arguments.build_resolution_cache {
        bail!("--build-resolution-cache is not done here: no loader but that of Nixpkgs reads such a cache");
    }
    if arguments.rename_dynamic_symbols.is_some() {
        bail!("--rename-dynamic-symbols is not done here: it takes a new symbol hash table, and patchelf can make one");
    }
    if arguments.no_clobber_old_sections {
        bail!(
            "--no-clobber-old-sections is not done here: what an edit leaves behind may be put to use by the next one"
        );
    }
    if common.patcher == PatcherName::Patchelf {
        bail!("--patcher patchelf is of no use here: this command is there to edit without it");
    }
    if arguments.files.is_empty() {
        bail!("name a FILE; `wheelwright elf --help` lists the options, which are patchelf's and a few more");
    }
    if arguments.output.is_some() && arguments.files.len() > 1 {
        bail!("--output takes the result of one FILE, and there are {}", arguments.files.len());
    }
    Ok(())
}

fn blank(path: &Path, arguments: &Elf) -> ElfFile {
    ElfFile {
        path: environment::absolute(path),
        output: arguments.output.as_deref().map(environment::absolute),
        before: None,
        asked: Vec::new(),
        plan: None,
        proof: None,
        refusal: None,
        written: None,
        after: None,
        error: None,
    }
}

/// What is to be done to every file.
struct Job<'a> {
    arguments: &'a Elf,
    asked: Asked,
    editor: Builtin,
    context: Context,
    details: bool,
}

impl Job<'_> {
    /// Does one file; its exit status. Only output that can't be written and an interruption end the others too.
    fn file(&self, path: &Path, file: &mut ElfFile, output: &mut Output) -> Result<u8> {
        let done = read(path).map_err(Into::into).and_then(|(source, slice)| self.read(&source, &slice, file, output));
        match done {
            Ok(status) => Ok(status),
            Err(report) => match report.downcast_ref::<Error>() {
                None | Some(Error::Cancelled) => Err(report),
                Some(error) => {
                    file.error = Some(read_error(error));
                    output.error(&report);
                    Ok(TROUBLE)
                }
            },
        }
    }

    fn read(&self, source: &Windows, slice: &Slice, file: &mut ElfFile, output: &mut Output) -> Result<u8> {
        let path = source.path();
        file.before = Some(ElfState::of(slice));
        if !self.arguments.json && print::print(self.arguments, slice, output)? == Printed::NoInterpreter {
            output.error(&eyre!("{}: names no interpreter", path.display()));
            return Ok(FINDINGS);
        }
        let requests = self.asked.requests(slice);
        file.asked = requests.iter().map(describe_request).collect();
        let Some(plan) = self.plan(source, &requests, file, output)? else { return Ok(FINDINGS) };
        if self.arguments.dry_run {
            if !self.arguments.json {
                show::plan(file, output)?;
            }
            return Ok(OK);
        }
        if plan.is_empty() && self.arguments.output.is_none() {
            return Ok(OK);
        }
        if self.details {
            for patch in &plan.patches {
                let length = patch.bytes.len();
                output.note(format_args!("{}: {:#x} {length}: {}", path.display(), patch.offset, patch.meaning));
            }
        }
        output.flush()?;
        let way = if self.arguments.atomic { Way::Beside } else { Way::Auto };
        let to = self.arguments.output.as_deref();
        let Some(written) = write::write(&self.editor, path, to, &plan, way, &self.context)? else { return Ok(OK) };
        if let Some(note) = &written.note {
            output.note(format_args!("note: {}: {note}", path.display()));
        }
        if self.arguments.json && written.to.is_file() {
            file.after = Some(ElfState::of(&read(&written.to)?.1));
        }
        file.written = Some(written);
        Ok(OK)
    }

    /// The plan; `None` when it is refused, which is said.
    fn plan(
        &self,
        source: &Windows,
        requests: &[EditRequest],
        file: &mut ElfFile,
        output: &mut Output,
    ) -> Result<Option<EditPlan>> {
        if requests.is_empty() {
            return Ok(Some(EditPlan::nothing(source.size())));
        }
        match self.editor.plan(source, requests)? {
            Ok(plan) => {
                file.plan = Some(ElfPlan::from(&plan));
                // The editor has proven its plan; it is done once more only for whoever reads what was checked.
                if !plan.is_empty() && (self.arguments.json || self.arguments.dry_run) {
                    file.proof = Some(prove(source, &Overlay::new(source, &plan), &plan)?);
                }
                Ok(Some(plan))
            }
            Err(refusal) => {
                let word = output.tone(Tone::Bad, "refused");
                output.note(format_args!("wheelwright: {}: {word}: {refusal}", source.path().display()));
                file.refusal = Some((&refusal).into());
                Ok(None)
            }
        }
    }
}

/// Opens the ELF file `path`.
fn read(path: &Path) -> EngineResult<(Windows, Slice)> {
    let source = Windows::open(path)?;
    if binary::sniff(&source)? != Some(Format::Elf) {
        return Err(Error::Refused {
            path: path.to_path_buf(),
            reason: "is not an ELF file".into(),
            way_out: "name one".into(),
        });
    }
    let slice = binary::elf::read(&source)?;
    Ok((source, slice))
}
