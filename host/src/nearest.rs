//! The known name that a mistyped one comes nearest to.

/// Likeness (Jaro-Winkler) from which two names are taken for the same, mistyped.
const ALIKE: f64 = 0.8;

/// The known name that is most like the given one, without regard to case; none if no name is alike.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&given, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_a_slip_and_nothing_far() {
        for (given, expected) in [
            ("archve", Some("archive")),
            ("LAKE", Some("lake")),
            ("plugin", Some("plugins")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, ["archive", "lake", "plugins"]), expected, "{given:?}");
        }
    }
}
