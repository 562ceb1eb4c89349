//! What the logged requests asked for, asked the other way round: who wanted this name, this path, this flag.
//!
//! A request is known by its place among all of them, which is its place in the document's `edits`.

use crate::engine::binary::Name;
use crate::engine::repair::{EditRequest, ExecStack};

/// A search path as a file has it, or shall have it: whether it is a `DT_RUNPATH`, and its text.
pub type RunPath = (bool, Name);

/// The requests, and the search path that they come to.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    requests: Vec<EditRequest>,
    run_path: Option<RunPath>,
}

impl Wishes {
    /// `requests`, made of a file whose search path was `old`.
    #[must_use]
    pub fn new(requests: Vec<EditRequest>, old: Option<RunPath>) -> Self {
        let mut run_path = old;
        for request in &requests {
            match request {
                EditRequest::SetRpath(text) => run_path = Some((false, text.clone())),
                EditRequest::SetRunpath(text) => run_path = Some((true, text.clone())),
                EditRequest::RemoveRunPaths => run_path = None,
                EditRequest::AppendRunPath(text) => {
                    run_path = Some(match run_path {
                        Some((is_runpath, old)) if !old.is_empty() => {
                            (is_runpath, Name::new([old.as_bytes(), b":", text.as_bytes()].concat()))
                        }
                        Some((is_runpath, _)) => (is_runpath, text.clone()),
                        None => (true, text.clone()),
                    });
                }
                _ => {}
            }
        }
        Self { requests, run_path }
    }

    fn those(&self, fits: impl Fn(&EditRequest) -> bool) -> Vec<usize> {
        self.requests.iter().enumerate().filter(|(_, request)| fits(request)).map(|(number, _)| number).collect()
    }

    /// Those that bring something new into the file, for which it can need room.
    #[must_use]
    pub fn room(&self) -> Vec<usize> {
        self.those(|request| {
            matches!(
                request,
                EditRequest::SetSoname(_)
                    | EditRequest::SetRpath(_)
                    | EditRequest::SetRunpath(_)
                    | EditRequest::AppendRunPath(_)
                    | EditRequest::ReplaceNeeded { .. }
                    | EditRequest::AddNeeded(_)
                    | EditRequest::SetInterpreter(_)
                    | EditRequest::NoDefaultLib
                    | EditRequest::AddDebugEntry
            )
        })
    }

    /// Those that make entries of the dynamic section stand elsewhere than before.
    #[must_use]
    pub fn movers(&self) -> Vec<usize> {
        self.those(|request| {
            !matches!(
                request,
                EditRequest::SetExecStack(_) | EditRequest::SetOsAbi(_) | EditRequest::ClearSymbolVersion(_)
            )
        })
    }

    /// Who asked that the file need `name`.
    #[must_use]
    pub fn needed(&self, name: &Name) -> Vec<usize> {
        self.those(|request| match request {
            EditRequest::AddNeeded(wanted) => wanted == name,
            EditRequest::ReplaceNeeded { to, .. } => to == name,
            _ => false,
        })
    }

    /// Who asked that `old` be needed by the name `new`.
    #[must_use]
    pub fn replaced(&self, old: &Name, new: &Name) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::ReplaceNeeded { from, to } if from == old && to == new))
    }

    /// Who asked that the file no longer need `name`.
    #[must_use]
    pub fn released(&self, name: &Name) -> Vec<usize> {
        self.those(|request| match request {
            EditRequest::RemoveNeeded(gone) => gone == name,
            EditRequest::ReplaceNeeded { from, .. } => from == name,
            _ => false,
        })
    }

    /// Who asked that the needed library `name` go.
    #[must_use]
    pub fn removed(&self, name: &Name) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::RemoveNeeded(gone) if gone == name))
    }

    /// Who asked for another SONAME.
    #[must_use]
    pub fn sonames(&self) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::SetSoname(_)))
    }

    /// Who asked for the SONAME `name`.
    #[must_use]
    pub fn soname(&self, name: &Name) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::SetSoname(wanted) if wanted == name))
    }

    /// Who asked for another search path.
    #[must_use]
    pub fn run_paths(&self) -> Vec<usize> {
        self.those(|request| {
            matches!(
                request,
                EditRequest::SetRpath(_)
                    | EditRequest::SetRunpath(_)
                    | EditRequest::AppendRunPath(_)
                    | EditRequest::RemoveRunPaths
            )
        })
    }

    /// Who asked for the search path `text`; under this tag, if one is given.
    #[must_use]
    pub fn run_path(&self, is_runpath: Option<bool>, text: &Name) -> Vec<usize> {
        match &self.run_path {
            Some((tag, wanted)) if wanted == text && is_runpath.is_none_or(|is_runpath| is_runpath == *tag) => {
                self.run_paths()
            }
            _ => Vec::new(),
        }
    }

    /// Who asked for the interpreter `name`.
    #[must_use]
    pub fn interpreter(&self, name: &Name) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::SetInterpreter(wanted) if wanted == name))
    }

    /// Who asked for a string of `.dynstr` that reads `text`.
    #[must_use]
    pub fn string(&self, text: &Name) -> Vec<usize> {
        [self.needed(text), self.soname(text), self.run_path(None, text)].concat()
    }

    /// Whose wish leaves the string `text` of `.dynstr` without anybody who refers to it.
    #[must_use]
    pub fn left(&self, text: &Name, run_path: Option<&Name>, soname: Option<&Name>) -> Vec<usize> {
        let of = |known: Option<&Name>, wishes: Vec<usize>| if known == Some(text) { wishes } else { Vec::new() };
        [self.released(text), of(run_path, self.run_paths()), of(soname, self.sonames())].concat()
    }

    /// Who asked for an executable stack, or for none.
    #[must_use]
    pub fn stack(&self, is_executable: bool) -> Vec<usize> {
        let wanted = if is_executable { ExecStack::Asked } else { ExecStack::NotAsked };
        self.those(|request| matches!(request, EditRequest::SetExecStack(stack) if *stack == wanted))
    }

    /// Who asked for the OS ABI `number`.
    #[must_use]
    pub fn os_abi(&self, number: u8) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::SetOsAbi(wanted) if *wanted == number))
    }

    /// Who asked that the default directories be left out.
    #[must_use]
    pub fn no_default_lib(&self) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::NoDefaultLib))
    }

    /// Who asked for a `DT_DEBUG`.
    #[must_use]
    pub fn debug_entry(&self) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::AddDebugEntry))
    }

    /// Who asked that the version of symbol `name` go.
    #[must_use]
    pub fn unversioned(&self, name: &Name) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::ClearSymbolVersion(symbol) if symbol == name))
    }

    /// Who asked that a needed library go, whatever its name.
    #[must_use]
    pub fn removals(&self) -> Vec<usize> {
        self.those(|request| matches!(request, EditRequest::RemoveNeeded(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_what_all_requests_come_to() {
        let old = Some((false, Name::from("/a")));
        let append = EditRequest::AppendRunPath("/b".into());
        let table: [(Vec<EditRequest>, bool, &str); 4] = [
            (vec![append.clone()], false, "/a:/b"),
            (vec![EditRequest::SetRunpath("/c".into()), append.clone()], true, "/c:/b"),
            (vec![EditRequest::RemoveRunPaths, append], true, "/b"),
            (vec![EditRequest::SetRpath("/d".into())], false, "/d"),
        ];
        for (requests, is_runpath, text) in table {
            let all: Vec<usize> = (0..requests.len()).collect();
            let wishes = Wishes::new(requests, old.clone());
            assert_eq!(wishes.run_path(Some(is_runpath), &text.into()), all);
            assert!(wishes.run_path(Some(!is_runpath), &text.into()).is_empty());
            assert!(wishes.run_path(None, &"/a".into()).is_empty());
        }
    }

    #[test]
    fn a_name_is_traced_to_those_who_asked_for_it() {
        let requests = vec![
            EditRequest::ReplaceNeeded { from: "a".into(), to: "b".into() },
            EditRequest::AddNeeded("b".into()),
            EditRequest::RemoveNeeded("c".into()),
            EditRequest::SetSoname("b".into()),
            EditRequest::SetExecStack(ExecStack::NotAsked),
        ];
        let wishes = Wishes::new(requests, None);
        assert_eq!(wishes.needed(&"b".into()), [0, 1]);
        assert_eq!(wishes.replaced(&"a".into(), &"b".into()), [0]);
        assert_eq!(wishes.string(&"b".into()), [0, 1, 3]);
        assert_eq!((wishes.released(&"a".into()), wishes.released(&"c".into())), (vec![0], vec![2]));
        assert_eq!((wishes.room(), wishes.movers()), (vec![0, 1, 3], vec![0, 1, 2, 3]));
        assert_eq!((wishes.stack(false), wishes.stack(true)), (vec![4], vec![]));
        assert_eq!(wishes.left(&"x".into(), None, Some(&"x".into())), [3]);
    }
}
