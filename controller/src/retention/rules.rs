//! The settings with their bounds, and what holds where an ISP said nothing. Pure.

use super::{Retention, RetentionChange};
use std::ops::RangeInclusive;

/// A year and a month, so that a month can be compared with the same month a year before.
const YEAR_AND_MONTH: i32 = 396;
/// Two years.
const TWO_YEARS: i32 = 732;

/// A setting: its name, the days that may be chosen, and those that hold unless an ISP says otherwise.
struct Setting {
    name: &'static str,
    days: RangeInclusive<i32>,
    unless_said: i32,
}

/// Every setting. The floors: a week, so that a complaint can still be looked into; a month of outages and messages, which are settled by the month; a year of
/// the audit log.
const SETTINGS: [Setting; 8] = [
    Setting { name: "sessions_days", days: 7..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "usage_days", days: 7..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "outages_days", days: 31..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "diagnoses_days", days: 7..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "changes_days", days: 7..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "configurations_days", days: 7..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "messages_days", days: 31..=1100, unless_said: YEAR_AND_MONTH },
    Setting { name: "audit_days", days: 366..=3660, unless_said: TWO_YEARS },
];

impl RetentionChange {
    /// The days in the order of the settings.
    fn days(&self) -> [Option<i32>; 8] {
        [
            self.sessions_days,
            self.usage_days,
            self.outages_days,
            self.diagnoses_days,
            self.changes_days,
            self.configurations_days,
            self.messages_days,
            self.audit_days,
        ]
    }
}

/// Names the first number that is out of its range.
pub(super) fn fault(change: &RetentionChange) -> Option<(&'static str, String)> {
    let wrong = SETTINGS.iter().zip(change.days()).find(|(setting, days)| days.is_some_and(|days| !setting.days.contains(&days)));
    wrong.map(|(setting, _)| (setting.name, format!("choose {} to {} days", setting.days.start(), setting.days.end())))
}

/// The days that hold where an ISP said nothing.
pub(super) fn unless_said(name: &str) -> i32 {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.expect("the registry names settings alone, which a test holds it to").unless_said
}

/// What holds, from what an ISP said.
pub(super) fn in_force(said: &RetentionChange) -> Retention {
    let mut days = SETTINGS.iter().zip(said.days()).map(|(setting, said)| said.unwrap_or(setting.unless_said));
    let mut next = || days.next().expect("there are as many as fields");
    Retention {
        sessions_days: next(),
        usage_days: next(),
        outages_days: next(),
        diagnoses_days: next(),
        changes_days: next(),
        configurations_days: next(),
        messages_days: next(),
        audit_days: next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::registry::TABLES;

    #[test]
    fn each_setting_has_its_bounds() {
        assert_eq!(fault(&RetentionChange::default()), None);
        for (sessions, audit, wrong) in [
            (6, 366, Some("sessions_days")),
            (7, 365, Some("audit_days")),
            (7, 366, None),
            (1100, 3660, None),
            (1101, 3660, Some("sessions_days")),
            (1100, 3661, Some("audit_days")),
        ] {
            let change = RetentionChange { sessions_days: Some(sessions), audit_days: Some(audit), ..RetentionChange::default() };
            assert_eq!(fault(&change).map(|(field, _)| field), wrong, "{sessions} {audit}");
        }
        let change = RetentionChange { outages_days: Some(30), ..RetentionChange::default() };
        assert_eq!(fault(&change), Some(("outages_days", "choose 31 to 1100 days".to_owned())));
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let said = RetentionChange { usage_days: Some(30), ..RetentionChange::default() };
        let held = in_force(&said);
        assert_eq!((held.sessions_days, held.usage_days, held.audit_days), (396, 30, 732));
    }

    #[test]
    fn every_table_that_is_kept_for_a_time_names_a_setting_and_every_month_has_an_end() {
        for table in TABLES {
            assert!(
                table.partitioned_by.is_none() || table.kept.is_some(),
                "{} is cut by month, and no month ever goes",
                table.name
            );
            if let Some(kept) = table.kept {
                assert!(unless_said(kept.setting) >= 7, "{}", table.name);
            }
        }
    }
}
