//! What a library's name looks like: `libfoo.so.1.2`, `foo.dll`, `@rpath/libfoo.dylib`, `Foo.framework/Foo`, and the
//! patterns that such names are made of.
//!
//! A grammar tells names from other texts, and where a name ends among texts that have no end mark (Rust's). It never says
//! that a name is opened.

use crate::engine::binary::Format;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// A name.
    Name,
    /// A pattern with parts that are filled in at run time: `lib%s.so.%d`, `{}/lib*.so`.
    Pattern,
    /// The end of a name, to which something is put in front at run time: `.so`.
    Ending,
}

/// Letters behind `.so` that make it another word: `socket`, `source`, `sort`.
const OTHER_WORDS: [&[u8]; 4] = [b"ck", b"ur", b"rt", b"lv"];
/// What stands between the names of a list.
const BETWEEN_NAMES: &[u8] = b" ,;:|\n\t";

/// Where the mark of a library's name begins that ends in a dot at `dot` of `text`: `.so`, `.dll`; with its length.
pub(super) fn mark_at(text: &[u8], dot: usize, format: Format) -> Option<usize> {
    let rest = text.get(dot..)?;
    let marks: &[&[u8]] = match format {
        Format::Elf => &[b".so"],
        Format::MachO => &[b".dylib", b".framework/", b".so"],
        Format::Pe => &[b".dll"],
    };
    let begins = |mark: &&&[u8]| rest.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark));
    let mark = marks.iter().find(begins)?;
    // Only Windows takes names in either case.
    (format == Format::Pe || rest.starts_with(mark)).then_some(mark.len())
}

/// What `text` is as a whole; `None` where it is no library's name.
pub(super) fn whole(text: &[u8], format: Format) -> Option<Shape> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || text.contains("://") || text.chars().any(char::is_control) {
        return None;
    }
    let is_separator = |letter: char| letter == '/' || (format == Format::Pe && letter == '\\');
    let (folder, leaf) = match text.rfind(is_separator) {
        Some(at) => (text.get(..=at)?, text.get(at + 1..)?),
        None => ("", text),
    };
    let (stem, rest) = match in_framework(folder, leaf).filter(|_| format == Format::MachO) {
        Some(stem) => (stem, ""),
        None => split_leaf(leaf, format)?,
    };
    if stem.is_empty() {
        return (folder.is_empty()).then_some(if has_gap(rest) { Shape::Pattern } else { Shape::Ending });
    }
    let has_gap = has_gap(text);
    let is_letter = |letter: char| letter.is_alphanumeric() || "_+-.~@".contains(letter);
    let is_filled = |letter: char| has_gap && "%{}*?[]:#$".contains(letter);
    let plain = stem.chars().all(|letter| is_letter(letter) || is_filled(letter));
    let begins = stem.starts_with(|first: char| first.is_alphanumeric() || first == '_' || is_filled(first));
    // Two names that stand side by side are not one.
    let is_one = !stem.char_indices().any(|(at, letter)| {
        letter == '.'
            && mark_at(stem.as_bytes(), at, format).is_some_and(|length| {
                let behind = stem.get(at + length..).unwrap_or_default();
                behind.is_empty() || behind.starts_with('.') || behind.starts_with("lib")
            })
    });
    let speaks = is_one && (has_gap || stem.chars().any(char::is_alphabetic));
    if !plain || !begins || !speaks || !is_folder(folder, format) {
        return None;
    }
    Some(if has_gap { Shape::Pattern } else { Shape::Name })
}

/// The stem of `leaf` and what stands behind it, from the mark on; `None` where it has no mark, or other words behind it.
fn split_leaf(leaf: &str, format: Format) -> Option<(&str, &str)> {
    let marked = |(at, _): &(usize, char)| mark_at(leaf.as_bytes(), *at, format);
    let dots = leaf.char_indices().filter(|(_, letter)| *letter == '.');
    dots.rev().find_map(|dot| {
        let (stem, rest) = leaf.split_at_checked(dot.0)?;
        let behind = rest.get(marked(&dot)?..)?;
        is_version(behind).then_some((stem, rest))
    })
}

/// Whether `text` is a version behind a mark, or a pattern of one: `.1.2`, `.1.0.2k`, `.%d`, `.{}`, `*`.
fn is_version(text: &str) -> bool {
    let mut rest = text;
    while let Some(part) = rest.strip_prefix('.') {
        let end = part.find('.').unwrap_or(part.len());
        let Some((part, behind)) = part.split_at_checked(end) else { return false };
        let digits = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let letter = digits.len() <= 1 && digits.chars().all(|letter| letter.is_ascii_lowercase());
        let is_number = digits.len() < part.len() && letter;
        let is_filled = has_gap(part) && !part.contains(char::is_whitespace) && part.len() <= 16;
        if !is_number && !is_filled {
            return false;
        }
        rest = behind;
    }
    rest.is_empty() || rest == "*"
}

/// The library of `folder` and `leaf` in a framework: `Foo.framework/Versions/A/` and `Foo`.
fn in_framework<'a>(folder: &str, leaf: &'a str) -> Option<&'a str> {
    let (before, inside) = folder.rsplit_once(".framework/")?;
    let name = before.rsplit('/').next()?;
    let inside = inside.is_empty() || inside.starts_with("Versions/");
    (inside && !leaf.is_empty() && name == leaf).then_some(leaf)
}

/// Whether `folder` may stand before a file's name.
fn is_folder(folder: &str, format: Format) -> bool {
    let rooted = folder.starts_with(['/', '$', '@', '.', '~', '\\', '%', '{']) || folder.get(1..2) == Some(":");
    let plain = |letter: char| {
        letter.is_alphanumeric()
            || "/_+-.~@${}%*=,()".contains(letter)
            || (format == Format::Pe && "\\:".contains(letter))
    };
    folder.chars().all(|letter| plain(letter) || (rooted && letter == ' '))
}

/// Whether parts of `text` are filled in at run time: by `printf` or `{}`, by a wildcard, or by a variable of the shell.
fn has_gap(text: &str) -> bool {
    let mut letters = text.char_indices();
    letters.any(|(at, letter)| {
        let rest = text.get(at + letter.len_utf8()..).unwrap_or_default();
        match letter {
            '%' => {
                let rest = rest.trim_start_matches(|flag: char| flag.is_ascii_digit() || "-+.#*lhz".contains(flag));
                rest.starts_with(['s', 'd', 'i', 'u', 'x', 'X', 'c', 'S', 'v'])
            }
            '{' => rest.contains('}') && !text.get(..at).is_some_and(|before| before.ends_with('$')),
            '*' => true,
            // The loader itself fills in these (ld.so(8), "Dynamic string tokens").
            '$' => {
                let name = rest.trim_start_matches('{');
                !["ORIGIN", "LIB", "PLATFORM"].iter().any(|token| name.starts_with(token))
            }
            _ => false,
        }
    })
}

/// The names of the list `text`, with their places in it; empty where it is no list of names only.
pub(super) fn listed(text: &[u8], format: Format) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    for part in text.split(|byte| BETWEEN_NAMES.contains(byte)) {
        let start = at;
        at += part.len() + 1;
        if part.is_empty() {
            continue;
        }
        if whole(part, format) != Some(Shape::Name) {
            return Vec::new();
        }
        found.push((start, start + part.len()));
    }
    if found.len() > 1 { found } else { Vec::new() }
}

/// The name around the mark at `mark` of `text`, among other texts without a mark of their ends: it begins at `from` or
/// later. `None` where none can be told.
///
/// Only names that begin with `lib` are told, and their versions end with their digits.
pub(super) fn among_others(text: &[u8], from: usize, mark: usize, format: Format) -> Option<(usize, usize)> {
    let marked = mark_at(text, mark, format)?;
    let before = text.get(from..mark)?;
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"_+-./@$".contains(byte);
    let run = before.len() - before.iter().rev().take_while(|byte| is_path(byte)).count();
    let path = before.get(run..)?;
    let leaf = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let name = path.get(leaf..)?;
    let start = if name.starts_with(b"lib") && name.len() > 3 {
        let root = path.get(..leaf)?.iter().position(|byte| b"/$@".contains(byte));
        root.unwrap_or(leaf)
    } else {
        // What stands before was another text.
        let at = memchr::memmem::rfind(name, b"lib").filter(|at| at + 3 < name.len())?;
        leaf + at
    };
    let mut end = mark + marked;
    while let Some(digits) = text.get(end..).and_then(|rest| rest.strip_prefix(b".")) {
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            break;
        }
        end += 1 + count;
    }
    let behind = text.get(end..).unwrap_or_default();
    if end == mark + marked && OTHER_WORDS.iter().any(|word| behind.starts_with(word)) {
        return None;
    }
    let start = from + run + start;
    (whole(text.get(start..end)?, format) == Some(Shape::Name)).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_patterns_and_endings_are_told_from_other_texts() {
        use Format::{Elf, MachO, Pe};
        for (text, format, expected) in [
            ("libfoo.so", Elf, Some(Shape::Name)),
            ("libfoo.so.1.2", Elf, Some(Shape::Name)),
            ("libssl.so.1.0.2k", Elf, Some(Shape::Name)),
            ("libstdc++.so.6", Elf, Some(Shape::Name)),
            ("foo.abi3.so", Elf, Some(Shape::Name)),
            ("/opt/x/libfoo.so", Elf, Some(Shape::Name)),
            ("/opt/my apps/libfoo.so", Elf, Some(Shape::Name)),
            ("$ORIGIN/../libfoo.so", Elf, Some(Shape::Name)),
            ("${ORIGIN}/libfoo.so.1", Elf, Some(Shape::Name)),
            ("./plugin.so", Elf, Some(Shape::Name)),
            ("lib%s.so.%d", Elf, Some(Shape::Pattern)),
            ("libicuuc.so.{}", Elf, Some(Shape::Pattern)),
            ("{}.so", Elf, Some(Shape::Pattern)),
            ("%s/%s.so", Elf, Some(Shape::Pattern)),
            ("lib*.so", Elf, Some(Shape::Pattern)),
            ("$HOME/libfoo.so", Elf, Some(Shape::Pattern)),
            (".so", Elf, Some(Shape::Ending)),
            (".so.%d", Elf, Some(Shape::Pattern)),
            ("libfoo.so.1libbar.so.2", Elf, None),
            ("libfoo.socket", Elf, None),
            ("libfoo.so: not found", Elf, None),
            ("cannot open libfoo.so", Elf, None),
            ("https://notion.so", Elf, None),
            ("\\.so(\\.\\d+)*$", Elf, None),
            ("-lfoo.so", Elf, None),
            ("1.so", Elf, None),
            ("libfoo.dylib", Elf, None),
            ("libfoo.dylib", MachO, Some(Shape::Name)),
            ("@rpath/libfoo.1.dylib", MachO, Some(Shape::Name)),
            ("/System/Library/Frameworks/Foo.framework/Foo", MachO, Some(Shape::Name)),
            ("Foo.framework/Versions/A/Foo", MachO, Some(Shape::Name)),
            ("Foo.framework/Resources/x", MachO, None),
            ("kernel32.dll", Pe, Some(Shape::Name)),
            ("C:\\Program Files\\x\\FOO.DLL", Pe, Some(Shape::Name)),
            ("python%d%d.dll", Pe, Some(Shape::Pattern)),
            ("the foo.dll", Pe, None),
        ] {
            assert_eq!(whole(text.as_bytes(), format), expected, "{text}");
        }
    }

    #[test]
    fn names_are_cut_out_of_texts_that_have_no_end() {
        let text = b"libfoo.so.1libbar.so.2cannot open";
        assert_eq!(among_others(text, 0, 6, Format::Elf), Some((0, 11)));
        assert_eq!(among_others(text, 11, 17, Format::Elf), Some((11, 22)));
        let text = b"no library'/usr/lib/libz.so.1.2.13'";
        assert_eq!(among_others(text, 0, 24, Format::Elf), Some((11, 34)));
        assert_eq!(among_others(b"open libvirt.socket", 0, 12, Format::Elf), None);
        assert_eq!(among_others(b"a plain foo.so", 0, 11, Format::Elf), None);
    }

    #[test]
    fn a_list_is_one_of_names_only() {
        assert_eq!(listed(b"libfoo.so.1, libbar.so", Format::Elf), [(0, 11), (13, 22)]);
        assert!(listed(b"libfoo.so", Format::Elf).is_empty());
        assert!(listed(b"libfoo.so or libbar.so", Format::Elf).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(text: Vec<u8>, from in 0_usize..80, mark in 0_usize..80) {
            for format in [Format::Elf, Format::MachO, Format::Pe] {
                let _ = whole(&text, format);
                prop_assert!(listed(&text, format).iter().all(|(start, end)| start < end && *end <= text.len()));
                if let Some((start, end)) = among_others(&text, from, mark, format) {
                    prop_assert!(from <= start && start < mark && mark < end && end <= text.len());
                }
            }
        }

        #[test]
        fn a_name_is_found_whatever_surrounds_it(
            before in "[^A-Za-z0-9_+./@$-]{0,20}[ '(:]",
            stem in "[a-z0-9][a-z0-9_]{0,12}",
            version in "(\\.[0-9]{1,3}){0,3}",
            after in "([^A-Za-z0-9_.][^\u{0}]{0,20})?",
        ) {
            prop_assume!(!stem.contains("lib"));
            let name = format!("lib{stem}.so{version}");
            let text = format!("{before}{name}{after}");
            let mark = before.len() + 3 + stem.len();
            let found = among_others(text.as_bytes(), 0, mark, Format::Elf);
            prop_assert_eq!(found, Some((before.len(), before.len() + name.len())));
        }
    }
}
