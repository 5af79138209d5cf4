use thiserror::Error;

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// It is not TOML or JSON of the manifest's shape: an unknown key, a wrong type, a missing field.
    #[error("{0}")]
    Shape(String),
    /// A field breaks its rule.
    #[error("`{field}` is {value}; it must be {rule}")]
    Rule {
        /// Path of the field, such as `findings[0].kind`.
        field: String,
        /// What was found.
        value: String,
        /// What is allowed.
        rule: String,
    },
}

impl ManifestError {
    pub(crate) fn rule(field: impl Into<String>, value: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Rule { field: field.into(), value: value.into(), rule: rule.into() }
    }

    /// A shape error whose unknown key or variant is followed by the nearest allowed one.
    pub(crate) fn shape(message: &str) -> Self {
        let mut quoted = message.split('`').skip(1).step_by(2);
        let is_unknown = message.contains("unknown field") || message.contains("unknown variant");
        let nearest = quoted.next().filter(|_| is_unknown).and_then(|given| {
            quoted
                .map(|known| (strsim::jaro_winkler(given, known), known))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0))
        });
        match nearest {
            Some((_, known)) => Self::Shape(format!("{}; did you mean `{known}`?", message.trim_end())),
            None => Self::Shape(message.trim_end().to_owned()),
        }
    }
}
