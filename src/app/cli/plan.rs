//! `wheelwright plan`: the effects of every step, without one of them.

use super::arguments::{Common, Plan};
use super::output::Output;
use super::{FINDINGS, OK, TROUBLE, artifacts, effects, environment, fit_text};
use crate::engine::audit::Lenses;
use crate::engine::report::plan::Step;
use color_eyre::Result;

/// Prints the plan.
///
/// # Errors
/// When an artifact can't be found or the output can't be written.
pub fn plan(arguments: &Plan, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let mut opened = artifacts::open(&arguments.paths, common, Lenses::Both, &context, output)?;
    let until = arguments.until.map_or(Step::Finalize, Step::from);
    let document = opened.session.plan_document(until, &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        for step in &document.steps {
            effects::heading(step.step, step.effects.iter(), output)?;
            for effect in &step.effects {
                effects::effect("·", effect, output)?;
                if let Some(fit) = &effect.fit {
                    fit_text::print(fit, common.verbose, effects::INDENT, output)?;
                }
            }
            effects::remarks(&step.notes, &step.refusals, output)?;
        }
    }
    Ok(if artifacts::any_unreadable(&opened.session) {
        TROUBLE
    } else if document.steps.iter().any(|step| !step.refusals.is_empty()) {
        FINDINGS
    } else {
        OK
    })
}
