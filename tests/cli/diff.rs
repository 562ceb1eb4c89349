//! `diff`: explained by a log or by nothing, files in wheels, its words, and what it says of questions that it can't answer.

use super::program::{Place, Ran};
use super::schema::complaints;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const CLEAN: &str = "target/release/liblabext.so";
const STAGED: &str = "target/wheelwright/release/liblabext.so";

/// The lab after a run of one artifact, whose document is `run.json`.
fn edited() -> Place {
    let place = Place::with_lab();
    let ran = place.run(["run", "--json", CLEAN]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    place.write("run.json", ran.out.as_bytes());
    place
}

fn document(ran: &Ran, status: i32) -> Value {
    assert_eq!(ran.status, status, "{}", ran.err);
    let document = ran.document();
    assert_eq!(complaints("diff", &document), Vec::<String>::new());
    document
}

/// A wheel with `bytes` as `pkg/ext.so`.
fn wheel(place: &Place, bytes: &[u8]) -> PathBuf {
    let path = place.work().join("pkg-1.0-cp311-abi3-linux_x86_64.whl");
    let mut writer = ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in [("pkg/__init__.py", &b""[..]), ("pkg/ext.so", bytes)] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn a_run_explains_its_own_edits() {
    let place = edited();
    let ran = place.run(["diff", "--json", CLEAN, STAGED, "--log", "run.json"]);
    let explained = document(&ran, 1);
    assert_eq!((&explained["unexplained"], &explained["findings"]), (&json!(0), &json!([])));
    let edits = explained["edits"].as_array().unwrap();
    assert!(edits.iter().any(|edit| edit.as_str().unwrap().starts_with("NEEDED libgreet.so.1")), "{edits:?}");
    for run in explained["runs"].as_array().unwrap() {
        let by = run["explained_by"].as_array().unwrap();
        assert!(!by.is_empty() && by.iter().all(|edit| edit.as_u64().unwrap() < edits.len() as u64), "{run}");
    }
    let verdict = explained["verdict"].as_str().unwrap();
    assert!(verdict.contains("all explained by ") && verdict.ends_with("; no code byte changed"), "{verdict}");
    assert_eq!(place.run(["diff", "--json", CLEAN, STAGED, "--log", "run.json"]).out, ran.out);
    let plain = document(&place.run(["diff", "--json", CLEAN, STAGED]), 1);
    assert_eq!((&plain["edits"], &plain["unexplained"]), (&Value::Null, &Value::Null));
    assert_eq!(plain["runs"][0]["explained_by"], Value::Null);
    let same = document(&place.run(["diff", "--json", "--same-offset", CLEAN, STAGED, "--log", "run.json"]), 1);
    assert_eq!((&same["aligned_by"], &same["unexplained"]), (&json!("offset"), &json!(0)));
}

#[test]
fn a_byte_that_nobody_logged_is_a_finding() {
    let place = edited();
    let mut bytes = std::fs::read(place.work().join(STAGED)).unwrap();
    let place_of = bytes.windows(4).position(|bytes| bytes == [0xf3, 0x0f, 0x1e, 0xfa]).expect("code begins so");
    bytes[place_of + 1] ^= 0xff;
    place.write("other.so", &bytes);
    let ran = place.run(["diff", "--json", CLEAN, "other.so", "--log", "run.json"]);
    // The log has two edited files and more, and this is none of them.
    ran.complains(2, &["run.json", "none of which is", "compare with one of them", STAGED]);
    std::fs::write(place.work().join(STAGED), &bytes).unwrap();
    let found = document(&place.run(["diff", "--json", CLEAN, STAGED, "--log", "run.json"]), 1);
    assert_eq!((&found["unexplained"], &found["findings"][0]["code"]), (&json!(1), &json!("WW031")));
    let ran = place.run(["diff", CLEAN, STAGED, "--log", "run.json"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("1 run of 1 byte is explained by nothing"), "{}", ran.out);
    assert!(ran.out.lines().any(|line| line.ends_with("by nothing")), "{}", ran.out);
}

#[test]
fn a_file_in_a_wheel_is_compared_as_any_other() {
    let place = edited();
    let bytes = std::fs::read(place.work().join(STAGED)).unwrap();
    let wheel = wheel(&place, &bytes);
    let member = format!("{}/pkg/ext.so", wheel.display());
    assert_eq!(place.run(["diff", STAGED, &member]).status, 0);
    let ran = place.run(["diff", "--json", CLEAN, &member, "--log", "run.json"]);
    let found = document(&ran, 1);
    assert_eq!((&found["b_container"], &found["b_member"]), (&json!(wheel), &json!("pkg/ext.so")));
    assert_eq!((&found["a_container"], &found["a_member"]), (&Value::Null, &Value::Null));
    assert_eq!(found["unexplained"], 0, "the log's entry is found by what the member holds");
    assert_eq!(place.left_in_temporary(), Vec::<PathBuf>::new());
    let missing = format!("{}/ext.so", wheel.display());
    place.run(["diff", CLEAN, &missing]).complains(2, &["has no file ext.so", "it has pkg/ext.so"]);
}

#[test]
fn questions_that_have_no_answer_are_one_sentence() {
    let place = edited();
    place.write("text.json", b"{}");
    place.write("no.json", b"nonsense");
    let audit = place.run(["audit", "--json", CLEAN]).out;
    place.write("audit.json", audit.as_bytes());
    let table: [(&[&str], &[&str]); 6] = [
        (&["diff", CLEAN, STAGED, "--log", "missing.json"], &["missing.json", "cannot open"]),
        (&["diff", CLEAN, STAGED, "--log", "no.json"], &["no.json", "is no JSON document", "--json"]),
        (&["diff", CLEAN, STAGED, "--log", "text.json"], &["text.json", "has no `schema`"]),
        (&["diff", CLEAN, STAGED, "--log", "audit.json"], &["audit.json", "wheelwright/audit/1"]),
        (&["diff", CLEAN, "target"], &["target", "is a directory"]),
        (&["diff", CLEAN, "target/release/liblabext.so/x"], &["neither a wheel nor another ZIP archive"]),
    ];
    for (arguments, parts) in table {
        place.run(arguments).complains(2, parts);
    }
}

#[test]
fn the_words_fit_into_80_columns() {
    let place = edited();
    let ran = place.run(["diff", CLEAN, STAGED, "--log", "run.json"]);
    assert_eq!(ran.status, 1);
    let first = ran.out.lines().next().unwrap();
    assert!(first.contains("in place"), "the verdict comes first: {first}");
    for line in ran.out.lines().skip(1) {
        let words = line.split_whitespace().count();
        assert!(line.chars().count() <= 80 || words == 1, "{line}");
    }
    for heading in ["edits", "structure", "dynamic section: ", "strings: "] {
        assert!(ran.out.lines().any(|line| line.starts_with(heading)), "{heading}: {}", ran.out);
    }
    assert_eq!(place.run(["diff", CLEAN, CLEAN]).out, "equal to the last byte\n");
}
