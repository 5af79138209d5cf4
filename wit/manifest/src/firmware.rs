use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::ManifestError;

/// A range of firmware versions, such as `>=2.1, <3` or `=4.0.7b`.
///
/// Device makers follow no common scheme, so versions are compared part by part: runs of digits by value, the text between
/// them byte by byte; a missing part is least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FirmwareRange {
    text: String,
    bounds: Vec<(Comparison, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// Longer operators first, so that `<` does not hide `<=`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl FirmwareRange {
    /// Whether every bound holds for a version.
    pub fn contains(&self, version: &str) -> bool {
        self.bounds.iter().all(|(comparison, bound)| {
            let order = compare(version, bound);
            match comparison {
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Equal => order.is_eq(),
                Comparison::GreaterOrEqual => order.is_ge(),
                Comparison::Greater => order.is_gt(),
            }
        })
    }
}

impl TryFrom<String> for FirmwareRange {
    type Error = ManifestError;

    fn try_from(text: String) -> Result<Self, ManifestError> {
        let bounds = text
            .split(',')
            .map(|bound| {
                let bound = bound.trim();
                COMPARISONS
                    .iter()
                    .find_map(|(sign, comparison)| Some((*comparison, bound.strip_prefix(sign)?.trim().to_owned())))
                    .filter(|(_, version)| !version.is_empty())
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                ManifestError::rule(
                    "scope.firmware",
                    format!("{text:?}"),
                    "bounds joined by commas, each one of < <= = >= > and a version, such as \">=2.1, <3\"",
                )
            })?;
        Ok(Self { text, bounds })
    }
}

impl From<FirmwareRange> for String {
    fn from(range: FirmwareRange) -> Self {
        range.text
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let (a_text, a_rest) = split_while(a, |c| !c.is_ascii_digit());
        let (b_text, b_rest) = split_while(b, |c| !c.is_ascii_digit());
        let (a_digits, a_rest) = split_while(a_rest, |c| c.is_ascii_digit());
        let (b_digits, b_rest) = split_while(b_rest, |c| c.is_ascii_digit());
        let (a_number, b_number) = (a_digits.trim_start_matches('0'), b_digits.trim_start_matches('0'));
        let order = a_text.cmp(b_text).then(a_number.len().cmp(&b_number.len())).then(a_number.cmp(b_number));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
}

fn split_while(text: &str, matches: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !matches(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::FirmwareRange;

    #[test]
    fn compares_as_makers_count() {
        for (range, version, inside) in [
            (">=2.1, <3", "2.10", true),
            (">=2.1, <3", "2.1", true),
            (">=2.1, <3", "3", false),
            (">=2.1, <3", "2.0.9", false),
            ("=4.0.7b", "4.0.7b", true),
            ("=4.0.7b", "4.0.7", false),
            (">4.0.7", "4.0.7b", true),
            ("<=1.02", "1.2", true),
        ] {
            let parsed = FirmwareRange::try_from(range.to_owned()).unwrap();
            assert_eq!(parsed.contains(version), inside, "{version} in {range}");
        }
    }

    #[test]
    fn refuses_what_is_no_range() {
        for text in ["", "2.1", ">=", ">=1,,<2"] {
            let error = FirmwareRange::try_from(text.to_owned()).unwrap_err().to_string();
            assert!(error.contains("bounds joined by commas"), "{error}");
        }
    }
}
