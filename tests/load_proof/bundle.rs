//! Bundles that load, that lack something, and that take something from the build.

use crate::lab::{Case, Lab, artifact, clock};
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::time::Duration;
use wheelwright::engine::Context;
use wheelwright::engine::binary;
use wheelwright::engine::dlopen::proof::{BundleFile, LoadProof, Loading, Which};
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::dlopen::FoundIn;
use wheelwright::engine::report::load::{LoadReport, LoadVerdict};

const GREET: &str = "int greet(void) { return 42; }\n";
const NEEDY: &str = "#include <stdlib.h>\nint greet(void); int answer(void) { return abs(greet()) + atoi(\"1\"); }\n";
/// As they lie in the bundle.
const FILES: &[(&str, &str)] =
    &[("lab/lab.so", "needy.so"), ("lab.libs/libgreet-1234abcd.so.1", "build/libgreet-1234abcd.so.1")];

/// `needy.so` with a search path of `run_path`, and the library that it needs.
fn needy(run_path: &str) -> Lab {
    let lab = Lab::new();
    lab.library("build/libgreet-1234abcd.so.1", GREET, &["-Wl,-soname,libgreet-1234abcd.so.1"]);
    let run_path = format!("-Wl,-rpath,{}", run_path.replace("BUILD", &lab.path("build").display().to_string()));
    lab.library("needy.so", NEEDY, &["-Lbuild", "-l:libgreet-1234abcd.so.1", &run_path]);
    lab
}

fn of(report: &LoadReport, from: FoundIn) -> Vec<(&str, &str)> {
    let libraries = report.libraries.iter().filter(|library| library.from == from);
    libraries.map(|library| (library.name.as_str(), library.path.as_str())).collect()
}

pub fn loads() -> Result<(), Failed> {
    let lab = needy("$ORIGIN/../lab.libs");
    let report = lab.load(&Case { files: FILES, hide: &["build"], ..Case::default() });
    assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
    let (name, place) = ("libgreet-1234abcd.so.1", "bundle:lab.libs/libgreet-1234abcd.so.1");
    assert_eq!(of(&report, FoundIn::Bundle), [(name, place)]);
    assert!(of(&report, FoundIn::Policy).iter().any(|(name, _)| *name == "libc.so.6"), "{report:?}");
    assert_eq!(report.libraries[0].asked_by.as_deref(), Some("lab.so"));
    assert_eq!((report.loaded_by.as_deref(), report.started), (Some("dlopen"), None));
    assert!(matches!(report.build_hidden_by.as_deref(), Some("mount namespace" | "trace only")));
    Ok(())
}

pub fn graft_removed() -> Result<(), Failed> {
    let lab = needy("$ORIGIN/../lab.libs");
    let report = lab.load(&Case { files: &FILES[..1], ..Case::default() });
    assert_eq!(report.verdict, LoadVerdict::Fails, "{report:?}");
    let words = "libgreet-1234abcd.so.1: cannot open shared object file: No such file or directory";
    assert_eq!(report.why, words);
    assert_eq!(report.build_hidden_by, None, "nothing was to be hidden");
    Ok(())
}

pub fn build_path_leaks_in() -> Result<(), Failed> {
    let lab = needy("BUILD");
    let files = &FILES[..1];
    // Nothing is hidden: the library comes from where it was built.
    let open = lab.load(&Case { files, ..Case::default() });
    assert_eq!(open.verdict, LoadVerdict::LoadsFromElsewhere, "{open:?}");
    let place = lab.path("build/libgreet-1234abcd.so.1").display().to_string();
    assert_eq!(of(&open, FoundIn::System), [("libgreet-1234abcd.so.1", place.as_str())]);
    assert!(open.why.contains(&place), "{}", open.why);
    let hidden = lab.load(&Case { files, hide: &["build"], ..Case::default() });
    match hidden.build_hidden_by.as_deref() {
        Some("mount namespace") => {
            assert_eq!(hidden.verdict, LoadVerdict::Fails, "{hidden:?}");
            assert!(hidden.why.starts_with("libgreet-1234abcd.so.1: cannot open"), "{}", hidden.why);
        }
        by => {
            assert_eq!(by, Some("trace only"));
            assert_eq!(hidden.verdict, LoadVerdict::LoadsFromElsewhere, "{hidden:?}");
            assert_eq!(of(&hidden, FoundIn::Build), [("libgreet-1234abcd.so.1", place.as_str())]);
        }
    }
    assert!(lab.path("build/libgreet-1234abcd.so.1").exists(), "outside of the child nothing was hidden");
    Ok(())
}

pub fn scratch_inside_the_build() -> Result<(), Failed> {
    // As in cargo's target directory: staging lies in what is hidden.
    let lab = needy("$ORIGIN/../lab.libs:BUILD");
    let case = Case { hide: &["build"], scratch: Some("build/wheelwright/load"), ..Case::default() };
    let whole = lab.load(&Case { files: FILES, ..case });
    assert_eq!(whole.verdict, LoadVerdict::Loads, "{whole:?}");
    let broken = lab.load(&Case {
        files: &FILES[..1],
        hide: &["build"],
        scratch: Some("build/wheelwright/load"),
        ..Case::default()
    });
    let expected = match broken.build_hidden_by.as_deref() {
        Some("mount namespace") => LoadVerdict::Fails,
        _ => LoadVerdict::LoadsFromElsewhere,
    };
    assert_eq!(broken.verdict, expected, "{broken:?}");
    Ok(())
}

pub fn preloaded() -> Result<(), Failed> {
    // No search path leads to the library, but the loader knows it by its SONAME once it is there.
    let lab = needy("/nowhere");
    let alone = lab.load(&Case { files: FILES, ..Case::default() });
    assert_eq!(alone.verdict, LoadVerdict::Fails, "{alone:?}");
    let first = lab.load(&Case { files: FILES, preload: &["lab.libs/libgreet-1234abcd.so.1"], ..Case::default() });
    assert_eq!(first.verdict, LoadVerdict::Loads, "{first:?}");
    assert_eq!(of(&first, FoundIn::Bundle)[0].1, "bundle:lab.libs/libgreet-1234abcd.so.1");
    let absent = lab.load(&Case { files: FILES, preload: &["lab.libs/absent.so"], ..Case::default() });
    assert_eq!(absent.verdict, LoadVerdict::Fails);
    assert!(absent.why.contains("bundle:lab.libs/absent.so, which is loaded first"), "{}", absent.why);
    Ok(())
}

pub fn programs() -> Result<(), Failed> {
    let lab = needy("$ORIGIN");
    // Its own code would end with another status: it is not run.
    let code = "#include <stdlib.h>\nint greet(void); int main(void) { exit(greet()); }\n";
    lab.compiled("tool", code, &["-Lbuild", "-l:libgreet-1234abcd.so.1", "-Wl,-rpath,$ORIGIN/../lab.libs"]);
    let files = [("bin/tool", "tool"), FILES[1]];
    let whole = lab.load(&Case { files: &files, hide: &["build"], ..Case::default() });
    assert_eq!(whole.verdict, LoadVerdict::Loads, "{whole:?}");
    assert_eq!(of(&whole, FoundIn::Bundle), [("libgreet-1234abcd.so.1", "bundle:lab.libs/libgreet-1234abcd.so.1")]);
    let broken = lab.load(&Case { files: &files[..1], hide: &["build"], ..Case::default() });
    assert_eq!(broken.verdict, LoadVerdict::Fails, "{broken:?}");
    assert!(broken.why.contains("libgreet-1234abcd.so.1 => not found"), "{}", broken.why);
    // A library of that name without the symbol.
    lab.library("build/libgreet-1234abcd.so.1", "int other;", &["-Wl,-soname,libgreet-1234abcd.so.1"]);
    let other = lab.load(&Case { files: &files, ..Case::default() });
    assert!(other.why.contains("undefined symbol: greet"), "{}", other.why);
    Ok(())
}

pub fn not_tried() -> Result<(), Failed> {
    let lab = Lab::new();
    let path = lab.library("plain.so", "int f;", &[]);
    let files = [BundleFile { at: "lab/lab.so".to_owned(), from: path.clone() }];
    let whole = binary::read(&Windows::open(&path)?)?;
    let report = |which, change: &dyn Fn(&mut binary::Binary)| {
        let (artifact, mut binary) = (artifact(&path, None), whole.clone());
        change(&mut binary);
        let proof = LoadProof {
            artifact: &artifact,
            binary: &binary,
            files: &files,
            entry: "lab/lab.so",
            module: None,
            preload: &[],
            open: &[],
            hide: &[],
            allowed: &|_| true,
            scratch: &lab.path("scratch"),
        };
        let helper = PathBuf::from(env!("CARGO_BIN_EXE_wheelwright"));
        proof.run(&Loading::new(helper, None, which, clock(Duration::from_secs(120))), &Context::new()).unwrap()
    };
    type Row<'a> = (Which, &'a dyn Fn(&mut binary::Binary), &'a str);
    let rows: [Row<'_>; 5] = [
        (Which::Outputs, &|_| {}, "cargo did not make it here"),
        (Which::All, &|binary| binary.format = binary::Format::Pe, "a PE file"),
        (Which::All, &|binary| binary.format = binary::Format::MachO, "a Mach-O file"),
        (Which::All, &|binary| binary.slices[0].arch.name = "vax".to_owned(), "it is for vax"),
        (
            Which::All,
            &|binary| binary.slices[0].kind = binary::ObjectKind::Executable,
            "a program that needs no loader",
        ),
    ];
    for (which, change, words) in rows {
        let report = report(which, change);
        assert_eq!(report.verdict, LoadVerdict::NotTried, "{words}");
        assert!(report.why.contains(words), "{}", report.why);
    }
    assert_eq!(report(Which::All, &|_| {}).verdict, LoadVerdict::Loads);
    Ok(())
}
