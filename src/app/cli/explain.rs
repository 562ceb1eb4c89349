//! `wheelwright explain CODE`.

use super::arguments::Explain;
use super::output::Output;
use super::{OK, TROUBLE};
use crate::engine::audit;
use color_eyre::Result;

/// Prints a finding's page, or the list of codes.
///
/// # Errors
/// When the output can't be written.
pub fn explain(arguments: &Explain, output: &mut Output) -> Result<u8> {
    let Some(code) = &arguments.code else {
        for code in audit::pages::codes() {
            let title = audit::pages::page(code).and_then(|page| page.lines().next()).unwrap_or_default();
            output.line(title.trim_start_matches('#').trim())?;
        }
        return Ok(OK);
    };
    if let Some(page) = audit::pages::page(&code.to_ascii_uppercase()) {
        output.text(page)?;
        Ok(OK)
    } else {
        output.note(format_args!(
            "wheelwright: there is no finding {code}; the codes are {}",
            audit::pages::codes().collect::<Vec<_>>().join(", ")
        ));
        Ok(TROUBLE)
    }
}
