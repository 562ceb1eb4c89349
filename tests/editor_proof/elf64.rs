//! The bytes of a 64-bit little-endian ELF file, read and damaged by field; the offsets are those of gABI 4 and 5.

/// The bytes.
pub struct Elf64(pub Vec<u8>);

/// Fields of a program header, by their offset.
pub const P_TYPE: usize = 0;
pub const P_FLAGS: usize = 4;
pub const P_OFFSET: usize = 8;
pub const P_VADDR: usize = 16;
pub const P_FILESZ: usize = 32;
pub const P_MEMSZ: usize = 40;
/// Fields of a section header, by their offset.
pub const SH_ADDR: usize = 16;
pub const SH_OFFSET: usize = 24;
pub const SH_SIZE: usize = 32;

impl Elf64 {
    pub fn long(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    pub fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    pub fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap())
    }

    pub fn set_long(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    pub fn set_word(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Where the program headers of type `kind` stand.
    pub fn segments(&self, kind: u32) -> Vec<usize> {
        let (start, count) = (self.long(32) as usize, usize::from(self.half(56)));
        (0..count).map(|number| start + number * 56).filter(|&at| self.word(at + P_TYPE) == kind).collect()
    }

    /// Where the first program header of type `kind` stands.
    pub fn segment(&self, kind: u32) -> usize {
        self.segments(kind)[0]
    }

    /// Where the header of the section named `name` stands.
    pub fn section(&self, name: &str) -> usize {
        let (start, count) = (self.long(40) as usize, usize::from(self.half(60)));
        let at = |number: usize| start + number * 64;
        let names = self.long(at(usize::from(self.half(62))) + SH_OFFSET) as usize;
        let is_named = |at: &usize| {
            let from = names + self.word(*at) as usize;
            self.0[from..].starts_with(&[name.as_bytes(), b"\0"].concat())
        };
        (0..count).map(at).find(is_named).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Where the bytes of the section named `name` stand.
    pub fn bytes_of(&self, name: &str) -> usize {
        self.long(self.section(name) + SH_OFFSET) as usize
    }

    /// Where the first dynamic entry of `tag` stands.
    pub fn dynamic(&self, tag: u64) -> usize {
        self.find_dynamic(tag).unwrap_or_else(|| panic!("no dynamic entry {tag:#x}"))
    }

    /// The same, if there is one.
    pub fn find_dynamic(&self, tag: u64) -> Option<usize> {
        let segment = self.segment(2);
        let (start, length) = (self.long(segment + P_OFFSET) as usize, self.long(segment + P_FILESZ) as usize);
        (start..start + length).step_by(16).find(|&at| self.long(at) == tag)
    }

    /// The value of the first dynamic entry of `tag`.
    pub fn value(&self, tag: u64) -> u64 {
        self.long(self.dynamic(tag) + 8)
    }

    /// The file offset of `address`.
    pub fn offset_of(&self, address: u64) -> usize {
        let holds = |at: &usize| address.wrapping_sub(self.long(at + P_VADDR)) < self.long(at + P_FILESZ);
        let at = self.segments(1).into_iter().find(holds).unwrap();
        (address - self.long(at + P_VADDR) + self.long(at + P_OFFSET)) as usize
    }
}
