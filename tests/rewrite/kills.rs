//! SIGKILL at random times within edits, both ways of writing: after one of our commands has looked at the file it is the old
//! one or the new one, and nothing lies beside it.
//!
//! `WHEELWRIGHT_KILLS=200` makes it 200 kills for each way, of a file of 300 MiB, and prints what they came to.

use crate::disks::{Disk, names};
use crate::hand::{Hand, Random, spliced};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wheelwright::engine::binary::Name;
use wheelwright::engine::file::{ReadAt, Windows};
use wheelwright::engine::repair::rewrite::{RolledBack, Way, Write as Carry, log_of, rewrite, roll_back, write_plan};
use wheelwright::engine::repair::{Builtin, EditPlan, EditRefusal, EditRequest, Editor, Patch};
use wheelwright::engine::{Context, Error, Result};

/// Which editor, and which of its edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The editor of this program, a new search path each time.
    Real,
    /// Plans that are made up: zeros and patches anywhere.
    Hand,
}

impl Kind {
    fn word(self) -> &'static str {
        if self == Self::Real { "real" } else { "hand" }
    }

    fn editor(self, seed: u64) -> Box<dyn Editor> {
        if self == Self::Real { Box::new(Builtin::default()) } else { Box::new(Hand::of(seed)) }
    }

    /// What the edit of number `seed` asks for.
    fn requests(self, seed: u64) -> Vec<EditRequest> {
        let mut random = Random::new(seed);
        let length = [1, 30, 600, 4096, 9000][random.below(5) as usize];
        let path: String = (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        let path = Name::from(format!("/{seed}/{path}").as_str());
        vec![if self == Self::Real { EditRequest::SetRunpath(path) } else { EditRequest::SetOsAbi(0) }]
    }

    /// Its plan for the file as it is.
    pub fn plan(self, seed: u64, path: &Path) -> EditPlan {
        let source = Windows::open(path).unwrap();
        self.editor(seed).plan(&source, &self.requests(seed)).unwrap().unwrap()
    }
}

fn word(way: Way) -> &'static str {
    match way {
        Way::Auto => "auto",
        Way::Beside => "beside",
        Way::InPlace => "in_place",
    }
}

/// What a child is told: `edit KIND WAY SEED PATH`, or `back PATH`.
pub fn told(kind: Kind, way: Way, seed: u64, path: &Path) -> String {
    format!("edit {} {} {seed} {}", kind.word(), word(way), path.display())
}

/// What a child does. It says when it begins, and is traced from there on.
pub fn child(told: &str) {
    let begin = || {
        println!("go");
        std::io::stdout().flush().unwrap();
        // A call that is made here only: from it on the tracer counts.
        let _ = rustix::process::getpriority_process(None);
    };
    if let Some(path) = told.strip_prefix("back ") {
        begin();
        roll_back(Path::new(path), &Context::new()).unwrap();
        return;
    }
    let words: Vec<&str> = told.splitn(5, ' ').collect();
    let [_, kind, way, seed, path] = words[..] else { panic!("{told}?") };
    let kind = if kind == "real" { Kind::Real } else { Kind::Hand };
    let way = [Way::Auto, Way::Beside, Way::InPlace].into_iter().find(|known| word(*known) == way).unwrap();
    let seed = seed.parse().unwrap();
    let (editor, requests) = (kind.editor(seed), kind.requests(seed));
    begin();
    let done = rewrite(Path::new(path), editor.as_ref(), &requests, way, &|_| (), &Context::new());
    done.unwrap().unwrap();
}

fn start(told: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.env("WHEELWRIGHT_REWRITE", told).stdout(Stdio::piped()).spawn().unwrap();
    let mut word = [0; 3];
    child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    child
}

/// A library of `size` bytes: what it is made of, and noise behind.
pub fn library(path: &Path, size: usize) {
    let source = path.with_extension("c");
    std::fs::write(&source, "int table[5000] = {1}; int answer(void) { return table[0] + 41; }\n").unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([path, &source]).status().unwrap();
    assert!(made.success());
    std::fs::remove_file(source).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    // Of a prime length: no insertion moves one repetition on another.
    let noise = Random::new(9).bytes(1_048_583.min(size));
    while bytes.len() < size {
        let rest = noise.len().min(size - bytes.len());
        bytes.extend_from_slice(&noise[..rest]);
    }
    std::fs::write(path, bytes).unwrap();
}

/// What became of the edits that were killed.
#[derive(Debug, Default)]
struct Came {
    killed: usize,
    finished: usize,
    old: usize,
    new: usize,
    rolled_back: usize,
}

/// Edits a file of `size` bytes in `directory`, and kills `kills` of the edits at some time; those that had finished when the
/// signal came don't count.
fn kill(directory: &Path, kind: Kind, way: Way, kills: usize, size: usize) -> Came {
    let path = directory.join("libkilled.so");
    library(&path, size);
    let mut old = std::fs::read(&path).unwrap();
    let mut took = Duration::ZERO;
    let mut came = Came::default();
    // The first are not killed, to learn how long one takes.
    for round in 0.. {
        if came.killed == kills {
            break;
        }
        let plan = kind.plan(round, &path);
        let new = spliced(&old, &plan);
        let mut child = start(&told(kind, way, round, &path));
        let begun = Instant::now();
        if round >= 3 {
            let part = Random::new(round).below(1100) as u32;
            std::thread::sleep(took * part / 1000);
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        if round < 3 {
            assert!(status.success());
            took = begun.elapsed();
        } else if status.signal() == Some(9) {
            came.killed += 1;
            took += took / 50;
        } else {
            // The machine may be busier at one time than at another: the next kill comes a little earlier.
            came.finished += 1;
            took -= took / 8;
        }
        let torn = log_of(&path).exists();
        if round % 2 == 0 {
            roll_back(&path, &Context::new()).unwrap();
        } else {
            // Findings, or that it is no library that can be read, are no matter here.
            let looked = Command::new(env!("CARGO_BIN_EXE_wheelwright")).arg("audit").arg(&path).output().unwrap();
            let said = String::from_utf8_lossy(&looked.stderr).contains("it has its old bytes again");
            assert_eq!(said, torn, "round {round}: {}", String::from_utf8_lossy(&looked.stderr));
        }
        let now = std::fs::read(&path).unwrap();
        assert!(now == old || now == new, "{kind:?} {way:?} round {round}: neither old nor new (rolled back: {torn})");
        assert!(now == new || round >= 3);
        assert_eq!(names(directory), ["libkilled.so"], "{kind:?} {way:?} round {round}");
        if round >= 3 {
            came.rolled_back += usize::from(torn);
            *(if now == new { &mut came.new } else { &mut came.old }) += 1;
        }
        old = now;
    }
    came
}

fn both_editors(directory: &Path, way: Way) {
    let asked = std::env::var("WHEELWRIGHT_KILLS").ok().map(|asked| asked.parse::<usize>().unwrap());
    // Both editors share the kills that are asked for.
    let (kills, mebibytes) = asked.map_or((12, 8), |asked| (asked / 2, 300));
    for kind in [Kind::Real, Kind::Hand] {
        let inside = tempfile::tempdir_in(directory).unwrap();
        let came = kill(inside.path(), kind, way, kills, mebibytes << 20);
        if asked.is_some() {
            println!(
                "{mebibytes} MiB, {}, {} editor: {} killed, {} had finished; {} old, {} new, {} of them rolled back",
                word(way).replace('_', " "),
                kind.word(),
                came.killed,
                came.finished,
                came.old,
                came.new,
                came.rolled_back
            );
        }
        assert!(came.old > 0, "{came:?}");
    }
}

pub fn beside() {
    let directory = tempfile::tempdir().unwrap();
    both_editors(directory.path(), Way::Beside);
}

pub fn in_place() {
    let directory = tempfile::tempdir().unwrap();
    both_editors(directory.path(), Way::InPlace);
}

/// Where pages can be inserted, so that it is surely done in place.
pub fn on_ext4() {
    let disk = Disk::new("ext4", 1600);
    both_editors(&disk.root, Way::InPlace);
}

/// A file left torn by an edit that stopped half-way, at each of the commands that look at files.
pub fn a_command_rolls_back_what_it_meets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("libtorn.so");
    library(&path, 1 << 20);
    let old = std::fs::read(&path).unwrap();
    let same = path.display().to_string();
    for words in [
        vec!["audit", &same],
        vec!["tree", &same],
        vec!["plan", &same],
        vec!["run", "--sandbox", "--until", "audit", &same],
        vec!["diff", &same, &same],
        vec!["audit", directory.path().to_str().unwrap()],
    ] {
        tear(&path);
        assert!(std::fs::read(&path).unwrap() != old && log_of(&path).exists());
        let output = Command::new(env!("CARGO_BIN_EXE_wheelwright")).args(&words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.matches("it has its old bytes again").count(), 1, "{words:?}: {said}");
        assert!(std::fs::read(&path).unwrap() == old, "{words:?}");
        assert_eq!(names(directory.path()), ["libtorn.so"], "{words:?}");
    }
}

/// `e_shoff` of a 64-bit header.
const TORN: u64 = 0x28;

/// Leaves `path` as an edit in place does that is killed after its first write.
pub fn tear(path: &Path) {
    let kept = tempfile::tempdir().unwrap();
    let (log, copy) = (log_of(path), kept.path().join("log"));
    let old = std::fs::read(path).unwrap();
    let patch = Patch { offset: TORN, bytes: b"torn".to_vec(), meaning: "where the sections are".to_owned() };
    let plan = EditPlan {
        requests: vec![EditRequest::SetOsAbi(0)],
        patches: vec![patch],
        ..EditPlan::nothing(old.len() as u64)
    };
    let editor = Stops { log: log.clone(), copy: copy.clone() };
    let done = write_plan(path, &editor, &plan, Way::InPlace, &|_| (), &Context::new());
    assert!(done.is_err() && std::fs::read(path).unwrap() == old);
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"torn", TORN).unwrap();
    std::fs::copy(&copy, &log).unwrap();
}

/// Keeps a copy of the undo log, and fails.
struct Stops {
    log: PathBuf,
    copy: PathBuf,
}

impl Editor for Stops {
    fn name(&self) -> &'static str {
        "stops"
    }

    fn plan(&self, _source: &dyn ReadAt, _requests: &[EditRequest]) -> Result<Result<EditPlan, EditRefusal>> {
        unreachable!("the plan is given")
    }

    fn apply(&self, _path: &Path, _plan: &EditPlan, _context: &Context) -> Result<()> {
        unreachable!("it is asked to apply by another's writing")
    }

    fn apply_by(&self, _path: &Path, _plan: &EditPlan, _write: Carry<'_>) -> Result<()> {
        std::fs::copy(&self.log, &self.copy).unwrap();
        Err(Error::Cancelled)
    }
}

/// A copy that a killed edit left goes with the next look at its file; one whose maker lives stays.
pub fn a_leftover_goes_unless_its_maker_lives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("libleft.so");
    library(&path, 1 << 20);
    let left = directory.path().join(".libleft.so.wheelwright-new");
    std::fs::write(&left, "half a copy").unwrap();
    let held = std::fs::File::open(&left).unwrap();
    held.lock().unwrap();
    assert_eq!(roll_back(&path, &Context::new()).unwrap(), None);
    assert!(left.exists(), "its maker lives");
    held.unlock().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wheelwright")).arg("tree").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(directory.path()), ["libleft.so"]);
    assert_ne!(roll_back(&path, &Context::new()).unwrap(), Some(RolledBack::Restored));
}
