//! Opening by name in formats whose loaders can't be asked here: run paths of dyld, and where LoadLibrary does not look.

use super::super::super::opening::{Caller, Namespace, Open, Opened};
use super::super::open::{Before, open};
use super::*;
use crate::engine::report::dlopen::OpeningOutcome;

fn start(format: Format, kind: ObjectKind, path: PathBuf, run_paths: &[&str]) -> Start {
    let arch = Arch { name: "arm64".into(), bits: 64, endian: Endian::Little, machine: 0x0100_000c, flags: 0 };
    let paths = run_paths.iter().map(|text| RunPath { tag: RunPathTag::LcRpath, text: (*text).into() });
    let slice = Slice {
        offset: 0,
        size: 0,
        arch: arch.clone(),
        kind,
        soname: None,
        needed: Vec::new(),
        interpreter: None,
        run_paths: paths.collect(),
        elf: None,
    };
    let name = path.file_name().unwrap_or_default().as_bytes().to_vec();
    let node = present(NodeKind::Root, Name::new(name), (path, None), None);
    let binary = Arc::new(Binary { format, size: 0, slices: vec![slice] });
    Start { node: Node { binary: Some(binary), ..node }, arch, inode: (0, 0) }
}

fn opened(artifact: Start, host: Option<Start>, name: &str, inputs: &LoaderInputs) -> Opened {
    let name = Name::from(name);
    let opens = [Open { name: &name, caller: Caller::Artifact, namespace: Namespace::Base }];
    let before = Before { artifact, host, others: Vec::new(), callers: Vec::new() };
    open(&Objects::default(), before, &opens, inputs, &Context::new()).unwrap().remove(0)
}

fn tried(opened: &Opened) -> Vec<(SearchRule, PathBuf)> {
    opened.candidates.iter().map(|tried| (tried.rule, tried.path.clone())).collect()
}

/// dlopen(3) of macOS: the run paths of the caller and of the program, the working directory, then the usual directories.
#[test]
fn a_leaf_name_is_sought_in_run_paths_first() {
    let inputs = LoaderInputs::new("/here".into());
    let library = ObjectKind::SharedLibrary;
    let artifact = || start(Format::MachO, library, "/x/ext.so".into(), &["@loader_path/lib"]);
    let program = start(Format::MachO, ObjectKind::Executable, "/p/bin/python".into(), &["@executable_path/../lib"]);
    let host = opened(artifact(), Some(program), "libq.dylib", &inputs);
    assert_eq!(host.outcome, OpeningOutcome::Missing);
    let expected = [
        (SearchRule::Rpath, "/x/lib/libq.dylib"),
        (SearchRule::MainRpath, "/p/bin/../lib/libq.dylib"),
        (SearchRule::Relative, "/here/libq.dylib"),
        (SearchRule::Default, "/usr/local/lib/libq.dylib"),
        (SearchRule::Default, "/usr/lib/libq.dylib"),
    ];
    assert_eq!(tried(&host), expected.map(|(rule, path)| (rule, PathBuf::from(path))));
    let by_run_path = opened(artifact(), None, "@rpath/libq.dylib", &inputs);
    assert_eq!(tried(&by_run_path), [(SearchRule::Rpath, PathBuf::from("/x/lib/libq.dylib"))]);
    let system = opened(artifact(), None, "/usr/lib/libobjc.A.dylib", &inputs);
    assert_eq!(system.outcome, OpeningOutcome::Found);
    assert_eq!(system.node.map(|node| node.kind), Some(NodeKind::System));
}

/// LoadLibrary knows the program's directory and the system's, not that of the DLL that calls.
#[test]
fn load_library_does_not_look_beside_the_caller() {
    let directory = tempfile::tempdir().unwrap();
    let (beside, of_program) = (directory.path().join("ext"), directory.path().join("program"));
    std::fs::create_dir_all(&beside).unwrap();
    std::fs::create_dir_all(&of_program).unwrap();
    std::fs::write(beside.join("Greet.dll"), "no library").unwrap();
    let inputs = LoaderInputs::new(directory.path().to_path_buf());
    let artifact = || start(Format::Pe, ObjectKind::SharedLibrary, beside.join("ext.pyd"), &[]);
    let host = || start(Format::Pe, ObjectKind::Executable, of_program.join("python.exe"), &[]);
    let alone = opened(artifact(), None, "greet", &inputs);
    assert_eq!((alone.outcome, alone.candidates.len()), (OpeningOutcome::Missing, 0), "the program is not known");
    let hosted = opened(artifact(), Some(host()), "greet", &inputs);
    assert_eq!(tried(&hosted), [(SearchRule::DllDir, of_program.join("greet.dll"))], "the extension is added");
    let system = opened(artifact(), Some(host()), "Kernel32", &inputs);
    assert_eq!(system.outcome, OpeningOutcome::Found);
    let python = opened(artifact(), Some(host()), "python312.dll", &inputs);
    assert_eq!(python.node.map(|node| node.kind), Some(NodeKind::Libpython));
}

/// What lies beside the DLL that calls is told of, where it is a DLL.
#[test]
fn a_dll_beside_the_caller_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = include_bytes!("../../../../../assets/lab/built/greet.dll");
    std::fs::write(directory.path().join("Greet.dll"), bytes).unwrap();
    let inputs = LoaderInputs::new(directory.path().to_path_buf());
    let windows = crate::engine::file::Windows::open(&directory.path().join("Greet.dll")).unwrap();
    let arch = crate::engine::binary::read(&windows).unwrap().slices[0].arch.clone();
    let mut artifact = start(Format::Pe, ObjectKind::SharedLibrary, directory.path().join("ext.pyd"), &[]);
    artifact.arch = arch;
    let answer = opened(artifact, None, "greet.dll", &inputs);
    assert_eq!(answer.outcome, OpeningOutcome::Missing);
    assert!(answer.note.is_some_and(|note| note.contains("Greet.dll") && note.contains("AddDllDirectory")));
}
