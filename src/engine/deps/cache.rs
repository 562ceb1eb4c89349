//! glibc's `ld.so.cache`: which file stands for a library name (glibc `sysdeps/generic/dl-cache.h`, `elf/dl-cache.c`).
//!
//! The new format, alone or behind the old one's prefix; both byte orders; plain entries and glibc-hwcaps ones. A damaged
//! cache yields the entries that can be read, as ld.so would ignore the rest. Whether the files are there is for others.

use crate::engine::file::{ReadAt, Windows};
use crate::engine::{Error, Result};
use std::path::{Path, PathBuf};

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;
/// A cache larger than this is not one: a hundred thousand libraries take a tenth of it.
const LARGEST: u64 = 64 << 20;
/// A longer text is no path (`PATH_MAX`).
const LONGEST: usize = 4096;

const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const EXTENSION_HWCAPS: u32 = 1;
/// An entry's `hwcap` says, with this in its upper half, that the lower half is an index of the hwcaps extension.
const HWCAP_IS_EXTENSION: u64 = 1 << 30;
/// The bits beside it that tell the ISA level of the file (`DL_CACHE_HWCAP_ISA_LEVEL_MASK`).
const ISA_LEVEL: u64 = (1 << 10) - 1;
/// Flags of a library that fits any ELF loader (`FLAG_ELF`).
const FLAG_ELF: u32 = 1;

/// One entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// What kind of library: libc and machine (`FLAG_*`).
    pub flags: u32,
    /// The file.
    pub path: PathBuf,
    /// The glibc-hwcaps subdirectory that it lies in, if one.
    pub hwcaps: Option<String>,
    /// The legacy hardware capabilities that it asks for, a bit each; 0 for none. glibc 2.37 takes no entry that asks for any.
    pub legacy: u64,
    /// The ISA level that a glibc-hwcaps entry's file needs, as x86 counts them: 0 is the baseline, 1 is `x86-64-v2`.
    pub isa_level: u32,
}

/// The cache: its bytes, and where each name stands in them. A load asks for a few names of many, so that an entry is made
/// when it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoaderCache {
    /// From the new header on.
    bytes: Vec<u8>,
    big_endian: bool,
    levels: Vec<String>,
    /// The hash of each entry's name, with the entry's offset; sorted.
    places: Vec<(u64, usize)>,
}

impl LoaderCache {
    /// Reads the cache `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be read, [`Error::Malformed`] when it is no cache of the new format.
    pub fn read(path: &Path) -> Result<Self> {
        let windows = Windows::open(path)?;
        if windows.size() > LARGEST {
            return Err(Error::malformed(path, 0, format!("a cache of at most {LARGEST} bytes")));
        }
        let bytes = windows.bytes(0, windows.size())?;
        Self::parse(&bytes).ok_or_else(|| Error::malformed(path, 0, "a cache of the format glibc-ld.so.cache1.1"))
    }

    /// Parses `bytes`; `None` when they hold no cache of the new format.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(start_of_new(bytes)?..)?;
        let count_little = number(bytes, 20, false)?;
        // Byte 28 says the byte order since glibc 2.33: 2 little, 3 big; 0 in older caches, written by the same machine.
        let big = match bytes.get(28)? & 3 {
            2 => false,
            3 => true,
            _ => u64::from(count_little) * NEW_ENTRY as u64 > bytes.len() as u64,
        };
        let count = number(bytes, 20, big)? as usize;
        let levels = hwcaps_levels(bytes, big).unwrap_or_default();
        let offsets = (0..count.min(bytes.len() / NEW_ENTRY)).map(|index| NEW_HEADER + index * NEW_ENTRY);
        let mut places: Vec<(u64, usize)> =
            offsets.filter_map(|at| Some((hash(name_at(bytes, at, big)?), at))).collect();
        places.sort_unstable();
        Some(Self { bytes: bytes.to_vec(), big_endian: big, levels, places })
    }

    /// The entries of `name`, in the cache's order.
    fn entries_of(&self, name: &[u8]) -> impl Iterator<Item = CacheEntry> {
        let wanted = hash(name);
        let start = self.places.partition_point(|(hash, _)| *hash < wanted);
        let places = self.places.iter().skip(start).take_while(move |(hash, _)| *hash == wanted);
        let entries = places.filter_map(|(_, at)| read_entry(&self.bytes, *at, self.big_endian, &self.levels));
        entries.filter(move |(other, _)| *other == name).map(|(_, entry)| entry)
    }

    /// The entry that a loader of glibc 2.37 or later takes for `name`: of the fitting `flags`, the one of the best of `hwcaps`
    /// (best first), else the first that asks for none.
    #[must_use]
    pub fn lookup(&self, name: &[u8], flags: u32, hwcaps: &[String]) -> Option<CacheEntry> {
        self.lookup_by_legacy(name, flags, hwcaps, 0)
    }

    /// The same of an older loader, which also takes an entry that asks for no other legacy capabilities than `legacy`
    /// (`search_cache`).
    #[must_use]
    pub fn lookup_by_legacy(&self, name: &[u8], flags: u32, hwcaps: &[String], legacy: u64) -> Option<CacheEntry> {
        let fitting = || self.entries_of(name).filter(|entry| entry.flags == flags || entry.flags == FLAG_ELF);
        // Each level can do what those behind it can, and the baseline besides.
        let able = |entry: &CacheEntry| entry.isa_level as usize <= hwcaps.len();
        let of_level = |level| fitting().filter(able).find(|entry| entry.hwcaps.as_ref() == Some(level));
        let best = hwcaps.iter().find_map(of_level);
        best.or_else(|| fitting().find(|entry| entry.hwcaps.is_none() && entry.legacy & !legacy == 0))
    }

    /// All entries, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], CacheEntry)> {
        let read = |(_, at): &(u64, usize)| {
            let (name, entry) = read_entry(&self.bytes, *at, self.big_endian, &self.levels)?;
            Some((name, *at, entry))
        };
        let mut entries: Vec<_> = self.places.iter().filter_map(read).collect();
        entries.sort_by_key(|(name, at, _)| (*name, *at));
        entries.into_iter().map(|(name, _, entry)| (name, entry))
    }
}

/// Where the new format begins: at the front, or behind the old format's entries, aligned to 8.
fn start_of_new(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(NEW_MAGIC) {
        return Some(0);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return None;
    }
    [false, true].into_iter().find_map(|big| {
        let count = number(bytes, 12, big)? as usize;
        let end = count.checked_mul(OLD_ENTRY)?.checked_add(OLD_HEADER)?.checked_next_multiple_of(8)?;
        bytes.get(end..)?.starts_with(NEW_MAGIC).then_some(end)
    })
}

fn read_entry<'a>(bytes: &'a [u8], at: usize, big: bool, levels: &[String]) -> Option<(&'a [u8], CacheEntry)> {
    let flags = number(bytes, at, big)?;
    let name = name_at(bytes, at, big)?;
    let path = text(bytes, number(bytes, at + 8, big)? as usize)?;
    let (first, second) = (u64::from(number(bytes, at + 16, big)?), u64::from(number(bytes, at + 20, big)?));
    let (high, low) = if big { (first, second) } else { (second, first) };
    let path = super::tokens::as_path(path).to_path_buf();
    let plain = CacheEntry { flags, path, hwcaps: None, legacy: 0, isa_level: 0 };
    let entry = if high & !ISA_LEVEL == HWCAP_IS_EXTENSION {
        CacheEntry { hwcaps: Some(levels.get(low as usize)?.clone()), isa_level: (high & ISA_LEVEL) as u32, ..plain }
    } else {
        CacheEntry { legacy: high << 32 | low, ..plain }
    };
    Some((name, entry))
}

/// The name of the entry at `at`.
fn name_at(bytes: &[u8], at: usize, big: bool) -> Option<&[u8]> {
    text(bytes, number(bytes, at + 4, big)? as usize)
}

/// FNV-1a: a name that collides with another costs a comparison.
fn hash(name: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    name.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The names of the glibc-hwcaps subdirectories, in the order in which entries refer to them.
fn hwcaps_levels(bytes: &[u8], big: bool) -> Option<Vec<String>> {
    let extension = number(bytes, 32, big)? as usize;
    if extension == 0 || number(bytes, extension, big)? != EXTENSION_MAGIC {
        return None;
    }
    let sections = number(bytes, extension.checked_add(4)?, big)? as usize;
    (0..sections.min(64)).find_map(|index| {
        let at = extension + 8 + index * 16;
        if number(bytes, at, big)? != EXTENSION_HWCAPS {
            return None;
        }
        let offset = number(bytes, at + 8, big)? as usize;
        let count = number(bytes, at + 12, big)? as usize / 4;
        (0..count.min(1024))
            .map(|entry| {
                let name = text(bytes, number(bytes, offset.checked_add(entry * 4)?, big)? as usize)?;
                Some(String::from_utf8_lossy(name).into_owned())
            })
            .collect()
    })
}

/// The 32-bit number at `at`.
fn number(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let field: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) })
}

/// The text at `at`, without its terminating NUL. Bounded, since many entries of a damaged cache may name one text.
fn text(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    rest.get(..memchr::memchr(0, rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86_64: u32 = 0x0303;

    /// A cache with `libz.so.1` twice (plain, and of level v3), `libold.so` with legacy capabilities, `lib32.so` of another
    /// kind, and `libisa.so` for level v2 that needs v3. Texts are named by their offset from the new header, as ldconfig writes them.
    fn sample(big: bool) -> Vec<u8> {
        let entries: &[(u32, &str, &str, (u32, u32))] = &[
            (X86_64, "libz.so.1", "/v3/libz.so.1", (1 << 30, 0)),
            (X86_64, "libz.so.1", "/plain/libz.so.1", (0, 0)),
            (X86_64, "libold.so", "/old/libold.so", (0, 4)),
            (3, "lib32.so", "/32/lib32.so", (0, 0)),
            (X86_64, "libisa.so", "/v2/libisa.so", ((1 << 30) | 2, 1)),
            (X86_64, "libisa.so", "/plain/libisa.so", (0, 0)),
        ];
        let number = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut texts = Vec::new();
        let start = NEW_HEADER + entries.len() * NEW_ENTRY;
        let mut add = |text: &str| {
            let at = start + texts.len();
            texts.extend_from_slice(text.as_bytes());
            texts.push(0);
            number(at as u32)
        };
        let mut body = Vec::new();
        for (flags, name, path, (high, low)) in entries {
            let (first, second) = if big { (high, low) } else { (low, high) };
            for field in [number(*flags), add(name), add(path), number(0), number(*first), number(*second)] {
                body.extend_from_slice(&field);
            }
        }
        let levels = [add("x86-64-v3"), add("x86-64-v2")];
        while !texts.len().is_multiple_of(4) {
            texts.push(0);
        }
        let extension = (start + texts.len()) as u32;
        let mut bytes = NEW_MAGIC.to_vec();
        bytes.extend_from_slice(&number(entries.len() as u32));
        bytes.extend_from_slice(&number(texts.len() as u32));
        bytes.extend_from_slice(&[if big { 3 } else { 2 }, 0, 0, 0]);
        bytes.extend_from_slice(&number(extension));
        bytes.resize(NEW_HEADER, 0);
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&texts);
        for field in [EXTENSION_MAGIC, 1, EXTENSION_HWCAPS, 0, extension + 24, 8] {
            bytes.extend_from_slice(&number(field));
        }
        levels.iter().for_each(|level| bytes.extend_from_slice(level));
        bytes
    }

    fn path(cache: &LoaderCache, name: &str, levels: &[&str]) -> Option<String> {
        let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
        cache.lookup(name.as_bytes(), X86_64, &levels).map(|entry| entry.path.display().to_string())
    }

    #[test]
    fn both_byte_orders_and_the_old_prefix_are_read() {
        let little = sample(false);
        let mut prefixed = OLD_MAGIC.to_vec();
        prefixed.extend_from_slice(&1u32.to_le_bytes());
        prefixed.resize((OLD_HEADER + OLD_ENTRY).next_multiple_of(8), 0);
        prefixed.extend_from_slice(&little);
        for bytes in [little, sample(true), prefixed] {
            let cache = LoaderCache::parse(&bytes).unwrap();
            assert_eq!(path(&cache, "libz.so.1", &[]).as_deref(), Some("/plain/libz.so.1"));
            assert_eq!(path(&cache, "libz.so.1", &["x86-64-v4", "x86-64-v3"]).as_deref(), Some("/v3/libz.so.1"));
            assert_eq!(path(&cache, "libz.so.1", &["x86-64-v2"]).as_deref(), Some("/plain/libz.so.1"));
            assert_eq!(path(&cache, "libold.so", &[]), None, "capabilities that are not there");
            assert!(cache.lookup_by_legacy(b"libold.so", X86_64, &[], 6).is_some(), "capabilities that are there");
            assert!(cache.lookup_by_legacy(b"libold.so", X86_64, &[], 2).is_none(), "others that are there");
            let needs_v3 = cache.lookup(b"libisa.so", X86_64, &["x86-64-v2".into()]);
            assert_eq!(needs_v3.map(|entry| entry.path), Some(PathBuf::from("/plain/libisa.so")), "ISA level");
            assert_eq!(path(&cache, "libisa.so", &["x86-64-v3", "x86-64-v2"]).as_deref(), Some("/v2/libisa.so"));
            assert_eq!(path(&cache, "lib32.so", &[]), None, "another kind");
            assert_eq!(cache.entries().count(), 6);
        }
    }

    #[test]
    fn a_damaged_cache_never_panics_nor_invents_entries() {
        let whole = sample(false);
        for length in 0..whole.len() {
            let cache = LoaderCache::parse(&whole[..length]);
            assert!(cache.is_none_or(|cache| cache.entries().count() <= 6));
        }
        for at in 0..whole.len() {
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let cache = LoaderCache::parse(&bytes);
                assert!(cache.is_none_or(|cache| cache.entries().count() <= bytes.len() / NEW_ENTRY), "{at} {value}");
            }
        }
        assert_eq!(LoaderCache::parse(b""), None);
        assert_eq!(LoaderCache::parse(OLD_MAGIC), None);
        assert_eq!(LoaderCache::parse(NEW_MAGIC), None);
    }
}
