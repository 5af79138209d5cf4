//! Parameters of a plugin: what its manifest allows, what it gives by default, and what the hospital sets.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use wardflow_manifest::Manifest;

use crate::error::{Error, Result};

/// What a plugin is given: a JSON object with what is set and the defaults of the rest.
///
/// # Errors
/// A value breaks the manifest's schema. The error is for the hospital.
pub(crate) fn settle(manifest: &Manifest, set: &Map<String, Value>) -> Result<String> {
    let value = Value::Object(with_defaults(manifest, set));
    match broken(manifest, &value)? {
        Some(why) => {
            let names: Vec<_> = known(manifest).map(|(name, _)| name.as_str()).collect();
            Err(Error::usage(format!("the parameters of plugin {} are wrong: {why}", manifest.id)).remedy(format!(
                "correct [plugin.\"{}\".parameters] in wardflow.toml; it may have: {}",
                manifest.id,
                names.join(", ")
            )))
        }
        None => Ok(value.to_string()),
    }
}

/// Whether the plugin can run where the hospital sets nothing.
///
/// # Errors
/// A parameter has no default, or one that the schema does not allow. The error is for the plugin's author.
pub fn check_defaults(manifest: &Manifest) -> Result<()> {
    let wrong = |why: String| {
        Error::usage(format!("plugin.toml's parameters do not fit their own schema: {why}"))
            .remedy("give each parameter in [parameters.properties] a default that its schema allows")
    };
    if let Some((name, _)) = known(manifest).find(|(_, schema)| schema.get("default").is_none()) {
        return Err(wrong(format!("{name} has no default")));
    }
    let why = broken(manifest, &Value::Object(with_defaults(manifest, &Map::new())));
    match why.map_err(|error| wrong(error.reason()))? {
        Some(why) => Err(wrong(why)),
        None => Ok(()),
    }
}

fn known(manifest: &Manifest) -> impl Iterator<Item = (&String, &Value)> {
    manifest.parameters.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn with_defaults(manifest: &Manifest, set: &Map<String, Value>) -> Map<String, Value> {
    let mut given = set.clone();
    for (name, schema) in known(manifest) {
        if let Some(default) = schema.get("default") {
            given.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
    given
}

/// Why a value breaks the schema; of several reasons always the same.
fn broken(manifest: &Manifest, value: &Value) -> Result<Option<String>> {
    let schema = jsonschema::validator_for(&manifest.parameters).map_err(|error| {
        Error::failed(format!("the schema of plugin {}'s parameters is none: {error}", manifest.id))
    })?;
    let reasons: BTreeSet<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    Ok(reasons.into_iter().next())
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::Manifest;

    use super::check_defaults;

    #[test]
    fn defaults_fit_their_schema() {
        let check = |properties: &str, expected: Option<&str>| {
            let text = format!(
                "id = \"a/b\"\nversion = \"1.0.0\"\ncontract = \"0.1.0\"\npublisher = \"A\"\nintended_use = \"A test.\"\n\
                 columns = [\"peer\"]\n[[findings]]\nkind = \"loud\"\ntitle = \"Loud\"\nseverity = \"low\"\n\
                 shows = \"Flows.\"\nfirst_action = \"Ask.\"\n[parameters]\ntype = \"object\"\n\
                 [parameters.properties]\n{properties}\n"
            );
            let said = check_defaults(&Manifest::from_toml(&text).unwrap()).err().map(|error| error.to_string());
            match (said, expected) {
                (None, None) => {}
                (Some(said), Some(expected)) => assert!(said.contains(expected), "{said}\nlacks {expected}"),
                (said, _) => panic!("{properties}: {said:?}"),
            }
        };
        check("least = { type = \"integer\", minimum = 3, default = 3 }", None);
        check("least = { type = \"integer\", minimum = 3, default = 2 }", Some("2 is less than the minimum of 3"));
        check("least = { type = \"integer\" }", Some("least has no default"));
        check("least = { type = \"intger\", default = 2 }", Some("do not fit their own schema"));
        check("least = { multipleOf = 0, default = 2 }", Some("do not fit their own schema"));
    }
}
