//! Which processor features an x86 instruction asks for beyond the baseline, and which level of the architecture has each.
//!
//! The levels are those of the System V psABI for x86-64, section "Micro-Architecture Levels". The baseline of i686 tags is
//! a Pentium 4, which has SSE2: what rustc and most distributions' compilers of today take i686 to be.

use iced_x86::{Code, CpuidFeature, Instruction};

/// The levels above the baseline, lowest first, with the features that each adds.
///
/// `OSXSAVE` of the psABI is a promise of the system; the instructions that it frees are those of XSAVE.
const LEVELS: [(&str, &[&str]); 3] = [
    ("x86-64-v2", &["CMPXCHG16B", "LAHF-SAHF", "POPCNT", "SSE3", "SSE4_1", "SSE4_2", "SSSE3"]),
    ("x86-64-v3", &["AVX", "AVX2", "BMI1", "BMI2", "F16C", "FMA", "LZCNT", "MOVBE", "XSAVE"]),
    ("x86-64-v4", &["AVX512BW", "AVX512CD", "AVX512DQ", "AVX512F", "AVX512VL"]),
];

/// The most features that one instruction asks for at once.
const MOST_AT_ONCE: usize = 4;
/// No feature.
const NONE: u8 = u8::MAX;
/// LAHF and SAHF in 64-bit code, which the first x86-64 processors lacked and for which the decoder has no feature.
const LAHF_SAHF: u8 = u8::MAX - 1;

/// A processor feature beyond the baseline. The order is that of the decoder, not that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature(u8);

impl Feature {
    /// Its name, as the psABI, or where it has none the processors' manuals write it.
    pub(super) fn name(self) -> String {
        if self.0 == LAHF_SAHF {
            return "LAHF-SAHF".to_owned();
        }
        let feature = CpuidFeature::values().find(|feature| *feature as u8 == self.0);
        match feature {
            Some(CpuidFeature::D3NOW) => "3DNow".to_owned(),
            Some(CpuidFeature::D3NOWEXT) => "3DNowExt".to_owned(),
            Some(feature) => format!("{feature:?}"),
            None => String::new(),
        }
    }
}

/// The number of the level that has the feature called `name`: 0 is v2; `None` when no level has it.
pub(super) fn rank(name: &str) -> Option<usize> {
    LEVELS.iter().position(|(_, features)| features.contains(&name))
}

/// The name of the level numbered `rank`.
pub(super) fn level(rank: usize) -> Option<&'static str> {
    LEVELS.get(rank).map(|(name, _)| *name)
}

/// The features of every instruction, looked up by the decoder's number of it.
pub(super) struct FeatureTable {
    by_code: Vec<[u8; MOST_AT_ONCE]>,
}

impl FeatureTable {
    /// The table for code of `bits` bits, 32 or 64.
    pub(super) fn new(bits: u32) -> Self {
        Self { by_code: Code::values().map(|code| beyond(code, bits)).collect() }
    }

    /// The features that `instruction` asks for beyond the baseline.
    pub(super) fn of(&self, instruction: &Instruction) -> impl Iterator<Item = Feature> + use<> {
        let features = self.by_code.get(instruction.code() as usize).copied().unwrap_or([NONE; MOST_AT_ONCE]);
        features.into_iter().take_while(|feature| *feature != NONE).map(Feature)
    }
}

fn beyond(code: Code, bits: u32) -> [u8; MOST_AT_ONCE] {
    let mut found = [NONE; MOST_AT_ONCE];
    if bits == 64 && matches!(code, Code::Lahf | Code::Sahf) {
        found[0] = LAHF_SAHF;
        return found;
    }
    if is_harmless(code) {
        return found;
    }
    let beyond = code.cpuid_features().iter().filter(|feature| !is_baseline(**feature));
    for (place, feature) in found.iter_mut().zip(beyond) {
        *place = *feature as u8;
    }
    found
}

/// Whether an old processor takes `code` for a no-op, or the code must have asked the processor before.
///
/// ENDBR and RDSSP lie where the Pentium Pro has its hint no-ops, CLDEMOTE too; PREFETCHW and PREFETCHWT1 lie where AMD64
/// has PREFETCH. XGETBV is what a program asks the system with, after CPUID said that it may.
///
/// TZCNT is `rep bsf`, which every processor runs: compilers of today write it where the operand is known not to be zero,
/// for the baseline too, and nothing in its bytes tells why it was written. It is judged with its function.
fn is_harmless(code: Code) -> bool {
    is_tzcnt(code)
        || matches!(
            code,
            Code::Endbr64
                | Code::Endbr32
                | Code::Rdsspd_r32
                | Code::Rdsspq_r64
                | Code::Cldemote_m8
                | Code::Prefetchw_m8
                | Code::Prefetchwt1_m8
                | Code::Prefetch_m8
                | Code::Xgetbv
        )
}

/// Whether `code` is TZCNT, which may have been meant as `rep bsf`.
pub(super) fn is_tzcnt(code: Code) -> bool {
    matches!(code, Code::Tzcnt_r16_rm16 | Code::Tzcnt_r32_rm32 | Code::Tzcnt_r64_rm64)
}

/// BMI1, which TZCNT is of.
pub(super) const BMI1: Feature = Feature(CpuidFeature::BMI1 as u8);
/// What shows, in the same function as a TZCNT, that it was compiled for a processor that has TZCNT.
pub(super) const WITH_BMI1: [Feature; 3] =
    [BMI1, Feature(CpuidFeature::BMI2 as u8), Feature(CpuidFeature::LZCNT as u8)];

/// Whether every processor that runs code of the baseline has `feature`.
fn is_baseline(feature: CpuidFeature) -> bool {
    matches!(
        feature,
        CpuidFeature::INTEL8086
            | CpuidFeature::INTEL8086_ONLY
            | CpuidFeature::INTEL186
            | CpuidFeature::INTEL286
            | CpuidFeature::INTEL286_ONLY
            | CpuidFeature::INTEL386
            | CpuidFeature::INTEL486
            | CpuidFeature::X64
            | CpuidFeature::FPU
            | CpuidFeature::FPU287
            | CpuidFeature::FPU387
            | CpuidFeature::CMOV
            | CpuidFeature::CX8
            | CpuidFeature::FXSR
            | CpuidFeature::MMX
            | CpuidFeature::SSE
            | CpuidFeature::SSE2
            | CpuidFeature::SYSCALL
            | CpuidFeature::SEP
            | CpuidFeature::CLFSH
            | CpuidFeature::CPUID
            | CpuidFeature::MSR
            | CpuidFeature::TSC
            | CpuidFeature::RDPMC
            | CpuidFeature::PAUSE
            | CpuidFeature::MULTIBYTENOP
            | CpuidFeature::SMM
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    /// The names of the features that the instruction in `bytes` asks for.
    fn names(bits: u32, bytes: &[u8]) -> Vec<String> {
        let instruction = Decoder::new(bits, bytes, DecoderOptions::NONE).decode();
        assert!(!instruction.is_invalid(), "{bytes:x?}");
        FeatureTable::new(bits).of(&instruction).map(Feature::name).collect()
    }

    #[test]
    fn what_the_baseline_has_or_takes_for_a_no_op_asks_for_nothing() {
        for (what, bytes) in [
            ("endbr64", &[0xf3, 0x0f, 0x1e, 0xfa][..]),
            ("rdsspq rax", &[0xf3, 0x48, 0x0f, 0x1e, 0xc8]),
            ("repz ret", &[0xf3, 0xc3]),
            ("bnd ret", &[0xf2, 0xc3]),
            ("prefetchw [rax]", &[0x0f, 0x0d, 0x08]),
            ("prefetcht0 [rax]", &[0x0f, 0x18, 0x08]),
            ("rep bsf eax, eax", &[0xf3, 0x0f, 0xbc, 0xc0]),
            ("xgetbv", &[0x0f, 0x01, 0xd0]),
            ("cpuid", &[0x0f, 0xa2]),
            ("cmove eax, ecx", &[0x0f, 0x44, 0xc1]),
            ("paddd xmm0, xmm1", &[0x66, 0x0f, 0xfe, 0xc1]),
            ("pause", &[0xf3, 0x90]),
            ("lock cmpxchg8b [rdi]", &[0xf0, 0x0f, 0xc7, 0x0f]),
            ("fxsave [rdi]", &[0x0f, 0xae, 0x07]),
            ("nop word [rax+rax]", &[0x66, 0x0f, 0x1f, 0x04, 0x00]),
            ("syscall", &[0x0f, 0x05]),
            ("fcomi st, st1", &[0xdb, 0xf1]),
            ("movnti [rax], ecx", &[0x0f, 0xc3, 0x08]),
        ] {
            assert!(names(64, bytes).is_empty(), "{what}: {:?}", names(64, bytes));
        }
    }

    #[test]
    fn newer_instructions_ask_for_their_features() {
        for (bytes, expected) in [
            (&[0xf3, 0x0f, 0xb8, 0xc7][..], &["POPCNT"][..]),
            (&[0xf3, 0x0f, 0xbd, 0xc7], &["LZCNT"]),
            (&[0x9f], &["LAHF-SAHF"]),
            (&[0xf0, 0x48, 0x0f, 0xc7, 0x0f], &["CMPXCHG16B"]),
            (&[0xc5, 0xf8, 0x28, 0xc1], &["AVX"]),
            (&[0xc5, 0xf5, 0xfe, 0xc1], &["AVX2"]),
            (&[0x62, 0xf1, 0x75, 0x48, 0xfe, 0xc1], &["AVX512F"]),
            (&[0x62, 0xf1, 0x75, 0x28, 0xfe, 0xc1], &["AVX512VL", "AVX512F"]),
            (&[0x66, 0x0f, 0x38, 0xdc, 0xc1], &["AES"]),
            (&[0x0f, 0x0f, 0xc1, 0x9e], &["3DNow"]),
        ] {
            assert_eq!(names(64, bytes), expected, "{bytes:x?}");
        }
        assert!(names(32, &[0x9f]).is_empty());
    }

    #[test]
    fn every_name_of_a_level_is_a_feature_that_some_instruction_has() {
        let table = FeatureTable::new(64);
        let all = table.by_code.iter().flatten().filter(|feature| **feature != NONE).map(|id| Feature(*id).name());
        let mut all: Vec<String> = all.collect();
        all.sort();
        all.dedup();
        for (level, names) in LEVELS {
            for name in names {
                assert!(all.binary_search_by(|found| found.as_str().cmp(name)).is_ok(), "{name} of {level}");
            }
        }
        assert_eq!(rank("AVX2").and_then(level), Some("x86-64-v3"));
        assert_eq!(rank("AES"), None);
    }

    #[test]
    fn no_instruction_asks_for_more_features_than_are_kept() {
        for code in Code::values() {
            let beyond = code.cpuid_features().iter().filter(|feature| !is_baseline(**feature)).count();
            assert!(beyond <= MOST_AT_ONCE, "{code:?}");
        }
    }
}
