//! The roles that text can have, and how each looks: 16 colours of the terminal's own palette, or none.
//!
//! A role is a word first and a colour second: nothing is said by colour alone. Without colour a style sets neither
//! foreground nor background, because a terminal library that strips colours may strip bold and reverse with them.

use crate::app::features::TerminalFeatures;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use std::borrow::Cow;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Text that steps back: labels, paths, guides.
    Quiet,
    /// Names.
    Strong,
    /// A heading.
    Heading,
    /// Right, done, allowed.
    Good,
    /// May go wrong; external.
    Warning,
    /// Wrong; missing.
    Bad,
    /// What comes next.
    Next,
    /// A key to press.
    Key,
    /// The frame of what has the focus.
    Focused,
    /// The frame of what has not.
    Frame,
    /// The chosen row of what has the focus.
    Chosen,
    /// The chosen row of what has not.
    ChosenElsewhere,
    /// Bytes that differ.
    Changed,
}

/// How the terminal is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    features: TerminalFeatures,
}

impl Theme {
    /// The theme for a terminal.
    #[must_use]
    pub const fn new(features: TerminalFeatures) -> Self {
        Self { features }
    }

    /// Whether characters beyond ASCII may stay.
    #[must_use]
    pub const fn unicode(self) -> bool {
        self.features.unicode
    }

    /// How `role` looks.
    #[must_use]
    pub const fn style(self, role: Role) -> Style {
        if self.features.color { colored(role) } else { plain(role) }
    }

    /// A piece of text in its role.
    pub fn span<'a>(self, text: impl Into<Cow<'a, str>>, role: Role) -> Span<'a> {
        Span::styled(text, self.style(role))
    }
}

const fn colored(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Plain => style,
        // Not bright black: some palettes make that the background.
        Role::Quiet => style.add_modifier(Modifier::DIM),
        Role::Strong => style.add_modifier(Modifier::BOLD),
        Role::Heading => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Good => style.fg(Color::Green),
        Role::Warning => style.fg(Color::Yellow),
        Role::Bad => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Next => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Key => style.fg(Color::Cyan),
        Role::Focused => style.fg(Color::Cyan),
        Role::Frame => style.fg(Color::DarkGray),
        Role::Chosen => style.add_modifier(Modifier::REVERSED),
        Role::ChosenElsewhere => style.add_modifier(Modifier::BOLD),
        Role::Changed => style.fg(Color::Yellow).add_modifier(Modifier::BOLD),
    }
}

const fn plain(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Plain | Role::Good | Role::Key | Role::Frame => style,
        Role::Quiet => style.add_modifier(Modifier::DIM),
        Role::Strong | Role::Heading | Role::Warning | Role::Focused | Role::ChosenElsewhere => {
            style.add_modifier(Modifier::BOLD)
        }
        Role::Bad | Role::Next | Role::Changed => style.add_modifier(Modifier::BOLD).add_modifier(Modifier::UNDERLINED),
        Role::Chosen => style.add_modifier(Modifier::REVERSED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_no_role_sets_one_and_the_choice_stays_visible() {
        let theme = Theme::new(TerminalFeatures { color: false, unicode: true });
        for role in [
            Role::Plain,
            Role::Quiet,
            Role::Strong,
            Role::Heading,
            Role::Good,
            Role::Warning,
            Role::Bad,
            Role::Next,
            Role::Key,
            Role::Focused,
            Role::Frame,
            Role::Chosen,
            Role::ChosenElsewhere,
            Role::Changed,
        ] {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert!(theme.style(Role::Chosen).add_modifier.contains(Modifier::REVERSED));
    }
}
