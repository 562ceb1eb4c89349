//! The named parts of a binary in the order of its bytes, and which of them belong to which of another.

use std::collections::{HashMap, VecDeque};

/// A stretch of a file that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is called; several parts may be.
    pub name: String,
    /// What it is called where no part of the other file has its name.
    pub also: Option<String>,
    /// Where it begins in the file.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl Part {
    /// Where it ends in the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// The parts of a file, as they are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    list: Vec<Part>,
}

impl Parts {
    /// Adds a part.
    pub fn add(&mut self, name: impl Into<String>, start: u64, len: u64) {
        self.list.push(Part { name: name.into(), also: None, start, len });
    }

    /// Adds a part that goes by two names, the second where nothing answers to the first.
    pub fn add_by_two_names(&mut self, name: String, also: String, start: u64, len: u64) {
        self.list.push(Part { name, also: Some(also), start, len });
    }

    /// Adds a part that is named already.
    pub fn push(&mut self, part: Part) {
        self.list.push(part);
    }

    /// The parts in the order of a file of `size` bytes. What is empty, lies outside of it or on a part before it is no part.
    #[must_use]
    pub fn ordered(mut self, size: u64) -> Vec<Part> {
        self.list.retain(|part| part.len > 0 && part.start.checked_add(part.len).is_some_and(|end| end <= size));
        // Of two that begin together the shorter stays: the finer of the two.
        self.list.sort_by_key(|part| (part.start, part.len));
        let mut free = 0;
        self.list.retain(|part| {
            let fits = part.start >= free;
            if fits {
                free = part.end();
            }
            fits
        });
        self.list
    }
}

/// For each part of `a`, in their order, the number of the part of `b` that belongs to it: the n-th of a name to the n-th.
#[must_use]
pub fn partners(a: &[Part], b: &[Part]) -> Vec<Option<usize>> {
    let mut found = vec![None; a.len()];
    let mut taken = vec![false; b.len()];
    for name_of in [|part: &Part| Some(part.name.clone()), |part: &Part| part.also.clone()] {
        let mut waiting: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (number, part) in b.iter().enumerate().filter(|(number, _)| taken.get(*number) == Some(&false)) {
            if let Some(name) = name_of(part) {
                waiting.entry(name).or_default().push_back(number);
            }
        }
        for (part, partner) in a.iter().zip(&mut found).filter(|(_, partner)| partner.is_none()) {
            let Some(name) = name_of(part) else { continue };
            *partner = waiting.get_mut(&name).and_then(VecDeque::pop_front);
            if let Some(taken) = partner.and_then(|number| taken.get_mut(number)) {
                *taken = true;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_on_others_and_outside_are_none() {
        let mut parts = Parts::default();
        for (name, start, len) in
            [("c", 50, 50), ("a", 0, 10), ("outer", 0, 20), ("empty", 30, 0), ("on c", 60, 5), ("far", 90, u64::MAX)]
        {
            parts.add(name, start, len);
        }
        let names: Vec<_> = parts.ordered(100).into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn the_nth_of_a_name_belongs_to_the_nth() {
        let list = |names: &[(&str, Option<&str>)]| -> Vec<Part> {
            let part = |(at, (name, also)): (usize, &(&str, Option<&str>))| Part {
                name: (*name).to_owned(),
                also: also.map(str::to_owned),
                start: at as u64,
                len: 1,
            };
            names.iter().enumerate().map(part).collect()
        };
        let a =
            list(&[("x", None), ("load at 1", Some("load")), ("x", None), ("load at 2", Some("load")), ("y", None)]);
        let b =
            list(&[("load at 2", Some("load")), ("x", None), ("load at 3", Some("load")), ("x", None), ("x", None)]);
        assert_eq!(partners(&a, &b), [Some(1), Some(2), Some(3), Some(0), None]);
    }
}
