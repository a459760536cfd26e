//! `cargo build` that says which files it made.
//!
//! Cargo itself is asked, since it alone knows where a profile, a target and the caller's settings
//! put a file; it names fresh files too.

use crate::error::{Error, Result};
use crate::process;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The final files of one crate.
pub(crate) struct Artifact {
    /// The crate's name, with underscores if it is a library.
    pub(crate) name: String,
    files: Vec<PathBuf>,
}

impl Artifact {
    /// The file with this extension ("" for a Unix program), if the crate has one.
    pub(crate) fn file(&self, extension: &str) -> Option<&Path> {
        let wanted = |file: &&PathBuf| file.extension().unwrap_or_default() == extension;
        self.files.iter().find(wanted).map(PathBuf::as_path)
    }
}

/// Runs a `cargo build`; diagnostics and progress go to the caller's standard error.
pub(crate) fn build(cargo: &mut Command) -> Result<Vec<Artifact>> {
    let messages = process::output(cargo.arg("--message-format=json-render-diagnostics"))?;
    messages
        .lines()
        .filter_map(|line| artifact(line).transpose())
        .collect()
}

fn artifact(line: &str) -> Result<Option<Artifact>> {
    let message: Value = serde_json::from_str(line)
        .map_err(|error| Error::new(format!("cannot read cargo's message {line:?}: {error}")))?;
    if message.get("reason").and_then(Value::as_str) != Some("compiler-artifact") {
        return Ok(None);
    }
    let name = message
        .pointer("/target/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let files = message
        .get("filenames")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let files = files.filter_map(Value::as_str).map(PathBuf::from).collect();
    Ok(Some(Artifact {
        name: name.to_owned(),
        files,
    }))
}

#[cfg(test)]
mod tests {
    use super::artifact;
    use std::path::Path;

    #[test]
    fn reads_the_files_of_a_crate_and_passes_over_other_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"trap_midway"},"filenames":["/t/trap_midway.wasm"]}"#;
        let found = artifact(line).unwrap().unwrap();
        assert_eq!(found.name, "trap_midway");
        assert_eq!(found.file("wasm"), Some(Path::new("/t/trap_midway.wasm")));
        assert_eq!(found.file(""), None);
        assert!(
            artifact(r#"{"reason":"build-finished","success":true}"#)
                .unwrap()
                .is_none()
        );
        assert!(artifact("not json").is_err());
    }
}
