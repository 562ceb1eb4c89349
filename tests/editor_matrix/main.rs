//! The ELF editor against outside oracles, over linkers, kinds of files and edits: after each edit the file runs or loads and
//! computes what it did, also after `strip`; readelf and eu-elflint find nothing new; RELRO is what the plan said.
//!
//! A test that needs a tool which may be missing is shown as ignored, with the reason; `WHEELWRIGHT_CI=1` makes that a failure.
//! `WHEELWRIGHT_SWEEP=1` tries everything on the emulated machines too. `WHEELWRIGHT_MATRIX=FILE` has the table written
//! there, `WHEELWRIGHT_MATRIX_KEEP=FOLDER` keeps the files of what failed.

mod compare;
mod edits;
mod growth;
mod judge;
mod linkers;
mod lint;
mod machine;
mod readelf;
#[path = "../ci/strict.rs"]
mod strict;
mod table;
mod workshop;

use judge::Subject;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use linkers::{Layout, Linker};
use machine::{Machine, is_installed};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};
use workshop::{Kind, Language, Workshop};

/// How a test ends that has not failed: by its work, or ignored for this reason.
type Outcome = Result<(), String>;

/// A workshop that is opened by whoever comes first, or why it can't be.
type Opened = Arc<OnceLock<Result<Workshop, String>>>;

/// The workshops, each opened once by whoever comes first.
struct Workshops {
    folder: PathBuf,
    open: Mutex<BTreeMap<&'static str, Opened>>,
}

impl Workshops {
    fn of(&self, machine: Machine) -> Opened {
        let cell = Arc::clone(self.open.lock().unwrap().entry(machine.name).or_default());
        let folder = self.folder.join(machine.name);
        cell.get_or_init(|| match machine.lacks() {
            Some(program) => Err(format!("{program} is not installed")),
            None => Workshop::open(machine, &folder),
        });
        cell
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = tempfile::tempdir().expect("a folder for what is built");
    let workshops = Arc::new(Workshops { folder: folder.path().to_owned(), open: Mutex::default() });
    let mut trials = Vec::new();
    let mut add = |name: String, built: Built| {
        let workshops = Arc::clone(&workshops);
        trials.push(Trial::ignorable_test(name, move || finish(built.judge(&workshops))));
    };
    for linker in Linker::ALL {
        for kind in Kind::ALL {
            for (language, layouts) in [(Language::C, linker.layouts()), (Language::Rust, linker.rust_layouts())] {
                for layout in layouts {
                    let name = format!("{}::{language:?}::{}::{}", linker.name(), kind.name(), layout.name);
                    add(name, Built { machine: Machine::native(), linker, kind, language, layout: *layout });
                }
            }
        }
    }
    for machine in Machine::others() {
        for (linker, kind) in on_other_machines(&machine) {
            let name = format!("{}::{}::{}", machine.name, linker.name(), kind.name());
            let machine = machine.clone();
            add(name, Built { machine, linker, kind, language: Language::C, layout: linkers::PLAIN });
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(file) = std::env::var_os("WHEELWRIGHT_MATRIX") {
        std::fs::write(file, table::text()).expect("the table is written");
    }
    conclusion.exit_code()
}

/// What of an emulated machine is tried: emulators are slow, so that a part stands for all unless everything is asked for.
fn on_other_machines(machine: &Machine) -> Vec<(Linker, Kind)> {
    let all = [Linker::Bfd, Linker::RustLld].into_iter().flat_map(|linker| Kind::ALL.map(|kind| (linker, kind)));
    let is_tried =
        |(linker, kind): &(Linker, Kind)| *kind != Kind::Fixed && (*linker == Linker::Bfd || machine.name == "aarch64");
    all.filter(|one| is_sweep() || is_tried(one)).collect()
}

/// Whether everything is asked for.
fn is_sweep() -> bool {
    std::env::var_os("WHEELWRIGHT_SWEEP").is_some_and(|value| value == "1")
}

fn finish(outcome: Result<Outcome, String>) -> Result<Completion, Failed> {
    match outcome {
        Ok(Ok(())) => Ok(Completion::Completed),
        Ok(Err(faults)) => Err(faults.into()),
        Err(reason) if strict::is_strict() => Err(reason.into()),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    }
}

/// What one trial builds and edits.
struct Built {
    machine: Machine,
    linker: Linker,
    kind: Kind,
    language: Language,
    layout: Layout,
}

impl Built {
    /// Tries all cases. The outer error says why they can't be tried here.
    fn judge(&self, workshops: &Workshops) -> Result<Outcome, String> {
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            return Err("this is no x86-64 Linux".to_owned());
        }
        if let Some(tool) = ["readelf", "eu-elflint", "strip"].into_iter().find(|tool| !is_installed(tool)) {
            return Err(format!("{tool} is not installed"));
        }
        let workshop = workshops.of(self.machine.clone());
        let workshop =
            workshop.get().map_or_else(|| Err("no workshop".to_owned()), |one| one.as_ref().map_err(Clone::clone))?;
        let (linker, layout, kind) = (self.linker, self.layout, self.kind);
        let name =
            format!("{}-{}-{:?}-{}", linker.name(), kind.name(), self.language, layout.name).replace([' ', ','], "_");
        let file = match self.language {
            Language::C => {
                let mut flags = linker.cc()?;
                flags.extend(layout.flags.iter().map(|flag| (*flag).to_owned()));
                workshop.build_c(kind, &flags, &name)
            }
            Language::Rust => workshop.build_rust(kind, &linker.rustc()?, &layout, &name),
        }?;
        workshop::made_by(linker, &file)?;
        let label = match self.machine.emulator {
            None => format!("{} {:?}, {}", linker.name(), self.language, layout.name),
            Some(_) => format!("{}, {}", self.machine.name, linker.name()),
        };
        let subject = Subject { workshop, kind, label, file };
        judge::runs_unedited(&subject)?;
        Ok(all_cases(&subject))
    }
}

/// Every case of `subject`, or some of them on an emulated machine; the error lists what is wrong.
fn all_cases(subject: &Subject<'_>) -> Outcome {
    let some = ["rpath short", "needed versioned longer", "edit, strip, edit, strip"];
    let is_whole = is_sweep() || subject.workshop.machine.emulator.is_none();
    let mut rows = Vec::new();
    for (number, case) in edits::cases(subject.kind, "").iter().enumerate() {
        if is_whole || some.contains(&case.name) {
            let make = |interpreter: &str| edits::cases(subject.kind, interpreter).swap_remove(number);
            rows.push(judge::judge(subject, make));
        }
    }
    if is_whole {
        rows.push(growth::grow(subject));
    }
    let faults: Vec<String> = rows.iter().flat_map(|row| row.faults.clone()).collect();
    rows.into_iter().for_each(table::add);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}
