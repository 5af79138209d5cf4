//! Which of Zeek's logs are read, and how one is told from another.

use std::path::{Path, PathBuf};

use crate::{
    archive::discover::COMPRESSED,
    error::{Error, Result},
};

/// A log that is read for itself. `ssl`, `http` and `dns` are read along with the `conn` beside them, for their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum ZeekLog {
    /// Connections that ended.
    Conn,
    /// Connections that are open, of the package `zeek-open-connections`.
    OpenConn,
    /// Connections that are open and last long, of the package `zeek-long-connections`.
    ConnLong,
    /// Leases of addresses.
    Dhcp,
    /// What Zeek estimates that it missed.
    CaptureLoss,
    /// What Zeek processed and dropped.
    Stats,
    /// What its policy scripts remark.
    Notice,
    /// Hosts that completed a connection.
    KnownHosts,
    /// Ports that hosts served on.
    KnownServices,
    /// MAC addresses with the names that devices give themselves.
    KnownDevices,
    /// Software that hosts announced.
    Software,
}

impl ZeekLog {
    /// All of them, `conn` first.
    pub(in crate::archive) const ALL: [Self; 11] = [
        Self::Conn,
        Self::OpenConn,
        Self::ConnLong,
        Self::Dhcp,
        Self::CaptureLoss,
        Self::Stats,
        Self::Notice,
        Self::KnownHosts,
        Self::KnownServices,
        Self::KnownDevices,
        Self::Software,
    ];

    /// Its name: what follows `#path`, and begins its files' names.
    pub(in crate::archive) const fn path(self) -> &'static str {
        match self {
            Self::Conn => "conn",
            Self::OpenConn => "open_conn",
            Self::ConnLong => "conn_long",
            Self::Dhcp => "dhcp",
            Self::CaptureLoss => "capture_loss",
            Self::Stats => "stats",
            Self::Notice => "notice",
            Self::KnownHosts => "known_hosts",
            Self::KnownServices => "known_services",
            Self::KnownDevices => "known_devices",
            Self::Software => "software",
        }
    }

    /// The log that a file is by its name: rotated (`conn.15:00:00-16:00:00.log.gz`, `conn_20240501_…`) and labelled ones
    /// too; summaries (`conn-summary`) are none.
    pub(in crate::archive) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|log| is_named(name, log.path()))
    }

    /// The log that a content is: by its header or its records' `_path`, else by the file's name, else by what only
    /// connections have.
    ///
    /// # Errors
    /// It is another of Zeek's logs.
    pub(in crate::archive) fn of_content(head: &[u8], name: &str) -> Result<Self> {
        let by_name = Self::of_name(name);
        let Some(path) = header_path(head).or_else(|| record_path(head)) else {
            // JSON may name no log: dns.log has addresses and ports too.
            return match by_name {
                None if head.starts_with(b"{") && !is_of_connections(head) => Err(Error::usage(
                    "its records are no connections: they have neither conn_state nor history nor orig_pkts",
                )
                .remedy("give conn.log; ssl, http and dns are read with the conn.log beside them")),
                log => Ok(log.unwrap_or(Self::Conn)),
            };
        };
        // The package that writes open_conn.log leaves `conn` in its records.
        if let (b"conn", Some(log @ (Self::OpenConn | Self::ConnLong))) = (path, by_name) {
            return Ok(log);
        }
        Self::ALL.into_iter().find(|log| log.path().as_bytes() == path).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|log| log.path()).collect();
            Error::usage(format!("it is Zeek's {}.log", path.escape_ascii())).remedy(format!(
                "give one of {}; ssl, http and dns are read with the conn.log beside them",
                known.join(", ")
            ))
        })
    }
}

/// The log named `log` of the same rotation beside a `conn.log`, however it is compressed.
pub(in crate::archive) fn beside(conn_log: &Path, log: &str) -> Option<PathBuf> {
    let name = conn_log.file_name()?.to_str()?;
    let rest = name.strip_prefix("conn")?;
    let rest = COMPRESSED.iter().rev().find_map(|ending| rest.strip_suffix(ending)).unwrap_or(rest);
    let candidates = COMPRESSED.iter().map(|ending| conn_log.with_file_name(format!("{log}{rest}{ending}")));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

fn is_named(name: &str, log: &str) -> bool {
    let Some(rest) = name.strip_prefix(log) else {
        return false;
    };
    let is_rotation = match rest.as_bytes() {
        [b'.', ..] => true,
        [b'_' | b'-', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    };
    is_rotation && rest.split('.').any(|part| part == "log" || part == "json")
}

/// Whether the first record has what only connections have.
fn is_of_connections(head: &[u8]) -> bool {
    let record = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [&b"\"conn_state\""[..], b"\"history\"", b"\"orig_pkts\""]
        .iter()
        .any(|key| memchr::memmem::find(record, key).is_some())
}

fn header_path(head: &[u8]) -> Option<&[u8]> {
    let lines = head.split(|byte| *byte == b'\n').take_while(|line| line.starts_with(b"#"));
    let path = lines.filter_map(|line| line.strip_prefix(b"#path")).next()?;
    Some(path.get(1..)?.trim_ascii())
}

fn record_path(head: &[u8]) -> Option<&[u8]> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let key = memchr::memmem::find(line, b"\"_path\"")? + b"\"_path\"".len();
    let value = line[key..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    value.split(|byte| *byte == b'"').next()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ZeekLog, beside};

    #[test]
    fn tells_logs_by_name() {
        for (name, log) in [
            ("conn.log", Some(ZeekLog::Conn)),
            ("conn.log.gz", Some(ZeekLog::Conn)),
            ("conn.log.labeled", Some(ZeekLog::Conn)),
            ("conn.15:00:00-16:00:00.log.gz", Some(ZeekLog::Conn)),
            ("conn_20240501_12:00:00-13:00:00+0000.log.zst", Some(ZeekLog::Conn)),
            ("conn.json", Some(ZeekLog::Conn)),
            ("open_conn.log", Some(ZeekLog::OpenConn)),
            ("conn_long.log", Some(ZeekLog::ConnLong)),
            ("known_hosts.15:00:00-16:00:00.log.xz", Some(ZeekLog::KnownHosts)),
            ("conn-summary.15:00:00-16:00:00.log.gz", None),
            ("connections.log", None),
            ("dns.log", None),
        ] {
            assert_eq!(ZeekLog::of_name(name), log, "{name}");
        }
    }

    #[test]
    fn a_content_tells_before_a_name() {
        let check = |head: &str, name: &str, log: ZeekLog| {
            assert_eq!(ZeekLog::of_content(head.as_bytes(), name).unwrap(), log, "{head} {name}");
        };
        check("#separator \\x09\n#path\tdhcp\n", "conn.log", ZeekLog::Dhcp);
        check("{\"ts\":1,\"_path\": \"notice\"}\n", "x", ZeekLog::Notice);
        check("{\"ts\":1,\"_path\":\"conn\"}\n", "open_conn.log", ZeekLog::OpenConn);
        check("{\"ts\":1}\n", "stats.log", ZeekLog::Stats);
        check("{\"ts\":1,\"history\":\"S\"}\n", "-", ZeekLog::Conn);
        assert!(ZeekLog::of_content(b"{\"ts\":1,\"query\":\"x\"}\n", "dns.log").is_err());
        let error = ZeekLog::of_content(b"#path\tx509\n", "conn.log").unwrap_err();
        assert_eq!(error.to_string(), "it is Zeek's x509.log");
    }

    #[test]
    fn neighbours_are_of_the_same_rotation() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["conn.00.log", "conn.01.log.gz", "ssl.01.log", "dns.02.log.gz", "ssl.00.log.zst"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let name = |conn: &str, log: &str| {
            let path = beside(&directory.path().join(conn), log)?;
            Some(path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(name("conn.00.log", "ssl"), Some("ssl.00.log.zst".to_owned()));
        assert_eq!(name("conn.01.log.gz", "ssl"), Some("ssl.01.log".to_owned()));
        assert_eq!(name("conn.00.log", "dns"), None);
    }
}
