//! What names mean in a file of Python: what was imported under them, and which expressions they are given as values.
//!
//! The file is one scope here: a name has every value that it is given anywhere in the file.

use super::tokens::Token;
use std::collections::{BTreeMap, BTreeSet};

/// A name that is given more values than this is not followed.
const MOST_VALUES: usize = 8;
/// What `from ctypes import *` brings.
const OF_CTYPES: [&str; 8] = ["CDLL", "PyDLL", "WinDLL", "OleDLL", "cdll", "pydll", "windll", "oledll"];
/// What opens a block on the line of a statement.
const OPENS_BLOCK: [&str; 9] = ["if", "elif", "else", "try", "finally", "except", "with", "for", "while"];

/// The names of a file.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// What names stand for that were imported, with dots: `ct` for `ctypes`.
    imported: BTreeMap<String, String>,
    /// Where the expressions begin that names are given as values.
    values: BTreeMap<String, Vec<usize>>,
    /// Names whose values come from elsewhere: parameters, parts of unpacked values.
    foreign: BTreeSet<String>,
}

type Tokens = [(Token, u64)];

impl Scope {
    /// The names of the file that `tokens` make up.
    pub(super) fn read(tokens: &Tokens) -> Self {
        let mut scope = Self::default();
        let mut start = 0;
        for end in tokens.iter().enumerate().filter(|(_, (token, _))| *token == Token::End).map(|(end, _)| end) {
            scope.statement(tokens, start, end);
            start = end + 1;
        }
        scope
    }

    /// The dotted name that begins at token `at`, as it was imported, and the token behind it; `None` where none begins.
    pub(super) fn path(&self, tokens: &Tokens, at: usize) -> Option<(String, usize)> {
        let first = name(tokens, at)?;
        let mut path = self.imported.get(first).map_or(first, String::as_str).to_owned();
        let mut at = at + 1;
        while is_mark(tokens, at, '.') {
            let Some(part) = name(tokens, at + 1) else { break };
            path = format!("{path}.{part}");
            at += 2;
        }
        // cffi's objects are called `ffi` by custom, wherever they were made.
        if path.ends_with(".ffi.dlopen") || path == "ffi.dlopen" {
            path = "cffi.FFI().dlopen".to_owned();
        }
        Some((path, at))
    }

    /// Where the expressions begin that `name` is given; `None` where others give it values too.
    pub(super) fn values(&self, name: &str) -> Option<&[usize]> {
        let values = self.values.get(name).filter(|values| values.len() <= MOST_VALUES)?;
        (!self.foreign.contains(name)).then_some(values.as_slice())
    }

    /// Whether `name` was imported.
    pub(super) fn is_imported(&self, name: &str) -> bool {
        self.imported.contains_key(name)
    }

    fn statement(&mut self, tokens: &Tokens, start: usize, end: usize) {
        let is = |at: usize, word: &str| name(tokens, at) == Some(word);
        if let Some(import) = (start..end).find(|at| is(*at, "import")) {
            let from = (start..import).find(|at| is(*at, "from"));
            return self.import(tokens, from, import, end);
        }
        let mut depth = 0_usize;
        let mut head = start;
        let is_block = name(tokens, start).is_some_and(|word| OPENS_BLOCK.contains(&word));
        for at in start..end {
            match tokens.get(at).map(|(token, _)| token) {
                Some(Token::Mark('(' | '[' | '{')) => depth += 1,
                Some(Token::Mark(')' | ']' | '}')) => depth = depth.saturating_sub(1),
                Some(Token::Mark(':')) if is_mark(tokens, at + 1, '=') => self.give(tokens, at - 1, at, None),
                Some(Token::Mark(':')) if depth == 0 && is_block => head = at + 1,
                Some(Token::Mark('=')) if depth == 0 && is_assignment(tokens, at) => {
                    self.give(tokens, head, at, Some(at + 1));
                    head = at + 1;
                }
                Some(Token::Mark('=')) if depth == 0 && is_augmented(tokens, at) => self.give(tokens, head, at, None),
                Some(Token::Name(word)) if word == "for" => {
                    let to = (at..end).find(|to| is(*to, "in")).unwrap_or(end);
                    self.give(tokens, at + 1, to, Some(to + 1));
                }
                Some(Token::Name(word)) if word == "as" => self.give(tokens, at + 1, at + 2, None),
                Some(Token::Name(word)) if word == "def" => self.parameters(tokens, at + 2, end),
                Some(Token::Name(word)) if word == "lambda" => {
                    let to = (at..end).find(|to| is_mark(tokens, *to, ':')).unwrap_or(end);
                    self.give(tokens, at + 1, to, None);
                }
                _ => {}
            }
        }
    }

    /// Gives the one name from `from` to `to` the value that begins at `value`; several names, or one without a value, get
    /// theirs from elsewhere.
    fn give(&mut self, tokens: &Tokens, from: usize, to: usize, value: Option<usize>) {
        let to = match (name(tokens, from), is_mark(tokens, from + 1, ':')) {
            // What stands behind a colon is the name's type.
            (Some(_), true) => from + 1,
            _ => to,
        };
        if let (Some(name), Some(value)) = (name(tokens, from).filter(|_| to == from + 1), value) {
            self.values.entry(name.to_owned()).or_default().push(value);
            return;
        }
        // A value that is given to a part of an object (`self.name`) is none of the name's own.
        let is_part = (from..to).any(|at| is_mark(tokens, at, '.') || is_mark(tokens, at, '['));
        let names = (from..to).filter_map(|at| name(tokens, at)).filter(|_| !is_part).map(str::to_owned);
        self.foreign.extend(names);
    }

    /// The names of the parameters in the brackets that open at `open`.
    fn parameters(&mut self, tokens: &Tokens, open: usize, end: usize) {
        let mut depth = 0_usize;
        for at in open..end {
            match tokens.get(at).map(|(token, _)| token) {
                Some(Token::Mark('(' | '[' | '{')) => depth += 1,
                Some(Token::Mark(')' | ']' | '}')) => depth = depth.saturating_sub(1),
                Some(Token::Name(name)) if depth == 1 => {
                    let begins = at
                        .checked_sub(1)
                        .is_some_and(|at| ['(', ',', '*'].iter().any(|mark| is_mark(tokens, at, *mark)));
                    if begins {
                        self.foreign.insert(name.clone());
                    }
                }
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn import(&mut self, tokens: &Tokens, from: Option<usize>, import: usize, end: usize) {
        let module: Option<String> = from.map(|from| {
            let parts = (from + 1..import).filter_map(|at| name(tokens, at));
            parts.collect::<Vec<_>>().join(".")
        });
        let mut at = import + 1;
        while at < end {
            let first = at;
            let mut parts = Vec::new();
            while let Some(part) = name(tokens, at).filter(|_| at < end) {
                parts.push(part);
                at += 1;
                if !is_mark(tokens, at, '.') {
                    break;
                }
                at += 1;
            }
            if is_mark(tokens, first, '*') && module.as_deref() == Some("ctypes") {
                let names = OF_CTYPES.iter().map(|name| ((*name).to_owned(), format!("ctypes.{name}")));
                self.imported.extend(names);
            }
            if parts.is_empty() {
                at = first + 1;
                continue;
            }
            let path = parts.join(".");
            let alias = name(tokens, at).filter(|word| *word == "as").and_then(|_| name(tokens, at + 1));
            at += if alias.is_some() { 2 } else { 0 };
            let (bound, path) = match (&module, alias) {
                (Some(module), alias) => (alias.unwrap_or(&path).to_owned(), format!("{module}.{path}")),
                (None, Some(alias)) => (alias.to_owned(), path),
                // `import a.b` makes `a` known.
                (None, None) => (
                    parts.first().copied().unwrap_or_default().to_owned(),
                    parts.first().copied().unwrap_or_default().to_owned(),
                ),
            };
            self.imported.insert(bound, path);
        }
    }
}

/// The name or keyword at `at`.
pub(super) fn name(tokens: &Tokens, at: usize) -> Option<&str> {
    match tokens.get(at) {
        Some((Token::Name(name), _)) => Some(name),
        _ => None,
    }
}

/// Whether `mark` stands at `at`.
pub(super) fn is_mark(tokens: &Tokens, at: usize, mark: char) -> bool {
    matches!(tokens.get(at), Some((Token::Mark(found), _)) if *found == mark)
}

fn is_assignment(tokens: &Tokens, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| tokens.get(at)).map(|(token, _)| token);
    let compares = matches!(before, Some(Token::Mark(mark)) if "=<>!+-*/%&|^@:~".contains(*mark));
    !compares && !is_mark(tokens, at + 1, '=')
}

fn is_augmented(tokens: &Tokens, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| tokens.get(at)).map(|(token, _)| token);
    matches!(before, Some(Token::Mark(mark)) if "+-*/%&|^@".contains(*mark))
}
