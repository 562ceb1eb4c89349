//! The JSON Schemas of the documents, made of the types themselves.

use super::{
    audit::AuditDocument, diff::DiffDocument, elf::ElfDocument, plan::PlanDocument, run::RunDocument,
    trace::TraceDocument, tree::TreeDocument,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// Each document's name and schema.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("audit", schema::<AuditDocument>()),
        ("diff", schema::<DiffDocument>()),
        ("elf", schema::<ElfDocument>()),
        ("plan", schema::<PlanDocument>()),
        ("run", schema::<RunDocument>()),
        ("trace", schema::<TraceDocument>()),
        ("tree", schema::<TreeDocument>()),
    ]
}

/// As the document is written: there, a key whose value may be null is never missing.
fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
