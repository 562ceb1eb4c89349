//! Where a string table holds a symbol's name: as it is spelled in the source, or mangled.

use super::super::search::{Direction, find};
use crate::engine::binary::record::name_at;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// More places than this are not kept: every symbol of a path has its own.
const MOST: usize = 65_536;
/// How far the beginning of a mangled name is sought.
const LONGEST_MANGLED: u64 = 4096;

/// The offsets in the string table `table` of `source` at which a name begins that means `name`, with that name. A linker
/// lets a name stand at the end of a longer one, so that every ending counts.
///
/// # Errors
/// [`crate::engine::Error::Io`], [`crate::engine::Error::Malformed`], [`crate::engine::Error::Cancelled`].
pub fn spelled(source: &dyn ReadAt, table: Range<u64>, name: &str, context: &Context) -> Result<BTreeMap<u64, String>> {
    let mut found = BTreeMap::new();
    let mangled = mangled(name);
    let needle = match &mangled {
        Some(part) => part.as_bytes().to_vec(),
        None => [name.as_bytes(), b"\0"].concat(),
    };
    let mut from = table.start;
    while let Some(at) = find(source, &needle, from..table.end, Direction::Forward, context)? {
        from = at + 1;
        let start = if mangled.is_some() { beginning(source, table.start, at)? } else { at };
        let text = name_at(source, start, table.end)?.to_string();
        if mangled.as_deref().is_none_or(|part| means(&text, part)) {
            found.insert(start - table.start, text);
        }
        if found.len() >= MOST {
            break;
        }
    }
    Ok(found)
}

/// The part of a mangled name that both of Rust's manglings and C++'s make of a path: `a::bc` is `1a2bc`.
fn mangled(name: &str) -> Option<String> {
    name.contains("::").then(|| name.split("::").map(|part| format!("{}{part}", part.len())).collect())
}

/// Whether the mangled name `text` is that of the path `part` itself, and of nothing within it.
fn means(text: &str, part: &str) -> bool {
    let Some((before, after)) = text.split_once(part) else { return false };
    // Legacy names end with a hash, C++'s with the types of the parameters.
    match before.trim_start_matches('_') {
        "ZN" => after.starts_with("17h") || after.starts_with('E'),
        before => before.starts_with('R') && after.is_empty(),
    }
}

/// Where the string begins that `at` lies in.
fn beginning(source: &dyn ReadAt, first: u64, at: u64) -> Result<u64> {
    let from = first.max(at.saturating_sub(LONGEST_MANGLED));
    let before = source.bytes(from, at - from)?;
    Ok(before.iter().rposition(|byte| *byte == 0).map_or(from, |nul| from + nul as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn a_name_is_found_as_spelled_as_an_ending_and_mangled() {
        let table = b"\0my_greet\0greeting\0_ZN6labext5greet17h0123456789abcdefE\0_RNvCsabc_6labext5greet\0\
            _ZN6labext5greet5inner17h0123456789abcdefE\0_ZN6labext5greetEi\0";
        let source = MemoryBytes::new("a".into(), [&b"xx"[..], table].concat());
        let found = |name| {
            let found = spelled(&source, 2..source.size(), name, &Context::new()).unwrap();
            found.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(
            found("greet").first(),
            Some(&(4, "greet".to_owned())),
            "other endings are for the symbols to rule out"
        );
        assert!(found("greet").len() == 2 && found("reet").len() == 2 && found("gree").is_empty());
        let mangled = found("labext::greet");
        assert_eq!(mangled.len(), 3, "{mangled:?}");
        assert_eq!(mangled[1].1, "_RNvCsabc_6labext5greet");
        assert!(found("absent").is_empty());
    }
}
