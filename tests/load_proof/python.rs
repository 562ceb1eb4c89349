//! Extension modules written against Python's stable ABI without its headers, imported by the Python that is there.

use crate::lab::{Case, Lab};
use crate::probes::{OPENER, asked};
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::process::Command;
use wheelwright::engine::report::dlopen::FoundIn;
use wheelwright::engine::report::load::LoadVerdict;

/// What of Python.h a module with one function needs (PEP 384; the layout is that of `PyModuleDef` without free threading).
const HEADER: &str = "#include <stddef.h>\n\
    typedef struct _object PyObject;\n\
    typedef struct { const char *name; PyObject *(*function)(PyObject *, PyObject *); int flags; const char *doc; } PyMethodDef;\n\
    typedef struct { size_t refcount; void *type; void *init; size_t index; void *copy;\n\
      const char *name; const char *doc; size_t size; PyMethodDef *methods; void *rest[4]; } PyModuleDef;\n\
    PyObject *PyModule_Create2(PyModuleDef *, int); PyObject *PyUnicode_FromString(const char *);\n\
    const char *PyUnicode_AsUTF8AndSize(PyObject *, size_t *); void PyErr_SetString(PyObject *, const char *);\n\
    extern PyObject *PyExc_ValueError;\n";
const MODULE: &str = "const char *tell(const char *);\n\
    static PyObject *call(PyObject *self, PyObject *name) { return PyUnicode_FromString(tell(PyUnicode_AsUTF8AndSize(name, NULL))); }\n\
    static PyMethodDef methods[] = {{\"tell\", call, 8, NULL}, {0}};\n\
    static PyModuleDef module = {.refcount = 1, .name = \"native\", .size = -1, .methods = methods};\n\
    PyObject *PyInit_native(void) { return PyModule_Create2(&module, 3); }\n";
const FILES: &[(&str, &str)] = &[
    ("lab/native.abi3.so", "bundle/lab/native.abi3.so"),
    ("lab.libs/libwanted.so.1", "bundle/lab.libs/libwanted.so.1"),
];

fn python() -> PathBuf {
    let named = std::env::var_os("WHEELWRIGHT_PYTHON").unwrap_or_else(|| "python3".into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|path| path.join(&named)).find(|path| path.is_file());
    found.unwrap_or_else(|| named.into())
}

pub fn has_python() -> Result<(), String> {
    let script = "import sys, sysconfig; sys.exit(sys.implementation.name != 'cpython' or bool(sysconfig.get_config_var('Py_GIL_DISABLED')))";
    match Command::new(python()).args(["-c", script]).status() {
        Ok(status) if status.success() && cfg!(target_os = "linux") => Ok(()),
        _ => Err("no CPython; name one by WHEELWRIGHT_PYTHON".to_owned()),
    }
}

/// The module `native` with a search path, which needs a library of the bundle, and that library.
fn lab(code: &str) -> Lab {
    let lab = Lab::new();
    lab.library("bundle/lab.libs/libwanted.so.1", "int wanted(void) { return 1; }", &["-Wl,-soname,libwanted.so.1"]);
    let opener = OPENER.replace("#define", "int wanted(void);\n#define");
    let code = format!("{opener}{HEADER}int use(void) {{ return wanted(); }}\n{code}");
    let arguments = ["-Lbundle/lab.libs", "-l:libwanted.so.1", "-Wl,-rpath,$ORIGIN/../lab.libs"];
    lab.library("bundle/lab/native.abi3.so", &code, &arguments);
    lab
}

fn case<'a>() -> Case<'a> {
    Case { files: FILES, module: Some("lab.inner.native"), interpreter: Some(python()), ..Case::default() }
}

pub fn imported() -> Result<(), Failed> {
    let report = lab(MODULE).load(&case());
    assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
    assert!(report.loaded_by.as_deref().is_some_and(|by| by.starts_with("import by /")), "{report:?}");
    let bundled: Vec<_> = report.libraries.iter().filter(|library| library.from == FoundIn::Bundle).collect();
    assert_eq!(bundled.len(), 1, "{report:?}");
    assert_eq!(bundled[0].path, "bundle:lab.libs/libwanted.so.1");
    assert_eq!(report.started, None);
    Ok(())
}

pub fn start_fails() -> Result<(), Failed> {
    let raises = "PyObject *PyInit_native(void) { PyErr_SetString(PyExc_ValueError, \"not today\"); return NULL; }\n";
    for (code, words) in [(raises, "ValueError: not today"), ("", "PyInit_native")] {
        let report = lab(code).load(&case());
        assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
        assert!(report.started.as_deref().is_some_and(|said| said.contains(words)), "{report:?}");
    }
    Ok(())
}

pub fn graft_removed() -> Result<(), Failed> {
    let report = lab(MODULE).load(&Case { files: &FILES[..1], ..case() });
    assert_eq!(report.verdict, LoadVerdict::Fails, "{report:?}");
    assert_eq!(report.why, "libwanted.so.1: cannot open shared object file: No such file or directory");
    Ok(())
}

pub fn other_version() -> Result<(), Failed> {
    let lab = lab(MODULE);
    let named = [("lab/native.cpython-27-none.so", FILES[0].1), FILES[1]];
    let report = lab.load(&Case { files: &named, ..case() });
    assert_eq!(report.verdict, LoadVerdict::NotTried, "{report:?}");
    assert!(report.why.starts_with("it is not for cpython-3"), "{}", report.why);
    let alone = lab.load(&Case { interpreter: None, ..case() });
    assert_eq!(alone.verdict, LoadVerdict::NotTried, "{alone:?}");
    let absent = lab.load(&Case { interpreter: Some("/nowhere/python".into()), ..case() });
    assert_eq!(absent.verdict, LoadVerdict::NotTried, "{absent:?}");
    let symbol = "int PyFuture_Function(void); int (*take)(void) = PyFuture_Function;\n";
    let newer = self::lab(&format!("{MODULE}{symbol}")).load(&case());
    assert_eq!(newer.verdict, LoadVerdict::NotTried, "{newer:?}");
    assert!(newer.why.contains("PyFuture_Function"), "{}", newer.why);
    Ok(())
}

pub fn probes() -> Result<(), Failed> {
    let lab = lab(MODULE);
    // Found by the search path of the module alone, and by nobody's.
    lab.library("bundle/lab.libs/libother.so.2", "int other;", &[]);
    let names = ["libother.so.2", "libabsent.so.9", "libc.so.6"];
    let script = "import sys; sys.path.insert(0, sys.argv[1])\nimport native\nfor name in sys.argv[2:]: print(native.tell(name))";
    let mut itself = Command::new(python());
    itself.args(["-I", "-S", "-c", script]).arg(lab.path("bundle/lab")).args(names);
    let said = String::from_utf8(itself.output()?.stdout)?;
    let bundle = format!("{}/", lab.path("bundle").display());
    let by_itself: Vec<String> =
        said.lines().map(|line| line.replace(&bundle, "bundle:").replace("lab/../", "")).collect();
    assert_eq!(by_itself.len(), names.len(), "{said}");
    let files = [FILES[0], FILES[1], ("lab.libs/libother.so.2", "bundle/lab.libs/libother.so.2")];
    let mut report = lab.load(&Case { files: &files, open: &asked(&names), ..case() });
    assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
    let opened = report.opened.drain(..).map(|probe| probe.path.or(probe.error).unwrap());
    assert_eq!(opened.collect::<Vec<_>>(), by_itself);
    Ok(())
}
