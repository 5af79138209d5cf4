//! What a caller can get wrong when asking for a hospital.

/// Options that no hospital can be made from. Each message says the rule, the value and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number lies outside the range it is allowed to have.
    #[error("{option} must be from {least} to {most}, but is {value}: choose a value in that range")]
    OutOfRange {
        /// The option's name.
        option: &'static str,
        /// The smallest value allowed.
        least: u64,
        /// The largest value allowed.
        most: u64,
        /// The value that was given.
        value: u64,
    },
    /// The time zone is not in the machine's tz database.
    #[error(
        "the time zone {name:?} is unknown here ({cause}): give an IANA name such as \"Europe/Berlin\", or \"UTC\""
    )]
    Timezone {
        /// The name that was given.
        name: String,
        /// Why it was not found.
        cause: String,
    },
    /// The time span leaves the range of time that can be written down.
    #[error("{days} days from {start} do not fit the calendar: choose an earlier start or fewer days")]
    Span {
        /// The first instant asked for.
        start: jiff::Timestamp,
        /// The days asked for.
        days: u32,
    },
    /// A name is none of those that its kind has.
    #[error("{value:?} is no {kind}; allowed are {allowed}")]
    UnknownName {
        /// What was to be named: an incident, a variant or an oddity.
        kind: &'static str,
        /// The name that was given.
        value: String,
        /// All names allowed, separated by commas.
        allowed: String,
    },
}
