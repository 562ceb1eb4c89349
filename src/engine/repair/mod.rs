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
pub mod shrink;
mod verify;

pub use adoption::{Adoption, clash, shared_with};
pub use builtin::{Builtin, EditOptions};
pub use editor::{EditPlan, EditRefusal, EditRequest, Editor, ExecStack, Insertion, Patch};
pub use foresee::foresee;
pub use patchelf::Patchelf;
pub use prepare::{Graft, Mode, Repair, RepairOptions, Subject, bundle_entry, describe, describe_request, prepare};
pub use verify::Verification;
