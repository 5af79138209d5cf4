//! The fields of a record of delimited text (RFC 4180).

use std::ops::Range;

pub(super) const QUOTE: u8 = b'"';

/// A field's place in the record's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    place: Range<usize>,
    /// Whether it has quotes in it, each of which stands there twice.
    has_quotes: bool,
}

impl Field {
    /// Its text in that of its record; none if it has to be written anew.
    #[inline]
    pub(super) fn plain<'a>(&self, record: &'a str) -> Option<&'a str> {
        (!self.has_quotes).then(|| &record[self.place.clone()])
    }

    /// Its text.
    pub(super) fn unquoted(&self, record: &str) -> String {
        record[self.place.clone()].replace("\"\"", "\"")
    }

    /// Its text in a record that need not be any: bytes that are none become replacement characters.
    pub(super) fn lossy(&self, record: &[u8]) -> String {
        String::from_utf8_lossy(&record[self.place.clone()]).replace("\"\"", "\"")
    }
}

/// What the text of a record comes to.
pub(super) enum Split {
    Whole,
    /// The text ends inside of quotes.
    Open,
    Wrong(String),
}

/// Finds the fields of a record.
pub(super) fn split(text: &[u8], delimiter: u8, fields: &mut Vec<Field>) -> Split {
    fields.clear();
    if memchr::memchr(QUOTE, text).is_none() {
        let mut start = 0;
        for end in memchr::memchr_iter(delimiter, text) {
            fields.push(Field { place: start..end, has_quotes: false });
            start = end + 1;
        }
        fields.push(Field { place: start..text.len(), has_quotes: false });
        return Split::Whole;
    }
    let mut start = 0;
    loop {
        if text.get(start) != Some(&QUOTE) {
            let end = memchr::memchr(delimiter, &text[start..]).map(|length| start + length);
            fields.push(Field { place: start..end.unwrap_or(text.len()), has_quotes: false });
            match end {
                Some(end) => start = end + 1,
                None => return Split::Whole,
            }
            continue;
        }
        let (mut at, mut has_quotes) = (start + 1, false);
        let end = loop {
            let Some(length) = memchr::memchr(QUOTE, &text[at..]) else { return Split::Open };
            let quote = at + length;
            if text.get(quote + 1) != Some(&QUOTE) {
                break quote;
            }
            has_quotes = true;
            at = quote + 2;
        };
        fields.push(Field { place: start + 1..end, has_quotes });
        match text.get(end + 1) {
            None => return Split::Whole,
            Some(byte) if *byte == delimiter => start = end + 2,
            Some(_) => {
                return Split::Wrong(format!(
                    "field {} goes on behind the quote that closes it; a quote in quotes stands there twice",
                    fields.len()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn fields_of_what_is_no_text() {
        let record = b"a\xff,\xf0b\xff,\"\"\"c\xff\"";
        let mut fields = Vec::new();
        split(record, b',', &mut fields);
        let texts: Vec<_> = fields.iter().map(|field| field.lossy(record)).collect();
        assert_eq!(texts, ["a\u{fffd}", "\u{fffd}b\u{fffd}", "\"c\u{fffd}"]);
    }
}
