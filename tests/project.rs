//! Discovery and builds against real cargo projects: small ones, made in a temporary directory and built offline.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::file::Identity;
use wheelwright::engine::project::{
    Artifact, BuildEvent, DiscoverOptions, LinkedPathSource, Project, aliases, build, discover, related, sandboxed,
};
use wheelwright::engine::report::audit::{ArtifactKind, RelatedFile};
use wheelwright::engine::{Context, Error};

const CARGO: &str = env!("CARGO");

/// A directory with a project in it, gone at the end of the test.
struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    fn new(files: &[(&str, &str)]) -> Self {
        let lab = Self { directory: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            lab.write(name, text);
        }
        lab
    }

    /// A package with a cdylib `lab_ext` and a program `lab-tool`.
    fn package() -> Self {
        Self::new(&[
            ("Cargo.toml", &manifest("lab-ext", "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[workspace]\n")),
            ("src/lib.rs", LIBRARY),
            ("src/bin/lab-tool.rs", "fn main() {}\n"),
        ])
    }

    /// The directory as cargo will call it.
    fn root(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn cargo(&self, arguments: &[&str]) {
        let mut command = Command::new(CARGO);
        command.args(arguments).args(["--offline", "--quiet"]).current_dir(self.root());
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_TARGET_DIR"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn options(&self) -> DiscoverOptions {
        DiscoverOptions { cargo: Some(CARGO.into()), current_directory: self.root(), ..DiscoverOptions::default() }
    }

    fn discover(&self, path: &str) -> Project {
        discover(&[self.at(path)], &self.options(), &Context::new()).unwrap()
    }

    /// The artifacts' paths from the project's directory.
    fn found(&self, project: &Project) -> Vec<String> {
        let root = self.root();
        project.artifacts.iter().map(|one| one.path.strip_prefix(&root).unwrap().display().to_string()).collect()
    }

    /// The files related to `artifact`: path from the project's directory without hashes, tie, and whether repaired.
    fn related(&self, artifact: &Artifact, project: &Project) -> Vec<(String, String, bool)> {
        let root = self.root();
        let line = |file: RelatedFile| {
            let path = file.path.strip_prefix(&root).unwrap().display().to_string();
            let path = match path.rsplit_once('-') {
                Some((stem, hash)) if hash.len() == 16 => stem.to_string(),
                _ => path,
            };
            (path, file.tie, file.repaired)
        };
        related(artifact, project).into_iter().map(line).collect()
    }
}

const LIBRARY: &str = "#[unsafe(no_mangle)]\npub extern \"C\" fn lab() -> i32 { 1 }\n";

fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

/// A build script that links a dylib which every machine has, and gives `directory` to the linker.
fn script(directory: &str) -> String {
    format!(
        "fn main() {{\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    \
         println!(\"cargo::rustc-link-lib=dylib=c\");\n    println!(\"cargo:rustc-link-search=native={directory}\");\n    \
         println!(\"cargo:rustc-link-search=dependency=/not/this\");\n}}\n"
    )
}

fn host_triple() -> String {
    let rustc = Path::new(CARGO).with_file_name("rustc");
    let output = Command::new(if rustc.is_file() { rustc } else { "rustc".into() }).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_string()
}

fn library(stem: &str) -> String {
    format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

fn arguments(list: &[&str]) -> Vec<OsString> {
    list.iter().map(OsString::from).collect()
}

fn same_inode(a: &Path, b: &Path) -> bool {
    let (a, b) = (std::fs::metadata(a).unwrap(), std::fs::metadata(b).unwrap());
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[test]
fn a_package_is_found_in_all_profiles_with_its_names_and_cargos_copies() {
    let lab = Lab::package();
    let project = lab.discover("");
    assert!(project.artifacts.is_empty());
    assert!(project.notes[0].contains("nothing is built here yet"), "{:?}", project.notes);

    lab.cargo(&["build"]);
    lab.cargo(&["build", "--release"]);
    let project = lab.discover("");
    let name = library("lab_ext");
    let expected = [
        format!("target/release/{name}"),
        "target/release/lab-tool".into(),
        format!("target/debug/{name}"),
        "target/debug/lab-tool".into(),
    ];
    assert_eq!(lab.found(&project), expected);
    assert_eq!(project.root, Some(lab.root()));
    assert_eq!(project.target_directory, Some(lab.at("target")));
    assert_eq!((project.build_directory.clone(), project.notes.len()), (None, 0));
    for (number, artifact) in project.artifacts.iter().enumerate() {
        assert_eq!(artifact.id.0, number);
        assert_eq!(artifact.path, artifact.loaded_as);
        assert_eq!(artifact.expected_entry_point, None, "nothing here depends on pyo3");
        assert_eq!(artifact.names.defaulted, ["distribution", "module"]);
        let cargo = artifact.cargo.as_ref().unwrap();
        assert_eq!((cargo.package.as_str(), cargo.triple.as_deref()), ("lab-ext", None));
        assert_eq!(cargo.profile_directory, artifact.path.parent().unwrap());
        assert_eq!(cargo.profile_directory, cargo.build_profile_directory);
    }
    let [extension, tool, ..] = project.artifacts.as_slice() else { panic!("two at least") };
    assert_eq!((extension.kind, tool.kind), (ArtifactKind::Cdylib, ArtifactKind::Bin));
    assert_eq!((extension.names.file_name.as_str(), tool.names.file_name.as_str()), ("lab_ext.so", "lab-tool"));
    assert_eq!(tool.names.artifact_dir, "lab_ext.scripts");

    let copies = [format!("target/release/deps/{name}"), "target/release/deps/lab_tool".into()];
    for (artifact, copy) in project.artifacts.iter().zip(copies) {
        assert_eq!(lab.related(artifact, &project), [(copy, "inode".into(), false)]);
        let identity = Identity::of(&artifact.path).unwrap().unwrap();
        let others: Vec<PathBuf> = related(artifact, &project).into_iter().map(|file| file.path).collect();
        let (found, elsewhere) = aliases(&identity, std::slice::from_ref(&artifact.path), &others);
        assert_eq!((found, elsewhere), (others, 0));
    }
    std::fs::hard_link(&extension.path, lab.at("extra")).unwrap();
    let identity = Identity::of(&extension.path).unwrap().unwrap();
    assert_eq!(aliases(&identity, std::slice::from_ref(&extension.path), &[]), (Vec::new(), 2));
}

#[test]
fn a_test_build_of_a_program_is_not_its_copy() {
    let lab = Lab::package();
    lab.cargo(&["build"]);
    lab.cargo(&["test", "--no-run"]);
    let project = lab.discover("");
    let tool = project.artifacts.iter().find(|one| one.name == "lab-tool").unwrap();
    assert_eq!(lab.related(tool, &project), [("target/debug/deps/lab_tool".into(), "inode".into(), false)]);
    std::fs::remove_file(&tool.path).unwrap();
    let project = lab.discover("");
    let tool = project.artifacts.iter().find(|one| one.name == "lab-tool").unwrap();
    assert_eq!(lab.related(tool, &project).len(), 1, "the harness is still no copy when the program is gone");
}

#[test]
fn what_maturins_failing_second_build_leaves_is_found_and_tied() {
    let lab = Lab::package();
    lab.cargo(&["build", "--release"]);
    let name = library("lab_ext");
    let output = lab.at(&format!("target/release/{name}"));
    let copy = lab.at(&format!("target/release/deps/{name}"));
    let staged = lab.at(&format!("target/maturin/{name}"));

    std::fs::remove_file(&output).unwrap();
    let project = lab.discover("");
    let artifact = &project.artifacts[0];
    assert_eq!(artifact.path, output, "cargo's copy alone tells of the output");
    assert_eq!(lab.related(artifact, &project)[0].1, "name");

    // maturin moves the output and edits it in place, through the link that deps/ has.
    std::fs::create_dir(staged.parent().unwrap()).unwrap();
    std::fs::hard_link(&copy, &staged).unwrap();
    lab.write("a.c", "int a(void) { return 1; }\n");
    let link = |name: &str, flags: &[&str]| {
        let mut compiler = Command::new("cc");
        compiler.current_dir(lab.root()).args(["-shared", "-fPIC", "-o", name, "a.c"]).args(flags);
        assert!(compiler.status().unwrap().success());
        lab.at(name)
    };
    link("libgreet-47542e49.so", &[]);
    let flags = ["-Wl,--no-as-needed", "-L.", "-lgreet-47542e49", "-Wl,-rpath,$ORIGIN/../lab.libs"];
    let repaired = link("repaired.so", &flags);
    std::fs::write(&staged, std::fs::read(&repaired).unwrap()).unwrap();
    assert!(same_inode(&copy, &staged));

    let project = lab.discover("");
    let artifact = &project.artifacts[0];
    assert_eq!(artifact.path, output);
    assert!(!artifact.path.exists());
    let expected = [
        (format!("target/release/deps/{name}"), "inode".to_string(), true),
        (format!("target/maturin/{name}"), "inode".to_string(), true),
    ];
    assert_eq!(lab.related(artifact, &project), expected);
    let one = discover(std::slice::from_ref(&output), &lab.options(), &Context::new()).unwrap();
    assert_eq!(lab.found(&one), [format!("target/release/{name}")], "it also opens by its own path");

    // Only the staged file is left.
    std::fs::remove_file(&copy).unwrap();
    let project = lab.discover("");
    assert_eq!(project.artifacts[0].path, output);
    let expected = [(format!("target/maturin/{name}"), "name".to_string(), true)];
    assert_eq!(lab.related(&project.artifacts[0], &project), expected);
}

#[test]
fn a_staged_file_is_tied_to_the_profile_that_it_is_from() {
    let lab = Lab::package();
    lab.cargo(&["build"]);
    lab.cargo(&["build", "--release"]);
    let name = library("lab_ext");
    std::fs::create_dir(lab.at("target/maturin")).unwrap();
    let staged = lab.at(&format!("target/maturin/{name}"));
    std::fs::hard_link(lab.at(&format!("target/debug/{name}")), staged).unwrap();
    let project = lab.discover("");
    let ties = |path: &str| {
        let artifact = project.artifacts.iter().find(|one| one.path == lab.at(path)).unwrap();
        lab.related(artifact, &project).into_iter().map(|(_, tie, _)| tie).collect::<Vec<_>>()
    };
    assert_eq!(ties(&format!("target/debug/{name}")), ["inode", "inode"]);
    assert_eq!(ties(&format!("target/release/{name}")), ["inode"], "another profile's file is not listed");
}

#[test]
fn a_workspace_lists_all_members_and_a_member_its_own() {
    let member =
        |name: &str, rest: &str| manifest(name, &format!("[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n{rest}"));
    let lab = Lab::new(&[
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n"),
        ("crates/one/Cargo.toml", &member("one", "[dependencies]\nbase = { path = \"../base\" }\n")),
        ("crates/one/src/lib.rs", "pub use base::base;\n"),
        ("crates/one/src/main.rs", "fn main() {}\n"),
        ("crates/two/Cargo.toml", &member("two", "")),
        ("crates/two/src/lib.rs", LIBRARY),
        ("crates/two/build.rs", &script("/of/two")),
        ("crates/base/Cargo.toml", &manifest("base", "")),
        ("crates/base/src/lib.rs", "pub fn base() {}\n"),
        ("crates/base/build.rs", &script("/of/base")),
    ]);
    lab.cargo(&["build", "--workspace"]);
    let project = lab.discover("");
    let (one, two) = (library("one"), library("two"));
    let expected = [format!("target/debug/{one}"), "target/debug/one".into(), format!("target/debug/{two}")];
    assert_eq!(lab.found(&project), expected);
    let paths = |artifact: &Artifact| artifact.linked_paths.paths.clone();
    assert_eq!(paths(&project.artifacts[0]), [PathBuf::from("/of/base")]);
    assert_eq!(paths(&project.artifacts[2]), [PathBuf::from("/of/two")], "only what is linked in counts");
    assert_eq!(lab.found(&lab.discover("crates/two")), [format!("target/debug/{two}")]);
    assert_eq!(lab.found(&lab.discover("crates/one/src")).len(), 2);
    let options = DiscoverOptions { current_directory: lab.at("crates"), ..lab.options() };
    let several = [PathBuf::from("two"), "./one/../one".into(), "two".into()];
    let project = discover(&several, &options, &Context::new()).unwrap();
    let expected = [format!("target/debug/{two}"), format!("target/debug/{one}"), "target/debug/one".into()];
    assert_eq!(lab.found(&project), expected);
}

#[test]
fn linked_paths_come_from_messages_while_these_are_of_the_last_build() {
    let lab = Lab::package();
    lab.write("build.rs", &script("/first"));
    lab.write(".cargo/config.toml", "[build]\nrustflags = [\"-L\", \"native=/configured\"]\n");
    lab.cargo(&["build"]);
    let expect = |paths: &[&str], source: LinkedPathSource| {
        let project = lab.discover("");
        for artifact in &project.artifacts {
            let expected: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(artifact.linked_paths.paths, expected);
            assert_eq!(artifact.linked_paths.source, Some(source));
            assert_eq!(artifact.out_directories.len(), 1);
            assert!(artifact.out_directories[0].ends_with("out"));
        }
        assert_eq!(project.artifacts.len(), 2);
        project.notes
    };
    assert!(expect(&["/first", "/configured"], LinkedPathSource::BuildOutput).is_empty());

    let mut events = Vec::new();
    let target = lab.at("target").into_os_string();
    let list = [arguments(&["--offline", "--quiet", "--target-dir"]), vec![target]].concat();
    let outcome = build(CARGO.as_ref(), &list, &lab.root(), &mut |event| events.push(event)).unwrap();
    assert!(outcome.status.success());
    assert_eq!(outcome.kept, [lab.at("target/wheelwright/messages-debug.jsonl")]);
    assert_eq!(outcome.target_directory, Some(lab.at("target")));
    assert!(outcome.outputs.contains(&lab.at("target/debug/lab-tool")));
    let paths = vec![PathBuf::from("/first")];
    assert!(events.contains(&BuildEvent::BuildScript { package: "lab-ext".into(), linked_paths: paths }));
    let is_fresh_tool =
        |event: &BuildEvent| matches!(event, BuildEvent::Artifact { target, fresh: true, .. } if target == "lab-tool");
    assert!(events.iter().any(is_fresh_tool), "a fresh build tells its artifacts too");
    assert!(expect(&["/first", "/configured"], LinkedPathSource::Messages).is_empty());

    lab.write("build.rs", &script("/second"));
    lab.cargo(&["build"]);
    let notes = expect(&["/second", "/configured"], LinkedPathSource::BuildOutput);
    assert!(notes.iter().any(|note| note.contains("messages-debug.jsonl: ignored")), "{notes:?}");

    // The program gets another name: the messages are not of this project any more.
    build(CARGO.as_ref(), &list, &lab.root(), &mut |_| {}).unwrap();
    assert!(expect(&["/second", "/configured"], LinkedPathSource::Messages).is_empty());
    std::fs::rename(lab.at("src/bin/lab-tool.rs"), lab.at("src/bin/lab-other.rs")).unwrap();
    let notes = lab.discover("").notes;
    assert!(notes.iter().any(|note| note.contains("they name lab-tool")), "{notes:?}");

    let ld_paths = vec![PathBuf::from("/option"), "/second".into()];
    let project = discover(&[], &DiscoverOptions { ld_paths, ..lab.options() }, &Context::new()).unwrap();
    let expected = ["/second", "/configured", "/option"].map(PathBuf::from);
    assert_eq!(project.artifacts[0].linked_paths.paths, expected);
}

#[test]
fn a_failed_build_is_an_outcome_and_keeps_the_messages_of_the_last_good_one() {
    let lab = Lab::package();
    let list = [arguments(&["--offline", "--quiet", "--target-dir"]), vec![lab.at("t").into_os_string()]].concat();
    let run = || build(CARGO.as_ref(), &list, &lab.root(), &mut |_| {}).unwrap();
    let kept = run().kept;
    assert_eq!(kept, [lab.at("t/wheelwright/messages-debug.jsonl")]);
    let before = std::fs::read(&kept[0]).unwrap();
    lab.write("src/lib.rs", "this is not rust\n");
    let outcome = run();
    assert!(!outcome.status.success());
    assert!(outcome.kept.is_empty());
    assert_eq!(std::fs::read(&kept[0]).unwrap(), before);
    assert!(build(&lab.at("no-such-cargo"), &[], &lab.root(), &mut |_| {}).is_err());
}

#[test]
fn a_triple_has_directories_and_messages_of_its_own() {
    let lab = Lab::package();
    lab.write("build.rs", &script("/of/triple"));
    let triple = host_triple();
    let target = lab.at("target").into_os_string();
    let list = [arguments(&["--offline", "--quiet", "--release", "--target", &triple, "--target-dir"]), vec![target]];
    let outcome = build(CARGO.as_ref(), &list.concat(), &lab.root(), &mut |_| {}).unwrap();
    assert_eq!(outcome.kept, [lab.at(&format!("target/wheelwright/messages-{triple}-release.jsonl"))]);
    let project = lab.discover("");
    let name = library("lab_ext");
    let expected = [format!("target/{triple}/release/{name}"), format!("target/{triple}/release/lab-tool")];
    assert_eq!(lab.found(&project), expected);
    let cargo = project.artifacts[0].cargo.as_ref().unwrap();
    assert_eq!((cargo.triple.as_deref(), cargo.profile.as_str()), (Some(triple.as_str()), "release"));
    assert_eq!(project.artifacts[0].linked_paths.source, Some(LinkedPathSource::Messages));
    let copy = (format!("target/{triple}/release/deps/{name}"), "inode".into(), false);
    assert_eq!(lab.related(&project.artifacts[0], &project), [copy]);
}

#[test]
fn target_and_build_directories_may_lie_elsewhere() {
    let lab = Lab::package();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().canonicalize().unwrap().join("t");
    lab.cargo(&["build", "--target-dir", target.to_str().unwrap()]);
    assert!(lab.discover("").artifacts.is_empty(), "the default target directory is empty");
    let cargo_target_dir = Some(target.clone().into_os_string());
    let options = DiscoverOptions { cargo_target_dir, ..lab.options() };
    let project = discover(&[], &options, &Context::new()).unwrap();
    assert_eq!(project.target_directory, Some(target.clone()));
    assert_eq!(project.artifacts.len(), 2);
    let file = target.join("debug/lab-tool");
    let project = discover(std::slice::from_ref(&file), &options, &Context::new()).unwrap();
    assert!(project.artifacts[0].cargo.is_some(), "an output is known by its path");

    lab.write(".cargo/config.toml", "[build]\nbuild-dir = \"work\"\n");
    lab.cargo(&["build"]);
    if !lab.at("work/debug").is_dir() {
        return; // This cargo is older than 1.91 and ignores build-dir.
    }
    let project = lab.discover("");
    assert_eq!(project.build_directory, Some(lab.at("work")));
    let artifact = &project.artifacts[0];
    assert_eq!(artifact.cargo.as_ref().unwrap().build_profile_directory, lab.at("work/debug"));
    let copy = (format!("work/debug/deps/{}", artifact.name), "inode".into(), false);
    assert_eq!(lab.related(artifact, &project), [copy]);
    std::fs::remove_dir_all(lab.at("target")).unwrap();
    assert_eq!(lab.found(&lab.discover("")).len(), 2, "the build directory alone tells of the outputs");
}

#[test]
fn pyproject_gives_names_and_finds_the_crate() {
    let lab = Lab::new(&[
        ("crates/py/Cargo.toml", &manifest("lab-ext", "[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n")),
        ("crates/py/src/lib.rs", LIBRARY),
        (
            "pyproject.toml",
            "[project]\nname = \"Lab-Wheel\"\n[tool.maturin]\nmodule-name = \"lab.sub._native\"\nbindings = \"pyo3\"\n\
             manifest-path = \"crates/py/Cargo.toml\"\n",
        ),
    ]);
    let list = arguments(&["--offline", "--quiet", "--target-dir"]);
    let list = [list, vec![lab.at("crates/py/target").into_os_string()]].concat();
    let outcome = build(CARGO.as_ref(), &list, &lab.root(), &mut |_| {}).unwrap();
    assert!(outcome.status.success(), "cargo is told where the crate is");
    for start in ["", "crates/py"] {
        let project = lab.discover(start);
        let [artifact] = project.artifacts.as_slice() else { panic!("one artifact from {start:?}") };
        assert_eq!(artifact.names.distribution, "lab_wheel");
        assert_eq!(artifact.names.artifact_dir, "lab/sub");
        assert_eq!(artifact.names.file_name, "_native.so");
        assert_eq!(
            artifact.names.libs_dir,
            if cfg!(target_os = "macos") { "lab_wheel.dylibs" } else { "lab_wheel.libs" }
        );
        assert_eq!(artifact.expected_entry_point.as_deref(), Some("_native"));
        assert!(artifact.names.defaulted.is_empty());
    }
    let options = DiscoverOptions { module: Some("other".into()), ..lab.options() };
    let project = discover(&[], &options, &Context::new()).unwrap();
    assert_eq!(project.artifacts[0].expected_entry_point.as_deref(), Some("other"));
}

#[test]
fn without_cargo_or_with_a_broken_manifest_files_still_open() {
    let lab = Lab::package();
    lab.cargo(&["build"]);
    let name = library("lab_ext");
    let without = DiscoverOptions { cargo: None, ..lab.options() };
    let expected = ["target/debug/lab-tool".to_string(), format!("target/debug/{name}")];
    let check = |options: &DiscoverOptions, note: &str| {
        let project = discover(&[], options, &Context::new()).unwrap();
        assert_eq!(lab.found(&project), expected);
        assert!(project.artifacts.iter().all(|one| one.cargo.is_none()), "not named by metadata, so never renamed");
        assert!(project.notes[0].contains(note), "{:?}", project.notes);
        assert_eq!(lab.related(&project.artifacts[1], &project)[0].1, "inode");
    };
    check(&without, "cargo is not installed");
    std::fs::create_dir(lab.at("target/maturin")).unwrap();
    std::fs::rename(lab.at(&expected[1]), lab.at(&format!("target/maturin/{name}"))).unwrap();
    let project = discover(&[], &without, &Context::new()).unwrap();
    assert_eq!(lab.found(&project), [expected[0].clone(), format!("target/maturin/{name}")]);
    std::fs::rename(lab.at(&format!("target/maturin/{name}")), lab.at(&expected[1])).unwrap();
    lab.write("Cargo.toml", "[package]\nname = 3\n[workspace]\n");
    check(&lab.options(), "cargo metadata failed");
}

#[test]
fn files_and_folders_open_as_what_they_are() {
    let lab = Lab::package();
    lab.cargo(&["build"]);
    let name = library("lab_ext");
    let output = format!("target/debug/{name}");
    let by_path = lab.discover(&output);
    assert!(by_path.artifacts[0].cargo.is_some());
    let copy = lab.discover(&format!("target/debug/deps/{name}"));
    assert!(copy.artifacts[0].cargo.is_none(), "only outputs that metadata names are cargo's");
    assert_eq!(lab.discover("target/debug").artifacts.len(), 2);

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("pkg")).unwrap();
    std::fs::copy(lab.at(&output), at("pkg/_x.abi3.so")).unwrap();
    std::fs::hard_link(at("pkg/_x.abi3.so"), at("pkg/twin.so")).unwrap();
    std::fs::write(at("pkg/notes.txt"), "text").unwrap();
    let project = discover(&[folder.path().into()], &lab.options(), &Context::new()).unwrap();
    let [artifact] = project.artifacts.as_slice() else { panic!("one inode is one artifact") };
    assert_eq!((artifact.name.as_str(), artifact.kind), ("_x.abi3.so", ArtifactKind::Extension));
    assert_eq!(artifact.expected_entry_point.as_deref(), Some("_x"));
    assert_eq!(project.target_directory, None);

    std::fs::write(at("pyproject.toml"), "[project]\nname = \"of-c\"\n").unwrap();
    let project = discover(&[folder.path().into()], &lab.options(), &Context::new()).unwrap();
    assert!(project.notes[0].contains("names no Cargo.toml"), "{:?}", project.notes);
    assert_eq!(project.artifacts[0].names.libs_dir, "of_c.libs");
    std::fs::remove_file(at("pyproject.toml")).unwrap();

    std::fs::write(at("a.whl"), "").unwrap();
    std::fs::create_dir(at("empty")).unwrap();
    for (path, expected) in [("absent", "nothing is there"), ("a.whl", "is a wheel"), ("empty", "no native file")] {
        let error = discover(&[at(path)], &lab.options(), &Context::new()).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
    let odd = discover(&[at("pkg/notes.txt")], &lab.options(), &Context::new()).unwrap();
    assert_eq!(odd.artifacts.len(), 1, "a file that was named is shown, with its error later");
}

#[test]
fn a_sandbox_has_the_same_layout_links_and_bytes() {
    let lab = Lab::package();
    lab.cargo(&["build", "--release"]);
    let name = library("lab_ext");
    std::fs::create_dir(lab.at("target/maturin")).unwrap();
    let output = lab.at(&format!("target/release/{name}"));
    std::fs::rename(&output, lab.at(&format!("target/maturin/{name}"))).unwrap();
    lab.write("loose/libx.so", "no library");
    let paths = [lab.root(), lab.at("loose/libx.so")];
    let project = discover(&paths, &lab.options(), &Context::new()).unwrap();
    assert_eq!(project.artifacts.len(), 3);

    let scratch = tempfile::tempdir().unwrap();
    let sandbox = sandboxed(&project, scratch.path(), &Context::new()).unwrap();
    let target = scratch.path().join("target");
    assert_eq!(sandbox.target_directory, Some(target.clone()));
    for (copy, original) in sandbox.artifacts.iter().zip(&project.artifacts) {
        assert_eq!((copy.id, &copy.loaded_as), (original.id, &original.path));
        assert!(copy.path.starts_with(scratch.path()));
        let lines = |artifact: &Artifact, project: &Project| {
            let files = related(artifact, project).into_iter();
            files
                .map(|file| (file.path.file_name().unwrap().to_owned(), file.role, file.tie, file.links))
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(copy, &sandbox), lines(original, &project));
        assert_eq!(copy.path.exists(), original.path.exists());
        if original.path.exists() {
            assert_eq!(std::fs::read(&copy.path).unwrap(), std::fs::read(&original.path).unwrap());
            assert!(!same_inode(&copy.path, &original.path));
            let metadata = |path: &Path| std::fs::metadata(path).unwrap();
            assert_eq!(metadata(&copy.path).mode(), metadata(&original.path).mode());
            assert_eq!(metadata(&copy.path).modified().unwrap(), metadata(&original.path).modified().unwrap());
        }
    }
    assert!(!sandbox.artifacts[0].path.exists(), "what is gone stays gone");
    let cargo = sandbox.artifacts[0].cargo.as_ref().unwrap();
    assert_eq!(cargo.profile_directory, target.join("release"));
    assert!(same_inode(&target.join("maturin").join(&name), &target.join("release/deps").join(&name)));
    assert_eq!(sandbox.artifacts[2].path.file_name().unwrap(), "libx.so");
    assert!(sandboxed(&project, scratch.path(), &Context::new()).is_err(), "nothing is overwritten");
}

#[test]
fn a_file_that_a_link_names_is_that_file_and_is_loaded_by_the_link() {
    let lab = Lab::new(&[("real/libx.so.1.2", "no library")]);
    std::os::unix::fs::symlink("real/libx.so.1.2", lab.at("libx.so")).unwrap();
    let project = lab.discover("libx.so");
    let [artifact] = &project.artifacts[..] else { panic!("{:?}", project.artifacts) };
    assert_eq!((&artifact.path, &artifact.loaded_as), (&lab.at("real/libx.so.1.2"), &lab.at("libx.so")));
    assert_eq!(artifact.name, "libx.so");
}

#[test]
fn pyo3s_features_are_read_from_cargos_metadata() {
    let workspace = "[workspace]\nresolver = \"2\"\nmembers = [\"plain\", \"stable\", \"chosen\"]\n\
                     [workspace.dependencies]\npyo3 = { version = \"0.27\", features = [\"abi3-py39\"] }\n";
    let member = |name: &str, rest: &str| manifest(name, &format!("[lib]\ncrate-type = [\"cdylib\"]\n{rest}"));
    let lab = Lab::new(&[
        ("Cargo.toml", workspace),
        ("plain/Cargo.toml", &member("plain", "[dependencies]\npyo3 = \"0.27\"\n")),
        ("plain/src/lib.rs", ""),
        ("stable/Cargo.toml", &member("stable", "[dependencies]\npyo3 = { workspace = true }\n")),
        ("stable/src/lib.rs", ""),
        (
            "chosen/Cargo.toml",
            &member(
                "chosen",
                "[dependencies]\npy = { package = \"pyo3\", version = \"0.27\" }\n[features]\none = [\"py/abi3\"]\n",
            ),
        ),
        ("chosen/src/lib.rs", ""),
        ("chosen/pyproject.toml", "[project]\nname = \"chosen\"\n[tool.maturin]\nfeatures = [\"one\"]\n"),
    ]);
    // Metadata needs no download; building pyo3 would. The outputs are therefore empty files.
    for name in ["plain", "stable", "chosen"] {
        lab.write(&format!("target/release/lib{name}.so"), "");
    }
    let project = lab.discover("");
    assert_eq!(project.notes, Vec::<String>::new());
    let names: Vec<(&str, Option<&str>)> = project
        .artifacts
        .iter()
        .map(|one| (one.names.file_name.as_str(), one.expected_entry_point.as_deref()))
        .collect();
    let expected =
        [("chosen.abi3.so", Some("chosen")), ("plain.so", Some("plain")), ("stable.abi3.so", Some("stable"))];
    assert_eq!(names, expected);
    assert_eq!(project.artifacts[0].names.defaulted, ["module"]);
}
