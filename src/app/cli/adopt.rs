//! `--adopt` and `--try-remedies`: from what the user writes to the session's adoptions.

use super::arguments::Common;
use crate::engine::dlopen::remedies::{kind_names, kind_of, name_of};
use crate::engine::project::ArtifactId;
use crate::engine::report::dlopen::{OpenedVerdict, RemedyKind};
use crate::engine::stage::Session;
use crate::engine::{Context, Error};
use color_eyre::Result;
use color_eyre::eyre::eyre;

/// Takes what the command line adopts into the plan of `session`.
///
/// # Errors
/// When a value can't be read, names nothing that is here, or can't be had.
pub fn adopt(session: &mut Session, common: &Common, context: &Context) -> Result<()> {
    for text in &common.adopt {
        let said = |error: Error| match error {
            Error::Refused { path, reason, way_out } => {
                let artifact = path.file_name().unwrap_or_default().to_string_lossy();
                eyre!("--adopt {text}: {artifact} {reason}; {way_out}")
            }
            other => other.into(),
        };
        let (kind, name, artifact) = parse(text)?;
        let hosts = match artifact {
            Some(artifact) => named(session, artifact),
            None => openers(session, name, context)?,
        };
        if hosts.is_empty() {
            return Err(match artifact {
                Some(artifact) => eyre!("--adopt {text}: no artifact here is called {artifact}"),
                None => eyre!(
                    "--adopt {text}: no artifact here is seen to open {name}; name the one that does: {}:{name}@ARTIFACT",
                    name_of(kind)
                ),
            });
        }
        for id in hosts {
            let adoption = session.adoption(id, kind, name, context).map_err(said)?;
            session.adopt(adoption, context).map_err(said)?;
        }
    }
    Ok(())
}

/// `KIND:NAME[@ARTIFACT]`.
fn parse(text: &str) -> Result<(RemedyKind, &str, Option<&str>)> {
    let kinds: Vec<&str> = kind_names().collect();
    let kinds = kinds.join(", ");
    let (kind, rest) = text
        .split_once(':')
        .filter(|(_, rest)| !rest.is_empty())
        .ok_or_else(|| eyre!("--adopt {text}: write it as KIND:NAME or KIND:NAME@ARTIFACT; the kinds are {kinds}"))?;
    let kind = kind_of(kind).ok_or_else(|| eyre!("--adopt {text}: there is no {kind}; the kinds are {kinds}"))?;
    match rest.rsplit_once('@') {
        Some((name, artifact)) if !name.is_empty() && !artifact.is_empty() => Ok((kind, name, Some(artifact))),
        _ => Ok((kind, rest, None)),
    }
}

/// The artifacts of this file name, in the target directory or in the wheel.
fn named(session: &Session, name: &str) -> Vec<ArtifactId> {
    let artifacts = session.project().artifacts.iter();
    artifacts.filter(|one| one.name == name || one.names.file_name == name).map(|artifact| artifact.id).collect()
}

/// The artifacts that are seen to open `name`.
fn openers(session: &mut Session, name: &str, context: &Context) -> Result<Vec<ArtifactId>> {
    let ids: Vec<ArtifactId> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    let mut found = Vec::new();
    for id in ids {
        session.look_into_opened(id, context)?;
        let opened = session.report(id).and_then(|report| report.dlopen).and_then(|opened| opened.candidates);
        if opened.iter().flatten().any(|candidate| candidate.name == name) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Tries every remedy that may help a name that is not found in the bundle; the reports keep what came of it.
///
/// # Errors
/// [`Error::Cancelled`]. What can't be tried is left untried.
pub fn try_remedies(session: &mut Session, context: &Context) -> Result<()> {
    let ids: Vec<ArtifactId> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    for id in ids {
        session.look_into_opened(id, context)?;
        let opened = session.report(id).and_then(|report| report.dlopen).and_then(|opened| opened.candidates);
        for candidate in opened.unwrap_or_default() {
            let works = candidate.verdict == OpenedVerdict::Works;
            for remedy in candidate.remedies.iter().filter(|remedy| !works && remedy.kind != RemedyKind::LinkIt) {
                let adoption = session.adoption(id, remedy.kind, &candidate.name, context);
                let tried = adoption.and_then(|adoption| session.try_remedy(&adoption, context));
                match tried {
                    Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
                    // Why it can't be had stands in the remedy.
                    Err(Error::Refused { .. }) | Ok(_) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_adopted_is_read() {
        let read = |text| parse(text).unwrap();
        assert_eq!(read("keep-soname:libfoo.so.1"), (RemedyKind::KeepSoname, "libfoo.so.1", None));
        assert_eq!(read("add-rpath:lib@x.so@libb.so"), (RemedyKind::AddRpath, "lib@x.so", Some("libb.so")));
        for text in ["keep", "keep-name:", "keep-it:libfoo.so"] {
            let said = parse(text).unwrap_err().to_string();
            assert!(said.starts_with(&format!("--adopt {text}: ")) && said.contains("add-rpath, add-needed"), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
