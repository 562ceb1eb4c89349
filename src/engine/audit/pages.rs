//! The page of each finding: what it is, why it matters, how to see it, how to mend it. Part of the program, so that
//! `explain` and the screen need no files.

const PAGES: [(&str, &str); 25] = [
    ("WW001", include_str!("../../../assets/findings/WW001.md")),
    ("WW002", include_str!("../../../assets/findings/WW002.md")),
    ("WW003", include_str!("../../../assets/findings/WW003.md")),
    ("WW004", include_str!("../../../assets/findings/WW004.md")),
    ("WW005", include_str!("../../../assets/findings/WW005.md")),
    ("WW006", include_str!("../../../assets/findings/WW006.md")),
    ("WW007", include_str!("../../../assets/findings/WW007.md")),
    ("WW008", include_str!("../../../assets/findings/WW008.md")),
    ("WW009", include_str!("../../../assets/findings/WW009.md")),
    ("WW010", include_str!("../../../assets/findings/WW010.md")),
    ("WW011", include_str!("../../../assets/findings/WW011.md")),
    ("WW012", include_str!("../../../assets/findings/WW012.md")),
    ("WW013", include_str!("../../../assets/findings/WW013.md")),
    ("WW014", include_str!("../../../assets/findings/WW014.md")),
    ("WW015", include_str!("../../../assets/findings/WW015.md")),
    ("WW016", include_str!("../../../assets/findings/WW016.md")),
    ("WW017", include_str!("../../../assets/findings/WW017.md")),
    ("WW018", include_str!("../../../assets/findings/WW018.md")),
    ("WW019", include_str!("../../../assets/findings/WW019.md")),
    ("WW022", include_str!("../../../assets/findings/WW022.md")),
    ("WW025", include_str!("../../../assets/findings/WW025.md")),
    ("WW026", include_str!("../../../assets/findings/WW026.md")),
    ("WW027", include_str!("../../../assets/findings/WW027.md")),
    ("WW029", include_str!("../../../assets/findings/WW029.md")),
    ("WW031", include_str!("../../../assets/findings/WW031.md")),
];

/// The page of finding `code` (`WW003`, in either case) as Markdown.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

/// The codes that have a page, sorted.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_a_page_with_the_four_headings() {
        // An audit gives all of them but the comparison's own.
        let known: Vec<&str> =
            super::super::findings::CODES.into_iter().chain([crate::engine::compare::UNEXPLAINED]).collect();
        assert_eq!(codes().collect::<Vec<_>>(), known);
        for code in codes() {
            let page = page(code).unwrap();
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(headings, ["## What", "## Why it matters", "## How to see it", "## How to mend it"], "{code}");
            let lines = page.lines().count();
            assert!((15..=42).contains(&lines), "{code}: {lines} lines");
            assert!(page.lines().all(|line| line.chars().count() <= 108), "{code}");
        }
        assert_eq!(page("ww003"), page("WW003"));
        assert_eq!(page("WW000"), None);
    }

    /// The codes that the findings' sources name are those that are listed.
    #[test]
    fn every_code_that_is_given_is_listed() {
        let sources = [
            include_str!("findings/answer.rs"),
            include_str!("findings/cache.rs"),
            include_str!("findings/dlopen.rs"),
            include_str!("findings/edit.rs"),
            include_str!("findings/editable.rs"),
            include_str!("findings/hardening.rs"),
            include_str!("findings/lens.rs"),
            include_str!("findings/missing.rs"),
            include_str!("findings/module.rs"),
            include_str!("findings/processor.rs"),
            include_str!("findings/runpath.rs"),
            include_str!("findings/segments.rs"),
            include_str!("findings/tag.rs"),
            include_str!("findings/twins.rs"),
        ];
        let mut given: Vec<&str> =
            sources.iter().flat_map(|text| text.split("finding(\"").skip(1)).filter_map(|rest| rest.get(..5)).collect();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given, super::super::findings::CODES);
    }
}
