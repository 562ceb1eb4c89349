//! The command line: whose status it is, where what is printed goes, what is kept and opened again.

use crate::lab::Lab;
use libtest_mimic::Failed;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use wheelwright::engine::report::trace::TraceDocument;

/// `wheelwright trace` in the lab's directory.
fn trace(lab: &Lab, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    command.arg("trace").args(arguments).current_dir(lab.path("")).env("TMPDIR", lab.scratch()).stdin(Stdio::null());
    command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
    let output = command.output().unwrap();
    assert_eq!(std::fs::read_dir(lab.scratch()).unwrap().count(), 0, "something is left");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn the_status_is_the_commands() -> Result<(), Failed> {
    let lab = Lab::new();
    let status = |arguments: &[&str]| trace(&lab, arguments).status.code();
    assert_eq!(status(&["--", "sh", "-c", "exit 0"]), Some(0));
    assert_eq!(status(&["--", "sh", "-c", "exit 42"]), Some(42));
    assert_eq!(status(&["--json", "--", "sh", "-c", "kill -9 $$"]), Some(128 + 9));
    assert_eq!(status(&["--timeout", "0.2", "--", "sleep", "1000"]), Some(128 + 15));
    let said = text(&trace(&lab, &["--timeout", "0.2", "--", "sleep", "1000"]).stderr);
    assert_eq!(said, "wheelwright: ended after 0.2 s; --timeout allows more\n");
    Ok(())
}

pub fn a_document_stands_alone() -> Result<(), Failed> {
    let lab = Lab::new();
    let output = trace(&lab, &["--json", "--", "sh", "-c", "echo to you; echo to me >&2"]);
    let document: TraceDocument = serde_json::from_slice(&output.stdout)?;
    assert_eq!(document.schema, "wheelwright/trace/1");
    assert_eq!(document.command, ["sh", "-c", "echo to you; echo to me >&2"]);
    assert_eq!(text(&output.stderr), "to you\nto me\n");
    let output = trace(&lab, &["-o", "kept.json", "--", "sh", "-c", "echo to you"]);
    assert_eq!(text(&output.stdout), "to you\n");
    assert!(text(&output.stderr).starts_with("wheelwright: kept.json: 1 process, 1 load, 0 opened"), "{output:?}");
    let kept: TraceDocument = serde_json::from_slice(&std::fs::read(lab.path("kept.json"))?)?;
    assert_eq!(kept.processes.len(), 1);
    Ok(())
}

pub fn a_saved_document_is_the_same_text() -> Result<(), Failed> {
    let lab = Lab::new();
    trace(&lab, &["-o", "kept.json", "--", "sh", "-c", "/bin/true; nothing-of-this-name; exit 3"]);
    let kept = std::fs::read(lab.path("kept.json"))?;
    let again = trace(&lab, &["--json", "--open", "kept.json"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(again.stdout == kept, "the same text");
    let shown = text(&trace(&lab, &["--open", "kept.json"]).stdout);
    assert!(shown.contains("exit status 3"), "{shown}");
    Ok(())
}

pub fn logs_of_others_are_read() -> Result<(), Failed> {
    let lab = Lab::new();
    let mut command = Command::new("sh");
    command.args(["-c", "/bin/true"]).env("LD_DEBUG", "libs,files").env("LD_DEBUG_OUTPUT", lab.path("log"));
    assert!(command.status()?.success());
    let logs: Vec<String> = std::fs::read_dir(lab.path(""))?
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("log."))
        .collect();
    let mut arguments = vec!["--json", "--read"];
    arguments.extend(logs.iter().map(String::as_str));
    let document: TraceDocument = serde_json::from_slice(&trace(&lab, &arguments).stdout)?;
    assert!(document.command.is_empty() && document.ended.is_none());
    let programs: Vec<_> = document.processes.iter().filter_map(|process| process.program.as_deref()).collect();
    assert!(programs.contains(&Path::new("/bin/true")), "{programs:?}");
    assert!(document.processes.iter().all(|process| process.compared.is_none()));
    // Standard error of a command, with its own words in it.
    let output = Command::new("sh").args(["-c", "echo words >&2"]).env("LD_DEBUG", "libs").output()?;
    std::fs::write(lab.path("stderr"), output.stderr)?;
    let document: TraceDocument = serde_json::from_slice(&trace(&lab, &["--json", "--read", "stderr"]).stdout)?;
    assert!(document.processes[0].loads.iter().any(|load| load.name == "libc.so.6" && load.path.is_some()));
    assert!(document.unseen.iter().any(|text| text.contains("does not say who asked")), "{:?}", document.unseen);
    Ok(())
}

pub fn people_read_a_table() -> Result<(), Failed> {
    let lab = Lab::new();
    let source = "#include <dlfcn.h>\nint main(void) { return !dlopen(\"libnowhere.so\", RTLD_NOW); }\n";
    std::fs::create_dir(lab.path("place"))?;
    let program = lab.build("seeker", source, &["-ldl", "-Wl,-rpath,$ORIGIN/place"]).display().to_string();
    let output = trace(&lab, &["--color", "never", "--", &program]);
    let shown = text(&output.stdout);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with(&format!("{program}  process ")), "{shown}");
    assert!(shown.contains("  failed  libnowhere.so  opened for seeker: no file of that name"), "{shown}");
    assert!(shown.contains(&format!("of seeker: {}\n", lab.path("place").display())), "{shown}");
    let last = "1 process, 1 load, 0 opened at run time, 1 failed, 0 not as predicted, exit status 1";
    assert_eq!(lines.last(), Some(&last));
    Ok(())
}

pub fn bad_input_is_named() -> Result<(), Failed> {
    let lab = Lab::new();
    std::fs::write(lab.path("text"), "no log\n")?;
    std::fs::write(lab.path("other.json"), "{\"schema\": \"wheelwright/run/1\"}")?;
    std::fs::write(lab.path("part.json"), "{\"schema\": \"wheelwright/trace/1\", \"command\": 1}")?;
    let table: [(&[&str], &str); 7] = [
        (&["--open", "none.json"], "none.json: cannot open"),
        (&["--open", "text"], "text: is no JSON document: line 1, column 2; name what"),
        (
            &["--open", "other.json"],
            "other.json: is a document of schema wheelwright/run/1, not wheelwright/trace/1; name",
        ),
        (&["--open", "part.json"], "part.json: is not what its schema says (invalid type"),
        (&["--read", "text"], "text: holds no line of glibc's loader; write it by LD_DEBUG=libs,files"),
        (&["--", "./no-such-program"], "./no-such-program: it can't be run: No such file"),
        (&["-o", "no/such/place", "--", "/bin/true"], "no/such/place: cannot write"),
    ];
    for (arguments, expected) in table {
        let output = trace(&lab, arguments);
        let said = text(&output.stderr);
        assert!(said.starts_with(&format!("wheelwright: {expected}")) && said.lines().count() == 1, "{said}");
        assert_eq!(output.status.code(), Some(2), "{said}");
    }
    Ok(())
}
