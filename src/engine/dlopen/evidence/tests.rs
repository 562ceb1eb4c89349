//! PE and Mach-O files laid out here by hand, since no compiler for them need be at hand.

use super::*;
use crate::engine::binary;
use crate::engine::file::MemoryBytes;

/// What the file of `bytes` says.
fn report(bytes: Vec<u8>) -> DlopenReport {
    let source = MemoryBytes::new("made".into(), bytes);
    let binary = binary::read(&source).unwrap();
    collect(source.path(), &binary, &source, &EvidenceOptions::default(), &Context::new()).unwrap()
}

fn names(report: &DlopenReport) -> Vec<&str> {
    report.candidates.as_ref().unwrap().iter().map(|name| name.name.as_str()).collect()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn put_words(bytes: &mut [u8], at: usize, words: &[u32]) {
    put(bytes, at, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>());
}

/// A DLL for x86-64 with one section, `.rdata` at address 0x1000, offset 0x400: an import table with `LoadLibraryW` and
/// `GetProcAddress` of KERNEL32.dll, and delay-load imports with `LoadLibraryExA` of delayed.dll; then `text`.
fn dll(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 0x400 + 0x800];
    put(&mut bytes, 0, b"MZ");
    put_words(&mut bytes, 60, &[0x80]);
    put(&mut bytes, 0x80, b"PE\0\0");
    // Machine, NumberOfSections; SizeOfOptionalHeader, Characteristics.
    put(&mut bytes, 0x84, &[0x64, 0x86, 1, 0]);
    put(&mut bytes, 0x94, &[240, 0, 0x22, 0x20]);
    put(&mut bytes, 0x98, &[0x0b, 0x02]);
    put(&mut bytes, 0x98 + 24, &0x1_8000_0000_u64.to_le_bytes());
    put_words(&mut bytes, 0x98 + 60, &[0x400]);
    put_words(&mut bytes, 0x98 + 108, &[16]);
    put_words(&mut bytes, 0x98 + 112 + 8, &[0x1000, 40]);
    put_words(&mut bytes, 0x98 + 112 + 13 * 8, &[0x1100, 64]);
    let section = 0x98 + 240;
    put(&mut bytes, section, b".rdata");
    put_words(&mut bytes, section + 8, &[0x800, 0x1000, 0x800, 0x400]);
    put_words(&mut bytes, section + 36, &[0x4000_0040]);
    // Descriptors, their tables of names, and the names with their hints.
    put_words(&mut bytes, 0x400, &[0x1040, 0, 0, 0x1060, 0x1040]);
    put(&mut bytes, 0x440, &[0x1070_u64, 0x1080, 0].map(u64::to_le_bytes).concat());
    put(&mut bytes, 0x460, b"KERNEL32.dll\0");
    put(&mut bytes, 0x472, b"LoadLibraryW\0");
    put(&mut bytes, 0x482, b"GetProcAddress\0");
    put_words(&mut bytes, 0x500, &[1, 0x1140, 0, 0x1150, 0x1150]);
    put(&mut bytes, 0x540, b"delayed.dll\0");
    // By number, by name.
    put(&mut bytes, 0x550, &[1 << 63 | 7, 0x1170_u64, 0].map(u64::to_le_bytes).concat());
    put(&mut bytes, 0x572, b"LoadLibraryExA\0");
    put(&mut bytes, 0x600, text);
    bytes
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_dll_imports_what_opens_and_names_what_it_opens_in_both_encodings() {
    let text = [
        &b"\0narrow.dll\0the file x.dll is bad\0\0\0"[..],
        &wide("wide-1.dll"),
        &wide("C:\\lib\\deep.DLL"),
        &wide("no x.dll!"),
    ];
    let report = report(dll(&text.concat()));
    let imports: Vec<_> =
        report.imports.iter().map(|import| (import.name.as_str(), import.library.as_deref(), import.opens)).collect();
    let expected = [
        ("GetProcAddress", Some("KERNEL32.dll"), false),
        ("LoadLibraryExA", Some("delayed.dll"), true),
        ("LoadLibraryW", Some("KERNEL32.dll"), true),
    ];
    assert_eq!(imports, expected);
    assert_eq!(names(&report), ["C:\\lib\\deep.DLL", "narrow.dll", "wide-1.dll"]);
    let evidence = &report.candidates.as_ref().unwrap()[1].evidence[0];
    assert_eq!((evidence.section.as_deref(), evidence.address), (Some(".rdata"), Some(0x1_8000_1201)));
    assert_eq!(report.calls, None);
    assert!(report.notes[0].contains("calls"), "{:?}", report.notes);
}

/// A dylib for arm64 that takes `_dlopen` from its second library and `_NSAddImage` from anywhere; with `text` as its
/// `__TEXT,__cstring`.
fn dylib(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 0x600];
    let library = |name: &str| {
        let mut command = [0xc_u32, 48, 24, 2, 0, 0].map(u32::to_le_bytes).concat();
        command.extend(name.as_bytes());
        command.resize(48, 0);
        command
    };
    let mut segment = [0x19_u32, 152].map(u32::to_le_bytes).concat();
    segment.extend(b"__TEXT\0\0\0\0\0\0\0\0\0\0");
    segment.extend([0_u64, 0x600, 0, 0x600].map(u64::to_le_bytes).concat());
    segment.extend([5_u32, 5, 1, 0].map(u32::to_le_bytes).concat());
    segment.extend(b"__cstring\0\0\0\0\0\0\0__TEXT\0\0\0\0\0\0\0\0\0\0");
    segment.extend([0x400_u64, text.len() as u64].map(u64::to_le_bytes).concat());
    segment.extend([0x400_u32, 0, 0, 0, 2, 0, 0, 0].map(u32::to_le_bytes).concat());
    let table = [2_u32, 24, 0x300, 3, 0x340, 0x40].map(u32::to_le_bytes).concat();
    let commands = [library("libfirst.dylib"), library("libsecond.dylib"), segment, table].concat();
    put_words(&mut bytes, 0, &[0xfeed_facf, 0x0100_000c, 0, 6, 4, commands.len() as u32, 0, 0]);
    put(&mut bytes, 32, &commands);
    // nlist_64: the name, undefined and external, with the library's number in the high byte of n_desc.
    for (number, (name, library)) in [(1_u32, 2_u8), (9, 254), (21, 1)].into_iter().enumerate() {
        put_words(&mut bytes, 0x300 + number * 16, &[name]);
        put(&mut bytes, 0x304 + number * 16, &[1, 0, 0, library]);
    }
    put(&mut bytes, 0x340, b"\0_dlopen\0_NSAddImage\0_printf\0");
    put(&mut bytes, 0x400, text);
    bytes
}

#[test]
fn a_dylib_names_the_library_of_each_function() {
    let report = report(dylib(b"@rpath/libx.1.dylib\0/opt/Foo.framework/Foo\0no libbad.dylib here\0libsecond.dylib\0"));
    let imports: Vec<_> =
        report.imports.iter().map(|import| (import.name.as_str(), import.library.as_deref(), import.opens)).collect();
    assert_eq!(imports, [("NSAddImage", None, true), ("dlopen", Some("libsecond.dylib"), true)]);
    assert_eq!(names(&report), ["/opt/Foo.framework/Foo", "@rpath/libx.1.dylib"]);
}
