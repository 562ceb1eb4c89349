//! The functions by which a file opens libraries, as its import tables name them.
//!
//! Only symbol and import tables are read. That a function is imported does not say that it is called.

use crate::engine::binary::elf::Symbols;
use crate::engine::binary::{Binary, Format, Slice, macho, pe};
use crate::engine::file::ReadAt;
use crate::engine::report::dlopen::OpeningImport;
use crate::engine::{Context, Result};

/// What a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// It opens the library whose name is its argument of this number, from 0.
    Opens(usize),
    /// It finds symbols in opened libraries.
    LooksUp,
}

/// ELF: dlopen(3), dlmopen(3), dlsym(3), glibc's own door for its name services, Bionic's dlopen with a namespace, and
/// libltdl, which opens by the same names.
pub(super) const ELF: [(&str, Does); 9] = [
    ("dlopen", Does::Opens(0)),
    ("dlmopen", Does::Opens(1)),
    ("__libc_dlopen_mode", Does::Opens(0)),
    ("android_dlopen_ext", Does::Opens(0)),
    ("lt_dlopen", Does::Opens(0)),
    ("lt_dlopenext", Does::Opens(0)),
    ("dlsym", Does::LooksUp),
    ("dlvsym", Does::LooksUp),
    ("lt_dlsym", Does::LooksUp),
];

/// PE: `libloaderapi.h`, `winternl.h`.
const PE: [(&str, Does); 9] = [
    ("LoadLibraryA", Does::Opens(0)),
    ("LoadLibraryW", Does::Opens(0)),
    ("LoadLibraryExA", Does::Opens(0)),
    ("LoadLibraryExW", Does::Opens(0)),
    ("LoadPackagedLibrary", Does::Opens(0)),
    ("LoadModule", Does::Opens(0)),
    ("LdrLoadDll", Does::Opens(2)),
    ("GetProcAddress", Does::LooksUp),
    ("LdrGetProcedureAddress", Does::LooksUp),
];

/// Mach-O: dlopen(3), and `mach-o/dyld.h` of older systems.
const MACHO: [(&str, Does); 9] = [
    ("dlopen", Does::Opens(0)),
    ("dlopen_preflight", Does::LooksUp),
    ("dlsym", Does::LooksUp),
    ("NSAddImage", Does::Opens(0)),
    ("NSLinkModule", Does::Opens(1)),
    ("NSLoadModule", Does::Opens(0)),
    ("NSCreateObjectFileImageFromFile", Does::Opens(0)),
    ("NSLookupSymbolInImage", Does::LooksUp),
    ("NSLookupSymbolInModule", Does::LooksUp),
];

/// An imported function and its library.
type Named = (String, Option<String>);

/// The functions by which `binary`, read from `source`, opens libraries, by slice and name.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table leads out of the file, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn imports(binary: &Binary, source: &dyn ReadAt, context: &Context) -> Result<Vec<OpeningImport>> {
    let mut found = Vec::new();
    for slice in &binary.slices {
        context.advance(0)?;
        let (known, named): (&[(&str, Does)], Vec<Named>) = match binary.format {
            Format::Elf => (&ELF, elf(slice, source)?),
            Format::Pe => (&PE, pe(source)?),
            Format::MachO => (&MACHO, mach_o(slice, source)?),
        };
        let mut of_slice: Vec<OpeningImport> = named
            .into_iter()
            .filter_map(|(name, library)| {
                let (_, does) = known.iter().find(|(known, _)| *known == name)?;
                let opens = matches!(does, Does::Opens(_));
                Some(OpeningImport { arch: slice.arch.name.clone(), name, library, opens })
            })
            .collect();
        of_slice.sort();
        of_slice.dedup();
        found.extend(of_slice);
    }
    Ok(found)
}

fn names(known: &[(&'static str, Does)]) -> Vec<&'static str> {
    known.iter().map(|(name, _)| *name).collect()
}

/// ELF does not say which library a symbol comes from, but for its version's.
fn elf(slice: &Slice, source: &dyn ReadAt) -> Result<Vec<Named>> {
    let Some(details) = &slice.elf else { return Ok(Vec::new()) };
    let symbols = Symbols::open(source, &details.tables)?.undefined()?;
    let known = |symbol: &&crate::engine::binary::elf::UndefinedSymbol| {
        ELF.iter().any(|(name, _)| name.as_bytes() == symbol.name.as_bytes())
    };
    let found = symbols.iter().filter(known).map(|symbol| {
        let library = symbol.version.and_then(|version| {
            let named = |need: &&crate::engine::binary::elf::VersionNeed| {
                need.versions.iter().any(|needed| needed.index == version)
            };
            details.version_needs.iter().find(named)
        });
        (symbol.name.to_text().into_owned(), library.map(|need| need.library.to_text().into_owned()))
    });
    Ok(found.collect())
}

fn pe(source: &dyn ReadAt) -> Result<Vec<Named>> {
    let headers = pe::Headers::read(source)?;
    let found = pe::imported(source, &headers, &names(&PE))?;
    Ok(found.into_iter().map(|(name, library)| (name, Some(library.to_text().into_owned()))).collect())
}

fn mach_o(slice: &Slice, source: &dyn ReadAt) -> Result<Vec<Named>> {
    let place = macho::Place { offset: slice.offset, size: slice.size };
    let image = macho::Image::read(source, place)?;
    let found = macho::undefined(source, &image, &names(&MACHO))?;
    Ok(found.into_iter().map(|(name, library)| (name, library.map(|name| name.to_text().into_owned()))).collect())
}
