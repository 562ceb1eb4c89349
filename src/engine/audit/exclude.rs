//! The user's `--exclude` patterns: shell patterns over a library's needed name or its full path (as auditwheel's).

use std::path::Path;

/// A shell pattern: `*` is any text, also with slashes, `?` one character, `[abc]`, `[a-z]` and `[!abc]` one of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Is(char),
    Set { ranges: Vec<(char, char)>, negated: bool },
}

impl Pattern {
    /// Reads a pattern. A `[` that nothing closes stands for itself.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let mut pieces = Vec::new();
        let mut rest = characters.as_slice();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                // Several stars are one; so a match takes no more than length times length.
                '*' if pieces.last() == Some(&Piece::Any) => {}
                '*' => pieces.push(Piece::Any),
                '?' => pieces.push(Piece::One),
                '[' => match read_set(after) {
                    Some((set, behind)) => {
                        pieces.push(set);
                        rest = behind;
                    }
                    None => pieces.push(Piece::Is('[')),
                },
                other => pieces.push(Piece::Is(*other)),
            }
        }
        Self(pieces)
    }

    /// Whether the whole `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // `ends` holds the places to which the pieces so far can reach.
        let characters: Vec<char> = text.chars().collect();
        let mut ends = vec![false; characters.len() + 1];
        if let Some(start) = ends.first_mut() {
            *start = true;
        }
        for piece in &self.0 {
            let mut next = vec![false; ends.len()];
            let mut reached = false;
            for (at, place) in next.iter_mut().enumerate() {
                let here = ends.get(at).copied().unwrap_or(false);
                let before = at.checked_sub(1);
                let from_before = before.and_then(|before| ends.get(before)).copied().unwrap_or(false);
                reached |= here;
                *place = match (piece, before.and_then(|before| characters.get(before))) {
                    (Piece::Any, _) => reached,
                    (_, None) => false,
                    (Piece::One, Some(_)) => from_before,
                    (Piece::Is(wanted), Some(found)) => from_before && wanted == found,
                    (Piece::Set { ranges, negated }, Some(found)) => {
                        let inside = ranges.iter().any(|(low, high)| low <= found && found <= high);
                        from_before && inside != *negated
                    }
                };
            }
            ends = next;
        }
        ends.last().copied().unwrap_or(false)
    }
}

/// The set that begins behind a `[`, and what follows its `]`.
fn read_set(text: &[char]) -> Option<(Piece, &[char])> {
    let (negated, body) = match text.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, text),
    };
    // A `]` in the first place is a member.
    let end = body.iter().skip(1).position(|character| *character == ']')? + 1;
    let (members, behind) = (body.get(..end)?, body.get(end + 1..)?);
    let mut ranges = Vec::new();
    let mut rest = members;
    loop {
        match rest {
            [] => break,
            [low, '-', high, after @ ..] => {
                ranges.push((*low, *high));
                rest = after;
            }
            [one, after @ ..] => {
                ranges.push((*one, *one));
                rest = after;
            }
        }
    }
    Some((Piece::Set { ranges, negated }, behind))
}

/// Whether one of `patterns` fits the library's name, its path or its real path.
#[must_use]
pub fn is_excluded(patterns: &[Pattern], name: &str, path: Option<&Path>, realpath: Option<&Path>) -> bool {
    let paths = [path, realpath].into_iter().flatten().map(Path::to_string_lossy);
    let texts: Vec<_> = paths.chain(std::iter::once(name.into())).collect();
    patterns.iter().any(|pattern| texts.iter().any(|text| pattern.matches(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_the_shell() {
        for (pattern, text, fits) in [
            ("libgreet.so.1", "libgreet.so.1", true),
            ("libgreet", "libgreet.so.1", false),
            ("libcu*.so*", "libcudart.so.12", true),
            ("*", "", true),
            ("/opt/*/lib?.so", "/opt/a/b/libx.so", true),
            ("lib[xy].so", "liby.so", true),
            ("lib[!xy].so", "liby.so", false),
            ("lib[a-f0-9].so", "lib7.so", true),
            ("lib[].so", "lib[].so", true),
            ("lib[]].so", "lib].so", true),
            ("**a**b", "xxaxxb", true),
            ("a?", "a", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn names_and_paths_can_be_excluded() {
        let patterns = [Pattern::new("libcuda.so.*"), Pattern::new("/opt/vendor/*")];
        let path = Path::new("/opt/vendor/lib/libv.so");
        assert!(is_excluded(&patterns, "libcuda.so.1", None, None));
        assert!(is_excluded(&patterns, "libv.so", Some(path), None));
        assert!(is_excluded(&patterns, "libv.so", Some(Path::new("/usr/lib/libv.so")), Some(path)));
        assert!(!is_excluded(&patterns, "libw.so", None, None));
    }
}
