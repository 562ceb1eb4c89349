//! The report on the instructions of an x86 file that its baseline does not have.

use super::features::{Feature, FeatureTable, level, rank};
use super::property::marked;
use super::scan::{Code, scan};
use super::tally::{Counted, Counter, MOST_FUNCTIONS, Tally, Uses};
use crate::engine::binary::Slice;
use crate::engine::file::ReadAt;
use crate::engine::report::instructions::{FeatureUse, FunctionUse, InstructionsReport};
use crate::engine::{Context, Result};
use goblin::elf::header::{EM_386, EM_X86_64};
use iced_x86::FastFormatter;

/// Decodes the code of `slice` and counts the instructions that ask for more than the baseline of its platform tags has;
/// `None` for what is no linked ELF file of x86-64 or i686.
///
/// That an instruction is there does not say that it runs: a program may ask the processor first. TZCNT counts only in a
/// function that has other instructions of its kind (BMI1, BMI2, LZCNT), since compilers write it as `rep bsf` for the
/// baseline too. Within functions tables can't be told from code.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file's tables lead out of it, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn instructions(slice: &Slice, source: &dyn ReadAt, context: &Context) -> Result<Option<InstructionsReport>> {
    let Some(details) = &slice.elf else { return Ok(None) };
    let (bits, baseline) = match (details.tables.header.e_machine, details.tables.is_64) {
        (EM_X86_64, true) => (64, "x86-64"),
        (EM_386, false) => (32, "pentium4"),
        _ => return Ok(None),
    };
    let Some(code) = Code::find(slice, source, context)? else { return Ok(None) };
    let table = FeatureTable::new(bits);
    let mut counted = Counted::default();
    scan(&code, context, |chunk| Counter::new(&table, bits, chunk.place), |_, found| counted.add(found))?;
    let levelled = bits == 64;
    let mut features: Vec<(Option<usize>, FeatureUse)> =
        counted.features.iter().map(|(feature, uses)| feature_use(&code, *feature, uses, levelled)).collect();
    // None, no level has it, comes last.
    features.sort_by_key(|(rank, feature)| (rank.unwrap_or(usize::MAX), feature.feature.clone()));
    let highest = features.iter().map(|(rank, _)| *rank).max_by_key(|rank| rank.unwrap_or(usize::MAX)).flatten();
    Ok(Some(InstructionsReport {
        baseline: baseline.to_owned(),
        level: highest.and_then(level).map(str::to_owned),
        marked: marked(source, &details.tables).map(str::to_owned),
        instructions: counted.instructions,
        bytes_decoded: counted.bytes,
        bytes_unknown: counted.unknown,
        features: features.into_iter().map(|(_, feature)| feature).collect(),
    }))
}

/// The report on `feature`, with the number of its level; only x86-64 has levels.
fn feature_use(code: &Code<'_>, feature: Feature, uses: &Uses, levelled: bool) -> (Option<usize>, FeatureUse) {
    let name = feature.name();
    let rank = rank(&name).filter(|_| levelled);
    let in_functions = uses.first.iter().map(|(owner, tally)| {
        let address = code.functions.list().get(*owner).map_or(0, |function| function.start);
        function_use(code.functions.name(code.source, *owner), address, tally)
    });
    let elsewhere = uses.elsewhere.iter().map(|(place, tally)| {
        let address = code.places.get(*place).map_or(0, |place| place.address);
        function_use(None, address, tally)
    });
    let mut functions: Vec<FunctionUse> = in_functions.chain(elsewhere).collect();
    functions.sort_by_key(|function| (function.address, function.first));
    functions.truncate(MOST_FUNCTIONS);
    let report = FeatureUse {
        feature: name,
        level: rank.and_then(level).map(str::to_owned),
        instructions: uses.instructions,
        functions_total: uses.functions + uses.elsewhere.len() as u64,
        functions,
    };
    (rank, report)
}

fn function_use(name: Option<String>, address: u64, tally: &Tally) -> FunctionUse {
    let mut example = String::new();
    let mut formatter = FastFormatter::new();
    formatter.options_mut().set_use_hex_prefix(true);
    formatter.options_mut().set_space_after_operand_separator(true);
    formatter.format(&tally.first, &mut example);
    FunctionUse { name, address, instructions: tally.count, first: tally.first.ip(), example }
}

#[cfg(test)]
mod tests {
    use super::super::users_of_symbols;
    use super::*;
    use crate::engine::Error;
    use crate::engine::binary;
    use crate::engine::file::MemoryBytes;
    use std::process::Command;

    fn library() -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("a.c"), directory.path().join("a.so"));
        std::fs::write(&source, "int puts(const char *); int say(void) { return puts(\"a\") + 1; }").unwrap();
        let status = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).args([&output, &source]).status();
        assert!(status.unwrap().success());
        std::fs::read(&output).unwrap()
    }

    #[test]
    fn a_damaged_file_gives_an_answer_or_an_error() {
        let whole = library();
        let sections = u64::from_le_bytes(whole[40..48].try_into().unwrap()) as usize;
        let (mut read, mut refused) = (0, 0);
        let mut look = |bytes: Vec<u8>| {
            let source = MemoryBytes::new("a.so".into(), bytes);
            let Ok(mut binary) = binary::read(&source) else { return };
            let slice = binary.slices.remove(0);
            let context = Context::new();
            match instructions(&slice, &source, &context).and(users_of_symbols(&slice, &source, &["puts"], &context)) {
                Ok(_) => read += 1,
                Err(Error::Malformed { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        };
        // The headers, the tables behind them, and the section headers; then files that end early.
        for at in (0..0x300).chain((sections..whole.len()).step_by(3)) {
            for value in [0, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                look(bytes);
            }
        }
        for length in (64..whole.len()).step_by(97) {
            look(whole[..length].to_vec());
        }
        assert!(read > 300 && refused > 10, "{read} {refused}");
    }

    #[test]
    fn whoever_cancels_is_heard() {
        let source = MemoryBytes::new("a.so".into(), library());
        let slice = binary::read(&source).unwrap().slices.remove(0);
        let context = Context::new();
        context.cancel();
        if slice.arch.name == "x86_64" {
            assert!(matches!(instructions(&slice, &source, &context), Err(Error::Cancelled)));
        }
    }

    #[test]
    fn other_machines_get_no_answer() {
        let mut bytes = library();
        bytes[18] = 243;
        let source = MemoryBytes::new("a.so".into(), bytes);
        let slice = binary::read(&source).unwrap().slices.remove(0);
        assert!(instructions(&slice, &source, &Context::new()).unwrap().is_none());
        let source = MemoryBytes::new("a.so".into(), library());
        let slice = binary::read(&source).unwrap().slices.remove(0);
        let report = instructions(&slice, &source, &Context::new()).unwrap();
        assert_eq!(report.is_some(), cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "x86"))));
    }
}
