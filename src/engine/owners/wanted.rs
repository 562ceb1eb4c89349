//! The files that are looked for, so that every line of a database is compared with all of them at once.
//!
//! A line is told apart by its last component first: only where that fits is the directory resolved.

use super::place::{Place, Root};
use std::collections::HashMap;
use std::path::Path;

/// The places that are looked for, by number.
pub(super) struct Wanted<'a> {
    root: &'a Root,
    places: Vec<&'a Place>,
    by_base: HashMap<&'a [u8], Vec<usize>>,
    /// Which lengths of a last component occur, modulo 64, and which last bytes: most lines end here.
    lengths: u64,
    ends: [bool; 256],
}

impl<'a> Wanted<'a> {
    pub(super) fn new(root: &'a Root, places: Vec<&'a Place>) -> Self {
        let mut wanted = Self { root, places, by_base: HashMap::new(), lengths: 0, ends: [false; 256] };
        for (number, place) in wanted.places.iter().enumerate() {
            let base = place.base.as_slice();
            wanted.by_base.entry(base).or_default().push(number);
            wanted.lengths |= 1 << (base.len() % 64);
            if let Some(end) = base.last().and_then(|&byte| wanted.ends.get_mut(usize::from(byte))) {
                *end = true;
            }
        }
        wanted
    }

    /// The numbers of the places with the last component `base`.
    pub(super) fn named(&self, base: &[u8]) -> &[usize] {
        let end = base.last().and_then(|&byte| self.ends.get(usize::from(byte)));
        if end != Some(&true) || self.lengths & (1 << (base.len() % 64)) == 0 {
            return &[];
        }
        self.by_base.get(base).map_or(&[], Vec::as_slice)
    }

    /// Calls `hit` with the number of every place that the path `directory`/`base` of a database means. `directory` is
    /// asked for only where `base` fits.
    pub(super) fn met<D: AsRef<[u8]>>(&self, base: &[u8], directory: impl Fn() -> D, mut hit: impl FnMut(usize)) {
        for &number in self.named(base) {
            let here = |place: &&Place| self.root.is(directory().as_ref(), &place.directory);
            if self.places.get(number).is_some_and(here) {
                hit(number);
            }
        }
    }

    /// As [`Wanted::met`], for a path that is one piece: absolute, or relative to `site`.
    pub(super) fn met_path(&self, site: Option<&Path>, path: &[u8], hit: impl FnMut(usize)) {
        let slash = memchr::memrchr(b'/', path);
        let base = slash.and_then(|at| path.get(at + 1..)).unwrap_or(path);
        let directory = slash.and_then(|at| path.get(..at)).unwrap_or_default();
        self.met(base, || from(site.filter(|_| path.first() != Some(&b'/')), directory), hit);
    }
}

/// `directory` as seen from `site`.
fn from(site: Option<&Path>, directory: &[u8]) -> Vec<u8> {
    let mut bytes = site.map(|site| site.as_os_str().as_encoded_bytes().to_vec()).unwrap_or_default();
    if site.is_some() {
        bytes.push(b'/');
    }
    bytes.extend_from_slice(directory);
    bytes
}
