//! Of `wheelwright audit --reach TAG`: what would have to go for the tag, symbol by symbol, and what would stand in its place.

use super::output::{Output, Tone};
use crate::engine::report::audit::{ReachDemand, ReachReport};
use crate::engine::report::words::counted;
use color_eyre::Result;
use std::path::Path;

/// How many demands and functions are shown without `-v`.
const SHOWN: usize = 10;

/// Prints what stands between an artifact and a tag.
///
/// # Errors
/// When the output can't be written.
pub(super) fn print(reach: &ReachReport, verbose: bool, output: &mut Output) -> Result<()> {
    if reach.reached {
        return row("reach", &format!("{}: nothing stands between", reach.tag), output);
    }
    let count = counted(reach.demands.len(), "demand", "demands");
    row("reach", &format!("{}: {count} would have to go", reach.tag), output)?;
    let shown = if verbose { reach.demands.len() } else { SHOWN };
    let mut file: Option<&Path> = None;
    for demand in reach.demands.iter().take(shown) {
        if file != Some(demand.file.as_path()) {
            row("", &output.tone(Tone::Faint, format_args!("in {}", demand.file.display())), output)?;
            file = Some(demand.file.as_path());
        }
        row("", &format!("  {}", what(demand)), output)?;
        row("", &format!("    {}", remedy(demand, &reach.tag)), output)?;
        if let Some(note) = &demand.note {
            row("", &format!("    {note}"), output)?;
        }
        if let Some(users) = users(demand, verbose) {
            row("", &output.tone(Tone::Faint, format_args!("    {users}")), output)?;
        }
    }
    match reach.demands.len().saturating_sub(shown) {
        0 => Ok(()),
        more => row("", &output.tone(Tone::Faint, format_args!("… {more} more with -v")), output),
    }
}

/// What is demanded, of whom.
fn what(demand: &ReachDemand) -> String {
    let library = demand.library.as_deref().unwrap_or("the machine");
    match (&demand.symbol, &demand.version) {
        (Some(symbol), Some(version)) => format!("{symbol}@{version} of {library}"),
        (Some(only), None) | (None, Some(only)) => format!("{only} of {library}"),
        (None, None) => library.to_owned(),
    }
}

/// What would mend it.
fn remedy(demand: &ReachDemand, tag: &str) -> String {
    match (demand.rule.as_str(), &demand.older_version) {
        ("blacklist", _) => "the tag does not promise the symbol: link the library statically, or do without".into(),
        ("libpython", _) => "an extension may not link libpython".into(),
        ("library", _) => "the tag is for another C library".into(),
        ("architecture", _) => "the tag is for another machine".into(),
        (_, Some(older)) => format!("{older} would do: link against an older library, and it is taken"),
        (_, None) if demand.symbol.is_some() && demand.note.is_none() => {
            format!("no version of it is old enough: the function does not exist under this name on machines of {tag}")
        }
        (_, None) => "build it against an older library".into(),
    }
}

/// Who uses it; `None` where the file doesn't tell.
fn users(demand: &ReachDemand, verbose: bool) -> Option<String> {
    let (functions, total) = (demand.functions.as_ref()?, demand.functions_total?);
    if total == 0 {
        return Some("no function is seen to use it".into());
    }
    let shown = if verbose { functions.len() } else { functions.len().min(3) };
    let named = functions.get(..shown).unwrap_or_default().join(", ");
    let more = total.saturating_sub(shown as u64);
    Some(if more == 0 { format!("used by {named}") } else { format!("used by {named} and {more} more") })
}

fn row(name: &str, value: &str, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {name:<13} {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(older: Option<&str>) -> ReachDemand {
        ReachDemand {
            rule: "symbol_version".into(),
            file: "/x/liba.so".into(),
            library: Some("libc.so.6".into()),
            symbol: Some("stat".into()),
            version: Some("GLIBC_2.33".into()),
            older_version: older.map(str::to_owned),
            note: None,
            functions: Some((0..9).map(|number| format!("f{number}")).collect()),
            functions_total: Some(12),
        }
    }

    #[test]
    fn a_remedy_tells_relinking_from_absence() {
        assert_eq!(what(&demand(None)), "stat@GLIBC_2.33 of libc.so.6");
        assert!(remedy(&demand(Some("GLIBC_2.2.5")), "manylinux_2_28").starts_with("GLIBC_2.2.5 would do"));
        assert!(
            remedy(&demand(None), "manylinux_2_28")
                .contains("does not exist under this name on machines of manylinux_2_28")
        );
        assert_eq!(users(&demand(None), false).unwrap(), "used by f0, f1, f2 and 9 more");
        assert!(users(&demand(None), true).unwrap().ends_with("f8 and 3 more"));
    }
}
