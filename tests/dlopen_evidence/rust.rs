//! Libraries of Rust, whose texts have no end marks and stand packed one behind the other.

use super::{Case, build, confidence, report, same};
use libtest_mimic::Failed;
use wheelwright::engine::report::dlopen::Confidence;

pub fn all() -> Vec<Case> {
    vec![("names_of_rust_are_cut_out_right", Some("rustc"), names_of_rust)]
}

/// The way a crate for opening libraries goes about it: the name becomes a text of C, and the opening happens a few
/// functions further down.
const SOURCE: &str = r#"
use std::ffi::{CStr, CString, c_char, c_int, c_void};
unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
}
pub struct Library(*mut c_void);
impl Library {
    #[inline(never)]
    pub fn open<T: AsRef<str>>(name: T) -> Option<Self> { Self::open_text(name.as_ref()) }
    #[inline(never)]
    fn open_text(name: &str) -> Option<Self> { Self::open_raw(&CString::new(name).ok()?) }
    #[inline(never)]
    fn open_raw(name: &CStr) -> Option<Self> {
        let handle = unsafe { dlopen(name.as_ptr(), 2) };
        (!handle.is_null()).then(|| Self(handle))
    }
}
#[unsafe(no_mangle)]
pub extern "C" fn one() -> bool { Library::open("libpacked.so.1").is_some() }
#[unsafe(no_mangle)]
pub extern "C" fn two() -> bool { Library::open("libpacked.so.12").is_some() || Library::open("plugin.so").is_some() }
static LIST: [&str; 3] = ["liblist_a.so", "liblist_b.so.3", "cannot open "];
#[unsafe(no_mangle)]
pub extern "C" fn listed() -> bool {
    for name in &LIST {
        if Library::open(name).is_some() { return true; }
    }
    false
}
#[unsafe(no_mangle)]
pub extern "C" fn direct() -> *mut c_void { unsafe { dlopen(c"libdirect.so.7".as_ptr(), 1) } }
#[unsafe(no_mangle)]
pub extern "C" fn complain() { eprintln!("no libcomplaint.so.1 here"); }
"#;

fn names_of_rust() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    for level in ["0", "3"] {
        let level = format!("opt-level={level}");
        let flags =
            ["--edition=2024", "--crate-type=cdylib", "--crate-name=a", "-C", &level, "-C", "prefer-dynamic=no"];
        let report = report(&build("rustc", SOURCE, &flags, directory.path(), "liba.so")?)?;
        // Without optimisation even the address of a constant comes out of a function.
        let direct = if level.ends_with('0') { Confidence::Referred } else { Confidence::Passed };
        same(&level, confidence(&report, "libdirect.so.7"), Some(direct))?;
        for name in ["libpacked.so.1", "libpacked.so.12", "plugin.so", "liblist_a.so", "liblist_b.so.3"] {
            same(&format!("{level} {name}"), confidence(&report, name), Some(Confidence::Referred))?;
        }
        let mut names: Vec<&str> = report.candidates.iter().flatten().map(|found| found.name.as_str()).collect();
        names.sort_unstable();
        let all =
            ["libdirect.so.7", "liblist_a.so", "liblist_b.so.3", "libpacked.so.1", "libpacked.so.12", "plugin.so"];
        same(&format!("{level} all names"), names, all.to_vec())?;
    }
    Ok(())
}
