//! The schemas under `assets/schema` are those of the program's own types, and its documents keep to them.
//!
//! `WHEELWRIGHT_WRITE_SCHEMAS=1 cargo test --test schema` writes them anew after a change of the types.
#![allow(missing_docs)]

use std::path::Path;
use wheelwright::engine::report::schemas;

#[test]
fn the_schemas_are_those_of_the_types() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema");
    for (name, schema) in schemas() {
        let path = directory.join(format!("{name}.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("WHEELWRIGHT_WRITE_SCHEMAS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, text, "{} is out of date", path.display());
    }
}
