//! The load proof's child: this program, begun again with [`CHILD`]. First it hides the build from itself and gives way to
//! the one that loads: an interpreter, or itself once more.

use super::answer::{ANSWER, Answer, HIDDEN, REQUEST, Request, RequestedProbe, TRACE, read, write};
use super::{CHILD, hide, native};
use crate::engine::report::dlopen::OpenedBy;
use crate::engine::report::load::OpenedProbe;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the second time.
const LOAD: &str = "load";
/// Of an ELF loader's log: where each file was sought, and who asked for it.
const LOGGED: &str = "libs,files";
/// What an interpreter is told.
const SCRIPT: &str = include_str!("load.py");
/// Said where an address can't be passed off as a call's.
const NO_CALL: &str = "not tried: on this machine no call can be made to come from the artifact";

/// Does what `arguments` (those after [`CHILD`]) say; the process's exit status.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.collect();
    let done = match arguments.as_slice() {
        [said] => begin(Path::new(said)),
        [said, stage] if stage == LOAD => load(Path::new(said)),
        _ => None,
    };
    if done.is_some() { 0 } else { 2 }
}

/// Hides the build and becomes the one that loads.
fn begin(said: &Path) -> Option<()> {
    // Whoever began us may be killed; and a crash shall leave no core file.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let request: Request = read(said, REQUEST)?;
    write(said, HIDDEN, &hide::hide(&request)).ok()?;
    let mut next = match &request.python {
        // Of a program, ld.so(8) lists what it would load and what it would not find, and ends.
        _ if request.program => {
            let mut next = Command::new(&request.artifact);
            next.env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").env("LD_WARN", "1").env("LD_BIND_NOW", "1");
            next
        }
        Some(python) => {
            let mut next = Command::new(python);
            next.env_clear().args(["-I", "-S", "-B", "-c", SCRIPT]).arg(said);
            next
        }
        None => {
            // By its inode: the file itself may be hidden now.
            let mut next = Command::new("/proc/self/exe");
            next.env_clear().arg(CHILD).arg(said).arg(LOAD);
            next
        }
    };
    let error = next.env("LD_DEBUG", LOGGED).env("LD_DEBUG_OUTPUT", said.join(TRACE)).exec();
    let program = request.program.then_some(request.artifact);
    let who = request.python.or(program).map_or_else(|| "this program".to_owned(), |path| path.display().to_string());
    let not_tried = Some(format!("{who} can't be started: {error}"));
    write(said, ANSWER, &Answer { not_tried, ..Answer::default() }).ok()
}

/// Loads the artifact and opens what is to be opened, and writes what came of it after each.
fn load(said: &Path) -> Option<()> {
    native::default_signals();
    let request: Request = read(said, REQUEST)?;
    let mut answer = Answer { before: mapped(), ..Answer::default() };
    let opened = request
        .preload
        .iter()
        .try_for_each(|path| open(path).map_err(|error| format!("{}, which is loaded first: {error}", path.display())))
        .and_then(|()| open(&request.artifact));
    answer.loaded = opened.is_ok();
    answer.error = opened.err();
    answer.after = mapped();
    write(said, ANSWER, &answer).ok()?;
    if !answer.loaded {
        return Some(());
    }
    for probe in &request.probes {
        answer.opening = Some(probe.name.clone());
        write(said, ANSWER, &answer).ok()?;
        let opened = open_probe(probe, &request.artifact);
        answer.opening = None;
        answer.probes.push(match opened {
            Ok(path) => OpenedProbe { name: probe.name.clone(), path, error: None },
            Err(error) => OpenedProbe { name: probe.name.clone(), path: None, error: Some(error) },
        });
    }
    write(said, ANSWER, &answer).ok()
}

fn open(path: &Path) -> Result<(), String> {
    let name = native::name(&path.to_string_lossy())?;
    native::open(&name).map(|_| ())
}

/// The path of the file that answers.
fn open_probe(probe: &RequestedProbe, artifact: &Path) -> Result<Option<String>, String> {
    let name = native::name(&probe.name)?;
    match probe.by {
        OpenedBy::Python => Err("not tried: Python would open it, and no interpreter is there".to_owned()),
        OpenedBy::Artifact => open_as(&name, artifact).map(native::path_of),
    }
}

/// Opens `name` as `artifact` would. musl's dlopen(3) does not ask who calls.
#[cfg(target_env = "musl")]
fn open_as(name: &std::ffi::CStr, _: &Path) -> Result<native::Opened, String> {
    native::open(name)
}

/// Opens `name` as `artifact` would: glibc takes for the caller whose code the call returns to.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn open_as(name: &std::ffi::CStr, artifact: &Path) -> Result<native::Opened, String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let watched = status.lines().any(|line| line.starts_with("x86_Thread_features:") && line.contains("shstk"));
    if watched {
        return Err(NO_CALL.to_owned());
    }
    let returns = returns_in(artifact).ok_or(NO_CALL)?;
    native::open_from(name, returns)
}

#[cfg(not(any(target_env = "musl", all(target_arch = "x86_64", target_env = "gnu"))))]
fn open_as(_: &std::ffi::CStr, _: &Path) -> Result<native::Opened, String> {
    Err(NO_CALL.to_owned())
}

/// The address of a `ret` (0xc3) in the code of the loaded file `path`.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn returns_in(path: &Path) -> Option<usize> {
    use std::os::unix::fs::FileExt;

    let file = std::fs::File::open(path).ok()?;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().filter_map(mapping).filter(|(.., mapped)| Path::new(mapped) == path).find_map(
        |(from, to, rights, at, _)| {
            let mut code = vec![0; to.checked_sub(from).filter(|_| rights.starts_with("r-x"))?.min(1 << 20)];
            let count = file.read_at(&mut code, at).ok()?;
            code.iter().take(count).position(|byte| *byte == 0xc3).map(|place| from + place)
        },
    )
}

/// A line of /proc/self/maps: addresses, rights, the place in the file, the file.
fn mapping(line: &str) -> Option<(usize, usize, &str, u64, &str)> {
    let mut fields = line.splitn(6, ' ');
    let (addresses, rights, at) = (fields.next()?, fields.next()?, fields.next()?);
    let path = fields.nth(2)?.trim_start();
    let (from, to) = addresses.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some((number(from)?, number(to)?, rights, u64::from_str_radix(at, 16).ok()?, path))
}

/// The files whose code is in this process, in the order of their addresses.
fn mapped() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut seen = BTreeSet::new();
    let code = maps
        .lines()
        .filter_map(mapping)
        .filter(|(_, _, rights, _, path)| rights.contains('x') && path.starts_with('/'));
    code.filter(|(.., path)| seen.insert(PathBuf::from(path))).map(|(.., path)| path.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_memory_map() {
        let line = "7f0a-7f0c r-xp 00001000 fe:01 1234                       /a b/lib c.so";
        assert_eq!(mapping(line), Some((0x7f0a, 0x7f0c, "r-xp", 0x1000, "/a b/lib c.so")));
        for other in ["", "7f0a-7f0c r-xp", "7ffd-7ffe rw-p 00000000 00:00 0", "x-y r-xp 0 0:0 0 /a"] {
            assert_eq!(mapping(other).filter(|(.., path)| path.starts_with('/')), None, "{other}");
        }
    }
}
