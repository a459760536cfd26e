//! `cargo xtask check-layers`: who may know whom, as one table.
//!
//! Invariant: every crate of the workspace has a row, and a normal or build dependency between two
//! of them is in the row of the crate that has it. Dev-dependencies are free. The reasons are in
//! ARCHITECTURE.md.

use crate::error::{Error, Result};
use crate::workspace::Workspace;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// One crate, or every crate in a folder (`*`), and those it may depend on.
struct Layer(&'static str, &'static [Knows]);

/// A permitted dependency, by folder.
enum Knows {
    /// In any form.
    Always(&'static str),
    /// Only under `cfg(not(target_family = "wasm"))`.
    Natively(&'static str),
    /// Only behind a feature.
    Optional(&'static str),
}
use Knows::{Always, Natively, Optional};

const ABI: Knows = Always("crates/abi");
const CODEC: Knows = Always("crates/codec");
const ENGINE: Knows = Always("crates/engine");
const BACKENDS: Knows = Always("crates/backends/*");
const CONNECT: Knows = Always("crates/connect");
const HOST: Knows = Always("crates/host");
const RUNTIMES: Knows = Always("crates/runtimes/*");
const CLI: Knows = Always("crates/cli");
const TESTKIT: Knows = Always("crates/testkit");
const OPTIONAL_HOST: Knows = Optional("crates/host");
const NATIVE_ENGINE: Knows = Natively("crates/engine");
const NATIVE_HOST: Knows = Natively("crates/host");

/// The first row that fits a crate's folder is its row.
const TABLE: &[Layer] = &[
    Layer("crates/abi", &[]),
    Layer("crates/codec", &[ABI]),
    Layer("crates/engine", &[ABI, CODEC]),
    Layer("crates/backends/*", &[ABI, CODEC, ENGINE]),
    Layer("crates/connect", &[ENGINE, BACKENDS]),
    Layer("crates/host", &[ABI, CODEC, ENGINE]),
    Layer("crates/runtimes/capi", &[ABI, ENGINE, HOST, CONNECT]),
    Layer("crates/runtimes/node", &[ABI, ENGINE, HOST, CONNECT]),
    Layer("crates/runtimes/wasmedge", &[ABI, ENGINE, HOST, CONNECT]),
    Layer("crates/runtimes/*", &[ABI, ENGINE, HOST]),
    Layer("crates/testkit", &[ABI, CODEC, ENGINE, OPTIONAL_HOST]),
    Layer("crates/guest", &[ABI, CODEC, NATIVE_ENGINE, NATIVE_HOST]),
    Layer(
        "crates/cli",
        &[ABI, CODEC, ENGINE, BACKENDS, CONNECT, HOST, RUNTIMES],
    ),
    Layer(
        "stress",
        &[
            ABI, CODEC, ENGINE, BACKENDS, CONNECT, HOST, RUNTIMES, CLI, TESTKIT,
        ],
    ),
    Layer("xtask", &[]),
];

/// The feature that plants defects: a dev-dependency may have it, no program.
const PLANTED: &str = "planted";

/// `cargo xtask check-layers`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let wrong = violations(&workspace.metadata);
    if wrong.is_empty() {
        println!("layers: every dependency between crates follows the table");
        return Ok(());
    }
    Err(Error::new(wrong.join("\n"))
        .remedy("depend on a lower layer, or change xtask/src/layers.rs and ARCHITECTURE.md"))
}

/// Every broken rule in a `cargo metadata`, each with its edge.
fn violations(metadata: &Value) -> Vec<String> {
    let root = metadata
        .get("workspace_root")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let packages = list(metadata, "packages");
    let folders: BTreeMap<&str, String> = packages
        .iter()
        .filter_map(|package| Some((text(package, "name")?, folder(package, root)?)))
        .collect();
    let mut wrong = Vec::new();
    for package in packages {
        let Some(name) = text(package, "name") else {
            continue;
        };
        let Some(folder) = folders.get(name) else {
            continue;
        };
        let Some(layer) = TABLE.iter().find(|layer| fits(layer.0, folder)) else {
            wrong.push(format!(
                "{name} ({folder}) has no row in the table of layers"
            ));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let Some(known) = text(dependency, "name").and_then(|name| folders.get(name)) else {
                continue;
            };
            if text(dependency, "kind") == Some("dev") {
                continue;
            }
            if !layer.permits(known, dependency) {
                wrong.push(format!("{folder} -> {known}: {}", layer.rule()));
            }
            let mut features = list(dependency, "features").iter();
            if features.any(|feature| feature.as_str() == Some(PLANTED)) {
                wrong.push(format!(
                    "{folder} -> {known}: feature {PLANTED} is for tests only"
                ));
            }
        }
    }
    wrong
}

impl Layer {
    fn permits(&self, folder: &str, dependency: &Value) -> bool {
        self.1.iter().any(|knows| match knows {
            Always(pattern) => fits(pattern, folder),
            Natively(pattern) => {
                let target = text(dependency, "target").unwrap_or_default();
                fits(pattern, folder) && target == r#"cfg(not(target_family = "wasm"))"#
            }
            Optional(pattern) => {
                let optional = dependency.get("optional").and_then(Value::as_bool);
                fits(pattern, folder) && optional == Some(true)
            }
        })
    }

    fn rule(&self) -> String {
        let knows: Vec<String> = self.1.iter().map(ToString::to_string).collect();
        let knows = if knows.is_empty() {
            "no other crate".to_owned()
        } else {
            knows.join(", ")
        };
        format!("{} may know {knows}", self.0)
    }
}

impl std::fmt::Display for Knows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Always(folder) => f.write_str(folder),
            Natively(folder) => write!(f, "{folder} (not on Wasm)"),
            Optional(folder) => write!(f, "{folder} (behind a feature)"),
        }
    }
}

/// Whether a folder is the pattern, or lies directly in it where the pattern ends in `*`.
fn fits(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(parent) => folder
            .strip_prefix(parent)
            .is_some_and(|name| !name.contains('/')),
        None => pattern == folder,
    }
}

fn folder(package: &Value, root: &str) -> Option<String> {
    let folder = Path::new(text(package, "manifest_path")?).parent()?;
    Some(
        folder
            .strip_prefix(root)
            .ok()?
            .to_string_lossy()
            .replace('\\', "/"),
    )
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::violations;
    use serde_json::{Value, json};

    /// A package `short` in `folder` with one dependency, as cargo describes it.
    fn workspace(folder: &str, dependency: Value) -> Value {
        let known = [
            "crates/abi",
            "crates/engine",
            "crates/host",
            "crates/backends/fjall",
        ];
        let mut packages: Vec<Value> = known
            .iter()
            .filter(|known| **known != folder)
            .map(|folder| package(folder, json!([])))
            .collect();
        packages.push(package(folder, json!([dependency])));
        json!({ "workspace_root": "/w", "packages": packages })
    }

    fn package(folder: &str, dependencies: Value) -> Value {
        json!({
            "name": folder.rsplit('/').next(),
            "manifest_path": format!("/w/{folder}/Cargo.toml"),
            "dependencies": dependencies,
        })
    }

    fn on(name: &str) -> Value {
        json!({ "name": name, "kind": null, "optional": false, "target": null })
    }

    #[test]
    fn allows_what_the_table_allows() {
        assert_eq!(violations(&workspace("crates/codec", on("abi"))), [""; 0]);
        assert_eq!(
            violations(&workspace("crates/connect", on("fjall"))),
            [""; 0]
        );
    }

    #[test]
    fn names_a_forbidden_edge_and_its_rule() {
        let wrong = violations(&workspace("crates/engine", on("fjall")));
        assert_eq!(
            wrong,
            [
                "crates/engine -> crates/backends/fjall: crates/engine may know crates/abi, \
              crates/codec"
            ]
        );
    }

    #[test]
    fn a_build_dependency_counts_and_a_dev_dependency_does_not() {
        let of_kind = |kind: &str| json!({ "name": "fjall", "kind": kind });
        assert_eq!(
            violations(&workspace("crates/engine", of_kind("build"))).len(),
            1
        );
        assert_eq!(
            violations(&workspace("crates/engine", of_kind("dev"))),
            [""; 0]
        );
    }

    #[test]
    fn planted_defects_are_for_dev_dependencies_only() {
        let planted = |kind: Value| json!({ "name": "abi", "kind": kind, "features": ["planted"] });
        let wrong = violations(&workspace("crates/codec", planted(json!(null))));
        assert_eq!(
            wrong,
            ["crates/codec -> crates/abi: feature planted is for tests only"]
        );
        let dev = workspace("crates/codec", planted(json!("dev")));
        assert_eq!(violations(&dev), [""; 0]);
    }

    #[test]
    fn the_guest_crate_knows_the_engine_natively_only() {
        let mut edge = on("engine");
        assert_eq!(
            violations(&workspace("crates/guest", edge.clone())).len(),
            1
        );
        edge["target"] = json!(r#"cfg(not(target_family = "wasm"))"#);
        assert_eq!(violations(&workspace("crates/guest", edge)), [""; 0]);
    }

    #[test]
    fn the_testkit_knows_the_host_behind_a_feature_only() {
        let mut edge = on("host");
        assert_eq!(
            violations(&workspace("crates/testkit", edge.clone())).len(),
            1
        );
        edge["optional"] = json!(true);
        assert_eq!(violations(&workspace("crates/testkit", edge)), [""; 0]);
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        let wrong = violations(&workspace("crates/novelty", on("abi")));
        assert_eq!(
            wrong,
            ["novelty (crates/novelty) has no row in the table of layers"]
        );
        let wrong = violations(&workspace("crates/backends/deep/er", on("abi")));
        assert_eq!(wrong.len(), 1, "a star is one folder deep");
    }

    #[test]
    fn a_dependency_from_outside_is_free() {
        assert_eq!(
            violations(&workspace("crates/engine", on("serde"))),
            [""; 0]
        );
    }
}
