//! Everything that a program opens, in every way, against what the program itself says of it.

use crate::lab::{Lab, unattributed};
use libtest_mimic::Failed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wheelwright::engine::Context;
use wheelwright::engine::report::audit::SearchRule;
use wheelwright::engine::report::trace::{
    ComparedStatus, LoadCause, LoadResult, TraceDocument, TracedLoad, TracedProcess,
};

const PLUGIN: &str = "#include <dlfcn.h>
__attribute__((constructor)) static void begin(void) {
    dlopen(\"libinner.so\", RTLD_NOW);
    dlopen(\"libnowhere-of-plugin.so\", RTLD_NOW);
}\n";

/// The lab with its program, which finds libraries in `lib` by its RUNPATH.
fn lab() -> (Lab, PathBuf) {
    let lab = Lab::new();
    lab.library("lib/libspace.so", "int puts(const char *); int space(void) { return puts(\"\"); }\n", &[]);
    let names = ["byname", "bypath", "thread0", "thread1", "thread2", "child", "second", "third"];
    for name in names {
        lab.library(&format!("lib/lib{name}.so"), &format!("int {name}(void) {{ return 1; }}\n"), &[]);
    }
    std::os::unix::fs::symlink("libbyname.so", lab.path("lib/libalias.so")).unwrap();
    lab.library("inner/libinner.so", "int inner(void) { return 1; }\n", &[]);
    lab.library("lib/libplugin.so", PLUGIN, &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../inner", "-ldl"]);
    lab.library("lib/libgone.so", "int gone(void) { return 1; }\n", &["-Wl,-soname,libgone.so"]);
    let needy = ["-Wl,--no-as-needed", "lib/libgone.so", "-Wl,-soname,libneedy.so"];
    lab.library("lib/libneedy.so", "int gone(void); int needy(void) { return gone(); }\n", &needy);
    std::fs::remove_file(lab.path("lib/libgone.so")).unwrap();
    lab.library("lib/libundefined.so", "int nobody_has_it(void); int f(void) { return nobody_has_it(); }\n", &[]);
    let arguments = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib", "-pthread", "-ldl"];
    let host = lab.build("host", include_str!("host.c"), &arguments);
    (lab, host)
}

fn traced() -> (Lab, PathBuf, TraceDocument) {
    let (lab, host) = lab();
    let directory = lab.path("").display().to_string();
    let options = lab.options(&[&host.display().to_string(), "first", directory.trim_end_matches('/')]);
    let document = lab.run(&options, &Context::new());
    (lab, host, document)
}

/// What is asked for, by whom, and what came of it.
type Row = (String, PathBuf, LoadResult, Option<PathBuf>);

fn row(load: &TracedLoad) -> Row {
    (load.name.clone(), load.asked_by.clone().unwrap_or_default(), load.result, load.path.clone())
}

/// What the program of each process says that it opened.
fn said(lab: &Lab, host: &Path) -> BTreeMap<u32, Vec<Row>> {
    let mut rows: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for line in lab.printed().lines() {
        let [pid, what, name, path]: [&str; 4] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let (path, own) = (Some(PathBuf::from(path)), rows.entry(pid.parse().unwrap()).or_default());
        let of_host = |result, path| (name.to_owned(), host.to_path_buf(), result, path);
        match what {
            "opened" => own.push(of_host(LoadResult::Loaded, path)),
            "failed" => own.push(of_host(LoadResult::Failed, None)),
            "alias" => own.push(of_host(LoadResult::AlreadyLoaded, path)),
            // The loader gives the path of what is there, and nobody who asks.
            _ => own.push((
                lab.path("lib/libbyname.so").display().to_string(),
                "".into(),
                LoadResult::AlreadyLoaded,
                path,
            )),
        }
        if name.ends_with("libplugin.so") {
            let plugin = lab.path("lib/libplugin.so");
            own.push(("libinner.so".into(), plugin.clone(), LoadResult::Loaded, Some(lab.path("inner/libinner.so"))));
            own.push(("libnowhere-of-plugin.so".into(), plugin, LoadResult::Failed, None));
        }
    }
    rows.values_mut().for_each(|rows| rows.sort_by_key(|row| format!("{row:?}")));
    rows
}

pub fn everything_is_told_with_who_asked() -> Result<(), Failed> {
    let (lab, host, document) = traced();
    assert_eq!(document.ended.as_ref().and_then(|ended| ended.status), Some(7), "{document:#?}");
    let mut found: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for process in &document.processes {
        let opened = process.loads.iter().filter(|load| load.cause == LoadCause::Opened);
        found.entry(process.pid).or_default().extend(opened.map(row).map(|(name, asker, result, path)| {
            // A path with its own spelling of the directory is the same file.
            (name, asker, result, path.map(|path| path.canonicalize().unwrap_or(path)))
        }));
    }
    found.values_mut().for_each(|rows| rows.sort_by_key(|row| format!("{row:?}")));
    let mut said = said(&lab, &host);
    for rows in said.values_mut() {
        for row in rows {
            row.3 = row.3.take().map(|path| path.canonicalize().unwrap_or(path));
        }
    }
    for (pid, rows) in &said {
        assert_eq!(found.get(pid), Some(rows), "process {pid}");
    }
    assert_eq!(found.len(), said.len(), "{found:#?}");
    let open = unattributed(&document);
    assert!(open.is_empty(), "{open:#?}");
    Ok(())
}

fn of<'a>(process: &'a TracedProcess, name: &str) -> &'a TracedLoad {
    process.loads.iter().find(|load| load.name == name).unwrap_or_else(|| panic!("{name}: {process:#?}"))
}

pub fn rules_and_reasons_are_told() -> Result<(), Failed> {
    let (lab, host, document) = traced();
    let first = &document.processes[0];
    let rule = |name: &str| {
        let by = of(first, name).found_by.clone().unwrap_or_else(|| panic!("{name}"));
        (by.rule, by.owner.unwrap_or_default())
    };
    assert_eq!(rule("libbyname.so"), (SearchRule::Runpath, "host".into()));
    assert_eq!(rule("libinner.so"), (SearchRule::Runpath, "libplugin.so".into()));
    assert_eq!(rule(&lab.path("lib/libbypath.so").display().to_string()).0, SearchRule::Absolute);
    let nowhere = of(first, "libnowhere.so");
    assert_eq!(nowhere.searched.first().map(|list| list.rule.rule), Some(SearchRule::Runpath));
    assert!(nowhere.tried.contains(&lab.path("lib/libnowhere.so")), "{nowhere:#?}");
    let needy = of(first, "libneedy.so");
    assert_eq!(needy.error.as_deref(), Some("libgone.so was not loaded, which it needs"));
    let gone = of(first, "libgone.so");
    assert_eq!(
        (gone.cause, gone.result, gone.asked_by.clone()),
        (LoadCause::Needed, LoadResult::Failed, Some(lab.path("lib/libneedy.so")))
    );
    assert!(of(first, "libundefined.so").error.as_deref().is_some_and(|text| text.contains("nobody_has_it")));
    let space = of(first, "libspace.so");
    assert!(space.namespace > 0, "{space:#?}");
    let loads =
        first.loads.iter().filter(|load| load.namespace == space.namespace && load.result == LoadResult::Loaded);
    assert!(loads.count() > 1, "the namespace has a libc of its own");
    assert!(document.unseen.is_empty(), "{:?}", document.unseen);
    assert_eq!(first.program.as_deref(), Some(host.as_path()));
    Ok(())
}

pub fn processes_are_kept_apart() -> Result<(), Failed> {
    let (_, host, document) = traced();
    // The program, four forks of it, the second program, and the third in the place of the first.
    let first = document.processes[0].pid;
    let opened = |process: &TracedProcess| {
        let names = process.loads.iter().filter(|load| load.cause == LoadCause::Opened);
        names.map(|load| load.name.clone()).collect::<Vec<_>>()
    };
    let children: Vec<_> =
        document.processes.iter().filter(|one| opened(one).contains(&"libchild.so".into())).collect();
    assert_eq!(children.len(), 4);
    for child in children {
        assert_eq!((child.program.as_deref(), child.loads.len()), (Some(host.as_path()), 2), "{child:#?}");
    }
    let only = |name: &str| document.processes.iter().find(|one| opened(one) == [name.to_owned()]).unwrap();
    assert_eq!(only("libthird.so").pid, first);
    assert_ne!(only("libsecond.so").pid, first);
    assert_eq!(only("libsecond.so").program.as_deref(), Some(host.as_path()));
    assert_eq!(document.processes.len(), 7);
    Ok(())
}

pub fn trees_are_set_beside() -> Result<(), Failed> {
    let (lab, host, document) = traced();
    let first = &document.processes[0];
    let rows = first.compared.as_ref().unwrap();
    let status =
        |name: &str| rows.iter().filter(|row| row.name.ends_with(name)).map(|row| row.status).collect::<Vec<_>>();
    assert_eq!(status("libc.so.6"), [ComparedStatus::AsPredicted]);
    assert_eq!(status("libbyname.so"), [ComparedStatus::NotPredicted]);
    assert_eq!(status("libinner.so"), [ComparedStatus::NotPredicted]);
    assert_eq!(status("libnowhere.so"), [ComparedStatus::Failed]);
    let inner = rows.iter().find(|row| row.name == "libinner.so").unwrap();
    assert_eq!(inner.asked_by, Some(lab.path("lib/libplugin.so")));
    let libc = rows.iter().find(|row| row.name == "libc.so.6").unwrap();
    assert_eq!((libc.asked_by.as_deref(), libc.root.as_deref()), (Some(host.as_path()), Some(host.as_path())));
    Ok(())
}

/// What is needed by something opened is in the tree of that; what came from elsewhere, the variable that the command alone
/// has led to; what is preloaded is known as such.
pub fn needs_of_what_is_opened_are_predicted() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("deep/libdeep.so", "int deep(void) { return 1; }\n", &[]);
    lab.library("pre/libpre.so", "int pre(void) { return 1; }\n", &[]);
    let needs = ["-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN/../deep", "-Ldeep", "-ldeep"];
    let plugin = lab.library("plug/libplug.so", "int plug(void) { return 1; }\n", &needs);
    let source = "#include <dlfcn.h>\nint main(int n, char **w) { return !dlopen(w[n - 1], RTLD_NOW); }\n";
    let host = lab.build("host", source, &["-ldl"]);
    let command = [host.display().to_string(), plugin.display().to_string()];
    let mut options = lab.options(&[&command[0], &command[1]]);
    options.environment.set.push(("LD_PRELOAD".into(), lab.path("pre/libpre.so").into_os_string()));
    let document = lab.run(&options, &Context::new());
    let [process] = document.processes.as_slice() else { panic!("{document:#?}") };
    let pre = of(process, &lab.path("pre/libpre.so").display().to_string());
    assert_eq!((pre.cause, pre.result), (LoadCause::Preload, LoadResult::Loaded));
    assert_eq!(pre.found_by.as_ref().map(|by| by.rule), Some(SearchRule::LdPreload));
    let rows = process.compared.as_ref().unwrap();
    let deep = rows.iter().find(|row| row.name == "libdeep.so").unwrap();
    assert_eq!((deep.status, deep.root.as_deref()), (ComparedStatus::AsPredicted, Some(plugin.as_path())), "{rows:#?}");
    assert_eq!(deep.asked_by.as_deref(), Some(plugin.as_path()));
    let preloaded = rows.iter().find(|row| row.name.ends_with("libpre.so")).unwrap();
    assert_eq!(preloaded.status, ComparedStatus::AsPredicted);
    assert!(
        !rows.iter().any(|row| matches!(row.status, ComparedStatus::Elsewhere | ComparedStatus::NotLoaded)),
        "{rows:#?}"
    );
    Ok(())
}
