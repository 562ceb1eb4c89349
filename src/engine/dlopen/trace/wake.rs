//! Waiting until something happens to the command: a loader opens its log, the command ends, or a moment has passed.
//!
//! A loader opens its log as soon as it starts, so that the program can be asked for while it is certainly there. Where the
//! kernel has no watches left, the moments alone count, and programs that are over at once stay unknown.

#[cfg(target_os = "linux")]
pub(super) use linux::Wake;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Wake;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use std::ffi::{OsStr, OsString};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    /// What wakes us.
    #[derive(Debug)]
    pub struct Wake {
        logs: Option<OwnedFd>,
        child: Option<OwnedFd>,
    }

    impl Wake {
        /// Watches the folder of the logs.
        pub fn on(folder: &Path) -> Self {
            let watch = || {
                let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
                let watch = inotify::init(flags)?;
                inotify::add_watch(&watch, folder, inotify::WatchFlags::OPEN)?;
                Ok::<_, rustix::io::Errno>(watch)
            };
            Self { logs: watch().ok(), child: None }
        }

        /// Watches the command's end as well.
        pub fn watch_child(&mut self, pid: u32) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            self.child = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        }

        /// Waits, `milliseconds` at the most; the names of the logs that were opened since.
        pub fn wait(&mut self, milliseconds: u32) -> Vec<OsString> {
            let mut sources: Vec<PollFd<'_>> =
                self.logs.iter().chain(&self.child).map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            let time = Timespec { tv_sec: 0, tv_nsec: i64::from(milliseconds.min(999)) * 1_000_000 };
            if sources.is_empty() {
                std::thread::sleep(std::time::Duration::from_millis(milliseconds.into()));
            } else {
                // A signal ends the wait early, which does no harm.
                let _ = poll(&mut sources, Some(&time));
            }
            self.opened()
        }

        fn opened(&self) -> Vec<OsString> {
            let mut found = Vec::new();
            let Some(logs) = &self.logs else { return found };
            let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 4096];
            let mut events = inotify::Reader::new(logs, &mut buffer);
            while let Ok(event) = events.next() {
                found.extend(event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_os_string()));
            }
            found
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::ffi::OsString;
    use std::path::Path;

    /// Moments alone.
    #[derive(Debug)]
    pub struct Wake;

    impl Wake {
        pub fn on(_: &Path) -> Self {
            Self
        }

        pub fn watch_child(&mut self, _: u32) {}

        pub fn wait(&mut self, milliseconds: u32) -> Vec<OsString> {
            std::thread::sleep(std::time::Duration::from_millis(milliseconds.into()));
            Vec::new()
        }
    }
}
