//! The demo lab: its link structure, what its files say by a second parser, what cargo says of its project, and that the
//! files for this platform load, or fail to, as their descriptions promise.

use goblin::Object;
use goblin::elf::Elf;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use wheelwright::engine::Error;
use wheelwright::engine::project::lab::{Lab, lay_out};
use wheelwright::engine::project::{Artifact, LinkedPathSource};
use wheelwright::engine::report::audit::ArtifactKind;

fn lab() -> (tempfile::TempDir, Lab) {
    let directory = tempfile::tempdir().unwrap();
    let lab = lay_out(directory.path()).unwrap();
    (directory, lab)
}

fn artifact<'a>(lab: &'a Lab, name: &str) -> &'a Artifact {
    lab.project.artifacts.iter().find(|artifact| artifact.name == name).unwrap()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// What the dynamic section says: NEEDED, SONAME, DT_RPATH, DT_RUNPATH and the files of `.gnu.version_r`.
#[derive(Debug, Default, PartialEq)]
struct Dynamic {
    needed: Vec<String>,
    soname: Option<String>,
    rpath: Vec<String>,
    runpath: Vec<String>,
    version_files: Vec<String>,
    exported: Vec<String>,
}

fn dynamic(path: &Path) -> Dynamic {
    let bytes = std::fs::read(path).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    let versions = elf.verneed.iter().flat_map(|section| section.iter());
    let defined = elf.dynsyms.iter().filter(|symbol| !symbol.is_import() && symbol.is_function());
    Dynamic {
        needed: owned(&elf.libraries),
        soname: elf.soname.map(str::to_string),
        rpath: owned(&elf.rpaths),
        runpath: owned(&elf.runpaths),
        version_files: versions.map(|need| elf.dynstrtab.get_at(need.vn_file).unwrap().to_string()).collect(),
        exported: defined.map(|symbol| elf.dynstrtab.get_at(symbol.st_name).unwrap().to_string()).collect(),
    }
}

#[test]
fn an_output_is_one_inode_under_cargos_names() {
    let (_directory, lab) = lab();
    let target = lab.project.target_directory.clone().unwrap();
    let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for path in files_below(&target) {
        let metadata = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(&target).unwrap().to_str().unwrap().to_string();
        names.entry(metadata.ino()).or_default().push(name);
    }
    let mut linked: Vec<Vec<String>> = names.into_values().filter(|names| names.len() > 1).collect();
    linked.sort();
    let pair = |directory: &str, deps: &str, name: &str| {
        vec![format!("{directory}/deps/{deps}"), format!("{directory}/{name}")]
    };
    let mut expected: Vec<Vec<String>> = ["ext", "clean", "dlopen", "missing"]
        .map(|name| pair("release", &format!("liblab{name}.so"), &format!("liblab{name}.so")))
        .into();
    expected.extend(["labctl", "labprobe", "labtool"].map(|it| pair("release", &format!("{it}-0123456789abcdef"), it)));
    expected.push(pair("aarch64-apple-darwin/release", "liblabmac.dylib", "liblabmac.dylib"));
    expected.push(pair("x86_64-pc-windows-gnu/release", "labwin.dll", "labwin.dll"));
    let done = ["maturin/liblabdone.so", "release/deps/liblabdone.so", "release/liblabdone.so"];
    expected.push(done.map(str::to_string).into());
    expected.sort();
    assert_eq!(linked, expected);
}

#[test]
fn the_project_names_what_is_there() {
    let (directory, lab) = lab();
    let root = directory.path().canonicalize().unwrap();
    let names: Vec<&str> = lab.project.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    let expected = [
        "liblabclean.so",
        "liblabdlopen.so",
        "liblabdone.so",
        "liblabext.so",
        "liblabmissing.so",
        "labctl",
        "labprobe",
        "labtool",
        "liblabmac.dylib",
        "labwin.dll",
    ];
    assert_eq!(names, expected);
    for (index, artifact) in lab.project.artifacts.iter().enumerate() {
        assert_eq!(artifact.id.0, index);
        assert!(artifact.path.starts_with(&root));
        assert_eq!(artifact.path.file_name().unwrap(), artifact.name.as_str());
        let metadata = artifact.path.metadata().unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o755, "{}", artifact.name);
        let cargo = artifact.cargo.as_ref().unwrap();
        assert_eq!(cargo.profile_directory.join(&artifact.name), artifact.path);
        assert_eq!(artifact.kind == ArtifactKind::Bin, !artifact.name.contains('.'));
    }
    for name in ["liblabext.so", "labctl"] {
        let linked = &artifact(&lab, name).linked_paths;
        assert_eq!(linked.paths, std::slice::from_ref(&lab.private_libraries));
        assert_eq!(linked.source, Some(LinkedPathSource::BuildOutput));
    }
    assert_eq!(artifact(&lab, "liblabclean.so").linked_paths.source, None);
    let output = lab.private_libraries.parent().unwrap().with_file_name("output");
    let said = std::fs::read_to_string(output).unwrap();
    let directory = lab.private_libraries.display();
    assert_eq!(said, format!("cargo:rustc-link-search=native={directory}\ncargo:rustc-link-lib=greet\n"));
}

#[test]
fn cargo_names_the_same_outputs() {
    let (directory, lab) = lab();
    let metadata = cargo_metadata::MetadataCommand::new()
        .cargo_path(env!("CARGO"))
        .current_dir(directory.path())
        .manifest_path(directory.path().join("Cargo.toml"))
        .other_options(vec!["--offline".to_string()])
        .no_deps()
        .env_remove("CARGO_TARGET_DIR")
        .exec()
        .unwrap();
    let mut said: Vec<(String, String)> = Vec::new();
    for package in &metadata.packages {
        let outputs = package.targets.iter().filter(|target| target.is_cdylib() || target.is_bin());
        said.extend(outputs.map(|target| (package.name.to_string(), target.name.clone())));
    }
    said.sort();
    let cargo = lab.project.artifacts.iter().map(|artifact| artifact.cargo.clone().unwrap());
    let mut ours: Vec<(String, String)> = cargo.map(|cargo| (cargo.package, cargo.target)).collect();
    ours.sort();
    assert_eq!(said, ours);
}

#[test]
fn the_lock_file_is_what_cargo_would_write() {
    let (directory, _lab) = lab();
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none", "--charset", "ascii"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("greet-sys v0.1.0"));
}

#[test]
fn elf_files_say_what_they_are_made_to_say() {
    let (_directory, lab) = lab();
    let of = |name: &str| dynamic(&artifact(&lab, name).path);
    let ext = of("liblabext.so");
    assert_eq!(ext.needed, ["libgreet.so.1", "libc.so.6"]);
    assert!(ext.version_files.contains(&"libgreet.so.1".to_string()));
    assert!(ext.rpath.is_empty() && ext.runpath.is_empty());
    let ctl = of("labctl");
    assert_eq!(ctl.needed, ["libgreet.so.1", "libc.so.6"]);
    assert!(ctl.version_files.contains(&"libgreet.so.1".to_string()));
    for name in ["liblabclean.so", "liblabdlopen.so", "labtool", "labprobe"] {
        assert_eq!(of(name).needed, ["libc.so.6"], "{name}");
    }
    assert_eq!(of("liblabmissing.so").needed, ["libmissing.so.3", "libc.so.6"]);
    for name in ["ext", "clean", "dlopen", "done", "missing"] {
        assert!(of(&format!("liblab{name}.so")).exported.contains(&format!("PyInit_lab{name}")));
    }
    let greet = dynamic(&lab.private_libraries.join("libgreet.so.1"));
    assert_eq!(greet.soname.as_deref(), Some("libgreet.so.1"));
    assert_eq!(greet.needed, ["libdeep.so.2"]);
    assert_eq!(greet.runpath, ["$ORIGIN"]);
    assert_eq!(greet.version_files, ["libdeep.so.2"]);
    let deep = dynamic(&lab.private_libraries.join("libdeep.so.2"));
    assert_eq!((deep.soname.as_deref(), deep.needed), (Some("libdeep.so.2"), vec!["libc.so.6".to_string()]));
    assert!(deep.runpath.is_empty());
}

#[test]
fn the_repaired_one_needs_the_very_library_of_the_lab() {
    let (_directory, lab) = lab();
    let library = std::fs::read(lab.private_libraries.join("libgreet.so.1")).unwrap();
    let hash: String = Sha256::digest(&library).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("libgreet-{hash}.so.1");
    let done = dynamic(&artifact(&lab, "liblabdone.so").path);
    assert_eq!(done.needed, [name.clone(), "libc.so.6".to_string()]);
    assert!(done.version_files.contains(&name));
    assert_eq!(done.rpath, ["$ORIGIN/../labdone.libs"]);
    assert!(done.runpath.is_empty());
}

#[test]
fn the_other_formats_need_their_private_library() {
    let (_directory, lab) = lab();
    let mac = std::fs::read(&artifact(&lab, "liblabmac.dylib").path).unwrap();
    let Object::Mach(goblin::mach::Mach::Binary(mac)) = Object::parse(&mac).unwrap() else { panic!("no Mach-O") };
    assert!(mac.libs.contains(&"@rpath/libgreet.1.dylib"));
    assert_eq!(mac.rpaths, ["@loader_path/../lib"]);
    assert_eq!(mac.header.cputype(), goblin::mach::constants::cputype::CPU_TYPE_ARM64);
    let win = std::fs::read(&artifact(&lab, "labwin.dll").path).unwrap();
    let Object::PE(win) = Object::parse(&win).unwrap() else { panic!("no PE") };
    let mut libraries = win.libraries.clone();
    libraries.sort_unstable();
    assert_eq!(libraries, ["KERNEL32.dll", "greet.dll"]);
    assert!(win.exports.iter().any(|export| export.name == Some("PyInit_labwin")));
    for name in ["liblabmac.dylib", "labwin.dll"] {
        let artifact = artifact(&lab, name);
        let library = if name.starts_with("lib") { "libgreet.1.dylib" } else { "greet.dll" };
        assert!(artifact.linked_paths.paths[0].join(library).is_file());
    }
}

#[test]
fn the_files_are_small_and_know_no_build_machine() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built");
    let files = files_below(&built);
    let mut size = 0;
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        size += bytes.len();
        for place in ["/home", "/root", "/tmp", "/work", "/Users", "C:\\"] {
            let found = memchr::memmem::find(&bytes, place.as_bytes());
            assert_eq!(found, None, "{} names {place}", path.display());
        }
    }
    assert_eq!(files.len(), 14);
    assert!(size < 400 << 10, "{size} bytes");
}

#[test]
fn nothing_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine"), "kept").unwrap();
    let Err(Error::Refused { path, .. }) = lay_out(directory.path()) else { panic!("it was not refused") };
    assert_eq!(path, directory.path());
    assert_eq!(files_below(directory.path()), [directory.path().join("mine")]);
    let Err(Error::Io { path, .. }) = lay_out(&directory.path().join("mine")) else { panic!("a file is no directory") };
    assert_eq!(path, directory.path().join("mine"));
    lay_out(&directory.path().join("new/lab")).unwrap();
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod loaded {
    //! Child processes: `labprobe` loads a library as an interpreter does.

    use super::{Lab, artifact, lab};
    use std::path::Path;
    use std::process::{Command, Output};

    fn run(lab: &Lab, name: &str, words: &[&str], library_path: Option<&Path>) -> Output {
        let mut command = Command::new(&artifact(lab, name).path);
        command.args(words).env_remove("LD_LIBRARY_PATH").env("LC_ALL", "C");
        if let Some(path) = library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        // A child that another test is starting may for a moment hold our just written program open for writing.
        loop {
            match command.output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                other => return other.unwrap(),
            }
        }
    }

    fn probe(lab: &Lab, library: &str, function: &str, library_path: Option<&Path>) -> Result<String, String> {
        let path = artifact(lab, library).path.to_str().unwrap().to_string();
        let output = run(lab, "labprobe", &[&path, function], library_path);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn not_found(library: &str) -> Result<String, String> {
        Err(format!("{library}: cannot open shared object file: No such file or directory"))
    }

    #[test]
    fn what_needs_nothing_loads_and_runs() {
        let (_directory, lab) = lab();
        assert_eq!(probe(&lab, "liblabclean.so", "labclean_answer", None), Ok("42".into()));
        let output = run(&lab, "labtool", &[], None);
        assert!(output.status.success());
        assert_eq!(output.stdout, b"labtool needs nothing\n");
    }

    #[test]
    fn the_external_library_is_found_only_where_it_is() {
        let (_directory, lab) = lab();
        let private = lab.private_libraries.clone();
        assert_eq!(probe(&lab, "liblabext.so", "labext_answer", None), not_found("libgreet.so.1"));
        assert_eq!(probe(&lab, "liblabext.so", "labext_answer", Some(&private)), Ok("61".into()));
        assert_eq!(run(&lab, "labctl", &[], None).status.code(), Some(127));
        assert_eq!(run(&lab, "labctl", &[], Some(&private)).stdout, b"hello from libgreet: 42\n");
    }

    #[test]
    fn the_one_that_opens_at_run_time_loads_and_then_fails() {
        let (_directory, lab) = lab();
        let private = lab.private_libraries.clone();
        assert_eq!(probe(&lab, "liblabdlopen.so", "labdlopen_answer", None), Ok("-1".into()));
        assert_eq!(probe(&lab, "liblabdlopen.so", "labdlopen_answer", Some(&private)), Ok("42".into()));
    }

    #[test]
    fn the_broken_ones_are_broken_everywhere() {
        let (_directory, lab) = lab();
        let private = lab.private_libraries.clone();
        for path in [None, Some(private.as_path())] {
            assert_eq!(probe(&lab, "liblabmissing.so", "labmissing_answer", path), not_found("libmissing.so.3"));
            let refused = probe(&lab, "liblabdone.so", "labdone_answer", path).unwrap_err();
            assert!(refused.starts_with("libgreet-") && refused.contains("cannot open"), "{refused}");
        }
    }
}
