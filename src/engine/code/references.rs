//! One walk over all code (x86-64) for what the search after opened libraries needs: who uses the functions that open
//! them, who refers to which text, who calls whom, and which places within functions are jumped to from outside.

use super::owners::Owner;
use super::pointers::AddressRanges;
use super::scan::{Code, Reader, scan};
use super::stretches::Stretch;
use super::users::Targets;
use super::x86::{Decoded, decode};
use crate::engine::{Context, Result};
use iced_x86::{Code as X86, FlowControl, Instruction, Mnemonic, OpKind};
use std::collections::{BTreeMap, BTreeSet};

/// A length stands within so many instructions of the address of its text.
const NEAR: usize = 5;
/// Of each kind no more than so many are kept.
const MOST: usize = 1 << 22;
/// More references to texts than this are not kept.
const MOST_REFERENCES: usize = 1 << 18;
/// A longer text than this is no library's name.
const LONGEST: u64 = 4096;

/// A reference of code to a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    /// The address that the code names: of the text, or of a pointer to it.
    pub(super) to: u64,
    /// The function that does.
    pub(super) owner: Owner,
    /// Numbers that stand near by, each of which may be the text's length: first those behind, then those before, the nearest
    /// of each first.
    pub(super) lengths: Vec<u64>,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Who uses which wanted symbol.
    pub(super) users: BTreeSet<(usize, Owner)>,
    /// Who refers to what.
    pub(super) references: Vec<Reference>,
    /// Called function and calling function, sorted, each pair once.
    pub(super) calls: Vec<(u32, u32)>,
    /// Places within functions that others jump to, sorted.
    pub(super) entered: Vec<u64>,
    /// Whether more was found than is kept.
    pub(super) cut: bool,
}

/// What is looked for.
pub(super) struct Sought<'a> {
    /// The wanted symbols.
    pub(super) targets: Targets<'a>,
    /// Where texts lie.
    pub(super) texts: &'a AddressRanges,
    /// Where pointers to them lie.
    pub(super) pointers: &'a BTreeSet<u64>,
    /// Stubs and slots of the file's own functions, with the function's number.
    pub(super) own: (&'a BTreeMap<u64, usize>, &'a BTreeMap<u64, usize>),
}

/// Walks `code`.
///
/// # Errors
/// As [`scan`].
pub(super) fn walk(code: &Code<'_>, sought: &Sought<'_>, context: &Context) -> Result<Walked> {
    let mut all = Walked::default();
    scan(
        code,
        context,
        |chunk| Walker {
            code,
            sought,
            place: code.places.get(chunk.place).map_or((0, false), |place| (place.address, place.stubs)),
            recent: Vec::new(),
            open: Vec::new(),
            stretch: None,
            found: Walked::default(),
        },
        |_, found| {
            all.users.extend(found.users);
            all.references.extend(found.references);
            all.calls.extend(found.calls);
            all.entered.extend(found.entered);
            all.cut |= found.cut;
            if all.calls.len() > MOST || all.entered.len() > MOST || all.references.len() > MOST_REFERENCES {
                all.cut = true;
                all.calls.truncate(MOST);
                all.entered.truncate(MOST);
                all.references.truncate(MOST_REFERENCES);
            }
        },
    )?;
    all.calls.sort_unstable();
    all.calls.dedup();
    all.entered.sort_unstable();
    all.entered.dedup();
    all.references.sort();
    all.references.dedup();
    Ok(all)
}

struct Walker<'a, 'b> {
    code: &'a Code<'b>,
    sought: &'a Sought<'a>,
    /// The place's address, and whether it holds stubs.
    place: (u64, bool),
    /// The numbers of the last instructions; `None` for one without.
    recent: Vec<Option<u64>>,
    /// References that still wait for numbers: their index, for how many instructions, and how many numbers came.
    open: Vec<(usize, usize, usize)>,
    /// Where the stretch begins that was read last.
    stretch: Option<u64>,
    found: Walked,
}

impl Walker<'_, '_> {
    fn look(&mut self, instruction: &Instruction, stretch: &Stretch) {
        let owner = stretch.owner.map_or(Owner::Code(self.place.0), Owner::Function);
        if let Some(symbol) = self.sought.targets.of(instruction) {
            self.found.users.insert((symbol, owner));
        }
        self.note_branch(instruction, stretch);
        let number = number_in(instruction);
        for (index, left, came) in &mut self.open {
            *left -= 1;
            if let (Some(reference), Some(number)) = (self.found.references.get_mut(*index), number) {
                reference.lengths.insert((*came).min(reference.lengths.len()), number);
                *came += 1;
            }
        }
        self.open.retain(|(_, left, _)| *left > 0);
        if let Some(to) = self.refers_to(instruction) {
            if self.found.references.len() < MOST_REFERENCES {
                let lengths = self.recent.iter().rev().copied().flatten().collect();
                self.open.push((self.found.references.len(), NEAR, 0));
                self.found.references.push(Reference { to, owner, lengths });
            } else {
                self.found.cut = true;
            }
        }
        if self.recent.len() == NEAR {
            self.recent.remove(0);
        }
        self.recent.push(number);
    }

    /// The text, or the pointer to one, to which `instruction` refers.
    fn refers_to(&self, instruction: &Instruction) -> Option<u64> {
        let wanted = |address: &u64| self.sought.texts.has(*address) || self.sought.pointers.contains(address);
        if instruction.is_ip_rel_memory_operand() {
            return Some(instruction.ip_rel_memory_address()).filter(wanted);
        }
        let named = self.sought.targets.fixed && instruction.mnemonic() == Mnemonic::Mov;
        number_in(instruction).filter(|_| named).filter(wanted)
    }

    fn note_branch(&mut self, instruction: &Instruction, stretch: &Stretch) {
        let (flow, functions) = (instruction.flow_control(), &self.code.functions);
        let called = match flow {
            FlowControl::Call | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
                if instruction.op0_kind() == OpKind::NearBranch64 =>
            {
                let target = instruction.near_branch64();
                if flow != FlowControl::Call && (stretch.start..stretch.end).contains(&target) {
                    return;
                }
                let function = functions.at(target);
                let start = function.and_then(|number| functions.list().get(number)).map(|function| function.start);
                if start != Some(target) && flow != FlowControl::Call {
                    self.found.entered.push(target);
                    self.thin();
                }
                function.filter(|_| start == Some(target)).or_else(|| self.sought.own.0.get(&target).copied())
            }
            FlowControl::IndirectCall | FlowControl::IndirectBranch if instruction.is_ip_rel_memory_operand() => {
                self.sought.own.1.get(&instruction.ip_rel_memory_address()).copied()
            }
            _ => None,
        };
        if let (Some(called), Some(caller)) = (called, stretch.owner)
            && called != caller
            && let (Ok(called), Ok(caller)) = (u32::try_from(called), u32::try_from(caller))
        {
            self.found.calls.push((called, caller));
            self.thin();
        }
    }

    /// Drops what was found twice, before the lists grow large.
    fn thin(&mut self) {
        if self.found.calls.len() >= 1 << 16 && self.found.calls.len().is_power_of_two() {
            self.found.calls.sort_unstable();
            self.found.calls.dedup();
        }
        if self.found.entered.len() >= 1 << 16 && self.found.entered.len().is_power_of_two() {
            self.found.entered.sort_unstable();
            self.found.entered.dedup();
        }
    }
}

impl Reader for Walker<'_, '_> {
    type Found = Walked;

    fn read(&mut self, stretch: &Stretch, address: u64, bytes: &[u8]) -> usize {
        if self.place.1 {
            return bytes.len();
        }
        if self.stretch != Some(stretch.start) {
            self.stretch = Some(stretch.start);
            self.recent.clear();
            self.open.clear();
        }
        let ends = address.saturating_add(bytes.len() as u64) == stretch.end;
        decode(64, bytes, address, ends, &mut |decoded| {
            if let Decoded::Instruction(instruction) = decoded {
                self.look(instruction, stretch);
            }
        })
    }

    fn found(self) -> Self::Found {
        self.found
    }
}

/// The number that `instruction` moves, where it may be a text's length or, in a program at fixed addresses, its address.
fn number_in(instruction: &Instruction) -> Option<u64> {
    let moves = matches!(
        instruction.code(),
        X86::Mov_r32_imm32
            | X86::Mov_r64_imm64
            | X86::Mov_rm64_imm32
            | X86::Mov_rm32_imm32
            | X86::Pushq_imm8
            | X86::Pushq_imm32
    );
    let last = instruction.op_count().checked_sub(1)?;
    let number = instruction.try_immediate(last).ok()?;
    (moves && (number <= LONGEST || instruction.mnemonic() == Mnemonic::Mov)).then_some(number)
}
