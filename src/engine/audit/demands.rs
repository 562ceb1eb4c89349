//! What one ELF file demands of the machine that loads it: libraries, symbol versions, symbols. What a policy judges.

use crate::engine::Result;
use crate::engine::binary::Slice;
use crate::engine::binary::elf::{Details, Symbols};
use crate::engine::file::ReadAt;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// One symbol version that a file asks of a library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionDemand {
    /// The library's needed name.
    pub library: String,
    /// The version: `GLIBC_2.34`.
    pub version: String,
    /// The undefined symbols that are bound to it, sorted; a version can be asked for without any.
    pub symbols: BTreeSet<String>,
    /// Whether the loader does without the version (`VER_FLG_WEAK`).
    pub weak: bool,
}

impl VersionDemand {
    /// The version's namespace and the version in it: `GLIBC` and `2.34`; `None` for a name without an underscore.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str)> {
        self.version.split_once('_')
    }
}

/// What one file demands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands {
    /// The file, under the path that reasons shall name.
    pub file: PathBuf,
    /// Its machine, as wheel tags write it.
    pub architecture: String,
    /// The needed names, in the file's order.
    pub needed: Vec<String>,
    /// The symbol versions, sorted.
    pub versions: Vec<VersionDemand>,
    /// The undefined symbols that are not weak, with the library that their version names, if they have one.
    pub undefined: BTreeMap<String, Option<String>>,
}

impl Demands {
    /// What `slice`, read from `source`, demands; reasons will call it `file`. Symbols are read up to the last undefined one.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the symbol table leads out of the file, [`crate::engine::Error::Io`].
    pub fn of(slice: &Slice, source: &dyn ReadAt, file: PathBuf) -> Result<Self> {
        let mut demands = Self {
            file,
            architecture: slice.arch.name.clone(),
            needed: slice.needed.iter().map(|needed| needed.name.to_text().into_owned()).collect(),
            ..Self::default()
        };
        if let Some(details) = &slice.elf {
            demands.read_symbols(details, source)?;
        }
        Ok(demands)
    }

    fn read_symbols(&mut self, details: &Details, source: &dyn ReadAt) -> Result<()> {
        let mut by_index = BTreeMap::new();
        let mut versions: BTreeMap<(String, String), (BTreeSet<String>, bool)> = BTreeMap::new();
        for need in &details.version_needs {
            let library = need.library.to_text().into_owned();
            for version in &need.versions {
                let key = (library.clone(), version.name.to_text().into_owned());
                versions.entry(key.clone()).or_insert((BTreeSet::new(), true)).1 &= version.weak;
                by_index.insert(version.index, key);
            }
        }
        for symbol in Symbols::open(source, &details.tables)?.undefined()? {
            let name = symbol.name.to_text().into_owned();
            let version = symbol.version.and_then(|index| by_index.get(&index));
            if let Some((symbols, _)) = version.and_then(|key| versions.get_mut(key)) {
                symbols.insert(name.clone());
            }
            if !symbol.weak {
                self.undefined.insert(name, version.map(|(library, _)| library.clone()));
            }
        }
        self.versions = versions
            .into_iter()
            .map(|((library, version), (symbols, weak))| VersionDemand { library, version, symbols, weak })
            .collect();
        Ok(())
    }
}

/// Whether `name` is a dynamic linker, which every machine has and no policy lists.
#[must_use]
pub fn is_dynamic_linker(name: &str) -> bool {
    name.starts_with("ld-linux") || name.starts_with("ld-musl") || matches!(name, "ld64.so.1" | "ld64.so.2" | "ld.so.1")
}

/// Whether `name` is a libpython, by any of its names: `libpython3.11.so.1.0`, `libpython3.13t.so.1.0`, `libpython3.so`,
/// a debug build's `libpython3.13d.so.1.0`. (maturin's pattern leaves the last two out.)
#[must_use]
pub fn is_libpython(name: &str) -> bool {
    let leaf = name.rsplit('/').next().unwrap_or(name);
    leaf.strip_prefix("libpython").is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit()) && (rest.contains(".so") || rest.ends_with(".dylib"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary;
    use crate::engine::file::Windows;
    use std::process::Command;

    #[test]
    fn names_of_linkers_and_libpython() {
        for name in ["ld-linux-x86-64.so.2", "ld64.so.1", "ld-musl-x86_64.so.1"] {
            assert!(is_dynamic_linker(name), "{name}");
        }
        assert!(!is_dynamic_linker("libdl.so.2"));
        for name in ["libpython3.11.so.1.0", "libpython3.so", "libpython3.13d.so.1.0", "/opt/lib/libpython3.9.dylib"] {
            assert!(is_libpython(name), "{name}");
        }
        for name in ["libpython-helper.so", "libpythonqt.so", "libfoo.so", "libpython3.a"] {
            assert!(!is_libpython(name), "{name}");
        }
    }

    #[test]
    fn demands_of_a_program_made_here() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.c");
        std::fs::write(
            &source,
            "int absent(void); int maybe(void) __attribute__((weak)); extern char *getenv(const char *);\n\
             int f(void) { return getenv(\"x\") && maybe && maybe() && absent(); }\n",
        )
        .unwrap();
        let output = directory.path().join("liba.so");
        let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&output, &source]).status().unwrap();
        assert!(status.success());
        let windows = Windows::open(&output).unwrap();
        let binary = binary::read(&windows).unwrap();
        let demands = Demands::of(&binary.slices[0], &windows, PathBuf::from("/x/liba.so")).unwrap();
        assert_eq!(demands.undefined.get("absent"), Some(&None));
        assert!(!demands.undefined.contains_key("maybe"), "weak symbols are not demanded");
        assert_eq!(demands.file, PathBuf::from("/x/liba.so"));
        // On a musl machine symbols have no versions.
        if let Some(versioned) = demands.versions.iter().find(|version| version.symbols.contains("getenv")) {
            assert_eq!(demands.undefined["getenv"].as_deref(), Some(versioned.library.as_str()));
            assert_eq!(versioned.parts().unwrap().0, "GLIBC");
        }
    }
}
