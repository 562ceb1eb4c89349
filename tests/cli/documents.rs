//! `--json`: one valid document on standard output and nothing else, the same bytes twice, and the exit status that says what
//! is in it.

use super::program::{Place, Ran, contents};
use super::schema::complaints;
use serde_json::{Value, json};

/// That `ran` ended with `status` and one valid document of the kind `name`; the document.
#[track_caller]
fn valid(ran: &Ran, name: &str, status: i32) -> Value {
    let document = ran.document();
    assert_eq!(complaints(name, &document), Vec::<String>::new());
    assert_eq!(document["schema"], format!("wheelwright/{name}/1"));
    assert_eq!(ran.status, status, "{}", ran.err);
    document
}

fn artifact<'a>(document: &'a Value, name: &str) -> &'a Value {
    let artifacts = document["artifacts"].as_array().unwrap();
    artifacts.iter().find(|artifact| artifact["name"] == name).unwrap()
}

#[test]
fn the_audit_of_the_lab() {
    let place = Place::with_lab();
    let before = contents(&place.work());
    let ran = place.run(["audit", "--json"]);
    let document = valid(&ran, "audit", 1);
    assert_eq!(document["summary"]["artifacts"], 10);
    assert_eq!(document["summary"]["will_patch"], 2);
    let ext = artifact(&document, "liblabext.so");
    assert_eq!(ext["will_patch"]["repair"], true);
    assert_eq!(ext["sha256"], Value::Null, "nothing is hashed unless asked");
    assert_eq!(ext["external_libs"].as_array().unwrap().len(), 2);
    assert_eq!(artifact(&document, "liblabclean.so")["external_libs"], json!([]), "looked, and found none");
    assert_eq!(artifact(&document, "liblabmac.dylib")["policy"], Value::Null);
    let missing = &artifact(&document, "liblabmissing.so")["slices"][0]["tree"]["nodes"];
    let node = missing.as_array().unwrap().iter().find(|node| node["role"] == "missing").unwrap();
    assert_eq!((&node["name"], &node["path"]), (&json!("libmissing.so.3"), &Value::Null));
    assert_eq!(place.run(["audit", "--json"]).out, ran.out, "two runs give the same bytes");
    assert!(contents(&place.work()) == before, "looking changed something");
}

#[test]
fn the_status_of_an_audit_says_what_is_in_it() {
    let place = Place::with_lab();
    let status = |arguments: &[&str]| place.run(arguments).status;
    assert_eq!(status(&["audit", "target/release/liblabclean.so"]), 0);
    assert_eq!(status(&["audit", "target/release/liblabext.so"]), 0, "a note is nothing to stop for");
    assert_eq!(status(&["audit", "target/release/liblabmissing.so"]), 1);
    place.write("target/release/liblabclean.so", b"\x7fELF");
    assert_eq!(status(&["audit", "target/release/liblabclean.so"]), 2);
}

#[test]
fn options_of_the_audit_show_in_the_document() {
    let place = Place::with_lab();
    let ran = place.run(["audit", "--json", "--hash", "--loader-only", "target/release/liblabext.so"]);
    let document = valid(&ran, "audit", 0);
    let ext = artifact(&document, "liblabext.so");
    assert_eq!(ext["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(ext["external_libs"], Value::Null, "not looked at");
    assert_eq!(ext["lens_differences"], Value::Null, "not looked at");
    let old = ["audit", "--json", "--compatibility", "manylinux_2_17", "target/release/liblabdlopen.so"];
    let document = valid(&place.run(old), "audit", 1);
    assert_eq!(artifact(&document, "liblabdlopen.so")["policy"]["requested"], "manylinux_2_17");
}

#[test]
fn a_tag_that_an_external_library_rules_out_is_an_error() {
    let place = Place::with_lab();
    let ext = "target/release/liblabext.so";
    let document = valid(&place.run(["audit", "--json", "--compatibility", "manylinux_2_17", ext]), "audit", 1);
    let report = artifact(&document, "liblabext.so");
    assert_eq!(
        (&report["policy"]["requested"], &report["policy"]["tag"]),
        (&json!("manylinux_2_17"), &json!("manylinux_2_34"))
    );
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "WW018").unwrap();
    assert_eq!(finding["severity"], "error");
    let evidence = finding["evidence"].to_string();
    assert!(evidence.contains("GLIBC_2.34") && evidence.contains("libdeep.so.2"), "{evidence}");
    let document = valid(&place.run(["audit", "--json", "--compatibility", "manylinux_2_34", ext]), "audit", 0);
    let findings = artifact(&document, "liblabext.so")["findings"].to_string();
    assert!(!findings.contains("WW018"), "{findings}");
}

#[test]
fn both_lenses_give_a_tree() {
    let place = Place::with_lab();
    for lens in ["loader", "lddtree"] {
        let ext = place.run(["tree", "--json", "--lens", lens, "target/release/liblabext.so"]);
        let document = valid(&ext, "tree", 0);
        assert_eq!(document["lens"], lens);
        let names: Vec<&Value> =
            document["tree"]["nodes"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
        assert!(names.contains(&&json!("libdeep.so.2")), "{names:?}");
        let missing = place.run(["tree", "--json", "--lens", lens, "target/release/liblabmissing.so"]);
        valid(&missing, "tree", 1);
        assert_eq!(place.run(["tree", "--json", "--lens", lens, "target/release/liblabext.so"]).out, ext.out);
    }
}

#[test]
fn the_plan_is_what_the_run_does() {
    let place = Place::with_lab();
    let before = contents(&place.work());
    let ran = place.run(["plan", "--json"]);
    let plan = valid(&ran, "plan", 1);
    assert_eq!(place.run(["plan", "--json"]).out, ran.out);
    assert!(contents(&place.work()) == before, "planning changed something");
    let mut run = valid(&place.run(["run", "--json"]), "run", 1);
    assert_eq!(run["bundles"].as_array().unwrap().len(), 3);
    for step in run["steps"].as_array_mut().unwrap() {
        for effect in step["effects"].as_array_mut().unwrap() {
            assert_eq!(effect.as_object_mut().unwrap().remove("done"), Some(json!(true)), "{effect}");
        }
    }
    assert_eq!(run["steps"], plan["steps"]);
    let refused: Vec<&Value> =
        plan["steps"].as_array().unwrap().iter().flat_map(|step| step["refusals"].as_array().unwrap()).collect();
    assert_eq!(refused.len(), 2, "liblabdone.so and liblabmissing.so");
}

#[test]
fn the_plan_says_how_its_edits_fit() {
    let place = Place::with_lab();
    let plan = valid(&place.run(["plan", "--json"]), "plan", 1);
    let effects = plan["steps"].as_array().unwrap().iter().flat_map(|step| step["effects"].as_array().unwrap());
    let fits: Vec<&Value> = effects.map(|effect| &effect["fit"]).filter(|fit| !fit.is_null()).collect();
    assert!(fits.len() > 3 && fits.iter().all(|fit| fit["relro"] == "kept"), "{fits:#?}");
    let (short, long) = (place.run(["plan"]).out, place.run(["plan", "-v"]).out);
    for text in [&short, &long] {
        assert_eq!(text.matches("; RELRO kept\n").count(), fits.len());
    }
    let ways: usize = fits.iter().map(|fit| fit["considered"].as_array().unwrap().len()).sum();
    let verdicts = ["chosen  ", "refused  ", "not needed  "];
    let says_one = |line: &&str| verdicts.iter().any(|word| line.trim_start().starts_with(word));
    assert_eq!(long.lines().filter(says_one).count(), ways, "{long}");
    assert!(!short.contains("ways weighed"));
    for fit in fits {
        for room in fit["rooms"].as_array().unwrap() {
            assert!(long.contains(room["detail"].as_str().unwrap()), "{room}");
        }
    }
}

#[test]
fn a_run_says_which_files_it_touched() {
    let place = Place::with_lab();
    let ext = place.output("liblabext.so");
    let before = contents(&place.work().join("target/release/deps"));
    let run = valid(&place.run(["run", "--json", "target/release/liblabext.so"]), "run", 0);
    let state = &run["states"][0];
    assert_eq!((&state["state"], &state["edited"]), (&json!("patched"), &json!(true)));
    let files = run["files"].as_array().unwrap();
    let file = |path: &std::path::Path| files.iter().find(|file| file["path"] == path.to_str().unwrap()).unwrap();
    let output = file(&ext);
    assert!(output["before"].is_string() && output["before"] == output["after"], "cargo's bytes are as they were");
    let staged = file(&place.work().join("target/wheelwright/release/liblabext.so"));
    assert_eq!(staged["before"], Value::Null);
    assert!(staged["after"].is_string() && staged["after"] != output["after"]);
    assert!(contents(&place.work().join("target/release/deps")) == before);
}

#[test]
fn the_same_run_on_the_same_files_gives_the_same_document() {
    let place = Place::new();
    let mut documents = Vec::new();
    for _ in 0..2 {
        std::fs::remove_dir_all(place.work()).unwrap();
        wheelwright::engine::project::lab::lay_out(&place.work()).unwrap();
        documents.push(place.run(["run", "--json"]).out);
    }
    assert_eq!(documents[0], documents[1]);
}

#[test]
fn until_ends_the_plan_and_the_run() {
    let place = Place::with_lab();
    let release = contents(&place.work().join("target/release"));
    let plan = valid(&place.run(["plan", "--json", "--until", "graft", "target/release/liblabext.so"]), "plan", 0);
    let steps: Vec<&Value> = plan["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["stage", "audit", "graft"]);
    for (until, edited) in [("stage", false), ("copy-back", false), ("patch", true)] {
        let run = valid(&place.run(["run", "--json", "--until", until, "target/release/liblabext.so"]), "run", 0);
        assert_eq!(run["states"][0]["edited"], edited, "{until}");
        assert_eq!(run["bundles"], json!([]));
        assert!(contents(&place.work().join("target/release")) == release, "{until} left cargo's outputs changed");
    }
    assert!(place.work().join("target/wheelwright/release/liblabext.so").is_file(), "edited results stay in staging");
}

#[test]
fn an_editable_run_adds_its_directories_once() {
    let place = Place::with_lab();
    let release = contents(&place.work().join("target/release"));
    let staged = place.work().join("target/wheelwright/release/liblabext.so");
    let mut results = Vec::new();
    for _ in 0..3 {
        let arguments = ["run", "--json", "--mode", "editable", "target/release/liblabext.so"];
        let run = valid(&place.run(arguments), "run", 0);
        assert_eq!(run["states"][0]["edited"], true);
        assert!(contents(&place.work().join("target/release")) == release, "cargo's files are as they were");
        results.push(std::fs::read(&staged).unwrap());
    }
    assert!(results[1] == results[0] && results[2] == results[0], "each run begins with cargo's bytes");
    let directory = place.work().join("target/release/build/greet-sys-0123456789abcdef/out/lib");
    let elf = goblin::elf::Elf::parse(&results[0]).unwrap();
    assert_eq!(elf.rpaths, [directory.to_str().unwrap()]);
}

#[test]
fn the_bundle_is_copied_as_real_files() {
    let place = Place::with_lab();
    let run = valid(&place.run(["run", "--json", "-o", "taken", "target/release/liblabext.so"]), "run", 0);
    let taken = place.work().join("taken");
    assert_eq!(run["bundles"], json!([taken.to_str().unwrap()]));
    let names: Vec<String> = contents(&taken)
        .into_keys()
        .map(|path| path.strip_prefix(&taken).unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("labext/")), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("labext.libs/lib")).count(), 2, "{names:?}");
    let clean = place.run(["run", "-o", "clean", "target/release/liblabclean.so"]);
    assert_eq!(clean.status, 0, "{}", clean.err);
    let copy = contents(&place.work().join("clean"));
    let (path, (_, bytes)) = copy.first_key_value().unwrap();
    assert!(path.symlink_metadata().unwrap().is_file(), "a real file, no link");
    assert_eq!(*bytes, std::fs::read(place.output("liblabclean.so")).unwrap());
}

#[test]
fn several_bundles_do_not_mix() {
    let place = Place::with_lab();
    let run = valid(&place.run(["run", "--json", "-o", "taken"]), "run", 1);
    let taken = place.work().join("taken");
    let folders = ["aarch64-apple-darwin/release", "release", "x86_64-pc-windows-gnu/release"];
    let expected: Vec<String> = folders.iter().map(|folder| taken.join(folder).to_str().unwrap().to_owned()).collect();
    assert_eq!(run["bundles"], json!(expected));
    for folder in folders {
        assert!(!contents(&taken.join(folder)).is_empty(), "{folder}");
    }
}

#[test]
fn a_difference_is_status_one() {
    let place = Place::with_lab();
    assert_eq!(place.run(["run", "target/release/liblabext.so"]).status, 0);
    let (a, b) = ("target/release/liblabext.so", "target/wheelwright/release/liblabext.so");
    let ran = place.run(["diff", "--json", a, b]);
    let document = valid(&ran, "diff", 1);
    assert_eq!(document["equal"], false);
    let needed = document["structure"].as_array().unwrap().iter().find(|change| change["what"] == "NEEDED 1").unwrap();
    assert_eq!(needed["before"], "libgreet.so.1");
    assert_eq!(place.run(["diff", "--json", a, b]).out, ran.out);
    let same = valid(&place.run(["diff", "--json", a, a]), "diff", 0);
    assert_eq!((&same["equal"], &same["runs"]), (&json!(true), &json!([])));
}

#[test]
fn a_damaged_file_among_good_ones_takes_nothing_from_the_document() {
    let place = Place::with_lab();
    let clean = std::fs::read(place.output("liblabclean.so")).unwrap();
    place.write("folder/a.so", &clean);
    place.write("folder/b.so", &clean[..300]);
    place.write("folder/c.so", b"");
    let document = valid(&place.run(["audit", "--json", "folder"]), "audit", 2);
    assert_eq!(document["summary"]["artifacts"], 3);
    assert_eq!(artifact(&document, "a.so")["error"], Value::Null);
    assert_eq!(artifact(&document, "a.so")["slices"].as_array().unwrap().len(), 1);
    let error = &artifact(&document, "b.so")["error"];
    assert_eq!(error["offset"], 64);
    assert!(error["expected"].as_str().unwrap().contains("0x12c"), "{error}");
    assert!(artifact(&document, "c.so")["error"].is_object());
    let plan = valid(&place.run(["plan", "--json", "folder"]), "plan", 2);
    assert!(!plan["steps"][7]["effects"].as_array().unwrap().is_empty(), "the good one is planned to the end");
    let run = valid(&place.run(["run", "--json", "folder"]), "run", 2);
    assert_eq!(run["states"].as_array().unwrap().len(), 3);
    assert_eq!(run["steps"].as_array().unwrap().len(), 8);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_shown_with_its_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::with_lab();
    let clean = std::fs::read(place.output("liblabclean.so")).unwrap();
    let odd = place.write(std::ffi::OsStr::from_bytes(b"folder/b\xff.so"), &clean);
    let hex: String = odd.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let document = valid(&place.run(["audit", "--json", "folder"]), "audit", 0);
    let report = &document["artifacts"][0];
    assert!(report["path"].as_str().unwrap().ends_with("b\u{fffd}.so"));
    assert_eq!(report["path_bytes"], hex.as_str());
    assert_eq!(report["slices"][0]["tree"]["nodes"][0]["path_bytes"], hex.as_str());
    assert_eq!(report["staging"].get("staged_bytes"), None, "only where there is such a name");
    let run = valid(&place.run(["run", "--json", "folder"]), "run", 0);
    assert_eq!(run["states"][0]["path_bytes"], hex.as_str());
}
