//! The calls that one function makes of wanted functions, with what it passes: its blocks are walked until what is known
//! where they begin no longer changes (x86-64).
//!
//! Where control comes from is known of branches, of tables of branches as compilers write them, and of jumps from other
//! functions; a block that is reached in another way (by an exception) begins with nothing known.

use super::values::{Follower, Loads, State, Value};
use super::x86::{Decoded, decode};
use iced_x86::{Code as X86, FlowControl, Instruction, Mnemonic, OpKind, Register};
use std::collections::BTreeMap;

/// More entries of one table of branches are not looked at.
const MOST_ENTRIES: u64 = 4096;
/// A table's entry is read within so many instructions before the jump.
const FAR: usize = 16;
/// A function whose blocks are walked more often than this, on average, is given up.
const MOST_WALKS: usize = 64;

/// A call of a wanted function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site {
    /// The address of the call, or of the jump that stands for it.
    pub(super) address: u64,
    /// The number of the function that is called.
    pub(super) target: usize,
    /// The first six arguments.
    pub(super) arguments: [Value; 6],
}

/// What is wanted, and what the file says besides.
pub(super) struct Wanted<'a> {
    /// What can be loaded.
    pub(super) loads: Loads<'a>,
    /// The wanted functions and their stubs, by address.
    pub(super) functions: &'a BTreeMap<u64, usize>,
    /// From this number on, a wanted function never returns.
    pub(super) endless: std::ops::Range<usize>,
    /// The places within functions that other functions jump to, sorted.
    pub(super) entered: &'a [u64],
    /// Reads so many bytes at an address.
    pub(super) read: &'a dyn Fn(u64, u64) -> Option<Vec<u8>>,
    /// Whether code lies at an address.
    pub(super) is_code: &'a dyn Fn(u64) -> bool,
}

/// The calls of wanted functions in the function whose code is `bytes` and begins at `start`, by address.
pub(super) fn sites(bytes: &[u8], start: u64, wanted: &Wanted<'_>) -> Vec<Site> {
    let mut instructions = Vec::new();
    let mut whole = true;
    decode(64, bytes, start, true, &mut |decoded| match decoded {
        Decoded::Instruction(instruction) => instructions.push(*instruction),
        Decoded::Unknown | Decoded::Cut(_) => whole = false,
    });
    let end = start.saturating_add(bytes.len() as u64);
    let function = Function { instructions: &instructions, start, end, wanted };
    let blocks = if whole { function.blocks() } else { None };
    blocks.and_then(|blocks| function.walk(&blocks)).unwrap_or_else(|| function.unknown())
}

/// A run of instructions that is only entered at its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    first: usize,
    end: usize,
    /// Whether it is also entered from where nothing is known.
    open: bool,
}

struct Function<'a> {
    instructions: &'a [Instruction],
    start: u64,
    end: u64,
    wanted: &'a Wanted<'a>,
}

impl Function<'_> {
    /// The blocks, by address; `None` where a branch leads into the middle of an instruction, or to a place that is not told.
    fn blocks(&self) -> Option<Vec<Block>> {
        let mut heads: BTreeMap<usize, bool> = BTreeMap::from([(0, false)]);
        let mut jumps_by_table = 0;
        for (number, instruction) in self.instructions.iter().enumerate() {
            if let Some(target) = self.branch_within(instruction) {
                heads.entry(self.at(target)?).or_insert(false);
            }
            if ends_block(instruction) || self.never_returns(instruction) {
                heads.entry(number + 1).or_insert(false);
            }
            jumps_by_table += usize::from(self.is_by_table(number, instruction));
        }
        let from = self.wanted.entered.partition_point(|address| *address <= self.start);
        let entered = self.wanted.entered.get(from..).unwrap_or_default();
        for address in entered.iter().take_while(|address| **address < self.end) {
            heads.insert(self.at(*address)?, true);
        }
        if jumps_by_table > 0 {
            let mut tables = 0;
            for instruction in self.instructions {
                let targets = self.table(instruction);
                tables += usize::from(!targets.is_empty());
                for target in targets {
                    heads.insert(self.at(target)?, true);
                }
            }
            if tables < jumps_by_table {
                return None;
            }
        }
        heads.retain(|head, _| *head < self.instructions.len());
        let firsts: Vec<(usize, bool)> = heads.into_iter().collect();
        let ends = firsts.iter().skip(1).map(|(first, _)| *first).chain([self.instructions.len()]);
        Some(firsts.iter().zip(ends).map(|((first, open), end)| Block { first: *first, end, open: *open }).collect())
    }

    /// Walks `blocks` until nothing changes; `None` where that takes too long.
    fn walk(&self, blocks: &[Block]) -> Option<Vec<Site>> {
        let mut follower = Follower::new(&self.wanted.loads);
        let mut budget = blocks.len().saturating_mul(MOST_WALKS);
        // Once an address of the frame turns out to be given away, all that was thought before is thought anew.
        let states = loop {
            let shared = follower.shared;
            let states = self.settle(blocks, &mut follower, &mut budget)?;
            if follower.shared == shared {
                break states;
            }
        };
        let mut found = Vec::new();
        for (block, state) in blocks.iter().zip(states) {
            let mut state = state?;
            for instruction in self.instructions.get(block.first..block.end)? {
                if let Some(target) = self.called(&follower, &state, instruction) {
                    found.push(Site { address: instruction.ip(), target, arguments: state.arguments() });
                }
                follower.step(&mut state, instruction);
            }
        }
        Some(found)
    }

    fn settle(&self, blocks: &[Block], follower: &mut Follower<'_>, budget: &mut usize) -> Option<Vec<Option<State>>> {
        let mut states: Vec<Option<State>> = blocks.iter().map(|block| block.open.then(State::unknown)).collect();
        if let Some(first) = states.first_mut() {
            *first = Some(State::entry());
        }
        let mut open: Vec<usize> =
            (0..blocks.len()).filter(|number| states.get(*number).is_some_and(Option::is_some)).collect();
        let mut unreached = 0;
        loop {
            while let Some(number) = open.pop() {
                *budget = budget.checked_sub(1)?;
                let (block, mut state) = (blocks.get(number)?, states.get(number)?.clone()?);
                for instruction in self.instructions.get(block.first..block.end)? {
                    follower.step(&mut state, instruction);
                    if let Some(target) = self.branch_within(instruction) {
                        let target = self.at(target)?;
                        let target = blocks.binary_search_by_key(&target, |block| block.first).ok()?;
                        reach(&mut states, target, &state, &mut open);
                    }
                }
                let last = self.instructions.get(block.end.checked_sub(1)?)?;
                if falls_through(last) && !self.never_returns(last) && number + 1 < blocks.len() {
                    reach(&mut states, number + 1, &state, &mut open);
                }
            }
            let Some(next) = states.iter().skip(unreached).position(Option::is_none) else { return Some(states) };
            unreached += next;
            *states.get_mut(unreached)? = Some(State::unknown());
            open.push(unreached);
        }
    }

    /// The wanted function that `instruction` calls, or jumps to in place of a call.
    fn called(&self, follower: &Follower<'_>, state: &State, instruction: &Instruction) -> Option<usize> {
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                let target = near_target(instruction)?;
                self.wanted.functions.get(&target).copied().filter(|_| !self.is_own(target, instruction))
            }
            FlowControl::IndirectCall | FlowControl::IndirectBranch => match follower.operand(state, instruction, 0) {
                Value::Symbol(symbol) => Some(symbol),
                Value::Constant(address) => self.wanted.functions.get(&address).copied(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a jump to `target` stays in the function, and is no call.
    fn is_own(&self, target: u64, instruction: &Instruction) -> bool {
        instruction.flow_control() != FlowControl::Call && (self.start..self.end).contains(&target)
    }

    /// The calls of wanted functions that can be seen without knowing what any register holds.
    fn unknown(&self) -> Vec<Site> {
        let (follower, state) = (Follower::new(&self.wanted.loads), State::unknown());
        let site = |instruction: &Instruction| {
            let target = self.called(&follower, &state, instruction)?;
            Some(Site { address: instruction.ip(), target, arguments: [Value::Unknown; 6] })
        };
        self.instructions.iter().filter_map(site).collect()
    }

    fn never_returns(&self, instruction: &Instruction) -> bool {
        let target = near_target(instruction).and_then(|target| self.wanted.functions.get(&target).copied());
        let slot = || {
            let address = instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())?;
            self.wanted.loads.slots.get(&address).copied()
        };
        matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
            && target.or_else(slot).is_some_and(|target| self.wanted.endless.contains(&target))
    }

    /// Where `instruction` branches to within the function.
    fn branch_within(&self, instruction: &Instruction) -> Option<u64> {
        let jumps = matches!(
            instruction.flow_control(),
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend
        );
        near_target(instruction).filter(|target| jumps && (self.start..self.end).contains(target))
    }

    /// Whether `instruction`, number `number`, jumps to where a table says. A jump to what a register holds is a call at the
    /// function's end, unless an entry of a table was read shortly before.
    fn is_by_table(&self, number: usize, instruction: &Instruction) -> bool {
        if instruction.code() != X86::Jmp_rm64 {
            return false;
        }
        let before = self.instructions.get(number.saturating_sub(FAR)..number).unwrap_or_default();
        let by_register = instruction.op0_kind() == OpKind::Register && before.iter().any(is_indexed);
        by_register || (instruction.op0_kind() == OpKind::Memory && instruction.memory_index() != Register::None)
    }

    /// The number of the instruction at `address`.
    fn at(&self, address: u64) -> Option<usize> {
        self.instructions.binary_search_by_key(&address, Instruction::ip).ok()
    }

    /// The places in this function that a table lists to which `instruction` refers: four bytes each from the table's own
    /// address, or the whole addresses.
    fn table(&self, instruction: &Instruction) -> Vec<u64> {
        let (address, width) = if instruction.code() == X86::Lea_r64_m && instruction.is_ip_rel_memory_operand() {
            (instruction.ip_rel_memory_address(), 4)
        } else if instruction.code() == X86::Jmp_rm64
            && instruction.memory_index() != Register::None
            && instruction.memory_base() == Register::None
        {
            (instruction.memory_displacement64(), 8)
        } else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for number in 0..MOST_ENTRIES {
            let Some(bytes) = (self.wanted.read)(address.saturating_add(number * width), width) else { break };
            let target = match (<[u8; 4]>::try_from(bytes.as_slice()), <[u8; 8]>::try_from(bytes.as_slice())) {
                (Ok(offset), _) => address.wrapping_add_signed(i64::from(i32::from_le_bytes(offset))),
                (_, Ok(target)) => u64::from_le_bytes(target),
                _ => break,
            };
            let own = (self.start..self.end).contains(&target);
            if !(self.wanted.is_code)(target) || (own && self.at(target).is_none()) {
                break;
            }
            // Rarely used branches may lie in another part, which is a function of its own for the file.
            if own {
                found.push(target);
            }
        }
        found
    }
}

fn reach(states: &mut [Option<State>], number: usize, state: &State, open: &mut Vec<usize>) {
    let Some(known) = states.get_mut(number) else { return };
    let changed = match known {
        None => {
            *known = Some(state.clone());
            true
        }
        Some(known) => {
            let before = known.clone();
            known.meet(state);
            *known != before
        }
    };
    if changed && !open.contains(&number) {
        open.push(number);
    }
}

fn near_target(instruction: &Instruction) -> Option<u64> {
    (instruction.op0_kind() == OpKind::NearBranch64).then(|| instruction.near_branch64())
}

/// Whether `instruction` reads what an index chooses.
fn is_indexed(instruction: &Instruction) -> bool {
    let reads = matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Add);
    reads
        && instruction.op1_kind() == OpKind::Memory
        && instruction.memory_index() != Register::None
        && instruction.memory_index_scale() >= 4
}

fn ends_block(instruction: &Instruction) -> bool {
    !matches!(
        instruction.flow_control(),
        FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall | FlowControl::XbeginXabortXend
    )
}

fn falls_through(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Next
            | FlowControl::Call
            | FlowControl::IndirectCall
            | FlowControl::ConditionalBranch
            | FlowControl::XbeginXabortXend
            | FlowControl::Interrupt
    )
}
