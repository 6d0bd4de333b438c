//! When days begin and end. Pure.

use super::{DAYS_MAX, Period};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Says which days are asked for.
pub(super) fn days(period: Period, today: Date) -> Result<(Date, Date), (&'static str, &'static str)> {
    let until = period.until.unwrap_or(today);
    let from = period.from.unwrap_or_else(|| until.saturating_sub(30.days()));
    if from > until {
        return Err(("from", "the first day does not come after the last"));
    }
    let many = from.until(until).map_or(i32::MAX, |span| span.get_days());
    if many >= DAYS_MAX { Err(("from", "ask for at most 400 days")) } else { Ok((from, until)) }
}

/// Returns each day with its first moment and that of the next day, in a zone. A day has 23 to 25 hours where clocks are changed, and begins
/// after midnight where midnight is left out.
pub(super) fn bounds(from: Date, until: Date, zone: &TimeZone) -> Option<Vec<(Date, Timestamp, Timestamp)>> {
    let begin = |day: Date| day.to_zoned(zone.clone()).ok()?.start_of_day().ok().map(|start| start.timestamp());
    let mut days = Vec::new();
    let mut day = from;
    let mut start = begin(day)?;
    loop {
        let next = day.tomorrow().ok()?;
        let end = begin(next)?;
        days.push((day, start, end));
        if day >= until {
            return Some(days);
        }
        (day, start) = (next, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone that every machine knows")
    }

    #[test]
    fn days_begin_where_the_isp_is() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let only = |day: Date, name: &str| bounds(day, day, &zone(name)).expect("a day")[0];
        let day = date(2026, 1, 15);
        assert_eq!(only(day, "Africa/Nairobi"), (day, at("2026-01-14T21:00:00Z"), at("2026-01-15T21:00:00Z")));
        // The clock goes forward in the night: 23 hours.
        let short = date(2026, 3, 29);
        assert_eq!(only(short, "Europe/Berlin"), (short, at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")));
        // Midnight itself is left out in Cairo when summer time begins there.
        let gap = date(2026, 4, 24);
        assert_eq!(only(gap, "Africa/Cairo"), (gap, at("2026-04-23T22:00:00Z"), at("2026-04-24T21:00:00Z")));
    }

    #[test]
    fn at_most_400_days_in_their_order() {
        let today = date(2026, 1, 15);
        let ask = |from, until| days(Period { from, until }, today);
        assert_eq!(ask(None, None), Ok((date(2025, 12, 16), today)));
        assert!(ask(Some(date(2026, 1, 16)), None).is_err());
        assert!(ask(Some(date(2024, 12, 12)), None).is_ok() && ask(Some(date(2024, 12, 11)), None).is_err());
    }

    proptest! {
        /// Every moment belongs to one day, and to the one that a clock on the wall shows.
        #[test]
        fn no_moment_is_counted_twice_or_left_out(second in 1_600_000_000_i64..2_000_000_000, zone_at in 0_usize..6) {
            let name = ["Africa/Nairobi", "Africa/Cairo", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"][zone_at];
            let zone = zone(name);
            let moment = Timestamp::from_second(second).expect("a time");
            let day = moment.to_zoned(zone.clone()).date();
            let days = bounds(day.yesterday().expect("in range"), day.tomorrow().expect("in range"), &zone).expect("days");
            let holding: Vec<Date> = days.iter().filter(|(_, start, end)| (*start..*end).contains(&moment)).map(|day| day.0).collect();
            prop_assert_eq!(holding, vec![day]);
            prop_assert!(days.windows(2).all(|pair| pair[0].2 == pair[1].1));
        }
    }
}
