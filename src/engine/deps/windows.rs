//! Where Windows looks for a DLL, as far as it can be told without Windows, and the DLLs that it always has.
//!
//! Searched are the artifact's directory and the user's; API sets, `System32` and the Visual C++ runtime are taken for part
//! of the system by name. A Python DLL comes with the program that loads the extension.

use super::graph::{Node, NodeKind};
use super::process::Process;
use super::search::{At, Group, Place};
use crate::engine::binary::{Name, ObjectKind};
use crate::engine::report::audit::SearchRule;

/// DLLs of every supported Windows that native extensions are seen to import.
const SYSTEM: &[&str] = &[
    "advapi32",
    "avicap32",
    "avrt",
    "bcrypt",
    "bcryptprimitives",
    "cabinet",
    "cfgmgr32",
    "combase",
    "comctl32",
    "comdlg32",
    "coremessaging",
    "credui",
    "crypt32",
    "cryptbase",
    "cryptnet",
    "cryptsp",
    "cryptui",
    "d2d1",
    "d3d10",
    "d3d10_1",
    "d3d11",
    "d3d12",
    "d3d9",
    "d3dcompiler_47",
    "dbgeng",
    "dbghelp",
    "dcomp",
    "dhcpcsvc",
    "dinput8",
    "dnsapi",
    "dsound",
    "dwmapi",
    "dwrite",
    "dxgi",
    "dxva2",
    "fwpuclnt",
    "gdi32",
    "gdi32full",
    "gdiplus",
    "glu32",
    "hid",
    "httpapi",
    "imagehlp",
    "imm32",
    "iphlpapi",
    "kernel32",
    "kernelbase",
    "ktmw32",
    "mf",
    "mfplat",
    "mfreadwrite",
    "mpr",
    "msacm32",
    "msimg32",
    "mswsock",
    "msvcrt",
    "ncrypt",
    "netapi32",
    "normaliz",
    "ntdll",
    "ntdsapi",
    "odbc32",
    "ole32",
    "oleacc",
    "oleaut32",
    "opengl32",
    "pdh",
    "powrprof",
    "propsys",
    "psapi",
    "rpcrt4",
    "rstrtmgr",
    "secur32",
    "setupapi",
    "shcore",
    "shell32",
    "shfolder",
    "shlwapi",
    "sspicli",
    "synchronization",
    "urlmon",
    "user32",
    "userenv",
    "usp10",
    "uxtheme",
    "version",
    "wevtapi",
    "wininet",
    "winhttp",
    "winmm",
    "winspool",
    "wintrust",
    "wldap32",
    "wlanapi",
    "ws2_32",
    "wsock32",
    "wtsapi32",
    "xinput1_4",
    "xmllite",
];

/// The beginnings of the names of the Visual C++ runtime's DLLs.
const RUNTIME: &[&str] = &["vcruntime", "msvcp", "msvcr", "vccorlib", "concrt", "vcamp", "vcomp", "ucrtbase", "mfc"];

/// What a DLL's name says it is, where that needs no search.
#[must_use]
pub fn known_by_name(name: &[u8]) -> Option<NodeKind> {
    let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
    let stem = lower.strip_suffix(".dll").unwrap_or(&lower);
    if stem.starts_with("api-ms-") || stem.starts_with("ext-ms-") || SYSTEM.contains(&stem) {
        return Some(NodeKind::System);
    }
    if RUNTIME.iter().any(|prefix| stem.starts_with(prefix)) || stem == "winspool.drv" {
        return Some(NodeKind::System);
    }
    let python = stem.strip_prefix("python3").map(|rest| rest.trim_end_matches("_d"));
    let python = python.map(|rest| rest.trim_end_matches('t'));
    let is_python = python.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    (is_python || (stem.starts_with("libpypy") && stem.ends_with("-c"))).then_some(NodeKind::Libpython)
}

/// Everywhere that a DLL of the process of `nodes` is sought, in order.
pub(super) fn places(process: &Process<'_>, nodes: &[Node]) -> Vec<Group> {
    // What Python opens is searched for in its own directory first, then in the program's.
    let program = nodes.first().filter(|_| process.artifact > 0);
    let own = nodes.get(process.artifact).into_iter().chain(program).map(|node| beside_node(process, node));
    let own: Vec<Place> = own.collect();
    vec![own.into(), process.added_places(|path| At::DirectoryIgnoringCase(path.to_path_buf()))]
}

/// Everywhere that LoadLibrary looks for a name without a path, as far as it can be told without Windows: the program's
/// directory, not that of the DLL that calls ("Dynamic-link library search order"). `System32` is known by name; the working
/// directory and `PATH` are the user's.
pub(super) fn opening_places(process: &Process<'_>, nodes: &[Node]) -> Vec<Group> {
    let program = nodes.first().filter(|node| process.artifact > 0 || is_program(node));
    let own: Vec<Place> = program.map(|node| beside_node(process, node)).into_iter().collect();
    vec![own.into(), process.added_places(|path| At::DirectoryIgnoringCase(path.to_path_buf()))]
}

/// The directory of `node`.
pub(super) fn beside(process: &Process<'_>, node: &Node) -> Group {
    vec![beside_node(process, node)].into()
}

fn beside_node(process: &Process<'_>, node: &Node) -> Place {
    let (view, directory) = process.root.view(&node.directory);
    Place::new(SearchRule::DllDir, At::DirectoryIgnoringCase(directory)).seen_by(view)
}

fn is_program(node: &Node) -> bool {
    node.loaded().is_some_and(|slice| slice.kind == ObjectKind::Executable)
}

/// The name that LoadLibrary seeks: `.dll` is added where the last part has no dot.
pub(super) fn with_extension(name: &Name) -> Name {
    let bytes = name.as_bytes();
    let last = bytes.rsplit(|byte| b"/\\".contains(byte)).next().unwrap_or(bytes);
    if last.contains(&b'.') { name.clone() } else { Name::new([bytes, b".dll"].concat()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dlls_are_known_by_name() {
        let system = Some(NodeKind::System);
        let python = Some(NodeKind::Libpython);
        let table = [
            ("KERNEL32.dll", system),
            ("api-ms-win-crt-runtime-l1-1-0.dll", system),
            ("VCRUNTIME140_1.dll", system),
            ("WINSPOOL.DRV", system),
            ("python3.dll", python),
            ("python313t.dll", python),
            ("python312_d.dll", python),
            ("libpypy3.10-c.dll", python),
            ("pythoncom311.dll", None),
            ("python3x.dll", None),
            ("zlib1.dll", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(known_by_name(name.as_bytes()), expected, "{name}");
        }
    }
}
