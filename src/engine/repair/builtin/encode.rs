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

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::container::{Container, Ctx, Endian};
    use goblin::elf::dynamic::Dyn;
    use scroll::Pread;

    #[test]
    fn goblin_reads_what_is_written() {
        let segment = Segment {
            p_type: 1,
            p_flags: 5,
            p_offset: 0x1122_3344,
            p_vaddr: 0x2233_4455,
            p_paddr: 0x3344_5566,
            p_filesz: 0x4455_6677,
            p_memsz: 0x5566_7788,
            p_align: 0x1000,
        };
        let section = Section {
            sh_name: 7,
            sh_type: 3,
            sh_flags: 2,
            sh_addr: 0x1122_3344,
            sh_offset: 0x2233_4455,
            sh_size: 0x3344_5566,
            sh_link: 8,
            sh_info: 9,
            sh_addralign: 16,
            sh_entsize: 24,
        };
        for is_64 in [false, true] {
            for is_big in [false, true] {
                let encode = Encode { is_64, is_big };
                let container = if is_64 { Container::Big } else { Container::Little };
                let context = Ctx::new(container, if is_big { Endian::Big } else { Endian::Little });
                let bytes = encode.segment(&segment);
                assert_eq!(bytes.len(), Segment::size(context));
                assert_eq!(bytes.pread_with::<Segment>(0, context).unwrap(), segment);
                let bytes = encode.section(&section);
                assert_eq!(bytes.len(), Section::size(context));
                assert_eq!(bytes.pread_with::<Section>(0, context).unwrap(), section);
                let entry = encode.dynamic(15, 0x1234).pread_with::<Dyn>(0, context).unwrap();
                assert_eq!((entry.d_tag, entry.d_val), (15, 0x1234));
            }
        }
    }
}
