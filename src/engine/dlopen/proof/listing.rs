//! What a program's own loader lists of it (ld.so(8), `LD_TRACE_LOADED_OBJECTS`), read as an answer.

use super::answer::{Answer, Request};
use super::process::{End, Ended};
use super::seen::plain;
use std::path::Path;

/// What the loader says of the program of `request`; `None` where it was none, or its loader did not get to the end.
pub(super) fn answer(request: &Request, ended: &Ended) -> Option<Answer> {
    if !request.program || !matches!(ended.end, End::Exited(_)) {
        return None;
    }
    let (listed, said) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    let files: Vec<String> = listed.lines().filter_map(file).collect();
    let missing = listed.lines().filter(|line| line.ends_with("=> not found")).map(|line| line.trim().to_owned());
    let complaints = said.lines().filter(|line| complains(line)).map(|line| line.replace('\t', " "));
    let errors: Vec<String> = missing.chain(complaints).collect();
    // A loader that lists nothing heeds other variables than these.
    if files.is_empty() && errors.is_empty() {
        return None;
    }
    let error = (!errors.is_empty()).then(|| errors.join("; "));
    Some(Answer { loaded: error.is_none(), error, after: files, ..Answer::default() })
}

/// The file of a line such as `libc.so.6 => /lib/libc.so.6 (0x00007f...)`, or without a name before it.
fn file(line: &str) -> Option<String> {
    let (path, _) = line.rsplit_once(" (0x")?;
    let path = path.rsplit_once(" => ").map_or(path, |(_, path)| path).trim();
    path.starts_with('/').then(|| plain(Path::new(path)).display().to_string())
}

fn complains(line: &str) -> bool {
    ["undefined symbol: ", "' not found (required by ", "error while loading", "symbol lookup error"]
        .iter()
        .any(|words| line.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn request() -> Request {
        let path = PathBuf::from("/s");
        Request {
            scratch: path.clone(),
            bundle: path.clone(),
            empty: path.clone(),
            artifact: path,
            module: None,
            preload: Vec::new(),
            probes: Vec::new(),
            hide: Vec::new(),
            keep: Vec::new(),
            program: true,
            python: None,
        }
    }

    fn said(stdout: &str, stderr: &str) -> Option<Answer> {
        let ended = Ended { pid: 1, end: End::Exited(0), stdout: stdout.into(), stderr: stderr.into() };
        answer(&request(), &ended)
    }

    #[test]
    fn a_list_is_read() {
        let whole = "\tlinux-vdso.so.1 (0x1)\n\tliba b.so => /x/y/../liba b.so (0x2)\n\t/lib64/ld.so.2 (0x3)\n";
        let answer = said(whole, "").unwrap();
        assert!(answer.loaded && answer.error.is_none());
        assert_eq!(answer.after, ["/x/liba b.so", "/lib64/ld.so.2"]);
        let missing = said("\tlibg.so => not found\n", "undefined symbol: g\t(./m)\nchatter\n").unwrap();
        assert_eq!(missing.error.as_deref(), Some("libg.so => not found; undefined symbol: g (./m)"));
        assert!(!missing.loaded);
        assert!(said("", "").is_none());
    }
}
