//! Everything that the run loop waits for, on one channel.

use super::receive::WorkerEvent;
use crossterm::event::{KeyEvent, MouseEvent};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// A mouse button or the wheel.
    Mouse(MouseEvent),
    /// Pasted text.
    Paste(String),
    /// The terminal has another size, in columns and rows.
    Resize(u16, u16),
    /// The terminal can't be read any more.
    InputEnded,
    /// A signal.
    Signal(Signal),
    /// A worker has something to say.
    Worker(WorkerEvent),
    /// A tenth of a second went by while something was going on.
    Tick,
}

/// A signal that means something to the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGHUP.
    Quit,
    /// SIGINT from outside; the key comes as a key.
    Interrupt,
    /// SIGTSTP from outside.
    Suspend,
    /// SIGCONT.
    Continued,
}
