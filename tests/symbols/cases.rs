//! Built cases: visibility, versions, weak symbols, the order of the search.

use crate::Case;
use crate::lab::{Lab, lacks_glibc, same};
use libtest_mimic::Failed;
use wheelwright::engine::report::symbols::BindingState;

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("the_first_object_in_load_order_defines", order),
        case("a_preloaded_object_comes_first", preload),
        case("hidden_symbols_bind_nobody", hidden),
        case("weak_symbols_may_stay_free", weak),
        case("a_library_reached_through_another_counts", through),
        case("a_version_is_matched", versions),
        case("an_unversioned_reference_takes_the_default", unversioned),
        case("a_versioned_reference_takes_an_unversioned_library", plain_library),
        case("a_symbolic_library_asks_itself_first", symbolic),
        case("the_old_hash_table_answers_alike", old_hash),
        case("data_and_thread_local_symbols", data),
        case("nobody_defines_it", missing),
    ]
}

fn order() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("liba.so", "int f(void) { return 1; } int a(void) { return 1; }", &[])?;
    lab.build("libb.so", "int f(void) { return 2; } int b(void) { return 2; }", &[])?;
    for order in [["@liba.so", "@libb.so"], ["@libb.so", "@liba.so"]] {
        let program = lab.build("p", "int f(), a(), b(); int main() { return f() + a() + b() < 0; }", &order)?;
        lab.agrees_running(&program)?;
    }
    Ok(())
}

fn preload() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.build("liba.so", "int f(void) { return 1; }", &[])?;
    let first = lab.build("libfirst.so", "int f(void) { return 7; } int getpid(void) { return 7; }", &[])?;
    let program = lab.build("p", "int f(), getpid(); int main() { return f() + getpid() < 0; }", &["@liba.so"])?;
    lab.agrees_running(&program)?;
    lab.preload = Some(first.display().to_string());
    lab.agrees_running(&program)
}

fn hidden() -> Result<(), Failed> {
    let lab = Lab::new();
    let code = "__attribute__((visibility(\"hidden\"))) int f(void) { return 1; }
        __attribute__((visibility(\"protected\"))) int g(void) { return f(); }";
    lab.build("liba.so", code, &[])?;
    let library = lab.build("libc1.so", "int f(), g(); int c() { return f() + g(); }", &["@liba.so"])?;
    let (_, report) = lab.agrees(&library)?;
    let states: Vec<_> = report.objects[0].symbols.iter().map(|one| (one.name.as_str(), one.state)).collect();
    same(states.contains(&("f", BindingState::Unbound)) && states.contains(&("g", BindingState::Bound)), true)
}

fn weak() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("liba.so", "__attribute__((weak)) int there(void) { return 1; }", &[])?;
    let code = "__attribute__((weak)) int there(void); __attribute__((weak)) int free_one(void);
        int main() { return (there && there() != 1) || (free_one && free_one()); }";
    let program = lab.build("p", code, &["@liba.so"])?;
    lab.agrees_running(&program)?;
    let (_, report) = lab.agrees(&program)?;
    let free = report.objects[0].symbols.iter().find(|one| one.name == "free_one").ok_or("no such symbol")?;
    same((free.state, free.weak), (BindingState::WeakUnbound, true))
}

fn through() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("libdeep.so", "int deep(void) { return 1; }", &[])?;
    lab.build("liba.so", "int a(void) { return 1; }", &["@libdeep.so"])?;
    let program = lab.build("p", "int a(), deep(); int main() { return a() + deep() < 0; }", &["@liba.so"])?;
    lab.agrees_running(&program)
}

const TWO: &str = "int f_old(void) { return 1; } int f_new(void) { return 2; }
    __asm__(\".symver f_old,f@V_1\"); __asm__(\".symver f_new,f@@V_2\"); int g(void) { return 3; }";

fn versions() -> Result<(), Failed> {
    let lab = Lab::new();
    let map = lab.write("two.map", "V_1 { global: g; local: *; };\nV_2 { global: f; } V_1;\n");
    let script = format!("-Wl,--version-script={}", map.display());
    lab.build("libv.so", TWO, &[&script])?;
    let newest = lab.build("new", "int f(), g(); int main() { return f() + g() < 0; }", &["@libv.so"])?;
    let oldest = "__asm__(\".symver f,f@V_1\"); int f(), g(); int main() { return f() + g() < 0; }";
    let oldest = lab.build("old", oldest, &["@libv.so"])?;
    lab.agrees_running(&newest)?;
    lab.agrees_running(&oldest)?;
    // The library goes back to one version: what was linked against the newer is unbound, with the reason.
    let map = lab.write("one.map", "V_1 { global: f; g; local: *; };\n");
    let script = format!("-Wl,--version-script={}", map.display());
    lab.build("libv.so", "int f(void) { return 1; } int g(void) { return 3; }", &[&script])?;
    lab.agrees_running(&oldest)?;
    let (_, report) = lab.agrees(&newest)?;
    let lost = report.objects[0].symbols.iter().find(|one| one.name == "f").ok_or("no such symbol")?;
    same((lost.state, lost.version.as_deref()), (BindingState::Unbound, Some("V_2")))?;
    same(lost.note.as_deref(), Some("libv.so has it as V_1 only"))
}

fn unversioned() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("libv.so", "int f(void) { return 1; }", &[])?;
    let program = lab.build("p", "int f(); int main() { return f() < 0; }", &["@libv.so"])?;
    let map = lab.write("two.map", "V_1 { global: g; local: *; };\nV_2 { global: f; } V_1;\n");
    lab.build("libv.so", TWO, &[&format!("-Wl,--version-script={}", map.display())])?;
    lab.agrees_running(&program)
}

fn plain_library() -> Result<(), Failed> {
    let lab = Lab::new();
    let map = lab.write("one.map", "V_1 { global: f; local: *; };\n");
    lab.build("libv.so", "int f(void) { return 1; }", &[&format!("-Wl,--version-script={}", map.display())])?;
    let program = lab.build("p", "int f(); int main() { return f() < 0; }", &["@libv.so"])?;
    lab.build("libv.so", "int f(void) { return 1; }", &[])?;
    lab.agrees_running(&program)
}

fn symbolic() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("libfirst.so", "int f(void) { return 1; }", &[])?;
    lab.build("libs.so", "int f(void) { return 2; } int s(void) { return f(); }", &["-Wl,-Bsymbolic"])?;
    let program =
        lab.build("p", "int f(), s(); int main() { return f() + s() < 0; }", &["@libfirst.so", "@libs.so"])?;
    lab.agrees_running(&program)
}

fn old_hash() -> Result<(), Failed> {
    let lab = Lab::new();
    for style in ["sysv", "gnu", "both"] {
        let style = format!("-Wl,--hash-style={style}");
        lab.build("liba.so", "int f(void) { return 1; } int v; int other(void) { return v; }", &[&style])?;
        let program = lab.build("p", "int f(), nope(); extern int v; int main() { return f() < v; }", &["@liba.so"])?;
        lab.agrees_running(&program)?;
    }
    Ok(())
}

fn data() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("liba.so", "__thread int t; int v = 3; const int c = 4;", &[])?;
    let code = "extern __thread int t; extern int v; extern const int c; int d() { return t + v + c; }";
    lab.build("libd.so", code, &["@liba.so"])?;
    let program = lab.build("p", "int d(); int main() { return d() < 0; }", &["@libd.so"])?;
    lab.agrees_running(&program)?;
    let library = lab.path("libd.so");
    let (_, report) = lab.agrees(&library)?;
    same(report.objects[0].symbols.iter().filter(|one| one.state == BindingState::Bound).count() >= 3, true)
}

fn missing() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.build("liba.so", "int gone(void); int a(void) { return gone(); }", &[])?;
    let code = "int a(), away(); extern int data_away; int b(void) { return a() + away() + data_away; }";
    let library = lab.build("libb.so", code, &["@liba.so"])?;
    let (_, report) = lab.agrees(&library)?;
    same((report.objects[0].unbound, report.objects[1].unbound), (2, 1))?;
    same(report.objects[1].symbols[0].name.as_str(), "gone")
}
