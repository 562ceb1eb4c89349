//! dpkg's database, in `/var/lib/dpkg`: `info/PACKAGE.list` or `info/PACKAGE:ARCH.list` name a package's files, `status` has
//! its version, `diversions` what is moved aside. Images without dpkg keep `status.d/PACKAGE` with the same fields and
//! `status.d/PACKAGE.md5sums`, which lists regular files only.
//!
//! There is no index by file: all lists are read, by two threads, until everything is found. Of several packages with one
//! file the first by the list's name counts.

use super::diversions::{Diversion, diversions};
use super::place::Place;
use super::read::{DATABASE, Notes, RECORD, names, read};
use super::wanted::Wanted;
use super::{Answers, Lookup, answer};
use crate::engine::report::audit::Owner;
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const ADMIN: &str = "/var/lib/dpkg";
/// More threads wait for each other in the kernel's directory cache.
const THREADS: usize = 2;
const NOBODY: usize = usize::MAX;

/// The owners by dpkg.
pub(super) fn owners(lookup: &Lookup<'_>) -> Result<Answers> {
    let mut answers = lookup.unanswered();
    let Some(admin) = lookup.root.directory(Path::new(ADMIN)).map(|admin| lookup.root.outside(&admin)) else {
        return Ok(answers);
    };
    let lists = lists(&admin, lookup.notes);
    let diversions = diversions(&admin.join("diversions"), lookup);
    let places = lookup.places();
    let searches: Vec<Search<'_>> =
        places.iter().flat_map(|(place, slot)| searches(place, *slot, &diversions)).collect();
    let best = scan(&lists, &searches, lookup)?;
    let mut status = Status::default();
    for (search, &best) in searches.iter().zip(&best) {
        if let Some(list) = lists.get(best) {
            answer(&mut answers, search.slot, || status.owner(&admin, list, lookup.notes));
        }
    }
    // What stands at a diverted name and is on no list was put there by the diverting package's own script.
    for search in &searches {
        if let Whose::Only(by) = search.whose {
            let list = List { package: by.to_owned(), ..List::default() };
            answer(&mut answers, search.slot, || status.owner(&admin, &list, lookup.notes));
        }
    }
    Ok(answers)
}

/// One place that is looked for in the lists.
struct Search<'a> {
    place: &'a Place,
    slot: (usize, usize),
    whose: Whose<'a>,
}

/// Whose list counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose<'a> {
    Anybodys,
    Only(&'a str),
    AllBut(&'a str),
}

/// What to look for to know who owns `place`.
fn searches<'a>(place: &'a Place, slot: (usize, usize), diversions: &'a [Diversion]) -> Vec<Search<'a>> {
    if let Some(diversion) = diversions.iter().find(|diversion| diversion.from == *place) {
        // The administrator moved everybody's file away: what lies here is nobody's.
        return diversion.by.iter().map(|by| Search { place, slot, whose: Whose::Only(by) }).collect();
    }
    let mut searches: Vec<Search<'_>> = diversions
        .iter()
        .filter(|diversion| diversion.to == *place)
        .map(|diversion| {
            let whose = diversion.by.as_deref().map_or(Whose::Anybodys, Whose::AllBut);
            Search { place: &diversion.from, slot, whose }
        })
        .collect();
    searches.push(Search { place, slot, whose: Whose::Anybodys });
    searches
}

/// One package's list of files.
#[derive(Debug, Default)]
struct List {
    path: PathBuf,
    package: String,
    /// Where several architectures of the package can be installed.
    architecture: Option<String>,
    /// Its own record, where there is no common status file.
    record: Option<PathBuf>,
}

/// All lists, by name.
fn lists(admin: &Path, notes: &Notes) -> Vec<List> {
    let read_names = |directory: &Path, ending: &str| {
        let named = names(directory, |name| name.ends_with(ending));
        named.unwrap_or_else(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                notes.add(directory, error);
            }
            Vec::new()
        })
    };
    let info = admin.join("info");
    let of_info = |name: String| {
        let stem = name.strip_suffix(".list").unwrap_or(&name);
        let (package, architecture) = stem.split_once(':').map_or((stem, None), |(name, arch)| (name, Some(arch)));
        List {
            path: info.join(&name),
            package: package.to_owned(),
            architecture: architecture.map(str::to_owned),
            record: None,
        }
    };
    let mut lists: Vec<List> = read_names(&info, ".list").into_iter().map(of_info).collect();
    let single = admin.join("status.d");
    lists.extend(read_names(&single, ".md5sums").into_iter().map(|name| {
        let stem = name.strip_suffix(".md5sums").unwrap_or(&name);
        let record = Some(single.join(stem));
        List { path: single.join(&name), package: stem.to_owned(), architecture: None, record }
    }));
    lists
}

/// For every search the number of the first list that has its place, or [`NOBODY`].
fn scan(lists: &[List], searches: &[Search<'_>], lookup: &Lookup<'_>) -> Result<Vec<usize>> {
    let wanted = Wanted::new(lookup.root, searches.iter().map(|search| search.place).collect());
    let best: Vec<AtomicUsize> = searches.iter().map(|_| AtomicUsize::new(NOBODY)).collect();
    let next = AtomicUsize::new(0);
    let work = |context: &Context| {
        let mut buffer = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(list) = lists.get(number) else { return };
            // Lists are taken in order: when all is found in earlier ones, no later one can change the answer.
            let found = best.iter().all(|best| best.load(Ordering::Relaxed) < number);
            if found || context.is_cancelled() {
                return;
            }
            match read(&list.path, RECORD, &mut buffer) {
                Ok(()) => list.search(&buffer, &wanted, |hit| {
                    if searches.get(hit).is_some_and(|search| list.counts(search.whose))
                        && let Some(best) = best.get(hit)
                    {
                        best.fetch_min(number, Ordering::Relaxed);
                    }
                }),
                Err(error) => lookup.notes.add(&list.path, error),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            // Without a second thread the first does it all.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || work(lookup.context));
        }
        work(lookup.context);
    });
    if lookup.context.is_cancelled() {
        return Err(Error::Cancelled);
    }
    Ok(best.into_iter().map(AtomicUsize::into_inner).collect())
}

impl List {
    fn search(&self, bytes: &[u8], wanted: &Wanted<'_>, mut hit: impl FnMut(usize)) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            match self.record {
                None => wanted.met_path(None, line, &mut hit),
                // A checksum, two spaces, and the path from the root.
                Some(_) => {
                    let path = memchr::memmem::find(line, b"  ").and_then(|at| line.get(at + 2..));
                    wanted.met_path(Some(Path::new("/")), path.unwrap_or_default(), &mut hit);
                }
            }
        }
    }

    fn counts(&self, whose: Whose<'_>) -> bool {
        match whose {
            Whose::Anybodys => true,
            Whose::Only(package) => self.package == package,
            Whose::AllBut(package) => self.package != package,
        }
    }
}

/// The common status file, read when it is first needed.
#[derive(Default)]
struct Status(Option<Vec<u8>>);

impl Status {
    fn owner(&mut self, admin: &Path, list: &List, notes: &Notes) -> Owner {
        let load = |path: &Path, limit| {
            let mut bytes = Vec::new();
            if let Err(error) = read(path, limit, &mut bytes) {
                bytes.clear();
                notes.add(path, error);
            }
            bytes
        };
        let (package, version) = match &list.record {
            Some(record) => {
                let bytes = load(record, RECORD);
                let field = |name| field(paragraph(&bytes), name);
                (field("Package").unwrap_or_else(|| list.package.clone()), field("Version"))
            }
            None => {
                let status = self.0.get_or_insert_with(|| load(&admin.join("status"), DATABASE));
                (list.package.clone(), version(status, &list.package, list.architecture.as_deref()))
            }
        };
        Owner { kind: "dpkg".to_owned(), package, version, build: None }
    }
}

/// The version of `package` by the paragraphs of `status`.
fn version(status: &[u8], package: &str, architecture: Option<&str>) -> Option<String> {
    let head = format!("Package: {package}\n");
    let starts = memchr::memmem::find_iter(status, head.as_bytes())
        .filter(|&at| at.checked_sub(1).is_none_or(|before| status.get(before) == Some(&b'\n')));
    let mut fitting = starts.map(|at| paragraph(status.get(at..).unwrap_or_default())).filter(|paragraph| {
        architecture.is_none_or(|architecture| field(paragraph, "Architecture").as_deref() == Some(architecture))
    });
    field(fitting.next()?, "Version")
}

/// The bytes up to the first empty line.
fn paragraph(bytes: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(bytes, b"\n\n").unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// The one-line field `name` of a paragraph.
fn field(paragraph: &[u8], name: &str) -> Option<String> {
    let value = paragraph
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":").map(<[u8]>::trim_ascii))?;
    Some(String::from_utf8_lossy(value).into_owned()).filter(|value| !value.is_empty())
}
