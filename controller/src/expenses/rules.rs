//! When an expense falls due, and what one may say. Pure.

use super::{NewRecurring, Unit};
use jiff::ToSpan as _;
use jiff::civil::Date;
use model::Money;

/// A field and what is wrong with it.
type Fault = (&'static str, &'static str);

/// Says what is wrong with an expense's own fields, if anything.
pub(super) fn fault(amount: Money, vendor: &str, note: &str) -> Option<Fault> {
    if !(1..=1_000_000_000_000).contains(&amount.minor) {
        return Some(("amount", "give 1 to 1000000000000 minor units"));
    }
    if vendor.chars().count() > 100 || vendor.contains(char::is_control) {
        return Some(("vendor", "write at most 100 characters on one line"));
    }
    let long = note.chars().count() > 500 || note.chars().any(|c| c.is_control() && c != '\n');
    long.then_some(("note", "write at most 500 characters"))
}

/// Says whether a text is a reason.
pub(super) fn is_reason(reason: &str) -> bool {
    (1..=200).contains(&reason.chars().count()) && !reason.trim().is_empty()
}

/// Says whether something can have been spent on a day.
pub(super) fn may_be_spent_on(day: Date, today: Date) -> bool {
    day <= today && day >= today.saturating_sub(10.years())
}

/// Says what is wrong with when a rule repeats, if anything.
pub(super) fn recurring_fault(new: &NewRecurring, today: Date) -> Option<Fault> {
    if !(1..=365).contains(&new.every.unwrap_or(1)) {
        return Some(("every", "choose 1 to 365"));
    }
    if new.first_on < today.saturating_sub(1.year()) || new.first_on > today.saturating_add(10.years()) {
        return Some(("first_on", "name a day from a year ago to ten years ahead"));
    }
    new.last_on.is_some_and(|last| last < new.first_on).then_some(("last_on", "the last day does not come before the first"))
}

/// Returns the day on which a rule falls due for the nth time, counted from 0 and always from the first day: what begins on a 31st comes
/// on the last day of a shorter month and on the 31st again after it. Nothing where the calendar ends.
pub(super) fn due(first_on: Date, every: u16, unit: Unit, n: i64) -> Option<Date> {
    let count = n.checked_mul(i64::from(every))?;
    // Beyond these a span cannot be made; the calendar has ended long before.
    if !(0..=3_000_000).contains(&count) {
        return None;
    }
    let span = match unit {
        Unit::Day => jiff::Span::new().try_days(count),
        Unit::Week => jiff::Span::new().try_weeks(count),
        Unit::Month => jiff::Span::new().try_months(count),
    };
    first_on.checked_add(span.ok()?).ok()
}

/// Returns the first time from `n` on that does not lie before a day, with how many times came before it.
pub(super) fn first_from(first_on: Date, every: u16, unit: Unit, n: i64, day: Date) -> Option<(i64, Date)> {
    let mut n = n;
    loop {
        let due = due(first_on, every, unit, n)?;
        if due >= day {
            return Some((n, due));
        }
        n += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn the_31st_stays_the_31st() {
        let days: Vec<Date> = (0..6).filter_map(|n| due(date(2026, 1, 31), 1, Unit::Month, n)).collect();
        let wanted = [(1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 30)].map(|(month, day)| date(2026, month, day));
        assert_eq!(days, wanted);
        assert_eq!(due(date(2024, 2, 29), 12, Unit::Month, 1), Some(date(2025, 2, 28)));
        assert_eq!(due(date(2024, 2, 29), 12, Unit::Month, 4), Some(date(2028, 2, 29)));
        assert_eq!(due(date(2026, 12, 28), 1, Unit::Week, 1), Some(date(2027, 1, 4)));
        assert_eq!(due(date(2026, 1, 1), 365, Unit::Month, i64::MAX), None);
        assert_eq!(due(date(9999, 12, 31), 1, Unit::Day, 1), None);
    }

    #[test]
    fn what_was_paused_is_left_out() {
        let first = date(2026, 1, 31);
        assert_eq!(first_from(first, 1, Unit::Month, 1, date(2026, 4, 1)), Some((3, date(2026, 4, 30))));
        assert_eq!(first_from(first, 1, Unit::Month, 1, date(2026, 2, 28)), Some((1, date(2026, 2, 28))));
    }

    prop_compose! {
        fn days()(year in 2020_i16..2100, month in 1_i8..=12, day in 1_i8..=31) -> Date {
            Date::new(year, month, day).unwrap_or_else(|_| date(year, month, 1).last_of_month())
        }
    }

    proptest! {
        #[test]
        fn times_go_forward_and_keep_their_day(first in days(), every in 1_u16..=365, n in 0_i64..200) {
            for unit in Unit::ALL {
                let (Some(this), Some(next)) = (due(first, every, unit, n), due(first, every, unit, n + 1)) else { continue };
                prop_assert!(next > this);
                if unit == Unit::Month {
                    prop_assert!(this.day() == first.day() || (this == this.last_of_month() && this.day() < first.day()));
                    let months = i64::from(this.year() - first.year()) * 12 + i64::from(this.month() - first.month());
                    prop_assert_eq!(months, n * i64::from(every));
                }
                prop_assert_eq!(first_from(first, every, unit, n, this), Some((n, this)));
            }
        }
    }
}
