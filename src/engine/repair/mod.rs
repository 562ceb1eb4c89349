//! Repair: what is grafted, what is edited, and the editors that do it.

mod editor;

pub use editor::{EditPlan, EditRefusal, EditRequest, Editor, Patch};
