//! The instructions beyond the baseline in words: of `wheelwright audit --instructions`.

use super::output::Output;
use crate::engine::report::instructions::{FeatureUse, InstructionsReport};
use crate::engine::report::words::counted;
use color_eyre::Result;

/// How many functions of a feature are shown without `-v`.
const FUNCTIONS: usize = 3;

/// Prints `report`: one line a feature, with the first functions that use it.
///
/// # Errors
/// When the output can't be written.
pub fn print(report: &InstructionsReport, verbose: bool, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {:<13} {}", "instructions", verdict(report)))?;
    for feature in &report.features {
        let level = feature.level.as_deref().unwrap_or("no level");
        let many = counted(count(feature.instructions), "instruction", "instructions");
        let functions = counted(count(feature.functions_total), "function", "functions");
        output.line(format_args!("  {:<13} {}  {level}  {many} in {functions}", "", feature.feature))?;
        print_functions(feature, verbose, output)?;
    }
    Ok(())
}

fn print_functions(feature: &FeatureUse, verbose: bool, output: &mut Output) -> Result<()> {
    let shown = if verbose { feature.functions.len() } else { FUNCTIONS.min(feature.functions.len()) };
    for function in feature.functions.iter().take(shown) {
        let name = function.name.as_deref().map_or_else(|| format!("{:#x}", function.address), str::to_owned);
        output.line(format_args!("  {:<15} {name}  {:#x}: {}", "", function.first, function.example))?;
    }
    let rest = count(feature.functions_total).saturating_sub(shown);
    if rest > 0 {
        output.line(format_args!("  {:<15} and {}", "", counted(rest, "more function", "more functions")))?;
    }
    Ok(())
}

/// What the report says in one line.
fn verdict(report: &InstructionsReport) -> String {
    let marked = report.marked.as_ref().map(|level| format!("; the file says {level}")).unwrap_or_default();
    let all = match (&report.level, report.features.is_empty()) {
        (_, true) => format!("all of {}", report.baseline),
        (Some(level), false) => format!("beyond {}: {level} has all of them", report.baseline),
        (None, false) => format!("beyond {}: no level has all of them", report.baseline),
    };
    format!("{all}{marked}")
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
