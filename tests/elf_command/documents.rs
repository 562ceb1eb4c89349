//! `elf --json`: one valid document, with what was found, planned and written.

use crate::files::{built, elf};
use crate::program::Ran;
use crate::schema::complaints;
use crate::{Outcome, Test};
use serde_json::{Value, json};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("documents::of_an_edit", edit),
    ("documents::of_looking", looking),
    ("documents::of_bad_files_among_good_ones", among),
];

#[track_caller]
fn valid(ran: &Ran, status: i32) -> Value {
    let document = ran.document();
    assert_eq!(complaints("elf", &document), Vec::<String>::new());
    assert_eq!(document["schema"], "wheelwright/elf/1");
    assert_eq!(ran.status, status, "{}", ran.err);
    document
}

fn edit() -> Outcome {
    let place = built();
    let ran = elf(&place, &["--json", "--set-rpath", "$ORIGIN/a", "--set-soname", "x.so", "libgreet.so.1"]);
    let document = valid(&ran, 0);
    let file = &document["files"][0];
    assert_eq!(file["asked"], json!(["DT_RUNPATH = $ORIGIN/a", "SONAME = x.so"]));
    assert_eq!((&file["before"]["soname"], &file["before"]["rpath"]), (&json!("libgreet.so.1"), &Value::Null));
    assert_eq!(file["after"]["soname"], "x.so");
    assert_eq!(file["after"]["rpath"], json!({"tag": "DT_RUNPATH", "text": "$ORIGIN/a"}));
    assert_eq!(file["plan"]["changes"].as_array().unwrap().len(), 2);
    assert_eq!(file["plan"]["size_after"], file["after"]["size"]);
    let patches = file["plan"]["patches"].as_array().unwrap();
    assert!(!patches.is_empty() && patches.iter().all(|patch| patch["length"].as_u64() > Some(0)));
    let checks = file["proof"]["checks"].as_array().unwrap();
    assert!(checks.len() > 10 && checks.iter().all(|check| check["ok"] == true));
    assert_eq!(file["proof"]["hardening_after"], file["after"]["hardening"], "foreseen, and read again");
    assert_eq!(file["written"]["to"], file["path"]);
    assert_eq!((&file["refusal"], &file["error"], &file["output"]), (&Value::Null, &Value::Null, &Value::Null));
    Ok(())
}

fn looking() -> Outcome {
    let place = built();
    let ran = elf(&place, &["--json", "--print-needed", "main"]);
    let document = valid(&ran, 0);
    let file = &document["files"][0];
    assert_eq!(file["before"]["needed"][0], "libgreet.so.1");
    assert_eq!(file["before"]["hardening"]["execstack"], false);
    assert_eq!((&file["asked"], &file["plan"], &file["written"]), (&json!([]), &Value::Null, &Value::Null));
    assert_eq!(elf(&place, &["--json", "--print-needed", "main"]).out, ran.out, "two runs give the same bytes");
    Ok(())
}

fn among() -> Outcome {
    let place = built();
    let ran = elf(&place, &["--json", "--set-soname", "x.so", "absent", "libgreet.so.1", "main.c", "libbare.so"]);
    let document = valid(&ran, 2);
    let files = document["files"].as_array().unwrap();
    let ends: Vec<bool> = files.iter().map(|file| file["error"].is_null()).collect();
    assert_eq!(ends, [false, true, false, true]);
    assert_eq!(files[0]["before"], Value::Null);
    assert!(files[2]["error"]["message"].as_str().unwrap().contains("not an ELF file"));
    assert_eq!((&files[1]["after"]["soname"], &files[3]["after"]["soname"]), (&json!("x.so"), &json!("x.so")));
    let both = ["--json", "--add-needed", "a.so", "--remove-needed", "a.so", "main", "libbare.so"];
    let document = valid(&elf(&place, &both), 1);
    assert!(document["files"][1]["refusal"]["reason"].as_str().unwrap().contains("contradict"));
    Ok(())
}
