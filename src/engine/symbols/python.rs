//! Which names belong to Python's C API: those that the interpreter itself has to define for an extension module.
//!
//! Python keeps the prefixes `Py` and `_Py` for itself (C API reference, "Coding standards" and "Include Files"): all that
//! it exports begins so, followed by an upper-case letter or an underscore. A few families of that form are not its own.

/// What has the form of Python's own and is defined by extension modules.
const OTHERS: [&[u8]; 3] = [b"PyInit_", b"PyInitU_", b"PyModExport_"];

/// Whether `name` is one that an interpreter defines. `PyPy...`, which PyPy exports for the same things, is of that form
/// too. Only to be asked of a symbol that no object of the tree defines.
#[must_use]
pub fn is_python(name: &[u8]) -> bool {
    let rest = name.strip_prefix(b"_Py").or_else(|| name.strip_prefix(b"Py"));
    rest.is_some_and(goes_on) && !OTHERS.iter().any(|other| name.starts_with(other))
}

/// Whether what follows the prefix is a word of its own: `PyList_New`, `_Py_NoneStruct`, and not `Pylon`.
fn goes_on(rest: &[u8]) -> bool {
    matches!(rest, [b'A'..=b'Z' | b'_', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_c_api_are_told_from_those_of_modules() {
        for name in ["PyList_New", "Py_Initialize", "_Py_NoneStruct", "_PyObject_GC_New", "PyPyList_New", "PyPy_IncRef"]
        {
            assert!(is_python(name.as_bytes()), "{name}");
        }
        for name in [
            "PyInit_lab",
            "PyModExport_lab",
            "PyInitU_lab",
            "Pylon",
            "_Python",
            "Python",
            "Py",
            "py_list",
            "xPyList_New",
            "",
        ] {
            assert!(!is_python(name.as_bytes()), "{name}");
        }
    }
}
