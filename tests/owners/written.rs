//! Databases written here, in a directory that stands for the root.

use super::owned;
use libtest_mimic::Failed;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use wheelwright::engine::owners::Owners;
use wheelwright::engine::{Context, Error};

/// A root with `files` (path and content) and `links` (path and target).
fn root(files: &[(&str, &str)], links: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    }
    for (path, target) in links {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        symlink(target, path).expect("a link");
    }
    root
}

/// Holds the owners of paths below `root` against what is expected, also when each is asked for alone.
fn check(root: &Path, cases: &[(&str, &str)]) -> Result<(), Failed> {
    let owners = Owners::new(Some(root));
    let paths: Vec<PathBuf> = cases.iter().map(|(path, _)| root.join(path)).collect();
    let found = owned(&owners, &paths);
    for (((path, expected), found), full) in cases.iter().zip(&found).zip(&paths) {
        assert_eq!(found, expected, "{path}");
        assert_eq!(owned(&owners, &[full]), [*expected], "{path} again");
        assert_eq!(owned(&Owners::new(Some(root)), &[full]), [*expected], "{path} alone");
    }
    assert!(owners.notes().is_empty(), "{:?}", owners.notes());
    Ok(())
}

const STATUS: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\n\
    Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.36-8\n\n\
    Package: zlib1g\nArchitecture: amd64\nVersion: 1:1.2.13\n\nPackage: zlink\nArchitecture: all\nVersion: 7\n\n\
    Package: dash\nArchitecture: amd64\nVersion: 0.5\n\nPackage: bash\nArchitecture: amd64\nVersion: 5.2\n";

pub fn dpkg() -> Result<(), Failed> {
    let root = root(
        &[
            ("var/lib/dpkg/status", STATUS),
            ("var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/ls\n/usr/bin/ls.old\n:\n"),
            // Without /usr, as before the merge; the file lies below it.
            (
                "var/lib/dpkg/info/libc6:amd64.list",
                "/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n",
            ),
            ("var/lib/dpkg/info/libc6:i386.list", "/.\n/usr/lib/i386-linux-gnu/libc.so.6\n"),
            ("var/lib/dpkg/info/zlib1g:amd64.list", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13\n"),
            (
                "var/lib/dpkg/info/zlink.list",
                "/usr/lib/x86_64-linux-gnu/libz.so.1\n/usr/lib/x86_64-linux-gnu/libown.so",
            ),
            ("var/lib/dpkg/info/dash.list", "/bin/sh\n/bin/dash\n"),
            ("var/lib/dpkg/info/bash.list", "/bin/sh\n/bin/bash\n/usr/bin/ls\n/usr/bin/gone\n"),
            ("var/lib/dpkg/info/bash.md5sums", "0  usr/bin/unlisted\n"),
            ("usr/lib/x86_64-linux-gnu/libc.so.6", ""),
            ("usr/lib/i386-linux-gnu/libc.so.6", ""),
            ("usr/lib/x86_64-linux-gnu/libz.so.1.2.13", ""),
            ("opt/own/libown.so.1", ""),
            ("usr/bin/sh", ""),
            ("usr/bin/sh.distrib", ""),
            ("usr/bin/ls", ""),
            ("usr/bin/ls.old", ""),
            ("usr/bin/unlisted", ""),
        ],
        &[
            ("lib", "usr/lib"),
            ("bin", "/usr/bin"),
            ("usr/lib/x86_64-linux-gnu/libz.so.1", "libz.so.1.2.13"),
            ("usr/lib/x86_64-linux-gnu/libown.so", "/opt/own/libown.so.1"),
            ("srv/libz.so", "/lib/x86_64-linux-gnu/libz.so.1"),
        ],
    );
    check(
        root.path(),
        &[
            ("lib/x86_64-linux-gnu/libc.so.6", "libc6 2.36-9 (dpkg)"),
            ("usr/lib/x86_64-linux-gnu/libc.so.6", "libc6 2.36-9 (dpkg)"),
            ("lib/i386-linux-gnu/libc.so.6", "libc6 2.36-8 (dpkg)"),
            // The file's owner, and not that of the link to it.
            ("lib/x86_64-linux-gnu/libz.so.1", "zlib1g 1:1.2.13 (dpkg)"),
            ("srv/libz.so", "zlib1g 1:1.2.13 (dpkg)"),
            // Nobody owns the file behind this one.
            ("lib/x86_64-linux-gnu/libown.so", "zlink 7 (dpkg)"),
            ("opt/own/libown.so.1", "-"),
            ("bin/sh", "dash 0.5 (dpkg)"),
            ("usr/bin/sh.distrib", "bash 5.2 (dpkg)"),
            ("usr/bin/ls", "-"),
            ("bin/ls.old", "bash 5.2 (dpkg)"),
            ("usr/bin/unlisted", "-"),
            ("../outside", "-"),
        ],
    )
}

pub fn distroless() -> Result<(), Failed> {
    let root = root(
        &[
            ("var/lib/dpkg/status.d/bGliYzY", "Package: libc6\nArchitecture: amd64\nVersion: 2.36-9\n"),
            (
                "var/lib/dpkg/status.d/bGliYzY.md5sums",
                "d41d8cd98f00b204e9800998ecf8427e  lib/x86_64-linux-gnu/libc.so.6\n0  usr/share/doc/two  spaces\n",
            ),
            ("lib/x86_64-linux-gnu/libc.so.6", ""),
            ("usr/share/doc/two  spaces", ""),
            ("etc/passwd", ""),
        ],
        &[],
    );
    check(
        root.path(),
        &[
            ("lib/x86_64-linux-gnu/libc.so.6", "libc6 2.36-9 (dpkg)"),
            ("usr/share/doc/two  spaces", "libc6 2.36-9 (dpkg)"),
            ("etc/passwd", "-"),
        ],
    )
}

pub fn apk() -> Result<(), Failed> {
    let installed = "C:Q1oFYf6V0qPJMJpKBTLZbkoVxGaOo=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\
        a:0:0:755\nZ:Q1aGXWuqvUSJ1cLyqkOXbW2Exbmls=\nR:libc.musl-x86_64.so.1\na:0:0:777\n\n\
        C:Q1x=\nP:zlib\nV:1.3.1-r1\nF:lib\nR:libz.so.1.3.1\nF:usr\nF:usr/lib\nM:0:0:755\nR:libz.so.1\n\n\
        C:Q1y=\nP:none\n\nP:last\nV:2\nF:\nR:at-the-top";
    let root = root(
        &[
            ("lib/apk/db/installed", installed),
            ("lib/ld-musl-x86_64.so.1", ""),
            ("lib/libz.so.1.3.1", ""),
            ("usr/lib/libelse.so", ""),
            ("at-the-top", ""),
        ],
        &[("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"), ("usr/lib/libz.so.1", "../../lib/libz.so.1.3.1")],
    );
    let cases = [
        ("lib/ld-musl-x86_64.so.1", "musl 1.2.5-r0 (apk)"),
        ("lib/libc.musl-x86_64.so.1", "musl 1.2.5-r0 (apk)"),
        ("usr/lib/libz.so.1", "zlib 1.3.1-r1 (apk)"),
        ("lib/libz.so.1.3.1", "zlib 1.3.1-r1 (apk)"),
        ("usr/lib/libelse.so", "-"),
        ("at-the-top", "last 2 (apk)"),
    ];
    check(root.path(), &cases)?;
    let merged = self::root(
        &[("usr/lib/apk/db/installed", installed), ("usr/lib/libz.so.1.3.1", "")],
        &[("lib", "usr/lib"), ("usr/lib/libz.so.1", "libz.so.1.3.1")],
    );
    check(merged.path(), &[("usr/lib/libz.so.1", "zlib 1.3.1-r1 (apk)"), ("lib/libz.so.1", "zlib 1.3.1-r1 (apk)")])
}

/// A record as conda writes it.
fn record(name: &str, version: &str, build: &str, files: &[&str]) -> String {
    let paths: Vec<_> = files
        .iter()
        .map(|file| serde_json::json!({"_path": file, "path_type": "hardlink", "size_in_bytes": 1}))
        .collect();
    let record = serde_json::json!({
        "build": build, "build_number": 0, "channel": "https://conda.anaconda.org/conda-forge/linux-64",
        "depends": ["libgcc >=13"], "files": files, "fn": format!("{name}-{version}-{build}.conda"),
        "link": {"source": "/opt/conda/pkgs/x", "type": 1}, "name": name,
        "paths_data": {"paths": paths, "paths_version": 1}, "subdir": "linux-64", "version": version,
    });
    serde_json::to_string_pretty(&record).expect("JSON")
}

pub fn conda() -> Result<(), Failed> {
    let only_paths = r#"{"name": "newer", "version": "1", "build": "0", "files": [],
        "paths_data": {"paths": [{"_path": "lib/libnewer.so", "path_type": "hardlink"}]}}"#;
    let numpy = record("numpy", "2.1", "py312_0", &["lib/python3.12/site-packages/numpy/core.so"]);
    let root = root(
        &[
            ("opt/conda/conda-meta/history", "==> 2024-01-01 00:00:00 <==\n"),
            (
                "opt/conda/conda-meta/libblas-3.9.0-26.json",
                &record("libblas", "3.9.0", "26_openblas", &["lib/libblas.so.3"]),
            ),
            (
                "opt/conda/conda-meta/libcblas-3.9.0-26.json",
                &record("libcblas", "3.9.0", "26_openblas", &["lib/libcblas.so.3"]),
            ),
            (
                "opt/conda/conda-meta/libopenblas-0.3.28-h94d23a6_0.json",
                &record("libopenblas", "0.3.28", "h94d23a6_0", &["lib/libopenblasp-r0.3.28.so"]),
            ),
            (
                "opt/conda/conda-meta/menuinst-1.4-py_0.json",
                &record("menuinst", "1.4", "py_0", &["Lib\\site-packages\\menuinst\\é\"x.pyd"]),
            ),
            ("opt/conda/conda-meta/newer-1-0.json", only_paths),
            ("opt/conda/conda-meta/numpy-2.1-py312_0.json", &numpy),
            ("opt/conda/envs/inner/conda-meta/libz-1.3-h0_1.json", &record("libz", "1.3", "h0_1", &["lib/libz.so.1"])),
            ("opt/conda/envs/inner/lib/libz.so.1", ""),
            ("opt/conda/lib/libopenblasp-r0.3.28.so", ""),
            ("opt/conda/lib/libnewer.so", ""),
            ("opt/conda/lib/own.so", ""),
            ("opt/conda/Lib/site-packages/menuinst/é\"x.pyd", ""),
            // conda's packages of Python projects bring pip's record along.
            ("opt/conda/lib/python3.12/site-packages/numpy/core.so", ""),
            ("opt/conda/lib/python3.12/site-packages/numpy-2.1.dist-info/RECORD", "numpy/core.so,,\n"),
        ],
        &[
            ("opt/conda/lib/libcblas.so.3", "libopenblasp-r0.3.28.so"),
            ("opt/conda/lib/libblas.so.3", "libopenblasp-r0.3.28.so"),
            ("opt/conda/lib/mine.so", "libopenblasp-r0.3.28.so"),
            ("home/env", "/opt/conda"),
        ],
    );
    check(
        root.path(),
        &[
            ("opt/conda/lib/libcblas.so.3", "libcblas 3.9.0 26_openblas (conda)"),
            ("opt/conda/lib/libblas.so.3", "libblas 3.9.0 26_openblas (conda)"),
            ("opt/conda/lib/libopenblasp-r0.3.28.so", "libopenblas 0.3.28 h94d23a6_0 (conda)"),
            ("opt/conda/lib/mine.so", "libopenblas 0.3.28 h94d23a6_0 (conda)"),
            ("home/env/lib/libcblas.so.3", "libcblas 3.9.0 26_openblas (conda)"),
            ("opt/conda/lib/libnewer.so", "newer 1 0 (conda)"),
            ("opt/conda/lib/own.so", "-"),
            ("opt/conda/Lib/site-packages/menuinst/é\"x.pyd", "menuinst 1.4 py_0 (conda)"),
            ("opt/conda/lib/python3.12/site-packages/numpy/core.so", "numpy 2.1 py312_0 (conda)"),
            ("opt/conda/envs/inner/lib/libz.so.1", "libz 1.3 h0_1 (conda)"),
        ],
    )
}

pub fn pip() -> Result<(), Failed> {
    let site = "venv/lib/python3.12/site-packages";
    let numpy = "numpy/core.so,sha256=x,12\n../../../bin/f2py,sha256=y,3\nnumpy.libs/libopenblas-1a2b.so,,\n\
        \"numpy/odd,\"\"name\"\".so\",sha256=z,1\nnumpy-2.1.3.dist-info/RECORD,,\n";
    let in_site = |path: &str| format!("{site}/{path}");
    let root = root(
        &[
            (&in_site("numpy-2.1.3.dist-info/RECORD"), numpy),
            (
                &in_site("numpy-2.1.3.dist-info/METADATA"),
                "Metadata-Version: 2.1\nNAME: NumPy\nVersion: 2.1.3\n\nVersion: 9\n",
            ),
            (&in_site("bare-1.0.dist-info/RECORD"), "bare.so,,\n../../../lib/libbare.so.1,,"),
            (&in_site("old-1.0.egg-info/RECORD"), "old.so,,\n"),
            (&in_site("numpy/core.so"), ""),
            (&in_site("numpy/odd,\"name\".so"), ""),
            (&in_site("numpy.libs/libopenblas-1a2b.so"), ""),
            (&in_site("bare.so"), ""),
            (&in_site("old.so"), ""),
            ("venv/lib/libbare.so.1", ""),
            ("venv/bin/f2py", ""),
            ("venv/bin/python", ""),
        ],
        &[("venv/lib64", "lib")],
    );
    check(
        root.path(),
        &[
            (&in_site("numpy/core.so"), "NumPy 2.1.3 (pip)"),
            ("venv/lib64/python3.12/site-packages/numpy/core.so", "NumPy 2.1.3 (pip)"),
            (&in_site("numpy/odd,\"name\".so"), "NumPy 2.1.3 (pip)"),
            (&in_site("numpy.libs/libopenblas-1a2b.so"), "NumPy 2.1.3 (pip)"),
            (&in_site("bare.so"), "bare 1.0 (pip)"),
            (&in_site("old.so"), "-"),
            ("venv/lib64/libbare.so.1", "bare 1.0 (pip)"),
            ("venv/bin/f2py", "NumPy 2.1.3 (pip)"),
            ("venv/bin/python", "-"),
        ],
    )
}

pub fn unreadable() -> Result<(), Failed> {
    let root = root(
        &[
            ("var/lib/dpkg/info/bad.list/x", ""),
            ("var/lib/dpkg/info/good.list", "/lib/libgood.so\n"),
            ("var/lib/dpkg/diversions", "/a\n/b\n"),
            ("lib/apk/db/installed", "R:nobodys\n"),
            ("var/lib/rpm/rpmdb.sqlite", "SQLite format 3"),
            ("env/conda-meta/bad.json", "{\"files\": [\"lib/libc.so\"], \"name\": 1}"),
            ("env/conda-meta/good.json", "{\"files\": [\"lib/libc.so\"], \"name\": \"good\"}"),
            ("env/lib/libc.so", ""),
            ("lib/libgood.so", ""),
            ("lib/libother.so", ""),
        ],
        &[],
    );
    let owners = Owners::new(Some(root.path()));
    let paths = ["env/lib/libc.so", "lib/libgood.so", "lib/libother.so"].map(|path| root.path().join(path));
    assert_eq!(owned(&owners, &paths), ["good (conda)", "good (dpkg)", "-"]);
    let real = std::fs::canonicalize(root.path())?.display().to_string();
    let notes = owners.notes().join("\n").replace(&real, "");
    let expected = [
        "/env/conda-meta/bad.json: invalid type: integer `1`, expected a string at line 1 column 36",
        "/lib/apk/db/installed: has a file that belongs to no package",
        "/var/lib/dpkg/diversions: has a diversion that is not of three lines",
        "/var/lib/dpkg/info/bad.list: is not a regular file",
        "/var/lib/dpkg/status: No such file or directory (os error 2)",
        "/var/lib/rpm: rpm's database is not read: owners of its files are unknown",
    ];
    assert_eq!(notes, expected.join("\n"));
    Ok(())
}

pub fn cancelled() -> Result<(), Failed> {
    let root = root(&[("var/lib/dpkg/info/a.list", "/x\n"), ("x", "")], &[]);
    let context = Context::new();
    context.cancel();
    let found = Owners::new(Some(root.path())).of(&[&root.path().join("x")], &context);
    assert!(matches!(found, Err(Error::Cancelled)), "{found:?}");
    Ok(())
}
