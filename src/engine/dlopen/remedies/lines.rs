//! Lines to paste: loading a library ahead in Python, linking it from a build script.

use super::Case;
use crate::engine::file::relative_path;
use std::path::Path;

/// What a build script calls; in two parts, since the engine itself prints nothing.
const PRINT: &str = concat!("println", "!");

/// Python that loads `file` of the bundle before the artifact is imported.
pub(super) fn preload(case: &Case<'_>, file: &str) -> Vec<String> {
    let names = &case.artifact.names;
    let root = Path::new("/");
    let way = relative_path(&root.join(&names.artifact_dir), &root.join(&names.libs_dir));
    let parts: Vec<String> = way.iter().map(|part| literal(&part.to_string_lossy())).collect();
    vec![
        format!("# Python, at the top of {}/__init__.py, before anything of it is imported", names.artifact_dir),
        "import ctypes, os".to_owned(),
        format!("_opened = os.path.join(os.path.dirname(__file__), {}, {})", parts.join(", "), literal(file)),
        format!("_opened = ctypes.CDLL(_opened)  # from now on the loader knows it as {}", case.opened.name),
    ]
}

/// A build script that links the library.
pub(super) fn link(case: &Case<'_>) -> Vec<String> {
    let directory = case.library.parent().unwrap_or(Path::new("/"));
    let file = case.library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file.strip_prefix("lib").and_then(|rest| rest.split_once(".so")).map(|(stem, _)| stem);
    let search = format!("cargo:rustc-link-search=native={}", directory.display());
    // `-lfoo` asks for the file without a version, which only a development package has.
    let plain = stem.filter(|stem| directory.join(format!("lib{stem}.so")).exists());
    let kept = match plain {
        Some(stem) => format!("-l{stem}"),
        None => format!("-l:{file}"),
    };
    let mut lines = vec![
        format!("// build.rs: link it, and call it directly instead of opening {}", case.opened.name),
        "fn main() {".to_owned(),
        print(&search),
    ];
    match plain {
        Some(stem) => lines.push(print(&format!("cargo:rustc-link-lib=dylib={stem}"))),
        None => lines.push(print(&format!("cargo:rustc-link-arg-cdylib={kept}"))),
    }
    let always = format!("cargo:rustc-link-arg-cdylib=-Wl,--push-state,--no-as-needed,{kept},--pop-state");
    lines.push(
        "    // Only where none of its functions is called by name; the linker leaves it out otherwise:".to_owned(),
    );
    lines.push(format!("    // {}", print(&always).trim_start()));
    lines.push("}".to_owned());
    lines
}

/// A line of a build script that tells cargo `text`.
fn print(text: &str) -> String {
    format!("    {PRINT}({});", literal(text).replace('{', "{{").replace('}', "}}"))
}

/// `text` as a string of Rust and Python.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
