//! The plain words for the documents' values: formats, states, roles, rules, sizes. Commands and panels use the same.
//!
//! Which of them is a warning, and in which colour, is left to whoever shows them.

use super::audit::{
    ArtifactKind, ArtifactReport, FoundBy, NodeRole, Owner, Rejection, SearchRule, Severity, StagingReport,
    StagingState,
};
use crate::engine::binary::{Format, RunPathTag};

/// A number of bytes in three significant figures: `812 B`, `521 KiB`, `3.1 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut amount = count as f64 / 1024.0;
    let mut unit = "KiB";
    for next in UNITS {
        if amount < 999.5 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    if amount < 9.95 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

/// A number with a thin grouping: `1 234 567`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 error`, `2 errors`.
#[must_use]
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A rule of a policy's reasons in words.
#[must_use]
pub fn policy_rule(rule: &str) -> &str {
    match rule {
        "symbol_version" => "a symbol version is newer than the tag allows",
        "blacklist" => "a symbol on the tag's black list is used",
        "library" => "the library is not on the tag's list",
        "libpython" => "libpython is linked",
        "architecture" => "the tag is not for this architecture",
        "left_out" => "too many rows to list",
        "external_symbol_version" => "an external library demands a symbol version newer than the tag allows",
        other => other,
    }
}

/// What an artifact is to its project.
#[must_use]
pub const fn kind(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Cdylib => "cdylib",
        ArtifactKind::Dylib => "dylib",
        ArtifactKind::Bin => "bin",
        ArtifactKind::Extension => "extension",
        ArtifactKind::Library => "library",
    }
}

/// The container format.
#[must_use]
pub const fn format(format: Format) -> &'static str {
    match format {
        Format::Elf => "ELF",
        Format::MachO => "Mach-O",
        Format::Pe => "PE",
    }
}

/// Format and architectures: `ELF x86_64`, `Mach-O x86_64+arm64`.
#[must_use]
pub fn format_and_arch(report: &ArtifactReport) -> String {
    let name = report.format.map_or("unknown format", format);
    let arches: Vec<&str> = report.slices.iter().map(|slice| slice.arch.as_str()).collect();
    if arches.is_empty() { name.to_owned() } else { format!("{name} {}", arches.join("+")) }
}

/// The same in few cells: `Mach-O 2 slices`.
#[must_use]
pub fn format_and_slices(report: &ArtifactReport) -> String {
    match (report.format, report.slices.len()) {
        (Some(name), count) if count > 1 => format!("{} {count} slices", format(name)),
        _ => format_and_arch(report),
    }
}

/// The staging state: `copied back` is a patched one that no edit has touched yet.
#[must_use]
pub const fn staging(staging: &StagingReport) -> &'static str {
    match (staging.state, staging.edited) {
        (StagingState::NotStaged, _) => "not staged",
        (StagingState::Renamed, _) => "renamed",
        (StagingState::Mirrored, _) => "mirrored",
        (StagingState::Patched, false) => "copied back",
        (StagingState::Patched, true) => "patched",
    }
}

/// What the patch step will do.
#[must_use]
pub const fn will_patch(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "will patch",
        Some(false) => "untouched",
        None => "no editor",
    }
}

/// How much a finding weighs.
#[must_use]
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// What a library is to the repair.
#[must_use]
pub const fn node_role(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Root => "artifact",
        NodeRole::Allowed => "allowed",
        NodeRole::External => "external",
        NodeRole::Missing => "MISSING",
        NodeRole::Interpreter => "loader",
        NodeRole::Libpython => "libpython",
        NodeRole::System => "system",
        NodeRole::Excluded => "excluded",
    }
}

/// A search rule as the loader's manual names it.
#[must_use]
pub const fn rule(rule: SearchRule) -> &'static str {
    match rule {
        SearchRule::AlreadyLoaded => "already loaded",
        SearchRule::Absolute => "absolute path",
        SearchRule::Relative => "relative path",
        SearchRule::LdPreload => "LD_PRELOAD",
        SearchRule::Rpath => "RPATH",
        SearchRule::MainRpath => "RPATH of the program",
        SearchRule::LdLibraryPath => "LD_LIBRARY_PATH",
        SearchRule::LdPath => "--ld-path",
        SearchRule::Runpath => "RUNPATH",
        SearchRule::LdSoCache => "ld.so.cache",
        SearchRule::LdSoConf => "ld.so.conf",
        SearchRule::MuslPath => "ld-musl path",
        SearchRule::Default => "default directory",
        SearchRule::LoaderPath => "@loader_path",
        SearchRule::ExecutablePath => "@executable_path",
        SearchRule::DllDir => "DLL search",
        SearchRule::LinkedPath => "linked path (build machine only)",
    }
}

/// What found a library: `RUNPATH of libgreet.so.1: $ORIGIN/../lib`.
#[must_use]
pub fn found_by(found: &FoundBy) -> String {
    let mut text = rule(found.rule).to_owned();
    if let Some(owner) = &found.owner {
        // "RPATH of the program host"
        text.push_str(if found.rule == SearchRule::MainRpath { " " } else { " of " });
        text.push_str(owner);
    }
    if let Some(entry) = &found.entry {
        text.push_str(": ");
        text.push_str(entry);
    }
    if let Some(hwcaps) = &found.hwcaps {
        text.push_str(", hwcaps ");
        text.push_str(hwcaps);
    }
    text
}

/// Who owns a file: `libgcc-s1 12.2.0-14 (dpkg)`.
#[must_use]
pub fn owner(owner: &Owner) -> String {
    let words = [Some(&owner.package), owner.version.as_ref(), owner.build.as_ref()];
    let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    format!("{} ({})", words.join(" "), owner.kind)
}

/// Why a candidate was refused.
#[must_use]
pub const fn rejection(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Missing => "no such file",
        Rejection::WrongArch => "wrong architecture",
        Rejection::WrongClass => "wrong class",
        Rejection::WrongEndian => "wrong byte order",
        Rejection::WrongAbi => "wrong ABI",
        Rejection::Unreadable => "unreadable",
        Rejection::NotALibrary => "not a library",
    }
}

/// The kind of a search path.
#[must_use]
pub const fn run_path_tag(tag: RunPathTag) -> &'static str {
    match tag {
        RunPathTag::Rpath => "DT_RPATH",
        RunPathTag::Runpath => "DT_RUNPATH",
        RunPathTag::LcRpath => "LC_RPATH",
    }
}

/// An effect's kind as a verb.
#[must_use]
pub fn effect(kind: &str) -> &str {
    match kind {
        "mkdir" => "make directory",
        "link" => "hard-link",
        "reflink_or_copy" => "reflink or copy",
        "write_file" => "write",
        "set_mode" => "set mode",
        other => other,
    }
}

/// Yes, no or not known.
#[must_use]
pub const fn answer(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_figures() {
        let shown: Vec<String> =
            [0, 1023, 1024, 533_504, 1_023_488, 3_250_585, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "521 KiB", "1.0 MiB", "3.1 MiB", "16384 PiB"]);
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(12), "12");
    }
}
