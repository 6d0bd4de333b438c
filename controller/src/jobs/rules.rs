//! When a job is due. Pure.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use std::fmt;

/// How often a job is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// So long after it was done, and at the first start.
    Every(SignedDuration),
    /// Each day at this hour and minute (UTC), when few people work.
    Daily {
        /// The hour, 0 to 23.
        hour: i8,
        /// The minute, 0 to 59.
        minute: i8,
    },
}

impl Cadence {
    /// Says when a job is due that was never done.
    #[must_use]
    pub fn first(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(_) => now,
            Self::Daily { .. } => self.next(now),
        }
    }

    /// Says when a job is due that was done now. However many times were missed before, the next is the next.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(span) => now + span,
            Self::Daily { hour, minute } => {
                let now = now.to_zoned(TimeZone::UTC);
                let today = now.date().at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).expect("UTC has every minute");
                let next = if today > now { today } else { today.checked_add(1.day()).expect("the calendar goes on") };
                next.timestamp()
            }
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(span) => write!(f, "every {span:#}"),
            Self::Daily { hour, minute } => write!(f, "daily at {hour:02}:{minute:02} UTC"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_daily_job_comes_once_a_day_however_late_the_last_was() {
        let nightly = Cadence::Daily { hour: 2, minute: 30 };
        assert_eq!(nightly.next(at("2026-01-15T01:00:00Z")), at("2026-01-15T02:30:00Z"));
        assert_eq!(nightly.next(at("2026-01-15T02:30:00Z")), at("2026-01-16T02:30:00Z"));
        assert_eq!(nightly.next(at("2026-01-31T09:00:00Z")), at("2026-02-01T02:30:00Z"));
        assert_eq!(nightly.first(at("2026-01-15T09:00:00Z")), at("2026-01-16T02:30:00Z"), "not at the first start");
        assert_eq!(nightly.to_string(), "daily at 02:30 UTC");
    }

    #[test]
    fn a_job_between_spans_comes_at_once_and_then_again() {
        let often = Cadence::Every(SignedDuration::from_hours(6));
        let now = at("2026-01-15T09:00:00Z");
        assert_eq!(often.first(now), now);
        assert_eq!(often.next(now), at("2026-01-15T15:00:00Z"));
        assert_eq!(often.to_string(), "every 6h");
    }
}
