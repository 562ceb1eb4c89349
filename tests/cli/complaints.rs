//! Bad input: one sentence that names the file, the place and the way out, and the right exit status.

use super::program::Place;

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    let path = place.work().join("nope.so");
    let path = path.to_str().unwrap();
    for command in ["audit", "tree", "plan", "run", "recover"] {
        place.run([command, "nope.so"]).complains(2, &[path, "nothing is there", "name a project"]);
    }
    place.run(["diff", "nope.so", "nope.so"]).complains(2, &[path, "No such file"]);
    assert_eq!(place.run(["audit", "--json", "nope.so"]).out, "");
}

#[test]
fn a_folder_without_artifacts_says_so() {
    let place = Place::new();
    let work = place.work();
    for command in ["audit", "plan", "run"] {
        place.run([command]).complains(2, &[work.to_str().unwrap(), "no native file", "name a project"]);
    }
    place.write("a.whl", b"PK");
    place.run(["audit", "a.whl"]).complains(2, &["a.whl", "is a wheel", "unpack it"]);
}

#[test]
fn a_project_that_is_not_built_says_how_to_build_it() {
    let place = Place::new();
    place.write("Cargo.toml", b"[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    place.write("src/main.rs", b"fn main() {}\n");
    place.run(["audit"]).complains(2, &["no native artifact", "wheelwright build"]);
}

#[test]
fn what_is_no_binary_is_said_with_the_place() {
    let place = Place::with_lab();
    let clean = std::fs::read(place.output("liblabclean.so")).unwrap();
    place.write("files/text.txt", b"hello\n");
    place.write("files/short.so", &clean[..300]);
    let sentences =
        [("text.txt", "at offset 0x0: expected an ELF"), ("short.so", "at offset 0x40: expected 560 bytes")];
    for (name, sentence) in sentences {
        let file = format!("files/{name}");
        place.run(["tree", &file]).complains(2, &[name, sentence]);
        let audit = place.run(["audit", &file]);
        assert_eq!(audit.status, 2);
        assert!(audit.out.contains(name) && audit.out.contains(sentence), "{}", audit.out);
        for command in ["plan", "run"] {
            let ran = place.run([command, &file]);
            assert_eq!(ran.status, 2, "{}", ran.out);
            assert!(ran.out.contains("refused") && ran.out.contains(sentence), "{}", ran.out);
            assert!(ran.out.contains("build it again"), "{}", ran.out);
        }
    }
}

#[test]
fn an_unknown_tag_lists_those_there_are() {
    let place = Place::with_lab();
    let parts = ["\"manylinux_9_9\"", "manylinux_2_17 = manylinux2014", "musllinux_1_2", "linux", "pypi"];
    place.run(["audit", "--compatibility", "manylinux_9_9"]).complains(2, &parts);
}

#[test]
fn tools_that_are_not_there_are_named_with_a_way_out() {
    let place = Place::with_lab();
    let mut command = place.command(["plan", "--patcher", "patchelf", "target/release/liblabext.so"]);
    let ran = super::program::Ran::of(&command.env("PATH", place.work()).output().unwrap());
    ran.complains(2, &["no patchelf on PATH", "leave --patcher away"]);
    place
        .run(["audit", "--interpreter", "./nopy"])
        .complains(2, &["./nopy", "No such file", "leave --interpreter away"]);
}

#[test]
fn places_that_are_no_directories_are_named() {
    let place = Place::with_lab();
    place.write("file", b"");
    let ext = "target/release/liblabext.so";
    let before = std::fs::read(place.output("liblabext.so")).unwrap();
    place.run(["run", ext, "--output", "file"]).complains(2, &["work/file: cannot create", "File exists"]);
    place.run(["audit", ext, "--staging-dir", "file"]).complains(2, &["work/file: is not a directory; name one"]);
    assert_eq!(std::fs::read(place.output("liblabext.so")).unwrap(), before);
}

#[test]
fn a_tree_is_of_one_artifact() {
    let place = Place::with_lab();
    place.run(["tree", "--json", "."]).complains(2, &["liblabclean.so, liblabdlopen.so", "name one of them"]);
    assert_eq!(place.run(["tree", "--json", "."]).out, "");
    let all = place.run(["tree", "."]);
    assert_eq!(all.status, 1, "two of them miss a library");
    assert!(all.out.contains("labwin.dll") && all.out.contains("liblabclean.so"));
}

#[test]
fn an_unknown_finding_lists_those_there_are() {
    let place = Place::new();
    place.run(["explain", "WW999"]).complains(2, &["no finding WW999", "WW001, WW002"]);
}

#[test]
fn nothing_to_recover_is_no_error() {
    let place = Place::with_lab();
    for directory in [".", "target", "crates"] {
        let ran = place.run(["recover", directory]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{directory}");
        assert_eq!(ran.out, "nothing to recover: no session was interrupted here\n");
    }
    assert_eq!(Place::new().run(["recover"]).status, 0);
}

#[test]
fn without_a_terminal_the_way_is_audit() {
    let place = Place::with_lab();
    for arguments in [&[][..], &["target/release/liblabext.so"], &["demo"]] {
        place.run(arguments).complains(2, &["needs a terminal", "wheelwright audit"]);
    }
}

#[test]
fn usage_errors_are_status_two() {
    let place = Place::new();
    for arguments in [
        &["audit", "--no-such-option"][..],
        &["run", "--until", "nothing"],
        &["diff", "one"],
        &["completions", "no-such-shell"],
        &["tree"],
        &["audit", "--mode", "check"],
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.status, 2, "{arguments:?}");
        assert!(ran.out.is_empty() && ran.err.starts_with("error: "), "{}", ran.err);
    }
}
