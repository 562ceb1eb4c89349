//! The JSON Schemas of the documents, made of the types themselves.

use super::{audit::AuditDocument, diff::DiffDocument, plan::PlanDocument, run::RunDocument, tree::TreeDocument};
use schemars::{Schema, schema_for};

/// Each document's name and schema.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("audit", schema_for!(AuditDocument)),
        ("diff", schema_for!(DiffDocument)),
        ("plan", schema_for!(PlanDocument)),
        ("run", schema_for!(RunDocument)),
        ("tree", schema_for!(TreeDocument)),
    ]
}
