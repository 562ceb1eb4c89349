//! The inspector through a real pseudo-terminal: the demo lab is stepped forward, back and to the end; every way out
//! leaves the terminal as it was. Nothing sleeps: each test waits for what the screen shows.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// What the terminal has been told so far.
struct Told {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

/// A terminal with the program in it.
struct Terminal {
    told: Arc<(Mutex<Told>, Condvar)>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    fn start(width: u16, height: u16, environment: &[(&str, &str)]) -> Self {
        let pty = native_pty_system().openpty(size(width, height)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_wheelwright"));
        command.arg("demo");
        command.env_clear();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin")] {
            command.env(name, value);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let parser = vt100::Parser::new(cells(height), cells(width), 0);
        let told = Arc::new((Mutex::new(Told { parser, raw: Vec::new(), closed: false }), Condvar::new()));
        let (mut reader, heard) = (pty.master.try_clone_reader().unwrap(), told.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = reader.read(&mut buffer).unwrap_or(0);
                let mut told = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
                told.parser.process(&buffer[..count]);
                told.raw.extend_from_slice(&buffer[..count]);
                told.closed = count == 0;
                heard.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        let writer = pty.master.take_writer().unwrap();
        Self { told, master: pty.master, writer, child }
    }

    /// Waits until `holds`, or fails with the screen.
    fn wait(&self, what: &str, holds: impl Fn(&Told) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut told = self.told.0.lock().unwrap();
        while !holds(&told) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never came: {what}\n{}", told.parser.screen().contents());
            told = self.told.1.wait_timeout(told, left.min(Duration::from_secs(1))).unwrap().0;
        }
    }

    fn wait_for(&self, text: &str) {
        self.wait(text, |told| told.parser.screen().contents().contains(text));
    }

    fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.process_id().unwrap() as i32).unwrap()
    }

    /// Waits for the end, which must be a good one and leave the terminal as it was.
    fn end(mut self, code: u32) {
        let status = self.child.wait().unwrap();
        self.wait("the end", |told| told.closed);
        let told = self.told.0.lock().unwrap();
        let screen = told.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is there again");
        assert!(!screen.bracketed_paste(), "pastes are plain again");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        let tail = told.raw.len().saturating_sub(400);
        assert_eq!(status.exit_code(), code, "{}", String::from_utf8_lossy(&told.raw[tail..]));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A failed test leaves no program behind.
        let _ = self.child.kill();
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// All artifacts are audited, and the one to be patched is chosen.
fn at_labext(terminal: &mut Terminal) {
    terminal.wait("the audits", |told| {
        let contents = told.parser.screen().contents();
        contents.contains("stage (writes nothing)") && !contents.contains("Esc cancels")
    });
    terminal.keys("/labext\r");
    terminal.wait_for("/labext  1 of");
    terminal.keys("l");
}

#[test]
fn steps_go_forward_back_forward_and_to_the_end() {
    let mut terminal = Terminal::start(120, 40, &[]);
    at_labext(&mut terminal);
    terminal.wait_for("not staged");
    for step in ["audit ▸", "graft ▸", "predict ▸", "copy back ▸", "patch ▸"] {
        terminal.keys("n");
        terminal.wait_for(step);
    }
    terminal.wait_for("copied back");
    terminal.keys("n");
    terminal.wait_for("verify ▸");
    terminal.keys("7");
    terminal.wait_for("[patched]");
    terminal.keys("u");
    terminal.wait_for("patch ▸");
    terminal.wait_for("[copied back]");
    terminal.keys("n");
    terminal.wait_for("[patched]");
    terminal.keys("8");
    terminal.wait_for("libgreet-");
    terminal.keys("a");
    terminal.wait_for("finalize ✓");
    terminal.keys("q");
    terminal.end(0);
}

#[test]
fn a_termination_signal_gives_the_terminal_back() {
    let mut terminal = Terminal::start(80, 24, &[]);
    at_labext(&mut terminal);
    terminal.keys("n");
    terminal.wait_for("renamed");
    terminal.signal(Signal::TERM);
    terminal.end(130);
}

#[test]
fn stopping_gives_the_terminal_back_and_continuing_takes_it_again() {
    let mut terminal = Terminal::start(80, 24, &[]);
    at_labext(&mut terminal);
    terminal.keys("\x1a");
    terminal.wait("the terminal back", |told| !told.parser.screen().alternate_screen());
    let stopped = waitpid(Some(terminal.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(stopped.1.stopped());
    terminal.signal(Signal::CONT);
    terminal.wait("the screen again", |told| told.parser.screen().alternate_screen());
    terminal.wait_for("liblabext.so");
    terminal.keys("q");
    terminal.end(0);
}

#[test]
fn without_colour_and_unicode_the_choice_still_shows() {
    let mut terminal = Terminal::start(80, 24, &[("NO_COLOR", "1"), ("LANG", "C")]);
    at_labext(&mut terminal);
    terminal.keys("2");
    terminal.wait("a reversed row", |told| {
        let screen = told.parser.screen();
        (0..24).any(|row| (0..80).any(|column| screen.cell(row, column).is_some_and(vt100::Cell::inverse)))
    });
    let told = terminal.told.0.lock().unwrap();
    let screen = told.parser.screen();
    assert!(screen.contents().is_ascii());
    for cell in (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column))) {
        assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
    }
    drop(told);
    terminal.keys("q");
    terminal.end(0);
}

#[test]
fn resizing_unknown_events_and_copying() {
    let mut terminal = Terminal::start(120, 40, &[]);
    at_labext(&mut terminal);
    for (width, height) in [(30, 5), (40, 10), (200, 60), (1, 1), (80, 24)] {
        terminal.told.0.lock().unwrap().parser.screen_mut().set_size(cells(height), cells(width));
        terminal.master.resize(size(width, height)).unwrap();
    }
    // A focus change, and a paste where nothing can be typed.
    terminal.keys("\x1b[I\x1b[O\x1b[200~qqq\x1b[201~");
    terminal.keys("0y");
    terminal.wait("OSC 52", |told| told.raw.windows(7).any(|bytes| bytes == b"\x1b]52;c;"));
    terminal.wait_for("copied: ");
    terminal.keys("?");
    terminal.wait_for("filter:");
    terminal.keys("leave\r");
    terminal.end(0);
}
