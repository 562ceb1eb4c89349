//! The load proof's child and the loader of its own process: the third place of the program with `unsafe`.
//!
//! Only the child calls this, in a process that does nothing else and has one thread.

use std::ffi::{CStr, CString, c_void};
use std::ptr::NonNull;

/// The machine code of `call_from` for x86-64, for a process that can't call it: an interpreter.
#[cfg(test)]
pub(super) const CALL_FROM: &str = "554889e54883e4f04883ec08488d05040000005051ffe24889ec5dc3";

/// What the loader knows an opened file by. Nothing is ever closed: the process ends instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened(NonNull<c_void>);

/// Gives this process a mount namespace of its own: as root at once, else in a user namespace of its own.
///
/// # Errors
/// When the kernel gives none.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "leaving namespaces is unsafe where threads share them; the reason why it holds stands below"
)]
pub(super) fn enter_mount_namespace() -> std::io::Result<()> {
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    // SAFETY: the child has one thread, so that no table of descriptors is parted from another thread's.
    let unshare = |flags| unsafe { unshare_unsafe(flags) };
    if unshare(UnshareFlags::NEWNS).is_ok() {
        return Ok(());
    }
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Takes back what the Rust runtime has set for signals, so that they end this process as they would another.
#[expect(unsafe_code, reason = "signal(2) is a C function; the reason why it holds stands below")]
pub(super) fn default_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE] {
        // SAFETY: no handler is installed, and nothing of this process waits for one.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Opens `name` with all symbols bound, as this program's own code.
///
/// # Errors
/// The loader's words.
#[expect(unsafe_code, reason = "opening a library runs its code; the reason why that is wanted stands below")]
pub(super) fn open(name: &CStr) -> Result<Opened, String> {
    // SAFETY: the name ends with a zero byte. What the library's own start does is what the caller wants to see, in a process
    // that was made for it.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    NonNull::new(handle).map(Opened).ok_or_else(last_error)
}

/// Opens `name` as [`open`] does, but so that the loader takes the code at `returns` for the caller: the address of a `ret`
/// instruction of the object whose search path shall count.
///
/// # Errors
/// The loader's words.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call by hand; the reason why it holds stands below")]
pub(super) fn open_from(name: &CStr, returns: usize) -> Result<Opened, String> {
    let function = libc::dlopen as *const c_void;
    // SAFETY: as for `open`; and `returns` is the address of a `ret` in code that is mapped and stays so, which leads back
    // into `call_from`. No shadow stack watches over that: the caller has looked.
    let handle = unsafe { by_hand::call_from(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL, function, returns) };
    NonNull::new(handle).map(Opened).ok_or_else(last_error)
}

/// The call that comes from elsewhere.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#[expect(unsafe_code, reason = "written in the machine's own language")]
mod by_hand {
    /// Calls `function` with the first two arguments, and with `returns` as the address that it returns to. The `ret` that stands
    /// there takes the second address from the stack, which is ours.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn call_from(
        name: *const std::ffi::c_char,
        flags: std::ffi::c_int,
        function: *const std::ffi::c_void,
        returns: usize,
    ) -> *mut std::ffi::c_void {
        std::arch::naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "and rsp, -16",
            // With both addresses pushed, the function finds the stack as after a call.
            "sub rsp, 8",
            "lea rax, [rip + 2f]",
            "push rax",
            "push rcx",
            "jmp rdx",
            "2:",
            "mov rsp, rbp",
            "pop rbp",
            "ret",
        )
    }
}

/// The path that the loader knows `opened` by.
#[expect(unsafe_code, reason = "the loader answers by a pointer; the reason why it holds stands below")]
pub(super) fn path_of(opened: Opened) -> Option<String> {
    /// The part of `struct link_map` that dlinfo(3) promises.
    #[repr(C)]
    struct LinkMap {
        address: usize,
        name: *const std::ffi::c_char,
    }
    let mut map: *const LinkMap = std::ptr::null();
    // SAFETY: the handle is open, and RTLD_DI_LINKMAP stores one pointer.
    let failed = unsafe { libc::dlinfo(opened.0.as_ptr(), libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    if failed != 0 || map.is_null() {
        return None;
    }
    // SAFETY: the entry and its name live as long as the library is open, which is never closed.
    let name = unsafe { (*map).name };
    // SAFETY: as above; the name ends with a zero byte.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

#[expect(unsafe_code, reason = "the loader answers by a pointer; the reason why it holds stands below")]
fn last_error() -> String {
    // SAFETY: dlerror has no argument; its text lives until the next call of this thread, and is copied before.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the loader gives no reason".to_owned();
    }
    // SAFETY: as above; it ends with a zero byte.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// `text` as the loader takes names.
///
/// # Errors
/// When a zero byte stands in it.
pub(super) fn name(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "a name with a zero byte in it".to_owned())
}

#[cfg(all(test, target_arch = "x86_64", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "a function's own bytes are read")]
    fn the_bytes_for_an_interpreter_are_those_of_the_function() {
        let length = CALL_FROM.len() / 2;
        // SAFETY: the function is at least as long, and code can be read.
        let bytes = unsafe { std::slice::from_raw_parts(by_hand::call_from as *const u8, length) };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, CALL_FROM);
        assert!(include_str!("load.py").contains(CALL_FROM));
    }

    #[test]
    fn the_loader_answers() {
        let opened = open(c"libc.so.6").unwrap();
        assert!(path_of(opened).unwrap().ends_with("libc.so.6"));
        assert!(open(c"libabsent-here.so").unwrap_err().contains("libabsent-here.so"));
        assert!(name("a\0b").is_err());
    }
}
