//! ELF structures as bytes, in the file's class and byte order (gABI chapters 4 and 5).

use crate::engine::binary::elf::{Section, Segment, Tables};

/// Writes structures for files like one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encode {
    is_64: bool,
    is_big: bool,
}

impl Encode {
    /// For files like the one with `tables`.
    pub fn like(tables: &Tables) -> Self {
        Self { is_64: tables.is_64, is_big: tables.is_big }
    }

    /// A 16-bit number.
    pub fn half(self, value: u16) -> Vec<u8> {
        if self.is_big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    /// A 32-bit number.
    pub fn word(self, value: u32) -> Vec<u8> {
        if self.is_big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    /// An address, offset or size; in a 32-bit file its low half.
    pub fn address(self, value: u64) -> Vec<u8> {
        match (self.is_64, self.is_big) {
            (true, true) => value.to_be_bytes().to_vec(),
            (true, false) => value.to_le_bytes().to_vec(),
            (false, _) => self.word(value as u32),
        }
    }

    /// A dynamic entry.
    pub fn dynamic(self, tag: u64, value: u64) -> Vec<u8> {
        [self.address(tag), self.address(value)].concat()
    }

    /// A program header.
    pub fn segment(self, segment: &Segment) -> Vec<u8> {
        let places = [segment.p_offset, segment.p_vaddr, segment.p_paddr, segment.p_filesz, segment.p_memsz];
        let places = places.map(|place| self.address(place)).concat();
        let (kind, flags) = (self.word(segment.p_type), self.word(segment.p_flags));
        let align = self.address(segment.p_align);
        if self.is_64 { [kind, flags, places, align].concat() } else { [kind, places, flags, align].concat() }
    }

    /// A section header.
    pub fn section(self, section: &Section) -> Vec<u8> {
        let places = [section.sh_flags, section.sh_addr, section.sh_offset, section.sh_size];
        [
            self.word(section.sh_name as u32),
            self.word(section.sh_type),
            places.map(|place| self.address(place)).concat(),
            self.word(section.sh_link),
            self.word(section.sh_info),
            self.address(section.sh_addralign),
            self.address(section.sh_entsize),
        ]
        .concat()
    }
}
