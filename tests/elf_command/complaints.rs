//! What can't be done: one line that says which file and why, the exit status, and the other files done all the same.

use crate::files::{built, bytes, done, elf, patchelf};
use crate::program::{Ran, contents};
use crate::{Outcome, Test};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("complaints::files_that_are_none", no_files),
    ("complaints::a_bad_file_keeps_none_from_being_done", one_bad),
    ("complaints::options_that_do_not_go_together", usage),
    ("complaints::what_is_not_done_here", not_done),
    ("complaints::a_text_file_that_is_not_there", no_text),
    ("complaints::no_interpreter", no_interpreter),
    ("complaints::a_directory_that_takes_no_files", read_only),
    ("complaints::cut_short_anywhere", cut_short),
];

fn no_files() -> Outcome {
    let place = built();
    for (file, said) in [("absent", "No such file"), (".", "not a regular file"), ("main.c", "not an ELF file")] {
        elf(&place, &["--print-rpath", file]).complains(2, &[file, said]);
        elf(&place, &["--set-rpath", "/a", file]).complains(2, &[file, said]);
    }
    place.write("empty", b"");
    elf(&place, &["--print-needed", "empty"]).complains(2, &["empty", "not an ELF file"]);
    Ok(())
}

fn one_bad() -> Outcome {
    let place = built();
    let ran = elf(&place, &["--set-soname", "x.so", "absent", "libgreet.so.1", "main.c", "libbare.so"]);
    assert_eq!(ran.status, 2);
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    assert_eq!(done(&place, &["--print-soname", "libgreet.so.1", "libbare.so"]), "x.so\nx.so\n");
    Ok(())
}

fn usage() -> Outcome {
    let place = built();
    let before = contents(&place.work());
    elf(&place, &[]).complains(2, &["name a FILE", "patchelf"]);
    elf(&place, &["--output", "x", "main", "libbare.so"]).complains(2, &["--output", "one FILE"]);
    elf(&place, &["--set-os-abi", "windows", "main"]).complains(2, &["--set-os-abi", "windows"]);
    elf(&place, &["--allowed-rpath-prefixes", "/a", "main"]).complains(2, &["--shrink-rpath"]);
    elf(&place, &["--patcher", "patchelf", "main"]).complains(2, &["--patcher"]);
    // These are the parser's own words.
    let rows: [&[&str]; 6] = [
        &["--set-rpath", "/a", "--add-rpath", "/b", "main"],
        &["--remove-rpath", "--shrink-rpath", "main"],
        &["--set-execstack", "--clear-execstack", "main"],
        &["--page-size", "5000", "--set-rpath", "/a", "main"],
        &["--replace-needed", "liba.so"],
        &["--bogus", "main"],
    ];
    for words in rows {
        let ran = elf(&place, words);
        assert_eq!((ran.status, ran.err.starts_with("error: ")), (2, true), "{words:?}: {}", ran.err);
    }
    assert!(contents(&place.work()) == before);
    assert!(done(&place, &["--version"]).starts_with("wheelwright "));
    assert!(done(&place, &["--help"]).contains("--replace-needed <TEXT> <NEW>"));
    Ok(())
}

fn not_done() -> Outcome {
    let place = built();
    let before = contents(&place.work());
    elf(&place, &["--build-resolution-cache", "main"]).complains(2, &["--build-resolution-cache is not done"]);
    elf(&place, &["--rename-dynamic-symbols", "map", "main"]).complains(2, &["--rename-dynamic-symbols is not done"]);
    elf(&place, &["--no-clobber-old-sections", "main"]).complains(2, &["--no-clobber-old-sections is not done"]);
    assert!(contents(&place.work()) == before);
    Ok(())
}

fn no_text() -> Outcome {
    let place = built();
    let before = bytes(&place, "main");
    elf(&place, &["--set-rpath", "@absent", "main"]).complains(2, &["@absent", "getting info about", "No such file"]);
    elf(&place, &["--set-rpath", "@.", "main"]).complains(2, &["@.", "directory"]);
    place.write("nul", b"/a\0b");
    elf(&place, &["--set-rpath", "@nul", "main"]).complains(1, &["NUL"]);
    assert!(bytes(&place, "main") == before);
    Ok(())
}

fn no_interpreter() -> Outcome {
    let place = built();
    elf(&place, &["--print-interpreter", "libbare.so"]).complains(1, &["libbare.so", "no interpreter"]);
    let (succeeds, printed) = patchelf(&place, &["--print-interpreter", "libbare.so"])?;
    assert_eq!((succeeds, printed.as_str()), (false, ""), "patchelf fails too");
    Ok(())
}

fn read_only() -> Outcome {
    let place = built();
    let directory = place.work();
    // Root may write anywhere, so that the program is run as nobody then, from where nobody may run it.
    let program = place.root.join("wheelwright");
    std::fs::copy(env!("CARGO_BIN_EXE_wheelwright"), &program).unwrap();
    std::fs::set_permissions(&place.root, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o555)).unwrap();
    let before = contents(&directory);
    let mut command = Command::new(program);
    command.args(["elf", "--set-soname", "x.so", "libgreet.so.1"]).current_dir(&directory);
    if directory.metadata().unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let ran = command.output();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    Ran::of(&ran.unwrap()).complains(2, &["Permission denied"]);
    assert!(contents(&directory) == before);
    Ok(())
}

fn cut_short() -> Outcome {
    let place = built();
    let whole = bytes(&place, "main");
    for part in 0..64 {
        let length = whole.len() * part / 64;
        place.write("cut", &whole[..length]);
        let ran = elf(&place, &["--print-needed", "--set-rpath", "/a", "--dry-run", "cut"]);
        assert!(ran.status <= 2, "{length}: {}", ran.err);
        assert!(ran.status == 0 || ran.err.starts_with("wheelwright: "), "{length}: {}", ran.err);
    }
    Ok(())
}
