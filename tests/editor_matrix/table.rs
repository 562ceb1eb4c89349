//! The table of what was tried and what came of it.

use std::fmt::Write as _;
use std::sync::Mutex;
use wheelwright::engine::repair::EditPlan;
use wheelwright::engine::report::fit::{RelroFate, Strategy};

/// One case of one file.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Machine or linker, language and layout.
    pub label: String,
    /// What the file is.
    pub kind: &'static str,
    /// What was asked for.
    pub edit: &'static str,
    /// The strategies of its edits, each once.
    pub strategies: Vec<Strategy>,
    /// What became of RELRO: the worst of its edits.
    pub relro: Option<RelroFate>,
    /// Bytes before the first edit.
    pub size_before: u64,
    /// Bytes after the last.
    pub size_after: u64,
    /// What is wrong.
    pub faults: Vec<String>,
}

impl Row {
    /// Notes what `plan` says.
    pub fn of_plan(&mut self, plan: &EditPlan) {
        let Some(fit) = &plan.fit else { return };
        if !self.strategies.contains(&fit.strategy) {
            self.strategies.push(fit.strategy);
        }
        if self.relro != Some(RelroFate::Lost) {
            self.relro = Some(fit.relro);
        }
    }

    fn words(&self) -> [String; 7] {
        let strategies: Vec<String> = self.strategies.iter().map(|one| format!("{one:?}")).collect();
        let relro = self.relro.map_or_else(|| "-".to_owned(), |fate| format!("{fate:?}").to_lowercase());
        let growth = self.size_after as i64 - self.size_before as i64;
        let result = if self.faults.is_empty() { "ok".to_owned() } else { format!("{} faults", self.faults.len()) };
        let edit = self.edit.to_owned();
        [self.label.clone(), self.kind.to_owned(), edit, strategies.join("+"), format!("{growth:+}"), relro, result]
    }
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Adds `row`.
pub fn add(row: Row) {
    ROWS.lock().unwrap().push(row);
}

/// The table as text, sorted.
pub fn text() -> String {
    let mut rows: Vec<[String; 7]> = ROWS.lock().unwrap().iter().map(Row::words).collect();
    rows.sort();
    let head = ["linker", "kind", "edit", "strategy", "growth", "RELRO", "result"].map(str::to_owned);
    rows.insert(0, head);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (word, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{word:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
