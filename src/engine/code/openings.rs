//! Where a file calls functions that open libraries, what it passes to them, and which functions refer to which texts.
//!
//! x86-64. A function that hands its own argument on to such a function is followed to its callers. Only direct calls are
//! seen: what is called through a pointer that data holds is not.

use super::imports::Imports;
use super::owners::{Owner, name_of};
use super::pointers::{AddressRanges, Pointer, is_fixed, own_slots, pointers};
use super::references::{Reference, Sought, Walked, walk};
use super::scan::Code;
use super::sites::{Site, Wanted, sites};
use super::users::{Targets, stubs};
use super::values::{Loads, Value};
use crate::engine::binary::Slice;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use goblin::elf::header::{EM_X86_64, ET_EXEC};
use std::collections::{BTreeMap, BTreeSet};

/// Functions that never return: what stands behind a call of them is reached from elsewhere.
const ENDLESS: [&str; 12] = [
    "abort",
    "exit",
    "_exit",
    "__stack_chk_fail",
    "__assert_fail",
    "__cxa_throw",
    "__cxa_rethrow",
    "__cxa_bad_cast",
    "_Unwind_Resume",
    "_ZSt9terminatev",
    "_ZSt17__throw_bad_allocv",
    "_ZSt20__throw_length_errorPKc",
];
/// So many functions may stand between one that refers to a text and the one that opens libraries.
const MOST_LEVELS: usize = 5;
/// A function's own argument is followed through so many callers.
const MOST_WRAPPERS: usize = 3;
/// More functions that may open libraries than this are not followed.
const MOST_OPENERS: usize = 1 << 14;
/// A longer function is not looked into, in bytes.
const LONGEST_FUNCTION: u64 = 1 << 20;
/// More calls than this are not listed.
const MOST_CALLS: usize = 10_000;

/// What is passed as the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passed {
    /// This number: 0, or the address of a text.
    Constant(u64),
    /// An argument of the calling function.
    OwnArgument,
    /// Something else.
    Unknown,
}

/// A call of a function that opens libraries, or of one that hands the name on to such a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// The call's address.
    pub address: u64,
    /// The function that is called, demangled.
    pub function: String,
    /// The function that calls, demangled, or `function at 0x…`.
    pub caller: String,
    /// What is passed as the name.
    pub passed: Passed,
}

/// A reference to a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextReference {
    /// The text's address.
    pub to: u64,
    /// What may be the text's length, in bytes; the likeliest first.
    pub lengths: Vec<u64>,
    /// The function that refers to it, demangled, or `function at 0x…`; `None` where only data does.
    pub function: Option<String>,
    /// Whether that function opens libraries, or calls one that does.
    pub opens: bool,
}

/// What the code and data of a file say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Openings {
    /// The calls, by address; `None` where the code can't be read here.
    pub calls: Option<Vec<Opening>>,
    /// The references to the wanted texts, sorted.
    pub references: Vec<TextReference>,
    /// Whether more was found than is kept.
    pub cut: bool,
}

/// Where `slice` calls `openers`, each a symbol with the number of the argument that is the name, and what refers to `texts`.
/// Without `openers` no calls are looked for, without either nothing is.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file's tables lead out of it, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn openings(
    slice: &Slice,
    source: &dyn ReadAt,
    openers: &[(&str, usize)],
    texts: &AddressRanges,
    context: &Context,
) -> Result<Openings> {
    let Some(details) = &slice.elf else { return Ok(Openings::default()) };
    let pointers = pointers(source, &details.tables, texts, context)?;
    let machine = (details.tables.header.e_machine, details.tables.is_64);
    let code = if machine == (EM_X86_64, true) { Code::find(slice, source, context)? } else { None };
    let Some(code) = code else {
        let references = pointers.values().map(|pointer| data_reference(pointer, None, false)).collect();
        return Ok(Openings { calls: None, references, cut: false });
    };
    let symbols: Vec<&str> = openers.iter().map(|(name, _)| *name).chain(ENDLESS).collect();
    let mut imports = Imports::find(&code, &symbols, context)?;
    imports.copies.clear();
    let stubs_of_symbols = stubs(&code, &imports.slots)?;
    let own_slots = own_slots(&code, context)?;
    let own_stubs = stubs(&code, &own_slots)?;
    let places: BTreeSet<u64> = pointers.keys().copied().collect();
    let fixed = details.tables.header.e_type == ET_EXEC;
    let sought = Sought {
        targets: Targets { imports: &imports, stubs: &stubs_of_symbols, fixed },
        texts,
        pointers: &places,
        own: (&own_stubs, &own_slots),
    };
    let walked = walk(&code, &sought, context)?;
    let search = Search {
        code: &code,
        openers,
        imports: &imports,
        stubs: &stubs_of_symbols,
        own_stubs,
        own_slots,
        walked,
        pointers,
    };
    let levels = search.levels();
    let (mut calls, mut cut) = search.calls(context)?;
    cut |= search.walked.cut || calls.len() > MOST_CALLS;
    calls.truncate(MOST_CALLS);
    Ok(Openings { calls: Some(calls), references: search.references(&levels), cut })
}

fn data_reference(pointer: &Pointer, function: Option<String>, opens: bool) -> TextReference {
    TextReference { to: pointer.to, lengths: vec![pointer.next], function, opens }
}

struct Search<'a> {
    code: &'a Code<'a>,
    openers: &'a [(&'a str, usize)],
    imports: &'a Imports,
    stubs: &'a BTreeMap<u64, usize>,
    own_stubs: BTreeMap<u64, usize>,
    own_slots: BTreeMap<u64, usize>,
    walked: Walked,
    pointers: BTreeMap<u64, Pointer>,
}

impl Search<'_> {
    /// The functions that use an opener.
    fn users(&self) -> BTreeSet<usize> {
        let users = self.walked.users.iter().filter(|(symbol, _)| *symbol < self.openers.len());
        users.filter_map(|(_, owner)| if let Owner::Function(number) = owner { Some(*number) } else { None }).collect()
    }

    /// The functions that call function number `called`.
    fn callers(&self, called: usize) -> impl Iterator<Item = usize> + '_ {
        let from = self.walked.calls.partition_point(|(target, _)| (*target as usize) < called);
        let rest = self.walked.calls.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(target, _)| *target as usize == called).map(|(_, caller)| *caller as usize)
    }

    /// The functions that use an opener, or call one that does, over a few levels.
    fn levels(&self) -> BTreeSet<usize> {
        let mut all = self.users();
        let mut last: Vec<usize> = all.iter().copied().collect();
        for _ in 0..MOST_LEVELS {
            let mut next: Vec<usize> = last.iter().flat_map(|called| self.callers(*called)).collect();
            next.retain(|caller| all.len() < MOST_OPENERS && all.insert(*caller));
            last = next;
        }
        all
    }

    /// The calls, by address, and whether functions were left out.
    fn calls(&self, context: &Context) -> Result<(Vec<Opening>, bool)> {
        let first_own = self.openers.len() + ENDLESS.len();
        let mut targets = self.stubs.clone();
        let mut slots = self.imports.slots.clone();
        // The followed functions: their number in the file, and the argument that they hand on.
        let mut followed: Vec<(usize, usize)> = Vec::new();
        let mut asked = self.users();
        let mut found = BTreeSet::new();
        let mut cut = asked.len() > MOST_OPENERS;
        let mut known = 0..self.openers.len();
        for level in 0..=MOST_WRAPPERS {
            let mut next: Vec<(usize, usize)> = Vec::new();
            for function in std::mem::take(&mut asked).into_iter().take(MOST_OPENERS) {
                context.advance(0)?;
                let Some(sites) = self.sites(function, &targets, &slots, first_own)? else {
                    cut = true;
                    continue;
                };
                for site in sites.into_iter().filter(|site| known.contains(&site.target)) {
                    let Some((callee, argument)) = self.callee(site.target, first_own, &followed) else { continue };
                    let value = site.arguments.get(argument).copied().unwrap_or_default();
                    let passed = match value {
                        Value::Constant(number) => Passed::Constant(number),
                        Value::Argument(number) => {
                            next.push((function, usize::from(number)));
                            Passed::OwnArgument
                        }
                        _ => Passed::Unknown,
                    };
                    let caller = name_of(self.code, Owner::Function(function));
                    found.insert(Opening { address: site.address, function: callee, caller, passed });
                }
            }
            next.sort_unstable();
            next.dedup();
            next.retain(|wrapper| {
                !followed.contains(wrapper) && !followed.iter().any(|(other, _)| *other == wrapper.0)
            });
            next.dedup_by_key(|(function, _)| *function);
            if level == MOST_WRAPPERS || next.is_empty() {
                break;
            }
            let start = first_own + followed.len();
            for (number, (function, _)) in (start..).zip(&next) {
                let address = self.code.functions.list().get(*function).map(|function| function.start);
                targets.extend(address.map(|address| (address, number)));
                let of_it = |own: &BTreeMap<u64, usize>| -> Vec<(u64, usize)> {
                    own.iter().filter(|(_, own)| *own == function).map(|(at, _)| (*at, number)).collect()
                };
                targets.extend(of_it(&self.own_stubs));
                slots.extend(of_it(&self.own_slots));
                asked.extend(self.callers(*function));
            }
            known = start..start + next.len();
            followed.extend(next);
        }
        Ok((found.into_iter().collect(), cut))
    }

    /// The name of the called function number `target`, and which of its arguments is the library's name.
    fn callee(&self, target: usize, first_own: usize, followed: &[(usize, usize)]) -> Option<(String, usize)> {
        if let Some((name, argument)) = self.openers.get(target) {
            return Some(((*name).to_owned(), *argument));
        }
        let (function, argument) = followed.get(target.checked_sub(first_own)?)?;
        Some((name_of(self.code, Owner::Function(*function)), *argument))
    }

    /// The calls that `function` makes; `None` where it is too long to be looked into.
    fn sites(
        &self,
        function: usize,
        targets: &BTreeMap<u64, usize>,
        slots: &BTreeMap<u64, usize>,
        first_own: usize,
    ) -> Result<Option<Vec<Site>>> {
        let (tables, source) = (&self.code.details.tables, self.code.source);
        let Some(function) = self.code.functions.list().get(function) else { return Ok(None) };
        let place = self.code.places.iter().find(|place| (place.address..place.end()).contains(&function.start));
        let length = place.map_or(0, |place| function.end().min(place.end()) - function.start);
        let Some(place) = place.filter(|_| length <= LONGEST_FUNCTION) else { return Ok(None) };
        let bytes = source.bytes(place.offset + (function.start - place.address), length)?;
        let fixed = self.pointers.iter().filter(|(_, pointer)| pointer.is_fixed);
        let pointers = fixed.map(|(place, pointer)| (*place, pointer.to)).collect();
        let read = |address, length| {
            let (offset, rest) = tables.file_offset(address)?;
            // A table that the program itself may change says nothing.
            (rest >= length && is_fixed(tables, address)).then(|| source.bytes(offset, length).ok())?
        };
        let is_code =
            |address: u64| self.code.places.iter().any(|place| (place.address..place.end()).contains(&address));
        let wanted = Wanted {
            loads: Loads { slots, pointers: &pointers },
            functions: targets,
            endless: self.openers.len()..first_own,
            entered: &self.walked.entered,
            read: &read,
            is_code: &is_code,
        };
        let mut found = sites(&bytes, function.start, &wanted);
        if self.walked.cut {
            // A jump into the function may not have been noted.
            found.iter_mut().for_each(|site| site.arguments = [Value::Unknown; 6]);
        }
        Ok(Some(found))
    }

    /// The references to texts, through pointers too.
    fn references(&self, levels: &BTreeSet<usize>) -> Vec<TextReference> {
        let mut named: BTreeMap<Owner, (String, bool)> = BTreeMap::new();
        for reference in &self.walked.references {
            named.entry(reference.owner).or_insert_with(|| {
                let opens = matches!(reference.owner, Owner::Function(number) if levels.contains(&number));
                (name_of(self.code, reference.owner), opens)
            });
        }
        let mut by_place: BTreeMap<u64, Vec<&Reference>> = BTreeMap::new();
        let mut found = Vec::new();
        for reference in &self.walked.references {
            if self.pointers.contains_key(&reference.to) {
                by_place.entry(reference.to).or_default().push(reference);
            } else if let Some((function, opens)) = named.get(&reference.owner) {
                let (function, lengths) = (Some(function.clone()), reference.lengths.clone());
                found.push(TextReference { to: reference.to, lengths, function, opens: *opens });
            }
        }
        // Code names the head of a table of pointers only: those behind it belong to whoever refers to the head.
        let mut head: Option<u64> = None;
        let mut before = 0;
        for (place, pointer) in &self.pointers {
            if by_place.contains_key(place) {
                head = Some(*place);
            } else if !matches!(place - before, 8 | 16) {
                head = None;
            }
            before = *place;
            let users = head.and_then(|head| by_place.get(&head)).map(Vec::as_slice).unwrap_or_default();
            let users = users.iter().filter_map(|reference| named.get(&reference.owner));
            let known = found.len();
            found.extend(users.map(|(function, opens)| data_reference(pointer, Some(function.clone()), *opens)));
            if found.len() == known {
                found.push(data_reference(pointer, None, false));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}
