//! A hundred edits by turns: the file grows by the largest of them and at most two pages, and runs.

use crate::edits::by_turns;
use crate::judge::{Bench, Subject, size};
use crate::readelf::Shown;
use crate::table::Row;
use wheelwright::engine::repair::EditRequest;

const EDITS: usize = 100;

/// Edits copies of `subject` in both ways, then one of them a hundred times by turns.
pub fn grow(subject: &Subject<'_>) -> Row {
    let edit = "100 by turns";
    let mut row = Row { label: subject.label.clone(), kind: subject.kind.name(), edit, ..Row::default() };
    if let Err(said) = turns(subject, &mut row) {
        row.faults.push(format!("{said}  [{} {} {edit}]", row.label, row.kind));
    }
    row
}

fn turns(subject: &Subject<'_>, row: &mut Row) -> Result<(), String> {
    let mut bench = Bench::new(subject)?;
    let shown = Shown::of(&bench.file())?;
    let mut names = shown.names();
    let interpreter = match &names.interpreter {
        Some(real) => bench.interpreter(real)?,
        None => String::new(),
    };
    let edits = by_turns(subject.kind, &interpreter);
    row.size_before = size(&bench.file())?;
    let single = |requests: &[EditRequest]| {
        let mut copy = Bench::new(subject)?;
        copy.edit(requests)?;
        size(&copy.file())
    };
    let largest = single(&edits[0])?.max(single(&edits[1])?);
    for number in 0..EDITS {
        let requests = &edits[number % 2];
        let plan = bench.edit(requests).map_err(|said| format!("edit {number}: {said}"))?;
        names = names.after(requests);
        row.of_plan(&plan);
    }
    row.size_after = size(&bench.file())?;
    bench.run(&bench.file(), &names)?;
    // A page of the file itself: what its segments are aligned to.
    let page = shown.loads().map(|load| load.alignment).max().unwrap_or(0);
    if row.size_after > largest + 2 * page {
        let (before, after) = (row.size_before, row.size_after);
        return Err(format!("{before} bytes became {after}; the larger of the edits alone makes {largest}"));
    }
    Ok(())
}
