//! What differs between two files: which bytes, what they are, and what that makes of the structure.
//!
//! The bytes of one file are first set against those of the other ([`alignment`]), then the pairs are compared ([`scan`]), and
//! the runs that differ are told by what they are ([`layout`]). The report is the [`DiffDocument`]; printing it is left to
//! others.

mod align;
mod aligned;
mod alignment;
mod code;
mod content;
mod explain;
mod input;
mod item;
mod layout;
mod listed;
mod meaning;
mod places;
mod question;
mod regions_elf;
mod regions_macho;
mod regions_pe;
mod rows;
mod scan;
mod search;
mod strings;
mod structure;
mod tell;
mod telling;
mod verdict;
mod wheel;
mod words;

use crate::engine::binary::elf::Tables;
use crate::engine::binary::{self, Binary, Format};
use crate::engine::file::{Identity, ReadAt, Windows};
use crate::engine::report::diff::{AlignedBy, Class, ClassTotal, DiffDocument, DifferingBytes, Map, Run, RunKind};
use crate::engine::{Context, Error, Result};
use align::align;
pub use aligned::{Aligned, Piece, Place, Which};
use alignment::ByteRun;
use explain::Explanation;
pub use explain::{Logged, UNEXPLAINED, made_of, read_log};
pub use input::Input;
use layout::Layout;
use listed::Listed;
use meaning::{Part, Side, parts};
pub use places::{Found, Spot, Target, of_file, place};
pub use question::Question;
pub use rows::{Row, Rows};
use scan::{How, Reached, Scanned, scan};
pub use search::{Direction, LONGEST_NEEDLE, Match, Query, search};
use std::collections::BTreeMap;
use std::path::Path;
use structure::{Facts, changes};
use telling::Telling;
use verdict::verdict;

/// The schema of the document.
const SCHEMA: &str = "wheelwright/diff/1";

/// Compares the files `a` and `b`. Counts the bytes they have in common on `context`. At most 100,000 runs are listed;
/// `runs_total` counts them all. Files that are no readable binaries are compared all the same, without regions.
///
/// # Errors
/// [`Error::Io`] when one can't be read, [`Error::Refused`] when one is not a regular file, [`Error::Malformed`] when one
/// shrinks meanwhile, [`Error::Cancelled`].
pub fn compare(a: &Path, b: &Path, context: &Context) -> Result<DiffDocument> {
    answer(&Input::open(a)?, &Input::open(b)?, context)
}

/// The same of files that are open.
///
/// # Errors
/// As [`compare`].
pub fn answer(a: &Input, b: &Input, context: &Context) -> Result<DiffDocument> {
    answer_streaming(a, b, &Question::default(), &mut |_| (), context)
}

/// The same, as `question` asks for it, with what is known so far handed to `partial` on the way: a document that is not
/// [complete](DiffDocument::is_complete), of which every run is told already. All of it happens on the caller's thread.
///
/// # Errors
/// As [`compare`].
pub fn answer_streaming(
    a: &Input,
    b: &Input,
    question: &Question,
    partial: &mut dyn FnMut(&DiffDocument),
    context: &Context,
) -> Result<DiffDocument> {
    let same = same_inode(&a.file, &b.file)?;
    let asked = if same { Some(AlignedBy::Offset) } else { question.alignment };
    let (old, new) = (readable(binary::read(&a.file))?, readable(binary::read(&b.file))?);
    let alignment = align(a, b, old.as_ref(), new.as_ref(), asked, context)?;
    let mut document = blank(a, b, alignment.by);
    document.edits = question.edits.as_deref().map(Logged::words);
    let mut teller = Teller::new((a, old.as_ref()), (b, new.as_ref()), question);
    let found = if same {
        let scanned = Scanned { compared: 0, skipped: a.size() };
        Reached { listed: Listed::new(a.size(), b.size()), scanned }
    } else {
        let how = How::suiting(alignment.paired(), question.from);
        let on_the_way = &mut |so_far: Reached| {
            note(&so_far, &mut document);
            teller.tell(&so_far.listed, &mut document)?;
            document.verdict = format!("{} so far", verdict(&document));
            partial(&document);
            Ok(())
        };
        scan(&a.file, &b.file, &alignment, &how, on_the_way, context)?
    };
    note(&found, &mut document);
    document.equal = found.listed.total() == 0;
    teller.tell(&found.listed, &mut document)?;
    explain::count(&mut document);
    document.verdict = verdict(&document);
    Ok(document)
}

/// A document of which nothing is known yet.
fn blank(a: &Input, b: &Input, aligned_by: AlignedBy) -> DiffDocument {
    DiffDocument {
        schema: SCHEMA.into(),
        a: a.path.clone(),
        b: b.path.clone(),
        a_container: a.container.clone(),
        a_member: a.member.clone(),
        b_container: b.container.clone(),
        b_member: b.member.clone(),
        a_size: a.size(),
        b_size: b.size(),
        equal: false,
        verdict: String::new(),
        aligned_by,
        bytes_compared: 0,
        bytes_skipped: 0,
        bytes: DifferingBytes::default(),
        edits: None,
        unexplained: None,
        runs_total: 0,
        runs: Vec::new(),
        by_class: Vec::new(),
        map: Map::default(),
        findings: Vec::new(),
        structure: Vec::new(),
    }
}

/// Writes down what was counted.
fn note(found: &Reached, document: &mut DiffDocument) {
    document.bytes_compared = found.scanned.compared;
    document.bytes_skipped = found.scanned.skipped;
    document.bytes = found.listed.bytes();
    document.runs_total = found.listed.total();
    document.map = found.listed.map().clone();
}

/// What is needed to say what runs are, read when the first of them is found.
struct Teller<'a> {
    a: (&'a Windows, Option<&'a Binary>),
    b: (&'a Windows, Option<&'a Binary>),
    edits: Option<&'a [Logged]>,
    layouts: Option<(Option<Layout>, Option<Layout>)>,
    explanation: Option<Explanation<'a>>,
    telling: Telling,
    /// As many runs there were when their symbols were looked up, and the bytes that they held.
    looked_up: Option<(u64, DifferingBytes)>,
}

impl<'a> Teller<'a> {
    fn new(a: (&'a Input, Option<&'a Binary>), b: (&'a Input, Option<&'a Binary>), question: &'a Question) -> Self {
        Self {
            a: (&a.0.file, a.1),
            b: (&b.0.file, b.1),
            edits: question.edits.as_deref(),
            layouts: None,
            explanation: None,
            telling: Telling::default(),
            looked_up: None,
        }
    }

    /// Says what the runs are, and what that makes of the structure.
    fn tell(&mut self, listed: &Listed, document: &mut DiffDocument) -> Result<()> {
        if listed.total() == 0 {
            return Ok(());
        }
        let ((ours, old), (theirs, new)) = (self.a, self.b);
        if self.layouts.is_none() {
            document.structure = changes(&Facts::of(ours, old)?, &Facts::of(theirs, new)?);
            self.layouts = Some((layout_of(ours)?, layout_of(theirs)?));
            if let Some(edits) = self.edits {
                self.explanation = Some(Explanation::of(ours, theirs, edits)?);
            }
        }
        // A walk over all symbols: not again for a part of the files in which nothing more was found.
        let known = Some((listed.total(), listed.bytes()));
        if self.looked_up != known
            && let Some((Some(old), Some(new))) = self.layouts.as_mut()
        {
            self.looked_up = known;
            code::look_up((old, ours), (new, theirs), listed.runs())?;
        }
        let sides = match &self.layouts {
            Some((Some(old), Some(new))) => {
                Some((Side { source: ours, layout: old }, Side { source: theirs, layout: new }))
            }
            _ => None,
        };
        let explanation = self.explanation.as_ref();
        let told = self.telling.tell(listed.runs(), &mut document.runs, |run| {
            let mut runs = Vec::new();
            for (run, explained_by) in explain::explained(explanation, &[run])? {
                let parts = match &sides {
                    Some((old, new)) => parts(old, new, run)?.into_iter().map(told).collect(),
                    None => vec![untold(run)],
                };
                runs.extend(parts.into_iter().map(|run| Run { explained_by: explained_by.clone(), ..run }));
            }
            Ok(runs)
        })?;
        document.runs_total += told.saturating_sub(listed.runs().len() as u64);
        let mut classes: BTreeMap<Class, (u64, u64)> = BTreeMap::new();
        for run in &document.runs {
            let (runs, bytes) = classes.entry(run.class).or_default();
            *runs += 1;
            *bytes += run.len;
        }
        document.bytes.code = classes.get(&Class::Code).map_or(0, |(_, bytes)| *bytes);
        document.by_class =
            classes.into_iter().map(|(class, (runs, bytes))| ClassTotal { class, runs, bytes }).collect();
        Ok(())
    }
}

fn told(part: Part) -> Run {
    let Part { run, region, class, meaning, .. } = part;
    Run { region: Some(region), class, meaning, ..untold(run) }
}

fn untold(run: ByteRun) -> Run {
    let (offset, other_offset) = if run.kind == RunKind::Inserted { (run.b, run.a) } else { (run.a, run.b) };
    Run {
        offset,
        other_offset,
        len: run.len,
        kind: run.kind,
        region: None,
        class: Class::Other,
        meaning: None,
        explained_by: None,
    }
}

fn same_inode(a: &Windows, b: &Windows) -> Result<bool> {
    let of = |file: &Windows| file.file().metadata().map_err(Error::io("look at", file.path()));
    Ok(Identity::from_metadata(&of(a)?).same_inode(&Identity::from_metadata(&of(b)?)))
}

/// What was read, or nothing where the file is damaged.
fn readable<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Malformed { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// What lies where in `source`: also in a file that is damaged elsewhere, so that nobody would load it.
fn layout_of(source: &Windows) -> Result<Option<Layout>> {
    match binary::sniff(source)? {
        Some(Format::Elf) => {
            let tables = readable(Tables::read(source))?;
            Ok(tables.map(|tables| readable(regions_elf::layout(source, &tables))).transpose()?.flatten())
        }
        Some(Format::MachO) => readable(regions_macho::layout(source)),
        Some(Format::Pe) => readable(regions_pe::layout(source)),
        None => Ok(None),
    }
}
