//! What each verb does to a file, held against `readelf`, the loader, and what patchelf makes of the same options.

use crate::files::{built, bytes, cc, copy, done, patchelf, readelf};
use crate::printing::ALL;
use crate::program::Place;
use crate::{Outcome, Test};
use std::process::Command;

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("verbs::what_readelf_shows", against_readelf),
    ("verbs::the_same_names_as_patchelf", against_patchelf),
    ("verbs::a_symbol_without_its_version", unversioned),
    ("verbs::all_of_one_call_at_once", at_once),
    ("verbs::shrinking_heeds_what_the_disk_holds", shrinking),
    ("verbs::a_text_from_a_file", from_a_file),
    ("verbs::what_is_there_already_changes_nothing", nothing_to_do),
];

/// The options, and what `readelf` shall say afterwards, and what not.
type Row = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// What is done to `main`.
const ROWS: &[Row] = &[
    (&["--set-rpath", "/a"], &["(RUNPATH)            Library runpath: [/a]"], &["(RPATH)"]),
    (&["--force-rpath", "--set-rpath", "/a"], &["(RPATH)              Library rpath: [/a]"], &["(RUNPATH)"]),
    (&["--add-rpath", "/a"], &["[$ORIGIN:/opt/nowhere:/a]", "(RUNPATH)"], &[]),
    (&["--add-rpath", "/a", "--add-rpath", "/b"], &["[$ORIGIN:/opt/nowhere:/a:/b]"], &[]),
    (&["--force-rpath", "--add-rpath", "/a"], &["Library rpath: [$ORIGIN:/opt/nowhere:/a]"], &["(RUNPATH)"]),
    (&["--remove-rpath"], &["libgreet.so.1"], &["(RUNPATH)", "(RPATH)"]),
    (&["--shrink-rpath"], &["Library runpath: [$ORIGIN]"], &[]),
    (&["--force-rpath", "--shrink-rpath"], &["Library rpath: [$ORIGIN]"], &["(RUNPATH)"]),
    (&["--force-rpath"], &["Library runpath: [$ORIGIN:/opt/nowhere]"], &["(RPATH)"]),
    (&["--add-needed", "libm.so.6"], &["[libm.so.6]", "[libgreet.so.1]"], &[]),
    (&["--remove-needed", "libgreet.so.1"], &["[libc.so"], &["[libgreet.so.1]"]),
    (&["--replace-needed", "libgreet.so.1", "libother.so"], &["[libother.so]"], &["[libgreet.so.1]"]),
    (&["--set-soname", "main.so"], &["Library soname: [main.so]"], &[]),
    (&["--set-interpreter", "/x/ld.so"], &["interpreter: /x/ld.so]"], &[]),
    (&["--interpreter", "/a/much/longer/name/of/an/interpreter/than/any/has/by/itself.so"], &["/itself.so]"], &[]),
    (&["--set-os-abi", "freebsd"], &["UNIX - FreeBSD"], &["System V"]),
    (&["--set-execstack"], &["RWE"], &[]),
    (&["--no-default-lib"], &["NODEFLIB"], &[]),
];

/// The program headers' flags are looked at in the line of the stack only.
fn said(place: &Place, name: &str) -> Result<String, String> {
    let said = readelf(&place.work().join(name))?;
    let kept = |line: &&str| !line.trim_start().starts_with("LOAD") && !line.contains("Section");
    Ok(said.lines().filter(kept).map(|line| format!("{line}\n")).collect())
}

fn against_readelf() -> Outcome {
    let place = built();
    let before = said(&place, "main")?;
    for (options, there, gone) in ROWS {
        copy(&place, "main", "edited");
        assert_eq!(done(&place, &[options, &["edited"][..]].concat()), "");
        let after = said(&place, "edited")?;
        for text in *there {
            assert!(after.contains(text), "{options:?}: no {text} in\n{after}");
        }
        for text in *gone {
            assert!(!after.contains(text), "{options:?}: {text} in\n{after}");
        }
        let warnings = |text: &str| text.matches("readelf: ").count();
        assert_eq!(warnings(&after), warnings(&before), "{options:?}\n{after}");
    }
    copy(&place, "libgreet.so.1", "edited");
    done(&place, &["--add-debug-tag", "edited"]);
    assert!(said(&place, "edited")?.contains("(DEBUG)"));
    done(&place, &["--set-execstack", "edited"]);
    done(&place, &["--clear-execstack", "edited"]);
    assert_eq!(done(&place, &["--print-execstack", "edited"]), "execstack: -\n");
    Ok(())
}

fn against_patchelf() -> Outcome {
    let place = built();
    for (options, ..) in ROWS.iter().filter(|(options, ..)| options.iter().filter(|o| **o == "--add-rpath").count() < 2)
    {
        copy(&place, "main", "ours");
        copy(&place, "main", "theirs");
        assert!(patchelf(&place, &[options, &["theirs"][..]].concat())?.0, "{options:?}");
        done(&place, &[options, &["ours"][..]].concat());
        let names = |name: &'static str| ALL.iter().copied().chain([name]).collect::<Vec<_>>();
        assert_eq!(patchelf(&place, &names("ours"))?, patchelf(&place, &names("theirs"))?, "{options:?}");
        assert_eq!(done(&place, &names("ours")), done(&place, &names("theirs")), "{options:?}");
    }
    Ok(())
}

fn unversioned() -> Outcome {
    let place = built();
    let symbols = |name: &str| {
        let output = Command::new("readelf").args(["--dyn-syms", "-W"]).arg(place.work().join(name)).output();
        let output = output.map_err(|error| format!("readelf can't be run: {error}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let before = symbols("main")?;
    if !before.contains(" __libc_start_main@GLIBC") {
        return Err("this C library gives its start function no version".into());
    }
    copy(&place, "main", "ours");
    done(&place, &["--clear-symbol-version", "__libc_start_main", "ours"]);
    assert!(symbols("ours")?.contains(" __libc_start_main\n"), "{}", symbols("ours")?);
    let ran = Command::new(place.work().join("ours")).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    copy(&place, "main", "theirs");
    assert!(patchelf(&place, &["--clear-symbol-version", "__libc_start_main", "theirs"])?.0);
    assert_eq!(symbols("ours")?, symbols("theirs")?);
    Ok(())
}

fn at_once() -> Outcome {
    let place = built();
    std::fs::create_dir(place.work().join("libs")).unwrap();
    copy(&place, "libgreet.so.1", "libs/libgreet-0123abcd.so.1");
    let name = "libgreet-0123abcd.so.1";
    done(&place, &["--set-soname", name, "--set-rpath", "$ORIGIN", &format!("libs/{name}")]);
    let options =
        ["--replace-needed", "libgreet.so.1", name, "--set-rpath", "$ORIGIN/libs", "--add-needed", "libbare.so"];
    copy(&place, "libbare.so", "libs/libbare.so");
    done(&place, &[&options[..], &["main"]].concat());
    std::fs::remove_file(place.work().join("libgreet.so.1")).unwrap();
    let ran = Command::new(place.work().join("main")).env("LD_BIND_NOW", "1").output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}

fn shrinking() -> Outcome {
    let place = built();
    let directory = |name: &str| {
        std::fs::create_dir(place.work().join(name)).unwrap();
        place.work().join(name).display().to_string()
    };
    let (empty, text, first, second) = (directory("empty"), directory("text"), directory("first"), directory("second"));
    place.write("text/libgreet.so.1", b"no library at all");
    copy(&place, "libgreet.so.1", "first/libgreet.so.1");
    copy(&place, "libgreet.so.1", "second/libgreet.so.1");
    let whole = format!("{empty}:{text}:{first}:{second}:../rel");
    done(&place, &["--set-rpath", &whole, "main"]);
    copy(&place, "main", "other");
    done(&place, &["--shrink-rpath", "main"]);
    assert_eq!(done(&place, &["--print-rpath", "main"]), format!("{first}:../rel\n"));
    done(&place, &["--shrink-rpath", "--allowed-rpath-prefixes", &format!("/nix:{second}"), "other"]);
    assert_eq!(done(&place, &["--print-rpath", "other"]), format!("{second}:../rel\n"));
    // A library of another class is passed over, as the loader passes over it.
    let mut foreign = bytes(&place, "libgreet.so.1");
    foreign[18..20].copy_from_slice(&[0xf7, 0]);
    place.write("first/libgreet.so.1", &foreign);
    done(&place, &["--set-rpath", &whole, "main"]);
    done(&place, &["--shrink-rpath", "main"]);
    assert_eq!(done(&place, &["--print-rpath", "main"]), format!("{second}:../rel\n"));
    Ok(())
}

fn from_a_file() -> Outcome {
    let place = built();
    let long = format!("$ORIGIN/{}", "x".repeat(4096));
    place.write("text", long.as_bytes());
    done(&place, &["--set-rpath", "@text", "main"]);
    assert_eq!(done(&place, &["--print-rpath", "main"]), format!("{long}\n"));
    place.write("name", b"libnamed.so.3");
    done(&place, &["--replace-needed", "libgreet.so.1", "@name", "main"]);
    assert!(done(&place, &["--print-needed", "main"]).starts_with("libnamed.so.3\n"));
    Ok(())
}

fn nothing_to_do() -> Outcome {
    let place = built();
    cc(&place, &["main.c", "libgreet.so.1", "-Wl,--disable-new-dtags,-rpath,/old", "-o", "old"]);
    let rows: &[(&str, &[&str])] = &[
        ("main", &["--set-rpath", "$ORIGIN:/opt/nowhere"]),
        ("main", &["--remove-needed", "libabsent.so"]),
        ("main", &["--replace-needed", "libabsent.so", "libx.so"]),
        ("main", &["--clear-execstack"]),
        ("main", &["--set-os-abi", "system v"]),
        ("main", &["--page-size", "4096", "--no-sort", "--debug"]),
        ("old", &["--force-rpath", "--set-rpath", "/old"]),
        ("libbare.so", &["--remove-rpath"]),
        ("libbare.so", &["--shrink-rpath"]),
        ("libbare.so", &["--set-rpath", ""]),
        ("libgreet.so.1", &["--set-soname", "libgreet.so.1"]),
    ];
    for (file, options) in rows {
        let path = place.work().join(file);
        let (before, modified) = (bytes(&place, file), path.metadata().unwrap().modified().unwrap());
        assert_eq!(done(&place, &[options, &[*file][..]].concat()), "");
        assert!(bytes(&place, file) == before, "{options:?}");
        assert_eq!(path.metadata().unwrap().modified().unwrap(), modified, "{options:?}: not even written");
    }
    Ok(())
}
