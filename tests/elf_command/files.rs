//! The files that the tests work on, made by the C compiler, and what the judges say of a file.

use crate::program::{Place, Ran};
use std::path::Path;
use std::process::Command;

/// A place with a library `libgreet.so.1`, which has a SONAME, a program `main` with a RUNPATH that needs it, and a bare
/// library `libbare.so`, which has neither SONAME nor RUNPATH.
pub fn built() -> Place {
    let place = Place::new();
    place.write("greet.c", b"int greet(void) { return 42; }\n");
    place.write("main.c", b"int greet(void);\nint main(void) { return greet() - 42; }\n");
    cc(&place, &["-shared", "-fPIC", "greet.c", "-Wl,-soname,libgreet.so.1", "-o", "libgreet.so.1"]);
    cc(&place, &["-shared", "-fPIC", "greet.c", "-o", "libbare.so"]);
    let path = "-Wl,--enable-new-dtags,-rpath,$ORIGIN:/opt/nowhere";
    cc(&place, &["main.c", "libgreet.so.1", path, "-o", "main"]);
    place
}

/// Runs the C compiler in `place`.
#[track_caller]
pub fn cc(place: &Place, arguments: &[&str]) {
    let output = Command::new("cc").current_dir(place.work()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `wheelwright elf` in `place`.
pub fn elf(place: &Place, arguments: &[&str]) -> Ran {
    place.run(["elf"].iter().chain(arguments))
}

/// The same, which must succeed and say nothing besides; what it prints.
#[track_caller]
pub fn done(place: &Place, arguments: &[&str]) -> String {
    let ran = elf(place, arguments);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{arguments:?}: {}", ran.out);
    ran.out
}

/// What `readelf` says of the dynamic section, the program headers and the file header; `Err` when there is none.
pub fn readelf(file: &Path) -> Result<String, String> {
    let output = Command::new("readelf").args(["-hldW"]).arg(file).output();
    let output = output.map_err(|error| format!("readelf can't be run: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// What patchelf prints for `arguments` in `place`, and whether it succeeds; `Err` when there is none.
pub fn patchelf(place: &Place, arguments: &[&str]) -> Result<(bool, String), String> {
    let output = Command::new("patchelf").current_dir(place.work()).args(arguments).output();
    let output = output.map_err(|error| format!("patchelf can't be run: {error}"))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Copies `from` of `place` to `to`.
pub fn copy(place: &Place, from: &str, to: &str) {
    std::fs::copy(place.work().join(from), place.work().join(to)).unwrap();
}

/// The bytes of a file of `place`.
#[track_caller]
pub fn bytes(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.work().join(name)).unwrap()
}
