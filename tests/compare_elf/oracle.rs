//! What `readelf` says lies where in a file.

use std::path::Path;
use std::process::Command;

/// A stretch of a file that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub start: u64,
    pub end: u64,
}

/// The headers and sections of `file` that have bytes in it; `Err` when there is no `readelf`.
pub fn places(file: &Path) -> Result<Vec<Place>, String> {
    let output = Command::new("readelf").env("LC_ALL", "C").args(["-hSW"]).arg(file).output();
    let output = output.map_err(|error| format!("readelf can't be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        let value = line.split(':').nth(1).unwrap_or_default();
        value.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    let place = |name: &str, start: u64, size: u64| Place { name: name.to_owned(), start, end: start + size };
    let mut places = vec![place("ELF header", 0, field("Size of this header"))];
    let table = |start, size, number| (field(start), field(size) * field(number));
    let (start, size) = table("Start of program headers", "Size of program headers", "Number of program headers");
    places.push(place("program headers", start, size));
    let (start, size) = table("Start of section headers", "Size of section headers", "Number of section headers");
    places.push(place("section headers", start, size));
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix('[')) {
        let Some((_, rest)) = line.split_once(']') else { continue };
        let words: Vec<&str> = rest.split_whitespace().collect();
        // Name, type, address, offset, size.
        if let [name, kind, _, offset, size, ..] = words[..]
            && kind != "NOBITS"
            && let Ok(offset) = u64::from_str_radix(offset, 16)
            && let Ok(size) = u64::from_str_radix(size, 16)
        {
            places.push(place(name, offset, size));
        }
    }
    Ok(places)
}

/// The place that `offset` lies in.
pub fn at(places: &[Place], offset: u64) -> Option<&Place> {
    places.iter().find(|place| (place.start..place.end).contains(&offset))
}

/// The address and size of the symbol `name`; `Err` when there is no `readelf`.
pub fn symbol(file: &Path, name: &str) -> Result<(u64, u64), String> {
    let output = Command::new("readelf").args(["-sW"]).arg(file).output();
    let output = output.map_err(|error| format!("readelf can't be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let called = words.last()?.split('@').next()?;
        let defined = words.get(6).is_some_and(|section| section.parse::<u64>().is_ok());
        (called == name && defined)
            .then(|| (u64::from_str_radix(words[1], 16).unwrap_or(0), words[2].parse::<u64>().unwrap_or(0)))
    });
    found.ok_or_else(|| format!("{name} is not in {}: {text}", file.display()))
}
