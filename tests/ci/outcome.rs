//! How a test ends that may find a tool missing.

use super::strict::is_strict;
use libtest_mimic::{Completion, Failed};

/// `Err` is the reason why the test could not be made.
pub fn finish(outcome: Result<(), String>) -> Result<Completion, Failed> {
    match outcome {
        Ok(()) => Ok(Completion::Completed),
        Err(reason) if is_strict() => Err(reason.into()),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    }
}
