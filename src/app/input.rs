//! The thread that reads the terminal. It can be parked, so that a pager or editor has the terminal to itself.

use super::event::Event;
use crossterm::event::{self, MouseEventKind};
use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a read waits before it looks whether it shall park.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the loop wants of the reader, and what the reader does.
#[derive(Debug, Default)]
struct Gate {
    closed: bool,
    parked: bool,
}

/// The handle to the reading thread.
#[derive(Debug, Clone)]
pub struct Input {
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

impl Input {
    /// Starts to read; what is read goes to `events`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(events: Sender<Event>) -> io::Result<Self> {
        let input = Self { gate: Arc::default() };
        let reader = input.clone();
        std::thread::Builder::new().name("input".into()).spawn(move || reader.read(&events))?;
        Ok(input)
    }

    /// Stops reading; returns only when the reader has let go of the terminal.
    pub fn park(&self) {
        let (_, changed) = &*self.gate;
        let mut gate = self.lock();
        gate.closed = true;
        while !gate.parked {
            gate = changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads on.
    pub fn resume(&self) {
        self.lock().closed = false;
        self.gate.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.gate.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_open(&self) {
        let (_, changed) = &*self.gate;
        let mut gate = self.lock();
        while gate.closed {
            gate.parked = true;
            changed.notify_all();
            gate = changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        gate.parked = false;
    }

    fn read(&self, events: &Sender<Event>) {
        loop {
            self.wait_until_open();
            let event = match event::poll(PATIENCE) {
                Ok(false) => continue,
                Ok(true) => event::read().map(translated),
                Err(error) => Err(error),
            };
            let sent = match event {
                Ok(Some(event)) => events.send(event),
                Ok(None) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
                Err(_) => {
                    // Whoever parks us from now on must not wait for a reader that is gone.
                    self.lock().parked = true;
                    self.gate.1.notify_all();
                    let _ = events.send(Event::InputEnded);
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// What the loop needs to know of a terminal event; movements and focus changes mean nothing here.
fn translated(event: event::Event) -> Option<Event> {
    match event {
        event::Event::Key(key) => Some(Event::Key(key)),
        event::Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Moved | MouseEventKind::Drag(_) | MouseEventKind::Up(_) => None,
            _ => Some(Event::Mouse(mouse)),
        },
        event::Event::Paste(text) => Some(Event::Paste(text)),
        event::Event::Resize(width, height) => Some(Event::Resize(width, height)),
        event::Event::FocusGained | event::Event::FocusLost => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyModifiers, MouseEvent};

    #[test]
    fn focus_and_movement_are_ignored() {
        assert!(translated(event::Event::FocusLost).is_none());
        let mouse = |kind| MouseEvent { kind, column: 1, row: 1, modifiers: KeyModifiers::NONE };
        assert!(translated(event::Event::Mouse(mouse(MouseEventKind::Moved))).is_none());
        assert!(translated(event::Event::Mouse(mouse(MouseEventKind::ScrollUp))).is_some());
        assert!(matches!(translated(event::Event::Paste("a".into())), Some(Event::Paste(text)) if text == "a"));
    }
}
