//! `wheelwright diff A B`.

use super::arguments::Diff;
use super::output::Output;
use super::{FINDINGS, OK, diff_text, environment, torn};
use crate::engine::Context;
use crate::engine::compare::{Input, Logged, Question, answer_streaming, made_of, read_log};
use crate::engine::report::diff::AlignedBy;
use crate::engine::stage::journaled_edits;
use color_eyre::Result;

/// Prints what differs.
///
/// # Errors
/// When a file can't be read or the output can't be written.
pub fn diff(arguments: &Diff, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let (a, b) = (environment::absolute(&arguments.a), environment::absolute(&arguments.b));
    for said in torn::mend([a.as_path(), b.as_path()]) {
        output.note(format_args!("note: {said}"));
    }
    let (a, b) = (Input::open(&a)?, Input::open(&b)?);
    let question = Question {
        alignment: arguments.same_offset.then_some(AlignedBy::Offset),
        edits: edits(arguments, &a, &b, &context)?,
        ..Question::default()
    };
    let document = answer_streaming(&a, &b, &question, &mut |_| (), &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        diff_text::print(&document, output)?;
    }
    Ok(if document.equal { OK } else { FINDINGS })
}

/// The edits that are known: those of the documents that were named, else those that a session's journal has of the second
/// file.
fn edits(arguments: &Diff, a: &Input, b: &Input, context: &Context) -> Result<Option<Vec<Logged>>> {
    if !arguments.log.is_empty() {
        let mut edits = Vec::new();
        for log in &arguments.log {
            edits.extend(read_log(&environment::absolute(log), a, b, context)?);
        }
        return Ok(Some(edits));
    }
    let journaled = if b.member.is_some() { None } else { journaled_edits(&b.path)? };
    Ok(match journaled {
        Some(requests) => Some(vec![made_of(a, b, requests)?]),
        None => None,
    })
}
