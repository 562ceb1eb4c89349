//! What the print options print, held against `readelf` and patchelf.

use crate::files::{built, bytes, copy, done, elf, patchelf, readelf};
use crate::{Outcome, Test};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("printing::what_readelf_shows", against_readelf),
    ("printing::the_same_bytes_as_patchelf", against_patchelf),
    ("printing::the_order_is_fixed", order),
    ("printing::names_keep_their_bytes", odd_bytes),
    ("printing::what_was_there_before_the_edit", before_the_edit),
];

/// All print options.
pub const ALL: [&str; 6] =
    ["--print-interpreter", "--print-os-abi", "--print-soname", "--print-rpath", "--print-execstack", "--print-needed"];

fn against_readelf() -> Outcome {
    let place = built();
    let said = readelf(&place.work().join("main"))?;
    let inside = |mark: &str| {
        let line = said.lines().find(|line| line.contains(mark)).unwrap();
        line.split_once('[').unwrap().1.trim_end_matches(']').to_owned()
    };
    assert_eq!(done(&place, &["--print-rpath", "main"]).trim_end(), inside("(RUNPATH)"));
    let interpreter = inside("program interpreter").split_once(": ").unwrap().1.to_owned();
    assert_eq!(done(&place, &["--print-interpreter", "main"]).trim_end(), interpreter);
    let needed = done(&place, &["--print-needed", "main"]);
    let expected: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .map(|line| line.split_once('[').unwrap().1.trim_end_matches(']'))
        .collect();
    assert_eq!(needed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(done(&place, &["--print-soname", "libgreet.so.1"]), "libgreet.so.1\n");
    assert_eq!(done(&place, &["--print-soname", "libbare.so"]), "");
    assert_eq!(done(&place, &["--print-rpath", "libbare.so"]), "\n");
    assert_eq!(done(&place, &["--print-execstack", "main"]), "execstack: -\n");
    Ok(())
}

fn against_patchelf() -> Outcome {
    let place = built();
    for file in ["main", "libgreet.so.1", "libbare.so"] {
        for option in ALL {
            let (succeeds, expected) = patchelf(&place, &[option, file])?;
            let ran = elf(&place, &[option, file]);
            assert_eq!((ran.status == 0, ran.out), (succeeds, expected), "{option} {file}");
        }
    }
    let all: Vec<&str> = ALL.iter().rev().copied().chain(["main"]).collect();
    assert_eq!(done(&place, &all), patchelf(&place, &all)?.1, "all at once");
    // Every number of EI_OSABI, named or not.
    for number in 0..=u8::MAX {
        let mut changed = bytes(&place, "libbare.so");
        changed[7] = number;
        place.write("changed.so", &changed);
        let print = ["--print-os-abi", "changed.so"];
        assert_eq!(done(&place, &print), patchelf(&place, &print)?.1, "{number}");
    }
    Ok(())
}

fn order() -> Outcome {
    let place = built();
    let all: Vec<&str> = ALL.iter().rev().copied().chain(["main"]).collect();
    let printed = done(&place, &all);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[1..4], ["System V", "$ORIGIN:/opt/nowhere", "execstack: -"]);
    assert_eq!(lines[4], "libgreet.so.1");
    assert_eq!(done(&place, &["--print-soname", "libgreet.so.1", "main"]), "libgreet.so.1\n", "of each file");
    Ok(())
}

fn odd_bytes() -> Outcome {
    let place = built();
    let text = bytes(&place, "main");
    let at = text.windows(12).position(|window| window == b"/opt/nowhere").unwrap();
    let mut odd = text;
    odd[at + 1] = 0xff;
    place.write("odd", &odd);
    let output = place.command(["elf", "--print-rpath", "odd"]).output().unwrap();
    assert_eq!(output.stdout, b"$ORIGIN:/\xffpt/nowhere\n");
    let document = elf(&place, &["--json", "odd"]).document();
    assert_eq!(document["files"][0]["before"]["rpath"]["text"], "$ORIGIN:/\u{fffd}pt/nowhere");
    assert_eq!(document["files"][0]["before"]["rpath"]["text_bytes"], "244f524947494e3a2fff70742f6e6f7768657265");
    Ok(())
}

fn before_the_edit() -> Outcome {
    let place = built();
    copy(&place, "libgreet.so.1", "edited");
    assert_eq!(done(&place, &["--print-soname", "--set-soname", "libnew.so", "edited"]), "libgreet.so.1\n");
    assert_eq!(done(&place, &["--print-soname", "edited"]), "libnew.so\n");
    Ok(())
}
