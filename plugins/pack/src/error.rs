use std::path::Path;

use thiserror::Error;
use wardflow_manifest::ManifestError;

/// Why there is no plugin.
#[derive(Debug, Error)]
pub enum PackError {
    /// An input is not readable, or the output not writable.
    #[error("cannot {what} {path}: {error}")]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        error: String,
    },
    /// The manifest breaks a rule.
    #[error("{path}: {error}")]
    Manifest {
        /// The file.
        path: String,
        /// The rule, the value and the remedy.
        error: ManifestError,
    },
    /// The guest wants something that no host gives.
    #[error(
        "the module imports `{name}` from `{from}`; a plugin may import nothing but `{allowed}`. Build it for \
         wasm32-unknown-unknown, and use no clock, file, socket, environment or random number"
    )]
    Import {
        /// What is imported.
        name: String,
        /// From where.
        from: String,
        /// What may be imported.
        allowed: String,
    },
    /// The guest does not export a detector.
    #[error(
        "the module does not export `{expected}`; call `wardflow_sdk::export!` once, in a crate of type cdylib, built \
         against contract {contract}, which plugin.toml names"
    )]
    Export {
        /// What is expected.
        expected: String,
        /// The manifest's contract version.
        contract: String,
    },
    /// It carries a manifest already.
    #[error("the component already has a section `{0}`; pack the module that came out of the compiler")]
    Packed(&'static str),
    /// It is not WebAssembly, or not a module of the contract.
    #[error("the module cannot be made a component: {0}")]
    Module(String),
}

impl PackError {
    /// A file that cannot be read.
    pub fn read(path: &Path, error: &std::io::Error) -> Self {
        Self::File { what: "read", path: path.display().to_string(), error: error.to_string() }
    }

    /// A file that cannot be written.
    pub fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::File { what: "write", path: path.display().to_string(), error: error.to_string() }
    }
}
