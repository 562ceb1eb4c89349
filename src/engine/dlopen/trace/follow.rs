//! One process in the loader's log: its requests, each with who asked and what came of it.
//!
//! A dlopen(3) opens a frame, which the loader closes with "opening file=" when it has worked. One that fails is closed by
//! nothing: the next thing that can't be part of it shows that it has. Constructors may open more inside a frame, so frames
//! are a stack. The loader's lock keeps the frames of two threads apart.

use super::frame::Frame;
use super::objects::{Files, Objects};
use super::request::{After, Request};
use super::rules;
use super::said::Said;
use crate::engine::report::trace::{LoadCause, LoadResult, TracedLoad};

/// Where a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The loader loads what the program needs.
    Starting,
    /// The program's own code runs.
    Running,
}

/// One process, from one execve(2) or fork(2) on.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    /// Its process id.
    pub(super) pid: u32,
    /// Whether it is the same program as the process that it was forked from.
    pub(super) is_forked: bool,
    /// What the program calls itself, its `argv[0]`.
    pub(super) called: Option<Vec<u8>>,
    requests: Vec<Request>,
    errors: Vec<String>,
    objects: Objects,
    frames: Vec<Frame>,
    stage: Stage,
    /// The next request may fail, and the load goes on.
    is_optional: bool,
    has_interpreter: bool,
}

impl Follower {
    /// A program that starts.
    pub(super) fn started(pid: u32, files: Files) -> Self {
        Self {
            pid,
            is_forked: false,
            called: None,
            requests: Vec::new(),
            errors: Vec::new(),
            objects: Objects::new(files),
            frames: vec![Frame::default()],
            stage: Stage::Starting,
            is_optional: false,
            has_interpreter: false,
        }
    }

    /// The process `pid` that this one forked: it has the same objects.
    pub(super) fn forked(&self, pid: u32) -> Self {
        Self {
            pid,
            is_forked: true,
            called: self.called.clone(),
            objects: self.objects.clone(),
            frames: Vec::new(),
            stage: Stage::Running,
            ..Self::started(pid, self.objects.files())
        }
    }

    /// Whether what is `said` can only come from another program in the same process: only a program that starts asks for
    /// something outside every dlopen(3).
    pub(super) fn is_replaced_by(&self, said: &Said<'_>) -> bool {
        if self.stage == Stage::Starting {
            return false;
        }
        match said {
            Said::Request { by, opened: false, .. } => {
                // An auxiliary filtee or a constructor's object may ask late; the program itself never does.
                let frame = self.frames.last();
                !frame.is_some_and(|frame| frame.mapped.contains(*by) || (frame.has_begun && self.objects.has(by)))
            }
            Said::Start(_) => self.frames.is_empty() && self.is_silent_start(said),
            _ => false,
        }
    }

    /// Whether a program starts without having asked for anything since the last one started, under another name.
    fn is_silent_start(&self, said: &Said<'_>) -> bool {
        matches!(said, Said::Start(called) if self.called.as_deref() != Some(*called))
    }

    /// Takes in what is `said`.
    pub(super) fn take(&mut self, said: &Said<'_>) {
        match *said {
            Said::Request { name, namespace, by, opened: false } => self.needed(name, namespace, by),
            Said::Request { name, namespace, by, opened: true } => self.opening(name, namespace, by),
            Said::Search { name, namespace } => self.search(name, namespace),
            Said::List { directories, label } => self.list(directories, label),
            Said::Cache => self.on_last(|request| request.walk(rules::cache())),
            Said::Trying(path) => self.on_last(|request| request.try_file(path)),
            Said::Refused(_) => self.on_last(Request::refuse),
            Said::Mapping { name, namespace } => self.mapping(name, namespace),
            Said::Init(path) => self.init(path),
            Said::Start(called) => self.start(called),
            Said::Opened { path, namespace } => self.opened(path, namespace),
            Said::Destroyed { path, namespace } => self.destroyed(path, namespace),
            Said::Auxiliary => self.is_optional = true,
            Said::Error(text) => self.error(text),
            Said::Nothing => {}
        }
    }

    /// Ends the process: what was not complete is judged by how far it came.
    pub(super) fn finish(mut self) -> (Vec<TracedLoad>, Vec<String>) {
        while let Some(frame) = self.frames.pop() {
            if frame.has_begun { self.succeed(frame) } else { self.fail(frame) }
        }
        self.settle(self.requests.len().checked_sub(1), After::Ended);
        (self.requests.into_iter().map(|request| request.load).collect(), self.errors)
    }

    /// Adds a request to the frame on top, once the one before it there is settled.
    fn add(&mut self, request: Request) -> usize {
        let before = self.frames.last().map_or_else(|| self.requests.len().checked_sub(1), |frame| frame.last);
        self.settle(before, After::WentOn);
        self.requests.push(request);
        let number = self.requests.len() - 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.last = Some(number);
        }
        number
    }

    /// Decides request `number`.
    fn settle(&mut self, number: Option<usize>, after: After) {
        let Some(request) = number.and_then(|number| self.requests.get_mut(number)) else { return };
        // What the program asks for while it starts may be a preloaded library, which may be missing.
        let is_programs = request.load.cause == LoadCause::Needed
            && self.stage == Stage::Starting
            && self.called.as_deref().map(rules::path) == request.load.asked_by;
        let optional = std::mem::take(&mut self.is_optional) || is_programs;
        let after = if optional && after == After::WentOn { After::Optional } else { after };
        let (objects, was_mapped) = (&self.objects, request.is_mapped);
        request.settle(after, |path| objects.same_as(path));
        if request.is_mapped
            && !was_mapped
            && let Some(path) = request.load.path.clone()
        {
            let namespace = request.load.namespace;
            self.know(&path, namespace);
        }
    }

    fn on_last(&mut self, change: impl FnOnce(&mut Request)) {
        if let Some(request) = self.requests.last_mut().filter(|request| request.is_open()) {
            change(request);
        }
    }

    fn needed(&mut self, name: &[u8], namespace: u32, by: &[u8]) {
        if self.stage == Stage::Starting && self.called.is_none() {
            self.called = Some(by.to_vec());
        }
        self.add(Request::new(name, namespace, LoadCause::Needed, Some(by)));
    }

    fn opening(&mut self, name: &[u8], namespace: u32, by: &[u8]) {
        self.drop_failed();
        let cause = if rules::is_libc(by) { LoadCause::Libc } else { LoadCause::Opened };
        self.frames.push(Frame::default());
        let root = self.add(Request::new(name, namespace, cause, Some(by)));
        if let Some(frame) = self.frames.last_mut() {
            frame.root = Some(root);
        }
    }

    /// Frames above which something else was opened before they came to their constructors have failed.
    fn drop_failed(&mut self) {
        while self.frames.last().is_some_and(|frame| !frame.has_begun && frame.root.is_some()) {
            if let Some(frame) = self.frames.pop() {
                self.fail(frame);
            }
        }
    }

    fn search(&mut self, name: &[u8], namespace: u32) {
        let name_text = rules::text(name);
        let is_of_last = self.requests.last().is_some_and(|request| {
            let load = &request.load;
            request.is_open() && load.searched.is_empty() && load.tried.is_empty() && load.name == name_text
        });
        if !is_of_last {
            // A log of `libs` alone names nobody.
            let cause = if self.stage == Stage::Starting { LoadCause::Needed } else { LoadCause::Unknown };
            self.add(Request::new(name, namespace, cause, None));
        }
    }

    fn list(&mut self, directories: &[u8], label: &[u8]) {
        let called = self.called.clone();
        let asked_by = self.requests.last().and_then(|request| request.load.asked_by.clone());
        let is_starting = self.stage == Stage::Starting;
        // While the program starts, everything hangs on its chain, and what it opens itself does too.
        let is_main = |file: &[u8]| {
            let is_program = called.as_deref() == Some(file);
            is_program && !is_starting && asked_by.as_deref() != Some(&rules::path(file))
        };
        if let Some(list) = rules::list(directories, label, is_main) {
            self.on_last(|request| request.walk(list));
        }
    }

    fn mapping(&mut self, name: &[u8], namespace: u32) {
        let name_text = rules::text(name);
        let is_last = self.requests.last().is_some_and(|request| {
            let load = &request.load;
            request.is_open() && !request.is_mapped && load.name == name_text && load.namespace == namespace
        });
        if !is_last {
            self.mapping_unasked(name, namespace);
            return;
        }
        let path = self.requests.last_mut().and_then(Request::map);
        let path = path.unwrap_or_else(|| rules::path(name));
        self.know(&path, namespace);
    }

    /// The program itself, where the loader was started by name; or a dlmopen(3) by path, of which the loader does not say
    /// who asked.
    fn mapping_unasked(&mut self, name: &[u8], namespace: u32) {
        let is_program = self.stage == Stage::Starting && self.called.is_none() && namespace == 0;
        let cause = if is_program { LoadCause::Program } else { LoadCause::Opened };
        if is_program {
            self.called = Some(name.to_vec());
        } else {
            self.drop_failed();
            self.frames.push(Frame::default());
        }
        let number = self.add(Request::present(name, namespace, cause, LoadResult::Loaded));
        if let Some(frame) = self.frames.last_mut().filter(|_| !is_program) {
            frame.root = Some(number);
        }
        self.know(&rules::path(name), namespace);
    }

    /// An object is in the process.
    fn know(&mut self, path: &std::path::Path, namespace: u32) {
        use std::os::unix::ffi::OsStrExt;
        self.objects.add(path, namespace);
        if let Some(frame) = self.frames.last_mut() {
            frame.mapped.insert(path.as_os_str().as_bytes().to_vec());
        }
    }

    fn init(&mut self, path: &[u8]) {
        self.begin();
        self.complete(path);
        let is_program = self.called.as_deref() == Some(path);
        let is_unasked = self.stage == Stage::Starting && !is_program && !self.objects.has(path);
        if is_unasked && !self.has_interpreter {
            self.has_interpreter = true;
            // Nobody asks for the program's interpreter: it is there first.
            let interpreter = Request::present(path, 0, LoadCause::Program, LoadResult::Loaded);
            self.objects.add(&rules::path(path), 0);
            self.requests.insert(0, interpreter);
            for frame in &mut self.frames {
                frame.root = frame.root.map(|number| number + 1);
                frame.last = frame.last.map(|number| number + 1);
            }
        }
    }

    /// The load on top is complete but for constructors.
    fn begin(&mut self) {
        let Some(last) = self.frames.last().filter(|frame| !frame.has_begun).map(|frame| frame.last) else { return };
        self.settle(last, After::WentOn);
        if let Some(frame) = self.frames.last_mut() {
            frame.has_begun = true;
        }
    }

    /// Gives an object its path where the log had only a name: one with `$ORIGIN`, or a log without searches.
    fn complete(&mut self, path: &[u8]) {
        let known = rules::path(path);
        if self.objects.has(path) {
            return;
        }
        let file = known.file_name().map(std::ffi::OsStr::to_os_string);
        let waits = |request: &&mut Request| {
            let load = &request.load;
            let unsure = load.path.as_ref().is_none_or(|path| path.to_string_lossy().contains('$'));
            request.is_mapped && unsure && std::path::Path::new(&load.name).file_name() == file.as_deref()
        };
        let Some(request) = self.requests.iter_mut().rev().find(waits) else { return };
        let namespace = request.load.namespace;
        request.load.path = Some(known.clone());
        self.objects.add(&known, namespace);
        if let Some(frame) = self.frames.last_mut() {
            frame.mapped.insert(path.to_vec());
        }
    }

    fn start(&mut self, called: &[u8]) {
        if self.called.is_none() {
            self.called = Some(called.to_vec());
        }
        self.begin();
        if self.stage == Stage::Starting {
            self.stage = Stage::Running;
            while let Some(frame) = self.frames.pop() {
                self.succeed(frame);
            }
        }
    }

    fn opened(&mut self, path: &[u8], namespace: u32) {
        let known = rules::path(path);
        self.complete(path);
        let is_it = |frame: &Frame| {
            let request = frame.root.and_then(|root| self.requests.get(root));
            request.is_some_and(|request| {
                if request.load.namespace != namespace {
                    return false;
                }
                match &request.load.path {
                    Some(path) => *path == known,
                    None => request.candidate().is_some_and(|file| self.objects.may_be(file, &known)),
                }
            })
        };
        let Some(at) = self.frames.iter().rposition(is_it) else {
            // It was there, and the loader does not say who opened it once more.
            self.drop_failed();
            self.add(Request::present(path, namespace, LoadCause::Opened, LoadResult::AlreadyLoaded));
            return;
        };
        while self.frames.len() > at + 1 {
            if let Some(frame) = self.frames.pop() {
                if frame.has_begun { self.succeed(frame) } else { self.fail(frame) }
            }
        }
        let Some(frame) = self.frames.pop() else { return };
        if let Some(request) = frame.root.and_then(|root| self.requests.get_mut(root)).filter(|one| !one.is_mapped) {
            request.be_there(known);
        }
        self.succeed(frame);
    }

    fn destroyed(&mut self, path: &[u8], namespace: u32) {
        let gone = rules::path(path);
        let is_roots = |frame: &Frame| {
            let request = frame.root.and_then(|root| self.requests.get(root));
            request.is_some_and(|request| request.load.path.as_ref() == Some(&gone))
        };
        if self.frames.last().is_some_and(|frame| !frame.has_begun && is_roots(frame))
            && let Some(frame) = self.frames.pop()
        {
            self.fail(frame);
        }
        self.objects.remove(&gone, namespace);
    }

    fn error(&mut self, text: &[u8]) {
        let text = rules::text(text);
        match self.frames.last_mut().filter(|frame| !frame.has_begun && frame.root.is_some()) {
            Some(frame) => frame.error = frame.error.take().or(Some(text)),
            None => self.errors.push(text),
        }
    }

    /// A load that worked.
    fn succeed(&mut self, frame: Frame) {
        self.settle(frame.last, After::WentOn);
        self.errors.extend(frame.error);
    }

    /// A load that failed: its last request was not answered, or the loader said why.
    fn fail(&mut self, frame: Frame) {
        let Some(last) = frame.last else { return };
        self.settle(Some(last), After::Ended);
        let Some(root) = frame.root else { return };
        let missing = self.requests.get(last).filter(|request| request.load.result == LoadResult::Failed);
        let why = frame.error.or_else(|| {
            missing
                .filter(|_| last != root)
                .map(|request| format!("{} was not loaded, which it needs", request.load.name))
        });
        if let Some(request) = self.requests.get_mut(root) {
            match (why, request.is_mapped) {
                (Some(why), _) => request.fail(why),
                (None, true) => request.fail("it was mapped, and given up".to_owned()),
                (None, false) => {}
            }
        }
    }
}
