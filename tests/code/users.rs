//! Who uses an imported symbol, told by objdump's remarks on calls and on operands.

use super::objdump::listing;
use super::{Case, build};
use libtest_mimic::Failed;
use std::collections::BTreeSet;
use std::path::Path;
use wheelwright::engine::file::Windows;
use wheelwright::engine::{Context, binary, code};

pub fn all() -> Vec<Case> {
    vec![
        ("users in a program bound lazily", || program(&["-Wl,-z,lazy"])),
        ("users in a program bound at once", || program(&["-Wl,-z,now"])),
        ("users in a program without stubs", || program(&["-fno-plt"])),
        ("users in a program with branch tracking", || program(&["-fcf-protection=full", "-Wl,-z,lazy"])),
        ("users in a program with branch tracking and one kind of stub", || {
            program(&["-fcf-protection=full", "-Wl,-z,ibtplt", "-Wl,-z,lazy"])
        }),
        ("users in a library", || program(&["-shared", "-fPIC"])),
        ("users in a cdylib of rustc", rust),
    ]
}

const PROGRAM: &str = "#include <stdio.h>
    #include <stdlib.h>
    #define APART __attribute__((noinline))
    APART int shout(const char *text) { return puts(text) + 1; }
    APART int tail(const char *text) { return puts(text); }
    APART void *taken(void) { return (void *)puts; }
    APART int number(const char *text) { return remove(text) + 1; }
    APART int both(const char *text) { return remove(text) + puts(text); }
    APART int reads(void) { return getc(stdin) + 1; }
    int main(int n, char **all) { return shout(all[0]) + tail(all[0]) + (taken() != 0) + number(all[0]) + both(all[0]) + reads() + n; }";

const LIBRARY: &str = "unsafe extern \"C\" { fn getpid() -> i32; fn getppid() -> i32; }
    #[unsafe(no_mangle)] pub extern \"C\" fn own() -> i32 { unsafe { getpid() + 1 } }
    #[unsafe(no_mangle)] pub extern \"C\" fn tail() -> i32 { unsafe { getpid() } }
    #[unsafe(no_mangle)] pub extern \"C\" fn both() -> i32 { unsafe { getpid() + getppid() } }
    #[unsafe(no_mangle)] pub extern \"C\" fn none() -> i32 { 3 }";

/// The users of each of `symbols` by us and by objdump, functions only; `bare` has no symbols and must have the same users.
fn compare(path: &Path, bare: &Path, symbols: &[&str]) -> Result<(), Failed> {
    let listing = listing(path)?;
    let (ours, stripped) = (users(path, symbols)?, users(bare, symbols)?);
    for (number, symbol) in symbols.iter().enumerate() {
        let remarks = [format!("<{symbol}@plt>"), format!("<{symbol}@GLIBC"), format!("<{symbol}@@GLIBC")];
        let uses = |line: &String| remarks.iter().any(|remark| line.contains(remark));
        // crtstuff.c names the end of the data, where GNU ld puts the copy of `stdin`.
        let starts = ["deregister_tm_clones", "register_tm_clones"];
        let code = listing.iter().filter(|function| !function.section.starts_with(".plt"));
        let code = code.filter(|function| !starts.contains(&function.name.as_str()));
        let found: Vec<_> = code.filter(|function| function.lines.iter().any(uses)).collect();
        if found.is_empty() {
            return Err(format!("objdump shows no user of {symbol}").into());
        }
        let names: BTreeSet<String> = found.iter().map(|function| code::demangled(&function.name)).collect();
        let addresses: BTreeSet<String> =
            found.iter().map(|function| format!("function at {:#x}", function.address)).collect();
        let same = |ours: &BTreeSet<String>, theirs: &BTreeSet<String>| {
            if ours == theirs { Ok(()) } else { Err(format!("{symbol}: ours {ours:?}, objdump {theirs:?}")) }
        };
        same(&ours[number], &names)?;
        let has_start = |name: &&String| name.starts_with("code at ") && *symbol == "stdin";
        same(&stripped[number].iter().filter(|name| !has_start(name)).cloned().collect(), &addresses)?;
    }
    Ok(())
}

fn users(path: &Path, symbols: &[&str]) -> Result<Vec<BTreeSet<String>>, Failed> {
    let source = Windows::open(path)?;
    let slice = binary::read(&source)?.slices.remove(0);
    let found = code::users_of_symbols(&slice, &source, symbols, &Context::new())?.ok_or("nothing was decoded")?;
    let names = symbols.iter().map(|symbol| found[*symbol].functions.iter().cloned().collect());
    Ok(names.collect())
}

fn program(flags: &[&str]) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let flags = [&["-O2", "-fvisibility=hidden"], flags].concat();
    let path = build("cc", PROGRAM, &flags, directory.path(), "whole")?;
    let bare = build("cc", PROGRAM, &[&flags[..], &["-s"]].concat(), directory.path(), "bare")?;
    compare(&path, &bare, &["puts", "remove", "stdin"])
}

fn rust() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let flags = ["-O", "--edition", "2024", "--crate-type", "cdylib"];
    let path = build("rustc", LIBRARY, &flags, directory.path(), "libwhole")?;
    let symbols = ["getpid", "getppid", "memcpy", "malloc", "mmap"];
    let found = users(&path, &symbols)?;
    let own: BTreeSet<&str> = found[0].iter().map(String::as_str).collect();
    if own != BTreeSet::from(["own", "tail", "both"]) || found[1].len() != 1 {
        return Err(format!("{found:?}").into());
    }
    let listing = listing(&path)?;
    // Functions of the same code have one address and several names, of which objdump and we may show different ones.
    let source = Windows::open(&path)?;
    let slice = binary::read(&source)?.slices.remove(0);
    let code = code::Code::find(&slice, &source, &Context::new())?.ok_or("no code was found")?;
    let all = &code.functions;
    for (number, symbol) in symbols.iter().enumerate() {
        let remarks = [format!("<{symbol}@plt>"), format!("<{symbol}@GLIBC")];
        let uses = |line: &String| remarks.iter().any(|remark| line.contains(remark));
        let code = listing.iter().filter(|function| !function.section.starts_with(".plt"));
        let theirs: BTreeSet<String> = code
            .filter(|function| function.lines.iter().any(uses))
            .filter_map(|function| all.name(&source, all.at(function.address)?))
            .collect();
        if found[number] != theirs {
            let differ: Vec<_> = found[number].symmetric_difference(&theirs).collect();
            return Err(format!("{symbol}: {} and {}: {differ:#?}", found[number].len(), theirs.len()).into());
        }
    }
    Ok(())
}
