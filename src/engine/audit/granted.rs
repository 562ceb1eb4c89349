//! The libraries that may be taken for granted on another machine: those on the list of a platform tag, and what the C library
//! itself is made of.

use super::demands::is_dynamic_linker;
use super::policy::{Family, policies};
use std::collections::BTreeSet;

/// Libraries that glibc is made of, beyond those on every list: they come with the loader itself.
const OF_GLIBC: [&str; 8] = [
    "libBrokenLocale.so.1",
    "libc_malloc_debug.so.0",
    "libmvec.so.1",
    "libnss_compat.so.2",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libnss_hesiod.so.2",
    "libthread_db.so.1",
];

/// What every machine of a tag has.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    names: BTreeSet<String>,
}

impl Granted {
    /// What every machine of `tag` (`manylinux_2_28`, or an older name of it) has; without a tag, what the shortest list of
    /// `family` holds for `architecture`.
    #[must_use]
    pub fn new(family: Family, architecture: &str, tag: Option<&str>) -> Self {
        let all = policies(family, architecture);
        let is_meant =
            |tag: &str| all.iter().find(|policy| policy.name == tag || policy.aliases.iter().any(|alias| alias == tag));
        let policy = tag.and_then(is_meant).or_else(|| all.first());
        let mut names = policy.map(|policy| policy.allowed.clone()).unwrap_or_default();
        if family == Family::Manylinux {
            names.extend(OF_GLIBC.map(str::to_owned));
        }
        Self { names }
    }

    /// Whether `name`, a file name, is among them.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.names.contains(name) || is_dynamic_linker(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_grants_what_its_list_has_and_what_the_c_library_brings() {
        let newer = Granted::new(Family::Manylinux, "x86_64", Some("manylinux_2_17"));
        let older_name = Granted::new(Family::Manylinux, "x86_64", Some("manylinux2014"));
        let none = Granted::new(Family::Manylinux, "x86_64", None);
        for name in ["libc.so.6", "libgcc_s.so.1", "libmvec.so.1", "ld-linux-x86-64.so.2"] {
            assert!(newer.holds(name) && older_name.holds(name) && none.holds(name), "{name}");
        }
        assert_eq!(newer.names, older_name.names);
        assert!(none.names.is_subset(&newer.names) && !newer.holds("libssl.so.3"));
        let musl = Granted::new(Family::Musllinux, "x86_64", Some("musllinux_1_2"));
        assert!(musl.holds("libc.so") && !musl.holds("libmvec.so.1") && !musl.holds("libgcc_s.so.1"));
    }
}
