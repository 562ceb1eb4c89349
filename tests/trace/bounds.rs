//! Limits, and that nothing is left: no process, no log.

use crate::lab::{Lab, is_alive};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wheelwright::engine::dlopen::trace;
use wheelwright::engine::report::trace::TraceMethod;
use wheelwright::engine::{Context, Error};

/// Writes the ids of itself and of a child in a session of its own, and sleeps for long.
const SLEEPER: &str = "#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    if (count > 2 && !strcmp(words[2], \"deaf\")) signal(SIGTERM, SIG_IGN);
    pid_t child = fork();
    if (child == 0) { setsid(); sleep(1000); return 0; }
    char name[4096];
    snprintf(name, sizeof name, \"%s.new\", words[1]);
    FILE *file = fopen(name, \"w\");
    fprintf(file, \"%d\\n%d\\n\", getpid(), child);
    fclose(file);
    rename(name, words[1]);
    if (count > 2 && !strcmp(words[2], \"leave\")) return 0;
    for (;;) sleep(1000);
}\n";

/// The sleeper's command line, and the file in which it says who it is.
fn sleeper(lab: &Lab, how: &str) -> ([String; 3], PathBuf) {
    let program = lab.build("sleeper", SLEEPER, &[]);
    let pids = lab.path("pids");
    ([program.display().to_string(), pids.display().to_string(), how.to_owned()], pids)
}

fn all_are_gone(pids: &Path) {
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        assert!(!is_alive(pid), "{pid} is alive");
    }
}

/// Late as soon as the sleepers sleep.
fn once_written(pids: &Path) -> Context {
    let pids = pids.to_path_buf();
    Context::new().until(move || pids.exists())
}

fn ended_by_time(how: &str, signal: i32) {
    let lab = Lab::new();
    let (command, pids) = sleeper(&lab, how);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let document = lab.run(&lab.options(&command), &once_written(&pids));
    let ended = document.ended.unwrap();
    assert_eq!((ended.limit.as_deref(), ended.status, ended.signal), (Some("time"), None, Some(signal)));
    all_are_gone(&pids);
    assert!(document.processes[0].loads.iter().any(|load| load.name == "libc.so.6"), "what was found is kept");
}

pub fn a_limit_of_time_ends_everybody() -> Result<(), Failed> {
    ended_by_time("hears", 15);
    Ok(())
}

pub fn who_does_not_hear_is_killed() -> Result<(), Failed> {
    ended_by_time("deaf", 9);
    Ok(())
}

pub fn a_flood_of_logs_ends() -> Result<(), Failed> {
    let lab = Lab::new();
    let source = "#include <dlfcn.h>\nint main(void) { for (;;) dlopen(\"libnowhere.so\", RTLD_NOW); }\n";
    let program = lab.build("flood", source, &["-ldl"]);
    let mut options = lab.options(&[&program.display().to_string()]);
    options.max_log = 1 << 20;
    let document = lab.run(&options, &Context::new());
    assert_eq!(document.ended.unwrap().limit.as_deref(), Some("output"));
    let failed = document.processes[0].loads.iter().filter(|load| load.name == "libnowhere.so").count();
    assert!(failed > 10, "what was found is kept");
    // What the command prints into our file counts too.
    let mut options = lab.options(&["sh", "-c", "while :; do echo 0123456789; done"]);
    options.max_log = 1 << 20;
    assert_eq!(lab.run(&options, &Context::new()).ended.unwrap().limit.as_deref(), Some("output"));
    Ok(())
}

pub fn who_outlives_the_command_is_ended() -> Result<(), Failed> {
    let lab = Lab::new();
    let (command, pids) = sleeper(&lab, "leave");
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let document = lab.run(&lab.options(&command), &Context::new());
    let ended = document.ended.unwrap();
    assert_eq!((ended.limit, ended.status), (None, Some(0)));
    all_are_gone(&pids);
    let said = ["still running when the command ended, and ended by us: sleeper"];
    assert_eq!(document.unseen, said);
    Ok(())
}

pub fn cancelling_ends_everybody() -> Result<(), Failed> {
    let lab = Lab::new();
    let (command, pids) = sleeper(&lab, "hears");
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let context = Context::new();
    let canceller = {
        let (context, pids) = (context.clone(), pids.clone());
        std::thread::spawn(move || {
            while !pids.exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            context.cancel();
        })
    };
    let result = trace::run(&lab.options(&command), &context);
    canceller.join().unwrap();
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert_eq!(std::fs::read_dir(lab.scratch()).unwrap().count(), 0, "logs are left");
    all_are_gone(&pids);
    Ok(())
}

/// A static program and one with an empty environment are alive while they are looked at: they wait for each other's end.
pub fn what_has_no_log_is_said() -> Result<(), Failed> {
    let lab = Lab::new();
    let source = "#include <stdlib.h>\n#include <unistd.h>\nint main(int n, char **w) { usleep(atoi(w[n - 1]) * 1000); return 0; }\n";
    let plain = lab.build("plain", source, &[]).display().to_string();
    let options = lab.options(&["env", "-i", &plain, "1500"]);
    let document = lab.run(&options, &Context::new());
    let said = document.unseen.join("\n");
    assert!(said.contains(&format!("{plain} was started without LD_DEBUG in its environment")), "{said}");
    let process = document.processes.iter().find(|process| process.program == Some(lab.path("plain"))).unwrap();
    assert_eq!(process.method, TraceMethod::Maps);
    assert!(process.loads.iter().any(|load| load.name.starts_with("libc.so") || load.name.starts_with("libc-")));
    // Not every system has a libc to link statically.
    let is_there = std::process::Command::new("cc").args(["-print-file-name=libc.a"]).output().unwrap();
    if String::from_utf8_lossy(&is_there.stdout).trim() != "libc.a" {
        let fixed = lab.build("fixed", source, &["-static"]).display().to_string();
        let document = lab.run(&lab.options(&[&fixed, "1500"]), &Context::new());
        assert!(document.processes.is_empty(), "{document:#?}");
        assert_eq!(document.unseen, [format!("{fixed} is linked statically: what it opens itself can't be seen")]);
    }
    Ok(())
}
