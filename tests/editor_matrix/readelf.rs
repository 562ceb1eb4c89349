//! What `readelf -aW` shows of a file, taken apart so far that two files can be compared.

use crate::edits::Names;
use crate::machine::{succeed, text};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A segment or a section, as one line of `readelf` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its type for a segment, its name for a section.
    pub name: String,
    /// Its type for a section; empty for a segment.
    pub kind: String,
    /// Its flags, without blanks.
    pub flags: String,
    /// Where it stands in the file.
    pub offset: u64,
    /// Bytes in the file; of a section, in memory too.
    pub size: u64,
    /// Its address.
    pub address: u64,
    /// Bytes in memory.
    pub memory: u64,
    /// Its alignment.
    pub alignment: u64,
}

impl Part {
    /// Where it ends in memory.
    pub fn end(&self) -> u64 {
        self.address + self.memory
    }
}

/// A file as `readelf -aW` shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The segments in order.
    pub segments: Vec<Part>,
    /// The sections in order, without the first, which is none.
    pub sections: Vec<Part>,
    /// The dynamic entries: tag and value as shown.
    pub dynamic: Vec<(String, String)>,
    /// The interpreter.
    pub interpreter: Option<String>,
    /// The value of the symbol `_DYNAMIC`, if the file has it.
    pub dynamic_symbol: Option<u64>,
    /// Relocations, symbols, versions, notes, hash tables and whatever else: line by line, without file offsets.
    pub rest: Vec<String>,
    /// What is warned of or called an error.
    pub complaints: Vec<String>,
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

impl Shown {
    /// Runs `readelf` on `file`.
    pub fn of(file: &Path) -> Result<Self, String> {
        let output = succeed(Command::new("readelf").arg("-aW").arg(file))?;
        let name = file.display().to_string();
        let mut complaints: Vec<String> =
            text(&output.stderr).lines().map(|line| line.replace(&name, "FILE")).collect();
        let said = text(&output.stdout);
        complaints
            .extend(said.lines().filter(|line| line.contains("arning") || line.contains("rror:")).map(str::to_owned));
        let mut shown = Self {
            segments: Vec::new(),
            sections: Vec::new(),
            dynamic: Vec::new(),
            interpreter: None,
            dynamic_symbol: None,
            rest: Vec::new(),
            complaints,
        };
        let mut part = "";
        for line in said.lines() {
            part = heading(line).unwrap_or(part);
            match part {
                "header" | "mapping" => {}
                "sections" => shown.sections.extend(section(line)),
                "segments" => {
                    shown.segments.extend(segment(line));
                    if let Some(name) = line.trim().strip_prefix("[Requesting program interpreter: ") {
                        shown.interpreter = Some(name.trim_end_matches(']').to_owned());
                    }
                }
                "dynamic" => shown.dynamic.extend(entry(line)),
                _ if line.ends_with(" _DYNAMIC") => {
                    shown.dynamic_symbol = line.split_whitespace().nth(1).and_then(hex);
                }
                _ => shown.rest.push(without_offsets(line)),
            }
        }
        shown.rest = shown.rest.iter().map(|line| shown.relative(line)).collect();
        Ok(shown)
    }

    /// The line of a symbol with its distance from its section's start in the address's place; any other as it is.
    fn relative(&self, line: &str) -> String {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let of = |fields: &[&str]| {
            let number: usize = fields.get(6)?.parse().ok()?;
            let section = self.sections.get(number.checked_sub(1)?)?;
            fields.first()?.ends_with(':').then_some(())?;
            // A thread-local symbol has its distance from the template's start.
            let value = hex(fields.get(1)?)?;
            let is_inside = section.address <= value && value <= section.end();
            (fields.get(3) != Some(&"TLS") && is_inside).then_some((section, value))
        };
        match of(&fields) {
            Some((section, value)) => line.replacen(
                fields[1],
                &format!("{}{:+}", section.name, value.wrapping_sub(section.address) as i64),
                1,
            ),
            None => line.to_owned(),
        }
    }

    /// The first section or segment of this name.
    pub fn section(&self, name: &str) -> Option<&Part> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The first segment of this type.
    pub fn segment(&self, name: &str) -> Option<&Part> {
        self.segments.iter().find(|segment| segment.name == name)
    }

    /// The segments that are mapped.
    pub fn loads(&self) -> impl Iterator<Item = &Part> {
        self.segments.iter().filter(|segment| segment.name == "LOAD")
    }

    /// The values of the dynamic entries with `tag`.
    pub fn values<'s>(&'s self, tag: &'s str) -> impl Iterator<Item = &'s str> {
        self.dynamic.iter().filter(move |entry| entry.0 == tag).map(|entry| entry.1.as_str())
    }

    /// What the loader is told by name.
    pub fn names(&self) -> Names {
        let named = |value: &str| {
            let inner = value.split_once('[').map_or(value, |halves| halves.1);
            inner.strip_suffix(']').unwrap_or(inner).to_owned()
        };
        let run_path =
            ["RPATH", "RUNPATH"].into_iter().find_map(|tag| self.values(tag).next().map(|text| (tag, named(text))));
        Names {
            needed: self.values("NEEDED").map(named).collect(),
            run_path,
            soname: self.values("SONAME").next().map(named),
            interpreter: self.interpreter.clone(),
        }
    }

    /// Whether the loader makes `.dynamic` read-only: it lies within the whole pages of `PT_GNU_RELRO`.
    pub fn is_dynamic_covered(&self, page: u64) -> bool {
        let (Some(relro), Some(dynamic)) = (self.segment("GNU_RELRO"), self.segment("DYNAMIC")) else { return false };
        let (start, end) = (relro.address / page * page, relro.end() / page * page);
        start <= dynamic.address && dynamic.end() <= end
    }

    /// The lines of [`Self::rest`] and how often each is there.
    pub fn counted(&self) -> BTreeMap<&str, usize> {
        let mut counted = BTreeMap::new();
        for line in &self.rest {
            *counted.entry(line.as_str()).or_insert(0) += 1;
        }
        counted
    }
}

/// The part of the output that `line` opens, if it opens one.
fn heading(line: &str) -> Option<&'static str> {
    let starts = [
        ("ELF Header:", "header"),
        ("Section Headers:", "sections"),
        ("Key to Flags:", "rest"),
        ("Program Headers:", "segments"),
        (" Section to Segment mapping:", "mapping"),
        ("Dynamic section at", "dynamic"),
    ];
    match starts.iter().find(|start| line.starts_with(start.0)) {
        Some(start) => Some(start.1),
        // After the sections no line but of a listed heading stands at the left margin until the dynamic entries end.
        None if line.starts_with(|first: char| first.is_alphabetic()) && !line.starts_with("There are") => Some("rest"),
        None => None,
    }
}

fn section(line: &str) -> Option<Part> {
    let fields: Vec<&str> =
        line.split_once(']').filter(|halves| halves.0.starts_with("  ["))?.1.split_whitespace().collect();
    // The flags are left out where there are none.
    let (flags, last) = match fields.len() {
        9 => ("", 8),
        10 => (fields[6], 9),
        _ => return None,
    };
    let size = hex(fields[4])?;
    Some(Part {
        name: fields[0].to_owned(),
        kind: fields[1].to_owned(),
        flags: flags.to_owned(),
        offset: hex(fields[3])?,
        size,
        address: hex(fields[2])?,
        memory: size,
        alignment: fields[last].parse().ok()?,
    })
}

fn segment(line: &str) -> Option<Part> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (Some(last), true) = (fields.last(), fields.len() >= 7) else { return None };
    Some(Part {
        name: fields[0].to_owned(),
        kind: String::new(),
        flags: fields[6..fields.len() - 1].concat(),
        offset: hex(fields[1].strip_prefix("0x")?)?,
        size: hex(fields[4])?,
        address: hex(fields[2])?,
        memory: hex(fields[5])?,
        alignment: hex(last)?,
    })
}

fn entry(line: &str) -> Option<(String, String)> {
    let (tag, value) = line.split_once('(')?.1.split_once(')')?;
    line.trim_start().starts_with("0x").then(|| (tag.to_owned(), value.trim().to_owned()))
}

/// The line without what a shift of the file's bytes, or another number of a section, changes.
fn without_offsets(line: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut is_offset = false;
    for word in line.split(' ') {
        if !is_offset {
            words.push(word);
        }
        is_offset = matches!(word, "Offset:" | "offset");
    }
    words.join(" ")
}
