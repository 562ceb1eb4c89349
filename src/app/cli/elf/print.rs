//! What the `--print-*` options print: the same lines as patchelf's, in its order, to the byte.

use super::super::output::Output;
use super::arguments::Elf;
use crate::engine::binary::Slice;
use crate::engine::binary::elf::os_abi_name;
use crate::engine::report::elf::{asks_for_execstack, heeded};
use color_eyre::Result;
use goblin::elf::header::EI_OSABI;

/// What became of printing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// All that was asked for.
    All,
    /// The interpreter was asked for, and the file names none.
    NoInterpreter,
}

/// Prints what `arguments` ask of `slice`.
///
/// # Errors
/// When the output can't be written.
pub fn print(arguments: &Elf, slice: &Slice, output: &mut Output) -> Result<Printed> {
    if arguments.print_interpreter {
        let Some(interpreter) = &slice.interpreter else { return Ok(Printed::NoInterpreter) };
        line(interpreter.as_bytes(), output)?;
    }
    if arguments.print_os_abi {
        let ident = slice.elf.as_ref().and_then(|details| details.tables.header.e_ident.get(EI_OSABI));
        output.line(os_abi_name(ident.copied().unwrap_or(0)))?;
    }
    // A file without a SONAME prints nothing, one without a search path an empty line.
    if let Some(soname) = slice.soname.as_ref().filter(|_| arguments.print_soname) {
        line(soname.as_bytes(), output)?;
    }
    if arguments.print_rpath {
        line(heeded(slice).map_or(b"".as_slice(), |path| path.text.as_bytes()), output)?;
    }
    if arguments.print_execstack {
        let mark = match asks_for_execstack(slice) {
            Some(true) => 'X',
            Some(false) => '-',
            None => '?',
        };
        output.line(format_args!("execstack: {mark}"))?;
    }
    if arguments.print_needed {
        for needed in &slice.needed {
            line(needed.name.as_bytes(), output)?;
        }
    }
    Ok(Printed::All)
}

fn line(bytes: &[u8], output: &mut Output) -> Result<()> {
    output.bytes(bytes)?;
    output.text("\n")
}
