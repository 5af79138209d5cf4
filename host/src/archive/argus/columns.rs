//! The columns of a text of Argus, by its header.

use crate::error::{Error, Result};

/// The columns that are read, as the header of `ra` names them.
pub(super) const NAMES: [&str; 21] = [
    "StartTime",
    "Proto",
    "SrcAddr",
    "Sport",
    "DstAddr",
    "Dport",
    "Dir",
    "Dur",
    "LastTime",
    "State",
    "TotPkts",
    "SrcPkts",
    "DstPkts",
    "TotBytes",
    "SrcBytes",
    "DstBytes",
    "SrcMac",
    "DstMac",
    "sVlan",
    "sVid",
    "SrcId",
];

pub(super) const START_TIME: usize = 0;
pub(super) const PROTO: usize = 1;
pub(super) const SRC_ADDR: usize = 2;
pub(super) const SPORT: usize = 3;
pub(super) const DST_ADDR: usize = 4;
pub(super) const DPORT: usize = 5;
pub(super) const DIR: usize = 6;
pub(super) const DUR: usize = 7;
pub(super) const LAST_TIME: usize = 8;
pub(super) const STATE: usize = 9;
pub(super) const TOT_PKTS: usize = 10;
pub(super) const SRC_PKTS: usize = 11;
pub(super) const DST_PKTS: usize = 12;
pub(super) const TOT_BYTES: usize = 13;
pub(super) const SRC_BYTES: usize = 14;
pub(super) const DST_BYTES: usize = 15;
pub(super) const SRC_MAC: usize = 16;
pub(super) const DST_MAC: usize = 17;
pub(super) const S_VLAN: usize = 18;
pub(super) const S_VID: usize = 19;
pub(super) const SRC_ID: usize = 20;

/// How many of the columns, from the first on, no text can lack.
const REQUIRED: usize = 6;

/// Columns of free text, in which there may be separators.
const FREE: [&str; 3] = ["srcUdata", "dstUdata", "Label"];

/// What separates fields: what `ra -c` is given.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Marks a column that is not read.
const UNREAD: usize = usize::MAX;

/// The columns in their order.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    separator: u8,
    /// Which of [`NAMES`] each is, up to the last one that is read.
    read: Vec<usize>,
    /// How many there are.
    count: usize,
    /// Whether free text comes before the last one that is read, so that a separator in it would shift that.
    is_shifted_by_text: bool,
}

/// Where the fields of a line begin and end. A field that is absent is empty.
pub(super) type Fields = [(usize, usize); NAMES.len()];

impl Columns {
    /// The columns of a header.
    ///
    /// # Errors
    /// It is none of Argus, or lacks a column.
    pub(super) fn of(header: &[u8]) -> Result<Self> {
        let columns = SEPARATORS.map(|separator| Self::separated(header, separator));
        let best = columns.into_iter().max_by_key(|columns| columns.known());
        best.filter(|columns| (0..REQUIRED).all(|name| columns.read.contains(&name))).ok_or_else(|| {
            let required = NAMES[..REQUIRED].join(", ");
            let shown = header[..header.len().min(80)].escape_ascii();
            Error::usage(format!("it is no text of Argus: its first line, \"{shown}\", does not name {required}"))
                .remedy(
                    "give what ra writes with its header and a separator: ra -L 0 -u -n -c , -Z b -r FILE -s +dur \
                         +spkts +dpkts +sbytes +dbytes",
                )
        })
    }

    fn separated(header: &[u8], separator: u8) -> Self {
        let names = header.split(|byte| *byte == separator).map(<[u8]>::trim_ascii);
        let mut read = Vec::new();
        for name in names.clone() {
            let known = NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name));
            // Of two columns of a name the first is read.
            read.push(known.filter(|known| !read.contains(known)).unwrap_or(UNREAD));
        }
        let last = read.iter().rposition(|name| *name != UNREAD);
        read.truncate(last.map_or(0, |last| last + 1));
        let is_free = |name: &[u8]| FREE.iter().any(|free| free.as_bytes().eq_ignore_ascii_case(name));
        let is_shifted_by_text = names.clone().take(read.len()).any(is_free);
        Self { separator, read, count: names.count(), is_shifted_by_text }
    }

    fn known(&self) -> usize {
        self.read.iter().filter(|name| **name != UNREAD).count()
    }

    /// Finds the fields of a line. Tells whether the line goes on after the last one that is read.
    pub(super) fn split(&self, line: &[u8], fields: &mut Fields) -> Result<bool, String> {
        *fields = [(0, 0); NAMES.len()];
        let mut start = 0;
        let mut ends = memchr::memchr_iter(self.separator, line);
        for (column, name) in self.read.iter().enumerate() {
            let separator = ends.next();
            let end = separator.unwrap_or(line.len());
            if let Some(field) = fields.get_mut(*name) {
                *field = (start, end);
            }
            if separator.is_none() {
                return if column + 1 == self.read.len() && (column + 1 == self.count || !self.is_shifted_by_text) {
                    Ok(false)
                } else {
                    Err(self.miscounted(column + 1))
                };
            }
            start = end + 1;
        }
        if self.is_shifted_by_text {
            let count = self.read.len() + 1 + ends.count();
            if count != self.count {
                return Err(self.miscounted(count));
            }
        }
        Ok(true)
    }

    fn miscounted(&self, count: usize) -> String {
        format!("the line has {count} fields; its header has {}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::{Columns, DIR, DPORT, Fields, LAST_TIME, NAMES, PROTO, SPORT, START_TIME};

    fn split(header: &str, line: &str) -> Result<(Vec<(usize, String)>, bool), String> {
        let columns = Columns::of(header.as_bytes()).map_err(|error| error.reason())?;
        let mut fields = Fields::default();
        let goes_on = columns.split(line.as_bytes(), &mut fields)?;
        let set = fields.iter().enumerate().filter(|(_, (start, end))| end > start);
        Ok((set.map(|(name, (start, end))| (name, line[*start..*end].to_owned())).collect(), goes_on))
    }

    #[test]
    fn any_order_and_any_separator() {
        for separator in [",", "\t", ";", "|"] {
            let header = "Proto,Flgs, StartTime,SrcAddr,dport,Sport,DstAddr,Dur".replace(',', separator);
            let line = "tcp, e ,1,,80,,b,0.5".replace(',', separator);
            let (set, goes_on) = split(&header, &line).unwrap();
            let expected = [(START_TIME, "1"), (PROTO, "tcp"), (4, "b"), (DPORT, "80"), (7, "0.5")];
            assert_eq!(set, expected.map(|(name, text)| (name, text.to_owned())));
            assert!(!goes_on);
        }
    }

    #[test]
    fn headers_that_are_none() {
        for header in
            ["", "ts,proto", "StartTime,Proto,SrcAddr,Sport,DstAddr", "StartTime Proto SrcAddr Sport DstAddr Dport"]
        {
            let reason = split(header, "").unwrap_err();
            assert!(reason.ends_with("does not name StartTime, Proto, SrcAddr, Sport, DstAddr, Dport"), "{reason}");
        }
    }

    #[test]
    fn lines_with_other_fields_than_the_header() {
        let first = NAMES[..6].join(",");
        let after = format!("{first},Rank,Label,x");
        assert!(split(&after, "1,2,3,4,5,6,7,a,b,c,d").unwrap().1, "separators in what is not read do no harm");
        assert!(!split(&after, "1,2,3,4,5,6").unwrap().1, "nor does a line without it");
        assert_eq!(split(&after, "1,2,3,4,5").unwrap_err(), "the line has 5 fields; its header has 9");
        let between = format!("{first},Label,Dir,LastTime,x");
        let (set, goes_on) = split(&between, "1,2,3,4,5,6,a,>,9,x").unwrap();
        assert_eq!((&set[6..], goes_on), (&[(DIR, ">".to_owned()), (LAST_TIME, "9".to_owned())][..], true));
        for (line, count) in [("1,2,3,4,5,6,a,b,>,9,x", 11), ("1,2,3,4,5,6,a,>,9", 9), ("1,2,3,4,5,6,a", 7)] {
            assert_eq!(split(&between, line).unwrap_err(), format!("the line has {count} fields; its header has 10"));
        }
    }

    #[test]
    fn a_name_that_comes_twice() {
        let header = format!("{},Sport", NAMES[..6].join(","));
        assert_eq!(split(&header, "1,2,3,4,5,6,7").unwrap().0[SPORT].1, "4");
    }
}
