//! The ELF editor against outside oracles, over linkers, kinds of files and edits: after each edit the file runs or loads and
//! computes what it did, also after `strip`; readelf and eu-elflint find nothing new; RELRO is what the plan said.
//!
//! A test that needs a tool which may be missing is shown as ignored, with the reason; `WHEELWRIGHT_CI=1` makes that a failure.
//! `WHEELWRIGHT_MATRIX=FILE` has the table written there, `WHEELWRIGHT_MATRIX_KEEP=FOLDER` the files of what failed.

mod compare;
mod edits;
mod judge;
mod linkers;
mod lint;
mod machine;
mod readelf;
mod table;
mod workshop;

use judge::Subject;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use linkers::{Layout, Linker};
use machine::{Machine, is_installed};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use workshop::{Kind, Language, Workshop};

/// How a test ends that has not failed: by its work, or ignored for this reason.
type Outcome = Result<(), String>;

/// The workshop of this machine, opened once by whoever comes first.
struct Native {
    folder: PathBuf,
    workshop: OnceLock<Result<Workshop, String>>,
}

impl Native {
    fn workshop(&self) -> Result<&Workshop, String> {
        let open = || Workshop::open(Machine::native(), &self.folder.join("native"));
        self.workshop.get_or_init(open).as_ref().map_err(Clone::clone)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = tempfile::tempdir().expect("a folder for what is built");
    let native = Arc::new(Native { folder: folder.path().to_owned(), workshop: OnceLock::new() });
    let mut trials = Vec::new();
    for linker in Linker::ALL {
        for kind in Kind::ALL {
            for (language, layouts) in [(Language::C, linker.layouts()), (Language::Rust, linker.rust_layouts())] {
                for layout in layouts {
                    let name = format!("{}::{language:?}::{}::{}", linker.name(), kind.name(), layout.name);
                    let native = Arc::clone(&native);
                    trials.push(Trial::ignorable_test(name, move || {
                        finish(of_linker(&native, linker, kind, language, *layout))
                    }));
                }
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(file) = std::env::var_os("WHEELWRIGHT_MATRIX") {
        std::fs::write(file, table::text()).expect("the table is written");
    }
    conclusion.exit_code()
}

fn finish(outcome: Result<Outcome, String>) -> Result<Completion, Failed> {
    match outcome {
        Ok(Ok(())) => Ok(Completion::Completed),
        Ok(Err(faults)) => Err(faults.into()),
        Err(reason) if std::env::var_os("WHEELWRIGHT_CI").is_some_and(|value| value == "1") => Err(reason.into()),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    }
}

/// All cases on the file that `linker` makes. The outer error says why they can't be tried here.
fn of_linker(
    native: &Native,
    linker: Linker,
    kind: Kind,
    language: Language,
    layout: Layout,
) -> Result<Outcome, String> {
    for tool in ["readelf", "eu-elflint", "strip"] {
        if !is_installed(tool) {
            return Err(format!("{tool} is not installed"));
        }
    }
    let workshop = native.workshop()?;
    let mut flags = linker.cc()?;
    let name = format!("{}-{}-{language:?}-{}", linker.name(), kind.name(), layout.name).replace([' ', ','], "_");
    let file = match language {
        Language::C => {
            flags.extend(layout.flags.iter().map(|flag| (*flag).to_owned()));
            workshop.from_c(kind, &flags, &name)
        }
        Language::Rust => workshop.from_rust(kind, &linker.rustc()?, &layout, &name),
    }?;
    workshop::made_by(linker, &file)?;
    let label = format!("{} {language:?}, {}", linker.name(), layout.name);
    let subject = Subject { workshop, kind, label, file };
    judge::runs_unedited(&subject)?;
    Ok(all_cases(&subject))
}

/// Every case of `subject`; the error lists what is wrong.
fn all_cases(subject: &Subject<'_>) -> Outcome {
    let mut faults = Vec::new();
    for number in 0..edits::cases(subject.kind, "").len() {
        let row = judge::judge(subject, |interpreter| edits::cases(subject.kind, interpreter).swap_remove(number));
        faults.extend(row.faults.iter().cloned());
        table::add(row);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}
