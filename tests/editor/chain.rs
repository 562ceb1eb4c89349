//! Edited libraries and programs find each other by their new names and run.

use crate::fixtures::{Chain, Flags, Loader, cc, run, rust_library, strip};
use crate::{Outcome, Test, edit, fixtures, names, needed, rpath, soname};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("chain::default_linker", || grafted(&[])),
    ("chain::no_pie", || grafted(&["-no-pie"])),
    ("chain::old_rpath_and_hash", || grafted(&["-Wl,--hash-style=sysv", "-Wl,--disable-new-dtags,-rpath,/old"])),
    ("chain::pages_of_64_kib", || grafted(&["-Wl,-z,max-page-size=65536"])),
    ("chain::gold", || with_linker("gold")),
    ("chain::lld", || with_linker("lld")),
    ("chain::i686", || with_flags(&["-m32"])),
    ("chain::without_section_headers", without_section_headers),
    ("chain::rust_library", rust),
    ("chain::in_place_where_strings_are_there", in_place),
    ("chain::run_paths_are_removed", removed),
    ("chain::strip_between_edits", strip_between),
];

const DEEP: &str = "libdeep-845b8c15.so.2";
const GREET: &str = "libgreet-47542e49.so.1";

fn grafted(flags: Flags<'_>) -> Outcome {
    check_grafted(&Chain::build(flags).unwrap(), flags);
    Ok(())
}

fn with_linker(linker: &str) -> Outcome {
    let flag = format!("-fuse-ld={linker}");
    with_flags(&[&flag])?;
    with_flags(&[&flag, "-no-pie"])
}

fn with_flags(flags: Flags<'_>) -> Outcome {
    let chain = Chain::build(flags).map_err(|said| format!("cc {} does not link: {said}", flags.join(" ")))?;
    run_plain(&chain).map_err(|said| format!("what cc {} makes does not run here: {said}", flags.join(" ")))?;
    check_grafted(&chain, flags);
    Ok(())
}

fn run_plain(chain: &Chain) -> Result<(), String> {
    let loader = std::process::Command::new(chain.path("main")).env("LD_LIBRARY_PATH", chain.path("")).output();
    let output = loader.map_err(|error| error.to_string())?;
    if output.stdout == b"42\n" { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A bundle of the chain: its libraries under grafted names in `libs`, the program beside it.
struct Bundle {
    folder: TempDir,
}

impl Bundle {
    fn of(chain: &Chain) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Self { folder };
        std::fs::create_dir(bundle.folder.path().join("libs")).unwrap();
        std::fs::copy(chain.path("libdeep.so.2"), bundle.deep()).unwrap();
        std::fs::copy(chain.path("libgreet.so.1"), bundle.greet()).unwrap();
        std::fs::copy(chain.path("main"), bundle.main()).unwrap();
        bundle
    }

    fn deep(&self) -> PathBuf {
        self.folder.path().join("libs").join(DEEP)
    }

    fn greet(&self) -> PathBuf {
        self.folder.path().join("libs").join(GREET)
    }

    fn main(&self) -> PathBuf {
        self.folder.path().join("main")
    }

    fn edit(&self) {
        edit(&self.deep(), &[soname(DEEP), rpath("$ORIGIN")]);
        edit(&self.greet(), &[soname(GREET), rpath("$ORIGIN"), needed("libdeep.so.2", DEEP)]);
        let renamed = [needed("libgreet.so.1", GREET), needed("libdeep.so.2", DEEP)];
        edit(&self.main(), &[&[rpath("$ORIGIN/libs")], &renamed[..]].concat());
    }

    fn check(&self, loader: Option<&Loader>) {
        assert_eq!(run(&self.main()).unwrap(), "42");
        if let Some(loader) = loader {
            assert_eq!(loader.call(&self.greet(), "greet").unwrap(), "42");
        }
    }
}

fn check_grafted(chain: &Chain, flags: Flags<'_>) {
    let bundle = Bundle::of(chain);
    let loader = Loader::build(if flags.contains(&"-m32") { &["-m32"] } else { &[] }).ok();
    let before = [bundle.deep(), bundle.greet(), bundle.main()].map(|file| names(&file));
    bundle.edit();
    let renamed = |name: &String| match name.as_str() {
        "libdeep.so.2" => DEEP.to_owned(),
        "libgreet.so.1" => GREET.to_owned(),
        _ => name.clone(),
    };
    for (file, before) in [bundle.deep(), bundle.greet(), bundle.main()].iter().zip(before) {
        let (soname, needed, paths, versions) = names(file);
        assert_eq!(soname, before.0.as_ref().map(renamed));
        assert_eq!(needed, before.1.iter().map(renamed).collect::<Vec<_>>());
        assert_eq!(versions, before.3.iter().map(renamed).collect::<Vec<_>>());
        assert_eq!(paths, [if soname.is_some() { "Rpath $ORIGIN" } else { "Rpath $ORIGIN/libs" }]);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o111, 0o111);
    }
    bundle.check(loader.as_ref());
    twenty_more_edits(&bundle, loader.as_ref());
    if fixtures::missing("strip").is_none() {
        for file in [bundle.deep(), bundle.greet(), bundle.main()] {
            strip(&file);
        }
        bundle.check(loader.as_ref());
        twenty_more_edits(&bundle, loader.as_ref());
    }
}

fn twenty_more_edits(bundle: &Bundle, loader: Option<&Loader>) {
    let size = bundle.main().metadata().unwrap().len();
    for number in 0..20 {
        let text = format!("$ORIGIN/libs:$ORIGIN:/some/other/place/{number}/{number}/{}", "x".repeat(number * 7));
        edit(&bundle.main(), &[rpath(&text)]);
        edit(&bundle.greet(), &[rpath(&text)]);
        edit(&bundle.deep(), &[soname(&format!("libdeep-{number:08x}.so.2"))]);
        edit(&bundle.deep(), &[soname(DEEP)]);
        bundle.check(loader);
    }
    let grown = bundle.main().metadata().unwrap().len() - size;
    assert!(grown < 16 * 1024, "20 edits with 3 KB of strings made it grow by {grown} bytes");
}

/// A file that lost its section headers still says all that a loader reads.
fn without_section_headers() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let bundle = Bundle::of(&chain);
    for file in [bundle.deep(), bundle.greet(), bundle.main()] {
        let mut bytes = std::fs::read(&file).unwrap();
        // Elf64_Ehdr: e_shoff at 0x28, e_shnum and e_shstrndx at 0x3c.
        if bytes[4] != 2 {
            return Err("the C compiler makes 32-bit files".into());
        }
        bytes[0x28..0x30].fill(0);
        bytes[0x3c..0x40].fill(0);
        std::fs::write(&file, bytes).unwrap();
    }
    bundle.edit();
    bundle.check(None);
    edit(&bundle.main(), &[rpath("$ORIGIN/libs:/another/place")]);
    bundle.check(None);
    Ok(())
}

fn rust() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let loader = Loader::build(&[]).unwrap();
    let library = rust_library(folder.path());
    assert_eq!(loader.call(&library, "answer").unwrap(), "42");
    let requests = [soname("libanswer-0123abcd.so"), rpath("$ORIGIN/../answer.libs"), needed("libc.so.6", "libc.so.6")];
    let plan = edit(&library, &requests);
    assert_eq!(plan.requests, requests[..2], "a NEEDED that is already so is left out");
    assert_eq!(loader.call(&library, "answer").unwrap(), "42");
    for number in 0..20 {
        edit(&library, &[rpath(&format!("$ORIGIN/../answer.libs:/place/{number}"))]);
    }
    assert_eq!(loader.call(&library, "answer").unwrap(), "42");
    if fixtures::missing("strip").is_none() {
        strip(&library);
        assert_eq!(loader.call(&library, "answer").unwrap(), "42");
    }
    Ok(())
}

fn in_place() -> Outcome {
    let chain = Chain::build(&["-Wl,--disable-new-dtags,-rpath,/old/libs"]).unwrap();
    let plan = edit(&chain.path("libdeep.so.2"), &[rpath("/libs"), soname("deep.so.2")]);
    assert_eq!((plan.layout.as_str(), plan.size_after), ("in place", Some(plan.size_before)));
    let meanings: Vec<&str> = plan.patches.iter().map(|patch| patch.meaning.as_str()).collect();
    assert!(meanings.contains(&"SONAME: libdeep.so.2 → deep.so.2"), "{meanings:?}");
    assert!(meanings.contains(&"RPATH /old/libs → RPATH /libs"), "{meanings:?}");
    assert_eq!(plan.patches.len(), 2);
    Ok(())
}

fn removed() -> Outcome {
    use wheelwright::engine::repair::EditRequest::RemoveRunPaths;
    let chain = Chain::build(&["-Wl,--enable-new-dtags,-rpath,/old"]).unwrap();
    let library = chain.path("libgreet.so.1");
    let before = names(&library);
    assert_eq!(before.2, ["Runpath /old"]);
    assert_eq!(edit(&library, &[RemoveRunPaths]).layout, "in place");
    let after = names(&library);
    assert_eq!((after.0, after.1, after.3), (before.0, before.1, before.3));
    assert!(after.2.is_empty());
    edit(&library, &[rpath(&chain.path("").display().to_string())]);
    assert_eq!(Loader::build(&[]).unwrap().call(&library, "greet").unwrap(), "42");
    Ok(())
}

fn strip_between() -> Outcome {
    if let Some(reason) = fixtures::missing("strip") {
        return Err(reason);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.c"), "int two(void) { return 2; }\n").unwrap();
    cc(folder.path(), &["-shared", "-fPIC", "-g", "a.c", "-o", "a.so"]).unwrap();
    let (library, loader) = (folder.path().join("a.so"), Loader::build(&[]).unwrap());
    let check = |library: &Path| assert_eq!(loader.call(library, "two").unwrap(), "2");
    for number in 0..6 {
        edit(
            &library,
            &[soname(&format!("a-{number}-{}.so", "long".repeat(number + 1))), rpath(&format!("/r{number}"))],
        );
        check(&library);
        strip(&library);
        check(&library);
    }
    Ok(())
}
