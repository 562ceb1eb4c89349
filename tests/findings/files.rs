//! WW013, WW014 and WW022: what stands in a file's headers, with readelf and the loader as witnesses.

use crate::Case;
use crate::workshop::{NEW_TAGS, Workshop, holds, lacks, lacks_glibc, run_fix, says};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::report::audit::Severity;

pub fn all() -> Vec<Case> {
    let patchelf = || lacks_glibc().or_else(|| lacks("patchelf", "--clear-execstack"));
    let readelf = || lacks_glibc().or_else(|| lacks("readelf", "--dynamic"));
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("an_executable_stack_is_asked_for", lacks_glibc(), executable_stack),
        case("an_executable_stack_by_a_library_to_be_bundled", lacks_glibc(), bundled_stack),
        case("an_executable_stack_is_mended", patchelf(), stack_mended),
        case("text_relocations", readelf(), text_relocations),
        case("segments_smaller_than_a_page", lacks_glibc(), small_segments),
        case("segments_for_4_kib_on_a_machine_with_larger_pages", lacks_glibc(), larger_pages),
        case("readelf_sees_the_same_alignments", readelf(), alignments),
    ]
}

/// glibc before 2.41 makes the stack executable; later ones refuse the library.
fn has_its_way(said: &str) -> bool {
    said.contains("stack rwxp") || said.contains("executable stack")
}

fn executable_stack() -> Result<(), Failed> {
    let shop = Workshop::new();
    let asking = shop.library("asking.so", "a", &["-Wl,-z,execstack"]);
    let finding = shop.the(&asking, "WW013", Severity::Warning)?;
    says(&finding, &[&asking.display().to_string(), "PT_GNU_STACK", "RWE"])?;
    holds("the loader gives it one", has_its_way(&shop.load(&asking)))?;
    let modest = shop.library("modest.so", "a", &["-Wl,-z,noexecstack"]);
    holds("without it nothing is said", shop.of_code(&modest, "WW013").is_empty())?;
    holds("nor done", !has_its_way(&shop.load(&modest)))?;
    // Without the header the loader decides.
    without_stack_header(&modest)?;
    let finding = shop.the(&modest, "WW013", Severity::Warning)?;
    says(&finding, &["there is no PT_GNU_STACK header", "x86_64"])?;
    holds("and decides for an executable one", has_its_way(&shop.load(&modest)))
}

/// Makes the `PT_GNU_STACK` header of a 64-bit little-endian file a `PT_NULL` one.
fn without_stack_header(path: &Path) -> Result<(), Failed> {
    const GNU_STACK: u32 = 0x6474_e551;
    each_header(path, |header| {
        if header[..4] == GNU_STACK.to_le_bytes() {
            header[..4].fill(0);
        }
    })
}

/// Edits the program headers of a 64-bit little-endian file.
fn each_header(path: &Path, edit: impl Fn(&mut [u8])) -> Result<(), Failed> {
    let mut bytes = std::fs::read(path)?;
    let start = u64::from_le_bytes(bytes[32..40].try_into()?) as usize;
    let count = u16::from_le_bytes(bytes[56..58].try_into()?) as usize;
    bytes[start..start + 56 * count].chunks_mut(56).for_each(edit);
    std::fs::write(path, bytes)?;
    Ok(())
}

/// `root.so`, which needs private/liba.so, a library that no policy allows.
fn with_private(arguments: &[&str]) -> (Workshop, PathBuf) {
    let shop = Workshop::new();
    shop.library("private/liba.so", "a", arguments);
    let root = shop.library("root.so", "r", &["@private/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/private"]);
    (shop, root)
}

fn bundled_stack() -> Result<(), Failed> {
    let (shop, root) = with_private(&["-Wl,-z,execstack"]);
    let finding = shop.the(&root, "WW013", Severity::Warning)?;
    let library = shop.path("private/liba.so").display().to_string();
    says(&finding, &[&format!("{library} (needed by root.so)")])?;
    holds("it is the library's", finding.title.starts_with("liba.so ") && finding.evidence.len() == 1)?;
    holds("the loader gives it one", has_its_way(&shop.load(&root)))
}

fn stack_mended() -> Result<(), Failed> {
    let (shop, root) = with_private(&["-Wl,-z,execstack"]);
    run_fix(&shop.the(&root, "WW013", Severity::Warning)?)?;
    holds("it is gone", shop.of_code(&root, "WW013").is_empty())?;
    holds("also for the loader", !has_its_way(&shop.load(&root)) && shop.load(&root).starts_with("loaded"))?;
    let asking = shop.library("asking.so", "a", &["-Wl,-z,execstack"]);
    run_fix(&shop.the(&asking, "WW013", Severity::Warning)?)?;
    holds("of the artifact too", shop.of_code(&asking, "WW013").is_empty() && !has_its_way(&shop.load(&asking)))
}

fn readelf(option: &str, path: &Path) -> Result<String, Failed> {
    let output = Command::new("readelf").args(["-W", option]).arg(path).env("LC_ALL", "C").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text_relocations() -> Result<(), Failed> {
    // An address in the code that only the loader knows.
    const SOURCE: &str = "__asm__(\".text\\n.globl where\\nwhere: .quad where\\n\"); int f(void) { return 1; }\n";
    let shop = Workshop::new();
    let library =
        shop.compile("private/libt.so", SOURCE, &["-shared", "-fPIC", "-Wl,-z,notext", "-Wl,-soname,libt.so"]);
    let root = shop.library("root.so", "r", &["@private/libt.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/private"]);
    holds("readelf sees it", readelf("-d", &library)?.contains("TEXTREL"))?;
    for (file, words) in [(&library, "libt.so: D"), (&root, "libt.so (needed by root.so): D")] {
        let finding = shop.the(file, "WW014", Severity::Warning)?;
        says(&finding, &[words, "1 relocation writes to segments that are mapped read-only, the first at 0x", "(RE)"])?;
        let place =
            finding.evidence[0].split(" at 0x").nth(1).and_then(|rest| rest.split(' ').next()).ok_or("no place")?;
        let zeros = format!("{place:0>16}");
        holds("readelf has it", readelf("-r", &library)?.lines().any(|line| line.starts_with(&zeros)))?;
    }
    let clean = shop.compile("clean.so", "int f(void) { return 1; }\n", &["-shared", "-fPIC"]);
    holds("of others nothing is said", shop.of_code(&clean, "WW014").is_empty())?;
    holds("nor by readelf", !readelf("-d", &clean)?.contains("TEXTREL"))
}

fn small_segments() -> Result<(), Failed> {
    let (shop, root) = with_private(&["-Wl,-z,max-page-size=512,-z,common-page-size=512"]);
    let finding = shop.the(&root, "WW022", Severity::Error)?;
    let library = shop.path("private/liba.so").display().to_string();
    says(
        &finding,
        &[&format!("{library} (needed by root.so)"), "aligned to 0x200", "it shares one with its neighbour"],
    )?;
    holds("the loader refuses it", shop.load(&root).contains("page-aligned"))?;
    let option = finding.fix.iter().find_map(|line| line.strip_prefix("# link with ")).ok_or("no option")?;
    shop.library("private/liba.so", "a", &[option.split(';').next().unwrap_or_default()]);
    holds("it is gone", shop.of_code(&root, "WW022").is_empty() && shop.load(&root).starts_with("loaded"))?;
    // A place in the file that no page can hold.
    each_header(&root, |header| {
        if header[..4] == 1_u32.to_le_bytes() && header[4] == 6 {
            header[16] ^= 8;
        }
    })?;
    let finding = shop.the(&root, "WW022", Severity::Error)?;
    says(&finding, &["the two differ modulo the alignment 0x1000: no loader maps it"])?;
    holds("the loader refuses it", shop.load(&root).contains("page-aligned"))
}

/// The same file for machines of other page sizes: only the header's machine is changed.
fn larger_pages() -> Result<(), Failed> {
    let shop = Workshop::new();
    let file = shop.compile("root.so", "int f(void) { return 1; }\n", &["-shared", "-fPIC", "-nostdlib"]);
    for (machine, pages) in
        [(62_u16, None), (183, Some("16 and 64")), (21, Some("64")), (258, Some("16 and 64")), (243, None)]
    {
        let mut bytes = std::fs::read(&file)?;
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        std::fs::write(&file, bytes)?;
        match pages {
            None => holds("4 KiB are enough", shop.of_code(&file, "WW022").is_empty())?,
            Some(pages) => {
                let finding = shop.the(&file, "WW022", Severity::Error)?;
                says(&finding, &[&format!("less than pages of {pages} KiB")])?;
                holds("the title says where", finding.title.contains("kernels with pages of 64 KiB"))?;
            }
        }
    }
    Ok(())
}

fn alignments() -> Result<(), Failed> {
    let shop = Workshop::new();
    for size in ["0x200", "0x1000", "0x4000", "0x10000"] {
        let option = format!("-Wl,-z,max-page-size={size},-z,common-page-size={size}");
        let file = shop.library("root.so", "f", &[&option]);
        let lines = readelf("-l", &file)?;
        let loads: Vec<&str> = lines.lines().filter(|line| line.trim_start().starts_with("LOAD")).collect();
        let small = loads.iter().filter(|line| line.trim_end().ends_with(" 0x200")).count();
        holds("readelf shows load segments", !loads.is_empty())?;
        let told = shop.of_code(&file, "WW022").iter().map(|one| one.evidence.len()).sum::<usize>();
        if told != small {
            return Err(format!("{size}: {told} segments told, {small} in {loads:#?}").into());
        }
    }
    Ok(())
}
