//! The values of expressions in Python, where they can be told: texts, paths beside the file, and choices among them.

use super::scope::{Scope, is_mark, name};
use super::tokens::Token;

/// Expressions within expressions are followed so deep.
const DEEPEST: usize = 12;
/// An expression with more possible values than this is not followed.
const MOST_VALUES: usize = 64;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A path from the folder of the file, in normal form; empty for the folder itself.
    Beside(String),
    /// The path of the file.
    File,
    /// What `ctypes.util.find_library` finds for this name.
    Stem(String),
    /// `None`.
    Null,
    /// Something that is made at run time.
    Unknown,
}

/// Reads expressions; several values where the program chooses among them.
pub(super) struct Cursor<'a> {
    tokens: &'a [(Token, u64)],
    scope: &'a Scope,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [(Token, u64)], scope: &'a Scope, at: usize) -> Self {
        Self { tokens, scope, at, depth: 0 }
    }

    /// The values of the first argument of a call, or of the one called `keyword`; it begins behind the opening bracket.
    /// None where there is no such argument.
    pub(super) fn argument(&mut self, keyword: &str) -> Vec<Value> {
        let mut is_first = true;
        while self.at < self.tokens.len() && !is_mark(self.tokens, self.at, ')') {
            let named = name(self.tokens, self.at)
                .filter(|_| is_mark(self.tokens, self.at + 1, '=') && !is_mark(self.tokens, self.at + 2, '='));
            self.at += if named.is_some() { 2 } else { 0 };
            if is_mark(self.tokens, self.at, '*') {
                return vec![Value::Unknown];
            }
            let values = self.whole();
            if named == Some(keyword) || (named.is_none() && is_first) {
                return values;
            }
            is_first = false;
            self.skip_to_next();
        }
        Vec::new()
    }

    /// The values of an expression up to the mark that ends it; unknown where it goes on in a way that is not understood.
    fn whole(&mut self) -> Vec<Value> {
        let values = self.choice();
        let ends = match self.tokens.get(self.at) {
            None | Some((Token::End, _)) => true,
            Some((Token::Mark(mark), _)) => ",)]}:=".contains(*mark),
            Some((Token::Name(word), _)) => matches!(word.as_str(), "for" | "if" | "else"),
            _ => false,
        };
        let few = values.len() <= MOST_VALUES;
        if ends && few { values } else { vec![Value::Unknown] }
    }

    fn choice(&mut self) -> Vec<Value> {
        if self.depth >= DEEPEST {
            return vec![Value::Unknown];
        }
        self.depth += 1;
        let mut values = self.sum();
        match name(self.tokens, self.at) {
            Some("or") => {
                self.at += 1;
                values.extend(self.choice());
            }
            Some("if") => {
                let before = self.at;
                self.skip_to(|token| *token == Token::Name("else".to_owned()));
                if name(self.tokens, self.at) == Some("else") {
                    self.at += 1;
                    values.extend(self.choice());
                } else {
                    self.at = before;
                }
            }
            _ => {}
        }
        self.depth -= 1;
        values
    }

    fn sum(&mut self) -> Vec<Value> {
        let mut values = self.term();
        loop {
            let join: fn(&Value, &Value) -> Value = match self.tokens.get(self.at) {
                Some((Token::Mark('+'), _)) => |one, other| match (one, other) {
                    (Value::Text(one), Value::Text(other)) => Value::Text(format!("{one}{other}")),
                    (Value::Beside(one), Value::Text(other)) if other.starts_with('/') => {
                        Value::Beside(joined(one, other.trim_start_matches('/')))
                    }
                    _ => Value::Unknown,
                },
                Some((Token::Mark('/'), _)) => join,
                _ => return values,
            };
            self.at += 1;
            let others = self.term();
            values = pairs(&values, &others, join);
        }
    }

    fn term(&mut self) -> Vec<Value> {
        let mut values = self.atom();
        loop {
            if is_mark(self.tokens, self.at, '.') {
                let method = name(self.tokens, self.at + 1).unwrap_or_default().to_owned();
                self.at += 2;
                let mut arguments = Vec::new();
                if is_mark(self.tokens, self.at, '(') {
                    arguments = self.arguments();
                }
                values = match method.as_str() {
                    "parent" => values.iter().map(folder).collect(),
                    "resolve" | "absolute" | "as_posix" | "expanduser" | "__str__" | "__fspath__" => values,
                    "joinpath" => arguments.iter().fold(values, |values, with| pairs(&values, with, join)),
                    "with_name" => {
                        let folders: Vec<Value> = values.iter().map(folder).collect();
                        arguments.iter().take(1).fold(folders, |values, with| pairs(&values, with, join))
                    }
                    _ => vec![Value::Unknown],
                };
            } else if is_mark(self.tokens, self.at, '(') || is_mark(self.tokens, self.at, '[') {
                self.at += 1;
                self.skip_to(|_| false);
                self.at += 1;
                values = vec![Value::Unknown];
            } else {
                return values;
            }
        }
    }

    fn atom(&mut self) -> Vec<Value> {
        match self.tokens.get(self.at).map(|(token, _)| token) {
            Some(Token::Text(_)) => {
                let mut text = Some(String::new());
                while let Some((Token::Text(part), _)) = self.tokens.get(self.at) {
                    text = text.zip(part.as_ref()).map(|(text, part)| text + part);
                    self.at += 1;
                }
                vec![text.map_or(Value::Unknown, Value::Text)]
            }
            Some(Token::Mark('(' | '[')) => {
                let lists = self.arguments();
                lists.into_iter().flatten().collect()
            }
            Some(Token::Name(first)) if first == "None" => {
                self.at += 1;
                vec![Value::Null]
            }
            Some(Token::Name(first)) if first == "__file__" => {
                self.at += 1;
                vec![Value::File]
            }
            Some(Token::Name(first)) if !self.scope.is_imported(first) && !is_mark(self.tokens, self.at + 1, '(') => {
                let starts = self.scope.values(first).unwrap_or_default();
                self.at += 1;
                if starts.is_empty() || self.depth >= DEEPEST {
                    return self.unless_call(first.clone());
                }
                let value = |start: &usize| {
                    let mut cursor = Cursor { at: *start, depth: self.depth + 4, ..*self };
                    cursor.whole()
                };
                starts.iter().flat_map(value).collect()
            }
            Some(Token::Name(_)) => match self.scope.path(self.tokens, self.at) {
                Some((path, behind)) => {
                    self.at = behind;
                    if is_mark(self.tokens, self.at, '(') {
                        let arguments = self.arguments();
                        return called(&path, &arguments);
                    }
                    vec![Value::Unknown]
                }
                None => vec![Value::Unknown],
            },
            _ => {
                self.at += 1;
                vec![Value::Unknown]
            }
        }
    }

    /// What a name that has no known value comes to: a call of a module's function that was never imported here is known
    /// by its path all the same.
    fn unless_call(&mut self, first: String) -> Vec<Value> {
        let Some((path, behind)) = self.scope.path(self.tokens, self.at - 1) else { return vec![Value::Unknown] };
        if path.starts_with(&first) && is_mark(self.tokens, behind, '(') {
            self.at = behind;
            let arguments = self.arguments();
            return called(&path, &arguments);
        }
        vec![Value::Unknown]
    }

    /// The values of each of the expressions in the brackets that open here, and what is behind the brackets.
    fn arguments(&mut self) -> Vec<Vec<Value>> {
        let mut found = Vec::new();
        self.at += 1;
        while self.at < self.tokens.len() {
            if [')', ']', '}'].iter().any(|mark| is_mark(self.tokens, self.at, *mark)) {
                self.at += 1;
                break;
            }
            found.push(self.whole());
            self.skip_to_next();
        }
        found
    }

    /// Goes to the next expression in the same brackets, or to their end.
    fn skip_to_next(&mut self) {
        self.skip_to(|token| *token == Token::Mark(','));
        self.at += usize::from(is_mark(self.tokens, self.at, ','));
    }

    /// Goes to the first token in the same brackets that `is_wanted`, or to their end.
    fn skip_to(&mut self, is_wanted: impl Fn(&Token) -> bool) {
        let mut depth = 0_usize;
        while let Some((token, _)) = self.tokens.get(self.at) {
            match token {
                token if depth == 0 && is_wanted(token) => return,
                Token::Mark('(' | '[' | '{') => depth += 1,
                Token::Mark(')' | ']' | '}') if depth == 0 => return,
                Token::Mark(')' | ']' | '}') => depth -= 1,
                Token::End if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }
}

/// What the function at `path` makes of `arguments`.
fn called(path: &str, arguments: &[Vec<Value>]) -> Vec<Value> {
    let first = arguments.first().cloned().unwrap_or_default();
    match path {
        "os.path.join" => arguments.iter().skip(1).fold(first, |values, with| pairs(&values, with, join)),
        "pathlib.Path" | "pathlib.PurePath" | "Path" => {
            arguments.iter().skip(1).fold(first, |values, with| pairs(&values, with, join))
        }
        "os.path.dirname" => first.iter().map(folder).collect(),
        "os.path.abspath" | "os.path.realpath" | "os.path.normpath" | "os.fspath" | "os.fsencode" | "str" => first,
        "ctypes.util.find_library" => {
            let stem = |value: Value| if let Value::Text(stem) = value { Value::Stem(stem) } else { Value::Unknown };
            first.into_iter().map(stem).collect()
        }
        _ => vec![Value::Unknown],
    }
}

fn pairs(ones: &[Value], others: &[Value], join: fn(&Value, &Value) -> Value) -> Vec<Value> {
    if ones.len().saturating_mul(others.len()) > MOST_VALUES {
        return vec![Value::Unknown];
    }
    ones.iter().flat_map(|one| others.iter().map(move |other| join(one, other))).collect()
}

/// The folder of a path.
fn folder(value: &Value) -> Value {
    match value {
        Value::File => Value::Beside(String::new()),
        Value::Beside(path) => Value::Beside(joined(path, "..")),
        Value::Text(path) => match path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => Value::Text(folder.to_owned()),
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}

/// A path and one that goes on from it.
fn join(one: &Value, other: &Value) -> Value {
    match (one, other) {
        (_, Value::Text(other)) if other.starts_with('/') => Value::Text(other.clone()),
        (Value::Beside(path), Value::Text(other)) => Value::Beside(joined(path, other)),
        (Value::Text(path), Value::Text(other)) => Value::Text(format!("{}/{other}", path.trim_end_matches('/'))),
        _ => Value::Unknown,
    }
}

/// `path` and `other` as one path, without `.` and without a folder before `..`.
fn joined(path: &str, other: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').chain(other.split('/')).filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
