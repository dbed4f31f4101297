//! The JSON schema of reports.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The file of the schema.
pub fn schema_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json")
}

/// Why a report does not match the schema, if it does not.
pub fn mistake_in(report: &Value) -> Option<String> {
    static SCHEMA: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    let (schemas, schema) = SCHEMA.get_or_init(|| {
        let mut schemas = Schemas::new();
        let path = schema_file();
        let path = path.to_str().expect("the path is text");
        let schema = Compiler::new().compile(path, &mut schemas);
        let schema = schema.unwrap_or_else(|error| panic!("`{path}` is no schema: {error:#}"));
        (schemas, schema)
    });
    schemas.validate(report, *schema).err().map(|error| format!("{error:#}"))
}
