//! Zeek's logs as JSON, one flat object a line. Values are found in place and numbers stay text, so that times keep
//! every digit.

use super::slots::Slots;

/// Finds the wanted fields of a line that is a JSON object. `null` is an absent field. On failure the reason.
pub(super) fn split<const N: usize>(line: &[u8], names: &[&str; N], slots: &mut Slots<N>) -> Result<(), String> {
    slots.clear();
    let mut scan = Scan { line, at: 0 };
    let mut last = N - 1;
    scan.expect(b'{')?;
    if scan.next_is(b'}') {
        return scan.end();
    }
    loop {
        let key = scan.string()?;
        scan.expect(b':')?;
        let value = scan.value()?;
        if let Some(field) = find(names, &line[key.start..key.end], last) {
            last = field;
            match value {
                Value::Null | Value::Nested => {}
                Value::Scalar(start, end) => slots.set(field, start, end),
                Value::Text(text) if text.has_escapes => {
                    let text: String = serde_json::from_slice(&line[text.start - 1..=text.end])
                        .map_err(|error| format!("a text of the JSON object is wrong: {error}"))?;
                    slots.set_unescaped(field, text.as_bytes());
                }
                Value::Text(text) => slots.set(field, text.start, text.end),
            }
        }
        if scan.next_is(b',') {
            continue;
        }
        scan.expect(b'}')?;
        return scan.end();
    }
}

/// The field of a key. Keys come in the same order in every line, so that the next field is the likeliest.
fn find<const N: usize>(names: &[&str; N], key: &[u8], last: usize) -> Option<usize> {
    (1..=N).map(|step| (last + step) % N).find(|&field| names[field].as_bytes() == key)
}

struct Scan<'a> {
    line: &'a [u8],
    at: usize,
}

struct Text {
    start: usize,
    end: usize,
    has_escapes: bool,
}

enum Value {
    Null,
    Nested,
    Scalar(usize, usize),
    Text(Text),
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r') = self.line.get(self.at) {
            self.at += 1;
        }
        self.line.get(self.at).copied()
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.next_is(byte) { Ok(()) } else { Err(self.unexpected(char::from(byte).to_string().as_str())) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.line.get(self.at) {
            None => format!("the JSON object ends where {wanted} should follow"),
            Some(found) => {
                format!("the JSON object has {} at byte {} instead of {wanted}", found.escape_ascii(), self.at + 1)
            }
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected("the end of the line")) }
    }

    fn string(&mut self) -> Result<Text, String> {
        self.expect(b'"')?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &self.line[self.at..]) else {
                self.at = self.line.len();
                return Err(self.unexpected("\""));
            };
            self.at += found;
            if self.line[self.at] == b'"' {
                self.at += 1;
                return Ok(Text { start, end: self.at - 1, has_escapes });
            }
            has_escapes = true;
            self.at = (self.at + 2).min(self.line.len());
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{' | b'[') => self.nested().map(|()| Value::Nested),
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let start = self.at;
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
                self.at += self.line[start..].iter().position(|byte| !is_part(byte)).unwrap_or(self.line.len() - start);
                let is_null = &self.line[start..self.at] == b"null";
                Ok(if is_null { Value::Null } else { Value::Scalar(start, self.at) })
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn nested(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => return Err(self.unexpected("] or }")),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Slots, split};

    fn check(line: &str, expected: Result<[Option<&str>; 2], &str>) {
        let mut slots = Slots::default();
        let seen = split(line.as_bytes(), &["ts", "uid"], &mut slots).map(|()| {
            [0, 1].map(|field| slots.get(line.as_bytes(), field).map(|text| String::from_utf8_lossy(text).into_owned()))
        });
        let expected = expected.map(|fields| fields.map(|field| field.map(str::to_owned))).map_err(str::to_owned);
        assert_eq!(seen, expected, "{line}");
    }

    #[test]
    fn finds_fields() {
        check(r#"{}"#, Ok([None, None]));
        check(r#"{"ts":1.5,"uid":"C1"}"#, Ok([Some("1.5"), Some("C1")]));
        check(r#" { "uid" : "C1" , "x" : [ {"ts": 9}, "]" ], "ts" : null } "#, Ok([None, Some("C1")]));
        check(r#"{"uid":"a\"\\b\u00e9","ts":-1e-05}"#, Ok([Some("-1e-05"), Some("a\"\\bé")]));
        check(r#"{"x":{"ts":1},"y":true,"ts":""}"#, Ok([None, None]));
    }

    #[test]
    fn refuses_what_is_no_object() {
        check("", Err("the JSON object ends where { should follow"));
        check(r#"{"ts":"#, Err("the JSON object ends where a value should follow"));
        check(r#"{"ts":1,"ui"#, Err("the JSON object ends where \" should follow"));
        check(r#"{"ts":1,"uid":"a\"#, Err("the JSON object ends where \" should follow"));
        check(r#"{"ts":1 "uid":2}"#, Err("the JSON object has \\\" at byte 9 instead of }"));
        check(r#"{"ts":1}{"#, Err("the JSON object has { at byte 9 instead of the end of the line"));
        check(r#"{"x":[1"#, Err("the JSON object ends where ] or } should follow"));
    }
}
