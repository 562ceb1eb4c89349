//! What registers and the stack hold while a function runs, as far as its own instructions say: constants, and the
//! function's own arguments (x86-64, System V calling convention).
//!
//! Whatever is not known for sure is unknown.

use iced_x86::{
    Code as X86, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, UsedMemory, UsedRegister,
};
use std::collections::BTreeMap;

/// The registers of the first six arguments, in their order.
const ARGUMENTS: [Register; 6] =
    [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::R8, Register::R9];
/// What a called function keeps as it was.
const KEPT: [Register; 7] =
    [Register::RBX, Register::RBP, Register::RSP, Register::R12, Register::R13, Register::R14, Register::R15];
/// Of more slots than this of a function's frame, no more are followed.
const MOST_SLOTS: usize = 256;

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Value {
    /// Nothing.
    #[default]
    Unknown,
    /// This number, or this address while the file is loaded at 0.
    Constant(u64),
    /// The function's own argument of this number, from 0.
    Argument(u8),
    /// An address in the function's frame, from what the stack pointer was at its entry.
    Frame(i64),
    /// The address of the wanted symbol of this number.
    Symbol(usize),
}

/// What is known at one place of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    registers: [Value; 16],
    /// Eight bytes each, by their place in the frame.
    slots: BTreeMap<i64, Value>,
}

/// What values can be loaded from.
pub(super) struct Loads<'a> {
    /// GOT slots, with the number of the symbol whose address they hold.
    pub(super) slots: &'a BTreeMap<u64, usize>,
    /// Pointers that nothing changes once the file is loaded, with the address that they hold.
    pub(super) pointers: &'a BTreeMap<u64, u64>,
}

/// Follows values from instruction to instruction.
pub(super) struct Follower<'a> {
    loads: &'a Loads<'a>,
    info: InstructionInfoFactory,
    /// From this place of the frame on, others may write: an address of it was given away.
    pub(super) shared: i64,
}

impl State {
    /// What is known where a function is entered.
    pub(super) fn entry() -> Self {
        let mut state = Self::unknown();
        for (number, register) in (0..).zip(ARGUMENTS) {
            state.set(register, Value::Argument(number));
        }
        state.set(Register::RSP, Value::Frame(0));
        state
    }

    /// Nothing.
    pub(super) fn unknown() -> Self {
        Self { registers: [Value::Unknown; 16], slots: BTreeMap::new() }
    }

    /// What is known in both.
    pub(super) fn meet(&mut self, other: &Self) {
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            if mine != theirs {
                *mine = Value::Unknown;
            }
        }
        self.slots.retain(|place, value| other.slots.get(place) == Some(value));
    }

    /// The first six arguments of a call made here.
    pub(super) fn arguments(&self) -> [Value; 6] {
        ARGUMENTS.map(|register| self.get(register))
    }

    /// What `register` holds; unknown for one that is no general register.
    pub(super) fn get(&self, register: Register) -> Value {
        index(register).and_then(|index| self.registers.get(index)).copied().unwrap_or_default()
    }

    fn set(&mut self, register: Register, value: Value) {
        if let Some(place) = index(register).and_then(|index| self.registers.get_mut(index)) {
            *place = value;
        }
    }

    /// Forgets what a called function may change.
    fn called(&mut self) {
        if let Value::Frame(top) = self.get(Register::RSP) {
            self.slots.retain(|place, _| *place >= top);
        }
        let kept = KEPT.map(|register| (register, self.get(register)));
        self.registers = [Value::Unknown; 16];
        for (register, value) in kept {
            self.set(register, value);
        }
    }
}

fn index(register: Register) -> Option<usize> {
    let full = register.full_register();
    full.is_gpr64().then(|| full.number())
}

impl<'a> Follower<'a> {
    pub(super) fn new(loads: &'a Loads<'a>) -> Self {
        Self { loads, info: InstructionInfoFactory::new(), shared: i64::MAX }
    }

    /// What the operand number `number` of `instruction` holds, eight bytes of it.
    pub(super) fn operand(&self, state: &State, instruction: &Instruction, number: u32) -> Value {
        match instruction.op_kind(number) {
            OpKind::Register => {
                let register = instruction.op_register(number);
                let value = state.get(register);
                match (register.size(), value) {
                    (8, _) => value,
                    (4, Value::Constant(value)) => Value::Constant(value & 0xffff_ffff),
                    _ => Value::Unknown,
                }
            }
            OpKind::Immediate32 if instruction.code() == X86::Mov_r32_imm32 => {
                Value::Constant(u64::from(instruction.immediate32()))
            }
            OpKind::Immediate8to64 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                instruction.try_immediate(number).map_or(Value::Unknown, Value::Constant)
            }
            OpKind::Memory if instruction.memory_size().size() == 8 => self.loaded(state, instruction),
            _ => Value::Unknown,
        }
    }

    fn loaded(&self, state: &State, instruction: &Instruction) -> Value {
        if instruction.segment_prefix() != Register::None {
            return Value::Unknown;
        }
        if instruction.is_ip_rel_memory_operand() {
            let address = instruction.ip_rel_memory_address();
            let symbol = self.loads.slots.get(&address).map(|symbol| Value::Symbol(*symbol));
            let pointer = || self.loads.pointers.get(&address).map(|to| Value::Constant(*to));
            return symbol.or_else(pointer).unwrap_or_default();
        }
        match in_frame(state, instruction) {
            Some(place) if place < self.shared => state.slots.get(&place).copied().unwrap_or_default(),
            _ => Value::Unknown,
        }
    }

    /// What `instruction` makes of `state`. Calls forget what a called function may change.
    pub(super) fn step(&mut self, state: &mut State, instruction: &Instruction) {
        let result = self.result(state, instruction);
        let before = state.get(Register::RSP);
        match instruction.mnemonic() {
            Mnemonic::Call => return state.called(),
            // Nothing of this function follows.
            Mnemonic::Ret => return,
            Mnemonic::Push if instruction.stack_pointer_increment() == -8 => {
                let value = self.operand(state, instruction, 0);
                self.give_away(value);
                return self.push(state, before, value);
            }
            Mnemonic::Pop if instruction.stack_pointer_increment() == 8 => {
                let Value::Frame(place) = before else { return self.lose(state) };
                let value = state.slots.get(&place).copied().filter(|_| place < self.shared).unwrap_or_default();
                state.set(Register::RSP, Value::Frame(place.saturating_add(8)));
                if instruction.op0_kind() == OpKind::Register {
                    state.set(instruction.op0_register(), value);
                }
                return;
            }
            Mnemonic::Leave => {
                let Value::Frame(place) = state.get(Register::RBP) else { return self.lose(state) };
                let value = state.slots.get(&place).copied().filter(|_| place < self.shared).unwrap_or_default();
                state.set(Register::RSP, Value::Frame(place.saturating_add(8)));
                return state.set(Register::RBP, value);
            }
            _ => {}
        }
        self.forget_written(state, instruction);
        if let Some((register, value)) = result {
            if !matches!(register, Register::RSP | Register::RBP) {
                self.give_away(value);
            }
            state.set(register, value);
        } else if instruction.mnemonic() == Mnemonic::Mov
            && instruction.op0_kind() == OpKind::Memory
            && instruction.memory_size().size() == 8
        {
            let value = self.operand(state, instruction, 1);
            self.give_away(value);
            if let Some(place) = in_frame(state, instruction).filter(|_| state.slots.len() < MOST_SLOTS) {
                state.slots.insert(place, value);
            }
        }
        if before != Value::Unknown && state.get(Register::RSP) == Value::Unknown {
            self.lose(state);
        }
    }

    /// The register that `instruction` gives a value that is known, and the value.
    fn result(&self, state: &State, instruction: &Instruction) -> Option<(Register, Value)> {
        if instruction.op0_kind() != OpKind::Register {
            return None;
        }
        let register = instruction.op0_register();
        let same = instruction.op_count() == 2
            && instruction.op1_kind() == OpKind::Register
            && instruction.op1_register() == register;
        let value = match instruction.mnemonic() {
            Mnemonic::Mov if register.size() >= 4 => self.operand(state, instruction, 1),
            Mnemonic::Lea if register.size() == 8 && instruction.is_ip_rel_memory_operand() => {
                Value::Constant(instruction.ip_rel_memory_address())
            }
            Mnemonic::Lea if register.size() == 8 => in_frame(state, instruction).map(Value::Frame)?,
            Mnemonic::Xor | Mnemonic::Sub if same && register.size() >= 4 => Value::Constant(0),
            Mnemonic::Add | Mnemonic::Sub => {
                let (Value::Frame(place), Value::Constant(by)) =
                    (self.operand(state, instruction, 0), self.operand(state, instruction, 1))
                else {
                    return None;
                };
                let by = if instruction.mnemonic() == Mnemonic::Add { by } else { by.wrapping_neg() };
                Value::Frame(place.wrapping_add(by as i64))
            }
            _ => return None,
        };
        Some((register, value))
    }

    fn push(&mut self, state: &mut State, before: Value, value: Value) {
        let Value::Frame(place) = before else { return self.lose(state) };
        let place = place.saturating_sub(8);
        state.slots.retain(|at, _| at.abs_diff(place) >= 8);
        state.set(Register::RSP, Value::Frame(place));
        if state.slots.len() < MOST_SLOTS {
            state.slots.insert(place, value);
        }
    }

    /// Forgets the registers and slots that `instruction` writes.
    fn forget_written(&mut self, state: &mut State, instruction: &Instruction) {
        let writes = |access| {
            matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
        };
        let info = self.info.info(instruction);
        let memory: Vec<UsedMemory> = info.used_memory().iter().filter(|used| writes(used.access())).copied().collect();
        let registers: Vec<UsedRegister> = info.used_registers().to_vec();
        for used in memory {
            let size = match used.memory_size().size() {
                0 => 64,
                size => size as i64,
            };
            match state.get(used.base()) {
                Value::Frame(place) if used.index() == Register::None => {
                    let place = place.wrapping_add(used.displacement() as i64);
                    state.slots.retain(|at, _| *at >= place.saturating_add(size) || at.saturating_add(8) <= place);
                }
                Value::Frame(_) => state.slots.clear(),
                // Others may write only where an address was given away, and those slots are not followed.
                _ => {}
            }
        }
        for used in registers.iter().filter(|used| writes(used.access())) {
            state.set(used.register(), Value::Unknown);
        }
    }

    /// Notes that `value` can be got at by others, where it is an address in the frame.
    fn give_away(&mut self, value: Value) {
        if let Value::Frame(place) = value {
            self.shared = self.shared.min(place);
        }
    }

    /// The stack pointer is lost, and with it all that is known of the frame.
    fn lose(&mut self, state: &mut State) {
        self.shared = i64::MIN;
        state.slots.clear();
        state.set(Register::RSP, Value::Unknown);
    }
}

/// The place in the frame that the memory operand of `instruction` names.
fn in_frame(state: &State, instruction: &Instruction) -> Option<i64> {
    if instruction.memory_index() != Register::None || instruction.segment_prefix() != Register::None {
        return None;
    }
    match state.get(instruction.memory_base()) {
        Value::Frame(place) => Some(place.wrapping_add(instruction.memory_displacement64() as i64)),
        _ => None,
    }
}
