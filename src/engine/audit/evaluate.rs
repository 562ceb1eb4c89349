//! Judging a file by the policies: which tags it may bear, and for every other one each thing that rules it out.
//!
//! The rules are maturin's, except where its result would not load or would claim too much:
//! - A library outside of the bundle that needs symbol versions newer than every policy makes the tag `linux`; maturin 1.16
//!   keeps the tag.
//! - When no policy holds, the bundle is still made, by the newest policy's list, under the tag `linux`; maturin then
//!   bundles nothing, and the wheel loads on the build machine only.
//! - libpython is never bundled, whatever else is linked; maturin bundles it when another library is forbidden too.
//! - A black-listed symbol counts only if its version does not bind it to another library.
//! - musl's symbols have no versions, so nothing tells musllinux_1_1 from 1_2: unasked, the newest is taken, as maturin does
//!   for its musl targets. Versions of other libraries are not judged by a policy that lists none (auditwheel's rule).

use super::demands::Demands;
use super::policy::{Family, Policy, policies};
use super::tag::Tag;
use super::verdict::{Role, Scope, Verdict, reason, too_new};
use crate::engine::report::audit::{PolicyReason, PolicyReport};

/// The tag for most machines whose symbol versions `demands` keeps to; `None` when there is none.
#[must_use]
pub fn symbol_tag(policies: &[Policy], demands: &Demands) -> Option<String> {
    let candidates = unasked(policies);
    let fits =
        |policy: &&Policy| policy.versions.is_some() && too_new(policy, demands, Scope::KnownNamespaces).is_empty();
    candidates.iter().find(fits).map(|policy| policy.name.clone())
}

/// The policies among which a tag is chosen when none was asked for.
fn unasked(policies: &[Policy]) -> &[Policy] {
    match policies.last() {
        Some(last) if last.family == Family::Musllinux => std::slice::from_ref(last),
        _ => policies,
    }
}

/// The verdicts of all policies on one file, and what follows from them.
#[derive(Debug, Clone)]
pub struct Evaluation {
    family: Family,
    verdicts: Vec<Verdict>,
    symbol_tag: Option<String>,
    requested: Option<Tag>,
    /// A row for a requested tag of another architecture.
    wrong_architecture: Option<PolicyReason>,
    chosen: Option<usize>,
}

impl Evaluation {
    /// Judges `demands` by the policies of its own `family`, and of the family of the requested tag where that is another.
    #[must_use]
    pub fn new(demands: &Demands, family: Family, role: Role, requested: Option<&Tag>) -> Self {
        let own = policies(family, &demands.architecture);
        let symbol_tag = symbol_tag(&own, demands);
        let foreign = match requested {
            Some(Tag::Policy { family: asked, .. }) if *asked != family => policies(*asked, &demands.architecture),
            _ => Vec::new(),
        };
        let verdicts = own.into_iter().chain(foreign).map(|policy| Verdict::new(policy, demands, role)).collect();
        let mut evaluation = Self {
            family,
            verdicts,
            symbol_tag,
            requested: requested.cloned(),
            wrong_architecture: None,
            chosen: None,
        };
        if let Some(Tag::Policy { name, architecture: Some(architecture), .. }) = requested
            && *architecture != demands.architecture
        {
            let tag = format!("{name}_{architecture}");
            evaluation.wrong_architecture = Some(reason(&tag, Some("architecture"), Some(demands)));
        }
        evaluation.chosen = evaluation.choose();
        evaluation
    }

    /// The requested tag where it can be had, else the first that can: tags for more machines come first, and bundling at
    /// an older tag comes before a newer tag without.
    fn choose(&self) -> Option<usize> {
        let within_reach = |index: &usize| self.verdicts.get(*index).is_some_and(Verdict::is_within_reach);
        let asked = match &self.requested {
            Some(Tag::Policy { name, .. }) if self.wrong_architecture.is_none() => {
                self.verdicts.iter().position(|verdict| verdict.policy.name == *name).filter(within_reach)
            }
            _ => None,
        };
        asked.or_else(|| self.own().find(within_reach))
    }

    /// The verdicts of the file's own family among which a tag is chosen.
    fn own(&self) -> impl Iterator<Item = usize> + '_ {
        let newest = self.verdicts.iter().rposition(|verdict| verdict.policy.family == self.family);
        (0..self.verdicts.len()).filter(move |index| {
            let own = self.verdicts.get(*index).is_some_and(|verdict| verdict.policy.family == self.family);
            own && (self.family != Family::Musllinux || Some(*index) == newest)
        })
    }

    /// The policy by whose list of libraries the bundle is made; `None` when nothing is bundled (`linux` was asked for).
    #[must_use]
    pub fn bundle_policy(&self) -> Option<&Policy> {
        if self.requested == Some(Tag::Linux) {
            return None;
        }
        let index = self.chosen.or_else(|| self.own().last())?;
        self.verdicts.get(index).map(|verdict| &verdict.policy)
    }

    /// Whether anything is to be bundled: the chosen policy holds only with libraries brought along.
    #[must_use]
    pub fn needs_bundling(&self) -> bool {
        let Some(policy) = self.bundle_policy() else { return false };
        self.verdicts.iter().any(|verdict| verdict.policy == *policy && !verdict.to_bundle.is_empty())
    }

    /// Counts what the libraries that would be bundled need. Only the versions of libraries outside of the bundle count.
    pub fn tighten(&mut self, externals: &[(String, Demands)]) {
        for verdict in &mut self.verdicts {
            externals.iter().for_each(|(name, demands)| verdict.count_external(name, demands));
        }
    }

    /// The oldest tag of the file's family whose symbol versions an external library can do with.
    #[must_use]
    pub fn ceiling(&self, demands: &Demands) -> Option<String> {
        let mut own = self.own().filter_map(|index| self.verdicts.get(index));
        own.find(|verdict| verdict.suits_external(demands)).map(|verdict| verdict.policy.name.clone())
    }

    /// The document's form, once external libraries are counted.
    #[must_use]
    pub fn report(&self) -> PolicyReport {
        let mut reasons: Vec<PolicyReason> = self.verdicts.iter().flat_map(Verdict::rows).collect();
        reasons.extend(self.wrong_architecture.clone());
        PolicyReport {
            tag: self.tag(),
            symbol_tag: self.symbol_tag.clone().unwrap_or_else(|| "linux".to_string()),
            requested: self.requested.as_ref().map(|tag| tag.name().to_string()),
            reasons,
            reach: None,
        }
    }

    /// The chosen tag, or the next for fewer machines that the external libraries can do with too.
    fn tag(&self) -> String {
        let linux = || "linux".to_string();
        let chosen = self.chosen.and_then(|index| self.verdicts.get(index));
        let Some(chosen) = chosen.filter(|_| self.requested != Some(Tag::Linux)) else { return linux() };
        let holds = |verdict: &&Verdict| {
            verdict.policy.family == chosen.policy.family
                && verdict.policy.priority <= chosen.policy.priority
                && verdict.is_within_reach()
                && verdict.libpython.is_empty()
                && verdict.externals.is_empty()
        };
        self.verdicts.iter().find(holds).map_or_else(linux, |verdict| verdict.policy.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::audit::demands::VersionDemand;
    use std::path::PathBuf;

    fn demands(needed: &[&str], versions: &[(&str, &str, &str)]) -> Demands {
        let versions = versions.iter().map(|(library, version, symbol)| VersionDemand {
            library: (*library).to_string(),
            version: (*version).to_string(),
            symbols: [(*symbol).to_string()].into(),
            weak: false,
        });
        Demands {
            file: PathBuf::from("/x/liba.so"),
            architecture: "x86_64".to_string(),
            needed: needed.iter().map(|name| (*name).to_string()).collect(),
            versions: versions.collect(),
            undefined: Default::default(),
        }
    }

    fn judge(demands: &Demands, requested: Option<&str>) -> Evaluation {
        let tag = requested.map(|text| Tag::parse(text).unwrap());
        Evaluation::new(demands, Family::Manylinux, Role::Library, tag.as_ref())
    }

    fn rules(report: &PolicyReport, tag: &str) -> Vec<String> {
        let rows = report.reasons.iter().filter(|row| row.tag == tag);
        rows.map(|row| row.rule.clone().unwrap_or_else(|| "holds".into())).collect()
    }

    const LIBC: (&str, &str, &str) = ("libc.so.6", "GLIBC_2.2.5", "malloc");

    #[test]
    fn the_tag_follows_the_newest_symbol() {
        for (version, tag) in [
            ("GLIBC_2.5", "manylinux_2_5"),
            ("GLIBC_2.14", "manylinux_2_17"),
            ("GLIBC_2.28", "manylinux_2_28"),
            ("GLIBC_2.34", "manylinux_2_34"),
            ("GLIBC_2.41", "manylinux_2_41"),
            ("GLIBC_2.42", "linux"),
            ("GLIBC_PRIVATE", "linux"),
        ] {
            let report = judge(&demands(&["libc.so.6"], &[LIBC, ("libc.so.6", version, "f")]), None).report();
            assert_eq!((report.tag.as_str(), report.symbol_tag.as_str()), (tag, tag), "{version}");
        }
    }

    #[test]
    fn every_older_tag_says_what_rules_it_out() {
        let report = judge(&demands(&["libc.so.6"], &[LIBC, ("libc.so.6", "GLIBC_2.33", "stat")]), None).report();
        let old = report.reasons.iter().find(|row| row.tag == "manylinux_2_17").unwrap();
        assert_eq!((old.ok, old.rule.as_deref()), (false, Some("symbol_version")));
        assert_eq!((old.library.as_deref(), old.symbol.as_deref()), (Some("libc.so.6"), Some("stat")));
        assert_eq!(old.version.as_deref(), Some("GLIBC_2.33"));
        assert_eq!(old.file, Some(PathBuf::from("/x/liba.so")));
        assert_eq!(rules(&report, "manylinux_2_34"), ["holds"]);
        assert_eq!(report.reasons.len(), 16);
    }

    #[test]
    fn a_forbidden_library_is_bundled_at_the_oldest_tag() {
        let evaluation = judge(&demands(&["libgreet.so.1", "libc.so.6"], &[LIBC]), None);
        assert!(evaluation.needs_bundling());
        assert_eq!(evaluation.bundle_policy().unwrap().name, "manylinux_2_5");
        assert_eq!(evaluation.report().tag, "manylinux_2_5");
        assert_eq!(rules(&evaluation.report(), "manylinux_2_5"), ["library"]);
        // libexpat is allowed from 2_12 on; it is bundled at 2_5 all the same, as maturin does.
        assert_eq!(judge(&demands(&["libexpat.so.1"], &[]), None).report().tag, "manylinux_2_5");
    }

    #[test]
    fn external_libraries_tighten_the_tag() {
        let needs = |version| [("libgreet.so.1".to_string(), demands(&["libc.so.6"], &[("libc.so.6", version, "g")]))];
        let artifact = demands(&["libgreet.so.1", "libc.so.6"], &[LIBC]);
        for (version, tag, ceiling) in [
            ("GLIBC_2.3", "manylinux_2_5", Some("manylinux_2_5")),
            ("GLIBC_2.38", "manylinux_2_38", Some("manylinux_2_38")),
            ("GLIBC_2.42", "linux", None),
        ] {
            let mut evaluation = judge(&artifact, None);
            evaluation.tighten(&needs(version));
            assert_eq!(evaluation.report().tag, tag);
            assert_eq!(evaluation.ceiling(&needs(version)[0].1).as_deref(), ceiling);
            assert_eq!(evaluation.report().symbol_tag, "manylinux_2_5");
        }
        let mut evaluation = judge(&artifact, Some("manylinux_2_28"));
        evaluation.tighten(&needs("GLIBC_2.38"));
        assert_eq!(rules(&evaluation.report(), "manylinux_2_28"), ["library", "external_symbol_version"]);
        assert_eq!(evaluation.report().tag, "manylinux_2_38");
    }

    #[test]
    fn a_requested_tag_is_verified() {
        let artifact = demands(&["libc.so.6"], &[("libc.so.6", "GLIBC_2.30", "f")]);
        let report = judge(&artifact, Some("manylinux_2_28")).report();
        assert_eq!((report.tag.as_str(), report.requested.as_deref()), ("manylinux_2_31", Some("manylinux_2_28")));
        assert_eq!(judge(&artifact, Some("manylinux_2_35")).report().tag, "manylinux_2_35");
        assert_eq!(judge(&artifact, Some("pypi")).report().tag, "manylinux_2_31");
        let linux = judge(&artifact, Some("linux"));
        assert_eq!(linux.report().tag, "linux");
        assert!(linux.bundle_policy().is_none() && !linux.needs_bundling());
        let other = judge(&artifact, Some("manylinux_2_35_aarch64")).report();
        assert_eq!(other.tag, "manylinux_2_31");
        assert_eq!(rules(&other, "manylinux_2_35_aarch64"), ["architecture"]);
    }

    #[test]
    fn a_glibc_file_is_no_musllinux_file() {
        let report = judge(&demands(&["libc.so.6"], &[LIBC]), Some("musllinux_1_2")).report();
        assert_eq!(report.tag, "manylinux_2_5");
        assert_eq!(rules(&report, "musllinux_1_2"), ["library"]);
    }

    #[test]
    fn unasked_a_musl_file_gets_the_newest_tag() {
        let artifact = demands(&["libc.musl-x86_64.so.1", "libz.so.1"], &[("libz.so.1", "ZLIB_1.2.9", "adler32_z")]);
        let report = Evaluation::new(&artifact, Family::Musllinux, Role::Library, None).report();
        assert_eq!((report.tag.as_str(), report.symbol_tag.as_str()), ("musllinux_1_2", "musllinux_1_2"));
        let old = Tag::parse("musllinux_1_1").unwrap();
        let report = Evaluation::new(&artifact, Family::Musllinux, Role::Library, Some(&old)).report();
        assert_eq!(report.tag, "musllinux_1_1");
    }

    #[test]
    fn black_listed_symbols_count_where_they_bind() {
        let mut artifact = demands(&["libz.so.1", "libc.so.6"], &[LIBC]);
        artifact.undefined.insert("gzflags".into(), None);
        let report = judge(&artifact, None).report();
        assert_eq!(report.tag, "linux");
        assert_eq!(report.symbol_tag, "manylinux_2_5");
        let row = report.reasons.iter().find(|row| row.tag == "manylinux_2_28").unwrap();
        assert_eq!((row.rule.as_deref(), row.symbol.as_deref()), (Some("blacklist"), Some("gzflags")));
        artifact.undefined.insert("gzflags".into(), Some("libother.so.1".into()));
        assert_eq!(judge(&artifact, None).report().tag, "manylinux_2_5");
    }

    #[test]
    fn external_libraries_are_judged_by_black_list_and_machine() {
        let artifact = demands(&["libgreet.so.1", "libc.so.6"], &[LIBC]);
        let mut greet = demands(&["libz.so.1", "libc.so.6"], &[LIBC]);
        greet.file = PathBuf::from("/lib/libgreet.so.1");
        greet.undefined.insert("gzflags".into(), None);
        let mut evaluation = judge(&artifact, None);
        evaluation.tighten(&[("libgreet.so.1".to_string(), greet.clone())]);
        let report = evaluation.report();
        assert_eq!(report.tag, "linux");
        let row = report.reasons.iter().find(|row| row.rule.as_deref() == Some("blacklist")).unwrap();
        assert_eq!(row.file.as_deref(), Some(std::path::Path::new("/lib/libgreet.so.1")));
        assert_eq!((row.library.as_deref(), row.symbol.as_deref()), (Some("libz.so.1"), Some("gzflags")));
        greet.undefined.clear();
        greet.architecture = "aarch64".into();
        let mut evaluation = judge(&artifact, None);
        evaluation.tighten(&[("libgreet.so.1".to_string(), greet)]);
        assert_eq!(rules(&evaluation.report(), "manylinux_2_17"), ["library", "architecture"]);
    }

    #[test]
    fn musl_takes_libc_so_for_itself() {
        let artifact = demands(&["libc.so"], &[]);
        let report = Evaluation::new(&artifact, Family::Musllinux, Role::Library, None).report();
        assert_eq!(report.tag, "musllinux_1_2");
    }

    #[test]
    fn libpython_is_for_programs() {
        let artifact = demands(&["libpython3.11.so.1.0", "libgreet.so.1", "libc.so.6"], &[LIBC]);
        let library = judge(&artifact, None);
        assert_eq!(library.report().tag, "linux");
        assert_eq!(rules(&library.report(), "manylinux_2_5"), ["library", "libpython"]);
        let program = Evaluation::new(&artifact, Family::Manylinux, Role::Program, None).report();
        assert_eq!(program.tag, "manylinux_2_5");
    }

    #[test]
    fn an_architecture_without_tags_is_linux() {
        let mut artifact = demands(&["libc.so.6"], &[LIBC]);
        artifact.architecture = "sparc64".into();
        let report = judge(&artifact, None).report();
        assert_eq!((report.tag.as_str(), report.symbol_tag.as_str()), ("linux", "linux"));
        assert!(report.reasons.iter().all(|row| row.rule.as_deref() == Some("architecture")));
    }
}
