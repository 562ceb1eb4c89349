//! PE32 and PE32+: headers, section table, imports, delay-load imports and exports (Microsoft, "PE Format").

mod exports;
mod functions;
mod headers;
mod imports;
mod view;

pub use exports::{exported_with_prefixes, own_name};
pub use functions::imported;
pub use headers::{DIRECTORY_NAMES, Directory, Headers, Section, directory};
pub use imports::{Import, ImportTable, imports};
pub use view::read;
