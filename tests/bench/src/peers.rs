//! The Python that the peers run in.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::Result;

/// What the figures were measured with.
pub(crate) const DUCKDB: &str = "duckdb==2.0.0";
pub(crate) const POLARS: &str = "polars";

/// Checks that a Python has packages, given as pip has them, before anything is made or measured.
pub(crate) fn check(python: Option<&Path>, packages: &[&str]) -> Result<()> {
    let Some(python) = python else { return Ok(()) };
    let shown = python.display();
    for package in packages {
        let module = package.split("==").next().unwrap_or(package);
        let mut import = Command::new(python);
        import.args(["-c", &format!("import {module}")]).stdout(Stdio::null()).stderr(Stdio::null());
        if !import.status().map_err(|error| format!("{shown} cannot be run: {error}"))?.success() {
            return Err(format!("{shown} has no {module}: {shown} -m pip install {package}").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::{DUCKDB, POLARS, check};

    #[test]
    fn what_is_missing_is_told_with_the_command_that_installs_it() {
        let python = std::env::temp_dir().join(format!("wardflow-bench-python-{}", std::process::id()));
        fs::write(&python, "#!/bin/sh\ntest \"$2\" = 'import polars'\n").unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(check(Some(&python), &[POLARS]).is_ok());
        let error = check(Some(&python), &[POLARS, DUCKDB]).unwrap_err().to_string();
        fs::remove_file(&python).unwrap();
        let shown = python.display();
        assert_eq!(error, format!("{shown} has no duckdb: {shown} -m pip install duckdb==2.0.0"));
        assert!(check(None, &[DUCKDB]).is_ok());
        assert!(
            check(Some(Path::new("/nowhere/python")), &[DUCKDB]).unwrap_err().to_string().contains("cannot be run")
        );
    }
}
