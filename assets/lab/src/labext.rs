//! liblabext.so: a cdylib that links an external library. Built without std, so that it stays small, by rustc and its linker.
#![no_std]

use core::ffi::{c_char, c_int, c_void};

#[link(name = "greet")]
unsafe extern "C" {
    fn greet() -> c_int;
    fn greet_text() -> *const c_char;
}

#[link(name = "c")]
unsafe extern "C" {
    fn secure_getenv(name: *const c_char) -> *const c_char;
    fn strlen(text: *const c_char) -> usize;
    fn abort() -> !;
}

/// What Python calls at import. Null without an exception set: a stub, which is enough for every tool that reads names.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit_labext() -> *mut c_void {
    core::ptr::null_mut()
}

/// 42 and the length of the greeting, through both libraries.
#[unsafe(no_mangle)]
pub extern "C" fn labext_answer() -> c_int {
    // SAFETY: the C functions take no arguments or a NUL-terminated text, and give one that is never freed.
    unsafe {
        let quiet = !secure_getenv(c"LABEXT_QUIET".as_ptr()).is_null();
        greet() + if quiet { 0 } else { strlen(greet_text()) as c_int }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort has no preconditions.
    unsafe { abort() }
}
