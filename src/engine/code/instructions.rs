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
