//! The boundary alone.

use std::path::Path;

use crate::Result;

pub(crate) fn run(_: &Path) -> Result<()> {
    Ok(())
}
