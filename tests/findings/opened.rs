//! WW007 and WW008: names that are opened at run time, against the loader, and what is no finding.

use crate::Case;
use crate::support::options;
use crate::workshop::{OLD_TAGS, Workshop, holds, lacks_glibc, says};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use wheelwright::engine::Context;
use wheelwright::engine::project::{DiscoverOptions, discover};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::{Finding, Host, Severity};
use wheelwright::engine::report::dlopen::RemedyKind;
use wheelwright::engine::stage::{Session, SessionOptions};

pub fn all() -> Vec<Case> {
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("a_library_that_only_an_absolute_path_of_the_build_finds", lacks_glibc(), lost),
        case("a_library_that_is_opened_by_its_old_name", lacks_glibc(), renamed),
        case("names_that_nobody_misses", lacks_glibc(), quiet),
    ]
}

fn opener(name: &str) -> String {
    format!("#include <dlfcn.h>\nvoid *opens(void) {{ return dlopen(\"{name}\", RTLD_NOW); }}\n")
}

fn session(shop: &Workshop, path: &Path) -> Session {
    let found = DiscoverOptions { current_directory: shop.path(""), ..DiscoverOptions::default() };
    let project = discover(&[path.to_path_buf()], &found, &Context::new()).unwrap();
    let options = SessionOptions { scratch: shop.path("scratch"), ..options(Mode::Repair, None) };
    Session::open(project, options).unwrap()
}

fn of_codes(session: &mut Session) -> Vec<Finding> {
    let host = Host { os: "linux".into(), arch: "x86_64".into(), libc: Some("glibc".into()) };
    let document = session.audit_document(host, &Context::new()).unwrap();
    let all = document.artifacts.into_iter().flat_map(|report| report.findings);
    all.filter(|one| matches!(one.code.as_str(), "WW007" | "WW008")).collect()
}

fn only(found: Vec<Finding>, code: &str) -> Result<Finding, Failed> {
    match <[Finding; 1]>::try_from(found) {
        Ok([one]) if one.code == code && one.severity == Severity::Warning => Ok(one),
        Ok([one]) => Err(format!("{one:#?}").into()),
        Err(found) => Err(format!("{found:#?}").into()),
    }
}

/// The finding `code`, gone once a remedy is adopted.
fn mended(session: &mut Session, code: &str, name: &str) -> Result<Finding, Failed> {
    let finding = only(of_codes(session), code)?;
    let id = session.project().artifacts[0].id;
    let adoption = session.adoption(id, RemedyKind::KeepSoname, name, &Context::new())?;
    session.adopt(adoption, &Context::new())?;
    let left = of_codes(session);
    holds("the remedy ends it", left.is_empty())?;
    Ok(finding)
}

fn lost() -> Result<(), Failed> {
    let shop = Workshop::new();
    shop.library("private/libopt.so.3", "opt", &[]);
    let rpath = format!("-Wl,-rpath,{}", shop.path("private").display());
    let root = shop.compile("root.so", &opener("libopt.so.3"), &["-shared", "-fPIC", OLD_TAGS, &rpath, "-ldl"]);
    let finding = mended(&mut session(&shop, &root), "WW007", "libopt.so.3")?;
    says(&finding, &["root.so passes libopt.so.3", ".rodata", "in opens"])?;
    holds("the fix adopts", finding.fix.iter().any(|line| line.contains("--adopt keep-soname:libopt.so.3@root.so")))?;
    holds("and says what does not help", finding.fix.iter().any(|line| line.contains("do not help here: add-rpath")))
}

fn renamed() -> Result<(), Failed> {
    let shop = Workshop::new();
    shop.library("private/libopt.so.3", "opt", &[]);
    let rpath = format!("-Wl,-rpath,{}", shop.path("private").display());
    // It needs the library by another name of the same file, as a link through a development package does.
    let both = format!("int opt(void); int needs(void) {{ return opt(); }}\n{}", opener("libopt.so.3"));
    let arguments = ["-shared", "-fPIC", OLD_TAGS, &rpath, "@private/libopt.so.3", "-ldl"];
    let root = shop.compile("root.so", &both, &arguments);
    let mut session = session(&shop, &root);
    let finding = mended(&mut session, "WW008", "libopt.so.3")?;
    says(&finding, &["is grafted as libopt-", "needed by root.so"])?;
    holds("the title has the new name", finding.title.contains("changes to libopt-"))
}

/// Names of the policy's list, names found nowhere, and names in files that open nothing.
fn quiet() -> Result<(), Failed> {
    let shop = Workshop::new();
    shop.library("private/libopt.so.3", "opt", &[]);
    let rpath = format!("-Wl,-rpath,{}", shop.path("private").display());
    let common = ["-shared", "-fPIC", OLD_TAGS, &rpath, "-ldl"];
    let text = "const char name[] = \"libopt.so.3\"; const char *says(void) { return name; }\n".to_string();
    for (name, source) in [("m.so", opener("libm.so.6")), ("n.so", opener("libnowhere.so.9")), ("t.so", text)] {
        let root: PathBuf = shop.compile(name, &source, &common);
        let found = of_codes(&mut session(&shop, &root));
        holds(&format!("{name}: {found:#?}"), found.is_empty())?;
    }
    Ok(())
}
