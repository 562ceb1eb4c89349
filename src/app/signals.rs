//! Signals as events: none of them ends the program behind the loop's back.

use super::event::{Event, Signal};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::mpsc::Sender;

/// Sends every signal that matters to `events`, from a thread of its own.
///
/// # Errors
/// When the system refuses a handler.
pub fn listen(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGINT => Signal::Interrupt,
                SIGTSTP => Signal::Suspend,
                SIGCONT => Signal::Continued,
                _ => Signal::Quit,
            };
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
