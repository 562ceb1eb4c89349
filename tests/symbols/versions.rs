//! Built cases of glibc's symbol versions: which one a reference takes, and what `versions_missing` says (WW015).

use crate::Case;
use crate::lab::{Lab, lacks_glibc, same, symbol};
use libtest_mimic::Failed;
use std::path::Path;
use wheelwright::engine::binary;
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::symbols::BindingState::{Bound, Unbound, WeakUnbound};

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("a_reference_takes_its_own_version", own_version),
        case("an_absent_version_of_a_symbol_is_unbound", absent_version),
        case("a_version_is_not_bound_to_its_library", other_library),
        case("an_unversioned_reference_takes_the_base_or_the_only_default", unversioned),
        case("an_unversioned_definition_serves_any_version", unversioned_definition),
        case("an_absent_version_stops_the_load_unless_it_is_weak", weak_version),
        case("a_version_record_that_nobody_answers_stops_the_loader", renamed),
        case("a_library_without_any_version_table_stops_the_loader", no_table),
    ]
}

const TWO: &str = "V1 { global: g; local: *; };\nV2 { global: f; } V1;\n";
const USER: &str = "int f(void); int main(void) { return f(); }";

/// A library with f@V1 hidden and f@@V2.
fn both(lab: &Lab, name: &str) {
    let text = "__asm__(\".symver old, f@V1\"); __asm__(\".symver new, f@@V2\");
        int old(void) { return 1; } int new(void) { return 0; } int g(void) { return 0; }";
    lab.versioned(name, text, "V1 { global: g; };\nV2 { } V1;\n", &[]);
}

fn own_version() -> Result<(), Failed> {
    let lab = Lab::new();
    both(&lab, "libv.so");
    let text = "int f(void); int old(void); __asm__(\".symver old, f@V1\"); int main(void) { return f() + old() - 1; }";
    let report = lab.binds_alike(&lab.build("p", text, &["@libv.so"]))?;
    let symbols = report.objects.first().ok_or("no root")?.symbols.iter();
    let versions: Vec<_> =
        symbols.filter(|found| found.name == "f").map(|found| (found.version.clone(), found.to)).collect();
    same(versions, vec![(Some("V1".to_string()), Some(1)), (Some("V2".to_string()), Some(1))])
}

fn absent_version() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int g(void) { return 0; }";
    lab.versioned("new/libv.so", text, TWO, &[]);
    lab.versioned("libv.so", text, "V1 { global: f; g; };\nV2 { } V1;\n", &[]);
    let report = lab.agrees(&lab.build("p", USER, &["@new/libv.so"]))?;
    let found = symbol(&report, "f")?;
    same((found.state, found.note.as_deref()), (Unbound, Some("libv.so has it as V1 only")))?;
    let weak = "__attribute__((weak)) int f(void); int main(void) { return f ? f() : 0; }";
    let report = lab.binds_alike(&lab.build("q", weak, &["@new/libv.so"]))?;
    same(symbol(&report, "f")?.state, WeakUnbound)?;
    // The version itself is there: ld.so's check before the load has nothing to say.
    same(missing(&lab, &lab.path("p")), Vec::new())
}

fn other_library() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int g(void) { return 0; }";
    lab.versioned("new/libv.so", text, TWO, &[]);
    lab.versioned("libv.so", "int g(void) { return 0; }", "V1 { global: g; };\nV2 { } V1;\n", &[]);
    lab.versioned("libw.so", text, TWO, &[]);
    let report = lab.binds_alike(&lab.build("p", USER, &["@new/libv.so", "@libw.so"]))?;
    let found = symbol(&report, "f")?;
    same((found.state, found.to), (Bound, Some(2)))
}

fn unversioned() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("plain/libv.so", "int f(void) { return 1; } int g(void) { return 0; }", &[]);
    lab.build("p", USER, &["@plain/libv.so"]);
    both(&lab, "libv.so");
    // The oldest version is number 2, and is taken though it is hidden.
    let report = lab.binds_alike(&lab.path("p"))?;
    same(symbol(&report, "f")?.to, Some(1))?;
    // Of the later ones the only default.
    let text = "__asm__(\".symver two, f@V2\"); __asm__(\".symver three, f@@V3\"); int two(void) { return 1; }
        int three(void) { return 0; } int g(void) { return 0; }";
    lab.versioned("libv.so", text, "V1 { global: g; };\nV2 { } V1;\nV3 { } V2;\n", &[]);
    same(symbol(&lab.binds_alike(&lab.path("p"))?, "f")?.to, Some(1))?;
    // None where all later ones are hidden.
    let text = "__asm__(\".symver two, f@V2\"); int two(void) { return 1; } int g(void) { return 0; }";
    lab.versioned("libv.so", text, "V1 { global: g; };\nV2 { } V1;\n", &[]);
    let found = symbol(&lab.agrees(&lab.path("p"))?, "f")?;
    let note = "libv.so has it as V2, none of which an unversioned reference takes";
    same((found.state, found.note.as_deref()), (Unbound, Some(note)))
}

fn unversioned_definition() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int g(void) { return 0; }";
    lab.versioned("new/libv.so", text, TWO, &[]);
    let program = lab.build("p", USER, &["@new/libv.so"]);
    // It needs versions of libc, and so has a table, but defines none.
    lab.library("libv.so", "int puts(const char *); int f(void) { return puts(\"f\") < 0; }", &[]);
    let found = symbol(&lab.binds_alike(&program)?, "f")?;
    same((found.to, found.note.is_some_and(|note| note.contains("warns"))), (Some(1), true))?;
    same(missing(&lab, &program), Vec::new())
}

fn no_table() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int g(void) { return 0; }";
    lab.versioned("new/libv.so", text, TWO, &[]);
    let program = lab.build("p", USER, &["@new/libv.so"]);
    lab.library("libv.so", text, &["-nostdlib"]);
    let output = lab.run(&program, &[("LD_BIND_NOW", "1")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    same((output.status.success(), said.contains("check_match: Assertion")), (false, true))?;
    let found = symbol(&lab.report(&program), "f")?;
    same((found.state, found.note.is_some_and(|note| note.contains("the loader stops"))), (Unbound, true))
}

fn weak_version() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int g(void) { return 0; }";
    lab.versioned("new/libv.so", text, TWO, &[]);
    lab.versioned("libv.so", text, "V1 { global: f; g; };\n", &[]);
    let program =
        lab.build("p", "__attribute__((weak)) int f(void); int main(void) { return f ? f() : 0; }", &["@new/libv.so"]);
    let stops = |lab: &Lab| !lab.run(&program, &[("LD_BIND_NOW", "1")]).status.success();
    same((missing(&lab, &program), stops(&lab)), (vec!["V2".to_string()], true))?;
    // vna_flags of V2: VER_FLG_WEAK.
    let read = binary::read(&Windows::open(&program)?)?;
    let tables = &read.slices[0].elf.as_ref().ok_or("no ELF file")?.tables;
    let start =
        tables.dynamic_value(0x6fff_fffe).and_then(|address| tables.file_offset(address)).ok_or("no versions")?.0;
    let mut bytes = std::fs::read(&program)?;
    let aux = start as usize + bytes[start as usize + 8] as usize;
    bytes[aux + 4] = 2;
    std::fs::write(&program, bytes)?;
    same((missing(&lab, &program), stops(&lab)), (Vec::new(), false))
}

fn renamed() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "int f(void) { return 0; } int g(void) { return 0; }";
    let library = lab.versioned("libv.so", text, TWO, &[]);
    let program = lab.build("p", USER, &["@libv.so", "-Wl,-soname,libw.so"]);
    std::fs::copy(library, lab.path("libw.so"))?;
    std::fs::remove_file(lab.path("libv.so"))?;
    // The program's own SONAME put the other name into its strings; NEEDED is the first dynamic entry.
    let mut bytes = std::fs::read(&program)?;
    let read = binary::read(&Windows::open(&program)?)?;
    let tables = &read.slices[0].elf.as_ref().ok_or("no ELF file")?.tables;
    let entry = |tag| tables.dynamic.iter().position(|entry| entry.d_tag == tag).ok_or("no such entry");
    let (needed, soname) = (entry(1)?, entry(14)?);
    let start = tables.dynamic_range.ok_or("no dynamic section")?.0 as usize;
    let name = bytes[start + soname * 16 + 8..][..8].to_vec();
    bytes[start + needed * 16 + 8..][..8].copy_from_slice(&name);
    std::fs::write(&program, bytes)?;
    let output = lab.run(&program, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    same((said.contains("needed != NULL"), missing(&lab, &program)), (true, vec!["V2".to_string()]))
}

/// What the lens says is missing of the versions that `program` needs.
fn missing(lab: &Lab, program: &Path) -> Vec<String> {
    lab.graph(program)
        .edges
        .iter()
        .filter(|edge| edge.from == 0)
        .flat_map(|edge| edge.versions_missing.clone())
        .collect()
}
