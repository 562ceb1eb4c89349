//! What a use of a symbol is attributed to: a function, code outside of functions, or a variable.

use super::names::demangled;
use super::scan::Code;
use super::table::{SymbolTable, each_symbol};
use crate::engine::binary::record::name_at;
use crate::engine::{Context, Result};
use goblin::elf::sym::STT_OBJECT;
use std::collections::{BTreeMap, BTreeSet};

/// Who uses a symbol. The order is that in which users are listed: functions by address first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The function of this number.
    Function(usize),
    /// Code outside of functions, in the section at this address.
    Code(u64),
    /// A variable: its address, and the place of its name in the file.
    Variable(u64, Option<u64>),
}

/// The owner as users read it.
pub(super) fn name_of(code: &Code<'_>, owner: Owner) -> String {
    match owner {
        Owner::Function(index) => code.functions.name(code.source, index).unwrap_or_else(|| {
            let start = code.functions.list().get(index).map_or(0, |function| function.start);
            format!("function at {start:#x}")
        }),
        Owner::Code(address) => format!("code at {address:#x}"),
        Owner::Variable(address, name) => {
            let name = name.and_then(|at| name_at(code.source, at, code.source.size()).ok());
            name.map_or_else(|| format!("data at {address:#x}"), |name| format!("data {}", demangled(&name.to_text())))
        }
    }
}

/// The variables in which `words` lie, each with the symbol that the loader puts there.
///
/// # Errors
/// As [`each_symbol`].
pub(super) fn data_owners(
    code: &Code<'_>,
    words: &BTreeMap<u64, usize>,
    context: &Context,
) -> Result<BTreeSet<(usize, Owner)>> {
    let (mut owners, mut open) = (BTreeSet::new(), words.clone());
    let tables = &code.details.tables;
    let full = SymbolTable::full(code.source, tables)?;
    let table = if full.is_some() { full } else { SymbolTable::dynamic(code.source, code.details)? };
    if let Some(table) = table.filter(|_| !words.is_empty()) {
        each_symbol(code.source, tables, &table, context, &mut |_, symbol| {
            if symbol.st_type() == STT_OBJECT && symbol.st_shndx != 0 && symbol.st_size > 0 {
                let end = symbol.st_value.saturating_add(symbol.st_size);
                let name = table.strings.0.saturating_add(symbol.st_name as u64);
                // A word is named once, or a hostile table could have all of them named again and again.
                while let Some((&word, &user)) = open.range(symbol.st_value..end).next() {
                    open.remove(&word);
                    owners.insert((user, Owner::Variable(symbol.st_value, Some(name))));
                }
            }
            Ok(())
        })?;
    }
    owners.extend(open.into_iter().map(|(word, user)| (user, Owner::Variable(word, None))));
    Ok(owners)
}
