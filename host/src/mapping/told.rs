//! What the engine says, as far as it is of use to the user.

use datafusion::common::DataFusionError;

/// Why something cannot be computed, in a line, without what is of use only to those who make the engine.
pub(crate) fn told(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::Internal(_) | DataFusionError::NotImplemented(_) => "nothing can do that".to_owned(),
        DataFusionError::SQL(error, _) => error.to_string(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        other => {
            let message = other.message();
            let line = message.lines().next().unwrap_or_default();
            let line = line.strip_prefix("Error during planning: ").unwrap_or(line);
            line.trim_end_matches('.').to_owned()
        }
    }
}
