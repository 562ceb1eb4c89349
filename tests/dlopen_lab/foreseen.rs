//! What a file is foreseen to be after edits, against the file after these edits, read again.

use crate::Case;
use crate::lab::{Lab, NEW, OLD, lacks_glibc};
use libtest_mimic::Failed;
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::binary::{self, Binary};
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{Builtin, EditRequest, Editor, ExecStack, foresee};

pub fn all() -> Vec<Case> {
    vec![Case { name: "foreseen_edits_are_those_of_the_editor", lacking: lacks_glibc(), run: foreseen }]
}

/// Everything that the loader's lens reads of a file.
fn seen(binary: &Binary) -> String {
    let slices = binary.slices.iter().map(|slice| {
        let elf = slice.elf.as_ref();
        let needed: Vec<_> = slice.needed.iter().map(|needed| (needed.name.to_text(), needed.binding)).collect();
        let versions: Vec<_> =
            elf.iter().flat_map(|elf| &elf.version_needs).map(|need| need.library.to_text()).collect();
        let without_defaults =
            elf.and_then(|elf| elf.tables.dynamic_value(0x6fff_fffb)).is_some_and(|flags| flags & 0x800 != 0);
        let names = elf.map_or(0, |elf| elf.tables.dynamic.iter().filter(|entry| entry.d_tag == 1).count());
        format!(
            "{:?} {needed:?} {:?} {versions:?} {:?} {without_defaults} {names}",
            slice.soname, slice.run_paths, slice.interpreter
        )
    });
    slices.collect::<Vec<_>>().join("\n")
}

fn read(path: &Path) -> Result<Binary, Failed> {
    Ok(binary::read(&Windows::open(path)?)?)
}

fn foreseen() -> Result<(), Failed> {
    use EditRequest::{
        AddDebugEntry, AddNeeded, AppendRunPath, NoDefaultLib, RemoveNeeded, RemoveRunPaths, ReplaceNeeded,
        SetExecStack, SetInterpreter, SetOsAbi, SetRpath, SetRunpath, SetSoname,
    };
    let renamed = |from: &str, to: &str| ReplaceNeeded { from: from.into(), to: to.into() };
    let wanted: Vec<Vec<EditRequest>> = vec![
        vec![SetSoname("libother-12345678.so.1".into())],
        vec![SetRpath("$ORIGIN/../lab.libs".into())],
        vec![SetRunpath("$ORIGIN/../lab.libs".into())],
        vec![AppendRunPath("$ORIGIN/../lab.libs".into())],
        vec![RemoveRunPaths],
        vec![renamed("libone.so.1", "libone-12345678.so.1"), renamed("libc.so.6", "libc-1.so.6")],
        vec![renamed("libone.so.1", "libtwo.so.2"), renamed("libtwo.so.2", "libone.so.1")],
        vec![AddNeeded("libnew.so.3".into()), AddNeeded("libone.so.1".into())],
        vec![RemoveNeeded("libone.so.1".into()), AddNeeded("libnew.so.3".into())],
        vec![NoDefaultLib, AddDebugEntry, SetExecStack(ExecStack::NotAsked), SetOsAbi(3)],
        vec![
            SetSoname("libx.so".into()),
            SetRpath("$ORIGIN".into()),
            renamed("libtwo.so.2", "libtwo-12345678.so.2"),
            AddNeeded("libnew.so.3".into()),
        ],
    ];
    let lab = Lab::new()?;
    lab.library("build/libone.so.1", &[])?;
    lab.library("build/libtwo.so.2", &[])?;
    let needs = ["@build/libone.so.1", "@build/libtwo.so.2"];
    let old = lab.library("build/libold.so", &[&needs[..], &[OLD, "-Wl,-rpath,/old:$ORIGIN"]].concat())?;
    let new = lab.library("build/libnew.so", &[&needs[..], &[NEW, "-Wl,-rpath,/new"]].concat())?;
    let none = lab.library("build/libnone.so", &needs)?;
    let filter = lab.library("build/libfilter.so", &[&needs[..], &["-Wl,-F,libreal.so"]].concat())?;
    for library in [old, new, none, filter] {
        for requests in &wanted {
            compare(&lab, &library, requests)?;
        }
    }
    compare(&lab, &lab.path("host"), &[SetInterpreter("/lib/ld-other.so.2".into())])
}

fn compare(lab: &Lab, file: &Path, requests: &[EditRequest]) -> Result<(), Failed> {
    let edited = lab.path("edited");
    std::fs::copy(file, &edited)?;
    let editor = Builtin::default();
    let plan = editor.plan(&Windows::open(&edited)?, requests)?.map_err(|refusal| refusal.to_string())?;
    let foreseen = (foresee(&read(file)?, requests), foresee(&read(file)?, &plan.requests));
    if !plan.is_empty() {
        editor.apply(&edited, &plan, &Context::new())?;
    }
    let truth = seen(&read(&edited)?);
    for ours in [seen(&foreseen.0), seen(&foreseen.1)] {
        if ours != truth {
            return Err(format!("{}: {requests:?}\nforeseen {ours}\nis       {truth}", file.display()).into());
        }
    }
    Ok(())
}
