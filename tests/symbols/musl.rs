//! Built cases of musl's lookup against musl's own loader, where it and its compiler are installed.

use crate::Case;
use crate::lab::{Lab, same, symbol, unbound};
use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;

const LOADER: &str = "/lib/ld-musl-x86_64.so.1";

pub fn all() -> Vec<Case> {
    let found = Path::new(LOADER).exists() && Command::new("musl-gcc").arg("--version").output().is_ok();
    vec![Case {
        name: "musl_takes_default_versions_only",
        lacking: (!found).then(|| "needs musl-gcc".to_string()),
        run: defaults,
    }]
}

fn defaults() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.compiler = "musl-gcc";
    // What the program is linked with has all that it asks for.
    let whole = "int f(void) { return 0; } int g(void) { return 0; } int other(void) { return 0; } int nowhere(void) { return 0; }";
    lab.versioned("new/libv.so", whole, "V1 { global: f; g; other; nowhere; };\n", &[]);
    let text = "__asm__(\".symver old, f@V1\"); __asm__(\".symver new, g@@V2\"); int old(void) { return 1; }
        int new(void) { return 0; } int other(void) { return 0; }";
    lab.versioned("libv.so", text, "V1 { global: other; };\nV2 { } V1;\n", &[]);
    let text = "int f(void); int g(void); int other(void); int nowhere(void); __attribute__((weak)) int maybe(void);
        int main(void) { return g() + other() + (maybe ? maybe() : 0) + f() + nowhere(); }";
    let program = lab.build("p", text, &["@new/libv.so"]);
    let report = lab.report(&program);
    let ours: Vec<String> = unbound(&report, &lab.graph(&program)).into_iter().map(|(_, name, _)| name).collect();
    let output = Command::new(LOADER).arg(&program).env("LD_BIND_NOW", "1").output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut truth: Vec<String> = text
        .lines()
        .filter_map(|line| Some(line.strip_suffix(": symbol not found")?.rsplit_once(": ")?.1.to_string()))
        .collect();
    truth.sort();
    truth.dedup();
    same(ours, truth)?;
    // musl looks at no version: g of V2 serves who asks for g of V1.
    same(symbol(&report, "g")?.to, Some(1))
}
