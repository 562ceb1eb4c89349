//! The structure of a file as a list of named facts, and what differs between two such lists.

use super::regions_elf::{section_names, segment_type};
use crate::engine::binary::{self, Binary, Format, NeededBinding, RunPathTag, Slice, elf, macho, pe};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::StructureChange;
use crate::engine::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A file's facts: what, and how it stands there. Each `what` is there once.
#[derive(Debug, Default)]
pub struct Facts {
    list: Vec<(String, String)>,
    seen: BTreeMap<String, u32>,
}

impl Facts {
    /// The facts of `source`; of a file that is no readable binary only its size and what it is.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be read.
    pub fn of(source: &dyn ReadAt, binary: Option<&Binary>) -> Result<Self> {
        let mut facts = Self::default();
        facts.add("size", source.size());
        let format = match (binary::sniff(source)?, binary) {
            (None, _) => "neither ELF nor Mach-O nor PE".to_owned(),
            (Some(format), Some(_)) => format!("{format:?}"),
            (Some(format), None) => format!("{format:?}, damaged"),
        };
        facts.add("format", format);
        for slice in binary.iter().flat_map(|binary| &binary.slices) {
            let prefix = match binary {
                Some(binary) if binary.slices.len() > 1 => format!("{}: ", slice.arch.name),
                _ => String::new(),
            };
            facts.slice(&prefix, slice);
            let format = binary.map(|binary| binary.format);
            match facts.details(&prefix, source, format, slice) {
                // The normalized view was readable; a damaged table behind it is no reason to say nothing.
                Err(Error::Malformed { expected, .. }) => facts.add(format!("{prefix}damaged"), expected),
                other => other?,
            }
        }
        Ok(facts)
    }

    fn add(&mut self, what: impl Into<String>, value: impl ToString) {
        let what = what.into();
        let count = self.seen.entry(what.clone()).or_insert(0);
        *count += 1;
        let what = if *count == 1 { what } else { format!("{what} ({count})") };
        self.list.push((what, value.to_string()));
    }

    fn slice(&mut self, prefix: &str, slice: &Slice) {
        self.add(format!("{prefix}machine"), &slice.arch.name);
        self.add(format!("{prefix}kind"), format!("{:?}", slice.kind));
        for (number, needed) in slice.needed.iter().enumerate() {
            let binding = match needed.binding {
                NeededBinding::Required => "",
                NeededBinding::Weak => " (weak)",
                NeededBinding::Delayed => " (delayed)",
                NeededBinding::Reexported => " (reexported)",
            };
            self.add(format!("{prefix}NEEDED {}", number + 1), format!("{}{binding}", needed.name));
        }
        if let Some(name) = &slice.soname {
            self.add(format!("{prefix}SONAME"), name);
        }
        for path in &slice.run_paths {
            let what = match path.tag {
                RunPathTag::Rpath => "RPATH",
                RunPathTag::Runpath => "RUNPATH",
                RunPathTag::LcRpath => "LC_RPATH",
            };
            self.add(format!("{prefix}{what}"), &path.text);
        }
        if let Some(name) = &slice.interpreter {
            self.add(format!("{prefix}interpreter"), name);
        }
    }

    fn details(&mut self, prefix: &str, source: &dyn ReadAt, format: Option<Format>, slice: &Slice) -> Result<()> {
        match (format, &slice.elf) {
            (Some(Format::Elf), Some(details)) => self.elf(source, details),
            (Some(Format::MachO), _) => {
                let place = macho::Place { offset: slice.offset, size: slice.size };
                for segment in macho::segments(&macho::Image::read(source, place)?)? {
                    let size = segment.file_size;
                    self.place(format!("{prefix}segment {}", segment.name), segment.address, segment.offset, size);
                    for section in segment.sections {
                        let what = format!("{prefix}section {}", section.name);
                        self.place(what, section.address, section.offset, section.size);
                    }
                }
            }
            (Some(Format::Pe), _) => {
                for section in pe::Headers::read(source)?.sections {
                    let what = format!("section {}", section.name);
                    self.place(what, section.address, section.offset, section.file_size);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn place(&mut self, what: String, address: u64, offset: u64, size: u64) {
        self.add(what, format!("address {address:#x}, offset {offset:#x}, size {size:#x}"));
    }

    fn elf(&mut self, source: &dyn ReadAt, details: &elf::Details) {
        let hardening = elf::hardening(&details.tables);
        self.add("RELRO", &hardening.relro);
        self.add("immediate binding", hardening.now);
        self.add("executable stack", hardening.execstack);
        self.add("position-independent", hardening.pie);
        self.add("text relocations", hardening.textrel);
        if let Some(id) = &details.build_id {
            self.add("build-id", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
        for need in &details.version_needs {
            let names: Vec<_> = need.versions.iter().map(|version| version.name.to_text()).collect();
            self.add(format!("versions of {}", need.library), names.join(", "));
        }
        for (number, segment) in details.tables.segments.iter().enumerate() {
            let flag = |bit, letter| if segment.p_flags & bit == 0 { "" } else { letter };
            let value = format!(
                "{} {}{}{}, offset {:#x}, address {:#x}, size {:#x}, in memory {:#x}",
                segment_type(segment.p_type),
                flag(4, "R"),
                flag(2, "W"),
                flag(1, "X"),
                segment.p_offset,
                segment.p_vaddr,
                segment.p_filesz,
                segment.p_memsz
            );
            self.add(format!("segment {number}"), value);
        }
        let names = section_names(source, &details.tables);
        for (section, name) in details.tables.sections.iter().zip(names) {
            if section.sh_size > 0 {
                self.place(format!("section {name}"), section.sh_addr, section.sh_offset, section.sh_size);
            }
        }
    }
}

/// What differs between `before` and `after`: in the first file's order, then what only the second has.
#[must_use]
pub fn changes(before: &Facts, after: &Facts) -> Vec<StructureChange> {
    let new: BTreeMap<&str, &str> = after.list.iter().map(|(what, value)| (what.as_str(), value.as_str())).collect();
    let old: BTreeSet<&str> = before.list.iter().map(|(what, _)| what.as_str()).collect();
    let changed = before.list.iter().filter_map(|(what, value)| {
        let found = new.get(what.as_str()).copied();
        (found != Some(value.as_str())).then(|| StructureChange {
            what: what.clone(),
            before: Some(value.clone()),
            after: found.map(String::from),
        })
    });
    let added = after.list.iter().filter(|(what, _)| !old.contains(what.as_str()));
    let added =
        added.map(|(what, value)| StructureChange { what: what.clone(), before: None, after: Some(value.clone()) });
    changed.chain(added).collect()
}
