//! How a component becomes code: in this process or in a child of it, and where the code is kept.
//!
//! Compiling runs no guest code, but it works on a stranger's input, for as long and with as much memory as that input
//! makes it. The command therefore compiles in a child process, which is killed when it takes too much. A library cannot
//! know which executable it is part of: whoever uses it says.

use std::{fmt, path::PathBuf, sync::Arc};

use wasmparser::Validator;
use wasmtime::Engine;

use super::{child, complexity::check_complexity, engine::spoken, fault::clean};
use crate::{
    detector::Stop,
    error::{Context, Error, Result},
    limits::Limits,
};

/// What a refusal begins with.
pub(super) const REFUSED: &str = "it cannot be compiled";

/// Who compiles, where compiled code is kept, and who is told of trouble with what is kept.
#[derive(Clone, Default)]
pub struct Compiler {
    child: Option<(PathBuf, Stop)>,
    kept_in: Option<PathBuf>,
    tell: Option<Arc<Tell>>,
}

type Tell = dyn Fn(&str) + Send + Sync;

impl Compiler {
    /// Compiles in this process. Only [`check_complexity`] bounds what that takes.
    pub fn here() -> Self {
        Self::default()
    }

    /// Compiles in a child process each: `command` is an executable that hands its arguments after
    /// [`COMPILE`](super::COMPILE) to [`compile_for_parent`](super::compile_for_parent). `stop` ends it.
    pub fn child(command: PathBuf, stop: Stop) -> Self {
        Self { child: Some((command, stop)), ..Self::default() }
    }

    /// Keeps compiled code in a directory of the user's own, which is made if it is not there.
    #[must_use]
    pub fn kept_in(self, directory: Option<PathBuf>) -> Self {
        Self { kept_in: directory, ..self }
    }

    /// Tells of a directory that is not fit to keep code in, and of damaged code. Neither stops a plugin.
    #[must_use]
    pub fn telling(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Some(Arc::new(tell)), ..self }
    }

    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.kept_in.clone()
    }

    pub(super) fn tell(&self, note: &str) {
        if let Some(tell) = &self.tell {
            tell(note);
        }
    }

    /// The code of a component, for an engine with this one's settings.
    ///
    /// # Errors
    /// The component is not valid, or compiling it takes more than the limits allow; also if the run was stopped.
    pub(super) fn compile(&self, engine: &Engine, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>> {
        check_complexity(bytes).context(|| REFUSED.to_owned())?;
        match &self.child {
            Some((command, stop)) => child::compile(command, stop, bytes, limits),
            None => compile(engine, bytes).map_err(|error| refused(&chain(&error))),
        }
    }
}

impl fmt::Debug for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler").field("child", &self.child).field("kept_in", &self.kept_in).finish_non_exhaustive()
    }
}

/// Compiles what uses the [`spoken`] proposals alone, in its functions too. The engine itself speaks one more.
pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
    Validator::new_with_features(spoken()).validate_all(bytes)?;
    engine.precompile_component(bytes)
}

/// That a component is not valid.
pub(super) fn refused(why: &str) -> Error {
    Error::usage(format!("{REFUSED}: {why}"))
        .remedy("build it against wit/detector.wit, with no proposal beyond the compiler's defaults")
}

/// Everything that an error of wasmtime's has to say, outermost first.
pub(super) fn chain(error: &wasmtime::Error) -> String {
    let causes: Vec<_> = error.chain().map(|cause| clean(&cause.to_string())).collect();
    causes.join(": ")
}
