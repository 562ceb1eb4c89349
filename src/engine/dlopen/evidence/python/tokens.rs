//! Python source cut into names, texts and marks: as much of the language's lexical rules ("Lexical analysis" of its
//! reference) as it takes to find calls and their arguments. Indentation is not looked at.

/// A piece of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword.
    Name(String),
    /// A text; `None` where it is made at run time (an f-string), or is not one of letters (bytes).
    Text(Option<String>),
    /// Any other letter that means something.
    Mark(char),
    /// Something that is neither: a number.
    Other,
    /// The end of a statement.
    End,
}

/// The tokens of `source`, each with its line, from 1.
pub(super) fn tokens(source: &str) -> Vec<(Token, u64)> {
    let mut lexer = Lexer { rest: source, line: 1, depth: 0, found: Vec::new() };
    while lexer.next() {}
    lexer.found.push((Token::End, lexer.line));
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    line: u64,
    depth: usize,
    found: Vec<(Token, u64)>,
}

impl Lexer<'_> {
    fn push(&mut self, token: Token) {
        self.found.push((token, self.line));
    }

    /// Takes `length` bytes, which must end at a letter's border.
    fn take(&mut self, length: usize) -> &str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line += memchr::memchr_iter(b'\n', taken.as_bytes()).count() as u64;
        self.rest = rest;
        taken
    }

    /// Reads one token; says whether there was one.
    fn next(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        match first {
            '\n' => {
                if self.depth == 0 {
                    self.push(Token::End);
                }
                self.take(1);
            }
            '#' => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(end);
            }
            '\\' => {
                let goes_on = self.rest.get(1..).unwrap_or_default();
                let length = if goes_on.starts_with("\r\n") { 3 } else { 1 + usize::from(goes_on.starts_with('\n')) };
                self.take(length);
            }
            '"' | '\'' => self.text(""),
            '0'..='9' => {
                let end = self.rest.find(|letter: char| !letter.is_alphanumeric() && !"._".contains(letter));
                self.take(end.unwrap_or(self.rest.len()));
                self.push(Token::Other);
            }
            first if first.is_alphabetic() || first == '_' => {
                let end = self.rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
                let name = self.take(end.unwrap_or(self.rest.len())).to_owned();
                let prefix = name.len() <= 2 && name.chars().all(|letter| "rRbBuUfFtT".contains(letter));
                if prefix && self.rest.starts_with(['"', '\'']) {
                    self.text(&name)
                } else {
                    self.push(Token::Name(name))
                }
            }
            _ => {
                self.take(first.len_utf8());
                match first {
                    '(' | '[' | '{' => self.depth += 1,
                    ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                    ';' if self.depth == 0 => return self.end(),
                    _ => {}
                }
                if !first.is_whitespace() {
                    self.push(Token::Mark(first));
                }
            }
        }
        true
    }

    fn end(&mut self) -> bool {
        self.push(Token::End);
        true
    }

    /// Reads a text, which begins with its quotes, behind `prefix`.
    fn text(&mut self, prefix: &str) {
        let Some(quote) = self.rest.chars().next() else { return };
        let triple = quote.to_string().repeat(3);
        let quotes = if self.rest.starts_with(&triple) { triple } else { quote.to_string() };
        let is_raw = prefix.contains(['r', 'R']);
        let is_plain = !prefix.contains(['f', 'F', 't', 'T', 'b', 'B']);
        let line = self.line;
        self.take(quotes.len());
        let mut text = Some(String::new());
        while let Some(letter) = self.rest.chars().next() {
            if self.rest.starts_with(&quotes) {
                self.take(quotes.len());
                break;
            }
            if letter == '\n' && quotes.len() == 1 {
                // Not Python: the line's end ends it all the same.
                text = None;
                break;
            }
            self.take(letter.len_utf8());
            if letter != '\\' {
                text.iter_mut().for_each(|text| text.push(letter));
                continue;
            }
            let Some(escaped) = self.rest.chars().next() else { break };
            self.take(escaped.len_utf8());
            let means = match escaped {
                _ if is_raw => Some(format!("\\{escaped}")),
                '\n' => Some(String::new()),
                '\\' | '\'' | '"' => Some(escaped.to_string()),
                // Others do not stand in the names of libraries.
                'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'u' | 'U' | 'N' | '0'..='7' => None,
                other => Some(format!("\\{other}")),
            };
            text = text.zip(means).map(|(text, means)| text + &means);
        }
        self.found.push((Token::Text(text.filter(|_| is_plain)), line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_comments_and_lines_are_told_apart() {
        let source = "a = 'x' # \"no\"\nb(r'\\d',\n  f'{a}', b'y', u\"z\\\"\")\n'''one\ntwo'''; c\n";
        let text = |text: &str| Token::Text(Some(text.into()));
        let name = |name: &str| Token::Name(name.into());
        let expected = vec![
            (name("a"), 1),
            (Token::Mark('='), 1),
            (text("x"), 1),
            (Token::End, 1),
            (name("b"), 2),
            (Token::Mark('('), 2),
            (text("\\d"), 2),
            (Token::Mark(','), 2),
            (Token::Text(None), 3),
            (Token::Mark(','), 3),
            (Token::Text(None), 3),
            (Token::Mark(','), 3),
            (text("z\""), 3),
            (Token::Mark(')'), 3),
            (Token::End, 3),
            (text("one\ntwo"), 4),
            (Token::End, 5),
            (name("c"), 5),
            (Token::End, 5),
            (Token::End, 6),
        ];
        assert_eq!(tokens(source), expected);
    }

    proptest! {
        #[test]
        fn any_source_is_borne(source in "[\\PC\n\"'\\\\rfb(){}#]{0,80}") {
            let lines = source.matches('\n').count() as u64 + 1;
            prop_assert!(tokens(&source).iter().all(|(_, line)| *line <= lines));
        }
    }
}
