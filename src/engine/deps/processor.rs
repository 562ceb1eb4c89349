//! What a processor makes glibc look for beside the plain file: the glibc-hwcaps subdirectories of its level, and the legacy
//! ones of `$PLATFORM` and hardware capabilities.
//!
//! Levels: glibc `sysdeps/{x86_64,powerpc/powerpc64/le,s390/s390-64}/dl-hwcaps-subdirs.c`. Legacy names, searched before glibc
//! 2.37 only: `sysdeps/x86/cpu-features.c` and the `dl-procinfo` files of 2.36.

use crate::engine::binary::Arch;

/// The levels of each machine, best first: machine, the names' common beginning, the names.
const LEVELS: &[(&str, &str, &[&str])] = &[
    ("x86_64", "x86-64-", &["x86-64-v4", "x86-64-v3", "x86-64-v2"]),
    ("ppc64le", "power", &["power10", "power9"]),
    ("s390x", "z", &["z16", "z15", "z14", "z13"]),
];

/// A level that has no subdirectory of its own: what every processor of the machine can do.
const BASELINE: &str = "x86-64-v1";

/// The names that [`hwcaps_of_level`] knows, as a user may write them.
#[must_use]
pub fn level_names() -> Vec<&'static str> {
    let of_machine = |(_, _, names): &(_, _, &'static [&'static str])| names.iter().rev().copied().collect::<Vec<_>>();
    std::iter::once(BASELINE).chain(LEVELS.iter().flat_map(of_machine)).collect()
}

/// The glibc-hwcaps subdirectories of a processor of `level`, best first; `None` for a level that glibc does not know.
#[must_use]
pub fn hwcaps_of_level(level: &str) -> Option<Vec<String>> {
    if level == BASELINE {
        return Some(Vec::new());
    }
    LEVELS.iter().find_map(|(_, _, names)| {
        let at = names.iter().position(|name| *name == level)?;
        Some(names.iter().skip(at).map(ToString::to_string).collect())
    })
}

/// The glibc-hwcaps subdirectories that this processor can use, best first (x86-64 psABI, "micro-architecture levels").
/// Empty on processors whose levels are not known to us.
#[must_use]
pub fn host_hwcaps() -> Vec<String> {
    let mut levels = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        use std::is_x86_feature_detected as has;
        let v2 = has!("cmpxchg16b") && has!("popcnt") && has!("sse3") && has!("sse4.1") && has!("sse4.2");
        let v2 = v2 && has!("ssse3");
        let v3 = v2 && has!("avx") && has!("avx2") && has!("bmi1") && has!("bmi2") && has!("f16c") && has!("fma");
        let v3 = v3 && has!("lzcnt") && has!("movbe");
        let v4 = v3 && has!("avx512f") && has!("avx512bw") && has!("avx512cd");
        let v4 = v4 && has!("avx512dq") && has!("avx512vl");
        for (level, usable) in [("x86-64-v4", v4), ("x86-64-v3", v3), ("x86-64-v2", v2)] {
            if usable {
                levels.push(level.to_string());
            }
        }
    }
    levels
}

/// Which processor the legacy names are those of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// Intel: glibc calls its processors `haswell` or `xeon_phi` by what they can do.
    Intel,
    /// Any other, or one that is not known.
    Other,
}

/// The maker of this machine's processor, as `/proc/cpuinfo` says.
#[must_use]
pub fn host_maker() -> Maker {
    use std::io::Read;
    // One page holds the first processor; the whole file can be long, and slow to make.
    let mut head = vec![0; 4096];
    let read = std::fs::File::open("/proc/cpuinfo").and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let text = head.get(..read).unwrap_or_default();
    if memchr::memmem::find(text, b"GenuineIntel").is_some() { Maker::Intel } else { Maker::Other }
}

/// Those of `hwcaps` that a process of machine `arch` would look for.
pub(super) fn levels_of(arch: &Arch, hwcaps: &[String]) -> Vec<String> {
    let prefix = LEVELS.iter().find(|(machine, ..)| *machine == arch.name).map(|(_, prefix, _)| *prefix);
    hwcaps.iter().filter(|name| prefix.is_some_and(|prefix| name.starts_with(prefix))).cloned().collect()
}

/// What `$PLATFORM` stands for on a processor of these `levels`; `usual` is the kernel's word (`AT_PLATFORM`).
pub(super) fn platform(arch: &Arch, levels: &[String], maker: Maker, usual: Option<&str>) -> Option<String> {
    let best = levels.first().map(String::as_str);
    match arch.name.as_str() {
        "x86_64" if maker == Maker::Intel && matches!(best, Some("x86-64-v3" | "x86-64-v4")) => Some("haswell".into()),
        "ppc64le" => Some(best.unwrap_or("power8").into()),
        "s390x" => Some(best.unwrap_or("zEC12").into()),
        _ => usual.map(str::to_string),
    }
}

/// A legacy subdirectory's name, and its bit in the entries of `ld.so.cache`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Legacy {
    pub(super) name: String,
    pub(super) bit: Option<u32>,
}

/// The legacy names in glibc's order, the last of which makes the outermost directory: `tls/haswell/avx512_1/x86_64`.
pub(super) fn legacy(arch: &Arch, levels: &[String], maker: Maker, platform: Option<&str>) -> Vec<Legacy> {
    let best = levels.first().map(String::as_str);
    let at_least = |wanted: &str| levels.iter().any(|level| level == wanted);
    let hwcaps: Vec<(&str, u32)> = match arch.name.as_str() {
        "x86_64" if maker == Maker::Intel && best == Some("x86-64-v4") => vec![("x86_64", 1), ("avx512_1", 2)],
        "x86_64" => vec![("x86_64", 1)],
        "i686" => vec![("sse2", 0)],
        "armv7l" if platform.is_some() => vec![("vfp", 6), ("neon", 12)],
        "ppc64le" => vec![("dfp", 10), ("altivec", 28)],
        "s390x" => {
            let vector = [("vx", 11, "z13"), ("vxe", 13, "z14"), ("vxe2", 15, "z15")];
            let vector = vector.iter().filter(|(.., level)| at_least(level)).map(|(name, bit, _)| (*name, *bit));
            [("zarch", 1), ("ldisp", 4), ("eimm", 5), ("dfp", 6)].into_iter().chain(vector).collect()
        }
        _ => Vec::new(),
    };
    let hwcaps = hwcaps.into_iter().map(|(name, bit)| Legacy { name: name.into(), bit: Some(bit) });
    let platform = platform.map(|name| Legacy { name: name.into(), bit: platform_bit(arch, name) });
    let threads = Legacy { name: "tls".into(), bit: Some(63) };
    hwcaps.chain(platform).chain([threads]).collect()
}

fn platform_bit(arch: &Arch, name: &str) -> Option<u32> {
    let table: &[(&str, &str, u32)] = &[
        ("i686", "i586", 48),
        ("i686", "i686", 49),
        ("x86_64", "haswell", 50),
        ("x86_64", "xeon_phi", 51),
        ("ppc64le", "power8", 45),
        ("ppc64le", "power9", 46),
        ("ppc64le", "power10", 47),
        ("s390x", "zEC12", 38),
        ("s390x", "z13", 39),
        ("s390x", "z14", 40),
        ("s390x", "z15", 41),
        ("s390x", "z16", 42),
        ("armv7l", "v7l", 32 + 4),
    ];
    table.iter().find(|(machine, platform, _)| *machine == arch.name && *platform == name).map(|(.., bit)| *bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Endian;

    fn arch(name: &str) -> Arch {
        Arch { name: name.into(), bits: 64, endian: Endian::Little, machine: 0, flags: 0 }
    }

    #[test]
    fn levels_hold_all_lower_ones() {
        assert_eq!(hwcaps_of_level("x86-64-v3").unwrap(), ["x86-64-v3", "x86-64-v2"]);
        assert_eq!(hwcaps_of_level("x86-64-v1").unwrap(), [""; 0]);
        assert_eq!(hwcaps_of_level("z14").unwrap(), ["z14", "z13"]);
        assert_eq!(hwcaps_of_level("power10").unwrap(), ["power10", "power9"]);
        assert_eq!(hwcaps_of_level("haswell"), None);
        assert!(level_names().iter().all(|name| hwcaps_of_level(name).is_some()));
        assert_eq!(level_names().len(), 10);
    }

    #[test]
    fn levels_are_those_of_the_machine() {
        let levels = hwcaps_of_level("power9").unwrap();
        assert_eq!(levels_of(&arch("ppc64le"), &levels), ["power9"]);
        assert!(levels_of(&arch("x86_64"), &levels).is_empty());
        assert!(levels_of(&arch("aarch64"), &levels).is_empty());
    }

    #[test]
    fn legacy_names_are_those_of_glibc_2_36() {
        let names = |machine: &str, level: &str, maker: Maker| -> String {
            let (arch, levels) = (arch(machine), hwcaps_of_level(level).unwrap());
            let platform = platform(&arch, &levels, maker, Some(machine));
            let names = legacy(&arch, &levels, maker, platform.as_deref());
            names.iter().map(|legacy| legacy.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("x86_64", "x86-64-v4", Maker::Other), "x86_64 x86_64 tls");
        assert_eq!(names("x86_64", "x86-64-v4", Maker::Intel), "x86_64 avx512_1 haswell tls");
        assert_eq!(names("x86_64", "x86-64-v2", Maker::Intel), "x86_64 x86_64 tls");
        assert_eq!(names("s390x", "z14", Maker::Other), "zarch ldisp eimm dfp vx vxe z14 tls");
        assert_eq!(names("ppc64le", "power9", Maker::Other), "dfp altivec power9 tls");
        assert_eq!(names("aarch64", "x86-64-v1", Maker::Other), "aarch64 tls");
    }
}
