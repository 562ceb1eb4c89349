//! Mach-O, thin or universal: headers, load commands, segments, exported and undefined names (`mach-o/loader.h`, `mach-o/fat.h`).

mod commands;
mod exports;
mod segments;
mod undefined;
mod universal;
mod view;

pub use commands::{Command, Image, command_name, kind};
pub use exports::exported_with_prefixes;
pub use segments::{Section, Segment, segments};
pub use undefined::undefined;
pub use universal::{Place, could_be_universal, places};
pub use view::{arch, read};
