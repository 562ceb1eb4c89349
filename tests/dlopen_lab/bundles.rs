//! Libraries that another artifact of the wheel brings: the case of one that needs the library and one that only opens it,
//! dlmopen, and names that Rust passes.

use crate::Case;
use crate::lab::{Lab, OLD, TRY, lacks_glibc, named, same, succeed};
use libtest_mimic::Failed;
use std::process::Command;
use wheelwright::engine::report::dlopen::{OpenedVerdict, OpeningOutcome};

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("one_needs_the_library_and_one_opens_it", needs_and_opens),
        case("dlmopen_sees_nothing_of_the_process", dlmopen),
        case("libloading", libloading),
        case("an_unpacked_wheel_is_its_own_bundle", unpacked),
    ]
}

const FOO: &str = "libfoo.so.1";

/// `a.so` needs libfoo.so.1, `b.so` opens it; both go into one wheel.
fn needs_and_opens() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libfoo.so.1", &[])?;
    let list = ["@build/private/libfoo.so.1", OLD, "-Wl,-rpath,$ORIGIN/private"];
    let a =
        lab.compile("build/a.so", "int answer(void) { return 42; }\n", &[&["-shared", "-fPIC"], &list[..]].concat())?;
    let b = lab.extension("build/b.so", &format!("TRY(1, \"{FOO}\");"), &[])?;
    let predicted = lab.audit(&[&a, &b], &[])?;
    let opened = named(&predicted, FOO)?.clone();
    same(opened.would_resolve.as_ref().map(|one| one.outcome), Some(OpeningOutcome::OnlyIfLoadedBefore))?;
    same(lab.run(&[&a, &b])?[&1].ok, true)?;
    lab.holds(&[&a, &b], &[], &[(1, FOO, OpenedVerdict::Renamed)])?;
    let grafted = opened.grafted.clone().ok_or("nothing is grafted")?;
    same((grafted.needed_as.as_str(), grafted.because_of.as_slice()), (FOO, &["a.so".to_owned()][..]))?;
    same(lab.path("bundle/lab.libs").join(&grafted.name).exists(), true)?;
    let whole = [&opened.why].iter().all(|why| why.contains(&grafted.name) && why.contains("SONAME"));
    same(whole, true)?;
    // Not even what the other artifact has loaded answers to the name.
    let (a, b) = (lab.path("bundle/lab/a.so"), lab.path("bundle/lab/b.so"));
    same(lab.run(&[&a, &b])?[&1].ok, false)
}

/// Where a `.dist-info` stands beside the packages the wheel is finished: what lies in it is the bundle.
fn unpacked() -> Result<(), Failed> {
    let lab = Lab::new()?;
    std::fs::create_dir_all(lab.path("build/lab-1.0.dist-info"))?;
    lab.library("build/lab.libs/libfoo.so.1", &[])?;
    let list = [OLD, "-Wl,-rpath,$ORIGIN/../lab.libs"];
    let needs = ["-shared", "-fPIC", "@build/lab.libs/libfoo.so.1"];
    let a = lab.compile("build/lab/a.so", "int answer(void) { return 42; }\n", &[&needs[..], &list[..]].concat())?;
    let b = lab.extension("build/lab/b.so", &format!("TRY(1, \"{FOO}\");"), &[])?;
    let c = lab.extension("build/lab/c.so", &format!("TRY(1, \"{FOO}\");"), &list)?;
    let (by_b, by_c) = (lab.audit(&[&a, &b], &[])?, lab.audit(&[&a, &c], &[])?);
    let (by_b, by_c) = (named(&by_b, FOO)?, named(&by_c, FOO)?);
    same((by_b.verdict, by_c.verdict), (OpenedVerdict::ByLoadOrder, OpenedVerdict::Works))?;
    let in_bundle = by_c.in_bundle.as_ref().ok_or("not worked out")?;
    same(in_bundle.path.as_deref(), Some("bundle:lab.libs/libfoo.so.1"))?;
    lab.agrees("here", by_b, by_b.would_resolve.as_ref(), &lab.run(&[&b])?[&1])?;
    lab.agrees("here", by_c, by_c.would_resolve.as_ref(), &lab.run(&[&c])?[&1])?;
    same(by_b.why.contains("a.so"), true)?;
    same(lab.run(&[&a, &b])?[&1].ok, true)
}

/// The extension needs the library itself; in a namespace of its own it is searched for all the same, and in the bundle
/// found under no name that is opened.
fn dlmopen() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libfoo.so.1", &[])?;
    let source = format!(
        "{TRY}\nvoid probe(void) {{ SAY(\"MARK 1\"); void *handle = dlmopen(LM_ID_NEWLM, \"{FOO}\", RTLD_NOW); \
         ENDED(handle); }}\n"
    );
    let arguments = ["-shared", "-fPIC", "@build/private/libfoo.so.1", OLD, "-Wl,-rpath,$ORIGIN/private"];
    let extension = lab.compile("build/ext.so", &source, &arguments)?;
    let found = lab.holds(&[&extension], &[], &[(1, FOO, OpenedVerdict::Renamed)])?;
    same(found[0].would_resolve.as_ref().map(|one| one.outcome), Some(OpeningOutcome::Found))
}

/// What libloading does: a Rust string, which has no NUL behind it, is made a C string at run time.
fn libloading() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libfoo.so.1", &[])?;
    let source = r#"
use std::ffi::{CString, c_char, c_int, c_void};
unsafe extern "C" { fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void; }
pub struct Library(*mut c_void);
impl Library {
    #[inline(never)]
    pub fn open(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        let handle = unsafe { dlopen(name.as_ptr(), 2) };
        (!handle.is_null()).then_some(Self(handle))
    }
}
#[unsafe(no_mangle)]
pub extern "C" fn probe() {
    for (number, name) in [(1, "libfoo.so.1"), (2, "libabsent_of_rust.so.3")] {
        eprintln!("MARK {number}");
        let library = Library::open(name);
        eprintln!("DONE {}", if library.is_some() { "ok" } else { "failed" });
        std::mem::forget(library);
    }
}
"#;
    let text = lab.path("source.rs");
    std::fs::write(&text, source)?;
    let extension = lab.path("build/ext.so");
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--edition", "2024", "--crate-type", "cdylib", "-O", "-C", "link-arg=-Wl,--disable-new-dtags"]);
    command.args(["-C", "link-arg=-Wl,-rpath,$ORIGIN/private", "-o"]).arg(&extension).arg(&text);
    succeed(&mut command)?;
    let names = [(1, FOO, OpenedVerdict::LostInBundle), (2, "libabsent_of_rust.so.3", OpenedVerdict::Missing)];
    lab.holds(&[&extension], &[], &names).map(drop)
}
