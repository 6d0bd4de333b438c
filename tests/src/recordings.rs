//! The recordings of RouterOS, which stand beside the repository where they are, and what was sent to routers held to them.

use model::RouterosVersion;
use routeros::codec::Sentence;
use routeros::contract::{Schema, SchemaError, check};
use std::io;
use std::path::PathBuf;

/// What only some versions are sent: the argument, the first version that has it, and why it is sent there.
const LATER: &[(&str, RouterosVersion, &str)] =
    &[("show-sensitive", RouterosVersion::new(7, 21, 0), "from here on a print hides secrets unless it is asked to show them")];

/// Why recordings that are there cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// Which.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file is no recording.
    #[error("{path} is no recording")]
    Schema {
        /// Which.
        path: PathBuf,
        #[source]
        source: SchemaError,
    },
}

/// Reads every recorded version, from the folder that `MASTWIRE_SHARED` names or from `shared` beside the repository. Empty when there
/// is no such folder.
///
/// # Errors
/// When a recording that is there cannot be read.
pub fn schemas() -> Result<Vec<Schema>, RecordingError> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared"));
    let folder = std::env::var_os("MASTWIRE_SHARED").map_or_else(beside, PathBuf::from).join("routeros");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let file = |path: PathBuf| move |source| RecordingError::File { path, source };
    let mut schemas = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(file(folder.clone()))? {
        let path = entry.map_err(file(folder.clone()))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("routeros-schema-") && !name.ends_with("history.json") {
            let text = std::fs::read_to_string(&path).map_err(file(path.clone()))?;
            schemas.push(Schema::read(&text).map_err(|source| RecordingError::Schema { path, source })?);
        }
    }
    schemas.sort_by_key(Schema::version);
    Ok(schemas)
}

/// Names what a router of a version was sent that a recorded version does not have, its own or another. What is meant for later
/// versions alone is held to those.
#[must_use]
pub fn strangers(version: RouterosVersion, sentences: &[Sentence], schemas: &[Schema]) -> Vec<String> {
    let mut found = Vec::new();
    for schema in schemas {
        let meant_for_later = |subject: &str| {
            LATER.iter().any(|(argument, since, _)| *argument == subject && version >= *since && schema.version() < *since)
        };
        let wrong = check(sentences, schema).into_iter().filter(|violation| !meant_for_later(&violation.subject));
        found.extend(wrong.map(|violation| format!("{}: {violation}", schema.version())));
    }
    found
}
