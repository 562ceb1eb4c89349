//! Repair: what is grafted, what is edited, and the editors that do it.

mod adoption;
mod builtin;
mod dynamic_symbols;
mod editor;
mod facts;
mod foresee;
mod names;
mod patchelf;
mod prepare;
pub mod proof;
mod records;
pub mod rewrite;
mod search_path;
pub mod shrink;
mod verify;

pub use adoption::{Adoption, clash, shared_with};
pub use builtin::{Builtin, EditOptions};
pub use editor::{EditPlan, EditRefusal, EditRequest, Editor, ExecStack, Insertion, Patch};
pub use foresee::foresee;
pub use patchelf::Patchelf;
pub use prepare::{Graft, Mode, Repair, RepairOptions, Subject, describe, describe_request, prepare};
pub use search_path::bundle_entry;
pub use verify::Verification;
