//! Built cases of glibc's lookup: scope, weakness, visibility, versions; each is held against the loader.

use crate::Case;
use crate::lab::{Lab, lacks_glibc, same, symbol};
use libtest_mimic::Failed;
use wheelwright::engine::report::symbols::BindingState::{Bound, Unbound, Unused, WeakUnbound};

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("the_first_library_in_breadth_first_order_wins", breadth_first),
        case("a_preloaded_library_wins", preloaded),
        case("a_weak_reference_may_stay_unbound", weak),
        case("a_weak_definition_is_as_good_as_a_strong_one", weak_definition),
        case("hidden_symbols_are_passed_over", hidden),
        case("protected_unique_thread_local_and_indirect_symbols_are_taken", kinds),
        case("a_symbolic_library_looks_in_itself", symbolic),
        case("an_unbound_symbol_of_a_library_is_listed", of_library),
        case("a_missing_library_is_named", missing_library),
        case("a_symbol_without_relocation_is_unused", unused),
        case("every_hash_style_gives_the_same", hash_styles),
        case("a_file_without_sections_is_read", stripped),
    ]
}

fn breadth_first() -> Result<(), Failed> {
    let lab = Lab::new();
    // f is in libdeep (reached first by depth) and in liblate (reached first by breadth).
    lab.library("libdeep.so", "int f(void) { return 1; } int deep(void) { return 1; }", &[]);
    lab.library("libearly.so", "int deep(void); int early(void) { return deep(); }", &["@libdeep.so"]);
    lab.library("liblate.so", "int f(void) { return 2; }", &[]);
    let text = "int f(void); int early(void); int deep(void); int main(void) { return f() + early() + deep() - 4; }";
    let report = lab.binds_alike(&lab.build("p", text, &["@libearly.so", "@liblate.so"]))?;
    let to = |name| symbol(&report, name).map(|symbol| symbol.to);
    // Nodes: p, libearly, liblate, libc, libdeep.
    same([to("early")?, to("f")?, to("deep")?], [Some(1), Some(2), Some(4)])
}

fn preloaded() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("libf.so", "int f(void) { return 1; }", &[]);
    lab.preload = Some(lab.library("libbefore.so", "int f(void) { return 0; }", &[]));
    let report = lab.binds_alike(&lab.build("p", "int f(void); int main(void) { return f(); }", &["@libf.so"]))?;
    same(symbol(&report, "f")?.to, Some(1))
}

fn weak() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "__attribute__((weak)) int f(void); int g(void); int main(void) { return f ? f() : g(); }";
    let report = lab.agrees(&lab.library("libp.so", text, &[]))?;
    same((symbol(&report, "f")?.state, symbol(&report, "g")?.state), (WeakUnbound, Unbound))
}

fn weak_definition() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("libweak.so", "__attribute__((weak)) int f(void) { return 0; }", &[]);
    lab.library("libstrong.so", "int f(void) { return 1; }", &[]);
    let program = lab.build("p", "int f(void); int main(void) { return f(); }", &["@libweak.so", "@libstrong.so"]);
    same(symbol(&lab.binds_alike(&program)?, "f")?.to, Some(1))
}

fn hidden() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library(
        "libf.so",
        "__attribute__((visibility(\"hidden\"))) int f(void) { return 1; } int g(void) { return f(); }",
        &[],
    );
    let text = "int f(void); int g(void); int all(void) { return f() + g(); }";
    let report = lab.agrees(&lab.library("libp.so", text, &["@libf.so"]))?;
    same((symbol(&report, "f")?.state, symbol(&report, "g")?.state), (Unbound, Bound))
}

fn kinds() -> Result<(), Failed> {
    let lab = Lab::new();
    let text = "__attribute__((visibility(\"protected\"))) int guarded(void) { return 0; }
        __thread int local = 0;
        static int chosen(void) { return 0; } static void *choose(void) { return chosen; }
        int indirect(void) __attribute__((ifunc(\"choose\")));
        __asm__(\".globl unique\\n.type unique,@gnu_unique_object\\n.data\\nunique: .quad 0\\n.size unique,8\\n.text\\n\");";
    lab.library("libk.so", text, &[]);
    let text = "int guarded(void); extern __thread int local; int indirect(void); extern long unique;
        long all(void) { return guarded() + local + indirect() + unique; }";
    let report = lab.agrees(&lab.library("libuser.so", text, &["@libk.so"]))?;
    for name in ["guarded", "local", "indirect", "unique"] {
        same((name, symbol(&report, name)?.to), (name, Some(1)))?;
    }
    Ok(())
}

fn symbolic() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.versioned("libold.so", "int f(void) { return 1; }", "V1 { global: f; };", &[]);
    // The library refers to f@V1 of libold and defines an f without a version itself, which any reference may take.
    let text = "int f(void); int g(void) { return f(); }";
    let own = lab.library("libown.so", text, &["@libold.so", "-Wl,-Bsymbolic"]);
    same(symbol(&lab.agrees(&own)?, "f")?.to, Some(1))
}

fn of_library() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("libf.so", "int nowhere(void); int f(void) { return nowhere(); }", &[]);
    let report = lab.agrees(&lab.build("p", "int f(void); int main(void) { return f(); }", &["@libf.so"]))?;
    let found: Vec<_> =
        report.objects.iter().map(|object| (object.node, object.unbound, !object.symbols.is_empty())).collect();
    same(found.get(..2).map(<[_]>::to_vec), Some(vec![(0, 0, true), (1, 1, true)]))
}

fn missing_library() -> Result<(), Failed> {
    let lab = Lab::new();
    let path = lab.versioned("libf.so", "int f(void) { return 1; }", "V1 { global: f; };", &[]);
    let program = lab.build("p", "int f(void); int main(void) { return f(); }", &["@libf.so"]);
    std::fs::remove_file(path)?;
    let report = lab.agrees(&program)?;
    let note = symbol(&report, "f")?.note.ok_or("no note")?;
    same(note.as_str(), "libf.so, which should define it, was not found")
}

fn unused() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("libf.so", "int f(void) { return 0; }", &[]);
    // The assembler's mark puts a name into the table, and no code refers to it.
    let text = "__asm__(\".globl nowhere\\n.globl f\\n\"); int all(void) { return 0; }";
    let report = lab.agrees(&lab.library("libp.so", text, &["@libf.so", "-Wl,-u,nowhere", "-Wl,-u,f"]))?;
    let (nowhere, found) = (symbol(&report, "nowhere")?, symbol(&report, "f")?);
    same((nowhere.state, nowhere.note.is_some()), (Unused, true))?;
    same((found.state, found.note.as_deref()), (Bound, Some("no relocation asks for it")))
}

fn hash_styles() -> Result<(), Failed> {
    for style in ["gnu", "sysv", "both"] {
        let lab = Lab::new();
        let style = format!("-Wl,--hash-style={style}");
        lab.versioned("libf.so", "int f(void) { return 0; }", "V1 { global: f; };", &[&style]);
        let text = "int f(void); int nowhere(void); int all(void) { return f() + nowhere(); }";
        let report = lab.agrees(&lab.library("libp.so", text, &["@libf.so", &style]))?;
        same((symbol(&report, "f")?.to, symbol(&report, "nowhere")?.state), (Some(1), Unbound))?;
    }
    Ok(())
}

fn stripped() -> Result<(), Failed> {
    let lab = Lab::new();
    let library = lab.library("libf.so", "int f(void) { return 0; }", &[]);
    let program = lab.library(
        "libp.so",
        "int f(void); int nowhere(void); int all(void) { return f() + nowhere(); }",
        &["@libf.so"],
    );
    for path in [library, program.clone()] {
        let mut bytes = std::fs::read(&path)?;
        // e_shoff, e_shnum, e_shstrndx.
        bytes[40..48].fill(0);
        bytes[60..64].fill(0);
        std::fs::write(&path, bytes)?;
    }
    let report = lab.agrees(&program)?;
    same((symbol(&report, "f")?.to, symbol(&report, "nowhere")?.state), (Some(1), Unbound))
}
