//! `wheelwright run`: the steps carried out, for all artifacts, step by step.

use super::arguments::{Common, Run};
use super::output::Output;
use super::{FINDINGS, OK, artifacts, effects, environment};
use crate::engine::audit::Lenses;
use crate::engine::project::ArtifactId;
use crate::engine::report::audit::Severity;
use crate::engine::report::plan::{PlanDocument, Step};
use crate::engine::report::run::RunDocument;
use crate::engine::stage::{Outcome, Session, copy_bundle};
use crate::engine::{Context, Error};
use color_eyre::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Carries the steps out and prints what was done. Whatever happens, cargo's outputs are put back.
///
/// # Errors
/// When an artifact can't be found, a step goes wrong, or the output can't be written.
pub fn run(arguments: &Run, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let mut session = artifacts::open(&arguments.paths, common, Lenses::Both, &context, output)?;
    let until = arguments.until.map_or(Step::Finalize, Step::from);
    let planned = session.plan_document(until, &context)?;
    let before = if arguments.json { Session::hashes(touched(&planned, &session), &context)? } else { BTreeMap::new() };
    let went = go(&mut session, until, &context);
    let left = session.leave();
    went?;
    left?;
    let mut document = session.run_document(&planned, &before, &Context::new())?;
    document.bundle = bundle(&session, arguments, until)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        print(&document, common.verbose, output)?;
    }
    Ok(if session.refusals().next().is_some() || has_errors(&session) { FINDINGS } else { OK })
}

/// Takes every step for every artifact; one that is refused or goes wrong stops there, the others go on.
fn go(session: &mut Session, until: Step, context: &Context) -> Result<()> {
    let ids: Vec<ArtifactId> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    let mut stopped = BTreeSet::new();
    let mut first_error = None;
    for step in Step::ALL.into_iter().filter(|step| *step <= until) {
        for id in &ids {
            if stopped.contains(id) || session.next_step(*id) != Some(step) {
                continue;
            }
            match session.step(*id, context) {
                Ok(Outcome::Taken(_) | Outcome::AtTheEnd) => {}
                Ok(Outcome::Refused(_)) => {
                    stopped.insert(*id);
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
                Err(error) => {
                    stopped.insert(*id);
                    first_error.get_or_insert(error);
                }
            }
            // A step without bytes to count does not see a cancellation by itself.
            context.advance(0)?;
        }
    }
    first_error.map_or(Ok(()), |error| Err(error.into()))
}

/// The files whose hashes the document gives: those that effects touch, and every artifact.
fn touched(planned: &PlanDocument, session: &Session) -> BTreeSet<PathBuf> {
    let mut paths: BTreeSet<PathBuf> =
        session.project().artifacts.iter().map(|artifact| artifact.path.clone()).collect();
    for effect in planned.steps.iter().flat_map(|step| &step.effects) {
        match effect.kind.as_str() {
            "mkdir" | "symlink" => {}
            _ => {
                paths.insert(effect.path.clone());
                paths.extend(effect.to.clone());
            }
        }
    }
    paths
}

fn bundle(session: &Session, arguments: &Run, until: Step) -> Result<Option<PathBuf>> {
    if until != Step::Finalize {
        return Ok(None);
    }
    let bundles = session.bundles();
    match &arguments.output {
        None => Ok(bundles.into_iter().next()),
        Some(directory) => {
            let directory = environment::absolute(directory);
            for bundle in bundles {
                copy_bundle(&bundle, &directory, &Context::new())?;
            }
            Ok(Some(directory))
        }
    }
}

fn has_errors(session: &Session) -> bool {
    let ids = session.project().artifacts.iter().map(|artifact| artifact.id);
    ids.filter_map(|id| session.report(id))
        .any(|report| report.findings.iter().any(|finding| finding.severity == Severity::Error))
}

fn print(document: &RunDocument, verbose: bool, output: &mut Output) -> Result<()> {
    for step in &document.steps {
        effects::heading(
            step.step,
            step.effects.iter().filter(|effect| effect.done).map(|effect| &effect.effect),
            output,
        )?;
        for effect in step.effects.iter().filter(|effect| effect.done) {
            if verbose || effect.effect.kind != "mkdir" {
                effects::effect("✓", &effect.effect, output)?;
            }
        }
        for note in &step.notes {
            output.line(format_args!("  note {note}"))?;
        }
        for refusal in &step.refusals {
            effects::refusal(refusal, output)?;
        }
    }
    for state in &document.states {
        let edited = if state.edited { "edited" } else { "untouched" };
        output.line(format_args!("{}  {edited}", state.path.display()))?;
    }
    if let Some(bundle) = &document.bundle {
        output.line(format_args!("bundle: {}", bundle.display()))?;
    }
    Ok(())
}
