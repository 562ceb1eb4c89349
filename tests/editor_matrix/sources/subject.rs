//! What is edited, from Rust: it computes 42 from all that an edit could break: relocated tables, thread-local memory,
//! unwinding, threads, and two libraries.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn deep() -> c_int;
    fn plain() -> c_int;
    fn dynamic_is_writable(address: *const c_void) -> c_int;
}

static WORDS: [&str; 2] = ["forty", "two"];

thread_local!(static MINE: Cell<i32> = const { Cell::new(7) });

#[unsafe(no_mangle)]
pub extern "C" fn compute() -> c_int {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| {
        if std::hint::black_box(true) {
            panic!("unwinding works")
        }
    });
    let words = std::thread::spawn(|| {
        MINE.with(|mine| mine.set(mine.get() + 1));
        WORDS.iter().map(|word| word.to_string()).collect::<Vec<_>>().join("-")
    });
    let words = words.join().unwrap();
    if caught.is_ok() || words != "forty-two" || MINE.with(Cell::get) != 7 {
        return 1;
    }
    // SAFETY: both are functions without arguments of the libraries beside this file.
    unsafe { deep() + plain() }
}

#[allow(dead_code, reason = "a library has no use for it")]
fn main() {
    // SAFETY: it only looks where the address lies.
    println!("{} {}", compute(), unsafe { dynamic_is_writable(WORDS.as_ptr().cast()) });
}
