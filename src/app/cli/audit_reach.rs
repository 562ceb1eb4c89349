//! The part of `wheelwright audit` on one platform tag: what it would take to bear it.

use super::output::Output;
use crate::engine::report::audit::{ReachDemand, ReachReport};
use crate::engine::report::words::policy_rule;
use color_eyre::Result;
use std::path::Path;

/// How many functions are named without `-v`.
const FUNCTIONS: usize = 4;

/// Prints what stands between an artifact and a tag.
///
/// # Errors
/// When the output can't be written.
pub fn print(reach: &ReachReport, verbose: bool, output: &mut Output) -> Result<()> {
    if reach.reached {
        return super::audit::row("reach", format_args!("nothing stands between it and {}", reach.tag), output);
    }
    super::audit::row("reach", format_args!("to bear {}, these would have to go:", reach.tag), output)?;
    let mut file: Option<&Path> = None;
    for demand in &reach.demands {
        if file != Some(&demand.file) {
            file = Some(&demand.file);
            super::audit::row("", format_args!("in {}", demand.file.display()), output)?;
        }
        super::audit::row("", format_args!("  {}", one(demand)), output)?;
        if demand.weak {
            super::audit::row("", "    weak: the code asks whether it is there, but its version is demanded", output)?;
        }
        if let Some(older) = &demand.older_version {
            super::audit::row("", format_args!("    {older} of the same symbol would do"), output)?;
        }
        if let (Some(functions), Some(total)) = (&demand.functions, demand.functions_total)
            && !functions.is_empty()
        {
            let shown = if verbose { functions.len() } else { FUNCTIONS.min(functions.len()) };
            let names = functions.get(..shown).unwrap_or_default().join(", ");
            let more = total.saturating_sub(shown as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            super::audit::row("", format_args!("    used by {names}{more}"), output)?;
        }
    }
    Ok(())
}

fn one(demand: &ReachDemand) -> String {
    let library = demand.library.as_ref().map(|library| format!(" of {library}")).unwrap_or_default();
    match (&demand.symbol, &demand.version) {
        (Some(symbol), Some(version)) => format!("{symbol}@{version}{library}"),
        (Some(symbol), None) => format!("{symbol}{library}: {}", policy_rule(&demand.rule)),
        (None, Some(version)) => format!("version {version}{library}, without any symbol of it"),
        (None, None) => format!("{}{library}", policy_rule(&demand.rule)),
    }
}
