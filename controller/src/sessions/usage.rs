//! What was used, hour by hour and day by day. Pure.

use super::Sighting;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

const HOUR_SECONDS: i64 = 3600;
/// Over how long a growth is spread back at most: when nobody looked for longer, it is not known when it was used.
const SPREAD_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An amount of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Used {
    /// Seconds online, of all sessions together.
    pub online_seconds: u64,
    /// Bytes from the customer.
    pub upload_bytes: Bytes,
    /// Bytes to the customer.
    pub download_bytes: Bytes,
}

impl Used {
    /// Adds another amount.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            online_seconds: self.online_seconds.saturating_add(other.online_seconds),
            upload_bytes: Bytes(self.upload_bytes.0.saturating_add(other.upload_bytes.0)),
            download_bytes: Bytes(self.download_bytes.0.saturating_add(other.download_bytes.0)),
        }
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// What one day saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayUsed {
    /// The day in the tenant's time zone. Use is counted by UTC hours, each to the day in which it begins.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// What was used.
    #[serde(flatten)]
    pub used: Used,
}

/// How much a session's counters grew from what was known to what is known now. They never fall, so this is never less than nothing.
pub(super) fn grown(before: Option<&Sighting>, after: &Sighting) -> Used {
    let count =
        |count: fn(&Sighting) -> Option<u64>| count(after).unwrap_or(0).saturating_sub(before.and_then(count).unwrap_or(0));
    Used {
        online_seconds: count(|session| Some(session.online_seconds)),
        upload_bytes: Bytes(count(|session| session.upload.map(|bytes| bytes.0))),
        download_bytes: Bytes(count(|session| session.download.map(|bytes| bytes.0))),
    }
}

/// Spreads a growth evenly over the hours in which it happened: from the last time the session was seen, or its start, to now. Nothing
/// is lost or made by rounding.
pub(super) fn hourly(before: Option<&Sighting>, after: &Sighting) -> Vec<(Timestamp, Used)> {
    let used = grown(before, after);
    if used.is_nothing() {
        return Vec::new();
    }
    let until = after.seen_at;
    let from = before.map_or(after.started_at, |before| before.seen_at).max(until - SPREAD_MAX).min(until);
    let (first, last) = (from.as_second(), until.as_second());
    let whole = u128::try_from((last - first).max(1)).expect("the end is not before the beginning");
    // What belongs before a moment: the parts are the differences, so that they add up to the whole.
    let before_moment = |amount: u64, moment: i64| {
        let passed = u128::try_from(moment.clamp(first, last) - first).expect("clamped");
        u64::try_from(u128::from(amount) * passed / whole).expect("a part of an amount is no more than it")
    };
    let mut hours = Vec::new();
    let mut hour = first.div_euclid(HOUR_SECONDS) * HOUR_SECONDS;
    loop {
        let next = hour + HOUR_SECONDS;
        let is_last = next > last;
        let part = |amount: u64| (if is_last { amount } else { before_moment(amount, next) }) - before_moment(amount, hour);
        let used = Used {
            online_seconds: part(used.online_seconds),
            upload_bytes: Bytes(part(used.upload_bytes.0)),
            download_bytes: Bytes(part(used.download_bytes.0)),
        };
        if !used.is_nothing() {
            hours.push((Timestamp::from_second(hour).expect("an hour between two times"), used));
        }
        if is_last {
            return hours;
        }
        hour = next;
    }
}

/// Adds hours up to the days of a time zone.
pub(super) fn daily(hours: &[(Timestamp, Used)], zone: &TimeZone) -> Vec<DayUsed> {
    let mut days: BTreeMap<Date, Used> = BTreeMap::new();
    for (hour, used) in hours {
        let day = days.entry(hour.to_zoned(zone.clone()).date()).or_default();
        *day = day.plus(*used);
    }
    days.into_iter().map(|(day, used)| DayUsed { day, used }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{SessionKind, Sighting};
    use super::*;
    use model::RouterId;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn session(started: Timestamp, seen: Timestamp, online: u64, download: Option<u64>) -> Sighting {
        Sighting {
            router: RouterId::from_uuid(Uuid::nil()),
            key: "k".to_owned(),
            acct_id: String::new(),
            kind: SessionKind::Hotspot,
            login: "jane".to_owned(),
            address: None,
            station: String::new(),
            started_at: started,
            seen_at: seen,
            online_seconds: online,
            upload: None,
            download: download.map(Bytes),
            ended: None,
        }
    }

    proptest! {
        #[test]
        fn hours_add_up_to_what_was_used(
            start in 0_i64..10_000_000, lasts in 0_i64..3_000_000, step in 0_i64..3_000_000, online in 0_u64..u64::MAX, bytes in 0_u64..u64::MAX,
        ) {
            let time = |second| Timestamp::from_second(1_700_000_000 + second).expect("a time");
            let before = session(time(start), time(start + lasts), 1, Some(7));
            let after = session(time(start), time(start + lasts + step), online.max(1), Some(bytes.max(7)));
            for known in [None, Some(&before)] {
                let hours = hourly(known, &after);
                let sum = hours.iter().fold(Used::default(), |sum, (_, used)| sum.plus(*used));
                prop_assert_eq!(sum, grown(known, &after));
                prop_assert!(hours.len() <= 7 * 24 + 1);
                prop_assert!(hours.iter().all(|(hour, _)| hour.as_second() % HOUR_SECONDS == 0 && *hour <= after.seen_at));
            }
        }
    }

    #[test]
    fn a_growth_is_spread_over_the_hours_it_took() {
        let before = session(at("2026-01-15T08:00:00Z"), at("2026-01-15T09:30:00Z"), 5400, Some(1000));
        let after = session(at("2026-01-15T08:00:00Z"), at("2026-01-15T11:30:00Z"), 12_600, Some(5000));
        let hours: Vec<_> = hourly(Some(&before), &after)
            .into_iter()
            .map(|(hour, used)| (hour.to_string(), used.online_seconds, used.download_bytes.0))
            .collect();
        assert_eq!(
            hours,
            [
                ("2026-01-15T09:00:00Z".to_owned(), 1800, 1000),
                ("2026-01-15T10:00:00Z".to_owned(), 3600, 2000),
                ("2026-01-15T11:00:00Z".to_owned(), 1800, 1000)
            ]
        );
        assert_eq!(hourly(Some(&after), &after), [], "the same news twice uses nothing");
    }

    #[test]
    fn what_a_router_does_not_count_is_not_guessed() {
        let (from, until) = (at("2026-01-15T08:00:00Z"), at("2026-01-15T08:10:00Z"));
        let silent = session(from, until, 600, None);
        assert_eq!(grown(None, &silent), Used { online_seconds: 600, ..Used::default() });
        assert_eq!(
            grown(Some(&silent), &session(from, until, 600, Some(90))).download_bytes,
            Bytes(90),
            "and comes in whole later"
        );
    }

    #[test]
    fn a_day_begins_at_the_tenants_midnight() {
        let zone = TimeZone::get("Africa/Nairobi").expect("a zone");
        let used = Used { online_seconds: 60, ..Used::default() };
        let hours = [(at("2026-01-14T20:00:00Z"), used), (at("2026-01-14T21:00:00Z"), used), (at("2026-01-15T20:00:00Z"), used)];
        let days: Vec<_> = daily(&hours, &zone).into_iter().map(|day| (day.day.to_string(), day.used.online_seconds)).collect();
        assert_eq!(days, [("2026-01-14".to_owned(), 60), ("2026-01-15".to_owned(), 120)]);
    }
}
