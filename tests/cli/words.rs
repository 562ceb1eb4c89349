//! What people read: pages, completions, the manual, colours, and how lines stand under each other.

use super::program::{Place, Ran};
use std::process::{Command, Stdio};

#[test]
fn every_code_has_its_page() {
    let place = Place::new();
    let list = place.run(["explain"]);
    assert_eq!(list.status, 0);
    assert!(list.out.lines().count() >= 10);
    for line in list.out.lines() {
        let code = line.split(':').next().unwrap();
        let page = place.run(["explain", &code.to_lowercase()]);
        assert_eq!(page.status, 0, "{code}");
        assert!(page.out.lines().next().unwrap().contains(line), "{}", page.out);
        assert!(page.out.lines().count() > 5, "{code} has hardly a page");
    }
}

#[test]
fn completions_name_every_command() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = place.run(["completions", shell]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{shell}");
        for command in ["audit", "tree", "plan", "run", "diff", "elf", "recover", "explain", "until"] {
            assert!(ran.out.contains(command), "{shell} lacks {command}");
        }
    }
    let script = place.run(["completions", "bash"]).out;
    if let Ok(checked) = Command::new("bash").args(["-n", "-c", &script]).output() {
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn the_manual_has_every_command_and_its_own_options_once() {
    let page = Place::new().run(["man"]);
    assert_eq!(page.status, 0);
    assert_eq!(page.out.lines().filter(|line| line.starts_with(".TH ")).count(), 1);
    let headings: Vec<&str> = page.out.lines().filter_map(|line| line.strip_prefix(".SS wheelwright ")).collect();
    let names: Vec<&str> = headings.iter().filter_map(|heading| heading.split(' ').next()).collect();
    let commands = [
        "demo",
        "audit",
        "tree",
        "plan",
        "run",
        "diff",
        "elf",
        "recover",
        "build",
        "trace",
        "explain",
        "completions",
        "man",
    ];
    assert_eq!(names, commands);
    assert_eq!(page.out.matches("\\-\\-sandbox").count(), 2, "in the synopsis, and once explained");
    assert_eq!(page.out.matches("\\-\\-loader\\-only").count(), 1);
    for section in ["NAME", "SYNOPSIS", "COMMANDS", "OPTIONS", "EXIT STATUS"] {
        assert!(page.out.contains(&format!(".SH {section}\n")), "{section}");
    }
}

#[test]
fn colours_are_for_those_who_want_them() {
    let place = Place::with_lab();
    let colored = |arguments: &[&str], no_color: Option<&str>| {
        let mut command = place.command(["audit", "target/release/liblabmissing.so"].iter().chain(arguments));
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        Ran::of(&command.output().unwrap()).out.contains('\x1b')
    };
    assert!(!colored(&[], None), "a pipe is no terminal");
    assert!(colored(&["--color", "always"], None));
    assert!(colored(&["--color", "always"], Some("1")), "what is asked for on the command line wins");
    assert!(!colored(&["--color", "never"], None));
    let json = place.run(["audit", "--json", "--color", "always", "target/release/liblabmissing.so"]);
    assert!(!json.out.contains('\x1b'));
}

#[test]
fn what_stands_under_each_other_is_aligned() {
    let place = Place::with_lab();
    let audit = place.run(["audit", "target/release/liblabext.so"]).out;
    let column = |label: &str, value: &str| {
        let line = audit.lines().find(|line| line.trim_start().starts_with(label)).unwrap_or_else(|| panic!("{audit}"));
        line.find(value).unwrap_or_else(|| panic!("no {value} in {line}"))
    };
    let columns = [
        column("path", "/"),
        column("tag", "manylinux"),
        column("repair", "will patch"),
        column("external", "libdeep"),
        column("WW002", "an edit"),
        column("fix", "#"),
    ];
    assert_eq!(columns, [16; 6], "{audit}");
    let last = audit.lines().last().unwrap();
    assert!(last.starts_with("1 artifact, 1 to be patched; 0 errors, 0 warnings, 3 notes; "), "{audit}");
    assert!(last.contains(" as it stands"), "{audit}");
    let tree = place.run(["tree", "target/release/liblabext.so"]).out;
    let roles: Vec<usize> = tree
        .lines()
        .skip(1)
        .map(|line| {
            let at = ["external", "allowed", "loader "].iter().find_map(|role| line.find(role)).unwrap();
            line[..at].chars().count()
        })
        .collect();
    assert!(roles.len() > 3 && roles.windows(2).all(|pair| pair[0] == pair[1]), "{tree}");
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let place = Place::with_lab();
    for arguments in [&["audit"][..], &["audit", "--json"], &["plan"], &["man"], &["run"], &["completions", "bash"]] {
        let mut child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The reader is gone before the first word.
        drop(child.stdout.take());
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{arguments:?}");
    }
}
