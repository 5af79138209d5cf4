//! Which files of a directory are `conn.log`s, and which logs lie beside one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Endings of compressed logs; none for plain ones.
const COMPRESSED: [&str; 3] = ["", ".gz", ".zst"];

/// What a directory holds.
#[derive(Debug, Default)]
pub struct Found {
    /// The logs, in order of path.
    pub logs: Vec<PathBuf>,
    /// Directories in it that cannot be read.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Every `conn.log` in a directory and the directories in it, in order of path.
///
/// Rotated ones (`conn.15:00:00-16:00:00.log.gz`, `conn_20240501_…`) and labelled ones are. Where a log lies beside its
/// own compressed or labelled copy, only the log itself is taken, or its flows would count twice. Summaries (`conn-summary`)
/// are not, and neither are logs of connections that are still open (`open_conn`, `conn_long`): each of these is in
/// `conn.log` again when it closes. Links to directories are not followed, for `current` is one, and its logs grow.
///
/// A directory in it that cannot be read is returned with its error, and the others go on.
pub fn conn_logs(directory: &Path) -> io::Result<Found> {
    let Found { logs: mut found, mut unreadable } = Found::default();
    let mut directories = vec![directory.to_owned()];
    while let Some(inside) = directories.pop() {
        let entries = fs::read_dir(&inside).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if inside == directory => return Err(error),
            Err(error) => {
                unreadable.push((inside, error));
                continue;
            }
        };
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else if is_conn_log(&name) && entry.path().is_file() {
                found.push(entry.path());
            }
        }
    }
    found.retain(|path| !is_copy(path));
    found.sort();
    Ok(Found { logs: found, unreadable })
}

/// Whether a file holds connections that are still open, by its name.
pub fn is_of_open_connections(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("open_conn") || name.starts_with("conn_long")
}

/// The log named `log` of the same rotation beside a `conn.log`, however it is compressed.
pub fn beside(conn_log: &Path, log: &str) -> Option<PathBuf> {
    let name = conn_log.file_name()?.to_str()?;
    let rest = name.strip_prefix("conn")?;
    let rest = COMPRESSED.iter().rev().find_map(|ending| rest.strip_suffix(ending)).unwrap_or(rest);
    let candidates = COMPRESSED.iter().map(|ending| conn_log.with_file_name(format!("{log}{rest}{ending}")));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

fn is_copy(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ["gz", "zst", "labeled", "labelled"].iter().any(|copy| ending == *copy) && path.with_extension("").is_file()
}

fn is_conn_log(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("conn") else {
        return false;
    };
    let is_rotation = match rest.as_bytes() {
        [b'.', ..] => true,
        [b'_' | b'-', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    };
    is_rotation && rest.split('.').any(|part| part == "log" || part == "json")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Found, beside, conn_logs, is_conn_log};

    #[test]
    fn tells_conn_logs() {
        for (name, is) in [
            ("conn.log", true),
            ("conn.log.gz", true),
            ("conn.log.labeled", true),
            ("conn.15:00:00-16:00:00.log.gz", true),
            ("conn_20240501_12:00:00-13:00:00+0000.log.zst", true),
            ("conn.json", true),
            ("open_conn.log", false),
            ("conn_long.log", false),
            ("conn-summary.15:00:00-16:00:00.log.gz", false),
            ("connections.log", false),
            ("dns.log", false),
        ] {
            assert_eq!(is_conn_log(name), is, "{name}");
        }
    }

    #[test]
    fn finds_rotations_and_their_neighbours() {
        let directory = tempfile::tempdir().unwrap();
        let day = directory.path().join("2024-05-01");
        fs::create_dir(&day).unwrap();
        for name in ["conn.01.log.gz", "ssl.01.log", "dns.02.log.gz", "conn.00.log", "conn.00.log.gz", "ssl.00.log.zst"]
        {
            fs::write(day.join(name), "").unwrap();
        }
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let Found { logs, unreadable } = conn_logs(directory.path()).unwrap();
        assert!(unreadable.is_empty());
        assert_eq!(logs.iter().map(|path| name(path)).collect::<Vec<_>>(), ["conn.00.log", "conn.01.log.gz"]);
        let neighbours =
            |log: &str| logs.iter().map(|path| beside(path, log).map(|path| name(&path))).collect::<Vec<_>>();
        assert_eq!(neighbours("ssl"), [Some("ssl.00.log.zst".to_owned()), Some("ssl.01.log".to_owned())]);
        assert_eq!(neighbours("dns"), [None, None]);
    }
}
