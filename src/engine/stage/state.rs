//! The states of an artifact, as a machine whose wrong transitions can't be written.

use crate::engine::report::audit::StagingState;

/// Where an artifact's clean bytes and its staged file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Untouched, at its own path.
    NotStaged,
    /// Its inode lies in staging; its own path is empty.
    Renamed,
    /// A copy lies in staging; its own path is untouched.
    Mirrored,
    /// Its own path holds the clean bytes; the staged file is free to be edited.
    Patched,
}

/// What moves an artifact from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Staging by rename.
    StageByRename,
    /// Staging by copy.
    StageByCopy,
    /// Giving cargo its bytes again before an edit.
    CopyBack,
    /// The end of the pipeline.
    Finalize,
}

impl State {
    /// The state after `transition`; `None` where there is no such arrow.
    #[must_use]
    pub fn after(self, transition: Transition) -> Option<Self> {
        match (self, transition) {
            (Self::NotStaged, Transition::StageByRename) => Some(Self::Renamed),
            (Self::NotStaged, Transition::StageByCopy) => Some(Self::Mirrored),
            (Self::Renamed | Self::Mirrored, Transition::CopyBack) => Some(Self::Patched),
            (Self::Renamed | Self::Mirrored, Transition::Finalize) => Some(Self::NotStaged),
            (Self::Patched, Transition::Finalize) => Some(Self::Patched),
            _ => None,
        }
    }
}

impl From<State> for StagingState {
    fn from(state: State) -> Self {
        match state {
            State::NotStaged => Self::NotStaged,
            State::Renamed => Self::Renamed,
            State::Mirrored => Self::Mirrored,
            State::Patched => Self::Patched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_design() {
        use {State::*, Transition::*};
        let arrows = [
            (NotStaged, StageByRename, Renamed),
            (NotStaged, StageByCopy, Mirrored),
            (Renamed, CopyBack, Patched),
            (Mirrored, CopyBack, Patched),
            (Renamed, Finalize, NotStaged),
            (Mirrored, Finalize, NotStaged),
            (Patched, Finalize, Patched),
        ];
        for from in [NotStaged, Renamed, Mirrored, Patched] {
            for by in [StageByRename, StageByCopy, CopyBack, Finalize] {
                let expected = arrows.iter().find(|arrow| arrow.0 == from && arrow.1 == by).map(|arrow| arrow.2);
                assert_eq!(from.after(by), expected, "{from:?} {by:?}");
            }
        }
    }
}
