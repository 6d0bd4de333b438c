//! When a message may go: quiet hours, how long it is worth sending, and when it is tried again. Pure.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// After so long nobody needs it any more.
pub(in super::super) const AGE_MAX: SignedDuration = SignedDuration::from_hours(48);
/// How long after each round in which no gateway took it the next begins.
const AGAIN_AFTER: [SignedDuration; 4] =
    [SignedDuration::from_mins(1), SignedDuration::from_mins(5), SignedDuration::from_mins(15), SignedDuration::from_hours(1)];

/// Quiet hours in a time zone.
#[derive(Debug, Clone)]
pub(in super::super) struct Quiet {
    pub(in super::super) zone: TimeZone,
    pub(in super::super) from: Time,
    pub(in super::super) until: Time,
}

impl Quiet {
    /// Says whether nobody is to be woken at a time. The end of quiet hours is not quiet, and from a time to the same is never.
    fn holds(&self, at: Timestamp) -> bool {
        let time = at.to_zoned(self.zone.clone()).time();
        if self.from <= self.until { self.from <= time && time < self.until } else { self.from <= time || time < self.until }
    }

    /// Returns the first moment from a time on at which a message may go.
    pub(in super::super) fn over(&self, at: Timestamp) -> Timestamp {
        if !self.holds(at) {
            return at;
        }
        let local = at.to_zoned(self.zone.clone());
        // Today's end, or tomorrow's when today's is over. Where the clocks are put forward over it, it is the moment behind the gap.
        [local.date(), local.date().saturating_add(1.day())]
            .into_iter()
            .filter_map(|day| day.to_datetime(self.until).to_zoned(self.zone.clone()).ok())
            .map(|end| end.timestamp())
            .find(|end| *end > at)
            .unwrap_or(at)
    }
}

/// Says when a message is tried again that no gateway took in so many rounds; never, when it was tried often enough.
pub(in super::super) fn again(rounds: i32, now: Timestamp) -> Option<Timestamp> {
    let round = usize::try_from(rounds).ok()?.checked_sub(1)?;
    AGAIN_AFTER.get(round).map(|wait| now + *wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quiet(zone: &str, from: i8, until: i8) -> Quiet {
        let zone = TimeZone::get(zone).expect("a zone");
        Quiet { zone, from: Time::constant(from, 0, 0, 0), until: Time::constant(until, 0, 0, 0) }
    }

    fn over(quiet: &Quiet, local: &str) -> String {
        let at = format!("{local}[{}]", quiet.zone.iana_name().expect("a name")).parse::<jiff::Zoned>().expect("a time");
        quiet.over(at.timestamp()).to_zoned(quiet.zone.clone()).datetime().to_string()
    }

    #[test]
    fn the_night_waits_for_the_morning() {
        let nairobi = quiet("Africa/Nairobi", 21, 7);
        for (written, sent) in [
            ("2026-01-15T20:59:59", "2026-01-15T20:59:59"),
            ("2026-01-15T21:00:00", "2026-01-16T07:00:00"),
            ("2026-01-15T23:59:59", "2026-01-16T07:00:00"),
            ("2026-01-16T00:00:00", "2026-01-16T07:00:00"),
            ("2026-01-16T06:59:59", "2026-01-16T07:00:00"),
            ("2026-01-16T07:00:00", "2026-01-16T07:00:00"),
            ("2026-01-31T22:00:00", "2026-02-01T07:00:00"),
        ] {
            assert_eq!(over(&nairobi, written), sent);
        }
        assert_eq!(over(&quiet("Africa/Nairobi", 12, 14), "2026-01-16T13:30:00"), "2026-01-16T14:00:00");
        assert_eq!(over(&quiet("Africa/Nairobi", 7, 7), "2026-01-16T07:00:00"), "2026-01-16T07:00:00", "none at all");
    }

    #[test]
    fn a_clock_that_is_put_on_or_back_is_no_trap() {
        // On 29 March 2026 Berlin goes from 02:00 to 03:00, and on 25 October from 03:00 to 02:00.
        assert_eq!(over(&quiet("Europe/Berlin", 21, 2), "2026-03-29T01:30:00"), "2026-03-29T03:00:00");
        assert_eq!(over(&quiet("Europe/Berlin", 21, 7), "2026-10-25T02:30:00"), "2026-10-25T07:00:00");
    }

    #[test]
    fn it_is_tried_four_more_times() {
        let now = Timestamp::UNIX_EPOCH;
        let waits: Vec<i64> = (1..).map_while(|round| again(round, now)).map(|at| at.duration_since(now).as_secs()).collect();
        assert_eq!(waits, [60, 300, 900, 3_600]);
        assert_eq!(again(0, now), None);
    }

    proptest! {
        #[test]
        fn what_waits_goes_within_a_day_and_not_in_the_night(
            seconds in 1_700_000_000_i64..1_900_000_000,
            from in 0_i8..24,
            until in 0_i8..24,
            zone in prop::sample::select(vec!["Africa/Nairobi", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
        ) {
            let quiet = quiet(zone, from, until);
            let at = Timestamp::from_second(seconds).expect("a time");
            let goes = quiet.over(at);
            prop_assert!(goes >= at);
            prop_assert!(goes.duration_since(at) <= SignedDuration::from_hours(25));
            prop_assert!(!quiet.holds(goes), "{at} goes at {goes}");
            prop_assert_eq!(quiet.over(goes), goes);
        }
    }
}
