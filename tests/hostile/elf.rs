//! A writer of small ELF files (x86-64, little-endian): a header, program headers, strings and a dynamic section.

/// What a file says of itself.
#[derive(Debug, Clone, Default)]
pub struct Elf {
    pub needed: Vec<Vec<u8>>,
    pub soname: Option<Vec<u8>>,
    pub rpath: Option<Vec<u8>>,
    pub runpath: Option<Vec<u8>>,
    pub interpreter: Option<Vec<u8>>,
    /// Further dynamic entries, which may contradict those above.
    pub more: Vec<(u64, u64)>,
}

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// Where the strings begin.
pub const STRINGS: usize = HEADER + 3 * PROGRAM_HEADER;

impl Elf {
    pub fn needing<T: AsRef<[u8]>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { needed: names.into_iter().map(|name| name.as_ref().to_vec()).collect(), ..Self::default() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut add = |text: &[u8]| {
            let at = strings.len();
            strings.extend_from_slice(text);
            strings.push(0);
            at as u64
        };
        let mut dynamic: Vec<(u64, u64)> = self.needed.iter().map(|name| (1, add(name))).collect();
        for (tag, text) in [(14, &self.soname), (15, &self.rpath), (29, &self.runpath)] {
            dynamic.extend(text.iter().map(|text| (tag, add(text))));
        }
        let interpreter = self.interpreter.as_ref().map(|text| (add(text), text.len() as u64 + 1));
        let table = (STRINGS + strings.len()).next_multiple_of(8);
        dynamic.extend([(5, STRINGS as u64), (10, strings.len() as u64)]);
        dynamic.extend(&self.more);
        dynamic.push((0, 0));
        let size = (table + dynamic.len() * 16) as u64;

        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        for half in [3_u16, 62] {
            file.extend(half.to_le_bytes());
        }
        file.extend(1_u32.to_le_bytes());
        for word in [0_u64, HEADER as u64, 0] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0_u32.to_le_bytes());
        for half in [HEADER as u16, PROGRAM_HEADER as u16, 3, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let (at, length) = interpreter.unwrap_or((0, 0));
        let segments = [
            (1_u32, 0, size),
            (2, table as u64, size - table as u64),
            (if interpreter.is_some() { 3 } else { 0 }, STRINGS as u64 + at, length),
        ];
        for (kind, offset, length) in segments {
            file.extend(kind.to_le_bytes());
            file.extend(6_u32.to_le_bytes());
            for word in [offset, offset, offset, length, length, if kind == 1 { 0x1000 } else { 8 }] {
                file.extend(word.to_le_bytes());
            }
        }
        file.extend(&strings);
        file.resize(table, 0);
        for (tag, value) in dynamic {
            file.extend(tag.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file
    }
}
