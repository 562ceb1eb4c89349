//! The one table of keys. Dispatch, the hints, the help that is also a palette, and the README's table are all read from
//! it; no other file names a key.

use super::action::Action;
use super::cursor::Motion;
use super::key::Key;
use super::panel::Panel;

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, also in overlays.
    Always,
    /// On the main screen.
    Main,
    /// In the tree panel.
    Tree,
    /// In the policy panel.
    Policy,
    /// In the plan panel.
    Plan,
    /// In the bytes panel.
    Bytes,
    /// In the dlopen panel, and while a row of it is open as a page.
    Dlopen,
    /// While a page is open.
    Page,
    /// While the page on an edit is open, which is a page too.
    Fit,
    /// While the help is open.
    Palette,
    /// While a filter is being typed.
    Find,
    /// While a place or a search is being typed.
    Prompt,
}

/// What bindings are grouped by in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Steps of the pipeline.
    Steps,
    /// Panels.
    Panels,
    /// Moving about.
    Moving,
    /// Looking closer.
    Looking,
    /// The program itself.
    Program,
}

impl Group {
    /// Its name in the help.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Panels => "panels",
            Self::Moving => "moving",
            Self::Looking => "looking",
            Self::Program => "program",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// The keys, the first of which is shown in hints.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// A word for the hints; empty for none.
    pub hint: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
    /// Where the help lists it.
    pub group: Group,
}

const fn bind(
    context: Context,
    group: Group,
    keys: &'static [Key],
    action: Action,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { context, keys, action, hint, help, group }
}

use Context::{Always, Bytes, Dlopen, Find, Fit, Main, Page, Palette, Plan, Policy, Prompt, Tree};
use Group::{Looking, Moving, Panels, Program, Steps};
use Key::{Char, Ctrl};

/// All bindings.
pub static BINDINGS: &[Binding] = &[
    bind(Main, Steps, &[Char('n')], Action::Step, "step", "take the next step of this artifact"),
    bind(Main, Steps, &[Char('u')], Action::Undo, "undo", "undo the last step of this artifact"),
    bind(Main, Steps, &[Char('a')], Action::ToTheEnd, "to the end", "take all steps of all artifacts"),
    bind(Main, Steps, &[Char('N')], Action::StepAll, "", "take the next step of every artifact"),
    bind(Main, Steps, &[Char('r')], Action::Audit, "", "audit this artifact again"),
    bind(Main, Panels, &[Char('1')], Action::Show(Panel::Overview), "", "overview: the artifact in short"),
    bind(Main, Panels, &[Char('2')], Action::Show(Panel::Tree), "", "tree: what it needs, and what found each library"),
    bind(Main, Panels, &[Char('3')], Action::Show(Panel::Libraries), "", "libraries: what would be bundled"),
    bind(Main, Panels, &[Char('4')], Action::Show(Panel::Policy), "", "policy: every tag, and what rules it out"),
    bind(Main, Panels, &[Char('5')], Action::Show(Panel::Rpath), "", "rpath: every entry of the search path"),
    bind(Main, Panels, &[Char('6')], Action::Show(Panel::Plan), "", "plan: the effects of every step"),
    bind(Main, Panels, &[Char('7')], Action::Show(Panel::Staging), "", "staging: the state, and the files behind it"),
    bind(Main, Panels, &[Char('8')], Action::Show(Panel::Bytes), "", "bytes: clean bytes against the staged file"),
    bind(Main, Panels, &[Char('9')], Action::Show(Panel::Findings), "", "findings: what is wrong, and what mends it"),
    bind(Main, Panels, &[Char('s')], Action::Show(Panel::Symbols), "", "symbols: who binds each undefined one"),
    bind(Main, Panels, &[Char('c')], Action::Show(Panel::Cpu), "", "cpu: instructions beyond the baseline"),
    bind(Main, Panels, &[Char('d')], Action::Show(Panel::Dlopen), "", "dlopen: what it may open at run time"),
    bind(Main, Panels, &[Char('L')], Action::Show(Panel::Log), "", "log: what was done"),
    bind(Main, Panels, &[Key::Tab], Action::NextPanel, "", "show the next panel"),
    bind(Main, Panels, &[Key::BackTab], Action::PreviousPanel, "", "show the panel before"),
    bind(Main, Moving, &[Key::Up, Char('k')], Action::Move(Motion::Up), "", "one row up"),
    bind(Main, Moving, &[Key::Down, Char('j')], Action::Move(Motion::Down), "", "one row down"),
    bind(Main, Moving, &[Key::PageUp, Ctrl('b')], Action::Move(Motion::PageUp), "", "one screenful up"),
    bind(Main, Moving, &[Key::PageDown, Ctrl('f')], Action::Move(Motion::PageDown), "", "one screenful down"),
    bind(Main, Moving, &[Key::Home, Char('g')], Action::Move(Motion::Home), "", "to the first row"),
    bind(Main, Moving, &[Key::End, Char('G')], Action::Move(Motion::End), "", "to the last row"),
    bind(Main, Moving, &[Key::Left, Char('h'), Char('0')], Action::FocusArtifacts, "", "move in the list of artifacts"),
    bind(Main, Moving, &[Key::Right, Char('l')], Action::FocusPanel, "", "move in the panel"),
    bind(Main, Moving, &[Char('K')], Action::Artifact(Motion::Up), "", "choose the artifact above"),
    bind(Main, Moving, &[Char('J')], Action::Artifact(Motion::Down), "", "choose the artifact below"),
    bind(Main, Looking, &[Char('/')], Action::Find, "find", "show only rows that hold a text"),
    bind(Main, Looking, &[Key::Enter], Action::Open, "", "open the chosen row as a whole page"),
    bind(Main, Looking, &[Char('>'), Ctrl('d')], Action::DetailDown, "", "scroll the lower part down"),
    bind(Main, Looking, &[Char('<'), Ctrl('u')], Action::DetailUp, "", "scroll the lower part up"),
    bind(Main, Looking, &[Char('#')], Action::Hash, "", "compute the SHA-256 of the artifact's files"),
    bind(Main, Looking, &[Char('y')], Action::Copy, "", "copy the chosen row (OSC 52)"),
    bind(Main, Looking, &[Char('e')], Action::Pager, "", "open the chosen row in $PAGER or $EDITOR"),
    bind(Tree, Looking, &[Char('o'), Char(' ')], Action::Fold, "fold", "fold or unfold the branch"),
    bind(Tree, Looking, &[Char('v')], Action::Lenses, "lenses", "the two lenses side by side, or the tree again"),
    bind(Policy, Looking, &[Char('t')], Action::Reach, "what it takes", "what it would take to bear the chosen tag"),
    bind(Plan, Looking, &[Char('v')], Action::Fit, "fit", "how an edit of the plan fits: room, ways, consequences"),
    bind(
        Fit,
        Looking,
        &[Char('v'), Key::Tab],
        Action::Fit,
        "room/layout",
        "on that page: the layout before and after, or the room again",
    ),
    bind(
        Fit,
        Looking,
        &[Char('o')],
        Action::FitOrder,
        "order",
        "on that page: the layout by file offsets, or by addresses",
    ),
    bind(Fit, Looking, &[Char(']'), Key::Right], Action::NextEdit, "next edit", "on that page: the next edit"),
    bind(Fit, Looking, &[Char('['), Key::Left], Action::PreviousEdit, "", "on that page: the edit before"),
    bind(Dlopen, Looking, &[Char(']')], Action::NextRemedy, "remedy", "choose the next remedy for the name"),
    bind(Dlopen, Looking, &[Char('[')], Action::PreviousRemedy, "", "choose the remedy before"),
    bind(
        Dlopen,
        Steps,
        &[Char('t')],
        Action::TryRemedy,
        "try",
        "try the remedy: load the bundle as it would be with it",
    ),
    bind(Dlopen, Steps, &[Char('x')], Action::AdoptRemedy, "adopt", "take the remedy into the plan, or out of it"),
    bind(Bytes, Looking, &[Char(']'), Char('p')], Action::NextChange, "next", "go to the next changed range"),
    bind(Bytes, Looking, &[Char('['), Char('P')], Action::PreviousChange, "", "go to the changed range before"),
    bind(Bytes, Looking, &[Char('}')], Action::NextPart, "", "go on to the next part of the map that differs"),
    bind(Bytes, Looking, &[Char('{')], Action::PreviousPart, "", "go to the part of the map before that differs"),
    bind(
        Bytes,
        Looking,
        &[Char('o')],
        Action::Reorder,
        "order",
        "list the ranges by address, by meaning or by effect; or the structure",
    ),
    bind(
        Bytes,
        Looking,
        &[Char('t')],
        Action::GoTo,
        "go to",
        "go to an offset (0x1f40), an address (@0x401000), a .section or a symbol",
    ),
    bind(
        Bytes,
        Looking,
        &[Char('f')],
        Action::Search,
        "search",
        "search both files for a text, or for bytes (hex:7f 45 4c 46)",
    ),
    bind(Bytes, Looking, &[Char(';')], Action::NextMatch, "", "search on, round the end"),
    bind(Bytes, Looking, &[Char(',')], Action::PreviousMatch, "", "search backwards, round the beginning"),
    bind(
        Main,
        Program,
        &[Char('?'), Char(':'), Key::F1, Ctrl('p')],
        Action::Help,
        "keys",
        "show all keys, filter and run",
    ),
    bind(Main, Program, &[Key::Esc], Action::Close, "", "clear the filter, or cancel what is running"),
    bind(Main, Program, &[Char('q')], Action::Quit, "", "put cargo's outputs back and leave"),
    bind(Always, Program, &[Ctrl('c')], Action::Quit, "", "put cargo's outputs back and leave, from anywhere"),
    bind(Always, Program, &[Ctrl('z')], Action::Suspend, "", "go to the background; fg comes back"),
    bind(Always, Program, &[Ctrl('l')], Action::Redraw, "", "draw everything anew"),
    bind(Page, Moving, &[Key::Up, Char('k')], Action::Move(Motion::Up), "", "one line up"),
    bind(Page, Moving, &[Key::Down, Char('j')], Action::Move(Motion::Down), "", "one line down"),
    bind(Page, Moving, &[Key::PageUp, Ctrl('b')], Action::Move(Motion::PageUp), "", "one screenful up"),
    bind(
        Page,
        Moving,
        &[Key::PageDown, Ctrl('f'), Char(' ')],
        Action::Move(Motion::PageDown),
        "",
        "one screenful down",
    ),
    bind(Page, Moving, &[Key::Home, Char('g')], Action::Move(Motion::Home), "", "to the beginning"),
    bind(Page, Moving, &[Key::End, Char('G')], Action::Move(Motion::End), "", "to the end"),
    bind(Page, Looking, &[Char('y')], Action::Copy, "copy", "copy the page"),
    bind(Page, Looking, &[Char('e')], Action::Pager, "pager", "open the page in $PAGER or $EDITOR"),
    bind(Page, Program, &[Key::Esc, Char('q'), Key::Enter], Action::Close, "close", "close the page"),
    bind(Palette, Moving, &[Key::Up, Ctrl('p')], Action::Move(Motion::Up), "", "one line up"),
    bind(Palette, Moving, &[Key::Down, Ctrl('n')], Action::Move(Motion::Down), "", "one line down"),
    bind(Palette, Moving, &[Key::PageUp], Action::Move(Motion::PageUp), "", "one screenful up"),
    bind(Palette, Moving, &[Key::PageDown], Action::Move(Motion::PageDown), "", "one screenful down"),
    bind(Palette, Looking, &[Key::Enter], Action::Accept, "run", "run the chosen line"),
    bind(Palette, Looking, &[Key::Backspace], Action::Erase, "", "erase a character"),
    bind(Palette, Program, &[Key::Esc], Action::Close, "close", "close the help"),
    bind(Find, Moving, &[Key::Up], Action::Move(Motion::Up), "", "one row up"),
    bind(Find, Moving, &[Key::Down], Action::Move(Motion::Down), "", "one row down"),
    bind(Find, Looking, &[Key::Enter], Action::Accept, "keep", "keep the filter and go on"),
    bind(Find, Looking, &[Key::Backspace], Action::Erase, "", "erase a character"),
    bind(Find, Program, &[Key::Esc], Action::Close, "clear", "clear the filter"),
    bind(Prompt, Looking, &[Key::Enter], Action::Accept, "go", "go there"),
    bind(Prompt, Looking, &[Key::Backspace], Action::Erase, "", "erase a character"),
    bind(Prompt, Program, &[Key::Esc], Action::Close, "leave", "stay here"),
];

/// What `key` does where all of `contexts` hold; an earlier context wins.
#[must_use]
pub fn lookup(contexts: &[Context], key: Key) -> Option<Action> {
    contexts.iter().find_map(|context| {
        BINDINGS
            .iter()
            .find(|binding| binding.context == *context && binding.keys.contains(&key))
            .map(|binding| binding.action)
    })
}

/// The bindings that the help offers to run: those of the main screen and its panels.
pub fn runnable() -> impl Iterator<Item = &'static Binding> {
    BINDINGS
        .iter()
        .filter(|binding| matches!(binding.context, Main | Tree | Policy | Plan | Fit | Dlopen | Bytes | Always))
}

/// The bindings that the help shows under a filter: those whose keys, sentence or group hold `query`.
#[must_use]
pub fn matching(query: &str) -> Vec<&'static Binding> {
    let query = query.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&query);
    runnable()
        .filter(|binding| {
            holds(binding.help) || holds(binding.group.title()) || binding.keys.iter().any(|key| holds(&key.label()))
        })
        .collect()
}

/// All keys of a binding, for people: `↑ k`.
#[must_use]
pub fn keys(binding: &Binding) -> String {
    binding.keys.iter().map(|key| key.label()).collect::<Vec<_>>().join(" ")
}

/// The table for the README, as Markdown.
#[must_use]
pub fn markdown_table() -> String {
    let mut text = String::from("| keys | what they do |\n|---|---|\n");
    for binding in runnable() {
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{}`", key.label())).collect();
        text.push_str(&format!("| {} | {} |\n", keys.join(" "), binding.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_stands_twice_where_both_could_hold() {
        for at_once in [
            &[Main, Tree, Always][..],
            &[Main, Policy, Always],
            &[Main, Plan, Always],
            &[Main, Bytes, Always],
            &[Main, Dlopen, Always],
            &[Dlopen, Page, Always],
            &[Fit, Page, Always],
            &[Page, Always],
            &[Palette, Always],
            &[Find, Always],
            &[Prompt, Always],
        ] {
            let mut seen = HashSet::new();
            for binding in BINDINGS.iter().filter(|binding| at_once.contains(&binding.context)) {
                for key in binding.keys {
                    assert!(seen.insert(*key), "{} twice in {at_once:?}", key.label());
                }
            }
        }
    }

    #[test]
    fn every_panel_and_motion_has_a_key() {
        for panel in Panel::ALL {
            assert!(BINDINGS.iter().any(|binding| binding.action == Action::Show(panel)), "{panel:?}");
        }
        for motion in [Motion::Up, Motion::Down, Motion::PageUp, Motion::PageDown, Motion::Home, Motion::End] {
            assert!(BINDINGS.iter().any(|binding| binding.action == Action::Move(motion)), "{motion:?}");
        }
    }

    /// A new action does not compile here until it is listed, and then needs a key.
    #[test]
    fn every_action_is_reachable() {
        for action in ACTIONS {
            assert!(BINDINGS.iter().any(|binding| binding.action == action), "{action:?}");
        }
    }

    const ACTIONS: [Action; 47] = {
        use Action as A;
        const fn listed(action: Action) -> Action {
            match action {
                A::Move(_) | A::Artifact(_) | A::FocusArtifacts | A::FocusPanel | A::Show(_) | A::NextPanel => action,
                A::PreviousPanel | A::Open | A::Fold | A::DetailUp | A::DetailDown | A::NextChange => action,
                A::PreviousChange | A::Find | A::Step | A::StepAll | A::ToTheEnd | A::Undo | A::Audit => action,
                A::Hash | A::Copy | A::Pager | A::Help | A::Close | A::Accept | A::Erase | A::Redraw => action,
                A::Suspend | A::Quit | A::Lenses | A::Reach => action,
                A::NextPart | A::PreviousPart | A::Reorder | A::GoTo | A::Search => action,
                A::NextMatch | A::PreviousMatch => action,
                A::Fit | A::NextEdit | A::PreviousEdit | A::FitOrder => action,
                A::TryRemedy | A::AdoptRemedy | A::NextRemedy | A::PreviousRemedy => action,
            }
        }
        [
            listed(A::Move(Motion::Up)),
            A::Artifact(Motion::Up),
            A::Artifact(Motion::Down),
            A::FocusArtifacts,
            A::FocusPanel,
            A::Show(Panel::Tree),
            A::NextPanel,
            A::PreviousPanel,
            A::Open,
            A::Fold,
            A::DetailUp,
            A::DetailDown,
            A::NextChange,
            A::PreviousChange,
            A::NextPart,
            A::PreviousPart,
            A::Reorder,
            A::GoTo,
            A::Search,
            A::NextMatch,
            A::PreviousMatch,
            A::Find,
            A::Lenses,
            A::Reach,
            A::Fit,
            A::NextEdit,
            A::PreviousEdit,
            A::FitOrder,
            A::TryRemedy,
            A::AdoptRemedy,
            A::NextRemedy,
            A::PreviousRemedy,
            A::Step,
            A::StepAll,
            A::ToTheEnd,
            A::Undo,
            A::Audit,
            A::Hash,
            A::Copy,
            A::Pager,
            A::Help,
            A::Close,
            A::Accept,
            A::Erase,
            A::Redraw,
            A::Suspend,
            A::Quit,
        ]
    };

    #[test]
    fn the_table_for_the_readme_holds_every_runnable_binding() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), 2 + runnable().count());
        assert!(table.contains("| `n` | take the next step of this artifact |"));
        assert!(table.contains("`Ctrl-Z`"));
    }
}
