//! Traces from elsewhere: documents that were saved, and logs that loaders wrote on other machines.

use super::{SCHEMA, read_log};
use crate::engine::report::audit::Host;
use crate::engine::report::trace::{TraceDocument, TracedProcess};
use crate::engine::{Error, Result};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest document that is read, in bytes.
const LONGEST: u64 = 1 << 30;

#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

/// Reads a document that `trace` wrote.
///
/// # Errors
/// [`Error::Io`] when `path` can't be read; [`Error::Refused`] when it is no such document.
pub fn open(path: &Path) -> Result<TraceDocument> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(Error::io("read", path))?;
    if text.len() as u64 > LONGEST {
        return Err(refused(path, "is longer than 1 GiB".to_owned()));
    }
    let no_document = |error: serde_json::Error| {
        refused(path, format!("is no JSON document: line {}, column {}", error.line(), error.column()))
    };
    let head: Head = serde_json::from_slice(&text).map_err(no_document)?;
    match head.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => return Err(refused(path, format!("is a document of schema {other}, not {SCHEMA}"))),
        None => return Err(refused(path, "has no `schema`".to_owned())),
    }
    serde_json::from_slice(&text).map_err(|error| refused(path, format!("is not what its schema says ({error})")))
}

fn refused(path: &Path, reason: String) -> Error {
    let way_out =
        "name what `wheelwright trace -o FILE -- COMMAND` wrote; a loader's own log is read by --read".to_owned();
    Error::Refused { path: path.to_path_buf(), reason, way_out }
}

/// The document of logs that were written elsewhere: `LD_DEBUG=libs,files LD_DEBUG_OUTPUT=log COMMAND`. It is not compared
/// with trees, since the files are not here, and does not know how the command ended.
///
/// # Errors
/// [`Error::Io`] when a log can't be read; [`Error::Refused`] when nothing in it is a loader's.
pub fn from_logs(logs: &[PathBuf]) -> Result<TraceDocument> {
    let mut processes = Vec::new();
    for path in logs {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let found = read_log(path, BufReader::new(file))?;
        if found.is_empty() {
            return Err(Error::Refused {
                path: path.clone(),
                reason: "holds no line of glibc's loader".to_owned(),
                way_out: "write it by LD_DEBUG=libs,files LD_DEBUG_OUTPUT=FILE COMMAND".to_owned(),
            });
        }
        processes.extend(found);
    }
    let host =
        Host { os: "linux".to_owned(), arch: architecture(&processes).to_owned(), libc: Some("glibc".to_owned()) };
    let mut unseen = vec!["read from the loader's log: how the command ended is not known".to_owned()];
    let nobody = |process: &TracedProcess| process.loads.iter().all(|load| load.asked_by.is_none());
    if processes.iter().any(nobody) {
        unseen.push("LD_DEBUG=libs does not say who asked; LD_DEBUG=libs,files does".to_owned());
    }
    Ok(TraceDocument { schema: SCHEMA.to_owned(), command: Vec::new(), host, ended: None, processes, unseen })
}

/// The architecture, by the name of the loader that says it started.
fn architecture(processes: &[TracedProcess]) -> &'static str {
    const LOADERS: [(&str, &str); 8] = [
        ("ld-linux-x86-64.so.2", "x86_64"),
        ("ld-linux-aarch64.so.1", "aarch64"),
        ("ld-linux-armhf.so.3", "arm"),
        ("ld-linux.so.2", "x86"),
        ("ld64.so.2", "powerpc64"),
        ("ld64.so.1", "s390x"),
        ("ld-linux-riscv64-lp64d.so.1", "riscv64"),
        ("ld-linux-loongarch-lp64d.so.1", "loongarch64"),
    ];
    let paths = processes.iter().flat_map(|process| &process.loads).filter_map(|load| load.path.as_ref());
    let names = paths.filter_map(|path| path.file_name());
    let known = names.filter_map(|name| LOADERS.iter().find(|(loader, _)| name == *loader));
    known.map(|(_, architecture)| *architecture).next().unwrap_or("unknown")
}
