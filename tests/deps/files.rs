//! Files that stand where the library should and are none: ld.so passes over some and gives up at others, and so must the
//! lens, at the same file and with the same words.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::{Lab, lacks_glibc};
use libtest_mimic::Failed;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub fn all() -> Vec<Case> {
    let root = || std::fs::metadata("/proc/self").is_ok_and(|of_self| of_self.uid() == 0);
    let all_readable = || root().then(|| "a superuser may read every file".to_string());
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("a_directory_named_like_the_library", lacks_glibc(), directory),
        case("an_empty_file", lacks_glibc(), empty),
        case("a_linker_script_named_like_the_library", lacks_glibc(), script),
        case("a_file_cut_within_its_header", lacks_glibc(), cut_header),
        case("a_file_cut_within_its_program_headers", lacks_glibc(), cut_program_headers),
        case("a_program_in_the_place_of_a_library", lacks_glibc(), program),
        case("a_library_of_the_other_byte_order", lacks_glibc(), byte_order),
        case("a_library_of_another_os_abi", lacks_glibc(), os_abi),
        case("a_file_that_may_not_be_read", lacks_glibc().or_else(all_readable), unreadable),
        case("a_pipe_named_like_a_directory_of_the_list", lacks_glibc(), file_as_directory),
        case("a_32_bit_program", lacks_glibc().or_else(lacks_32_bits), of_32_bits),
    ]
}

fn with(make: impl Fn(&Lab, &Path)) -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let lab = Lab::new();
        lab.library("good/liba.so", "a", &[]);
        std::fs::create_dir(lab.path("bad"))?;
        make(&lab, &lab.path("bad/liba.so"));
        let program: PathBuf = lab.program("p", &["@good/liba.so", tags, "-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good"]);
        lab.agrees(&program)?;
    }
    Ok(())
}

/// The good library with its bytes changed.
fn edited(edit: impl Fn(&mut Vec<u8>)) -> Result<(), Failed> {
    with(|lab, path| {
        let mut bytes = std::fs::read(lab.path("good/liba.so")).expect("read");
        edit(&mut bytes);
        std::fs::write(path, bytes).expect("written");
    })
}

fn directory() -> Result<(), Failed> {
    with(|_, path| std::fs::create_dir(path).expect("made"))
}

fn empty() -> Result<(), Failed> {
    edited(Vec::clear)
}

fn script() -> Result<(), Failed> {
    edited(|bytes| {
        *bytes = b"INPUT ( libreal.so ) /* a linker script, longer than the header of an ELF file */\n".to_vec()
    })
}

fn cut_header() -> Result<(), Failed> {
    edited(|bytes| bytes.truncate(40))
}

fn cut_program_headers() -> Result<(), Failed> {
    edited(|bytes| bytes.truncate(100))
}

fn program() -> Result<(), Failed> {
    with(|lab, path| {
        let program = lab.object("other", "int main(void) { return 0; }\n", &["-no-pie"]);
        std::fs::copy(program, path).expect("copied");
    })?;
    with(|lab, path| {
        let program = lab.object("other", "int main(void) { return 0; }\n", &["-pie", "-fPIE"]);
        std::fs::copy(program, path).expect("copied");
    })
}

fn byte_order() -> Result<(), Failed> {
    edited(|bytes| bytes[5] = 2)
}

fn os_abi() -> Result<(), Failed> {
    edited(|bytes| bytes[7] = 9)
}

fn unreadable() -> Result<(), Failed> {
    with(|lab, path| {
        std::fs::copy(lab.path("good/liba.so"), path).expect("copied");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o0)).expect("set");
    })
}

fn file_as_directory() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("good/liba.so", "a", &[]);
    std::fs::write(lab.path("bad"), "no directory")?;
    let program = lab.program("p", &["@good/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good"]);
    lab.agrees(&program).map(drop)
}

pub fn lacks_32_bits() -> Option<String> {
    let lab = Lab::new();
    std::fs::write(lab.path("try.c"), "int main(void) { return 0; }\n").ok()?;
    let mut command = std::process::Command::new("cc");
    command.args(["-m32", "-o"]).arg(lab.path("try")).arg(lab.path("try.c"));
    let made = command.output().is_ok_and(|output| output.status.success());
    let runs = made && std::process::Command::new(lab.path("try")).status().is_ok_and(|status| status.success());
    (!runs).then(|| "cc makes no 32-bit programs here".to_string())
}

/// The 64-bit library is passed over, the other found; the default directories and the cache's entries are the other ones.
fn of_32_bits() -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let lab = Lab::new();
        lab.library("wide/liba.so", "a", &[]);
        lab.library("narrow/liba.so", "a", &["-m32"]);
        let list = "-Wl,-rpath,$ORIGIN/wide:$ORIGIN/narrow";
        let program = lab.program("p", &["-m32", "@narrow/liba.so", "-lm", tags, list]);
        lab.agrees(&program)?;
    }
    Ok(())
}
