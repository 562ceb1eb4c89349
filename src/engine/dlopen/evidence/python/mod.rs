//! The libraries that Python files open through `ctypes` and `cffi`, read from their sources. Nothing is run or imported.
//!
//! A name is told where it stands in the call, or in a variable that is given a value once; else it is said that it can't be.

mod expressions;
mod files;
mod scope;
mod tokens;

use super::gather::Gathered;
use crate::engine::binary::Format;
use crate::engine::report::dlopen::{Confidence, NameEvidence, OpenedBy};
use crate::engine::{Context, Result};
use expressions::{Cursor, Value};
use scope::Scope;
use std::path::{Path, PathBuf};
use tokens::{Token, tokens};

/// More notes on names that are made at run time than this are not listed.
const MOST_NOTES: usize = 50;

/// Adds what the files at `places` open to `gathered`, and to `notes` what can't be told. Names that only other systems than
/// that of `format` have are left out.
///
/// # Errors
/// [`crate::engine::Error::Cancelled`]. A file that can't be read is a note.
pub(super) fn read(
    places: &[PathBuf],
    format: Format,
    gathered: &mut Gathered,
    notes: &mut Vec<String>,
    context: &Context,
) -> Result<()> {
    let mut unknown = Vec::new();
    for path in files::python_files(places, notes) {
        context.advance(0)?;
        let Some(source) = files::source(&path, notes) else { continue };
        for opened in opened(&source) {
            let line = opened.line;
            let kind = if opened.by == By::Cffi { "cffi" } else { "ctypes" };
            let mut add = |name: &str, confidence, detail: String| {
                let evidence = NameEvidence {
                    kind: kind.to_owned(),
                    file: path.clone(),
                    section: None,
                    address: None,
                    line: Some(line),
                    function: None,
                    detail: Some(detail),
                };
                gathered.add(name, OpenedBy::Python, confidence, evidence);
            };
            // One of several values may be another's, of another system for one.
            let is_choice = opened.values.len() > 1;
            let (sure, choice) =
                if is_choice { (Confidence::Referred, ", or another") } else { (Confidence::Passed, "") };
            for value in opened.values {
                match value {
                    Value::Text(name) if is_of(&name, opened.by, format) => {
                        add(&name, sure, format!("passed to {}{choice}", opened.function));
                    }
                    Value::Beside(name) if !name.is_empty() && is_of(&name, opened.by, format) => {
                        let name = format!("$PACKAGE/{name}");
                        let detail =
                            format!("passed to {}{choice}; $PACKAGE is the folder of this file", opened.function);
                        add(&name, sure, detail);
                    }
                    Value::Stem(stem) if is_of(&stem, opened.by, format) && !stem.contains(['/', '\\']) => {
                        let detail = format!("the library that ctypes.util.find_library(\"{stem}\") finds");
                        add(&by_stem(&stem, format), Confidence::Pattern, detail);
                    }
                    Value::Unknown => {
                        let place = format!("{}:{line}", path.display());
                        unknown.push(format!("{} with a name made at run time ({place})", opened.function));
                    }
                    _ => {}
                }
            }
        }
    }
    unknown.dedup();
    if let Some(more) = unknown.len().checked_sub(MOST_NOTES).filter(|more| *more > 0) {
        unknown.truncate(MOST_NOTES);
        unknown.push(format!("{more} more calls in Python files with names made at run time"));
    }
    notes.extend(unknown);
    Ok(())
}

/// By which module a library is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// `ctypes`.
    Ctypes,
    /// The part of `ctypes` that only Windows has.
    Windows,
    /// `cffi`.
    Cffi,
}

/// A call that opens a library.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opened {
    by: By,
    /// The function, as its module calls it.
    function: &'static str,
    line: u64,
    values: Vec<Value>,
}

/// The calls in `source`, in its order.
fn opened(source: &str) -> Vec<Opened> {
    if !["ctypes", "cffi", "dlopen"].iter().any(|word| source.contains(word)) {
        return Vec::new();
    }
    let tokens = tokens(source);
    let scope = Scope::read(&tokens);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map(|(token, _)| token);
        let Some((path, behind)) = scope.path(&tokens, at) else {
            at += 1;
            continue;
        };
        at = behind;
        let defines = matches!(before, Some(Token::Name(word)) if word == "def" || word == "class");
        let calls = matches!(tokens.get(behind), Some((Token::Mark('('), _)));
        let line = tokens.get(behind).map_or(0, |(_, line)| *line);
        let Some((by, function)) = opener(&path).filter(|_| calls && !defines && before != Some(&Token::Mark('.')))
        else {
            continue;
        };
        let mut values = Cursor::new(&tokens, &scope, behind + 1).argument("name");
        if function == "find_library" {
            let stems = values.into_iter().filter_map(|value| match value {
                Value::Text(stem) => Some(Value::Stem(stem)),
                Value::Unknown => Some(Value::Unknown),
                _ => None,
            });
            values = stems.collect();
        }
        found.push(Opened { by, function, line, values });
    }
    found
}

/// The function that `path` names, if it opens libraries or finds them.
fn opener(path: &str) -> Option<(By, &'static str)> {
    Some(match path {
        "ctypes.CDLL" => (By::Ctypes, "CDLL"),
        "ctypes.PyDLL" => (By::Ctypes, "PyDLL"),
        "ctypes.cdll.LoadLibrary" => (By::Ctypes, "cdll.LoadLibrary"),
        "ctypes.pydll.LoadLibrary" => (By::Ctypes, "pydll.LoadLibrary"),
        "ctypes.util.find_library" => (By::Ctypes, "find_library"),
        "ctypes.WinDLL" => (By::Windows, "WinDLL"),
        "ctypes.OleDLL" => (By::Windows, "OleDLL"),
        "ctypes.windll.LoadLibrary" => (By::Windows, "windll.LoadLibrary"),
        "ctypes.oledll.LoadLibrary" => (By::Windows, "oledll.LoadLibrary"),
        "cffi.FFI().dlopen" => (By::Cffi, "ffi.dlopen"),
        _ => return None,
    })
}

/// Whether a system with files of `format` can have a library called `name`.
fn is_of(name: &str, by: By, format: Format) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_windows = by == By::Windows || lower.ends_with(".dll") || lower.ends_with(".pyd");
    let is_mac = lower.ends_with(".dylib") || lower.contains(".framework/");
    let is_linux = lower.contains(".so.") || lower.ends_with(".so");
    match format {
        Format::Elf => !is_windows && !is_mac,
        Format::MachO => !is_windows && !lower.contains(".so."),
        Format::Pe => !is_mac && !is_linux,
    }
}

/// A pattern of the names under which `ctypes.util.find_library` finds the library `stem`.
fn by_stem(stem: &str, format: Format) -> String {
    match format {
        Format::Elf => format!("lib{stem}.so*"),
        Format::MachO => format!("lib{stem}*.dylib"),
        Format::Pe => format!("{stem}.dll"),
    }
}

/// Whether `path` is a file of Python.
fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

#[cfg(test)]
mod tests;
