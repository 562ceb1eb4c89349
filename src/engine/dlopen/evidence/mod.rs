//! What a file says of opening libraries at run time: from its bytes alone, and from the Python files that lie beside it in
//! the wheel, without running anything.
//!
//! Nothing here tells what comes of a name: that is worked out by others from what stands here.

mod calls;
mod cut;
mod gather;
mod imports;
mod names;
mod note;
mod places;
mod python;
mod sources;
mod text;

pub use imports::imports;
pub use sources::python_sources;

use crate::engine::binary::{Binary, Format, Slice};
use crate::engine::code::{AddressRanges, Openings, openings};
use crate::engine::file::ReadAt;
use crate::engine::report::dlopen::{Confidence, DlopenReport, NameEvidence, OpenedBy, OpeningCall, OpeningImport};
use crate::engine::{Context, Result};
use cut::{Hints, sightings};
use gather::{Gathered, confidence};
use imports::{Does, ELF};
use places::{Place, places};
use std::path::{Path, PathBuf};
use text::{Mark, marks};

/// What evidence is looked for in, besides the file itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceOptions {
    /// Files of Python that lie in the wheel, and folders of them.
    pub python: Vec<PathBuf>,
    /// Of a file with more bytes of read-only data than this, the text is not searched; `None` for no such limit.
    pub most_text: Option<u64>,
}

/// What `binary`, read from `source` and called `path`, says of opening libraries: all that does not need a loader's eye.
/// Of each name `would_resolve` and `in_bundle` are null, and the verdict is unknown.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table leads out of the file, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn collect(
    path: &Path,
    binary: &Binary,
    source: &dyn ReadAt,
    options: &EvidenceOptions,
    context: &Context,
) -> Result<DlopenReport> {
    let mut search = Search {
        path,
        binary,
        source,
        places: places(binary, source)?,
        report: DlopenReport { imports: imports(binary, source, context)?, ..DlopenReport::default() },
        gathered: Gathered::default(),
    };
    search.read_notes()?;
    let marks = search.marks(options, context)?;
    let mut calls = None;
    for (number, slice) in binary.slices.iter().enumerate() {
        let of_slice = search.read_slice(number, slice, &marks, context)?;
        if let Some(of_slice) = of_slice {
            calls.get_or_insert_with(Vec::new).extend(of_slice);
        }
    }
    search.report.calls = calls;
    let needed: Vec<String> = binary.slices.iter().flat_map(own_names).collect();
    // Only Windows takes names in either case.
    let is_pe = binary.format == Format::Pe;
    let same = |known: &String, name: &str| known == name || (is_pe && known.eq_ignore_ascii_case(name));
    search.gathered.leave_out(|name| needed.iter().any(|known| same(known, name)));
    python::read(&options.python, binary.format, &mut search.gathered, &mut search.report.notes, context)?;
    let Search { mut report, gathered, .. } = search;
    let (names, more) = gathered.into_names();
    report.left_out += more;
    report.candidates = Some(names);
    Ok(report)
}

/// The slice's own name, and the names of the libraries that it needs anyway.
fn own_names(slice: &Slice) -> Vec<String> {
    let names = slice.needed.iter().map(|needed| &needed.name).chain(&slice.soname);
    names.map(|name| name.to_text().into_owned()).collect()
}

struct Search<'a> {
    path: &'a Path,
    binary: &'a Binary,
    source: &'a dyn ReadAt,
    places: Vec<Place>,
    report: DlopenReport,
    gathered: Gathered,
}

impl Search<'_> {
    fn read_notes(&mut self) -> Result<()> {
        for details in self.binary.slices.iter().filter_map(|slice| slice.elf.as_ref()) {
            for declared in note::declared(&details.tables, self.source, &mut self.report.notes)? {
                let evidence = NameEvidence {
                    kind: "note".to_owned(),
                    file: self.path.to_path_buf(),
                    section: Some(".note.dlopen".to_owned()),
                    address: declared.address,
                    line: None,
                    function: None,
                    detail: declared.detail,
                };
                self.gathered.add(&declared.name, OpenedBy::Artifact, Confidence::Declared, evidence);
            }
        }
        Ok(())
    }

    fn marks(&mut self, options: &EvidenceOptions, context: &Context) -> Result<Vec<Mark>> {
        let bytes: u64 = self.places.iter().map(|place| place.length).sum();
        if let Some(most) = options.most_text.filter(|most| bytes > *most) {
            let note = format!("{bytes} bytes of read-only data were not searched for names: more than {most}");
            self.report.notes.push(note);
            return Ok(Vec::new());
        }
        let (marks, more) = marks(&self.places, self.binary.format, self.source, context)?;
        if more > 0 {
            self.report.notes.push(format!("{more} more texts look like names of libraries and were not looked at"));
            self.report.left_out += more;
        }
        Ok(marks)
    }

    /// Reads the code of one slice and cuts the names out of its texts; returns its calls, where they can be read.
    fn read_slice(
        &mut self,
        number: usize,
        slice: &Slice,
        marks: &[Mark],
        context: &Context,
    ) -> Result<Option<Vec<OpeningCall>>> {
        let of_slice = |mark: &&Mark| self.places.get(mark.place).is_some_and(|place| place.slice == number);
        let marks: Vec<Mark> = marks.iter().filter(of_slice).cloned().collect();
        let imported = |import: &&OpeningImport| import.arch == slice.arch.name && import.opens;
        let opens = self.report.imports.iter().any(|import| imported(&import));
        let found = if marks.is_empty() && !opens {
            // Nothing refers to nothing: the code need not be read.
            Openings { calls: Some(Vec::new()), ..Openings::default() }
        } else {
            let openers: Vec<(&str, usize)> = ELF
                .iter()
                .filter_map(
                    |(name, does)| if let Does::Opens(argument) = does { Some((*name, *argument)) } else { None },
                )
                .collect();
            let texts = marks.iter().map(|mark| (mark.address, mark.address + mark.text.len() as u64 * mark.width));
            openings(slice, self.source, &openers, &AddressRanges::new(texts.collect()), context)?
        };
        if found.calls.is_none() && opens {
            let note = format!("the calls of {} code can't be read: only its texts were looked at", slice.arch.name);
            self.report.notes.push(note);
        }
        if found.cut {
            self.report.notes.push("not all of the code could be followed: calls may be missing".to_owned());
        }
        let hints = Hints {
            format: self.binary.format,
            references: &found.references,
            has_code: found.calls.is_some() && slice.elf.is_some(),
        };
        for sighting in sightings(&marks, &hints) {
            let Some(confidence) = confidence(&sighting) else { continue };
            let evidence = NameEvidence {
                kind: "text".to_owned(),
                file: self.path.to_path_buf(),
                section: self.places.get(sighting.place).and_then(|place| place.section.clone()),
                address: Some(sighting.address),
                line: None,
                function: sighting.function,
                detail: sighting.detail,
            };
            self.gathered.add(&sighting.name, OpenedBy::Artifact, confidence, evidence);
        }
        let Some(calls) = found.calls else { return Ok(None) };
        let texts = calls::Texts { slice: number, places: &self.places, source: self.source };
        Ok(Some(calls::report(&calls, &slice.arch.name, self.path, &texts, &mut self.gathered)))
    }
}

#[cfg(test)]
mod tests;
