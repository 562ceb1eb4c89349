//! The names that the interpreter defines for an extension module.

/// Whether `name` is of the form that CPython keeps for its own symbols: `Py` or `_Py`, and then a capital letter or an
/// underscore (Python's C API reference, "Include Files": names that begin so belong to the interpreter). PyPy's header gives
/// the same functions names that begin with `PyPy` or `_PyPy`.
#[must_use]
pub fn is_python_name(name: &[u8]) -> bool {
    let rest = name.strip_prefix(b"_").unwrap_or(name).strip_prefix(b"Py");
    rest.and_then(<[u8]>::first).is_some_and(|first| first.is_ascii_uppercase() || *first == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_interpreter() {
        for name in
            ["PyObject_Call", "_Py_NoneStruct", "Py_IncRef", "_PyObject_New", "PyExc_ValueError", "PyPyList_New"]
        {
            assert!(is_python_name(name.as_bytes()), "{name}");
        }
        for name in ["Python_main", "py_init", "Pyramid", "_Pyramid", "Py", "PY_x", "xPy_Foo", "__Py_Foo", ""] {
            assert!(!is_python_name(name.as_bytes()), "{name}");
        }
    }
}
