//! A field of an event as it stands in the JSON, and what is wrong with it.

use std::{borrow::Cow, fmt};

use crate::archive::values;

/// A text or number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// It is absent, null or empty, or has no value of its own, as an object.
    #[default]
    Unset,
    Text(Cow<'a, str>),
    Number(u64),
    /// A number or truth value that no field can have: negative, broken, or of more than 64 bits.
    Odd(String),
}

impl<'a> Value<'a> {
    /// Sets it, unless it is set.
    pub(super) fn set(&mut self, value: Self) {
        if *self == Self::Unset {
            *self = value;
        }
    }

    /// As [`set`](Self::set); an empty text sets nothing.
    pub(super) fn set_text(&mut self, text: Cow<'a, str>) {
        if !text.is_empty() {
            self.set(Self::Text(text));
        }
    }

    /// Its text; none if it is another value.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => Ok(()),
            Self::Text(text) => out.write_str(text),
            Self::Number(number) => number.fmt(out),
            Self::Odd(text) => out.write_str(text),
        }
    }
}

/// The number of a field, or the number that it is as text.
#[inline]
pub(super) fn as_number<T: TryFrom<u64>>(value: &Value<'_>) -> Option<T> {
    match value {
        Value::Number(number) => T::try_from(*number).ok(),
        Value::Text(text) => values::number(text.as_bytes()),
        _ => None,
    }
}

/// What a field says by a parser of its text.
#[inline]
pub(super) fn as_text<T>(parse: impl Fn(&[u8]) -> Option<T>) -> impl Fn(&Value<'_>) -> Option<T> {
    move |value| parse(value.text()?.as_bytes())
}

/// What a field says; none if it is not set.
///
/// # Errors
/// It says what it must not: the rule and the value.
#[inline]
pub(super) fn optional<T>(
    name: &str,
    value: &Value<'_>,
    parse: impl Fn(&Value<'_>) -> Option<T>,
    rule: &str,
) -> Result<Option<T>, String> {
    if *value == Value::Unset {
        return Ok(None);
    }
    match parse(value) {
        Some(found) => Ok(Some(found)),
        None => Err(wrong(name, value, rule)),
    }
}

/// As [`optional`], of a field that must be set.
///
/// # Errors
/// It is not set, or says what it must not.
#[inline]
pub(super) fn required<T>(
    name: &str,
    value: &Value<'_>,
    parse: impl Fn(&Value<'_>) -> Option<T>,
    rule: &str,
) -> Result<T, String> {
    optional(name, value, parse, rule)?.ok_or_else(|| unset(name, rule))
}

#[cold]
fn unset(name: &str, rule: &str) -> String {
    format!("{name} is not set; it must be {rule}")
}

#[cold]
fn wrong(name: &str, value: &Value<'_>, rule: &str) -> String {
    let text = value.to_string();
    let shown = &text.as_bytes()[..text.len().min(80)];
    format!("{name} is \"{}\"; it must be {rule}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Value, as_number, as_text, optional, required};
    use crate::archive::values;

    #[test]
    fn is_set_once() {
        let mut value = Value::Unset;
        value.set_text(Cow::Borrowed(""));
        assert_eq!(value, Value::Unset);
        value.set(Value::Number(1));
        value.set_text(Cow::Borrowed("x"));
        assert_eq!(value, Value::Number(1));
    }

    #[test]
    fn says_what_is_wrong() {
        let port = |value: &Value<'_>| optional("src_port", value, as_number::<u16>, "a port");
        assert_eq!(port(&Value::Unset), Ok(None));
        assert_eq!(port(&Value::Number(7)), Ok(Some(7)));
        assert_eq!(port(&Value::Text("7".into())), Ok(Some(7)));
        assert_eq!(port(&Value::Number(65_536)), Err("src_port is \"65536\"; it must be a port".into()));
        assert_eq!(port(&Value::Odd("-1".into())), Err("src_port is \"-1\"; it must be a port".into()));
        let ip = |value: &Value<'_>| required("src_ip", value, as_text(values::ip), "an IP address");
        assert_eq!(ip(&Value::Unset), Err("src_ip is not set; it must be an IP address".into()));
        let long = ip(&Value::Text("é".repeat(100).into())).unwrap_err();
        assert_eq!(long, format!("src_ip is \"{}\"; it must be an IP address", r"\xc3\xa9".repeat(40)));
    }
}
