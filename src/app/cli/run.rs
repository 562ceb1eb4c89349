//! `wheelwright run`: the steps carried out, for all artifacts, step by step.

use super::arguments::{Common, Run};
use super::output::Output;
use super::{FINDINGS, INTERRUPTED, OK, TROUBLE, artifacts, effects, environment};
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
/// When an artifact can't be found, an output can't be put back, or the document can't be written.
pub fn run(arguments: &Run, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let mut opened = artifacts::open(&arguments.paths, common, Lenses::Both, &context, output)?;
    let session = &mut opened.session;
    let until = arguments.until.map_or(Step::Finalize, Step::from);
    let planned = session.plan_document(until, &context)?;
    let before = if arguments.json { Session::hashes(touched(&planned, session), &context)? } else { BTreeMap::new() };
    let went = go(session, until, &context);
    let left = session.leave();
    let failures = match went {
        Ok(failures) => failures,
        Err(Error::Cancelled) => {
            left?;
            output.note("wheelwright: interrupted; cargo's outputs are as they were");
            return Ok(INTERRUPTED);
        }
        Err(error) => return Err(error.into()),
    };
    for failure in &failures {
        output.note(format_args!("wheelwright: {failure}"));
    }
    left?;
    let mut document = session.run_document(&planned, &before, &context)?;
    document.bundles = bundles(session, arguments, until, &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        print(&document, output)?;
    }
    let status = if !failures.is_empty() || artifacts::any_unreadable(session) {
        TROUBLE
    } else if session.refusals().next().is_some() || has_errors(session) {
        FINDINGS
    } else {
        OK
    };
    let in_staging = arguments.output.is_none() && !document.bundles.is_empty();
    if in_staging || (until != Step::Finalize && document.states.iter().any(|state| state.edited)) {
        artifacts::keep(opened.sandbox.take(), output);
    }
    Ok(status)
}

/// Takes every step for every artifact; one that is refused or goes wrong stops there, the others go on. What went wrong.
///
/// # Errors
/// [`Error::Cancelled`].
fn go(session: &mut Session, until: Step, context: &Context) -> Result<Vec<Error>, Error> {
    let ids: Vec<ArtifactId> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    let mut stopped = BTreeSet::new();
    let mut failures = Vec::new();
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
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => {
                    stopped.insert(*id);
                    failures.push(error);
                }
            }
            // A step without bytes to count does not see a cancellation by itself.
            context.advance(0)?;
        }
    }
    Ok(failures)
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

/// Where the bundles lie: in staging, or where the user wants copies of them. Several (of several profiles or triples) get a
/// folder each there, named as in staging.
fn bundles(session: &Session, arguments: &Run, until: Step, context: &Context) -> Result<Vec<PathBuf>> {
    let bundles = if until == Step::Finalize { session.bundles() } else { BTreeMap::new() };
    let Some(directory) = arguments.output.as_deref().map(environment::absolute) else {
        return Ok(bundles.into_keys().collect());
    };
    let mut copies = Vec::new();
    for (bundle, files) in &bundles {
        let folder = bundle.parent().and_then(|folder| folder.strip_prefix(&session.places().staging).ok());
        let to = match folder {
            Some(folder) if bundles.len() > 1 => directory.join(folder),
            _ => directory.clone(),
        };
        copy_bundle(bundle, files, &to, context)?;
        copies.push(to.canonicalize().unwrap_or(to));
    }
    Ok(copies)
}

fn has_errors(session: &Session) -> bool {
    let ids = session.project().artifacts.iter().map(|artifact| artifact.id);
    ids.filter_map(|id| session.report(id))
        .any(|report| report.findings.iter().any(|finding| finding.severity == Severity::Error))
}

fn print(document: &RunDocument, output: &mut Output) -> Result<()> {
    for step in &document.steps {
        let done = || step.effects.iter().filter(|effect| effect.done).map(|effect| &effect.effect);
        effects::heading(step.step, done(), output)?;
        for effect in done() {
            effects::effect("✓", effect, output)?;
        }
        effects::remarks(&step.notes, &step.refusals, output)?;
    }
    output.line("")?;
    for state in &document.states {
        let word = if state.edited { "patched" } else { "untouched" };
        output.line(format_args!("{word:<12} {}", state.path.display()))?;
    }
    for load in &document.loads {
        let name = load.artifact.file_name().unwrap_or_default().to_string_lossy();
        output.line(format_args!("{name}: {}: {}", load.verdict.words(), load.why))?;
        for probe in &load.opened {
            match (&probe.path, &probe.error) {
                (_, Some(error)) => output.line(format_args!("{name}: does not open {}: {error}", probe.name))?,
                (path, None) => {
                    let path = path.as_deref().unwrap_or("in the process already");
                    output.line(format_args!("{name}: opens {}: {path}", probe.name))?;
                }
            }
        }
        if let Some(said) = &load.started {
            output.line(format_args!("{name}: its own start then fails: {said}"))?;
        }
    }
    for bundle in &document.bundles {
        output.line(format_args!("{:<12} {}", "bundle", bundle.display()))?;
    }
    Ok(())
}
