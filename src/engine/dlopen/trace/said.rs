//! One line of glibc's `LD_DEBUG=libs,files`, taken apart.
//!
//! The wording is that of glibc 2.17 to 2.43 (`elf/dl-load.c`, `dl-cache.c`, `dl-open.c`, `dl-close.c`, `dl-init.c`,
//! `dl-deps.c`, `dl-catch.c`, `csu/libc-start.c`). A line that tells nothing about loading is [`Said::Nothing`].

use memchr::memmem;

/// What a line says. Texts are bytes of the line: names and paths need not be UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// An object is asked for that is not there under this name.
    Request { name: &'a [u8], namespace: u32, by: &'a [u8], opened: bool },
    /// It is looked for in the lists.
    Search { name: &'a [u8], namespace: u32 },
    /// A list is walked: its directories, joined by colons, and the rule in parentheses.
    List { directories: &'a [u8], label: &'a [u8] },
    /// The cache is asked.
    Cache,
    /// A file is tried.
    Trying(&'a [u8]),
    /// Why the file that was tried last is not it.
    Refused(&'a [u8]),
    /// The file is mapped.
    Mapping { name: &'a [u8], namespace: u32 },
    /// An object's constructors run.
    Init(&'a [u8]),
    /// The program itself starts.
    Start(&'a [u8]),
    /// A dlopen(3) has worked.
    Opened { path: &'a [u8], namespace: u32 },
    /// An object is gone.
    Destroyed { path: &'a [u8], namespace: u32 },
    /// An auxiliary filtee is wanted: the load goes on without it.
    Auxiliary,
    /// The loader's error, as `OBJECT: error: WHAT: WHY (fatal)`.
    Error(&'a [u8]),
    /// Nothing about loading.
    Nothing,
}

impl<'a> Said<'a> {
    /// Reads `line`, the text after the process id.
    pub(super) fn read(line: &'a [u8]) -> Self {
        let line = line.trim_ascii();
        let after = |prefix: &str| line.strip_prefix(prefix.as_bytes());
        if let Some(rest) = after("trying file=") {
            Self::Trying(rest)
        } else if let Some(rest) = after("file=") {
            Self::of_file(rest)
        } else if let Some(rest) = after("find library=") {
            let name = rest.strip_suffix(b"; searching").and_then(with_namespace);
            name.map_or(Self::Nothing, |(name, namespace)| Self::Search { name, namespace })
        } else if let Some(rest) = after("search path=") {
            Self::list(rest)
        } else if after("search cache=").is_some() {
            Self::Cache
        } else if let Some(rest) = after("calling init: ").or_else(|| after("calling preinit: ")) {
            Self::Init(rest)
        } else if let Some(rest) = after("initialize program: ").or_else(|| after("transferring control: ")) {
            Self::Start(rest)
        } else if let Some(rest) = after("opening file=") {
            let opened = before(rest, b"; direct_opencount=").and_then(with_namespace);
            opened.map_or(Self::Nothing, |(path, namespace)| Self::Opened { path, namespace })
        } else if after("load auxiliary object=").is_some() {
            Self::Auxiliary
        } else if let Some(why) = after("(").and_then(|rest| rest.strip_suffix(b")")) {
            Self::Refused(why)
        } else if memmem::find(line, b": error: ").is_some() {
            Self::Error(line)
        } else {
            Self::Nothing
        }
    }

    /// After `file=`.
    fn of_file(rest: &'a [u8]) -> Self {
        if let Some((name, namespace)) = rest.strip_suffix(b";  generating link map").and_then(with_namespace) {
            return Self::Mapping { name, namespace };
        }
        if let Some((path, namespace)) = rest.strip_suffix(b";  destroying link map").and_then(with_namespace) {
            return Self::Destroyed { path, namespace };
        }
        let request = |words: &[u8], opened| {
            let at = memmem::find(rest, words)?;
            let (name, namespace) = with_namespace(rest.get(..at)?)?;
            // "(relocation dependency)" after it is not a request.
            let (by, _) = with_namespace(rest.get(at + words.len()..)?)?;
            Some(Self::Request { name, namespace, by, opened })
        };
        request(b";  needed by ", false)
            .or_else(|| request(b";  dynamically loaded by ", true))
            .unwrap_or(Self::Nothing)
    }

    /// After `search path=`.
    fn list(rest: &'a [u8]) -> Self {
        let at = memmem::rfind(rest, b"\t\t(");
        let parts = at.and_then(|at| Some((rest.get(..at)?, rest.get(at + 3..)?.strip_suffix(b")")?)));
        parts.map_or(Self::Nothing, |(directories, label)| Self::List { directories, label })
    }
}

fn before<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    text.get(..memmem::rfind(text, mark)?)
}

/// `NAME [0]`.
fn with_namespace(text: &[u8]) -> Option<(&[u8], u32)> {
    let open = memmem::rfind(text, b" [")?;
    let digits = text.get(open + 2..)?.strip_suffix(b"]")?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((text.get(..open)?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let request = |opened| Said::Request { name: b"libz.so.1", namespace: 1, by: b"./a b [2]", opened };
        let table: [(&str, Said); 17] = [
            ("file=libz.so.1 [1];  needed by ./a b [2] [0]", request(false)),
            ("file=libz.so.1 [1];  dynamically loaded by ./a b [2] [0]", request(true)),
            ("file=libz.so.1 [1];  needed by ./a b [0] (relocation dependency)", Said::Nothing),
            ("find library=libz.so.1 [0]; searching", Said::Search { name: b"libz.so.1", namespace: 0 }),
            (
                " search path=/a:/b\t\t(RUNPATH from file ./a (b))",
                Said::List { directories: b"/a:/b", label: b"RUNPATH from file ./a (b)" },
            ),
            (" search path=\t\t(LD_LIBRARY_PATH)", Said::List { directories: b"", label: b"LD_LIBRARY_PATH" }),
            (" search cache=/etc/ld.so.cache", Said::Cache),
            ("  trying file=/lib/libz.so.1", Said::Trying(b"/lib/libz.so.1")),
            ("    (no such file)", Said::Refused(b"no such file")),
            ("file=libz.so.1 [0];  generating link map", Said::Mapping { name: b"libz.so.1", namespace: 0 }),
            ("file=/z [3];  destroying link map", Said::Destroyed { path: b"/z", namespace: 3 }),
            ("calling init: /lib/libz.so.1", Said::Init(b"/lib/libz.so.1")),
            ("initialize program: ./a", Said::Start(b"./a")),
            ("opening file=/z [0]; direct_opencount=2", Said::Opened { path: b"/z", namespace: 0 }),
            ("closing file=/z; direct_opencount=1", Said::Nothing),
            ("  dynamic: 0x1  base: 0x2   size: 0x3", Said::Nothing),
            (
                "./a: error: symbol lookup error: undefined symbol: f (fatal)",
                Said::Error(b"./a: error: symbol lookup error: undefined symbol: f (fatal)"),
            ),
        ];
        for (line, expected) in table {
            assert_eq!(Said::read(line.as_bytes()), expected, "{line}");
        }
    }
}
