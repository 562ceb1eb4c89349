//! Reading all code of a file with every processor at hand, chunk by chunk, while memory stays what a few windows take.

use super::functions::Functions;
use super::places::{Place, places};
use super::stretches::{Chunk, Stretch, Stretches, chunks};
use crate::engine::binary::Slice;
use crate::engine::binary::elf::Details;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Error, Result};
use goblin::elf::header::{ET_DYN, ET_EXEC};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Bytes that a thread reads at once.
const WINDOW: u64 = 1 << 20;
/// More threads than this gain nothing: the disk is the limit.
const MOST_THREADS: usize = 8;

/// The code of one file: where it lies, and its functions.
pub struct Code<'a> {
    /// The file.
    pub source: &'a dyn ReadAt,
    /// Its raw tables.
    pub details: &'a Details,
    /// Where its code lies.
    pub places: Vec<Place>,
    /// Its functions.
    pub functions: Functions,
}

impl<'a> Code<'a> {
    /// Finds the code of `slice`; `None` for what is no linked ELF file.
    ///
    /// # Errors
    /// [`Error::Malformed`] when its tables lead out of the file, [`Error::Io`], [`Error::Cancelled`].
    pub fn find(slice: &'a Slice, source: &'a dyn ReadAt, context: &Context) -> Result<Option<Self>> {
        let Some(details) = &slice.elf else { return Ok(None) };
        if !matches!(details.tables.header.e_type, ET_DYN | ET_EXEC) {
            return Ok(None);
        }
        let places = places(source, &details.tables)?;
        let functions = Functions::read(source, details, &places, context)?;
        Ok(Some(Self { source, details, places, functions }))
    }
}

/// What looks at the bytes of a chunk, in their order.
pub(super) trait Reader: Send {
    /// What it found out.
    type Found: Send;

    /// Looks at `bytes`, which lie at `address` and belong to `stretch`, and says how many of them it is done with.
    ///
    /// The rest comes again with what follows. Where the stretch ends with `bytes`, all of them are to be looked at.
    fn read(&mut self, stretch: &Stretch, address: u64, bytes: &[u8]) -> usize;

    /// Gives what it found, when the chunk has ended.
    fn found(self) -> Self::Found;
}

/// Lets a reader made by `reader` look at each chunk of `code`, and hands what they found to `merge`, by address.
///
/// # Errors
/// [`Error::Cancelled`], and [`Error::Io`] or [`Error::Malformed`] when the file can't be read to the end.
pub(super) fn scan<R: Reader>(
    code: &Code<'_>,
    context: &Context,
    reader: impl Fn(&Chunk) -> R + Sync,
    mut merge: impl FnMut(&Chunk, R::Found),
) -> Result<()> {
    enum News<T> {
        Read(u64),
        Done(usize, Result<T>),
    }
    let chunks = chunks(&code.places, code.functions.list());
    context.expect(code.places.iter().map(|place| place.length).sum());
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS).min(chunks.len());
    let (sender, news) = mpsc::sync_channel(threads * 4);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (chunks, next, stopped, reader) = (&chunks, &next, &stopped, &reader);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(chunk) = chunks.get(number) else { return };
                    let mut go_on = |read| !stopped.load(Ordering::Relaxed) && sender.send(News::Read(read)).is_ok();
                    let found = read_chunk(code, chunk, reader(chunk), &mut go_on);
                    if sender.send(News::Done(number, found)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let result = (|| {
            let (mut early, mut wanted) = (BTreeMap::new(), 0);
            for news in &news {
                match news {
                    News::Read(bytes) => context.advance(bytes)?,
                    News::Done(number, found) => {
                        early.insert(number, found);
                    }
                }
                while let Some(found) = early.remove(&wanted) {
                    let found = found?;
                    if let Some(chunk) = chunks.get(wanted) {
                        merge(chunk, found);
                    }
                    wanted += 1;
                }
            }
            Ok(())
        })();
        // A thread that waits for room in the channel is let go by dropping the channel's end.
        stopped.store(true, Ordering::Relaxed);
        drop(news);
        result
    })
}

fn read_chunk<R: Reader>(
    code: &Code<'_>,
    chunk: &Chunk,
    mut reader: R,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<R::Found> {
    let Some(place) = code.places.get(chunk.place) else { return Ok(reader.found()) };
    let (mut window, mut first) = (Vec::new(), chunk.start);
    for stretch in Stretches::new(chunk, code.functions.list()) {
        let mut at = stretch.start;
        while at < stretch.end {
            let held = first.saturating_add(window.len() as u64);
            let wanted = (stretch.end - at).min(WINDOW);
            if held < at + wanted {
                let length = (chunk.end - at).min(WINDOW);
                if !go_on(length - held.saturating_sub(at)) {
                    return Err(Error::Cancelled);
                }
                window.resize(length as usize, 0);
                code.source.read_at(place.offset + (at - place.address), &mut window)?;
                first = at;
            }
            let bytes = window.get((at - first) as usize..).and_then(|rest| rest.get(..wanted as usize));
            let bytes = bytes.unwrap_or_default();
            at += (reader.read(&stretch, at, bytes) as u64).max(1);
        }
    }
    Ok(reader.found())
}
