//! The functions that hold newer instructions, told by objdump's mnemonics and registers.

use super::objdump::{Function, listing};
use super::{Case, build};
use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::instructions::InstructionsReport;
use wheelwright::engine::{Context, binary, code};

pub fn all() -> Vec<Case> {
    vec![
        ("a baseline program with functions for newer processors", one_by_one),
        ("a program built for x86-64-v3", whole_v3),
        ("a program built for AVX-512", whole_v4),
        ("a cdylib of rustc built for x86-64-v3", rust_v3),
        ("a linker's mark of the level", marked),
        ("a baseline program that counts trailing zeros", trailing_zeros),
    ]
}

const PROGRAM: &str = "#include <stddef.h>
    float sum(const float *a, float *b, size_t n) { float s = 0; for (size_t i = 0; i < n; i++) { b[i] += a[i]; s += b[i]; } return s; }
    __attribute__((target(\"avx\"))) void avx(const float *a, float *b) { for (int i = 0; i < 64; i++) b[i] += a[i]; }
    __attribute__((target(\"avx2\"))) void avx2(const int *a, int *b) { for (int i = 0; i < 64; i++) b[i] += a[i]; }
    __attribute__((target(\"avx512f\"))) void avx512(const int *a, int *b) { for (int i = 0; i < 64; i++) b[i] += a[i]; }
    __attribute__((target(\"popcnt\"))) int bits(unsigned a) { return __builtin_popcount(a); }
    __attribute__((target(\"lzcnt\"))) int leading(unsigned a) { return __builtin_clz(a); }
    __attribute__((target(\"sse4.1\"))) int low(int a, int b) {
        typedef int four __attribute__((vector_size(16))); four x = {a, b, a, b}, y = {b, a, 1, 2};
        four z = x * y; return z[0] + z[1] + z[2] + z[3]; }
    __attribute__((target(\"bmi\"))) unsigned andn(unsigned a, unsigned b) { return ~a & b; }
    __attribute__((target(\"bmi2\"))) unsigned shift(unsigned a, unsigned b) { return a << b; }
    __attribute__((target(\"movbe\"))) unsigned swap(const unsigned *a) { return __builtin_bswap32(*a); }
    __attribute__((target(\"fma\"))) double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
    int main(int n, char **all) { float a[64] = {0}, b[64] = {0}; return (int)sum(a, b, 64) + n + (all == 0); }";

const LIBRARY: &str = "#[unsafe(no_mangle)] pub extern \"C\" fn add(a: &[f32; 64], b: &mut [f32; 64]) {
        for (x, y) in b.iter_mut().zip(a) { *x += *y * 2.0; } }
    #[unsafe(no_mangle)] pub extern \"C\" fn shift(a: u64, by: u32) -> u64 { a.wrapping_shl(by) & !(a - 1) }
    #[unsafe(no_mangle)] pub extern \"C\" fn ones(a: u64) -> u32 { a.count_ones() }
    #[unsafe(no_mangle)] pub extern \"C\" fn plain(a: u64) -> u64 { a + 1 }";

fn report(path: &Path) -> Result<InstructionsReport, Failed> {
    let source = Windows::open(path)?;
    let slice = binary::read(&source)?.slices.remove(0);
    code::instructions(&slice, &source, &Context::new())?.ok_or_else(|| "nothing was decoded".into())
}

/// What objdump's line asks for, told by its text alone.
fn class(line: &str) -> Option<&'static str> {
    let mnemonic = line.split_whitespace().next()?;
    let named =
        |names: &[&str]| names.iter().any(|name| mnemonic == *name || mnemonic.strip_suffix(['l', 'q']) == Some(name));
    // Only the AVX-512 encodings have these registers, masks and broadcasts.
    if line.contains("%zmm") || line.contains("%k") || line.contains("{1to") {
        return Some("AVX-512");
    }
    if mnemonic.starts_with('v') && !named(&["verr", "verw"]) {
        return Some("VEX");
    }
    let classes: [(&[&str], &str); 6] = [
        (&["popcnt"], "POPCNT"),
        (&["lzcnt"], "LZCNT"),
        (&["pmulld", "pinsrd", "pextrd", "pinsrq", "pextrq"], "SSE4_1"),
        (&["andn", "bls", "blsr", "blsi", "blsmsk", "bextr"], "BMI1"),
        (&["shlx", "shrx", "sarx", "rorx", "pdep", "pext", "bzhi", "mulx"], "BMI2"),
        (&["movbe"], "MOVBE"),
    ];
    classes.into_iter().find(|(names, _)| named(names)).map(|(_, class)| class)
}

/// The classes of ours that `feature` belongs to.
fn class_of(feature: &str) -> Option<&str> {
    match feature {
        "AVX512F" | "AVX512VL" | "AVX512BW" | "AVX512DQ" | "AVX512CD" => Some("AVX-512"),
        "AVX" | "AVX2" | "FMA" | "F16C" => Some("VEX"),
        "POPCNT" | "LZCNT" | "SSE4_1" | "BMI1" | "BMI2" | "MOVBE" => Some(feature),
        _ => None,
    }
}

type Classes = BTreeMap<String, BTreeSet<u64>>;

fn theirs(functions: &[Function]) -> Classes {
    let mut classes = Classes::new();
    for function in functions {
        for class in function.lines.iter().filter_map(|line| class(line)) {
            classes.entry(class.to_owned()).or_default().insert(function.address);
        }
    }
    classes
}

/// Compares the functions of each class, as far as the report names them, and returns ours.
fn compare(path: &Path) -> Result<Classes, Failed> {
    let report = report(path)?;
    let mut ours = Classes::new();
    for feature in &report.features {
        let Some(class) = class_of(&feature.feature) else { continue };
        if feature.functions_total as usize != feature.functions.len() {
            return Err(format!("{}: more functions than are named", feature.feature).into());
        }
        ours.entry(class.to_owned()).or_default().extend(feature.functions.iter().map(|function| function.address));
    }
    let theirs = theirs(&listing(path)?);
    // A function of AVX-512 holds what only VEX encodes, or not: objdump writes both with a v.
    let merge = |mut classes: Classes| {
        let newer = classes.get("AVX-512").cloned().unwrap_or_default();
        classes.entry("VEX".to_owned()).or_default().extend(newer);
        classes
    };
    let (ours, theirs) = (merge(ours), merge(theirs));
    if ours == theirs { Ok(ours) } else { Err(format!("ours {ours:x?}\nobjdump {theirs:x?}").into()) }
}

fn built(
    compiler: &str,
    text: &str,
    flags: &[&str],
    name: &str,
) -> Result<(tempfile::TempDir, std::path::PathBuf), Failed> {
    let directory = tempfile::tempdir()?;
    let path = build(compiler, text, flags, directory.path(), name)?;
    Ok((directory, path))
}

fn one_by_one() -> Result<(), Failed> {
    let (_kept, path) = built("cc", PROGRAM, &["-O3", "-march=x86-64"], "one")?;
    let classes = compare(&path)?;
    for class in ["AVX-512", "VEX", "POPCNT", "LZCNT", "SSE4_1", "BMI1", "BMI2", "MOVBE"] {
        if classes.get(class).is_none_or(BTreeSet::is_empty) {
            return Err(format!("the program was to use {class}").into());
        }
    }
    let report = report(&path)?;
    let functions = report.features.iter().flat_map(|feature| &feature.functions);
    let names: BTreeSet<&str> = functions.filter_map(|function| function.name.as_deref()).collect();
    let expected = ["andn", "avx", "avx2", "avx512", "bits", "fused", "leading", "low", "shift", "swap"];
    if names.into_iter().ne(expected)
        || report.level.as_deref() != Some("x86-64-v4")
        || report.marked.as_deref().is_some_and(|level| level != "x86-64")
    {
        return Err(format!("{report:#?}").into());
    }
    // Stripped, the same places are found, under no name.
    let (_kept, stripped) = built("cc", PROGRAM, &["-O3", "-march=x86-64", "-s"], "stripped")?;
    let mut bare = report;
    bare.features.iter_mut().flat_map(|feature| &mut feature.functions).for_each(|function| function.name = None);
    let stripped = self::report(&stripped)?;
    if stripped == bare { Ok(()) } else { Err(format!("{stripped:#?}\nwith symbols {bare:#?}").into()) }
}

fn whole_v3() -> Result<(), Failed> {
    let text = PROGRAM.replace("__attribute__((target(\"avx512f\")))", "");
    let (_kept, path) = built("cc", &text, &["-O3", "-march=x86-64-v3"], "three")?;
    let level = report(&path)?.level;
    if !compare(&path)?.contains_key("VEX") || level.as_deref() != Some("x86-64-v3") {
        return Err(format!("level {level:?}").into());
    }
    Ok(())
}

fn whole_v4() -> Result<(), Failed> {
    let (_kept, path) = built("cc", PROGRAM, &["-O3", "-mavx512f", "-mprefer-vector-width=512"], "four")?;
    compare(&path)?.get("AVX-512").map(|_| ()).ok_or_else(|| "no AVX-512 was found".into())
}

fn rust_v3() -> Result<(), Failed> {
    let flags =
        ["-O", "--edition", "2024", "--crate-type", "cdylib", "-C", "target-cpu=x86-64-v3", "-C", "panic=abort"];
    let (_kept, path) = built("rustc", LIBRARY, &flags, "liblab")?;
    let report = report(&path)?;
    let users = |feature: &str| {
        let found = report.features.iter().find(|found| found.feature == feature);
        let names =
            found.into_iter().flat_map(|found| &found.functions).filter_map(|function| function.name.as_deref());
        names.filter(|name| ["add", "shift", "ones", "plain"].contains(name)).collect::<Vec<_>>()
    };
    if (users("AVX"), users("BMI2"), users("POPCNT")) != (vec!["add"], vec!["shift"], vec!["ones"]) {
        return Err(format!("{report:#?}").into());
    }
    if report.marked.is_some() { Err("rustc marks no level".into()) } else { Ok(()) }
}

fn marked() -> Result<(), Failed> {
    let (_kept, path) = built("cc", PROGRAM, &["-O1", "-Wl,-z,x86-64-v3"], "marked")?;
    let found = report(&path)?.marked;
    if found.as_deref() == Some("x86-64-v3") { Ok(()) } else { Err(format!("marked {found:?}").into()) }
}

fn trailing_zeros() -> Result<(), Failed> {
    let text = "int zeros(unsigned a) { return __builtin_ctz(a); } int main(int n, char **all) { return zeros(n) + (all == 0); }";
    let (_kept, path) = built("cc", text, &["-O2", "-march=x86-64"], "zeros")?;
    let lines = listing(&path)?.into_iter().flat_map(|function| function.lines);
    // gcc writes `rep bsf`, which objdump shows as TZCNT; a compiler that writes plain BSF shows the same of us.
    let shown = lines.filter(|line| line.starts_with("tzcnt") || line.starts_with("bsf")).count();
    let features = report(&path)?.features;
    if shown > 0 && features.is_empty() { Ok(()) } else { Err(format!("{shown} lines, {features:?}").into()) }
}
