//! Names of responders, from `ssl.log`, `http.log` and `dns.log`, by the `uid` that they share with `conn.log`.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io::Read,
};

use super::log::{Kind, Log, Step};
use crate::error::Result;

/// Connections whose names are kept at most, for the logs of one rotation: some 130 MB. Names past it are counted and
/// not joined.
const MOST_CONNECTIONS: usize = 4_000_000;

/// Bytes of different names that are kept at most.
const MOST_NAME_BYTES: usize = 64 << 20;

const UID: usize = 0;
const NAME: usize = 1;

/// A log that names responders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum NameLog {
    /// `ssl.log`: the name that the client asked for in the TLS handshake (SNI).
    Ssl,
    /// `http.log`: the host that the client asked for.
    Http,
    /// `dns.log`: the query, which names not the resolver but what was asked of it. The first of a connection counts.
    Dns,
}

static SSL: Kind<2> = Kind { path: "ssl", fields: ["uid", "server_name"], required: 1 };
static HTTP: Kind<2> = Kind { path: "http", fields: ["uid", "host"], required: 1 };
static DNS: Kind<2> = Kind { path: "dns", fields: ["uid", "query"], required: 1 };

impl NameLog {
    /// All of them, the one that counts first.
    pub(in crate::archive) const ALL: [Self; 3] = [Self::Ssl, Self::Http, Self::Dns];

    /// The log's name, which begins its files' names.
    pub(in crate::archive) const fn path(self) -> &'static str {
        self.kind().path
    }

    const fn kind(self) -> &'static Kind<2> {
        match self {
            Self::Ssl => &SSL,
            Self::Http => &HTTP,
            Self::Dns => &DNS,
        }
    }
}

/// Names by connection. A connection is kept as a keyed 64-bit hash of its `uid`, so that a name costs some 32 bytes;
/// that two of four million share one has a chance of one in two million.
#[derive(Debug, Default)]
pub(in crate::archive) struct Names {
    keys: RandomState,
    by_uid: HashMap<u64, u32>,
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    name_bytes: usize,
    dropped: u64,
}

impl Names {
    /// Adds the names of a log. Connections that have one keep it.
    ///
    /// # Errors
    /// The log cannot be read, or is another one. What was read of it stays.
    pub(in crate::archive) fn read(&mut self, input: impl Read, log: NameLog) -> Result<()> {
        let is_http = log == NameLog::Http;
        let mut log = Log::new(input, log.kind());
        loop {
            match log.advance()? {
                Step::End => return Ok(()),
                Step::Malformed(_) => {}
                Step::Record => {
                    let name = log.get(NAME).and_then(|name| std::str::from_utf8(name).ok());
                    // A host that was asked for by its address has no name.
                    let name = name.filter(|name| !is_http || name.parse::<std::net::IpAddr>().is_err());
                    if let (Some(uid), Some(name)) = (log.get(UID), name) {
                        self.add(uid, name);
                    }
                }
            }
        }
    }

    /// The name of a connection.
    pub(in crate::archive) fn get(&self, uid: &[u8]) -> Option<&str> {
        if self.by_uid.is_empty() {
            return None;
        }
        let number = self.by_uid.get(&self.keys.hash_one(uid))?;
        self.names.get(*number as usize).map(|name| &**name)
    }

    /// Names that were not kept, since there were too many.
    pub(in crate::archive) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn add(&mut self, uid: &[u8], name: &str) {
        let uid = self.keys.hash_one(uid);
        if self.by_uid.contains_key(&uid) {
            return;
        }
        if self.by_uid.len() >= MOST_CONNECTIONS || self.name_bytes + name.len() > MOST_NAME_BYTES {
            self.dropped += 1;
            return;
        }
        let number = match self.numbers.get(name) {
            Some(&number) => number,
            None => {
                let number = self.names.len() as u32;
                self.names.push(name.into());
                self.numbers.insert(name.into(), number);
                self.name_bytes += name.len();
                number
            }
        };
        self.by_uid.insert(uid, number);
    }
}

#[cfg(test)]
mod tests {
    use super::{NameLog, Names};

    #[test]
    fn joins_by_uid() {
        let mut names = Names::default();
        let ssl = "#path\tssl\n#fields\tts\tuid\tserver_name\n1\tC1\tpump.example\n2\tC2\t-\n";
        names.read(ssl.as_bytes(), NameLog::Ssl).unwrap();
        let dns = "{\"uid\":\"C1\",\"query\":\"other\"}\n{\"uid\":\"C3\",\"query\":\"first\"}\nx\n{\"uid\":\"C3\",\"query\":\"last\"}";
        names.read(dns.as_bytes(), NameLog::Dns).unwrap();
        let seen = ["C1", "C2", "C3", "C4"].map(|uid| names.get(uid.as_bytes()));
        assert_eq!(seen, [Some("pump.example"), None, Some("first"), None]);
        assert_eq!(names.dropped(), 0);
    }

    #[test]
    fn refuses_another_log() {
        let error = Names::default().read(&b"#path\tdns\n#fields\tuid\tquery\nC1\tx\n"[..], NameLog::Ssl).unwrap_err();
        assert_eq!(error.to_string(), "it is Zeek's dns.log, not ssl.log");
    }
}
