//! What the user can ask for, in meaning and not in keys, and what the update asks of the run loop.

use super::cursor::Motion;
use super::jobs::Job;
use super::panel::Panel;

/// Something the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Move in whatever has the focus.
    Move(Motion),
    /// Choose the artifact above or below, wherever the focus is.
    Artifact(Motion),
    /// Give the focus to the list of artifacts.
    FocusArtifacts,
    /// Give the focus to the panel.
    FocusPanel,
    /// Show a panel.
    Show(Panel),
    /// Show the next panel.
    NextPanel,
    /// Show the panel before.
    PreviousPanel,
    /// Open the chosen thing as a whole page.
    Open,
    /// Fold or unfold the chosen branch.
    Fold,
    /// Scroll the lower part of the panel up.
    DetailUp,
    /// Scroll the lower part of the panel down.
    DetailDown,
    /// Go to the next changed range.
    NextChange,
    /// Go to the changed range before.
    PreviousChange,
    /// Go to the first changed range of the next part of the files that has one.
    NextPart,
    /// Go to the first changed range of the part before that has one.
    PreviousPart,
    /// Order the changed ranges by something else.
    Reorder,
    /// Begin to type a place of the compared files.
    GoTo,
    /// Begin to type what to search the compared files for.
    Search,
    /// Search on.
    NextMatch,
    /// Search backwards.
    PreviousMatch,
    /// Show the two lenses side by side, or the tree again.
    Lenses,
    /// Work out what it would take to bear the chosen tag.
    Reach,
    /// Show how the chosen edit fits, or its layout.
    Fit,
    /// Show how the next edit fits.
    NextEdit,
    /// Show how the edit before fits.
    PreviousEdit,
    /// Order the layout by file offsets or by addresses.
    FitOrder,
    /// Try the chosen remedy for a name that is opened: load the bundle as it would be with it.
    TryRemedy,
    /// Take the chosen remedy into the plan, or out of it.
    AdoptRemedy,
    /// Choose the next remedy.
    NextRemedy,
    /// Choose the remedy before.
    PreviousRemedy,
    /// Begin to type a filter.
    Find,
    /// Take the chosen artifact's next step.
    Step,
    /// Take every artifact's next step.
    StepAll,
    /// Take all steps of all artifacts.
    ToTheEnd,
    /// Undo the chosen artifact's last step.
    Undo,
    /// Look at the chosen artifact again.
    Audit,
    /// Compute the SHA-256 of the chosen artifact's files.
    Hash,
    /// Put the chosen row on the clipboard.
    Copy,
    /// Open the chosen thing in the pager or editor.
    Pager,
    /// Show all keys.
    Help,
    /// Close what is open, clear the filter, or cancel the running job.
    Close,
    /// Accept what was typed or chosen in an overlay.
    Accept,
    /// Erase the last typed character.
    Erase,
    /// Draw everything anew.
    Redraw,
    /// Go to the background.
    Suspend,
    /// Put cargo's outputs back and end.
    Quit,
}

/// Something the update wants the run loop to do.
#[derive(Debug)]
pub enum Command {
    /// Give a job to its worker.
    Start(Job),
    /// Put a text on the clipboard.
    Copy(String),
    /// Show a text in the pager or editor.
    Pager {
        /// What the text is, fit for a file name.
        name: String,
        /// The text.
        text: String,
    },
    /// Clear the terminal and draw everything.
    Redraw,
    /// Stop the process group until it is continued.
    Suspend,
    /// Take the terminal back after the process was continued.
    Resume,
    /// Leave.
    Quit,
}
