//! The bytes of Mach-O and PE files told by what they are: every header byte flipped and the rest by strides, against a second
//! parser and, where it is there, LLVM; edits as repair tools do them; random damage.
#![allow(missing_docs)]

mod flips;
mod llvm;
mod macho;
mod mutations;
mod pe;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};
use std::panic::{AssertUnwindSafe, catch_unwind};

type Named = (&'static str, fn());

const ALWAYS: &[Named] = &[
    ("macho_every_byte_has_a_meaning", macho::every_byte_has_a_meaning),
    ("macho_code_is_told_by_function", macho::code_is_told_by_function),
    ("macho_symbols_and_strings_are_told_by_name", macho::symbols_and_strings_are_told_by_name),
    ("macho_edits_of_a_repair_tool", macho::edits_of_a_repair_tool),
    ("macho_universal_files_are_told_by_architecture", macho::universal_files_are_told_by_architecture),
    ("pe_every_byte_has_a_meaning", pe::every_byte_has_a_meaning),
    ("pe_code_is_told_by_function", pe::code_is_told_by_function),
    ("pe_imports_and_exports_are_told_by_name", pe::imports_and_exports_are_told_by_name),
    ("pe_checksum_and_overlay", pe::checksum_and_overlay),
    ("macho_random_damage", mutations::macho),
    ("pe_random_damage", mutations::pe),
];

const WITH_LLVM: &[(&str, &str, fn())] = &[
    ("macho_fields_are_those_of_llvm", "llvm-objdump", llvm::macho_fields),
    ("pe_fields_are_those_of_llvm", "llvm-readobj", llvm::pe_fields),
];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = ALWAYS.iter().map(|(name, test)| Trial::test(*name, wrap(*test))).collect();
    for (name, tool, test) in WITH_LLVM {
        trials.push(if llvm::is_there(tool) {
            Trial::test(*name, wrap(*test))
        } else {
            Trial::test(format!("{name} (no {tool} on PATH)"), wrap(*test)).with_ignored_flag(!strict::is_strict())
        });
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn wrap(test: fn()) -> impl FnOnce() -> Result<(), Failed> + Send + 'static {
    move || {
        catch_unwind(AssertUnwindSafe(test)).map_err(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            Failed::from(said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked"))
        })
    }
}
