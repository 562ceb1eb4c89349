//! Standard output and standard error: the document on one, what is said about it on the other.

use super::arguments::ColorChoice;
use crate::engine::report::to_json;
use color_eyre::Result;
use serde::Serialize;
use std::fmt;
use std::io::{BufWriter, IsTerminal, Stdout, Write};

/// Writes what a command prints.
pub struct Output {
    color: bool,
    is_terminal: bool,
    out: BufWriter<Stdout>,
}

/// How a word is set off, where colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Strong,
    /// Less important.
    Faint,
    /// May go wrong.
    Warning,
    /// Is wrong.
    Bad,
}

impl Output {
    /// An output that heeds `choice`, `NO_COLOR` and whether a terminal reads it.
    #[must_use]
    pub fn new(choice: ColorChoice) -> Self {
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { color, is_terminal: std::io::stdout().is_terminal(), out: BufWriter::new(std::io::stdout()) }
    }

    /// Hands on what was printed so far.
    ///
    /// # Errors
    /// When it can't be written; a broken pipe is recognised by [`is_broken_pipe`].
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// Prints `text` and a line's end on standard output.
    ///
    /// # Errors
    /// When it can't be written; a broken pipe is recognised by [`is_broken_pipe`].
    pub fn line(&mut self, text: impl fmt::Display) -> Result<()> {
        writeln!(self.out, "{text}")?;
        if self.is_terminal { self.flush() } else { Ok(()) }
    }

    /// Prints `text` as it is on standard output.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Prints `bytes` as they are on standard output.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        if self.is_terminal { self.flush() } else { Ok(()) }
    }

    /// Prints `document` as JSON.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn json(&mut self, document: &impl Serialize) -> Result<()> {
        self.text(&to_json(document)?)
    }

    /// Says something on standard error.
    pub fn note(&mut self, text: impl fmt::Display) {
        // What was printed before comes before it, where both go to one place; a failure shows at the end.
        let _ = self.out.flush();
        // There is nobody left to tell when standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Says what went wrong, with its causes, on standard error.
    pub fn error(&mut self, report: &color_eyre::Report) {
        let causes: Vec<String> = report.chain().map(ToString::to_string).collect();
        let mut said: Vec<&str> = Vec::new();
        for cause in &causes {
            if !said.iter().any(|text| text.contains(cause.as_str())) {
                said.push(cause);
            }
        }
        self.note(format_args!("wheelwright: {}", said.join(": ")));
    }

    /// `text` in `tone`, where colours are used.
    #[must_use]
    pub fn tone(&self, tone: Tone, text: impl fmt::Display) -> String {
        if !self.color {
            return text.to_string();
        }
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Warning => "33",
            Tone::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Whether `report` says that nobody reads our output any more, which is no error.
#[must_use]
pub fn is_broken_pipe(report: &color_eyre::Report) -> bool {
    report.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
