//! What the terminal can show, decided once from values that the command line hands in.

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalFeatures {
    /// Colours; without them only bold, dim, underline and reverse are used.
    pub color: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorChoice {
    /// Ask `NO_COLOR` and `TERM`.
    Auto,
    /// Colours whatever the terminal says.
    Always,
    /// No colours.
    Never,
}

/// The variables that tell about a terminal, as the environment has them.
#[derive(Debug, Clone, Copy, Default)]
pub struct TerminalVariables<'a> {
    /// `NO_COLOR` (no-color.org): set and not empty means no colour.
    pub no_color: Option<&'a str>,
    /// `TERM`.
    pub term: Option<&'a str>,
    /// The first that is set and not empty of `LC_ALL`, `LC_CTYPE` and `LANG`, as locale(7) has it.
    pub locale: Option<&'a str>,
}

impl TerminalFeatures {
    /// Decides from the `--color` option and the environment's variables.
    #[must_use]
    pub fn from_environment(choice: ColorChoice, variables: TerminalVariables<'_>) -> Self {
        let plain_terminal = matches!(variables.term, Some("dumb" | ""));
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => variables.no_color.is_none_or(str::is_empty) && !plain_terminal,
        };
        let locale = variables.locale.unwrap_or_default().to_ascii_lowercase();
        let unicode = (locale.contains("utf-8") || locale.contains("utf8")) && variables.term != Some("linux");
        Self { color, unicode: unicode && !plain_terminal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(choice: ColorChoice, no_color: Option<&str>, term: &str, locale: Option<&str>) -> (bool, bool) {
        let variables = TerminalVariables { no_color, term: Some(term), locale };
        let features = TerminalFeatures::from_environment(choice, variables);
        (features.color, features.unicode)
    }

    #[test]
    fn an_option_beats_no_color_and_the_locale_decides_the_characters() {
        use ColorChoice::{Always, Auto, Never};
        assert_eq!(features(Auto, None, "xterm-256color", Some("en_GB.UTF-8")), (true, true));
        assert_eq!(features(Auto, Some("1"), "xterm", Some("C.utf8")), (false, true));
        assert_eq!(features(Auto, Some(""), "xterm", Some("C")), (true, false));
        assert_eq!(features(Always, Some("1"), "xterm", None), (true, false));
        assert_eq!(features(Never, None, "xterm", Some("de_DE.ISO-8859-1")), (false, false));
        assert_eq!(features(Auto, None, "dumb", Some("C.UTF-8")), (false, false));
        assert_eq!(features(Auto, None, "linux", Some("C.UTF-8")), (true, false));
    }
}
