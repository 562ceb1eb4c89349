//! Of `wheelwright/audit/1`: the instructions of a file that its architecture's baseline does not have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The instructions beyond the baseline, found by decoding the executable sections. That they are there does not say that
/// they run: a program may ask the processor first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstructionsReport {
    /// The baseline of the platform tags: `x86-64`.
    pub baseline: String,
    /// The lowest level that has all of them; null when the baseline does, or no level has them all.
    pub level: Option<String>,
    /// The level that the file itself says it needs (`GNU_PROPERTY_X86_ISA_1_NEEDED`); null when it says nothing.
    pub marked: Option<String>,
    /// How many instructions were decoded, tables that were taken for code not counted.
    pub instructions: u64,
    /// How many bytes were decoded.
    pub bytes_decoded: u64,
    /// How many of these bytes are no instruction that the decoder knows.
    pub bytes_unknown: u64,
    /// The processor features beyond the baseline, by level and name.
    pub features: Vec<FeatureUse>,
}

/// One processor feature that is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureUse {
    /// Its name: `AVX2`.
    pub feature: String,
    /// The lowest level that has it: `x86-64-v3`; null for one that is in no level.
    pub level: Option<String>,
    /// How many instructions use it.
    pub instructions: u64,
    /// How many functions hold such instructions.
    pub functions_total: u64,
    /// The first of these functions, by address.
    pub functions: Vec<FunctionUse>,
}

/// A function that uses a feature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionUse {
    /// Its name, demangled; null where no symbol tells it.
    pub name: Option<String>,
    /// Its address; that of the section for code that belongs to no known function.
    pub address: u64,
    /// How many of its instructions use the feature.
    pub instructions: u64,
    /// The address of the first of them.
    pub first: u64,
    /// That instruction in words of an assembler.
    pub example: String,
}
