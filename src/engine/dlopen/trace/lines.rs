//! The lines of a loader's log, each with the process that wrote it.
//!
//! A line is written at once, but for the list of a search, which is written directory by directory: with two processes on
//! one file (after fork(2)) the lines of one may stand inside the list of the other. The parts are put together here.

use crate::engine::{Error, Result};
use std::io::BufRead;
use std::path::Path;

/// The longest line that is kept, in bytes; what is beyond is dropped. A list of a few thousand directories is shorter.
const LONGEST: usize = 1 << 20;

/// How wide a process id is written (`elf/dl-printf.c`).
const WIDTH: usize = 10;

/// Calls `each` for every line of `text` that a loader wrote: with the process id, and the text after it.
///
/// # Errors
/// [`Error::Io`] when `text`, the file at `path`, can't be read.
pub(super) fn each_line(path: &Path, text: &mut impl BufRead, mut each: impl FnMut(u32, &[u8])) -> Result<()> {
    let mut line = Vec::new();
    let mut open = Vec::new();
    while read_line(text, &mut line).map_err(Error::io("read", path))? {
        take_apart(&line, &mut open, &mut each);
    }
    Ok(())
}

/// Reads a line without its end; `false` at the end of the file.
fn read_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = match text.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let room = LONGEST.saturating_sub(line.len());
        line.extend(part.iter().take(room));
        let used = end.map_or(buffer.len(), |end| end + 1);
        text.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// A list that is not complete yet.
struct Open {
    pid: u32,
    text: Vec<u8>,
}

/// Gives `each` the lines that stand in `line`, and keeps the beginnings of lists in `open`.
fn take_apart(line: &[u8], open: &mut Vec<Open>, each: &mut impl FnMut(u32, &[u8])) {
    let mut rest = line;
    let mut owner: Option<u32> = None;
    loop {
        // A tag inside a line cuts it: what stood before goes on in a later line.
        let next = next_tag(rest);
        let text = next.map_or(rest, |(at, ..)| rest.get(..at).unwrap_or_default());
        let is_complete = next.is_none();
        match owner {
            Some(pid) if is_complete && !is_open_list(text) => each(pid, text),
            Some(pid) if is_open_list(text) => open.push(Open { pid, text: text.to_vec() }),
            Some(_) => {}
            None => go_on(text, is_complete, open, each),
        }
        let Some((_, pid, after)) = next else { return };
        owner = Some(pid);
        rest = after;
    }
}

/// Whether `text` is the list of a search without its end.
fn is_open_list(text: &[u8]) -> bool {
    text.starts_with(b" search path=") && !text.ends_with(b")")
}

/// A text without a tag: the rest of the list that was begun last.
fn go_on(text: &[u8], is_complete: bool, open: &mut Vec<Open>, each: &mut impl FnMut(u32, &[u8])) {
    let Some(last) = open.last_mut() else { return };
    let goes_on = text.starts_with(b":") || text.starts_with(b"\t\t(") || last.text.ends_with(b"=");
    if text.is_empty() || !goes_on {
        return;
    }
    let room = LONGEST.saturating_sub(last.text.len());
    last.text.extend(text.iter().take(room));
    if is_complete && let Some(done) = open.pop() {
        each(done.pid, &done.text);
    }
}

/// The next tag in `text`: where it begins, the process id, and what follows.
fn next_tag(text: &[u8]) -> Option<(usize, u32, &[u8])> {
    memchr::memmem::find_iter(text, b":\t").find_map(|colon| {
        let begin = colon.checked_sub(WIDTH)?;
        let tag = text.get(begin..colon)?;
        let digits = tag.trim_ascii_start();
        let pid = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some((begin, pid.parse().ok()?, text.get(colon + 2..)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u32, String)> {
        let mut found = Vec::new();
        let add = |pid, line: &[u8]| found.push((pid, String::from_utf8_lossy(line).into_owned()));
        each_line(Path::new("log"), &mut text.as_bytes(), add).unwrap();
        found
    }

    #[test]
    fn lines_have_an_owner_and_other_text_has_none() {
        let text = "        12:\t\n        12:\tcalling init: /a\nhello\n  34: no\n       345:\t  trying file=/b:c\n";
        assert_eq!(lines(text), [(12, "".into()), (12, "calling init: /a".into()), (345, "  trying file=/b:c".into())]);
    }

    #[test]
    fn a_list_with_anothers_lines_inside_is_put_together() {
        let text = "        12:\t search path=/a        13:\t\n        13:\tcalling init: /x\n:/b        13:\t\n:/c\t\t(RPATH from file /p)\n";
        assert_eq!(
            lines(text),
            [
                (13, "".into()),
                (13, "calling init: /x".into()),
                (13, "".into()),
                (12, " search path=/a:/b:/c\t\t(RPATH from file /p)".into())
            ]
        );
    }

    #[test]
    fn a_line_without_end_costs_no_more_than_its_bound() {
        let text = format!("        12:\t{}\n        12:\tcalling init: /a\n", "x".repeat(3 * LONGEST));
        let found = lines(&text);
        assert_eq!(found.len(), 2);
        assert!(found[0].1.len() <= LONGEST);
        assert_eq!(found[1], (12, "calling init: /a".to_string()));
    }
}
