//! Symbol names as their authors wrote them: Rust and C++ names are demangled, others stay as they are.

use std::fmt::{self, Write};

/// A mangled name longer than this is shown as it stands.
const LONGEST_MANGLED: usize = 16 * 1024;
/// A demangled name longer than this, in bytes, is given up: back-references let a short one grow without bound.
const LONGEST_DEMANGLED: usize = 16 * 1024;

/// `name` demangled where it is a mangled Rust name (legacy or v0, without the hash) or a C++ name of the Itanium ABI.
#[must_use]
pub fn demangled(name: &str) -> String {
    if name.len() > LONGEST_MANGLED {
        return name.to_owned();
    }
    let mut text = Bounded(String::new());
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        if write!(text, "{rust:#}").is_ok() {
            return text.0;
        }
    } else if name.starts_with("_Z")
        && let Ok(symbol) = cpp_demangle::Symbol::new(name)
        && symbol.structured_demangle(&mut text, &cpp_demangle::DemangleOptions::default()).is_ok()
    {
        return text.0;
    }
    name.to_owned()
}

/// A text that refuses to grow further than a name may.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.0.len() + more.len() > LONGEST_DEMANGLED {
            return Err(fmt::Error);
        }
        self.0.push_str(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::demangled;

    #[test]
    fn rust_and_cpp_names_are_demangled_and_others_kept() {
        for (name, expected) in [
            ("main", "main"),
            ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)"),
            ("_ZTV3Foo", "{vtable(Foo)}"),
            ("_Z", "_Z"),
            ("_Zebra", "_Zebra"),
            ("_Rnothing", "_Rnothing"),
        ] {
            assert_eq!(demangled(name), expected);
        }
    }

    #[test]
    fn a_name_that_grows_without_bound_is_kept_as_it_stands() {
        // Each template argument doubles the one before.
        let mut name = String::from("_Z1fI1AE");
        for number in 0..40 {
            let digit = char::from_digit(number % 36, 36).unwrap().to_ascii_uppercase();
            name = format!("_Z1fI{}S{digit}_S{digit}_E", &name[4..]);
        }
        assert!(demangled(&name).len() <= super::LONGEST_DEMANGLED);
        assert_eq!(demangled(&"x".repeat(20_000)).len(), 20_000);
    }
}
