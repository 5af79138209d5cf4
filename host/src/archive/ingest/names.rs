//! Names of responders, from the logs beside a `conn.log`.

use std::path::Path;

use crate::{
    archive::{
        input::InputFile,
        zeek::{self, NameLog, Names},
    },
    error::{Context, Result},
};

/// Names from the logs of the same rotation. A log that cannot be read costs names and no flow: it is noted.
pub(super) fn beside(conn_log: &Path, notes: &mut Vec<String>) -> Names {
    let mut names = Names::default();
    for log in NameLog::ALL {
        let Some(path) = zeek::beside(conn_log, log.path()) else {
            continue;
        };
        let mut read = || -> Result<()> {
            let input = InputFile::open(&path).and_then(|file| file.read()).context(|| "opening it".into())?;
            names.read(input.content, log)
        };
        if let Err(error) = read() {
            notes.push(format!("names of {} are missing: {error}", path.display()));
        }
    }
    if names.dropped() > 0 {
        notes.push(format!("{} names beside it were not joined, since there are too many", names.dropped()));
    }
    names
}
