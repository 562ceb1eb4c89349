//! From marks to names: where each name begins and ends, by what refers to it, by the end marks of C, or by the grammar.

use super::names::{Shape, among_others, listed, whole};
use super::text::Mark;
use crate::engine::binary::Format;
use crate::engine::code::TextReference;

/// So many letters on each side of a name are shown.
const AROUND: usize = 24;
/// What stands around a name in a sentence.
const IN_SENTENCES: &[u8] = b" '\"`():=<>,;";

/// A name in the file's data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sighting {
    /// The number of its place.
    pub(super) place: usize,
    /// Its address.
    pub(super) address: u64,
    /// The name.
    pub(super) name: String,
    /// What it is.
    pub(super) shape: Shape,
    /// The function that refers to it.
    pub(super) function: Option<String>,
    /// Whether that function opens libraries, or calls one that does.
    pub(super) opens: bool,
    /// The text around it, where its borders are guessed.
    pub(super) detail: Option<String>,
}

/// What is known besides the marks.
pub(super) struct Hints<'a> {
    /// The file's format.
    pub(super) format: Format,
    /// The references to texts, sorted.
    pub(super) references: &'a [TextReference],
    /// Whether code was searched for them.
    pub(super) has_code: bool,
}

/// The names at `marks`, which are sorted by place and address; sorted.
pub(super) fn sightings(marks: &[Mark], hints: &Hints<'_>) -> Vec<Sighting> {
    let mut found = Vec::new();
    // Where the last guessed name ended, and in which place.
    let mut taken = (0, 0);
    for mark in marks {
        let cuts = hints.cuts(mark, if taken.0 == mark.place { taken.1 } else { 0 });
        for cut in cuts {
            let address = mark.address.saturating_add(cut.start as u64 * mark.width);
            if cut.is_guess {
                taken = (mark.place, mark.address.saturating_add(cut.end as u64));
            }
            let Some(name) = mark.text.get(cut.start..cut.end) else { continue };
            let name = String::from_utf8_lossy(name).into_owned();
            let detail = cut.is_guess.then(|| around(mark, cut.start, cut.end));
            let sighting =
                Sighting { place: mark.place, address, name, shape: cut.shape, function: None, opens: false, detail };
            let mut users = hints.users(mark, cut.start).peekable();
            if users.peek().is_none() {
                found.push(sighting.clone());
            }
            found.extend(users.map(|reference| Sighting {
                function: reference.function.clone(),
                opens: reference.opens,
                ..sighting.clone()
            }));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// A part of a mark's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    start: usize,
    end: usize,
    shape: Shape,
    is_guess: bool,
}

impl Hints<'_> {
    fn cuts(&self, mark: &Mark, taken: u64) -> Vec<Cut> {
        let mut found = self.referred(mark);
        if mark.is_closed {
            let shape = whole(&mark.text, self.format);
            let is_inner_only = self.users(mark, 0).next().is_none() && !found.is_empty();
            if let Some(shape) = shape.filter(|_| !is_inner_only) {
                // Whatever number stands beside a reference to a text of C, the text ends with its NUL.
                found.retain(|cut| cut.start > 0);
                found.push(Cut { start: 0, end: mark.text.len(), shape, is_guess: false });
            } else if found.is_empty() {
                let list = listed(&mark.text, self.format).into_iter();
                found.extend(list.map(|(start, end)| Cut { start, end, shape: Shape::Name, is_guess: false }));
            }
        }
        if found.is_empty() && !(mark.is_closed && self.has_code) {
            found.extend(self.guessed(mark, taken));
        }
        found
    }

    /// The references to the text of `mark` up to the mark itself.
    fn near(&self, mark: &Mark) -> &[TextReference] {
        let last = mark.address.saturating_add(mark.at as u64 * mark.width);
        let from = self.references.partition_point(|reference| reference.to < mark.address);
        let to = self.references.partition_point(|reference| reference.to <= last);
        self.references.get(from..to).unwrap_or_default()
    }

    /// The references to the letter number `start` of the text of `mark`.
    fn users(&self, mark: &Mark, start: usize) -> impl Iterator<Item = &TextReference> {
        let address = mark.address.saturating_add(start as u64 * mark.width);
        self.near(mark).iter().filter(move |reference| reference.to == address)
    }

    /// What references cut out, with their lengths or up to the end of a text of C.
    fn referred(&self, mark: &Mark) -> Vec<Cut> {
        let mut found: Vec<Cut> = Vec::new();
        for reference in self.near(mark) {
            let start = (reference.to - mark.address) as usize;
            let ends = reference.lengths.iter().filter_map(|length| start.checked_add(usize::try_from(*length).ok()?));
            let closed = mark.is_closed.then_some(mark.text.len());
            let cut = ends.filter(|end| *end > mark.at).chain(closed).find_map(|end| {
                let shape = whole(mark.text.get(start..end)?, self.format)?;
                Some(Cut { start, end, shape, is_guess: false })
            });
            let cut = cut.or_else(|| {
                let (first, end) = among_others(mark.text.get(start..)?, 0, mark.at - start, self.format)?;
                let cut = Cut { start, end: start + end, shape: Shape::Name, is_guess: true };
                (first == 0 && !mark.is_closed).then_some(cut)
            });
            found.extend(cut.filter(|cut| !found.contains(cut)));
        }
        if found.iter().any(|cut| !cut.is_guess) {
            found.retain(|cut| !cut.is_guess);
        }
        found
    }

    /// What the grammar cuts out, from where the last name ended; not from the middle of a sentence.
    fn guessed(&self, mark: &Mark, taken: u64) -> Option<Cut> {
        let from = usize::try_from(taken.saturating_sub(mark.address)).ok()?;
        let from = if from > mark.at { 0 } else { from };
        let (start, end) = among_others(&mark.text, from, mark.at, self.format)?;
        let before = start.checked_sub(1).filter(|_| start > from).and_then(|at| mark.text.get(at));
        let sentence = [before, mark.text.get(end)].into_iter().flatten().any(|byte| IN_SENTENCES.contains(byte));
        (!sentence).then_some(Cut { start, end, shape: Shape::Name, is_guess: true })
    }
}

/// The text around a name whose borders are guessed.
fn around(mark: &Mark, start: usize, end: usize) -> String {
    let text = mark.text.get(start.saturating_sub(AROUND)..(end + AROUND).min(mark.text.len())).unwrap_or_default();
    format!("among other texts: {}", String::from_utf8_lossy(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mark at the last `.so` of `text`, at address 0x1000.
    fn mark(text: &str, is_closed: bool) -> Mark {
        let at = text.rfind(".so").unwrap();
        Mark { place: 0, address: 0x1000, text: text.as_bytes().to_vec(), at, width: 1, is_closed }
    }

    fn cut(marks: &[Mark], references: &[(u64, u64)], has_code: bool) -> Vec<String> {
        let reference = |(to, length): &(u64, u64)| TextReference {
            to: *to,
            lengths: vec![2, *length],
            function: Some("f".into()),
            opens: true,
        };
        let references: Vec<TextReference> = references.iter().map(reference).collect();
        let hints = Hints { format: Format::Elf, references: &references, has_code };
        sightings(marks, &hints).into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn a_text_of_c_is_a_name_as_a_whole_or_not_at_all() {
        assert_eq!(cut(&[mark("libfoo.so.1", true)], &[], true), ["libfoo.so.1"]);
        assert_eq!(cut(&[mark("libfoo.so.1", true)], &[(0x1000, 9)], true), ["libfoo.so.1"]);
        assert_eq!(cut(&[mark("cannot load libfoo.so.1", true)], &[], true), [""; 0]);
        assert_eq!(cut(&[mark("libfoo.so:libbar.so", true)], &[], true), ["libfoo.so", "libbar.so"]);
        // The linker lets a text share the end of another.
        assert_eq!(cut(&[mark("mylibfoo.so", true)], &[(0x1002, 5)], true), ["libfoo.so"]);
        assert_eq!(cut(&[mark("mylibfoo.so", true)], &[(0x1000, 5), (0x1002, 5)], true), ["mylibfoo.so", "libfoo.so"]);
    }

    #[test]
    fn texts_without_ends_are_cut_by_what_refers_to_them() {
        let text = "openplug.so.12lib3";
        assert_eq!(cut(&[mark(text, false)], &[(0x1004, 9)], true), ["plug.so.1"]);
        assert_eq!(cut(&[mark(text, false)], &[(0x1004, 10)], true), ["plug.so.12"]);
        assert_eq!(cut(&[mark(text, false)], &[], true), [""; 0]);
    }

    #[test]
    fn without_references_the_grammar_decides_and_sentences_are_passed_over() {
        let first = Mark { at: 6, ..mark("libfoo.so.1libbar.so.2cannot open", false) };
        let second = mark("libfoo.so.1libbar.so.2cannot open", false);
        assert_eq!(cut(&[first, second], &[], false), ["libfoo.so.1", "libbar.so.2"]);
        assert_eq!(cut(&[mark("cannot load libfoo.so.1: gone", false)], &[], false), [""; 0]);
    }
}
