//! liblabclean.so: a cdylib that needs nothing but the C library. Built as `labext.rs` is.
#![no_std]

use core::ffi::{c_char, c_int, c_void};

#[link(name = "c")]
unsafe extern "C" {
    fn secure_getenv(name: *const c_char) -> *const c_char;
    fn abort() -> !;
}

/// What Python calls at import: a stub.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit_labclean() -> *mut c_void {
    core::ptr::null_mut()
}

/// 42, or 43 where the environment asks for more.
#[unsafe(no_mangle)]
pub extern "C" fn labclean_answer() -> c_int {
    // SAFETY: the name ends with NUL, and the answer is only compared.
    unsafe { 42 + c_int::from(!secure_getenv(c"LABCLEAN_MORE".as_ptr()).is_null()) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort has no preconditions.
    unsafe { abort() }
}
