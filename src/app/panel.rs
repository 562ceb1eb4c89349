//! The panels by name and number. What a panel shows is the business of `views`.

/// A panel on the right-hand side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Panel {
    /// Everything about the artifact in short.
    Overview,
    /// The dependency tree by the loader's lens.
    Tree,
    /// The libraries that would be bundled.
    Libraries,
    /// Every platform tag with what rules it out.
    Policy,
    /// The search path, entry by entry.
    Rpath,
    /// The effects of every step.
    Plan,
    /// The state machine and the files behind it.
    Staging,
    /// Clean bytes against the staged file.
    Bytes,
    /// What was found.
    Findings,
    /// Which library binds each undefined symbol.
    Symbols,
    /// The instructions beyond the architecture's baseline.
    Cpu,
    /// What it may open at run time, and what would come of it.
    Dlopen,
    /// What was done.
    Log,
}

impl Panel {
    /// All panels in the order of their keys.
    pub const ALL: [Self; 13] = [
        Self::Overview,
        Self::Tree,
        Self::Libraries,
        Self::Policy,
        Self::Rpath,
        Self::Plan,
        Self::Staging,
        Self::Bytes,
        Self::Findings,
        Self::Symbols,
        Self::Cpu,
        Self::Dlopen,
        Self::Log,
    ];

    /// Its name, as the tabs write it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Tree => "tree",
            Self::Libraries => "libraries",
            Self::Policy => "policy",
            Self::Rpath => "rpath",
            Self::Plan => "plan",
            Self::Staging => "staging",
            Self::Bytes => "bytes",
            Self::Findings => "findings",
            Self::Symbols => "symbols",
            Self::Cpu => "cpu",
            Self::Dlopen => "dlopen",
            Self::Log => "log",
        }
    }

    /// The same where there is less room.
    #[must_use]
    pub const fn short_title(self) -> &'static str {
        match self {
            Self::Overview => "view",
            Self::Libraries => "lib",
            Self::Policy => "tags",
            Self::Staging => "stage",
            Self::Findings => "finds",
            Self::Symbols => "sym",
            Self::Dlopen => "dl",
            other => other.title(),
        }
    }

    /// Its place among the panels, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The panel `by` places further round.
    #[must_use]
    pub fn turned(self, by: isize) -> Self {
        let count = Self::ALL.len() as isize;
        let place = (self.index() as isize + by).rem_euclid(count) as usize;
        Self::ALL.get(place).copied().unwrap_or(self)
    }
}

/// Which side the arrow keys move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// The list of artifacts.
    #[default]
    Artifacts,
    /// The chosen panel.
    Panel,
}
