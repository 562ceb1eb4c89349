//! The Python entry points of an extension module: `PyInit_x` (PEP 489) and `PyModExport_x` (PEP 793).

use crate::engine::Result;
use crate::engine::binary::{Binary, exported_with_prefixes};
use crate::engine::file::ReadAt;
use crate::engine::report::audit::{ArtifactKind, EntryPoints};

/// The names that entry points begin with.
pub const PREFIXES: [&str; 2] = ["PyInit_", "PyModExport_"];

/// The entry points that `binary`, read from `source`, exports, with the module name that is expected of it; `None` for a
/// kind of artifact that is no extension module.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the symbol tables lead out of the file.
pub fn entry_points(
    binary: &Binary,
    source: &dyn ReadAt,
    kind: ArtifactKind,
    expected: Option<&str>,
) -> Result<Option<EntryPoints>> {
    if !matches!(kind, ArtifactKind::Cdylib | ArtifactKind::Extension) {
        return Ok(None);
    }
    let prefixes = PREFIXES.map(str::as_bytes);
    let names = exported_with_prefixes(source, binary, &prefixes)?;
    let found = names.iter().map(|name| name.to_text().into_owned()).collect();
    Ok(Some(EntryPoints { expected: expected.map(str::to_string), found }))
}

/// Whether Python finds the module under the name that is expected; `None` when no name is known.
#[must_use]
pub fn is_importable(points: &EntryPoints) -> Option<bool> {
    let expected = points.expected.as_deref()?;
    Some(points.found.iter().any(|name| PREFIXES.iter().any(|prefix| name.strip_prefix(prefix) == Some(expected))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary;
    use crate::engine::file::Windows;

    fn look(code: &str, kind: ArtifactKind, expected: Option<&str>) -> Option<EntryPoints> {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("a.c"), directory.path().join("a.so"));
        std::fs::write(&source, code).unwrap();
        let mut compile = std::process::Command::new("cc");
        assert!(compile.args(["-shared", "-fPIC", "-o"]).args([&output, &source]).status().unwrap().success());
        let windows = Windows::open(&output).unwrap();
        entry_points(&binary::read(&windows).unwrap(), &windows, kind, expected).unwrap()
    }

    #[test]
    fn exported_entry_points_are_found() {
        let code = "void *PyInit_one(void) { return 0; } void *PyModExport_two(void) { return 0; }\n\
                    static void *PyInit_hidden(void) { return 0; } void *keep(void) { return PyInit_hidden(); }\n\
                    extern void *PyInit_absent(void); void *use(void) { return PyInit_absent(); }\n";
        let points = look(code, ArtifactKind::Cdylib, Some("one")).unwrap();
        assert_eq!(points.found, ["PyInit_one", "PyModExport_two"]);
        assert_eq!(is_importable(&points), Some(true));
        assert_eq!(is_importable(&EntryPoints { expected: Some("two".into()), ..points.clone() }), Some(true));
        assert_eq!(is_importable(&EntryPoints { expected: Some("hidden".into()), ..points.clone() }), Some(false));
        assert_eq!(is_importable(&EntryPoints { expected: None, ..points }), None);
    }

    #[test]
    fn programs_and_plain_libraries_have_none() {
        assert!(look("void *PyInit_one(void) { return 0; }", ArtifactKind::Bin, Some("one")).is_none());
        assert_eq!(look("int f;", ArtifactKind::Extension, None).unwrap().found, Vec::<String>::new());
    }
}
