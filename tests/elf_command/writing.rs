//! How results are written: which inode gets them, which names keep the old one, and what is left behind.

use crate::files::{built, bytes, copy, done, elf, readelf};
use crate::program::contents;
use crate::{Outcome, Test};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("writing::other_names_keep_the_old_file", hard_links),
    ("writing::a_symbolic_link_stays_one", symbolic_link),
    ("writing::mode_and_owner_are_kept", mode),
    ("writing::the_output_is_another_file", output),
    ("writing::an_output_that_is_no_file", odd_output),
    ("writing::a_large_file_is_edited_where_it_is", large),
    ("writing::what_is_left_of_an_interrupted_edit", leftovers),
    ("writing::a_dry_run_writes_nothing", dry_run),
    ("writing::a_refused_edit_leaves_the_file", refused),
];

const EDIT: [&str; 2] = ["--set-soname", "libnew.so"];

fn hard_links() -> Outcome {
    let place = built();
    let before = bytes(&place, "libgreet.so.1");
    std::fs::hard_link(place.work().join("libgreet.so.1"), place.work().join("alias")).unwrap();
    let ran = elf(&place, &[&EDIT[..], &["libgreet.so.1"]].concat());
    assert_eq!((ran.status, ran.err.as_str()), (0, "note: libgreet.so.1: the file's other name keeps the old bytes\n"));
    assert!(bytes(&place, "alias") == before, "the edit went through the link");
    assert!(bytes(&place, "libgreet.so.1") != before);
    assert_eq!(place.work().join("alias").metadata().unwrap().nlink(), 1);
    Ok(())
}

fn symbolic_link() -> Outcome {
    let place = built();
    std::os::unix::fs::symlink("libgreet.so.1", place.work().join("link")).unwrap();
    done(&place, &[&EDIT[..], &["link"]].concat());
    assert!(place.work().join("link").symlink_metadata().unwrap().is_symlink());
    assert_eq!(done(&place, &["--print-soname", "libgreet.so.1"]), "libnew.so\n");
    Ok(())
}

fn mode() -> Outcome {
    let place = built();
    let path = place.work().join("libgreet.so.1");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o2751)).unwrap();
    let before = path.metadata().unwrap();
    done(&place, &[&EDIT[..], &["libgreet.so.1"]].concat());
    let after = path.metadata().unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert_eq!(done(&place, &["--print-soname", "libgreet.so.1"]), "libnew.so\n");
    Ok(())
}

fn output() -> Outcome {
    let place = built();
    let before = bytes(&place, "libgreet.so.1");
    done(&place, &[&EDIT[..], &["--output", "new.so", "libgreet.so.1"]].concat());
    assert!(bytes(&place, "libgreet.so.1") == before);
    assert_eq!(done(&place, &["--print-soname", "new.so"]), "libnew.so\n");
    // A file that has everything already is still written there, and one that stood there before is replaced.
    place.write("same.so", b"old");
    std::fs::hard_link(place.work().join("same.so"), place.work().join("other")).unwrap();
    done(&place, &["--set-soname", "libgreet.so.1", "--output", "same.so", "libgreet.so.1"]);
    assert!(bytes(&place, "same.so") == before);
    assert_eq!(bytes(&place, "other"), b"old");
    let mode = |name: &str| place.work().join(name).metadata().unwrap().mode();
    assert_eq!(mode("same.so"), mode("libgreet.so.1"));
    Ok(())
}

fn odd_output() -> Outcome {
    let place = built();
    done(&place, &[&EDIT[..], &["--output", "/dev/null", "libgreet.so.1"]].concat());
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    elf(&place, &[&EDIT[..], &["--output", ".", "libgreet.so.1"]].concat()).complains(2, &["is a directory"]);
    elf(&place, &[&EDIT[..], &["--output", "no/such/place", "libgreet.so.1"]].concat()).complains(2, &["no/such"]);
    assert!(place.left_in_temporary().is_empty());
    Ok(())
}

fn large() -> Outcome {
    let place = built();
    let path = place.work().join("libgreet.so.1");
    let size = 300 << 20;
    std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
    let inode = path.metadata().unwrap().ino();
    let ran = elf(&place, &["--json", "--set-soname", "libnew.so", "libgreet.so.1"]);
    let written = &ran.document()["files"][0]["written"];
    if written["way"] == "in_place" {
        assert!(ran.err.starts_with("note: libgreet.so.1: "), "others are told before it begins: {}", ran.err);
        assert_eq!(path.metadata().unwrap().ino(), inode);
        assert!(written["bytes_written"].as_u64() < Some(1 << 20));
    } else {
        assert_eq!((&written["way"], &written["cloned"]), (&"swapped".into(), &true.into()));
    }
    let ran = elf(&place, &["--json", "--atomic", "--set-soname", "libother.so", "libgreet.so.1"]);
    assert_eq!(ran.document()["files"][0]["written"]["way"], "swapped");
    assert_ne!(path.metadata().unwrap().ino(), inode);
    assert_eq!(path.metadata().unwrap().len(), size);
    assert_eq!(done(&place, &["--print-soname", "libgreet.so.1"]), "libother.so\n");
    Ok(())
}

fn leftovers() -> Outcome {
    let place = built();
    let before = bytes(&place, "main");
    assert_eq!(done(&place, &["--recover", "main"]), "main: no edit of it was interrupted\n");
    elf(&place, &["--recover", "absent", "main"]).complains(2, &["absent", "No such file"]);
    place.write("main.wheelwright-undo", b"this is no log of an edit");
    let ran = elf(&place, &["--recover", "main"]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("main.wheelwright-undo"), "{}", ran.err);
    assert!(bytes(&place, "main") == before);
    let ran = elf(&place, &["--recover", "--json", "main"]);
    assert!(ran.status == 2 && ran.err.starts_with("error: "), "{}", ran.err);
    Ok(())
}

fn dry_run() -> Outcome {
    let place = built();
    let before = contents(&place.work());
    let long = "x".repeat(5000);
    let shown = done(&place, &["--dry-run", "--set-rpath", &long, "--output", "new", "main"]);
    assert!(shown.contains("DT_RUNPATH = xxx") && shown.contains("writes at most"), "{shown}");
    let nothing = done(&place, &["--dry-run", "--set-soname", "libgreet.so.1", "libgreet.so.1"]);
    assert!(nothing.ends_with("  nothing to change\n"), "{nothing}");
    let document = elf(&place, &["--dry-run", "--json", "--set-rpath", "/a", "main"]).document();
    assert_eq!((&document["dry_run"], &document["files"][0]["written"]), (&true.into(), &serde_json::Value::Null));
    assert!(contents(&place.work()) == before, "something was written");
    Ok(())
}

fn refused() -> Outcome {
    let place = built();
    let before = contents(&place.work());
    let both = ["--add-needed", "liba.so", "--remove-needed", "liba.so", "main"];
    elf(&place, &both).complains(1, &["main", "contradict"]);
    let mut object = bytes(&place, "main");
    object[16] = 1;
    place.write("object", &object);
    elf(&place, &[&EDIT[..], &["object"]].concat()).complains(1, &["object file"]);
    std::fs::remove_file(place.work().join("object")).unwrap();
    assert!(contents(&place.work()) == before);
    copy(&place, "main", "kept");
    readelf(&place.work().join("kept")).map(drop)
}
