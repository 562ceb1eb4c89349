//! What a comparison came to, in one line: how many bytes, by which edits, and whether a byte of code is among them.

use crate::engine::report::diff::{DiffDocument, Run};
use std::collections::BTreeSet;

/// Inserted bytes that are a multiple of this are told in pages.
const PAGE: u64 = 4096;

/// The verdict of `document`, whose runs are told and counted.
#[must_use]
pub fn verdict(document: &DiffDocument) -> String {
    if document.equal {
        return "equal to the last byte".to_owned();
    }
    let mut clauses = vec![match (&document.edits, document.unexplained) {
        (Some(_), Some(unexplained)) => explained(document, unexplained),
        _ => plain(document),
    }];
    clauses.extend(code(document));
    clauses.join("; ")
}

/// `43 bytes changed in 5 runs, 4,096 inserted`: nothing is known of edits.
fn plain(document: &DiffDocument) -> String {
    let bytes = &document.bytes;
    let runs = count(document.runs_total, "run", "runs");
    let mut parts = Vec::new();
    if bytes.changed > 0 || (bytes.inserted == 0 && bytes.removed == 0) {
        parts.push(format!("{} changed in {runs}", count(bytes.changed, "byte", "bytes")));
    }
    for (number, verb) in [(bytes.inserted, "inserted"), (bytes.removed, "removed")] {
        match (number, parts.is_empty()) {
            (0, _) => {}
            (_, true) => parts.push(format!("{} {verb} in {runs}", count(number, "byte", "bytes"))),
            (_, false) => parts.push(format!("{} {verb}", grouped(number))),
        }
    }
    parts.join(", ")
}

/// `43 bytes in place, 1 page inserted, all explained by 3 edits`.
fn explained(document: &DiffDocument, unexplained: u64) -> String {
    let bytes = &document.bytes;
    let mut parts = Vec::new();
    if bytes.changed > 0 {
        parts.push(format!("{} in place", count(bytes.changed, "byte", "bytes")));
    }
    for (number, verb) in [(bytes.inserted, "inserted"), (bytes.removed, "removed")] {
        match number {
            0 => {}
            _ if number % PAGE == 0 => parts.push(format!("{} {verb}", count(number / PAGE, "page", "pages"))),
            _ => parts.push(format!("{} {verb}", count(number, "byte", "bytes"))),
        }
    }
    let used: BTreeSet<usize> =
        document.runs.iter().filter_map(|run| run.explained_by.as_ref()).flatten().copied().collect();
    let edits = count(used.len() as u64, "edit", "edits");
    let listed = if document.runs_total > document.runs.len() as u64 { "all that are listed" } else { "all" };
    match unexplained {
        0 => format!("{}, {listed} explained by {edits}", parts.join(", ")),
        _ => {
            let is_unexplained = |run: &&Run| run.explained_by.as_ref().is_some_and(Vec::is_empty);
            let left: u64 = document.runs.iter().filter(is_unexplained).map(|run| run.len).sum();
            let (runs, left) = (count(unexplained, "run", "runs"), count(left, "byte", "bytes"));
            let verb = if unexplained == 1 { "is" } else { "are" };
            let rest = if used.is_empty() { String::new() } else { format!(", the rest by {edits}") };
            format!("{}; {runs} of {left} {verb} explained by nothing{rest}", parts.join(", "))
        }
    }
}

/// `no code byte changed`; nothing where it is not known which bytes are code.
fn code(document: &DiffDocument) -> Option<String> {
    document.runs.iter().find(|run| run.region.is_some())?;
    let what = match document.bytes.code {
        0 => "no code byte changed".to_owned(),
        number => format!("{} changed", count(number, "code byte", "code bytes")),
    };
    let is_cut = document.runs_total > document.runs.len() as u64;
    Some(if is_cut { format!("{what} in the runs that are listed") } else { what })
}

/// A number with its noun, `1 page`, `4,096 bytes`.
fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number in groups of three: `4,096`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::diff::{AlignedBy, Class, DifferingBytes, Map, RunKind};

    fn run(len: u64, region: Option<&str>, explained_by: Option<Vec<usize>>) -> Run {
        Run {
            offset: 0,
            other_offset: 0,
            len,
            kind: RunKind::Changed,
            region: region.map(String::from),
            class: Class::Other,
            meaning: None,
            explained_by,
        }
    }

    fn document(changed: u64, inserted: u64, removed: u64, code: u64, runs: Vec<Run>) -> DiffDocument {
        let is_explained = runs.iter().any(|run| run.explained_by.is_some());
        let unexplained = runs.iter().filter(|run| run.explained_by.as_ref().is_some_and(Vec::is_empty)).count() as u64;
        DiffDocument {
            schema: String::new(),
            a: "a".into(),
            b: "b".into(),
            a_container: None,
            a_member: None,
            b_container: None,
            b_member: None,
            a_size: 9,
            b_size: 9,
            equal: runs.is_empty(),
            verdict: String::new(),
            aligned_by: AlignedBy::Offset,
            bytes_compared: 9,
            bytes_skipped: 0,
            bytes: DifferingBytes { changed, inserted, removed, code },
            edits: is_explained.then(Vec::new),
            unexplained: is_explained.then_some(unexplained),
            runs_total: runs.len() as u64,
            runs,
            by_class: Vec::new(),
            map: Map::default(),
            findings: Vec::new(),
            structure: Vec::new(),
        }
    }

    #[test]
    fn the_table_of_verdicts() {
        let by = |edits: &[usize]| run(40, Some(".dynstr"), Some(edits.to_vec()));
        let nothing = |len| run(len, Some(".text"), Some(Vec::new()));
        let plain = || run(1, Some(".text"), None);
        let table = [
            (document(0, 0, 0, 0, vec![]), "equal to the last byte"),
            (
                document(43, 4096, 0, 0, vec![by(&[0, 2]), by(&[1])]),
                "43 bytes in place, 1 page inserted, all explained by 3 edits; no code byte changed",
            ),
            (
                document(1, 100, 8192, 0, vec![by(&[0])]),
                "1 byte in place, 100 bytes inserted, 2 pages removed, all explained by 1 edit; no code byte changed",
            ),
            (
                document(44, 4096, 0, 1, vec![by(&[0]), nothing(1)]),
                "44 bytes in place, 1 page inserted; 1 run of 1 byte is explained by nothing, the rest by 1 edit; \
                 1 code byte changed",
            ),
            (
                document(1003, 0, 0, 1003, vec![nothing(3), nothing(1000)]),
                "1,003 bytes in place; 2 runs of 1,003 bytes are explained by nothing; 1,003 code bytes changed",
            ),
            (
                document(43, 4096, 0, 0, vec![plain(), plain(), plain(), plain(), plain()]),
                "43 bytes changed in 5 runs, 4,096 inserted; no code byte changed",
            ),
            (document(0, 1_234_567, 0, 0, vec![run(1, None, None)]), "1,234,567 bytes inserted in 1 run"),
            (document(7, 0, 3, 0, vec![run(1, None, None)]), "7 bytes changed in 1 run, 3 removed"),
        ];
        for (document, expected) in table {
            assert_eq!(verdict(&document), expected);
        }
        let mut cut = document(9, 0, 0, 0, vec![plain()]);
        cut.runs_total = 200_000;
        assert_eq!(verdict(&cut), "9 bytes changed in 200,000 runs; no code byte changed in the runs that are listed");
    }
}
