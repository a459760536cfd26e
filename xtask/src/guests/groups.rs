//! Which guests may be built by one run of cargo.
//!
//! Cargo builds a crate once for all packages of a run, with the features that any of them wants.
//! A guest without std would then get the guest crate with the features of one that has it. So
//! only guests that ask for the same crates with the same features share a run; each then comes
//! out as if it were built alone.

use serde_json::Value;
use std::collections::BTreeMap;

/// Guests with the same dependencies.
pub(super) struct Group(Vec<String>);

impl Group {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// All packages of a `cargo metadata`, in groups.
pub(super) fn of(metadata: &Value) -> Vec<Group> {
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut groups = BTreeMap::<Vec<String>, Vec<String>>::new();
    for package in packages {
        let Some(name) = package.get("name").and_then(Value::as_str) else {
            continue;
        };
        groups
            .entry(wishes(package))
            .or_default()
            .push(name.to_owned());
    }
    groups.into_values().map(Group).collect()
}

/// What a package asks of other crates, as text that can be compared.
fn wishes(package: &Value) -> Vec<String> {
    let dependencies = package.get("dependencies").and_then(Value::as_array);
    let mut wishes: Vec<String> = dependencies
        .into_iter()
        .flatten()
        .map(Value::to_string)
        .collect();
    wishes.sort();
    wishes
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;

    #[test]
    fn guests_that_want_other_features_are_built_apart() {
        let guest = |name: &str, features: &[&str]| json!({ "name": name, "dependencies": [{ "name": "storage", "features": features }] });
        let plain = json!({ "name": "plain", "dependencies": [] });
        let groups = of(&json!({ "packages": [
            guest("a", &[]), guest("b", &["std"]), guest("c", &[]), plain,
        ]}));
        let mut names: Vec<Vec<&str>> =
            groups.iter().map(|group| group.names().collect()).collect();
        names.sort();
        assert_eq!(names, [vec!["a", "c"], vec!["b"], vec!["plain"]]);
    }

    #[test]
    fn an_empty_workspace_has_no_group() {
        assert!(of(&json!({ "packages": [] })).is_empty());
    }
}
