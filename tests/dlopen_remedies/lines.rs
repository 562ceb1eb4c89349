//! The lines that are offered to be pasted do what they say: in a package's `__init__.py`, and in a build script.

use crate::case::{Built, LINKING, adopt, advance, bundle, by_name, opened, report};
use crate::support::{cargo_build, write};
use libtest_mimic::{Failed, Trial};
use std::process::Command;
use wheelwright::engine::report::dlopen::{Remedy, RemedyKind};
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::Session;

pub fn all(strict: bool) -> Vec<Trial> {
    let name = "the_lines_for_python_load_it_first";
    let python = Command::new("python3").args(["-c", "import ctypes"]).output().is_ok_and(|out| out.status.success());
    vec![
        match (python, strict) {
            (true, _) => Trial::test(name, in_python),
            (false, true) => Trial::test(name, || Err("can't run here: there is no python3 with ctypes".into())),
            (false, false) => {
                Trial::test(format!("{name} (there is no python3 with ctypes)"), || Ok(())).with_ignored_flag(true)
            }
        },
        Trial::test("the_lines_for_a_build_script_link_it", in_a_build_script),
    ]
}

fn remedy(session: &mut Session, kind: RemedyKind) -> Remedy {
    let opened = opened(&report(session, "libb.so"));
    opened.remedies.into_iter().find(|remedy| remedy.kind == kind).unwrap()
}

fn in_python() -> Result<(), Failed> {
    let built = Built::new(true);
    let out = tempfile::tempdir()?;
    let mut session = built.session();
    let lines = remedy(&mut session, RemedyKind::Preload).lines;
    adopt(&mut session, RemedyKind::Preload);
    advance(&mut session, Step::Finalize);
    session.leave()?;
    let bundle = bundle(&session, out.path());
    let asks = "import os, sys\nimport labext, ctypes\nprint(ctypes.CDLL(os.path.join(labext.__path__[0], 'b.so')).answer())\n";
    write(&bundle.join("ask.py"), asks);
    let mut said = Vec::new();
    for init in [String::new(), lines.join("\n")] {
        write(&bundle.join("labext/__init__.py"), &init);
        said.push(built.hidden(Command::new("python3").arg("-B").arg(bundle.join("ask.py"))));
    }
    assert!(said[0].contains("cannot open shared object file") && said[0].ends_with("-1\n"), "{said:?}");
    assert_eq!(said[1], "42\n", "{lines:#?}");
    Ok(())
}

fn in_a_build_script() -> Result<(), Failed> {
    let built = Built::new(true);
    let out = tempfile::tempdir()?;
    let mut session = built.session();
    let lines = remedy(&mut session, RemedyKind::LinkIt).lines;
    drop(session);
    write(&built.project.join("b/build.rs"), &lines.join("\n"));
    write(&built.project.join("b/src/lib.rs"), LINKING);
    cargo_build(&built.project);
    let mut session = built.session();
    assert!(session.report(by_name(&session, "libb.so")).is_none(), "nothing of before is kept");
    advance(&mut session, Step::Finalize);
    session.leave()?;
    let bundle = bundle(&session, out.path());
    assert_eq!(built.load(&bundle.join("labext/b.so"), &[]), "answer 42\n", "{lines:#?}");
    Ok(())
}
