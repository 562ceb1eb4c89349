//! Reading the platform tags that a user may ask for.

use super::policy::{Family, architectures, names};

/// A platform tag that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tag {
    /// `linux`, `off`: no policy; nothing is bundled.
    Linux,
    /// `pypi`: whichever tag fits, but one that PyPI takes, hence not `linux`.
    Pypi,
    /// A tag with a policy.
    Policy {
        /// Whose C library.
        family: Family,
        /// The tag without the architecture: `manylinux_2_28`.
        name: String,
        /// The architecture, where the tag names one.
        architecture: Option<String>,
    },
}

/// A tag that no policy has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no platform tag {asked:?}; there are {known}, linux and pypi")]
pub struct UnknownTag {
    asked: String,
    known: String,
}

impl Tag {
    /// Reads a tag as maturin's `--compatibility` and wheel file names write it: `manylinux_2_28`,
    /// `manylinux_2_28_x86_64`, `manylinux2014`, `2014`, `2_28`, `musllinux_1_2`, `linux`, `off`, `pypi`.
    ///
    /// # Errors
    /// [`UnknownTag`], whose text lists what there is.
    pub fn parse(text: &str) -> Result<Self, UnknownTag> {
        let asked = text.trim();
        let suffix = architectures()
            .into_iter()
            .filter_map(|architecture| Some((asked.strip_suffix(architecture)?.strip_suffix('_')?, architecture)))
            .next();
        let (stem, architecture) = match suffix {
            Some((stem, architecture)) => (stem, Some(architecture.to_string())),
            None => (asked, None),
        };
        match stem {
            "linux" | "off" => return Ok(Self::Linux),
            "pypi" if architecture.is_none() => return Ok(Self::Pypi),
            _ => {}
        }
        for family in [Family::Manylinux, Family::Musllinux] {
            let short = |name: &str| family == Family::Manylinux && is_short_for(stem, name);
            for (name, aliases) in names(family) {
                if name == stem || short(name) || aliases.iter().any(|alias| alias == stem || short(alias)) {
                    return Ok(Self::Policy { family, name: name.to_string(), architecture });
                }
            }
        }
        let known = [Family::Manylinux, Family::Musllinux].into_iter().flat_map(names).map(|(name, aliases)| {
            let also = aliases.iter().fold(String::new(), |text, alias| text + " = " + alias);
            format!("{name}{also}")
        });
        Err(UnknownTag { asked: asked.to_string(), known: known.collect::<Vec<_>>().join(", ") })
    }

    /// The tag as documents write it, without the architecture.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Linux => "linux",
            Self::Pypi => "pypi",
            Self::Policy { name, .. } => name,
        }
    }
}

/// Whether `stem` is `name` without its `manylinux`: `2014` and `2_28`.
fn is_short_for(stem: &str, name: &str) -> bool {
    name.strip_prefix("manylinux").is_some_and(|rest| rest.strip_prefix('_').unwrap_or(rest) == stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_as_people_write_them() {
        for (text, name, architecture) in [
            ("manylinux_2_28", "manylinux_2_28", None),
            ("manylinux_2_28_x86_64", "manylinux_2_28", Some("x86_64")),
            ("manylinux2014", "manylinux_2_17", None),
            ("manylinux2014_aarch64", "manylinux_2_17", Some("aarch64")),
            ("2014", "manylinux_2_17", None),
            ("1", "manylinux_2_5", None),
            ("2010", "manylinux_2_12", None),
            ("2_41", "manylinux_2_41", None),
            ("manylinux_2_17_ppc64le", "manylinux_2_17", Some("ppc64le")),
            ("musllinux_1_2_i686", "musllinux_1_2", Some("i686")),
            ("linux", "linux", None),
            ("linux_x86_64", "linux", None),
            ("off", "linux", None),
            (" pypi ", "pypi", None),
        ] {
            let tag = Tag::parse(text).unwrap();
            assert_eq!(tag.name(), name, "{text}");
            if let Tag::Policy { architecture: found, .. } = tag {
                assert_eq!(found.as_deref(), architecture, "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_tag_lists_what_there_is() {
        for text in ["manylinux_2_99", "manylinux", "", "2_99", "1_2", "pypi_x86_64", "manylinux_2_28_sparc", "x86_64"]
        {
            let message = Tag::parse(text).unwrap_err().to_string();
            assert!(message.contains(&format!("{text:?}")), "{message}");
            assert!(
                message.contains("manylinux_2_17 = manylinux2014, ") && message.contains("musllinux_1_2"),
                "{message}"
            );
            assert!(!message.contains('\n') && message.contains("pypi"));
        }
    }
}
