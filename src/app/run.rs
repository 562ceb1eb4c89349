//! The loop: wait for events, take all that are there, then draw once if something has changed. And the ways out.

use super::action::Command;
use super::dispatch::{dispatch, needs_ticks};
use super::event::{Event, Signal};
use super::features::TerminalFeatures;
use super::input::Input;
use super::state::State;
use super::terminal::Screen;
use super::update::{finish, say};
use super::worker::Workers;
use super::{filter, pager, signals};
use crate::engine::stage::Session;
use crate::views;
use crate::views::theme::Theme;
use color_eyre::Result;
use color_eyre::eyre::WrapErr;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What workers and ticks bring is drawn at most so often; a key is drawn at once.
const FRAME: Duration = Duration::from_millis(16);
/// How often progress is looked at while something goes on.
const TICK: Duration = Duration::from_millis(100);

/// How the inspector came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The user left.
    Left,
    /// A signal, or a terminal that went away.
    Interrupted,
}

/// Shows `session` on the terminal until the user leaves. Cargo's outputs are put back on every way out.
///
/// # Errors
/// When the terminal fails, or an output could not be put back.
pub fn run(session: Session, features: TerminalFeatures) -> Result<Ending> {
    let snapshot = Arc::new(session.snapshot());
    let (sender, events) = channel();
    let screen = Screen::open().wrap_err("the terminal can't be taken over")?;
    let size = screen.size().wrap_err("the terminal does not say its size")?;
    let mut state = State::new(snapshot.clone(), size);
    filter::refresh(&mut state);
    let mut inspector = Inspector {
        screen,
        theme: Theme::new(features),
        state,
        events,
        pending: VecDeque::new(),
        last_frame: None,
        ending: Ending::Left,
    };
    // The first frame waits for nothing.
    inspector.draw()?;
    signals::listen(sender.clone()).wrap_err("signals can't be caught")?;
    let input = Input::start(sender.clone()).wrap_err("the terminal can't be read")?;
    let workers = Workers::start(session, snapshot, &sender).wrap_err("no worker can be started")?;
    let shown = inspector.turn(&input, &workers);
    // A terminal that is gone must not keep the outputs from being put back.
    inspector.state.leaving = true;
    let _ = inspector.draw();
    let left = workers.leave();
    let ending = inspector.ending;
    drop(inspector);
    shown.and(left.wrap_err("leaving")).map(|()| ending)
}

struct Inspector {
    screen: Screen,
    theme: Theme,
    state: State,
    events: Receiver<Event>,
    /// Events that were taken from the channel and not looked at yet.
    pending: VecDeque<Event>,
    last_frame: Option<Instant>,
    ending: Ending,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Leave,
}

impl Inspector {
    fn turn(&mut self, input: &Input, workers: &Workers) -> Result<()> {
        let commands = finish(&mut self.state, Vec::new());
        self.execute(commands, input, workers)?;
        self.draw()?;
        loop {
            // A change that may wait for the next frame.
            let mut changed = false;
            loop {
                let event = match self.wait(changed) {
                    Some(event) => event,
                    None if changed => break,
                    None => Event::Tick,
                };
                let at_once = matches!(event, Event::Key(_) | Event::Mouse(_) | Event::Paste(_) | Event::Resize(..));
                if self.take(event, input, workers)? == Flow::Leave || self.drain(input, workers)? == Flow::Leave {
                    return Ok(());
                }
                changed = true;
                if at_once || self.until_frame().is_zero() {
                    break;
                }
            }
            self.draw()?;
        }
    }

    /// The next event; `None` when it is time for a frame (with `changed`) or for a tick.
    fn wait(&mut self, changed: bool) -> Option<Event> {
        if let Some(event) = self.waiting() {
            return Some(event);
        }
        let patience = match changed {
            true => self.until_frame(),
            false if needs_ticks(&self.state) => TICK,
            false => return self.events.recv().ok().or(Some(Event::InputEnded)),
        };
        match self.events.recv_timeout(patience) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Event::InputEnded),
        }
    }

    fn until_frame(&self) -> Duration {
        self.last_frame.map_or(Duration::ZERO, |last| FRAME.saturating_sub(last.elapsed()))
    }

    fn drain(&mut self, input: &Input, workers: &Workers) -> Result<Flow> {
        while let Some(event) = self.waiting() {
            if self.take(event, input, workers)? == Flow::Leave {
                return Ok(Flow::Leave);
            }
        }
        Ok(Flow::On)
    }

    /// An event that is there already.
    fn waiting(&mut self) -> Option<Event> {
        self.pending.pop_front().or_else(|| self.events.try_recv().ok())
    }

    fn take(&mut self, event: Event, input: &Input, workers: &Workers) -> Result<Flow> {
        if matches!(event, Event::InputEnded | Event::Signal(Signal::Quit | Signal::Interrupt)) {
            self.ending = Ending::Interrupted;
        }
        let commands = dispatch(&mut self.state, event);
        self.execute(commands, input, workers)
    }

    fn execute(&mut self, commands: Vec<Command>, input: &Input, workers: &Workers) -> Result<Flow> {
        for command in commands {
            match command {
                Command::Start(job) => workers.ask(job),
                Command::Copy(text) => self.screen.copy(&text)?,
                Command::Pager { name, text } => self.page(input, &name, &text)?,
                Command::Redraw => self.screen.clear()?,
                Command::Suspend => self.suspend(input)?,
                Command::Resume => self.resume()?,
                Command::Quit => return Ok(Flow::Leave),
            }
        }
        Ok(Flow::On)
    }

    fn draw(&mut self) -> Result<()> {
        let (state, theme) = (&self.state, self.theme);
        self.screen.draw(|frame| views::draw(frame, state, theme)).wrap_err("the terminal can't be drawn on")?;
        self.last_frame = Some(Instant::now());
        Ok(())
    }

    /// Takes the terminal back and looks how large it is now.
    fn resume(&mut self) -> Result<()> {
        self.screen.resume()?;
        self.state.size = self.screen.size()?;
        finish(&mut self.state, Vec::new());
        Ok(())
    }

    fn page(&mut self, input: &Input, name: &str, text: &str) -> Result<()> {
        let program = pager::program(std::env::var("PAGER").ok(), std::env::var("EDITOR").ok());
        input.park();
        self.screen.pause();
        let shown = pager::show(&program, name, text);
        self.resume()?;
        input.resume();
        // Ctrl-C was meant for the pager.
        let others = self.events.try_iter().filter(|event| !matches!(event, Event::Signal(Signal::Interrupt)));
        self.pending.extend(others);
        if let Err(error) = shown {
            say(&mut self.state, format!("pager: {error}"), true);
        }
        Ok(())
    }

    /// Stops the whole process group, as the shell expects of a job: with cargo or a wrapper in front of us, stopping only
    /// ourselves would leave the shell waiting. SIGSTOP, because SIGTSTP is caught.
    fn suspend(&mut self, input: &Input) -> Result<()> {
        input.park();
        self.screen.pause();
        let stopped = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
        self.resume()?;
        input.resume();
        if let Err(error) = stopped {
            say(&mut self.state, format!("can't be suspended: {error}"), true);
        }
        Ok(())
    }
}
