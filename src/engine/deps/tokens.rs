//! The dynamic string tokens of ld.so(8): `$ORIGIN`, `$LIB`, `$PLATFORM`, plain or in braces.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the tokens stand for in one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// The directory of the object, absolute.
    pub(super) origin: &'a Path,
    /// The library directory's name; `None` where the loader does not know the token (musl).
    pub(super) library: Option<&'a str>,
    /// The processor's name; `None` where it is not known.
    pub(super) platform: Option<&'a str>,
}

/// `text` with its tokens filled in; `None` when one of them has no value here, whereupon the loader drops the entry.
/// What looks like a token and is none stays as it stands.
pub(super) fn expand(text: &[u8], tokens: Tokens<'_>) -> Option<Vec<u8>> {
    let mut expanded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte == b'$').then(|| token(after)).flatten() {
            Some((name, length)) => {
                let value = match name {
                    Token::Origin => tokens.origin.as_os_str().as_bytes(),
                    Token::Library => tokens.library?.as_bytes(),
                    Token::Platform => tokens.platform?.as_bytes(),
                };
                expanded.extend_from_slice(value);
                rest = after.get(length..).unwrap_or_default();
            }
            None => expanded.push(byte),
        }
    }
    Some(expanded)
}

/// Whether the loader would fill something in.
pub(super) fn has_token(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, &byte)| byte == b'$' && text.get(at + 1..).and_then(token).is_some())
}

/// Whether `text` begins with `$ORIGIN`, so that its path is one of the object's own.
pub(super) fn begins_with_origin(text: &[u8]) -> bool {
    matches!(text.strip_prefix(b"$").and_then(token), Some((Token::Origin, _)))
}

/// `bytes` as a path.
pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[derive(Clone, Copy)]
enum Token {
    Origin,
    Library,
    Platform,
}

/// The token that `text` (what follows a `$`) begins with, and how many bytes it takes.
fn token(text: &[u8]) -> Option<(Token, usize)> {
    let names: [(&[u8], Token); 3] =
        [(b"ORIGIN", Token::Origin), (b"LIB", Token::Library), (b"PLATFORM", Token::Platform)];
    names.into_iter().find_map(|(name, token)| {
        if let Some(inner) = text.strip_prefix(b"{") {
            let closed = inner.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'}'));
            return closed.then_some((token, name.len() + 2));
        }
        let rest = text.strip_prefix(name)?;
        // A longer identifier is another, unknown name: `$ORIGINAL` stays literal.
        let ends = rest.first().is_none_or(|&next| !(next.is_ascii_alphanumeric() || next == b'_'));
        ends.then_some((token, name.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_filled_in_as_the_loader_does() {
        let tokens = Tokens { origin: Path::new("/o"), library: Some("lib64"), platform: None };
        let table: &[(&str, Option<&str>)] = &[
            ("", Some("")),
            ("/plain", Some("/plain")),
            ("$ORIGIN", Some("/o")),
            ("${ORIGIN}/../lib", Some("/o/../lib")),
            ("$ORIGIN/$ORIGIN", Some("/o//o")),
            ("$ORIGINAL/x", Some("$ORIGINAL/x")),
            ("$ORIGIN_x", Some("$ORIGIN_x")),
            ("${ORIGIN", Some("${ORIGIN")),
            ("${ORIGINx}/q", Some("${ORIGINx}/q")),
            ("/usr/$LIB$ORIGIN", Some("/usr/lib64/o")),
            ("$", Some("$")),
            ("$$ORIGIN", Some("$/o")),
            ("$FOO/x", Some("$FOO/x")),
            ("/a/$PLATFORM", None),
            ("/a/${PLATFORM}/b", None),
        ];
        for (text, expected) in table {
            let expanded = expand(text.as_bytes(), tokens).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(expanded.as_deref(), *expected, "{text}");
        }
        assert!(has_token(b"/x/$LIB") && has_token(b"${ORIGIN}") && !has_token(b"$ORIGINAL") && !has_token(b"/$"));
    }

    #[test]
    fn a_token_that_the_loader_does_not_know_drops_the_entry() {
        let tokens = Tokens { origin: Path::new("/o"), library: None, platform: None };
        assert_eq!(expand(b"/usr/$LIB", tokens), None);
        assert_eq!(expand(b"$ORIGIN", tokens).as_deref(), Some(b"/o".as_slice()));
    }
}
