//! The platform policies: what a machine of each manylinux and musllinux tag is sure to have (PEP 513, 571, 599, 600, 656).
//!
//! The tables are auditwheel's, in a format of our own that `assets/policy/make.py` writes. Judging a file by them is left
//! to `evaluate`, reading tags to `tag`.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

const MANYLINUX: &str = include_str!("../../../assets/policy/manylinux.json");
const MUSLLINUX: &str = include_str!("../../../assets/policy/musllinux.json");

/// The libraries that every machine of every manylinux tag has: the oldest tag's list, on which the others build.
pub const OLDEST_LIST: [&str; 22] = [
    "libatomic.so.1",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "libanl.so.1",
    "libdl.so.2",
    "librt.so.1",
    "libc.so.6",
    "libnsl.so.1",
    "libutil.so.1",
    "libpthread.so.0",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libGL.so.1",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libglib-2.0.so.0",
    "libresolv.so.2",
    "libz.so.1",
];

/// The C library that a tag is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// glibc.
    Manylinux,
    /// musl.
    Musllinux,
}

/// What one tag allows on one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The tag without the architecture: `manylinux_2_28`.
    pub name: String,
    /// Its older names: `manylinux2014`.
    pub aliases: Vec<String>,
    /// Higher: more machines. The first that a file satisfies is its tag.
    pub priority: i64,
    /// Whose C library.
    pub family: Family,
    /// The symbol versions by namespace (`GLIBC` to `2.2.5`, `2.3`, ...); `None` where the tag does not exist for the
    /// architecture.
    pub versions: Option<BTreeMap<String, Arc<BTreeSet<String>>>>,
    /// The libraries that every machine of the tag has.
    pub allowed: BTreeSet<String>,
    /// Symbols by allowed library that not every machine of the tag has.
    pub black_list: BTreeMap<String, Arc<BTreeSet<String>>>,
}

#[derive(Deserialize)]
struct Table<'a> {
    #[serde(borrow)]
    policies: Vec<Row<'a>>,
}

/// One policy as it stands in the table: what it has beyond the one before. Most of it is of other architectures than the
/// one that is asked for, and stays text of the program.
#[derive(Deserialize)]
struct Row<'a> {
    name: String,
    aliases: Vec<String>,
    priority: i64,
    libraries_added: Vec<String>,
    #[serde(borrow)]
    versions_added: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a str>>>,
    #[serde(default)]
    black_list: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    black_list_freed: BTreeMap<String, BTreeSet<String>>,
}

/// The policies of `family` as they are for `architecture`, the one for most machines first.
#[must_use]
pub fn policies(family: Family, architecture: &str) -> Vec<Policy> {
    let mut allowed = BTreeSet::new();
    // What a policy has in common with the one before is shared with it.
    let mut versions: BTreeMap<String, Arc<BTreeSet<String>>> = BTreeMap::new();
    let mut black_list: BTreeMap<String, Arc<BTreeSet<String>>> = BTreeMap::new();
    let mut made = Vec::new();
    for row in rows(family) {
        allowed.extend(row.libraries_added.iter().map(|name| library_name(family, architecture, name)));
        if family == Family::Musllinux {
            // musl's loader takes any name that begins with `libc.` for itself (ldso/dynlink.c, the reserved names).
            allowed.insert("libc.so".to_string());
        }
        let added = row.versions_added.get(architecture);
        for (namespace, new) in added.into_iter().flatten() {
            let known = Arc::make_mut(versions.entry((*namespace).to_owned()).or_default());
            known.extend(new.iter().map(ToString::to_string));
        }
        for (library, symbols) in &row.black_list {
            Arc::make_mut(black_list.entry(library.clone()).or_default()).extend(symbols.iter().cloned());
        }
        for (library, freed) in &row.black_list_freed {
            if let Some(symbols) = black_list.get_mut(library) {
                Arc::make_mut(symbols).retain(|symbol| !freed.contains(symbol));
            }
        }
        black_list.retain(|_, symbols| !symbols.is_empty());
        made.push(Policy {
            name: row.name.clone(),
            aliases: row.aliases.clone(),
            priority: row.priority,
            family,
            versions: added.map(|_| versions.clone()),
            allowed: allowed.clone(),
            black_list: black_list.clone(),
        });
    }
    made
}

/// The names of all tags of `family` and their older names, in the tables' order.
#[must_use]
pub fn names(family: Family) -> Vec<(&'static str, &'static [String])> {
    rows(family).iter().map(|row| (row.name.as_str(), row.aliases.as_slice())).collect()
}

/// The architectures that some tag exists for, as wheel tags write them.
#[must_use]
pub fn architectures() -> BTreeSet<&'static str> {
    [Family::Manylinux, Family::Musllinux]
        .into_iter()
        .flat_map(|family| rows(family).iter().flat_map(|row| row.versions_added.keys().copied()))
        .collect()
}

fn rows(family: Family) -> &'static [Row<'static>] {
    static TABLES: [OnceLock<Vec<Row<'static>>>; 2] = [OnceLock::new(), OnceLock::new()];
    let [manylinux, musllinux] = &TABLES;
    let (table, text) = match family {
        Family::Manylinux => (manylinux, MANYLINUX),
        Family::Musllinux => (musllinux, MUSLLINUX),
    };
    // The text is part of the program and a test reads it, so that an unreadable table can't reach a user.
    table.get_or_init(|| serde_json::from_str::<Table>(text).map(|table| table.policies).unwrap_or_default())
}

/// musl's `libc.so` has the architecture in the name that programs need (Alpine's convention, as auditwheel and maturin).
fn library_name(family: Family, architecture: &str, name: &str) -> String {
    if family == Family::Musllinux && name == "libc.so" {
        let architecture = match architecture {
            "i686" => "x86",
            "armv6l" => "armhf",
            "armv7l" => "armv7",
            other => other,
        };
        return format!("libc.musl-{architecture}.so.1");
    }
    name.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(family: Family, architecture: &str, name: &str) -> Policy {
        policies(family, architecture).into_iter().find(|policy| policy.name == name).unwrap()
    }

    #[test]
    fn the_oldest_list_is_that_of_the_table_and_part_of_every_other() {
        for architecture in architectures() {
            for policy in policies(Family::Manylinux, architecture) {
                assert!(OLDEST_LIST.iter().all(|name| policy.allowed.contains(*name)), "{}", policy.name);
            }
        }
        assert_eq!(policies(Family::Manylinux, "x86_64")[0].allowed, OLDEST_LIST.map(str::to_owned).into());
    }

    #[test]
    fn the_tables_reach_from_2_5_to_2_41_and_from_1_1_to_1_2() {
        let all = policies(Family::Manylinux, "x86_64");
        assert_eq!(all.len(), 16);
        assert_eq!((all[0].name.as_str(), all[15].name.as_str()), ("manylinux_2_5", "manylinux_2_41"));
        assert!(all.windows(2).all(|pair| pair[0].priority > pair[1].priority));
        let musl = policies(Family::Musllinux, "x86_64");
        assert_eq!(
            musl.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(),
            ["musllinux_1_1", "musllinux_1_2"]
        );
    }

    #[test]
    fn facts_that_auditwheel_states() {
        let old = policy(Family::Manylinux, "x86_64", "manylinux_2_5");
        assert_eq!(old.allowed.len(), 22);
        let versions = old.versions.unwrap();
        assert!(versions["GLIBC"].contains("2.5") && !versions["GLIBC"].contains("2.6"));
        assert!(versions["ZLIB"].is_empty());
        let known = policy(Family::Manylinux, "x86_64", "manylinux_2_12").versions.unwrap();
        assert_eq!(known["CXXABI"].iter().collect::<Vec<_>>(), ["1.3", "1.3.1", "1.3.2", "1.3.3"]);
        assert!(old.black_list["libc.so.6"].contains("__cxa_thread_atexit_impl"));
        let later = policy(Family::Manylinux, "x86_64", "manylinux_2_24");
        assert!(later.allowed.contains("libmvec.so.1") && later.allowed.contains("libexpat.so.1"));
        assert!(!later.black_list.contains_key("libc.so.6"));
        assert_eq!(policy(Family::Manylinux, "x86_64", "manylinux_2_34").black_list["libz.so.1"].len(), 40);
        assert_eq!(policy(Family::Manylinux, "x86_64", "manylinux_2_41").black_list["libz.so.1"].len(), 23);
    }

    #[test]
    fn a_tag_need_not_exist_for_every_architecture() {
        let of = |architecture, name| policy(Family::Manylinux, architecture, name).versions.is_some();
        assert!(!of("aarch64", "manylinux_2_12") && of("aarch64", "manylinux_2_17"));
        assert!(of("ppc64", "manylinux_2_17") && !of("ppc64", "manylinux_2_24"));
        assert!(!of("riscv64", "manylinux_2_28") && of("riscv64", "manylinux_2_31"));
        assert!(!of("sparc64", "manylinux_2_41"));
    }

    #[test]
    fn musl_names_its_libc_by_architecture() {
        for (architecture, name) in [("x86_64", "x86_64"), ("i686", "x86"), ("armv7l", "armv7"), ("riscv64", "riscv64")]
        {
            let policy = policy(Family::Musllinux, architecture, "musllinux_1_2");
            assert!(policy.allowed.contains(&format!("libc.musl-{name}.so.1")), "{architecture}");
            assert!(policy.allowed.contains("libc.so"), "the loader takes it for itself");
        }
    }
}
