//! Places that are no libraries: links that go in circles, pipes, devices, folders, and a search path of a mebibyte.

use crate::child::{all_commands, one_command};
use crate::elf::Elf;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

#[test]
fn what_is_no_library_is_passed_by() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    symlink("loop2", folder.join("loop1")).unwrap();
    symlink("loop1", folder.join("loop2")).unwrap();
    symlink("libcircle.so", folder.join("libcircle.so")).unwrap();
    symlink("/dev/zero", folder.join("libzero.so")).unwrap();
    std::fs::create_dir(folder.join("libfolder.so")).unwrap();
    std::fs::write(folder.join("libempty.so"), b"").unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("libpipe.so")).status().unwrap().success());
    let names = ["libcircle.so", "libzero.so", "libfolder.so", "libpipe.so", "libempty.so"];
    for name in names {
        let elf = Elf { rpath: Some(b"$ORIGIN/loop1:$ORIGIN".to_vec()), ..Elf::needing([name]) };
        let path = folder.join(format!("needs-{name}"));
        std::fs::write(&path, elf.bytes()).unwrap();
        let (words, code, document) = one_command(&["tree", "--json"], &path, None);
        let document = document.unwrap();
        assert_eq!((code, &document["tree"]["nodes"][1]["role"]), (1, &"missing".into()), "{words}: {document}");
        all_commands(&path, None);
    }
    for name in names.iter().filter(|name| **name != "libfolder.so") {
        for (words, code, _) in all_commands(&folder.join(name), None) {
            assert_eq!(code, 2, "{words}");
        }
    }
    all_commands(Path::new("/dev/null"), None);
    one_command(&["audit", "--json"], folder, None);
}

/// The kernel takes no longer variable than 128 KiB, so that a longer list can only stand in a file; and there it is an error.
/// The kernel takes no longer variable than 128 KiB, so that a longer list can only stand in a file.
#[test]
fn a_search_path_of_a_mebibyte_is_searched() {
    let directory = tempfile::tempdir().unwrap();
    let entry = "/nowhere/at/all/";
    let plain = directory.path().join("libplain.so");
    std::fs::write(&plain, Elf::needing(["libnowhere.so"]).bytes()).unwrap();
    let long = directory.path().join("liblong.so");
    let elf = Elf { rpath: Some(list(entry, 1 << 20).into_bytes()), ..Elf::needing(["libnowhere.so"]) };
    std::fs::write(&long, elf.bytes()).unwrap();
    let variable = list(entry, 120 << 10);
    for (file, variable) in [(&plain, Some(variable.as_str())), (&long, None)] {
        for (words, code, _) in all_commands(file, variable) {
            assert!(code < 2, "{words}");
        }
    }
}

fn list(entry: &str, length: usize) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() + entry.len() + 8 > length {
            break;
        }
        text.push_str(&format!("{entry}{number}:"));
    }
    text
}

#[test]
fn a_damaged_cache_below_a_sysroot_is_no_end() {
    let directory = tempfile::tempdir().unwrap();
    let sysroot = directory.path().join("root");
    std::fs::create_dir_all(sysroot.join("etc")).unwrap();
    let path = sysroot.join("libneeds.so");
    std::fs::write(&path, Elf::needing(["libnowhere.so"]).bytes()).unwrap();
    let magic = b"glibc-ld.so.cache1.1";
    let mut endless = magic.to_vec();
    endless.resize(48 + 24, 0xff);
    let mut looping = magic.to_vec();
    looping.extend(200_000_u32.to_le_bytes());
    looping.resize(48, 0);
    looping[28] = 2;
    // Every entry bears the same long name.
    let texts = 48 + 24 * 200_000_u32;
    for _ in 0..200_000 {
        for field in [0x0303, texts, texts, 0, 0, 0] {
            looping.extend(u32::to_le_bytes(field));
        }
    }
    looping.extend([b'n'; 4095]);
    looping.push(0);
    for bytes in [Vec::new(), magic.to_vec(), endless, looping] {
        std::fs::write(sysroot.join("etc/ld.so.cache"), bytes).unwrap();
        let sysroot = sysroot.to_str().unwrap();
        let (words, code, _) = one_command(&["tree", "--json", "--sysroot", sysroot], &path, None);
        assert_eq!(code, 1, "{words}");
    }
}
