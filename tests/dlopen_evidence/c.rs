//! Libraries and programs of C and C++.

use super::{Case, build, calls, confidence, report, same};
use libtest_mimic::Failed;
use wheelwright::engine::report::dlopen::Confidence;

pub fn all() -> Vec<Case> {
    vec![
        ("calls_of_c_pass_what_their_source_says", None, calls_of_c),
        ("without_symbols_the_same_names_are_found", None, stripped),
        ("programs_are_read_like_libraries", None, programs),
        ("of_another_machine_texts_are_read_and_calls_are_not", Some("aarch64-linux-gnu-gcc"), another_machine),
        ("calls_of_c_plus_plus_pass_what_their_source_says", Some("c++"), plus_plus),
    ]
}

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
void *constant(void) { return (char *)dlopen("libconstant.so.1", RTLD_NOW) + 1; }
void *tail(void) { return dlopen("libtail.so", RTLD_NOW); }
void *own(void) { return (char *)dlopen(NULL, RTLD_NOW) + 1; }
void *spaced(void) { return (char *)dlmopen(LM_ID_NEWLM, "/opt/x/libspaced.so", RTLD_NOW) + 1; }
void *chosen(int which) { return (char *)dlopen(which ? "libleft.so" : "libright.so", RTLD_NOW) + 1; }
void *made(int version) {
    char name[64];
    snprintf(name, sizeof name, "libmade.so.%d", version);
    return (char *)dlopen(name, RTLD_NOW) + 1;
}
__attribute__((noinline)) void *wrapper(const char *name) {
    if (getenv("NEVER")) return NULL;
    return (char *)dlopen(name, RTLD_NOW) + 1;
}
__attribute__((noinline)) static void *outer(int loud, const char *name) {
    if (loud) puts(name);
    return (char *)wrapper(name) + 1;
}
void *through(void) { return (char *)wrapper("libthrough.so.3") + 1; }
void *deeper(void) { puts("x"); return (char *)outer(1, "libdeeper.so") + 1; }
char changing[] = "libchanging.so";
void *changes(void) { return (char *)dlopen(changing, RTLD_NOW) + 1; }
void *overwritten(int which) {
    const char *name = "libfirst.so";
    for (int at = 0; at < which; at++) { if (getenv(name)) name = getenv("OTHER"); }
    return (char *)dlopen(name, RTLD_NOW) + 1;
}
void *falls(int which) {
    const char *name = "libdefault.so";
    switch (which) {
    case 1: puts("one"); name = "libcase1.so"; break;
    case 2: puts("two"); name = "libcase2.so"; break;
    case 3: puts("three"); name = "libcase3.so"; break;
    case 4: puts("four"); name = getenv("FOUR"); break;
    case 5: puts("five"); name = "libcase5.so"; break;
    case 6: puts("six"); name = "libcase6.so"; break;
    }
    return (char *)dlopen(name, RTLD_NOW) + 1;
}
static const char *const LIST[] = {"liblist1.so.1", "liblist2.so.2"};
void *from_list(int which) { return (char *)dlopen(LIST[which], RTLD_NOW) + 1; }
void complain(void) { puts("cannot load libcomplaint.so.1: giving up"); puts("see libsocket.socket"); }
int main(int count, char **all) { return wrapper(all[0]) == constant() || falls(count) || chosen(count) || made(count); }
"#;

/// How a call's name comes about, and the name.
type Call = (&'static str, Option<&'static str>);

/// What each function of `SOURCE` does: how each call's name comes about, and the name.
fn expected() -> Vec<(&'static str, Vec<Call>)> {
    let constant = |name| vec![("a constant", Some(name))];
    let made = || vec![("made at run time", None)];
    vec![
        ("constant", constant("libconstant.so.1")),
        ("tail", constant("libtail.so")),
        ("own", vec![("null: the program itself", None)]),
        ("spaced", constant("/opt/x/libspaced.so")),
        ("made", made()),
        ("wrapper", vec![("the caller's own argument", None)]),
        ("through", constant("libthrough.so.3")),
        ("overwritten", made()),
        ("falls", made()),
        ("from_list", made()),
    ]
}

fn calls_of_c() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    for flags in [
        &["-O0"][..],
        &["-O1"],
        &["-O2"],
        &["-O3", "-fno-plt"],
        &["-Os", "-fcf-protection"],
        &["-O2", "-fomit-frame-pointer", "-Wl,-z,now"],
        &["-O0", "-fno-omit-frame-pointer", "-Wl,-Bsymbolic"],
    ] {
        let flags = [&["-shared", "-fPIC", "-fno-inline", "-fno-ipa-cp", "-fno-ipa-sra"], flags].concat();
        let report = report(&build("cc", SOURCE, &flags, directory.path(), "liba.so")?)?;
        for (caller, expected) in expected() {
            same(&format!("{flags:?} {caller}"), calls(&report, caller), expected)?;
        }
        // Its address may come out of a slot, which another library may fill.
        for (how, passes) in calls(&report, "changes") {
            let known = ["in memory that can change", "made at run time"];
            same("changes", (known.contains(&how), passes), (true, None))?;
        }
        // Two branches may become two calls, each with its own name.
        for (how, passes) in calls(&report, "chosen") {
            let known =
                [("made at run time", None), ("a constant", Some("libleft.so")), ("a constant", Some("libright.so"))];
            if !known.contains(&(how, passes)) {
                return Err(format!("{flags:?} chosen: {how} {passes:?}").into());
            }
        }
        let passed = ["libconstant.so.1", "libtail.so", "/opt/x/libspaced.so", "libthrough.so.3", "libdeeper.so"];
        for name in passed {
            same(&format!("{flags:?} {name}"), confidence(&report, name), Some(Confidence::Passed))?;
        }
        for name in ["liblist1.so.1", "liblist2.so.2", "libcase1.so", "libcase6.so", "libdefault.so"] {
            same(&format!("{flags:?} {name}"), confidence(&report, name), Some(Confidence::Referred))?;
        }
        same(&format!("{flags:?} pattern"), confidence(&report, "libmade.so.%d"), Some(Confidence::Pattern))?;
        let false_ones = report.candidates.iter().flatten().find(|found| {
            found.name.contains("complaint") || found.name.contains("socket") || found.name.contains("libc.so")
        });
        same("what is no name", false_ones, None)?;
        let imports: Vec<(&str, bool)> =
            report.imports.iter().map(|import| (import.name.as_str(), import.opens)).collect();
        same("imports", imports, vec![("dlmopen", true), ("dlopen", true)])?;
    }
    Ok(())
}

fn stripped() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let flags = ["-shared", "-fPIC", "-O2", "-s", "-fvisibility=hidden", "-fno-inline"];
    let report = report(&build("cc", SOURCE, &flags, directory.path(), "liba.so")?)?;
    for name in ["libconstant.so.1", "libtail.so", "libthrough.so.3", "libdeeper.so"] {
        same(name, confidence(&report, name), Some(Confidence::Passed))?;
    }
    let found = report.candidates.iter().flatten().find(|found| found.name == "libconstant.so.1");
    let function = found.and_then(|found| found.evidence.first()?.function.clone()).unwrap_or_default();
    same("a function without a name", function.starts_with("function at 0x"), true)
}

fn programs() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    for flags in [&["-O2", "-pie", "-fPIE", "-fno-inline"][..], &["-O1", "-no-pie", "-fno-pie", "-fno-inline"]] {
        let report = report(&build("cc", SOURCE, flags, directory.path(), "a")?)?;
        for name in ["libconstant.so.1", "libtail.so", "libthrough.so.3", "libdeeper.so"] {
            same(&format!("{flags:?} {name}"), confidence(&report, name), Some(Confidence::Passed))?;
        }
        same("own", calls(&report, "own"), vec![("null: the program itself", None)])?;
    }
    Ok(())
}

const PLUS_PLUS: &str = r#"
#include <dlfcn.h>
#include <stdexcept>
#include <string>
struct Library {
    explicit Library(const char *name) : handle(dlopen(name, RTLD_NOW)) { if (!handle) throw std::runtime_error(name); }
    ~Library() { if (handle) dlclose(handle); }
    void *handle;
};
__attribute__((noinline)) void *plain() { Library library("libplain.so.2"); return library.handle; }
__attribute__((noinline)) void *caught(int which) {
    try { Library library("libtried.so"); return library.handle; }
    catch (const std::runtime_error &) { return dlopen("libfallback.so", RTLD_NOW); }
}
__attribute__((noinline)) void *joined(const std::string &version) {
    std::string name = "libjoined.so." + version;
    return dlopen(name.c_str(), RTLD_NOW);
}
"#;

fn plus_plus() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    for level in ["-O0", "-O2"] {
        let flags = [level, "-shared", "-fPIC"];
        let report = report(&build("c++", PLUS_PLUS, &flags, directory.path(), "liba.so")?)?;
        for name in ["libplain.so.2", "libtried.so", "libfallback.so"] {
            let found = confidence(&report, name);
            same(&format!("{level} {name}"), matches!(found, Some(Confidence::Passed)), true)?;
        }
        let joined = calls(
            &report,
            "joined(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)",
        );
        same("joined", joined.iter().all(|(how, passes)| *how == "made at run time" && passes.is_none()), true)?;
    }
    Ok(())
}

fn another_machine() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let flags = ["-shared", "-fPIC", "-O2", "-nostdlib"];
    let source = "void *dlopen(const char *, int); void *open_it(void) { return dlopen(\"libfar.so.1\", 2); }";
    let report = report(&build("aarch64-linux-gnu-gcc", source, &flags, directory.path(), "liba.so")?)?;
    same("calls", report.calls, None)?;
    same("a note", report.notes.iter().filter(|note| note.contains("aarch64")).count(), 1)?;
    let names: Vec<_> =
        report.candidates.iter().flatten().map(|found| (found.name.as_str(), found.confidence)).collect();
    same("names", names, vec![("libfar.so.1", Confidence::Text)])
}
