//! Which functions use which imported symbols: who calls through the linker's stubs, and who reads the GOT slots.
//!
//! x86-64. A use is an instruction whose target or operand is the symbol's stub, its slot, or its copy. A pointer that
//! the loader writes into data (a virtual table, say) is a use by that data. Data of a program at fixed addresses may hold a
//! stub's address from the start; that is not seen.

use super::imports::Imports;
use super::owners::{Owner, data_owners, name_of};
use super::scan::{Code, Reader, scan};
use super::stretches::Stretch;
use super::x86::{Decoded, decode};
use crate::engine::binary::Slice;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use goblin::elf::header::{EM_X86_64, ET_EXEC};
use iced_x86::{Code as X86, Instruction, OpKind, Register};
use std::collections::{BTreeMap, BTreeSet};

/// How many users of a symbol are named.
pub const MOST_USERS: usize = 100;
/// Bytes that are read at once.
const WINDOW: u64 = 1 << 20;

/// Who uses a symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SymbolUsers {
    /// The first [`MOST_USERS`] of them by address, then sorted: functions by their demangled names or as `function at 0x…`,
    /// code outside of functions as `code at 0x…` (its section), data as `data NAME` or `data at 0x…`.
    pub functions: Vec<String>,
    /// How many there are.
    pub total: u64,
}

/// Who uses each of `symbols`, the names of symbols that `slice` imports; `None` for what is no linked ELF file of a machine
/// whose code can be read here (x86-64).
///
/// A name may be given as `name@VERSION`; then only the symbol of that version is meant. Every name asked for is in the
/// answer, also where nobody uses it.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file's tables lead out of it, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn users_of_symbols(
    slice: &Slice,
    source: &dyn ReadAt,
    symbols: &[&str],
    context: &Context,
) -> Result<Option<BTreeMap<String, SymbolUsers>>> {
    let machine = slice.elf.as_ref().map(|details| (details.tables.header.e_machine, details.tables.is_64));
    if machine != Some((EM_X86_64, true)) {
        return Ok(None);
    }
    let Some(code) = Code::find(slice, source, context)? else { return Ok(None) };
    let imports = Imports::find(&code, symbols, context)?;
    let stubs = stubs(&code, &imports.slots)?;
    let mut users: BTreeSet<(usize, Owner)> = BTreeSet::new();
    if !imports.slots.is_empty() || !imports.copies.is_empty() {
        let fixed = code.details.tables.header.e_type == ET_EXEC;
        let targets = Targets { imports: &imports, stubs: &stubs, fixed };
        scan(
            &code,
            context,
            |chunk| Seeker {
                targets: &targets,
                skipped: code.places.get(chunk.place).is_some_and(|place| place.stubs),
                section: code.places.get(chunk.place).map_or(0, |place| place.address),
                found: BTreeSet::new(),
            },
            |_, found| users.extend(found),
        )?;
    }
    users.extend(data_owners(&code, &imports.words, context)?);
    let mut answer: BTreeMap<String, SymbolUsers> =
        symbols.iter().map(|symbol| ((*symbol).to_owned(), SymbolUsers::default())).collect();
    let copied: BTreeSet<usize> = imports.copies.values().map(|(_, number)| *number).collect();
    for (number, owner) in users {
        if copied.contains(&number) && is_start_code(&code, owner) {
            continue;
        }
        let Some(entry) = symbols.get(number).and_then(|symbol| answer.get_mut(*symbol)) else { continue };
        entry.total += 1;
        if entry.functions.len() < MOST_USERS {
            entry.functions.push(name_of(&code, owner));
        }
    }
    answer.values_mut().for_each(|users| users.functions.sort());
    Ok(Some(answer))
}

/// Whether `owner` is code that the compiler links into every program and that names the end of the program's data, where
/// the linker puts copies too: the two can't be told apart by the address.
fn is_start_code(code: &Code<'_>, owner: Owner) -> bool {
    matches!(owner, Owner::Function(_))
        && matches!(name_of(code, owner).as_str(), "deregister_tm_clones" | "register_tm_clones")
}

/// The addresses of the stubs that jump through `slots`, each with the number of its slot's symbol.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] and [`crate::engine::Error::Io`] when the stubs can't be read.
pub(super) fn stubs(code: &Code<'_>, slots: &BTreeMap<u64, usize>) -> Result<BTreeMap<u64, usize>> {
    let mut stubs = BTreeMap::new();
    if slots.is_empty() {
        return Ok(stubs);
    }
    for place in code.places.iter().filter(|place| place.stubs) {
        let (mut at, mut before) = (0, None);
        while at < place.length {
            let bytes = code.source.bytes(place.offset + at, (place.length - at).min(WINDOW))?;
            let ends = at + bytes.len() as u64 == place.length;
            let used = decode(64, &bytes, place.address + at, ends, &mut |decoded| {
                let Decoded::Instruction(instruction) = decoded else { return };
                if instruction.code() == X86::Jmp_rm64
                    && instruction.is_ip_rel_memory_operand()
                    && let Some(symbol) = slots.get(&instruction.ip_rel_memory_address())
                {
                    stubs.insert(instruction.ip(), *symbol);
                    // With branch tracking the stub begins with the mark of a branch's target.
                    if let Some(mark) = before.filter(|mark| *mark + 4 == instruction.ip()) {
                        stubs.insert(mark, *symbol);
                    }
                }
                before = (instruction.code() == X86::Endbr64).then_some(instruction.ip());
            });
            at += (used as u64).max(1);
        }
    }
    Ok(stubs)
}

/// The addresses that are looked for.
pub(super) struct Targets<'a> {
    pub(super) imports: &'a Imports,
    pub(super) stubs: &'a BTreeMap<u64, usize>,
    /// Whether the program lies at fixed addresses, which its code may name outright.
    pub(super) fixed: bool,
}

impl Targets<'_> {
    /// The symbol that `instruction` uses.
    pub(super) fn of(&self, instruction: &Instruction) -> Option<usize> {
        if instruction.op0_kind() == OpKind::NearBranch64 {
            return self.stubs.get(&instruction.near_branch64()).copied();
        }
        if instruction.is_ip_rel_memory_operand() {
            return self.at(instruction.ip_rel_memory_address());
        }
        if !self.fixed {
            return None;
        }
        let kinds = instruction.op_kinds();
        for (number, kind) in kinds.enumerate() {
            let address = match kind {
                OpKind::Memory
                    if instruction.memory_base() == Register::None
                        && instruction.segment_prefix() == Register::None =>
                {
                    instruction.memory_displacement64()
                }
                OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                    instruction.try_immediate(number as u32).unwrap_or(0)
                }
                _ => continue,
            };
            if let Some(symbol) = self.at(address) {
                return Some(symbol);
            }
        }
        None
    }

    fn at(&self, address: u64) -> Option<usize> {
        let copy = || {
            let (_, (end, symbol)) = self.imports.copies.range(..=address).next_back()?;
            (address < *end).then_some(symbol)
        };
        self.imports.slots.get(&address).or_else(|| self.stubs.get(&address)).or_else(copy).copied()
    }
}

/// Looks for uses in a chunk.
struct Seeker<'a> {
    targets: &'a Targets<'a>,
    skipped: bool,
    section: u64,
    found: BTreeSet<(usize, Owner)>,
}

impl Reader for Seeker<'_> {
    type Found = BTreeSet<(usize, Owner)>;

    fn read(&mut self, stretch: &Stretch, address: u64, bytes: &[u8]) -> usize {
        if self.skipped {
            return bytes.len();
        }
        let ends = address.saturating_add(bytes.len() as u64) == stretch.end;
        let owner = stretch.owner.map_or(Owner::Code(self.section), Owner::Function);
        decode(64, bytes, address, ends, &mut |decoded| {
            if let Decoded::Instruction(instruction) = decoded
                && let Some(symbol) = self.targets.of(instruction)
            {
                self.found.insert((symbol, owner));
            }
        })
    }

    fn found(self) -> Self::Found {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary;
    use crate::engine::file::Windows;
    use std::process::Command;

    const SOURCE: &str = "#include <stdio.h>
        #include <stdlib.h>
        __attribute__((noinline)) int shout(const char *text) { return puts(text) + 1; }
        int (*const held)(const char *) = puts;
        int quiet(int number) { return number + 1; }
        int tail(const char *text) { return puts(text); }
        void *taken(void) { return (void *)puts; }
        int number(const char *text) { return atoi(text) + (stdin != 0); }
        int main(int count, char **all) { return shout(all[0]) + quiet(count) + tail(all[0]) + (taken() != 0); }";

    /// Who uses `puts`, `stdin` and `absent` in `SOURCE`, built with `flags`.
    fn users(flags: &[&str]) -> Option<Vec<Vec<String>>> {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("a.c"), directory.path().join("a"));
        std::fs::write(&source, SOURCE).unwrap();
        let status =
            Command::new("cc").args(["-O1", "-fno-inline", "-o"]).args([&output, &source]).args(flags).status();
        assert!(status.unwrap().success());
        let source = Windows::open(&output).unwrap();
        let slice = binary::read(&source).unwrap().slices.remove(0);
        let asked = ["puts", "stdin", "absent"];
        let mut found = users_of_symbols(&slice, &source, &asked, &Context::new()).unwrap()?;
        Some(asked.iter().map(|name| found.remove(*name).unwrap().functions).collect())
    }

    #[test]
    fn users_of_a_symbol_are_found_however_the_linker_binds_it() {
        for flags in [
            &["-shared", "-fPIC", "-Wl,-z,lazy"][..],
            &["-shared", "-fPIC", "-Wl,-z,now"],
            &["-shared", "-fPIC", "-fno-plt"],
            &["-shared", "-fPIC", "-fcf-protection"],
            &["-pie", "-fPIE"],
            &["-no-pie", "-fno-pie"],
        ] {
            let Some(found) = users(flags) else { return };
            let held = if flags.contains(&"-no-pie") { &[][..] } else { &["data held"] };
            assert_eq!(found[0], [held, &["shout", "tail", "taken"]].concat(), "{flags:?}");
            assert_eq!(found[1], ["number"], "{flags:?}");
            assert!(found[2].is_empty());
        }
    }

    #[test]
    fn without_names_the_addresses_are_shown() {
        let Some(found) = users(&["-shared", "-fPIC", "-s", "-fvisibility=hidden"]) else { return };
        assert_eq!(found[0].iter().filter(|name| name.starts_with("function at 0x")).count(), 3, "{found:?}");
        assert_eq!(found[0].iter().filter(|name| name.starts_with("data at 0x")).count(), 1, "{found:?}");
    }
}
