//! What is read out of sources of Python.

use super::*;
use proptest::prelude::*;

/// The functions and values in `source`.
fn read_source(source: &str) -> Vec<(&'static str, u64, Vec<Value>)> {
    opened(source).into_iter().map(|opened| (opened.function, opened.line, opened.values)).collect()
}

/// The values of all calls in `source`.
fn values(source: &str) -> Vec<Value> {
    read_source(source).into_iter().flat_map(|(_, _, values)| values).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn beside(path: &str) -> Value {
    Value::Beside(path.into())
}

#[test]
fn calls_are_found_under_every_name_of_their_functions() {
    let source = "import ctypes\nimport ctypes as ct, os\nfrom ctypes import CDLL as Open, cdll, PyDLL\n\
        from ctypes import util\nfrom ctypes.util import find_library\nimport cffi\n\
        ctypes.CDLL('a.so')\nct.CDLL(\n  'b.so', mode=1)\nOpen('c.so'); cdll.LoadLibrary('d.so')\n\
        PyDLL(name='e.so')\nctypes.util.find_library('f')\nutil.find_library('g')\nffi.dlopen('h.so')\nself.ffi.dlopen('i.so')\n\
        ctypes.windll.LoadLibrary('j.dll')\n";
    let expected = vec![
        ("CDLL", 7, vec![text("a.so")]),
        ("CDLL", 8, vec![text("b.so")]),
        ("CDLL", 10, vec![text("c.so")]),
        ("cdll.LoadLibrary", 10, vec![text("d.so")]),
        ("PyDLL", 11, vec![text("e.so")]),
        ("find_library", 12, vec![Value::Stem("f".into())]),
        ("find_library", 13, vec![Value::Stem("g".into())]),
        ("ffi.dlopen", 14, vec![text("h.so")]),
        ("ffi.dlopen", 15, vec![text("i.so")]),
        ("windll.LoadLibrary", 16, vec![text("j.dll")]),
    ];
    assert_eq!(read_source(source), expected);
    assert!(read_source("# ctypes.CDLL('a.so')\n'''ctypes.CDLL('b.so')'''\ndef CDLL(name): pass\n").is_empty());
    assert_eq!(values("from ctypes import *\nCDLL('a.so')"), [text("a.so")]);
    assert_eq!(values("from ctypes import (CDLL,\n RTLD_GLOBAL)\nCDLL('a.so', RTLD_GLOBAL)"), [text("a.so")]);
}

#[test]
fn paths_beside_the_file_are_followed() {
    for (expression, expected) in [
        ("os.path.join(os.path.dirname(__file__), 'libx.so')", beside("libx.so")),
        ("os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib', 'libx.so')", beside("lib/libx.so")),
        ("os.path.dirname(__file__) + '/libx.so'", beside("libx.so")),
        ("Path(__file__).parent / 'libx.so'", beside("libx.so")),
        ("str(pathlib.Path(__file__).resolve().parent.parent / 'x.libs' / 'libx.so')", beside("../x.libs/libx.so")),
        ("Path(__file__).with_name('libx.so')", beside("libx.so")),
        ("HERE / 'libx.so'", beside("libx.so")),
        ("os.path.join('/opt', 'libx.so')", text("/opt/libx.so")),
        ("'lib' 'x' + '.so'", text("libx.so")),
        ("NAME", text("liby.so")),
        ("None", Value::Null),
        ("f'lib{x}.so'", Value::Unknown),
        ("'lib%s.so' % x", Value::Unknown),
        ("'lib{}.so'.format(x)", Value::Unknown),
        ("parameter", Value::Unknown),
        ("os.environ['X']", Value::Unknown),
        ("*names", Value::Unknown),
    ] {
        let source = format!(
            "import ctypes, os, pathlib\nfrom pathlib import Path\nHERE = Path(__file__).parent\nNAME = 'liby.so'\n\
             def f(parameter=1):\n  ctypes.CDLL({expression})\nparameter = 'z.so'\n"
        );
        assert_eq!(values(&source), [expected], "{expression}");
    }
}

#[test]
fn of_several_values_each_is_told() {
    let source = "import ctypes, sys\nif sys.platform == 'darwin':\n  name = 'a.dylib'\nelse: name = 'liba.so'\nctypes.CDLL(name)\n";
    assert_eq!(values(source), [text("a.dylib"), text("liba.so")]);
    let source = "import ctypes\nfor name in ('libb.so', 'libc.so'):\n  ctypes.CDLL(name)\n";
    assert_eq!(values(source), [text("libb.so"), text("libc.so")]);
    let source = "import ctypes\nctypes.CDLL('a.so' if x(1, 2) else 'b.so')\n";
    assert_eq!(values(source), [text("a.so"), text("b.so")]);
    let source = "import ctypes.util\nctypes.CDLL(ctypes.util.find_library('z') or 'libz.so.1')\n";
    assert_eq!(values(source), [Value::Stem("z".into()), text("libz.so.1"), Value::Stem("z".into())]);
    assert_eq!(values("import ctypes\nname = name + 'x'\nctypes.CDLL(name)"), [Value::Unknown]);
}

#[test]
fn names_of_other_systems_are_left_out_and_unknown_ones_are_noted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.py");
    let source = "import ctypes, os\nctypes.CDLL('a.dll')\nctypes.CDLL('liba.dylib')\nctypes.CDLL('liba.so')\n\
        ctypes.CDLL(None)\nctypes.WinDLL('kernel32')\nctypes.CDLL(os.environ['A'])\nctypes.util.find_library('z')\n\
        ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libb.so'))\n\
        ctypes.CDLL('libl.so' if os else 'libr.so')\nctypes.util.find_library('lib/x.dylib')\n";
    std::fs::write(&path, source).unwrap();
    let (mut gathered, mut notes) = (Gathered::default(), Vec::new());
    let places = [directory.path().to_path_buf()];
    read(&places, Format::Elf, &mut gathered, &mut notes, &Context::new()).unwrap();
    let (names, _) = gathered.into_names();
    let found: Vec<_> = names.iter().map(|name| (name.name.as_str(), name.confidence)).collect();
    use Confidence::{Passed, Pattern, Referred};
    let expected = [
        ("$PACKAGE/libb.so", Passed),
        ("liba.so", Passed),
        ("libl.so", Referred),
        ("libr.so", Referred),
        ("libz.so*", Pattern),
    ];
    assert_eq!(found, expected);
    assert_eq!((names[1].evidence[0].line, names[1].evidence[0].kind.as_str()), (Some(4), "ctypes"));
    assert_eq!(notes, [format!("CDLL with a name made at run time ({}:7)", path.display())]);
}

proptest! {
    #[test]
    fn any_source_is_borne(source in "(ctypes|CDLL|cdll|import |from |as |for |in |if |else |or |def f|x|'a.so'|[-.,:=+/*()\\[\\]{}\n]){0,60}") {
        let _ = opened(&format!("ctypes.CDLL(x)\n{source}"));
    }
}
