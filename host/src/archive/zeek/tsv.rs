//! Zeek's own log format: lines that begin with `#` say what the fields are, and may say so anew anywhere.

use super::{places::each_place, slots::Slots};

/// What the `#` lines said last.
#[derive(Debug)]
pub(super) struct Header<const N: usize> {
    separator: u8,
    empty: Vec<u8>,
    unset: Vec<u8>,
    /// The log's name, as `conn`.
    path: Option<String>,
    /// Number of columns.
    columns: usize,
    /// The columns that are wanted fields, by their numbers.
    wanted: Vec<(usize, usize)>,
    /// Where each column of a line starts, and where another would. The first starts at 0.
    starts: Vec<usize>,
    /// Whether it announces the records that are wanted.
    pub(super) is_checked: bool,
    /// Whether the last columns are parted by spaces, as IoT-23's labels are.
    has_spaced_tail: bool,
}

impl<const N: usize> Default for Header<N> {
    fn default() -> Self {
        Self {
            separator: b'\t',
            empty: b"(empty)".to_vec(),
            unset: b"-".to_vec(),
            path: None,
            columns: 0,
            wanted: Vec::new(),
            starts: Vec::new(),
            is_checked: false,
            has_spaced_tail: false,
        }
    }
}

impl<const N: usize> Header<N> {
    /// The log's name, if the header has it.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether there was a line with the columns' names.
    pub(super) fn has_columns(&self) -> bool {
        self.columns > 0
    }

    /// Whether one of the columns is this wanted field.
    pub(super) fn has(&self, field: usize) -> bool {
        self.wanted.iter().any(|(_, wanted)| *wanted == field)
    }

    /// Whether a line that is cut off behind its last separator lacks something that is wanted, without showing it.
    pub(super) fn ends_in_wanted(&self) -> bool {
        !self.has_spaced_tail && self.wanted.iter().any(|(column, _)| column + 1 == self.columns)
    }

    /// Reads a line that begins with `#`. On failure the reason.
    pub(super) fn read(&mut self, line: &[u8], names: &[&str; N]) -> Result<(), String> {
        self.is_checked = false;
        if let Some(separator) = line.strip_prefix(b"#separator ") {
            self.separator = one_byte(separator)
                .ok_or_else(|| format!("its separator {} is not one character", separator.escape_ascii()))?;
            return Ok(());
        }
        let mut parts = line.split(|&byte| byte == self.separator);
        match parts.next().unwrap_or_default() {
            b"#empty_field" => self.empty = parts.next().unwrap_or_default().to_vec(),
            b"#unset_field" => self.unset = parts.next().unwrap_or_default().to_vec(),
            b"#path" => self.path = parts.next().map(|path| String::from_utf8_lossy(path).into_owned()),
            b"#fields" => {
                let mut columns: Vec<&[u8]> = parts.collect();
                self.has_spaced_tail = false;
                if let Some(last) = columns.last_mut()
                    && let Some(end) = find_spaces(last)
                {
                    *last = &last[..end];
                    self.has_spaced_tail = true;
                }
                let wanted = |(number, column): (usize, &&[u8])| {
                    let field = names.iter().position(|name| name.as_bytes() == *column)?;
                    Some((number, field))
                };
                self.wanted = columns.iter().enumerate().filter_map(wanted).collect();
                self.columns = columns.len();
                self.starts = vec![0; columns.len() + 1];
            }
            _ => {}
        }
        Ok(())
    }

    /// Finds the wanted fields of a line. On failure the reason.
    pub(super) fn split(&mut self, line: &[u8], slots: &mut Slots<N>) -> Result<(), String> {
        slots.clear();
        let columns = self.columns;
        let mut count = 1;
        each_place(line, self.separator, |place| {
            if let Some(start) = self.starts.get_mut(count) {
                *start = place + 1;
            }
            count += 1;
        });
        if count != columns {
            return Err(format!("the line has {count} fields where the header names {columns}"));
        }
        self.starts[columns] = line.len() + 1;
        for &(column, field) in &self.wanted {
            let (start, mut end) = (self.starts[column], self.starts[column + 1] - 1);
            if self.has_spaced_tail && column + 1 == columns {
                end = find_spaces(&line[start..end]).map_or(end, |length| start + length);
            }
            if !self.is_none(&line[start..end]) {
                slots.set(field, start, end);
            }
        }
        Ok(())
    }

    /// Whether a value stands for none.
    fn is_none(&self, value: &[u8]) -> bool {
        is_same(value, &self.unset) || is_same(value, &self.empty)
    }
}

/// Whether two texts are the same. Most differ in length or in their first byte, so that they are seldom compared whole.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.first() == other.first() && one == other
}

/// Where the first of several spaces in a row is.
fn find_spaces(text: &[u8]) -> Option<usize> {
    text.windows(2).position(|pair| pair == b"  ")
}

/// The byte that a separator such as `\x09` or `,` stands for.
fn one_byte(text: &[u8]) -> Option<u8> {
    match text {
        &[byte] => Some(byte),
        _ => {
            let digits = std::str::from_utf8(text.strip_prefix(br"\x")?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, Slots};

    const NAMES: [&str; 3] = ["ts", "uid", "id.orig_h"];

    fn check(header: &[&str], line: &str, expected: Result<[Option<&str>; 3], &str>) {
        let mut read = Header::default();
        for line in header {
            read.read(line.as_bytes(), &NAMES).unwrap();
        }
        let mut slots = Slots::default();
        let seen = read.split(line.as_bytes(), &mut slots).map(|()| {
            [0, 1, 2].map(|field| slots.get(line.as_bytes(), field).map(|text| std::str::from_utf8(text).unwrap()))
        });
        assert_eq!(seen, expected.map_err(str::to_owned));
    }

    #[test]
    fn finds_fields() {
        let plain = "#fields\tuid\tts\tother\tid.orig_h";
        check(&[plain], "C1\t1.5\tx\t10.0.0.1", Ok([Some("1.5"), Some("C1"), Some("10.0.0.1")]));
        check(&[plain], "-\t(empty)\tx\t", Ok([None, None, None]));
        check(&[plain], "C1\t1.5\tx", Err("the line has 3 fields where the header names 4"));
        check(&[plain, "#fields\tts"], "2", Ok([Some("2"), None, None]));
        check(&[r"#separator \x2c", "#fields,ts,uid", "#unset_field,NA"], "1,NA", Ok([Some("1"), None, None]));
    }

    #[test]
    fn labels_may_be_parted_by_spaces() {
        let fields = "#fields\tts\tuid   label   detailed-label";
        check(&[fields], "1\tC1   Malicious   C&C", Ok([Some("1"), Some("C1"), None]));
        check(&[fields], "1\t-   benign   -", Ok([Some("1"), None, None]));
    }

    #[test]
    fn refuses_long_separators() {
        let error = Header::<3>::default().read(br"#separator ab", &NAMES).unwrap_err();
        assert_eq!(error, "its separator ab is not one character");
    }
}
