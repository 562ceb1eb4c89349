//! WW025: the file holds instructions that the baseline of its architecture does not have.

use super::{finding, quoted};
use crate::engine::report::audit::{ArtifactReport, FeatureUse, Finding, InstructionsReport, Severity, SliceReport};
use crate::engine::report::words;

/// WW025 for every slice whose instructions were looked at.
pub(super) fn beyond_baseline(report: &ArtifactReport) -> Vec<Finding> {
    let of_slice = |slice: &SliceReport| one(report, slice, slice.instructions.as_ref()?);
    report.slices.iter().filter_map(of_slice).collect()
}

fn one(report: &ArtifactReport, slice: &SliceReport, seen: &InstructionsReport) -> Option<Finding> {
    let marked = seen.marked.as_ref().filter(|marked| **marked != seen.baseline);
    if seen.features.is_empty() && marked.is_none() {
        return None;
    }
    let mut evidence: Vec<String> = seen
        .features
        .iter()
        .map(|feature| format!("{} ({}): {}", report.path.display(), slice.arch, line(feature)))
        .collect();
    evidence.extend(marked.map(|marked| {
        format!("{} says itself that it needs {marked} (GNU_PROPERTY_X86_ISA_1_NEEDED)", report.path.display())
    }));
    if seen.bytes_unknown > 0 {
        let (unknown, all) = (words::grouped(seen.bytes_unknown), words::grouped(seen.bytes_decoded));
        evidence.push(format!("{unknown} of {all} bytes decoded are no instruction that is known here"));
    }
    let title = match (&seen.level, seen.features.as_slice(), marked) {
        (_, [], Some(marked)) => format!("is marked as needing {marked}"),
        (Some(level), ..) => format!("contains instructions of {level}"),
        (None, [only], _) => format!("contains instructions of {}", only.feature),
        (None, features, _) => {
            format!("contains instructions of {} features that {} does not have", features.len(), seen.baseline)
        }
    };
    let mut fix = vec![
        format!("# nothing to mend if the code asks the processor first: that can't be told from the file"),
        "# else look for target-cpu and target-feature in RUSTFLAGS and .cargo/config.toml, for -march in CFLAGS;"
            .to_string(),
        format!("# RUSTFLAGS='-C target-cpu={}' cargo build --release", seen.baseline),
    ];
    if let Some(function) = seen.features.iter().flat_map(|feature| &feature.functions).next() {
        let start = function.address;
        fix.push(format!("# objdump -d --start-address={start:#x} {} | less", quoted(&report.path)));
    }
    Some(finding("WW025", Severity::Note, title, evidence, fix))
}

/// `AVX2 (x86-64-v3): 120 instructions in 7 functions, first vpaddd ymm0, ymm0, ymm1 at 0x1234 in sum`.
fn line(feature: &FeatureUse) -> String {
    let level = feature.level.as_deref().unwrap_or("of no level");
    let instructions = match feature.instructions {
        1 => "1 instruction".to_string(),
        many => format!("{} instructions", words::grouped(many)),
    };
    let functions = match feature.functions_total {
        1 => "1 function".to_string(),
        many => format!("{} functions", words::grouped(many)),
    };
    let first = feature.functions.first().map(|function| {
        let name = function.name.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
        format!(", first {} at {:#x}{name}", function.example, function.first)
    });
    format!("{} ({level}): {instructions} in {functions}{}", feature.feature, first.unwrap_or_default())
}
