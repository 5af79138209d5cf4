//! The sensors' gaps as CSV: a line each, with `start` and `end` in UTC.

use std::{fs, io, path::Path};

use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::Timestamp;

use super::flow_table::time;
use crate::{
    detector::Gap,
    error::{Context, Error, Result},
};

/// The file in a case.
pub const FILE: &str = "gaps.csv";

const HEADER: [&str; 2] = ["start", "end"];

/// Reads the gaps of a case; absent where it does not say any.
///
/// # Errors
/// The file cannot be read, has other columns, or its gaps are not in order of time and apart. The error names the line.
pub fn read(directory: &Path) -> Result<Option<Vec<Gap>>> {
    let file = directory.join(FILE);
    let wrong = |what: String| {
        Error::usage(format!("{}{what}", file.display()))
            .remedy("it has the columns start and end, and stretches in order of time that do not touch; no line means that there was no gap")
    };
    let opened = match fs::File::open(&file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(" cannot be read".to_owned()).because(error)),
    };
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(opened);
    let names = reader.headers().map_err(|error| wrong(" cannot be read".to_owned()).because(error))?;
    if names != HEADER[..] {
        let names: Vec<_> = names.iter().collect();
        return Err(wrong(format!(" has the columns {}", names.join(", "))));
    }
    let mut gaps: Vec<Gap> = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(" cannot be read".to_owned()).because(error))?;
        let line = row.position().map_or(0, csv::Position::line);
        let at =
            |place: usize| time(HEADER[place], &row[place]).map_err(|rule| wrong(format!(", line {line}: {rule}")));
        let gap = Gap { start: at(0)?, end: at(1)? };
        if gap.end <= gap.start || gaps.last().is_some_and(|before| gap.start <= before.end) {
            return Err(wrong(format!(
                ", line {line}: this gap ends before it starts, or starts before the last one ends"
            )));
        }
        gaps.push(gap);
    }
    Ok(Some(gaps))
}

/// Writes gaps, so that [`read`] reads them.
///
/// # Errors
/// Nothing can be written.
pub fn write(directory: &Path, gaps: &[Gap]) -> Result<()> {
    let file = directory.join(FILE);
    let doing = || format!("cannot write {}", file.display());
    let mut writer = csv::Writer::from_path(&file).context(doing)?;
    writer.write_record(HEADER).context(doing)?;
    let text = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default().to_string();
    for gap in gaps {
        writer.write_record(&StringRecord::from(vec![text(gap.start), text(gap.end)])).context(doing)?;
    }
    writer.flush().context(doing)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FILE, Gap, read, write};

    #[test]
    fn gaps_are_read_as_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), None);
        for gaps in [
            vec![],
            vec![Gap { start: -5, end: 0 }, Gap { start: 1_772_000_000_000_001, end: i64::from(u32::MAX) << 20 }],
        ] {
            write(directory.path(), &gaps).unwrap();
            assert_eq!(read(directory.path()).unwrap(), Some(gaps));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let check = |text: &str, said: &str| {
            fs::write(directory.path().join(FILE), text).unwrap();
            let error = read(directory.path()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}\nlacks {said}");
        };
        check("from,to\n", "gaps.csv has the columns from, to");
        check("start,end\n2026-03-02T14:00:00Z,now\n", "line 2: end is \"now\"; it must be a time");
        check("start,end\n2026-03-02T14:00:00Z,2026-03-02T14:00:00Z\n", "line 2: this gap ends before");
        check("start,end\n1970-01-01T01:00,1970-01-01T02:00\n1970-01-01T02:00,1970-01-01T03:00\n", "line 3");
        check("start,end\n1970-01-01T01:00\n", "cannot be read");
    }
}
